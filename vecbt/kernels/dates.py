"""Backtrader's date numbers."""

from __future__ import annotations

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.kernels._jit import kernel

__all__ = ["date_numbers"]

_MICROSECOND = 1_000
_DAY = 86_400 * 1_000_000
_EPOCH = 719_163  # date(1970, 1, 1).toordinal()


@kernel
def _fill(stamps: IntArray, numbers: FloatArray) -> None:
    for i in range(stamps.size):
        micro = stamps[i] // _MICROSECOND
        day = micro // _DAY
        rest = micro - day * _DAY
        hour = rest // 3_600_000_000
        minute = rest // 60_000_000 % 60
        second = rest // 1_000_000 % 60
        # The terms of backtrader.utils.date2num, which math.fsum adds without rounding in between. The sum here is
        # is as good: each step keeps what it loses (Knuth's two-sum), so that in effect only the last one rounds.
        high, low = float(day + _EPOCH), 0.0
        for term in (hour / 24.0, minute / 1440.0, second / 86400.0, rest % 1_000_000 / (86400.0 * 1e6)):
            total = high + term
            part = total - high
            low += (high - (total - part)) + (term - part)
            high = total
        numbers[i] = high + low


def date_numbers(stamps: IntArray) -> FloatArray:
    """`backtrader.date2num` of every stamp.

    Args:
        stamps: int64 (T,), UTC nanoseconds; what is below a microsecond is dropped, as Backtrader does.

    Returns:
        float64 (T,), days since the year 1, bit for bit what Backtrader computes.
    """
    numbers = np.empty(stamps.shape, np.float64)
    _fill(stamps, numbers)
    return numbers
