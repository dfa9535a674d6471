"""A Backtrader data feed over rows of a shared table."""

from __future__ import annotations

from array import array
from typing import Any

import backtrader as bt
import numpy as np
from backtrader.feed import DataBase

from vecbt.arrays import FloatArray
from vecbt.brokers.cerebro.lines import Clock, attach, refuse_delay
from vecbt.errors import ConfigError, LookAheadError

__all__ = ["COLUMNS", "TableFeed"]

COLUMNS = ("open", "high", "low", "close", "volume", "openinterest", "datetime")
"""The lines of a feed in the order of the columns that it is given."""


class TableFeed(DataBase):
    """The rows ``first <= row < last`` of a table of columns, loaded by a few memory copies.

    A feed is made once per environment and given other rows for every episode (`select`); Cerebro may run it any
    number of times. Ticks (``tick_open`` ...) exist for live feeds alone and are left out: the broker then reads the
    bar, which holds the same numbers.
    """

    params = (("trusted", False),)
    tick_open = tick_high = tick_low = tick_close = tick_volume = tick_openinterest = tick_last = None

    def __init__(self) -> None:
        super().__init__()
        for line in self.lines.lines:
            attach(line, Clock(), self.p.trusted)
            line.mode = line.UnBounded
            line.useislice = False
            line.extension = 0
        self._columns: tuple[FloatArray, ...] = ()
        self._rows = slice(0, 0)
        self._size = 0
        self._part_clocks()

    def _part_clocks(self) -> None:
        for line in self.lines.lines:
            line.clock = Clock()
        #: Where the feed stands.
        self.clock: Clock = self.lines.lines[0].clock

    def share_clock(self, clock: Clock) -> None:
        """Let all lines follow one clock until the next run."""
        self.clock = clock
        for line in self.lines.lines:
            line.clock = clock

    def select(self, columns: tuple[FloatArray, ...], first: int, last: int) -> None:
        """Choose what the next run sees.

        Args:
            columns: One contiguous float64 array (T,) per name in `COLUMNS`, then one per further line of the feed.
            first: First row of the run.
            last: Row after the last one of the run.
        """
        self._columns, self._rows = columns, slice(first, last)

    # What follows overrides DataBase, called by Cerebro.

    def reset(self) -> None:
        self._part_clocks()

    def extend(self, value: float = float("nan"), size: int = 0) -> None:
        if size:
            raise LookAheadError("Cerebro(lookahead=...) would give the strategy bars of the future")

    def preload(self) -> None:
        for name, column in zip(COLUMNS, self._columns, strict=False):
            self._fill(getattr(self.lines, name), column)
        for line, column in zip(self.lines.lines[len(COLUMNS) :], self._columns[len(COLUMNS) :], strict=True):
            self._fill(line, column)
        self._size = self._rows.stop - self._rows.start
        self.opens, self.highs = self.lines.open.array, self.lines.high.array
        self.lows, self.closes = self.lines.low.array, self.lines.close.array
        self.times = self.lines.datetime.array

    def _fill(self, line: Any, column: FloatArray) -> None:
        # Backtrader's own container. Its items are made when read, so an episode costs one memory copy per column
        # where a list of floats costs an object per item, most of which nobody reads.
        values = array("d")
        values.frombytes(np.ascontiguousarray(column[self._rows]).view(np.uint8).data)
        line.array = values

    def _load(self) -> bool:
        raise ConfigError("vecbt preloads its feeds: leave Cerebro's preload on and exactbars at 0")

    def __len__(self) -> int:
        return self.clock.index + 1

    def buflen(self) -> int:
        return self._size

    def advance_peek(self) -> float:
        following = self.clock.index + 1
        return self.times[following] if following < self._size else float("inf")

    def advance(self, size: int = 1, datamaster: Any = None, ticks: bool = True) -> None:
        self.lines.advance(size)

    def _tick_nullify(self) -> None:
        pass

    def _tick_fill(self, force: bool = False) -> None:
        pass

    def __call__(self, ago: Any = None, line: Any = -1) -> Any:
        if not self.p.trusted:
            refuse_delay(ago)
        return super().__call__(ago, line)


def feed_class(extra_lines: tuple[str, ...]) -> type[TableFeed]:
    """The feed class whose lines are the usual ones and ``extra_lines``."""
    if not extra_lines:
        return TableFeed
    if extra_lines not in _CLASSES:
        # Backtrader's metaclasses register every class in its module: one per set of lines, made once.
        _CLASSES[extra_lines] = type("TableFeedWith_" + "_".join(extra_lines), (TableFeed,), {"lines": extra_lines})
    return _CLASSES[extra_lines]


_CLASSES: dict[tuple[str, ...], type[TableFeed]] = {}

assert bt.__version__ == "1.9.78.123", "the feed relies on the internals of this release"
