"""Lengths of trials and periods: numbers of rows, or times that are counted in bars."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import pandas as pd

from vecbt.errors import ConfigError

__all__ = ["DAY", "Duration", "nanoseconds_of", "own", "rows_of"]

Duration: TypeAlias = int | str | datetime.timedelta | Mapping[str, float]
"""A number of rows, or a time: a `datetime.timedelta`, a string that pandas reads (``"5D"``), or BTGym's mapping
``{"days": 1, "hours": 6, "minutes": 30}``."""

DAY = 86_400 * 1_000_000_000
_NANOSECONDS = {"days": DAY, "hours": DAY // 24, "minutes": DAY // 1440, "seconds": DAY // 86_400}


_T = TypeVar("_T")


def own(duration: _T) -> _T:
    """A duration that the caller cannot change any more."""
    return dict(duration) if isinstance(duration, Mapping) else duration  # type: ignore[return-value]


def nanoseconds_of(duration: str | datetime.timedelta | Mapping[str, float], name: str) -> int:
    """A time in nanoseconds.

    Raises:
        ConfigError: If ``duration`` is no time.
    """
    if isinstance(duration, Mapping):
        unknown = set(duration) - set(_NANOSECONDS)
        if unknown:
            raise ConfigError(f"{name}: unknown unit {sorted(unknown)[0]!r}; known: {', '.join(_NANOSECONDS)}")
    elif not isinstance(duration, str | datetime.timedelta):
        raise ConfigError(f"{name}: expected a time such as '5D', '36h' or a timedelta, got {duration!r}")
    try:
        if isinstance(duration, Mapping):
            return round(sum(float(number) * _NANOSECONDS[unit] for unit, number in duration.items()))
        return int(pd.Timedelta(duration).value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{name}: {duration!r} is no time; write '5D', '36h' or a timedelta") from error


def rows_of(duration: Duration, interval: int, name: str) -> int:
    """A duration as a number of rows: a time counts the bars that fit into it without gaps.

    Args:
        duration: Rows or a time.
        interval: Nanoseconds from bar to bar.
        name: What it is, for the message of an error.

    Raises:
        ConfigError: If it is no duration, or shorter than a bar.

    Example:
        >>> rows_of({"hours": 2}, interval=60 * 1_000_000_000, name="trial")
        120
    """
    if isinstance(duration, bool) or not isinstance(duration, int | str | datetime.timedelta | Mapping):
        raise ConfigError(f"{name}: expected rows or a time, got {duration!r}")
    if not isinstance(duration, int) and not interval:
        raise ConfigError(f"{name}: {duration!r} cannot be counted in rows, as there is 1 bar: give a number of rows")
    rows = duration if isinstance(duration, int) else nanoseconds_of(duration, name) // interval
    if rows < 1:
        raise ConfigError(f"{name}: {duration!r} is {rows} bars of {pd.Timedelta(interval)}; at least 1 is needed")
    return rows
