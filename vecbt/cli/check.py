"""``vecbt check``: do files hold usable bars, what are they, and which do they have in common?"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import tyro

from vecbt.cli.tables import print_table
from vecbt.data.align import align_bars
from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars

__all__ = ["Check"]


@dataclasses.dataclass(frozen=True)
class Check:
    """Read files of bars, say what is wrong with them, or describe them and what they have in common."""

    data: Annotated[Path, tyro.conf.Positional]
    """The file: CSV in any usual form, HistData ASCII, Yahoo, compressed or not, or Parquet."""

    others: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Files of further assets, to be traded beside the first."""

    tz: str | None = None
    """Time zone of stamps that have none; UTC by default."""

    stamp: Literal["start", "end"] | None = None
    """Whether the stamps are the starts or the ends of the bars; by default what the file says, else the end."""

    repair: tuple[Literal["drop", "sort"], ...] = ()
    """Drop rows that cannot be used, sort rows that are out of order."""

    def run(self) -> None:
        """Print what was found; raises what `read_bars` and `align_bars` raise."""
        assets: dict[str, Bars] = {}
        for path in (self.data, *self.others):
            bars = read_bars(path, tz=self.tz, stamp=self.stamp, repair=self.repair or None)
            _describe(path, bars)
            name = re.sub(r"\W|^(?=\d)", "_", bars.name)
            assets[name if name not in assets else f"{name}_{len(assets) + 1}"] = bars
        if self.others:
            together = align_bars(assets)
            print(f"\n{together.name}: {len(together):,} bars in common")
            own = {note for bars in assets.values() for note in bars.notes}
            _print_notes(note for note in together.notes if note.partition(": ")[2] not in own)
            print_table(("", ""), [("fingerprint", together.fingerprint()[:16])])


def _describe(path: Path, bars: Bars) -> None:
    print(f"{path}: {len(bars):,} valid bars")
    _print_notes(bars.notes)
    print()
    print_table(("", ""), _facts(bars))
    print()
    rows = [
        (name, *(f"{measure(bars.column(name)):.6g}" for measure in (np.nanmin, np.nanmean, np.nanmax)))
        for name in bars.columns
    ]
    print_table(("column", "minimum", "mean", "maximum"), rows)


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"  {note}")


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
