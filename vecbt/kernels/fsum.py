"""Exactly rounded sums in compiled code: the values of `math.fsum`, to the last bit.

Backtrader averages with `math.fsum`, so an average that is to equal Backtrader's has to be summed exactly and rounded
once. A sum that is not rounded yet is held as *partials*: doubles whose sum is exact and which do not overlap, smallest
first (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997,
section 2). Nothing here may be compiled with ``fastmath``: the algorithms live on rounding errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vecbt.kernels._jit import helper, kernel

if TYPE_CHECKING:
    from vecbt.arrays import FloatArray

__all__ = ["MAX_PARTIALS", "add_partial", "round_partials", "two_sum", "window_sums"]

MAX_PARTIALS = 2098
"""Room for the partials of any sum: they do not overlap, and doubles have no more binary digits than these."""


@helper
def two_sum(a: float, b: float) -> tuple[float, float]:
    """The rounded sum of two doubles, and its rounding error: together exactly ``a + b`` (Knuth)."""
    total = a + b
    b_rounded = total - a
    return total, (a - (total - b_rounded)) + (b - b_rounded)


@helper
def add_partial(partials: FloatArray, count: int, x: float) -> int:
    """Add ``x`` to the exact sum held in ``partials[:count]``; returns the new count."""
    kept = 0
    for i in range(count):
        x, error = two_sum(x, partials[i])
        if error != 0.0:
            partials[kept] = error
            kept += 1
    if x != 0.0:
        partials[kept] = x
        kept += 1
    return kept


@helper
def round_partials(partials: FloatArray, count: int) -> float:
    """The double nearest to the sum of ``partials[:count]``, ties to even; 0.0 for no partials."""
    total = 0.0
    error = 0.0
    i = count
    while i > 0 and error == 0.0:
        i -= 1
        total, error = two_sum(total, partials[i])
    # An error of half a unit was rounded as a tie. It is none if what lies below points the same way: twice the error
    # is then a whole unit, and total + 2 * error exact.
    if i > 0 and (error > 0.0) == (partials[i - 1] > 0.0):
        twice = 2.0 * error
        other = total + twice
        if other - total == twice:
            total = other
    return total


@kernel
def window_sums(x: FloatArray, period: int, start: int = 0) -> FloatArray:
    """``math.fsum`` of every window of ``period`` values, from row ``start`` of ``x`` on.

    A window's exact sum mostly fits two doubles, and then slides from row to row in a few operations. Where it does
    not (values of very different magnitudes) the window is summed anew, so that the result is always exact.

    Args:
        x: Values, float64 of shape (T,); what lies before ``start`` is not read.
        period: Rows in a window, at least 1.
        start: First row that belongs to a window.

    Returns:
        float64 of shape (T,): at row t the sum of rows ``t - period + 1`` to t, NaN where there is no full window.

    Example:
        >>> import numpy as np
        >>> window_sums(np.array([0.1, 0.2, 0.3, 0.4]), 3)  # 0.1 + 0.2 + 0.3 is 0.6000000000000001
        array([nan, nan, 0.6, 0.9])
    """
    out = np.full(x.size, np.nan)
    partials = np.empty(MAX_PARTIALS)
    high = low = 0.0  # where `exact`, their sum is that of the window
    exact = False
    for t in range(start + period - 1, x.size):
        if exact:
            high, carry = two_sum(high, x[t])
            low, lost_in = two_sum(low, carry)
            high, carry = two_sum(high, -x[t - period])
            low, lost_out = two_sum(low, carry)
            high, low = two_sum(high, low)  # now high is the sum, rounded
            exact = lost_in == 0.0 and lost_out == 0.0
        if exact:
            out[t] = high
            continue
        count = 0
        for i in range(t - period + 1, t + 1):
            count = add_partial(partials, count, x[i])
        out[t] = round_partials(partials, count)
        exact = count <= 2
        if exact:
            high = partials[1] if count > 1 else 0.0
            low = partials[0] if count > 0 else 0.0
    return out
