"""The rules of `vecbt.check_vector_env`, a module for each kind."""
