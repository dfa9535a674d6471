"""Time columns to UTC nanoseconds: text, numbers or datetimes, with or without a time zone."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vecbt.arrays import BoolArray, IntArray
from vecbt.data.reading.dateforms import LONGEST
from vecbt.data.reading.dates import AmbiguousOrderError, Dates, Kind, read_dates
from vecbt.data.reading.zones import Zone, localize, zone_of
from vecbt.data.rows import Fault, Rows
from vecbt.errors import ConfigError, TimestampError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Stamps", "TimeColumn", "read_stamps", "to_text"]

TimeColumn = NDArray[np.object_] | pd.DatetimeIndex

_RANGE = np.array(["1678-01-01", "2262-01-01"], "M8[s]")  # what int64 nanoseconds can count, in whole years


@dataclass(frozen=True)
class Stamps:
    """A time column.

    Attributes:
        ns: int64 (T,), UTC nanoseconds; meaningless where a fault is.
        faults: Rows without a usable time.
        notes: What to tell about the column.
    """

    ns: IntArray
    faults: list[Fault]
    notes: list[str]


def read_stamps(
    values: Sequence[TimeColumn],
    rows: Rows,
    *,
    tz: Zone | None = None,
    date_format: str | None = None,
    utc: bool = False,
) -> Stamps:
    """Read the time column of a table.

    Args:
        values: The column, or the date's and the clock's: datetimes, or any objects whose text is a date.
        rows: Where the rows came from.
        tz: The zone of stamps that name none; None means UTC.
        date_format: The form of the text, as ``datetime.strptime`` has it; None to recognise it.
        utc: Whether the column says by its name that it is in UTC.

    Raises:
        TimestampError: If rows differ in what they say about their zone, if day and month could be either way round,
            or if ``tz`` is given for stamps that have a zone.
        ConfigError: If ``date_format`` is no format, or is given for what is not text.
    """
    if len(values) == 1 and isinstance(values[0], pd.DatetimeIndex):
        if date_format is not None:
            raise ConfigError("date_format is for dates in text, but the time column holds datetimes already")
        dates, show = _from_datetimes(values[0])
    else:
        texts = _clock_texts(values) if len(values) == 2 else _texts(values[0])
        dates = _from_texts(texts, date_format, rows)
        show = texts.__getitem__
    faults = [_unreadable(dates, show, date_format)]
    kind = _only_kind(dates, show, rows)
    notes = [f"Dates read as {dates.order}, the only order that fits all rows."] * bool(dates.order)
    if kind is None:
        return Stamps(dates.ns, faults, notes)
    if kind not in (Kind.NAIVE, Kind.AREA):
        _refuse(tz, f"the stamps say what their zone is ({kind.words})", rows)
        return Stamps(dates.ns, faults, [*notes, f"Time stamps: {kind.words}."])
    zone, why = _zone(dates, tz, rows, utc=utc)
    ns, local = localize(dates.ns, dates.kind != Kind.UNREADABLE, zone)
    return Stamps(ns, faults + local, [*notes, why])


def _to_nanoseconds(index: pd.DatetimeIndex) -> tuple[IntArray, BoolArray]:
    """Nanoseconds since 1970-01-01 of datetimes without a zone, and which of them int64 can hold."""
    values = index.to_numpy()
    # Seconds first: nanoseconds of the year 3000 would overflow before they could be compared.
    seconds = values.astype("M8[s]")
    valid = (seconds >= _RANGE[0]) & (seconds < _RANGE[1])  # NaT is neither
    return np.where(valid, values, np.datetime64(0, "s")).astype("M8[ns]").view(np.int64), valid


def _from_datetimes(index: pd.DatetimeIndex) -> tuple[Dates, Callable[[int], str]]:
    kind = Kind.NAIVE if index.tz is None else Kind.OFFSET
    ns, valid = _to_nanoseconds(index if index.tz is None else index.tz_convert("UTC").tz_localize(None))
    return Dates(ns, np.where(valid, kind, Kind.UNREADABLE).astype(np.int8), set()), lambda i: str(index[i])


def _from_texts(texts: list[str], date_format: str | None, rows: Rows) -> Dates:
    if date_format is not None:
        return _from_format(texts, date_format)
    known = [text if text.isascii() and len(text) <= LONGEST else "" for text in texts]
    try:
        return read_dates(np.array(known, "S"))
    except AmbiguousOrderError as problem:
        hint = "write ISO dates (2017-01-31), or say the form with date_format='%d/%m/%Y' (or '%m/%d/%Y')"
        if problem.other is None:
            message = f"the order of day and month in {texts[problem.at]!r} cannot be told: {hint}"
        else:
            other = f"{texts[problem.other]!r} ({rows.name(problem.other)})"
            message = f"the order of day and month in {texts[problem.at]!r} is not that of {other}: {hint}"
        raise rows.error(TimestampError, message, at=problem.at, column="time") from None


def _from_format(texts: list[str], date_format: str) -> Dates:
    expected = f"date_format: expected a format such as '%d/%m/%Y %H:%M', got {date_format!r}"
    if not isinstance(date_format, str) or "%" not in date_format:  # pandas takes "mixed", which guesses
        raise ConfigError(expected)
    column = pd.Series(texts, dtype=object)
    try:
        # UTC is what pandas asks for if rows may have different offsets.
        index = pd.DatetimeIndex(
            pd.to_datetime(column, format=date_format, errors="coerce", utc="%z" in date_format.lower())
        )
    except (ValueError, TypeError, re.error) as error:  # pandas makes a regular expression of the format
        raise ConfigError(f"{expected}: {error}") from error
    return _from_datetimes(index)[0]


def _texts(values: TimeColumn) -> list[str]:
    if isinstance(values, pd.DatetimeIndex):
        return [to_text(value).removesuffix("T00:00:00") for value in values]
    return [value.strip() if type(value) is str else to_text(value) for value in values]


def to_text(value: Any) -> str:
    """A cell as text; a datetime in ISO form, a whole float as the integer it stands for."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _clock_texts(values: Sequence[TimeColumn]) -> list[str]:
    """Dates and times of day in two columns, joined."""
    days, clocks = _texts(values[0]), _texts(values[1])
    packed = [clock for clock in clocks if clock.isdecimal()]
    if packed:  # 93000 is half past nine; of a number, zeros in front are lost
        width = 4 if max(map(len, packed)) <= 4 else 6
        clocks = [clock.zfill(width) if clock.isdecimal() else clock for clock in clocks]
    return [f"{day} {clock}" for day, clock in zip(days, clocks, strict=True)]


