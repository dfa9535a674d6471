"""Time zones: by name, and from the clock on the wall to UTC."""

from __future__ import annotations

import datetime
import difflib
import zoneinfo

import numpy as np
import pandas as pd

from vecbt.arrays import BoolArray, IntArray
from vecbt.data.rows import Fault
from vecbt.errors import ConfigError, TimestampError

__all__ = ["Zone", "check_zone", "localize", "zone_of"]

Zone = datetime.tzinfo


def zone_of(name: str) -> Zone | None:
    """The time zone of a name such as ``"America/New_York"``; None if there is none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # what ZoneInfo raises for names that are no names
        return None


def check_zone(zone: str | Zone | None) -> Zone | None:
    """The time zone that a user asked for.

    Raises:
        ConfigError: If it is none.
    """
    if zone is None or isinstance(zone, Zone):
        return zone
    found = zone_of(zone) if isinstance(zone, str) else None
    if found is None:
        near = difflib.get_close_matches(str(zone), zoneinfo.available_timezones(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"tz: expected a time zone, such as 'America/New_York', got {zone!r}{hint}")
    return found


def localize(stamps: IntArray, valid: BoolArray, zone: Zone) -> tuple[IntArray, list[Fault]]:
    """UTC from the clock on the wall.

    Args:
        stamps: int64 (T,), nanoseconds since 1970-01-01 of the clock on the wall.
        valid: bool (T,), False for rows that do not matter.
        zone: Where the clock hangs.

    Returns:
        int64 (T,), UTC nanoseconds; and the rows whose time that clock shows twice or never.
    """
    if zone is datetime.UTC:
        return stamps, []
    local = pd.DatetimeIndex(stamps.view("M8[ns]"))
    name = getattr(zone, "key", zone)  # pandas 2 is a hundred times faster with the name of a zone
    there = local.tz_localize(name, ambiguous="NaT", nonexistent="NaT")
    missing = np.asarray(there.isna()) & valid
    if not missing.any():
        return np.array(there.asi8), []
    # Told that every ambiguous time is summer time, what still has no UTC does not exist.
    summer = local.tz_localize(name, ambiguous=np.ones(len(local), np.bool_), nonexistent="NaT")
    never = np.asarray(summer.isna())
    return np.array(there.asi8), [
        _no_instant(local, missing & ~never, "ambiguous", f"occurs twice in {zone}, as the clocks go back"),
        _no_instant(local, missing & never, "nonexistent", f"is skipped in {zone}, as the clocks go forward"),
    ]


def _no_instant(local: pd.DatetimeIndex, mask: BoolArray, label: str, why: str) -> Fault:
    remedy = "write stamps in UTC or with their offset, or in a zone without summer time (tz='Etc/GMT+5')"
    return Fault(TimestampError, "time", f"time {label}", mask, lambda i: f"{local[i]} {why}", remedy)
