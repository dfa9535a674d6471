"""Backtrader's indicators on whole columns, equal to Backtrader 1.9.78.123 to the last bit.

Each function takes float64 columns of shape (T,) and returns new ones: NaN where Backtrader's line has no value yet,
elsewhere the value of the line after ``cerebro.run()`` in runonce mode. ``start`` is the first row that may be read,
for inputs that begin later themselves. Periods are at least 1, defaults are Backtrader's. Rows from ``start`` on must
be finite. A division by zero is not an error here: it leaves an infinity or NaN, which the caller looks for.

What makes the last bit:

* Averages are exactly rounded sums (`math.fsum`) divided by the period.
* Squares and roots are Python's ``**``, that is the C library's ``pow``: of a million values about 800 differ from
  ``x * x`` or ``sqrt(x)``, into which a compiler is free to turn them. So Python itself computes them, and logarithms.
* Exponential averages begin with a plain average, in the first row that has a full period.
* Operations have Backtrader's order.
"""

from __future__ import annotations

import math
import sys
from itertools import repeat

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.kernels._jit import kernel
from vecbt.kernels.fsum import MAX_PARTIALS, add_partial, round_partials, window_sums

__all__ = [
    "atr",
    "bollinger",
    "ema",
    "highest",
    "lag",
    "log",
    "log_return",
    "lowest",
    "macd",
    "momentum",
    "roc",
    "rsi",
    "sma",
    "smma",
    "stddev",
    "stochastic",
    "williams_r",
    "wma",
]

Column = FloatArray

_LARGEST_ROOT = math.sqrt(sys.float_info.max)


def sma(x: Column, period: int = 30, *, start: int = 0) -> Column:
    """Simple moving average (``SMA``).

    Example:
        >>> import numpy as np
        >>> sma(np.array([1.0, 2.0, 4.0, 8.0]), 2)
        array([nan, 1.5, 3. , 6. ])
    """
    return window_sums(x, period, start) / period


def ema(x: Column, period: int = 30, *, start: int = 0) -> Column:
    """Exponential moving average (``EMA``), smoothing factor ``2 / (1 + period)``."""
    return _exponential(x, period, 2.0 / (1.0 + period), start)


def smma(x: Column, period: int = 30, *, start: int = 0) -> Column:
    """Smoothed moving average (``SMMA``, Wilder's), smoothing factor ``1 / period``."""
    return _exponential(x, period, 1.0 / period, start)


@kernel
def wma(x: Column, period: int = 30, start: int = 0) -> Column:
    """Moving average with weights 1 to ``period``, the newest value the heaviest (``WMA``)."""
    out = np.full(x.size, np.nan)
    partials = np.empty(MAX_PARTIALS)
    scale = 2.0 / (period * (period + 1.0))
    for t in range(start + period - 1, x.size):
        count = 0
        for weight in range(1, period + 1):
            count = add_partial(partials, count, x[t - period + weight] * weight)
        out[t] = scale * round_partials(partials, count)
    return out


@kernel
def highest(x: Column, period: int, start: int = 0) -> Column:
    """Highest value of the last ``period`` rows (``Highest``)."""
    out = np.full(x.size, np.nan)
    top = start  # row of the newest highest value in the window
    for t in range(start, x.size):
        if x[t] >= x[top]:
            top = t
        elif top <= t - period:
            top = t - period + 1
            for i in range(t - period + 2, t + 1):
                if x[i] >= x[top]:
                    top = i
        if t >= start + period - 1:
            out[t] = x[top]
    return out


def lowest(x: Column, period: int, *, start: int = 0) -> Column:
    """Lowest value of the last ``period`` rows (``Lowest``)."""
    return -highest(-x, period, start)


def stddev(x: Column, period: int = 20, *, start: int = 0) -> Column:
    """Standard deviation of the last ``period`` rows (``StdDev``), divided by ``period``, not ``period - 1``."""
    return _deviation(x, sma(x, period, start=start), period, start)


def bollinger(x: Column, period: int = 20, devfactor: float = 2.0, *, start: int = 0) -> tuple[Column, Column, Column]:
    """Bollinger bands (``BollingerBands``): the average, and it plus and minus ``devfactor`` standard deviations."""
    mid = sma(x, period, start=start)
    width = devfactor * _deviation(x, mid, period, start)
    return mid, mid + width, mid - width


def rsi(x: Column, period: int = 14, *, start: int = 0) -> Column:
    """Relative strength index (``RSI_Safe``), 0 to 100: 100 where nothing fell, 50 where nothing moved."""
    change = momentum(x, 1, start=start)
    gain = smma(np.maximum(change, 0.0), period, start=start + 1)
    loss = smma(np.maximum(-change, 0.0), period, start=start + 1)
    with np.errstate(all="ignore"):
        strength = np.where(loss == 0.0, np.where(gain == 0.0, 1.0, np.inf), gain / loss)
    return 100.0 - 100.0 / (1.0 + strength)


