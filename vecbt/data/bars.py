"""Bars: the prices of one asset, valid and immutable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.data.checks import OHLC, check_order, extra_faults, price_faults, volume_faults
from vecbt.data.coerce import as_floats, as_stamps, check_name
from vecbt.data.rows import Rows, settle
from vecbt.data.timeline import format_interval, format_stamp, usual_interval
from vecbt.errors import ConfigError, DataFileError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["Bars"]

CORE = (*OHLC, "volume")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Bars:
    """The bars of one asset: what :func:`vecbt.data.read_bars` returns.

    Build one with :meth:`from_arrays` or ``read_bars``: both validate, whereas the constructor trusts its arguments.
    All arrays are read-only and contiguous; a copy or a pickle keeps them so. Two Bars are equal when they are the
    same object; to compare contents, compare :meth:`fingerprint`.

    Attributes:
        timestamps: int64 (T,), UTC nanoseconds since 1970-01-01, strictly increasing: the time at which the bar is
            known, which is its end.
        open: float64 (T,), finite and positive, as are ``high``, ``low`` and ``close``.
        high: float64 (T,), the highest of the four, up to a relative tolerance of 1e-9.
        low: float64 (T,), the lowest of the four, likewise.
        close: float64 (T,).
        volume: float64 (T,), finite and >= 0; zeros where the source has none.
        has_volume: Whether the source has a volume.
        extras: Further columns by name, float64 (T,) each; NaN only before a column's first value.
        interval: The most frequent difference of neighbouring stamps (of several, the smallest), in nanoseconds; 0 if
            there is one bar.
        name: What the data are called: a file's stem, ``"DataFrame"``.
        source: Where they come from.
        notes: What the reader recognised and what a repair did, in sentences.

    Example:
        >>> days = np.array(["2024-01-02", "2024-01-03"], "datetime64[D]")
        >>> bars = Bars.from_arrays(days, [10, 11], [12, 12], [9, 10], [11, 10.5], name="ACME")
        >>> bars
        <Bars ACME: 2 bars of 1 d, 2024-01-02 00:00:00 to 2024-01-03 00:00:00 UTC>
        >>> bars.columns
        ('open', 'high', 'low', 'close', 'volume')
        >>> bars.column("close")
        array([11. , 10.5])
    """

    timestamps: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    has_volume: bool
    extras: Mapping[str, FloatArray]
    interval: int
    name: str
    source: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "extras", MappingProxyType(dict(self.extras)))
        for array in (self.timestamps, *(self.column(name) for name in self.columns)):
            array.setflags(write=False)

    @classmethod
    def from_arrays(
        cls,
        timestamps: ArrayLike | pd.DatetimeIndex,
        open: ArrayLike,  # noqa: A002 -- the field's own names
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike | None = None,
        extras: Mapping[str, ArrayLike] | None = None,
        *,
        name: str = "arrays",
    ) -> Bars:
        """Bars from arrays in memory, which are validated and copied.

        Args:
            timestamps: The time at which each bar ends, shape (T,): integers are UTC nanoseconds since 1970-01-01;
                datetime64, datetimes and a DatetimeIndex without a time zone count as UTC.
            open: Numbers, shape (T,), as are ``high``, ``low``, ``close`` and ``volume``.
            high: See ``open``.
            low: See ``open``.
            close: See ``open``.
            volume: None where there is none.
            extras: Further columns by name; a name is lower snake case, so that feature expressions can use it.
            name: What to call the data.

        Raises:
            ColumnError: For arrays of other shapes or types, invalid volumes and extras.
            PriceError: For a missing, infinite or not positive price, and a high or low that does not bound its bar.
            TimestampError: For stamps that are unreadable or do not increase.
            DataFileError: If there is no bar.
        """
        stamps = as_stamps(timestamps, name)
        given = dict(zip(OHLC, (open, high, low, close), strict=True))
        if volume is not None:
            given["volume"] = volume
        columns = {key: as_floats(value, key, len(stamps), name) for key, value in given.items()}
        for key in extras or ():
            check_name(key, CORE, name)
        own = {key: as_floats(value, key, len(stamps), name) for key, value in (extras or {}).items()}
        rows = Rows.of(name, np.arange(len(stamps)))
        check_order(stamps, rows)
        faults = [*price_faults(columns), *extra_faults(own)]
        if volume is not None:
            faults += volume_faults(columns["volume"])
        settle(faults, rows, drop=False)
        return cls.trusted(stamps, columns | own, name=name, source=name)

    @classmethod
    def trusted(
        cls,
        timestamps: IntArray,
        columns: Mapping[str, FloatArray],
        *,
        name: str,
        source: str,
        notes: tuple[str, ...] = (),
    ) -> Bars:
        """Bars of arrays that were validated already and that nobody else writes to.

        Args:
            timestamps: int64 (T,), strictly increasing.
            columns: float64 (T,) arrays: open, high, low, close, maybe volume, and the extras.
            name: What to call the data.
            source: Where they come from.
            notes: What to tell about them.

        Raises:
            DataFileError: If there is no bar.
        """
        if not len(timestamps):
            raise DataFileError("there is no bar: expected one at least", source=source)
        return cls(
            timestamps=timestamps,
            **{key: columns[key] for key in OHLC},
            volume=columns["volume"] if "volume" in columns else np.zeros(len(timestamps)),
            has_volume="volume" in columns,
            extras={key: array for key, array in columns.items() if key not in CORE},
            interval=usual_interval(timestamps),
            name=name,
            source=source,
            notes=notes,
        )

    def __len__(self) -> int:
        return len(self.timestamps)

    def __repr__(self) -> str:
        ends = f"{format_stamp(int(self.timestamps[0]))} to {format_stamp(int(self.timestamps[-1]))} UTC"
        of = f" of {format_interval(self.interval)}" if self.interval else ""
        return f"<Bars {self.name}: {len(self)} bar{'s' if len(self) != 1 else ''}{of}, {ends}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns: open, high, low, close, volume, then the extras in the source's order."""
        return (*CORE, *self.extras)

    def column(self, name: str) -> FloatArray:
        """The column called ``name``, float64 (T,), read-only.

        Raises:
            UnknownNameError: If there is no such column.
        """
        if name in CORE:
            return cast("FloatArray", getattr(self, name))
        try:
            return self.extras[name]
        except KeyError:
            raise UnknownNameError.of("column", name, self.columns) from None

    def rows(self, first: int, last: int) -> Bars:
        """The bars from row ``first`` up to, not including, row ``last``: views of the same memory.

        The interval stays that of the whole.

        Raises:
            ConfigError: Unless ``0 <= first < last <= len(bars)``.
        """
        if not 0 <= first < last <= len(self):
            raise ConfigError(f"expected 0 <= first < last <= {len(self)} (the number of bars), got {first} and {last}")
        part = slice(first, last)
        state = self._state()
        state |= {key: state[key][part] for key in ("timestamps", *CORE)}
        return Bars(**state | {"extras": {key: array[part] for key, array in self.extras.items()}})

    def fingerprint(self) -> str:
        """Hex SHA-256 of the stamps, the interval, and all columns with their names; equal contents, equal print."""
        digest = hashlib.sha256(f"{len(self)} {self.interval} {self.columns}".encode())
        digest.update(self.timestamps.astype("<i8", copy=False).data)
        for name in self.columns:
            digest.update(self.column(name).astype("<f8", copy=False).data)
        return digest.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """All columns as a DataFrame that owns its memory; the index, ``time``, holds the stamps in UTC."""
        import pandas as pd

        index = pd.DatetimeIndex(self.timestamps.view("M8[ns]"), tz="UTC", name="time")
        return pd.DataFrame({name: self.column(name).copy() for name in self.columns}, index=index)

    def _state(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"extras": dict(self.extras)}

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self._state(),)

    def __copy__(self) -> Bars:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Bars:
        return self


def _rebuild(state: dict[str, Any]) -> Bars:
    return Bars(**state)
