"""The forms of dates and times in text, as regular expressions with named fields.

``Y`` ``M`` ``D`` are year, month and day, ``mon`` is a month's name; ``a`` ``b`` ``c`` are the three numbers of a date
whose order is open. ``h`` ``min`` ``s`` ``f`` ``ap`` are hour, minute, second, its fraction, and AM or PM. ``utc``,
``sign`` ``zh`` ``zm`` and ``area`` tell the zone, and ``n`` is a count since 1970.
"""

from __future__ import annotations

import re

__all__ = ["DIGITS", "EPOCH", "LONGEST", "STAMPS", "is_clock", "is_date", "is_day"]

LONGEST = 48  # characters of a stamp; longer texts are none

_CLOCK = (
    r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9})\d*)?)?(?: ?(?P<ap>[AP]\.?M\.?))?",
    r"(?P<h>\d{2})(?P<min>\d{2})(?:(?P<s>\d{2})(?P<f>\d{3}|\d{6})?)?",
    r"(?P<h>\d{1,2})-?(?P<ap>[AP]M)",
)
_OFFSET = r"(?:UTC|GMT)?(?P<sign>[+-])(?P<zh>\d{2})(?::?(?P<zm>\d{2}))?"
_ZONE = rf"(?: ?(?:(?P<utc>Z|UTC|GMT)|{_OFFSET})| (?P<area>[A-Z][A-Z_]*/[A-Z_/+-]*\d{{0,2}}))?"
_YMD = r"(?P<Y>\d{4})(?P<sep>[-/.])(?P<M>\d{1,2})(?P=sep)(?P<D>\d{1,2})"
_PACKED = r"(?P<Y>\d{4})(?P<M>\d{2})(?P<D>\d{2})"
_DAYS = (
    _YMD,
    _PACKED,
    r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2})",
    r"(?P<D>\d{1,2})[-/ .]+(?P<mon>[A-Z]{3,9})[-/ .,]+(?P<Y>\d{4}|\d{2})",
    r"(?P<mon>[A-Z]{3,9})\.? +(?P<D>\d{1,2}),? +(?P<Y>\d{4})",
)
_DAY_ALONE = [re.compile(day, re.IGNORECASE | re.ASCII) for day in _DAYS]
_CLOCK_ALONE = re.compile(rf"{_CLOCK[0]}|\d{{1,6}}|\d{{9}}", re.IGNORECASE | re.ASCII)
STAMPS = [
    re.compile(f"{day}(?:(?:T| *, *| +|[-_](?=\\d{{6}}))(?:{clock}){_ZONE})?", re.IGNORECASE | re.ASCII)
    for day in _DAYS
    for clock in _CLOCK
]
DIGITS = re.compile(rf"{_PACKED}(?:{_CLOCK[1]})?", re.ASCII)
EPOCH = re.compile(r"(?P<n>\d{9,19})(?:\.(?P<f>\d{1,9})\d*)?", re.ASCII)


def is_day(text: str) -> bool:
    """Whether a text may be a day without a time."""
    return len(text) <= LONGEST and any(day.fullmatch(text) for day in _DAY_ALONE)


def is_clock(text: str) -> bool:
    """Whether a text may be a time of day."""
    return _CLOCK_ALONE.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Whether a text may be a stamp: a date, a date and time, or an epoch count."""
    return len(text) <= LONGEST and any(form.fullmatch(text) for form in (*STAMPS, DIGITS, EPOCH))
