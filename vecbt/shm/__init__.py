"""Lockstep over shared memory; knows nothing of trading."""
