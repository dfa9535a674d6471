"""Stamps and intervals, in nanoseconds: how people write them, and the interval of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vecbt.arrays import IntArray

__all__ = ["SECOND", "format_duration", "format_interval", "format_stamp", "usual_interval"]

SECOND = 1_000_000_000
_UNITS = (("d", 86_400 * SECOND), ("h", 3_600 * SECOND), ("min", 60 * SECOND), ("s", SECOND))


def format_stamp(stamp: int) -> str:
    """A stamp in UTC nanoseconds as people write it.

    Example:
        >>> format_stamp(1483322400_000000000), format_stamp(1483322400_500000000)
        ('2017-01-02 02:00:00', '2017-01-02 02:00:00.5')
    """
    text = str(np.datetime64(stamp, "ns")).replace("T", " ")
    return text.rstrip("0").rstrip(".") if stamp % SECOND else text[:19]


def format_interval(interval: int) -> str:
    """An interval in nanoseconds as people write it.

    Example:
        >>> format_interval(300 * SECOND), format_interval(SECOND // 4)
        ('5 min', '0.25 s')
    """
    for unit, length in _UNITS:
        if interval % length == 0:
            return f"{interval // length} {unit}"
    return f"{interval / SECOND:g} s"


def format_duration(duration: int) -> str:
    """A duration in nanoseconds as people write it, in whole seconds.

    Example:
        >>> format_duration((2 * 86_400 + 59 * 60) * SECOND), format_duration(0)
        ('2 d 59 min', '0 s')
    """
    parts = []
    for unit, length in _UNITS:
        count, duration = divmod(duration, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def usual_interval(timestamps: IntArray) -> int:
    """The most frequent difference of neighbouring stamps; of equally frequent ones the smallest; 0 for one stamp."""
    differences, counts = np.unique(np.diff(timestamps), return_counts=True)
    return int(differences[np.argmax(counts)]) if len(differences) else 0
