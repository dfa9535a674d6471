"""What makes a bar valid.

Prices are finite and positive; the high is the highest and the low the lowest of the four, up to a relative
tolerance of 1e-9, because real files carry the noise of their last digit; a volume is finite and not negative; an
extra column may be empty until its first value and never after; stamps increase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.data.rows import Fault, Rows
from vecbt.data.timeline import format_stamp
from vecbt.errors import ColumnError, DataError, PriceError, TimestampError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["OHLC", "check_order", "extra_faults", "price_faults", "repeated", "volume_faults"]

OHLC = ("open", "high", "low", "close")
TOLERANCE = 1e-9


def price_faults(columns: Mapping[str, FloatArray]) -> Iterator[Fault]:
    """Rows with a price that cannot be, or whose high and low do not bound the bar.

    Args:
        columns: float64 (T,) arrays named open, high, low and close; others are not looked at.
    """
    for name in OHLC:
        yield from _not_positive(name, columns[name])
    open_, high, low, close = (columns[name] for name in OHLC)
    # A comparison with NaN is False: rows that lack a price are the checks' above. So are those whose bounds overflow.
    with np.errstate(over="ignore"):
        bottom, top = np.minimum(open_, close) * (1.0 + TOLERANCE), np.maximum(open_, close) * (1.0 - TOLERANCE)
    yield Fault(
        PriceError,
        "high",
        "high below low",
        high < low * (1.0 - TOLERANCE),
        lambda i: f"the high {high[i]} is below the low {low[i]}",
    )
    yield Fault(
        PriceError,
        "high",
        "high below open or close",
        high < top,
        lambda i: f"the high {high[i]} is below the open {open_[i]} or the close {close[i]}",
    )
    yield Fault(
        PriceError,
        "low",
        "low above open or close",
        low > bottom,
        lambda i: f"the low {low[i]} is above the open {open_[i]} or the close {close[i]}",
    )


def _not_positive(name: str, values: FloatArray) -> Iterator[Fault]:
    yield Fault(PriceError, name, f"{name} missing", np.isnan(values), lambda _: f"the {name} is missing")
    yield Fault(PriceError, name, f"{name} infinite", np.isinf(values), lambda i: f"the {name} is {values[i]}")
    yield Fault(
        PriceError,
        name,
        f"{name} not positive",
        (values <= 0.0) & np.isfinite(values),
        lambda i: f"the {name} is {values[i]}, and a price must be positive",
    )


def volume_faults(volume: FloatArray) -> Iterator[Fault]:
    """Rows whose volume is no amount."""

    def describe(i: int) -> str:
        return "the volume is missing" if np.isnan(volume[i]) else f"the volume {volume[i]} is not finite and >= 0"

    yield Fault(ColumnError, "volume", "volume missing or invalid", ~(np.isfinite(volume) & (volume >= 0.0)), describe)


def extra_faults(extras: Mapping[str, FloatArray]) -> Iterator[Fault]:
    """Rows in which an extra column is infinite, or empty after its first value."""
    for name, values in extras.items():
        missing = np.isnan(values)
        begun = np.cumsum(~missing) > 0 if missing.any() else ~missing
        yield Fault(
            ColumnError,
            name,
            f"{name} missing or infinite",
            (missing & begun) | np.isinf(values),
            _describe_extra(name, values),
        )


def _describe_extra(name: str, values: FloatArray) -> Callable[[int], str]:
    def describe(i: int) -> str:
        if np.isinf(values[i]):
            return f"the value is {values[i]}"
        return f"the value is missing, with values before it (columns={{{name!r}: None}} would leave the column out)"

    return describe


def repeated(stamps: IntArray) -> Fault:
    """Rows whose stamp an earlier row has."""
    order = np.argsort(stamps, kind="stable")
    mask = np.zeros(len(stamps), np.bool_)
    mask[order[1:]] = stamps[order[1:]] == stamps[order[:-1]]
    return Fault(
        TimestampError,
        "time",
        "duplicate time",
        mask,
        lambda i: f"the time {format_stamp(int(stamps[i]))} UTC occurs a second time",
    )


def check_order(stamps: IntArray, rows: Rows) -> None:
    """Raise unless the stamps increase strictly.

    Raises:
        TimestampError: For unsorted and duplicate stamps, and a span that the differences of int64 cannot hold.
    """
    late = stamps[1:] < stamps[:-1]
    if late.any():
        raise _unsorted(stamps, rows, late)
    double = np.zeros(len(stamps), np.bool_)
    double[1:] = stamps[1:] == stamps[:-1]
    if double.any():
        raise repeated(stamps).to_error(rows)
    if len(stamps) and int(stamps[-1]) - int(stamps[0]) > np.iinfo(np.int64).max:
        raise rows.error(TimestampError, "the data span more than 292 years, which nanoseconds cannot count")


def _unsorted(stamps: IntArray, rows: Rows, late: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> DataError:
    at = int(np.argmax(late)) + 1
    remedy = "sort the data, or let read_bars do it with repair='sort'"
    if late.all():
        message = f"the rows run from the newest to the oldest: {remedy}"
    else:
        count = int(np.count_nonzero(late))
        times = "once" if count == 1 else f"{count} times"
        here, before = format_stamp(int(stamps[at])), format_stamp(int(stamps[at - 1]))
        message = f"the time {here} comes after {before}, and times must increase (they fall {times}): {remedy}"
    return rows.error(TimestampError, message, at=at, column="time")
