"""Trades: what Backtrader makes of the executions of an asset between flat and flat (``trade.py``)."""

from __future__ import annotations

from vecbt.arrays import FloatArray
from vecbt.brokers.compiled.book import Held
from vecbt.brokers.compiled.money import profit
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Row

__all__ = ["book_execution"]


@helper
def _fill(held: FloatArray, scheme: FloatArray, size: float, price: float, cost: float) -> None:
    """``Trade.update``."""
    held[Held.TRADE_COMMISSION] += cost
    before = held[Held.TRADE_SIZE]
    after = before + size
    held[Held.TRADE_SIZE] = after
    held[Held.TRADE_CLOSED] = 1.0 if after == 0.0 and before != 0.0 else 0.0
    if abs(after) > abs(before):
        held[Held.TRADE_PRICE] = (before * held[Held.TRADE_PRICE] + size * price) / after
    else:
        held[Held.TRADE_PNL] += profit(scheme, -size, held[Held.TRADE_PRICE], price)


@helper
def _enter_closed(row: FloatArray, held: FloatArray) -> None:
    """Enter a closed trade into the account row."""
    result = held[Held.TRADE_PNL] - held[Held.TRADE_COMMISSION]
    row[Row.TRADES] += 1.0
    row[Row.REALIZED] += result
    if result > 0.0:
        row[Row.WINS] += 1.0
        row[Row.GAINS] += result


@helper
def book_execution(
    row: FloatArray,
    held: FloatArray,
    scheme: FloatArray,
    closed: float,
    opened: float,
    closing_cost: float,
    opening_cost: float,
    price: float,
) -> None:
    """Enter one execution of an order: what it closes first, then what it opens, as a trade of its own if need be."""
    if closed != 0.0:
        _fill(held, scheme, closed, price, closing_cost)
        if held[Held.TRADE_CLOSED] != 0.0:
            _enter_closed(row, held)
    if opened != 0.0:
        if held[Held.TRADE_CLOSED] != 0.0:
            held[Held.TRADE_SIZE] = held[Held.TRADE_PRICE] = 0.0
            held[Held.TRADE_COMMISSION] = held[Held.TRADE_PNL] = held[Held.TRADE_CLOSED] = 0.0
        _fill(held, scheme, opened, price, opening_cost)
        if held[Held.TRADE_CLOSED] != 0.0:
            _enter_closed(row, held)
