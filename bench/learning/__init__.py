"""Whether agents learn what can be learned, and nothing where nothing can be (``python -m bench.learning``)."""
