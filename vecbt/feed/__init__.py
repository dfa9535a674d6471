"""A data server from both sides: what it answers, what clients ask, and how tables get from one to the other."""
