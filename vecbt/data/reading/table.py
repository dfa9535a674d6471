"""Rows on their way to Bars: joined, put in order, adjusted, and their stamps moved to the ends of the bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.data.bars import Bars
from vecbt.data.checks import OHLC, check_order, extra_faults, repeated
from vecbt.data.rows import Fault, Index, Rows, settle
from vecbt.data.timeline import format_interval, usual_interval
from vecbt.errors import ColumnError, DataFileError, PriceError, TimestampError, TooFewBarsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Table"]


@dataclass
class Table:
    """Stamps and columns of one source or several, every cell of them read.

    Attributes:
        stamps: int64 (T,), UTC nanoseconds.
        columns: float64 (T,) each.
        rows: Where the rows came from.
        name: What to call the bars.
        notes: What was recognised and done.
        starts: Whether the source says that the stamps are the starts of the bars.
    """

    stamps: IntArray
    columns: dict[str, FloatArray]
    rows: Rows
    name: str
    notes: list[str]
    starts: bool

    @classmethod
    def join(cls, parts: Sequence[Table]) -> Table:
        """The rows of several sources, one after another.

        Raises:
            ColumnError: If their columns differ.
            TimestampError: If one says that its stamps are starts, and another does not.
        """
        first, *others = parts
        if not others:
            return first
        for part in others:
            source = part.rows.sources[0]
            if odd := part.columns.keys() ^ first.columns.keys():
                names = ", ".join(sorted(odd))
                message = f"the columns are not those of {first.rows.sources[0]}: only one of the two has {names}"
                raise ColumnError(message, source=source)
            if part.starts != first.starts:
                message = (
                    f"the stamps are starts of bars here, but not in {first.rows.sources[0]}, or the other way round"
                )
                raise TimestampError(f"{message}: say which, stamp='start' or 'end'", source=source)
        shared = [note for note in first.notes if all(note in part.notes for part in others)]
        own = [f"{part.rows.sources[0]}: {note}" for part in parts for note in part.notes if note not in shared]
        return cls(
            np.concatenate([part.stamps for part in parts]),
            {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
            Rows.join([part.rows for part in parts]),
            first.name,
            [f"{len(parts)} sources, one after another.", *shared, *own],
            first.starts,
        )

    def settle(self, faults: Iterable[Fault], *, drop: bool) -> None:
        """Raise the earliest fault, or drop all rows at fault.

        Raises:
            DataFileError: If no row is left.
        """
        keep, notes = settle(faults, self.rows, drop=drop)
        if notes:
            self._take(np.flatnonzero(keep))
            self.notes += notes
        if not len(self.stamps):
            raise self.rows.error(DataFileError, f"no row is left. {' '.join(notes)}")

    def put_in_order(self, *, sort: bool, drop: bool) -> None:
        """Sort the rows and drop those whose time occurred before, as far as that is wanted; then insist on order.

        Raises:
            TimestampError: If the stamps do not increase strictly.
        """
        if sort and (late := self.stamps[1:] < self.stamps[:-1]).any():
            first = self.rows.name(int(np.argmax(late)) + 1)
            self._take(np.argsort(self.stamps, kind="stable"))
            self.notes.append(f"Sorted the rows by time (first out of order: {first}).")
        if drop:
            self.settle([repeated(self.stamps)], drop=True)
        check_order(self.stamps, self.rows)

    def adjust(self, *, drop: bool) -> None:
        """Scale open, high and low so that the close becomes the adjusted close.

        Raises:
            ColumnError: If there is no adjusted close.
            PriceError: If one is no price.
        """
        if "adj_close" not in self.columns:
            raise self.rows.error(ColumnError, "adjust=True needs a column of adjusted closes ('Adj Close')")
        adjusted = self.columns["adj_close"]
        bad = ~(np.isfinite(adjusted) & (adjusted > 0.0))
        fault = Fault(
            PriceError, "adj_close", "adj_close invalid", bad, lambda i: f"the adjusted close {adjusted[i]} is no price"
        )
        self.settle([fault], drop=drop)
        adjusted = self.columns.pop("adj_close")
        scale = adjusted / self.columns["close"]
        self.columns |= {name: self.columns[name] * scale for name in OHLC} | {"close": adjusted}
        self.notes.append("Prices are adjusted: scaled by adjusted close over close.")

    def check_extras(self, *, drop: bool) -> None:
        """Insist on extra columns without a hole.

        Raises:
            ColumnError: For an infinite value, or an empty cell after the column's first value.
        """
        extras = {name: values for name, values in self.columns.items() if name not in (*OHLC, "volume")}
        self.settle(extra_faults(extras), drop=drop)

    def move_to_ends(self) -> None:
        """Move the stamps from the starts of the bars to their ends.

        Raises:
            TooFewBarsError: If there is one bar.
            TimestampError: If nanoseconds cannot count the last end.
        """
        interval = usual_interval(self.stamps)
        if not interval:
            raise self.rows.error(
                TooFewBarsError, "the end of a bar is its start plus the interval, which one bar lacks"
            )
        if int(self.stamps[-1]) + interval > np.iinfo(np.int64).max:
            raise self.rows.error(TimestampError, "the last bar ends after 2262, which nanoseconds cannot count", at=-1)
        self.stamps = self.stamps + interval
        self.notes.append(f"Time stamps are the starts of the bars: moved by {format_interval(interval)} to the ends.")

    def to_bars(self) -> Bars:
        """The bars; the order and all values must have been checked."""
        return Bars.trusted(
            self.stamps,
            {name: np.array(values) for name, values in self.columns.items()},
            name=self.name,
            source=", ".join(self.rows.sources),
            notes=tuple(self.notes),
        )

    def _take(self, index: Index) -> None:
        self.stamps, self.rows = self.stamps[index], self.rows.take(index)
        self.columns = {name: values[index] for name, values in self.columns.items()}
