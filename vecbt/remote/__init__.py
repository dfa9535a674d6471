"""A Backtrader server and its clients: messages, what the server answers, and the client's side."""
