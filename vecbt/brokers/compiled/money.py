"""What positions cost and are worth: Backtrader's formulas (``comminfo.py``, ``position.py``), operation by operation.

Nothing here may be rearranged: ``(size * rate) * price`` and ``size * (rate * price)`` differ in the last bit of every
third result.
"""

from __future__ import annotations

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.brokers.compiled.book import Scheme
from vecbt.kernels._jit import helper

__all__ = ["adjustment", "commission", "profit", "rounded_size", "tied_up", "unlevered", "updated", "worth"]


@helper
def updated(size0: float, price0: float, size: float, price: float) -> tuple[float, float, float, float]:
    """``Position.update``: new size, new price, and how much of ``size`` opens and closes."""
    after = size0 + size
    if after == 0.0:
        return after, 0.0, 0.0, size
    if size0 == 0.0:
        return after, price, size, 0.0
    if (size0 > 0.0) == (size > 0.0):
        return after, (price0 * size0 + size * price) / after, size, 0.0
    if (after > 0.0) == (size0 > 0.0):
        return after, price0, 0.0, size
    return after, price, after, -size0


@helper
def tied_up(scheme: FloatArray, shortcash: bool, size: float, price: float) -> float:
    """Value that so many units tie up; negative for a short sale whose proceeds are cash."""
    if scheme[Scheme.STOCKLIKE] == 0.0:
        value = abs(size) * scheme[Scheme.MARGIN]
    elif shortcash:
        value = size * price
    else:
        value = abs(size) * price
    return value  # type: ignore[no-any-return]


@helper
def unlevered(scheme: FloatArray, value: float) -> float:
    """Cash behind a value."""
    return value / scheme[Scheme.LEVERAGE] if value > 0.0 else value  # type: ignore[no-any-return]


@helper
def commission(scheme: FloatArray, size: float, price: float) -> float:
    """What an execution costs."""
    cost = abs(size) * scheme[Scheme.RATE]
    if scheme[Scheme.PER_UNIT] == 0.0:
        cost = cost * price
    return cost  # type: ignore[no-any-return]


@helper
def profit(scheme: FloatArray, size: float, price: float, now: float) -> float:
    """``profitandloss``: of so many units from one price to another."""
    return size * (now - price) * scheme[Scheme.MULT]  # type: ignore[no-any-return]


@helper
def adjustment(scheme: FloatArray, size: float, price: float, now: float) -> float:
    """``cashadjust``: what a future settles in cash."""
    if scheme[Scheme.STOCKLIKE] != 0.0:
        return 0.0
    return size * (now - price) * scheme[Scheme.MULT]  # type: ignore[no-any-return]


@helper
def worth(scheme: FloatArray, shortcash: bool, size: float, price: float, close: float) -> float:
    """Value of a position at a close, as ``BackBroker._get_value`` takes it of a single asset."""
    if scheme[Scheme.STOCKLIKE] == 0.0:
        return abs(size) * scheme[Scheme.MARGIN]  # type: ignore[no-any-return]
    if shortcash or size >= 0.0:
        return size * close
    value = price * size
    value += (price - close) * size
    return value


@helper
def rounded_size(scheme: FloatArray, lot: float, price: float, cash: float) -> float:
    """``getsize``: units for so much cash, in whole lots."""
    unit = price if scheme[Scheme.STOCKLIKE] != 0.0 else scheme[Scheme.MARGIN]
    if lot == 1.0:
        return np.trunc(scheme[Scheme.LEVERAGE] * (cash // unit))  # type: ignore[no-any-return]
    return np.floor(scheme[Scheme.LEVERAGE] * cash / unit / lot) * lot  # type: ignore[no-any-return]
