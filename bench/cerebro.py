"""The Cerebro engine beside plain Backtrader, its own loop, and Gymnasium's AsyncVectorEnv."""

from __future__ import annotations

from bench.goals import Goal
from vecbt.testing.throughput import cerebro_throughput

__all__ = ["measure"]

_ASKED = {
    "vecbt over plain Backtrader in 2 processes, orders on 1/3 of the bars": 2.2,
    "vecbt over plain Backtrader in 2 processes, no orders": 3.0,
    "vecbt over AsyncVectorEnv, orders on 1/3 of the bars": 5.0,
    "vecbt over AsyncVectorEnv, no orders": 5.0,
    "vecbt over 2 x a worker's loop alone, orders on 1/3 of the bars": 0.8,
}


def measure(repeats: int) -> list[Goal]:
    """64 environments in 2 workers, window 30 x 4, episodes of 1,000 bars."""
    result = cerebro_throughput(64, 2, repeats, against_async=True, progress="Cerebro engine")
    goals = [Goal(name, figure, bound=_ASKED.get(name)) for name, figure in result.ratios.items()]
    goals += [Goal(name, figure, "per second") for name, figure in result.rates.items()]
    return goals
