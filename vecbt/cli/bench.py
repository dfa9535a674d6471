"""``vecbt bench``: how fast are the engines on this machine?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vecbt.cli.tables import print_table
from vecbt.settings import check_integer

if TYPE_CHECKING:
    from vecbt.testing.throughput import Throughput

__all__ = ["Bench"]


@dataclasses.dataclass(frozen=True)
class Bench:
    """Measure the engines beside plain Backtrader, on the same bars and orders, in turn."""

    num_envs: int = 64
    """Environments of the Cerebro engine; those of the compiled engine are 1, 64, 256, 1,024 and 4,096."""

    num_workers: int = 2
    """Worker processes, processes of plain Backtrader, and at most so many threads."""

    repeats: int = 5
    """Rounds of measurements; the median is shown, then the lowest and the highest."""

    against_async: bool = False
    """Also run the single environment under Gymnasium's AsyncVectorEnv, a process for each environment."""

    def run(self) -> None:
        """Run it."""
        # Backtrader and its kind come with these: no other command has to wait for them.
        from vecbt.testing.compiled import compiled_throughput
        from vecbt.testing.throughput import cerebro_throughput, describe_machine

        for name in ("num_envs", "num_workers", "repeats"):
            check_integer(name, getattr(self, name), low=1)
        print(describe_machine())
        print("\nboth engines, orders on 1/3 of the bars")
        _print(
            compiled_throughput(
                self.repeats, cerebro_envs=self.num_envs, num_workers=self.num_workers, progress="both engines"
            )
        )
        print("\nthe Cerebro engine")
        _print(
            cerebro_throughput(
                self.num_envs,
                self.num_workers,
                self.repeats,
                against_async=self.against_async,
                progress="Cerebro engine",
            )
        )


def _print(figures: Throughput) -> None:
    rows = [
        (name, f"{figure.median:,.0f}", f"{figure.low:,.0f}", f"{figure.high:,.0f}")
        for name, figure in figures.rates.items()
    ]
    print_table(("bars or env-steps per second", "median", "lowest", "highest"), rows)
    print()
    rows = [
        (name, f"{figure.median:,.2f}", f"{figure.low:,.2f}", f"{figure.high:,.2f}")
        for name, figure in figures.ratios.items()
    ]
    print_table(("ratios, round by round", "median", "lowest", "highest"), rows)
