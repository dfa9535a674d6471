"""Benchmarks: figures with their goals (``python -m bench``) and pytest-benchmark suites (``pytest bench``)."""
