"""For tests and benchmarks: plain Backtrader to compare with, and measuring that can be trusted."""

from __future__ import annotations

from vecbt.testing.measure import Figure, interleave
from vecbt.testing.plain import PlainRun, run_plain

__all__ = ["Figure", "PlainRun", "interleave", "run_plain"]
