"""Dates and times in text, a whole column at once.

Rows are grouped by shape (``"2017-01-02 02:00"`` and ``"2018-12-31 23:59"`` have the same one), a regular expression
finds the fields of a shape once, and the digits of all rows of that shape are read by arithmetic on the array of
characters. A column has one shape, or a few dozen; a million rows take well under a second.

Nothing is guessed: a column of ``01/02/2017`` is an error unless other rows tell the order of day and month.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from vecbt.data.reading.dateforms import DIGITS, EPOCH, STAMPS
from vecbt.data.timeline import SECOND

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from vecbt.arrays import BoolArray, IntArray
    from vecbt.data.rows import Index

__all__ = ["AmbiguousOrderError", "Dates", "Kind", "read_dates"]

DAY = 86_400 * SECOND


class Kind(IntEnum):
    """What a text says about its time zone."""

    UNREADABLE = 0
    NAIVE = 1  # nothing
    AREA = 2  # its name: 2023-10-03 09:30:00 US/Eastern
    OFFSET = 3  # its offset from UTC
    SECONDS = 4  # since 1970-01-01 UTC
    MILLISECONDS = 5
    MICROSECONDS = 6
    NANOSECONDS = 7

    @property
    def words(self) -> str:
        """The kind, for messages."""
        return _WORDS[self]


_WORDS = {
    Kind.UNREADABLE: "no date",
    Kind.NAIVE: "no time zone",
    Kind.AREA: "the name of a time zone",
    Kind.OFFSET: "offset from UTC",
    Kind.SECONDS: "epoch seconds",
    Kind.MILLISECONDS: "epoch milliseconds",
    Kind.MICROSECONDS: "epoch microseconds",
    Kind.NANOSECONDS: "epoch nanoseconds",
}
# From each count on, the unit: seconds up to the year 5138, then the others since March 1973.
_EPOCHS = (
    (10**8, Kind.SECONDS, SECOND),
    (10**11, Kind.MILLISECONDS, 1_000_000),
    (10**14, Kind.MICROSECONDS, 1_000),
    (10**17, Kind.NANOSECONDS, 1),
)

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_MONTH = {name[:n]: i for i, name in enumerate(_MONTHS, 1) for n in (3, len(name))} | {"sept": 9}
_ORDERS = {"month/day/year": "cab", "day/month/year": "cba", "year/month/day": "abc"}  # where year, month, day are


@dataclass
class Dates:
    """A column of stamps, as read.

    Attributes:
        ns: int64 (T,), nanoseconds since 1970-01-01: of UTC, or of the clock on the wall where ``kind`` is NAIVE or
            AREA.
        kind: int8 (T,), a :class:`Kind` each.
        areas: The names of the rows' time zones.
        order: The order of day, month and year if it had to be found out, or "".
    """

    ns: IntArray
    kind: NDArray[np.int8]
    areas: set[str]
    order: str = ""

    def store(self, index: Index, ns: IntArray, valid: BoolArray, kind: Kind) -> None:
        """Put the stamps of some rows in their places."""
        self.ns[index] = np.where(valid, ns, 0)
        self.kind[index] = np.where(valid, kind, Kind.UNREADABLE)


class AmbiguousOrderError(Exception):
    """The column does not tell the order of day and month; for the caller, who knows the file, to put into words.

    Attributes:
        at: Position of a row that two orders read differently, or that contradicts ``other``.
        other: Position of a row with another order, or None.
    """

    def __init__(self, at: int, other: int | None = None) -> None:
        super().__init__(at, other)
        self.at, self.other = at, other


def read_dates(texts: NDArray[np.bytes_]) -> Dates:
    """Read a column of dates and times.

    Args:
        texts: ASCII (T,), stripped.

    Raises:
        AmbiguousOrderError: If day and month could be either way round.
    """
    found = Dates(np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int8), set())
    unordered: list[_Unordered] = []
    for index, codes in _shapes(texts.view(np.uint8).reshape(len(texts), texts.itemsize)):
        text = bytes(codes[0]).rstrip(b"\0").decode("ascii", "replace")
        match = DIGITS.fullmatch(text)
        if match and _store_digits(_Fields(match, codes), index, found):
            continue
        if match := EPOCH.fullmatch(text):
            _store_epochs(_Fields(match, codes), index, found)
        elif match := next(filter(None, (form.fullmatch(text) for form in STAMPS)), None):
            fields = _Fields(match, codes)
            ns, valid, kind = fields.clock()
            found.areas |= {match["area"]} - {None}
            if "a" in fields:
                unordered.append(_Unordered(index, fields, ns, valid, kind))
            else:
                days, known = _days(fields.year("Y"), fields.month(), fields["D"])
                found.store(index, days * DAY + ns, valid & known, kind)
    if unordered:
        found.order = _store_unordered(unordered, found)
    return found


def _shapes(codes: NDArray[np.uint8]) -> Iterator[tuple[Index, NDArray[np.uint8]]]:
    """Groups of rows that differ in their digits alone: their index, and their characters."""
    if not codes.size:
        return
    zero = np.uint8(ord("0"))
    shapes = np.where(codes - zero < 10, zero, codes)  # unsigned: what is below "0" wraps around
    if (shapes == shapes[0]).all():
        yield np.arange(len(codes)), codes
        return
    whole = np.ascontiguousarray(shapes).view(np.dtype((np.void, shapes.shape[1]))).ravel()
    _, group = np.unique(whole, return_inverse=True)
    order = np.argsort(group, kind="stable")
    for index in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        yield index, codes[index]


class _Fields:
    """The fields of rows of one shape, whose places the match of one of the rows tells."""

    def __init__(self, match: re.Match[str], codes: NDArray[np.uint8]) -> None:
        self.match, self.codes = match, codes
        self.texts = {name: text for name, text in match.groupdict().items() if text is not None}

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def __getitem__(self, name: str) -> IntArray:
        """The numbers in the field; zeros if there is no such field."""
        number = np.zeros(len(self.codes), np.int64)
        if name in self:
            for column in range(*self.match.span(name)):
                number = number * 10 + (self.codes[:, column].astype(np.int64) - ord("0"))
        return number

    def year(self, name: str) -> IntArray:
        """A year of four digits, or of two as POSIX reads them: 69 to 99 in the 20th century."""
        year = self[name]
        if len(self.texts[name]) > 2:
            return year
        return year + np.where(year < 69, 2000, 1900)

    def month(self) -> IntArray:
        """The month by number or name; 0 if it is none."""
        if "mon" in self:
            return np.full(len(self.codes), _MONTH.get(self.texts["mon"].lower(), 0), np.int64)
        return self["M"]

    def fraction(self) -> IntArray:
        """Nanoseconds in the fraction of a second."""
        scale: int = 10 ** (9 - len(self.texts.get("f", "")))
        return self["f"] * scale

    def clock(self) -> tuple[IntArray, BoolArray, Kind]:
        """Nanoseconds since midnight, of UTC if the offset is known; whether they are valid; what is known."""
        hour, minute, second = self["h"], self["min"], self["s"]
        valid = (hour < 24) & (minute < 60) & (second < 60)
        if "ap" in self:
            valid &= (hour > 0) & (hour <= 12)
            hour = hour % 12 + (12 if self.texts["ap"][0] in "Pp" else 0)
        ns = ((hour * 60 + minute) * 60 + second) * SECOND + self.fraction()
        if "sign" in self:
            offset = (self["zh"] * 60 + self["zm"]) * 60 * SECOND
            valid &= (self["zh"] < 24) & (self["zm"] < 60)
            return ns - (offset if self.texts["sign"] == "+" else -offset), valid, Kind.OFFSET
        return ns, valid, Kind.OFFSET if "utc" in self else Kind.AREA if "area" in self else Kind.NAIVE


def _days(year: IntArray, month: IntArray, day: IntArray) -> tuple[IntArray, BoolArray]:
    """Days since 1970-01-01, and whether there is such a day (within the years that nanoseconds can count)."""
    valid = (year >= 1678) & (year <= 2261) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("M8[M]")
    days = months.astype("M8[D]") + np.where(valid, day - 1, 0)
    return days.astype(np.int64), valid & (days.astype("M8[M]") == months)


def _store_digits(fields: _Fields, index: Index, found: Dates) -> bool:
    """Store digits as dates (20170102, 201701020930 and so on), unless they must be an epoch."""
    days, known = _days(fields["Y"], fields["M"], fields["D"])
    ns, valid, kind = fields.clock()
    valid &= known
    # An epoch has eight digits up to 1973 and fourteen up to 1973 again, so that these are dates. Twelve and more
    # are dates only if all of them are, in years that an epoch of that length cannot be taken for.
    digits = fields.match.end()
    if digits not in (8, 14) and not (valid & (fields["Y"] >= 1900) & (fields["Y"] < 2100)).all():
        return False
    found.store(index, days * DAY + ns, valid, kind)
    return True


def _store_epochs(fields: _Fields, index: Index, found: Dates) -> None:
    count = fields["n"]
    for (least, kind, scale), (bound, *_) in zip(_EPOCHS, (*_EPOCHS[1:], (2**63 - 1,)), strict=True):
        here = (count >= least) & (count < bound)
        if here.any():
            fits = count[here] < (2**63 - 1) // scale
            ns = np.where(fits, count[here], 0) * scale + fields.fraction()[here] * scale // SECOND
            found.store(index[here], ns, fits, kind)


@dataclass
class _Unordered:
    """Rows of a shape whose day and month could be either way round."""

    index: Index
    fields: _Fields
    clock: IntArray
    valid: BoolArray
    kind: Kind

    def read(self, order: str) -> tuple[IntArray, BoolArray]:
        """The stamps if year, month and day are in these fields, and whether they are valid."""
        year, month, day = tuple(order)
        if len(self.fields.texts[year]) != len(self.fields.texts["c"]):  # two digits are a year if there are no four
            return self.clock, np.zeros(len(self.index), np.bool_)
        days, known = _days(self.fields.year(year), self.fields[month], self.fields[day])
        return days * DAY + self.clock, known & self.valid


def _store_unordered(groups: list[_Unordered], found: Dates) -> str:
    index = np.concatenate([group.index for group in groups])
    read = {}
    for name, order in _ORDERS.items():
        parts = [group.read(order) for group in groups]
        read[name] = np.concatenate([ns for ns, _ in parts]), np.concatenate([valid for _, valid in parts])
    some = np.logical_or.reduce([valid for _, valid in read.values()])
    fitting = [name for name, (_, valid) in read.items() if (valid == some).all()]
    if not fitting:
        valid = max((valid for _, valid in read.values()), key=np.count_nonzero)
        raise AmbiguousOrderError(int(index[some & ~valid].min()), int(index[valid].min()))
    ns = read[fitting[0]][0]
    for name in fitting[1:]:
        differs = some & (read[name][0] != ns)
        if differs.any():
            raise AmbiguousOrderError(int(index[differs].min()))
    start = 0
    for group in groups:
        part = slice(start, start := start + len(group.index))
        found.store(group.index, ns[part], some[part], group.kind)
    return fitting[0] if some.any() else ""
