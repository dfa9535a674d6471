"""A user's arrays to arrays of our own: copied, of the right type and shape."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

import numpy as np

from vecbt.errors import ColumnError, TimestampError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from vecbt.arrays import FloatArray, IntArray

__all__ = ["as_floats", "as_stamps", "check_name"]


def as_stamps(values: ArrayLike | pd.DatetimeIndex, source: str) -> IntArray:
    """Stamps as a new int64 array (T,) of UTC nanoseconds; what has no time zone counts as UTC.

    Raises:
        TimestampError: For anything but integers and datetimes, missing stamps, and other shapes.
    """
    import pandas as pd

    def error(got: object) -> TimestampError:
        message = f"expected UTC nanoseconds as integers, datetime64, or a DatetimeIndex, of shape (T,), got {got}"
        return TimestampError(message, source=source, column="time")

    try:
        array: Any = values if isinstance(values, pd.DatetimeIndex) else np.asarray(values)
    except ValueError as problem:
        raise error(f"no array: {problem}") from problem
    if array.ndim != 1:
        raise error(f"shape {array.shape}")
    if array.dtype.kind in "iu":
        if len(array) and int(array.max()) > np.iinfo(np.int64).max:
            raise error(f"{array.max()}, which exceeds int64")
        return np.array(array, np.int64)
    # Texts are for read_bars, which never guesses the order of day and month.
    if array.dtype.kind not in "MO" or (array.dtype == object and any(isinstance(v, str | float) for v in array)):
        raise error("texts or floats" if array.dtype == object else f"dtype {array.dtype}")
    try:
        index = pd.DatetimeIndex(array)
        if index.tz is not None:
            index = index.tz_convert("UTC").tz_localize(None)
        stamps = np.array(index.as_unit("ns").asi8)
    except (ValueError, TypeError, OverflowError) as problem:
        raise error(f"what is none: {problem}") from problem
    if (missing := np.asarray(index.isna())).any():
        raise TimestampError("the time is missing", source=source, row=int(np.argmax(missing)), column="time")
    return stamps


def as_floats(values: ArrayLike, column: str, length: int, source: str) -> FloatArray:
    """Numbers as a new float64 array of shape ``(length,)``.

    Raises:
        ColumnError: For other shapes, and for anything but numbers.
    """

    def error(expected: str, got: object) -> ColumnError:
        return ColumnError(f"expected {expected}, got {got}", source=source, column=column)

    try:
        array = np.asarray(values)
    except ValueError as problem:
        raise error("an array of numbers", f"none: {problem}") from problem
    if array.dtype.kind not in "iuf":
        raise error("numbers", f"an array of dtype {array.dtype}")
    if array.shape != (length,):
        raise error(f"shape {(length,)}, a value for each stamp", array.shape)
    return np.array(array, np.float64, order="C")


def check_name(name: str, taken: tuple[str, ...], source: str) -> None:
    """Make sure that feature expressions can use a column's name.

    Raises:
        ColumnError: If it is taken, or no identifier in lower case.
    """
    if name in taken:
        raise ColumnError("an extra column cannot have this name: it is taken", source=source, column=name)
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower() or keyword.iskeyword(name):
        message = f"expected a name in lower snake case, such as 'open_interest', got {name!r}"
        raise ColumnError(message, source=source, column=str(name))
