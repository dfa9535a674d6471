"""AlignedBars: the prices of several assets, bar by bar, and slower streams beside them."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.data.bars import Bars
from vecbt.data.checks import OHLC
from vecbt.data.timeline import format_interval, format_stamp
from vecbt.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["AlignedBars", "last_known"]


def last_known(ends: IntArray, stamps: IntArray) -> IntArray:
    """Position of the last bar that is known at each of ``stamps``, -1 where none is.

    Args:
        ends: int64 (M,), ascending: when each bar ends, which is when it is known.
        stamps: int64 (T,).

    Example:
        >>> last_known(np.array([10, 20]), np.array([9, 10, 19, 20, 99]))
        array([-1,  0,  0,  1,  1])
    """
    return np.searchsorted(ends, stamps, side="right") - 1


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AlignedBars:
    """Bars of K assets that end together, and of streams that are known beside them: what `align_bars` returns.

    Make one with :func:`vecbt.data.align_bars`, which validates; the constructor trusts its arguments. Everything is
    read-only; a copy or a pickle keeps it so.

    Attributes:
        by_asset: Bars of each asset by name, in order, all with the same T stamps. These are traded.
        joined: Bars of each joined stream by name, with rows of their own; none ends after the last stamp. At a stamp
            the last of them that has ended is known. These are seen and never traded.
        notes: What was read, left out and joined, in sentences.

    Example:
        >>> import vecbt
        >>> euro, yen = (vecbt.data.synthetic_market(500, seed=seed) for seed in (0, 1))
        >>> bars = vecbt.data.align_bars({"EURUSD": euro, "USDJPY": yen})
        >>> bars
        <AlignedBars EURUSD, USDJPY: 500 bars of 1 min, 2024-01-01 00:01:00 to 2024-01-01 08:20:00 UTC>
        >>> bars.ohlc.shape
        (500, 2, 4)
        >>> bool((bars.column("USDJPY.close") == yen.close).all())
        True
    """

    by_asset: Mapping[str, Bars]
    joined: Mapping[str, Bars]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("by_asset", "joined"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def assets(self) -> tuple[str, ...]:
        """Names of the assets."""
        return tuple(self.by_asset)

    @property
    def name(self) -> str:
        """What messages call the data: the names of the assets."""
        return ", ".join(self.by_asset)

    @property
    def timestamps(self) -> IntArray:
        """int64 (T,), UTC nanoseconds at which the bars of all assets end."""
        return self._first.timestamps

    @property
    def interval(self) -> int:
        """The most frequent difference of neighbouring stamps, in nanoseconds; see `Bars`."""
        return self._first.interval

    @property
    def ohlc(self) -> FloatArray:
        """float64 (T, K, 4), a new array: open, high, low and close of each asset."""
        return np.stack([[bars.column(name) for name in OHLC] for bars in self.by_asset.values()]).transpose(2, 0, 1)

    @property
    def volume(self) -> FloatArray:
        """float64 (T, K), a new array."""
        return np.stack([bars.volume for bars in self.by_asset.values()], axis=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns: ``"EURUSD.open"`` and so on, asset by asset, then those of the joined streams."""
        return tuple(f"{name}.{column}" for name, bars in self.streams.items() for column in bars.columns)

    @functools.cached_property
    def streams(self) -> Mapping[str, Bars]:
        """Bars of the assets, then of the joined streams, by name."""
        return MappingProxyType({**self.by_asset, **self.joined})

    def column(self, name: str) -> FloatArray:
        """The column called ``name``, float64 (T,), read-only; of a joined stream what is known at each stamp.

        Raises:
            UnknownNameError: If there is no such column.
        """
        stream, _, column = name.partition(".")
        if stream not in self.streams:
            raise UnknownNameError.of("column", name, self.columns)
        values = self.streams[stream].column(column)
        if stream in self.joined:
            values = values[self.known(stream)]
            values.setflags(write=False)
        return values

    def known(self, stream: str) -> IntArray:
        """int64 (T,): for each stamp the row of the last bar of a joined stream that has ended by then."""
        return last_known(self.joined[stream].timestamps, self.timestamps)

    def rows(self, first: int, last: int) -> AlignedBars:
        """The bars from row ``first`` up to, not including, row ``last``: views of the same memory.

        The interval stays that of the whole. Joined streams keep the bars from before ``first``, which are known.

        Raises:
            ConfigError: Unless ``0 <= first < last <= len(bars)``.
        """
        if not 0 <= first < last <= len(self):
            raise ConfigError(f"expected 0 <= first < last <= {len(self)} (the number of bars), got {first} and {last}")
        return AlignedBars(
            by_asset={name: bars.rows(first, last) for name, bars in self.by_asset.items()},
            joined={name: bars.rows(0, int(self.known(name)[last - 1]) + 1) for name, bars in self.joined.items()},
            notes=self.notes,
        )

    def fingerprint(self) -> str:
        """Hex SHA-256 of the names of all streams in their order, and of the contents of each."""
        parts = [
            f"{kind} {name} {bars.fingerprint()}"
            for kind, streams in (("asset", self.by_asset), ("joined", self.joined))
            for name, bars in streams.items()
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """All columns as a DataFrame that owns its memory; the index, ``time``, holds the stamps in UTC."""
        import pandas as pd

        index = pd.DatetimeIndex(self.timestamps.view("M8[ns]"), tz="UTC", name="time")
        return pd.DataFrame({name: self.column(name).copy() for name in self.columns}, index=index)

    @property
    def _first(self) -> Bars:
        return next(iter(self.by_asset.values()))

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        stamps = self.timestamps
        ends = f"{format_stamp(int(stamps[0]))} to {format_stamp(int(stamps[-1]))} UTC"
        of = f" of {format_interval(self.interval)}" if self.interval else ""
        beside = f", beside them {', '.join(self.joined)}" if self.joined else ""
        return f"<AlignedBars {self.name}: {len(self)} bar{'s' if len(self) != 1 else ''}{of}, {ends}{beside}>"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (dict(self.by_asset), dict(self.joined), self.notes)

    def __copy__(self) -> AlignedBars:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> AlignedBars:
        return self


def _rebuild(by_asset: dict[str, Bars], joined: dict[str, Bars], notes: tuple[str, ...]) -> AlignedBars:
    return AlignedBars(by_asset=by_asset, joined=joined, notes=notes)
