"""``vecbt check``: does a file hold usable bars, and what are they?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import tyro

from vecbt.cli.tables import print_table
from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars

__all__ = ["Check"]


@dataclasses.dataclass(frozen=True)
class Check:
    """Read a file of bars, say what is wrong with it, or describe it."""

    data: Annotated[Path, tyro.conf.Positional]
    """The file: CSV in any usual form, HistData ASCII, Yahoo, compressed or not, or Parquet."""

    tz: str | None = None
    """Time zone of stamps that have none; UTC by default."""

    stamp: Literal["start", "end"] | None = None
    """Whether the stamps are the starts or the ends of the bars; by default what the file says, else the end."""

    repair: tuple[Literal["drop", "sort"], ...] = ()
    """Drop rows that cannot be used, sort rows that are out of order."""

    def run(self) -> None:
        """Print what was found; raises what `read_bars` raises."""
        options: dict[str, Any] = {} if self.stamp is None else {"stamp": self.stamp}
        bars = read_bars(self.data, tz=self.tz, repair=self.repair or None, **options)
        print(f"{self.data}: {len(bars):,} valid bars")
        for note in bars.notes:
            print(f"  {note}")
        print()
        print_table(("", ""), _facts(bars))
        print()
        names = bars.columns
        columns = [bars.column(name) for name in names]
        rows = [
            (name, *(f"{measure(column):.6g}" for measure in (np.nanmin, np.nanmean, np.nanmax)))
            for name, column in zip(names, columns, strict=True)
        ]
        print_table(("column", "minimum", "mean", "maximum"), rows)


def _facts(bars: Bars) -> list[tuple[str, str]]:
    stamps = bars.timestamps
    steps = np.diff(stamps)
    holes = steps[steps > bars.interval]
    first, last = (pd.Timestamp(int(stamp), tz="UTC") for stamp in (stamps[0], stamps[-1]))
    facts = [
        ("first bar known at", str(first)),
        ("last bar known at", str(last)),
        ("interval", str(pd.Timedelta(bars.interval))),
        ("longer steps", f"{len(holes):,} ({len(holes) / max(1, len(steps)):.2%})"),
    ]
    if len(holes):
        facts.append(("longest step", str(pd.Timedelta(int(holes.max())))))
    returns = np.diff(np.log(bars.close))
    if len(returns):
        facts.append(("largest move from close to close", f"{np.abs(returns).max():.2%}"))
        facts.append(("bars without a move", f"{(returns == 0.0).mean():.2%}"))
    facts.append(("fingerprint", bars.fingerprint()[:16]))
    return facts
