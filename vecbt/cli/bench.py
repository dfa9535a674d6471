"""``vecbt bench``: how fast are the engines on this machine?"""

from __future__ import annotations

import dataclasses

from vecbt.cli.tables import print_table
from vecbt.settings import check_integer
from vecbt.testing.throughput import cerebro_throughput, describe_machine

__all__ = ["Bench"]


@dataclasses.dataclass(frozen=True)
class Bench:
    """Measure the engines beside plain Backtrader, on the same bars and orders, in turn."""

    num_envs: int = 64
    """Environments."""

    num_workers: int = 2
    """Worker processes, and processes of plain Backtrader."""

    repeats: int = 5
    """Rounds of measurements; the median is shown, then the lowest and the highest."""

    against_async: bool = False
    """Also run the single environment under Gymnasium's AsyncVectorEnv, a process for each environment."""

    def run(self) -> None:
        """Run it."""
        for name in ("num_envs", "num_workers", "repeats"):
            check_integer(name, getattr(self, name), low=1)
        print(describe_machine())
        figures = cerebro_throughput(
            self.num_envs, self.num_workers, self.repeats, against_async=self.against_async, progress="measuring"
        )
        rows = [
            (name, f"{figure.median:,.0f}", f"{figure.low:,.0f}", f"{figure.high:,.0f}")
            for name, figure in figures.rates.items()
        ]
        print_table(("bars or env-steps per second", "median", "lowest", "highest"), rows)
        print()
        rows = [
            (name, f"{figure.median:.2f}", f"{figure.low:.2f}", f"{figure.high:.2f}")
            for name, figure in figures.ratios.items()
        ]
        print_table(("ratios, round by round", "median", "lowest", "highest"), rows)