def macd(
    x: Column, period_me1: int = 12, period_me2: int = 26, period_signal: int = 9, *, start: int = 0
) -> tuple[Column, Column, Column]:
    """Moving average convergence divergence (``MACDHisto``): the line, its signal, and the line minus the signal."""
    line = ema(x, period_me1, start=start) - ema(x, period_me2, start=start)
    signal = ema(line, period_signal, start=start + max(period_me1, period_me2) - 1)
    return line, signal, line - signal


def atr(high: Column, low: Column, close: Column, period: int = 14, *, start: int = 0) -> Column:
    """Average true range (``ATR``), in units of the price."""
    before = lag(close, 1, start=start)
    return smma(np.maximum(high, before) - np.minimum(low, before), period, start=start + 1)


def stochastic(
    high: Column,
    low: Column,
    close: Column,
    period: int = 14,
    period_dfast: int = 3,
    period_dslow: int = 3,
    *,
    start: int = 0,
) -> tuple[Column, Column]:
    """Slow stochastic oscillator (``Stochastic`` with ``safediv=True``): %K and %D, 0 to 100.

    Where the highest high is the lowest low the raw value counts as 0. ``period_dfast=1`` is the fast oscillator,
    ``StochasticFast``, with its ``period_dfast`` given as ``period_dslow``.
    """
    bottom = lowest(low, period, start=start)
    height = highest(high, period, start) - bottom
    with np.errstate(all="ignore"):
        raw = 100.0 * np.where(height == 0.0, 0.0, (close - bottom) / height)
    raw_start = start + period - 1
    k = sma(raw, period_dfast, start=raw_start)
    return k, sma(k, period_dslow, start=raw_start + period_dfast - 1)


def williams_r(high: Column, low: Column, close: Column, period: int = 14, *, start: int = 0) -> Column:
    """Williams %R (``WilliamsR``), -100 to 0; not finite where the highest high is the lowest low."""
    top = highest(high, period, start)
    with np.errstate(all="ignore"):
        return -100.0 * (top - close) / (top - lowest(low, period, start=start))


def lag(x: Column, n: int, *, start: int = 0) -> Column:
    """The value ``n`` rows earlier (``data(-n)``)."""
    out = np.full(x.size, np.nan)
    out[start + n :] = x[start : max(x.size - n, start)]
    return out


def momentum(x: Column, period: int = 12, *, start: int = 0) -> Column:
    """Change over ``period`` rows (``Momentum``)."""
    return x - lag(x, period, start=start)


def roc(x: Column, period: int = 12, *, start: int = 0) -> Column:
    """Rate of change over ``period`` rows (``ROC``), 0.01 for one percent; not finite where it begins at zero."""
    before = lag(x, period, start=start)
    with np.errstate(all="ignore"):
        return (x - before) / before


def log(x: Column, *, start: int = 0) -> Column:
    """Natural logarithm (`math.log`); NaN where a value is not positive."""
    out = np.full(x.size, np.nan)
    out[start:] = [math.log(v) if v > 0.0 else math.nan for v in x[start:].tolist()]
    return out


def log_return(x: Column, n: int = 1, *, start: int = 0) -> Column:
    """Logarithm of the ratio to the value ``n`` rows earlier; NaN where the ratio is not positive."""
    with np.errstate(all="ignore"):
        return log(x / lag(x, n, start=start), start=start + n)


@kernel
def _smooth(x: Column, factor: float, seed: float, row: int) -> Column:
    """Exponential smoothing that begins with ``seed`` in row ``row``, NaN before."""
    out = np.full(x.size, np.nan)
    rest = 1.0 - factor
    value = seed
    for t in range(row, x.size):
        if t > row:
            value = value * rest + x[t] * factor
        out[t] = value
    return out


def _exponential(x: Column, period: int, factor: float, start: int) -> Column:
    head = sma(x[: start + period], period, start=start)
    return _smooth(x, factor, head[-1], start + period - 1)


def _deviation(x: Column, mean: Column, period: int, start: int) -> Column:
    # abs, as a rounding error can push the mean square below the squared mean.
    return _power(np.abs(sma(_square(x), period, start=start) - _square(mean)), 0.5)


def _square(x: Column) -> Column:
    # Python makes an exception of a square that is too large: let it be infinite, like any other result.
    return _power(np.where(np.abs(x) > _LARGEST_ROOT, np.inf, x), 2.0)


def _power(x: Column, exponent: float) -> Column:
    return np.fromiter(map(pow, x.tolist(), repeat(exponent)), np.float64, x.size)
