"""Adapters to training libraries; each module needs the library's optional dependencies."""