def _unreadable(dates: Dates, show: Callable[[int], str], date_format: str | None) -> Fault:
    what = "no date that can be read" if date_format is None else f"no date of the form {date_format!r}"

    def describe(i: int) -> str:
        text = show(i)
        return f"{text[:LONGEST]!r} is {what}" if text else "the time is missing"

    return Fault(
        TimestampError,
        "time",
        "time missing or unreadable",
        dates.kind == Kind.UNREADABLE,
        describe,
        "write ISO dates (2017-01-31 09:30:00), say their form with date_format='%d/%m/%Y %H:%M'",
    )


def _only_kind(dates: Dates, show: Callable[[int], str], rows: Rows) -> Kind | None:
    """What all readable rows say about their zone; None if no row is readable."""
    readable = dates.kind != Kind.UNREADABLE
    if not readable.any():
        return None
    first = int(np.argmax(readable))
    kind = Kind(int(dates.kind[first]))
    other = readable & (dates.kind != kind)
    if other.any():
        at = int(np.argmax(other))
        raise rows.error(
            TimestampError,
            f"expected {kind.words}, as in {show(first)!r} ({rows.name(first)}), got {show(at)!r}, which has "
            f"{Kind(int(dates.kind[at])).words}: make all rows alike",
            at=at,
            column="time",
        )
    return kind


def _refuse(tz: Zone | None, why: str, rows: Rows) -> None:
    if tz is not None:
        raise rows.error(TimestampError, f"tz={str(tz)!r} was given, but {why}: leave tz out", column="time")


def _zone(dates: Dates, tz: Zone | None, rows: Rows, *, utc: bool) -> tuple[Zone, str]:
    """The zone of stamps that have no offset, and a note about it."""
    if dates.areas:
        _refuse(tz, f"the stamps name the zone {min(dates.areas)}", rows)
        if len(dates.areas) > 1:
            names = ", ".join(sorted(dates.areas))
            raise rows.error(TimestampError, f"the stamps name several time zones: {names}", column="time")
        (area,) = dates.areas
        zone = zone_of(area)
        if zone is None:
            raise rows.error(TimestampError, f"the stamps name a time zone that is not known: {area}", column="time")
        return zone, f"Time stamps are in {area}."
    if utc:
        _refuse(tz, "the time column is in UTC by its name", rows)
        return datetime.UTC, "Time stamps are in UTC."
    if tz is None:
        return datetime.UTC, "Time stamps name no zone and count as UTC."
    return tz, f"Time stamps name no zone and count as {tz}."
