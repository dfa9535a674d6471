"""From an instruction to an order: its size as ``backtrader.Strategy`` finds it, and its way into the book."""

from __future__ import annotations

import math

from vecbt.brokers.compiled import book as k
from vecbt.brokers.compiled.book import Queue, Rule, Scheme, Slot
from vecbt.brokers.compiled.money import rounded_size, worth
from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Asset, Instruction, OrderStatus, Row

__all__ = ["order_of", "place", "submit"]

_NO_ORDER = 0.0


@helper
def order_of(block: int, book: int, e: int, asset: int) -> tuple[float, bool]:
    """The order that an instruction stands for.

    Returns:
        Units, negative for a sale, and whether there is an order at all: Backtrader may be asked for one of 0 units.
    """
    row, column = b.rows(block)[e], Row.ASSETS + asset * 4
    instruction, amount = b.instructions(block)[e, asset], b.amounts(block)[e, asset]
    size = row[column + Asset.SIZE]
    if instruction == Instruction.BUY:
        return abs(amount), True
    if instruction == Instruction.SELL:
        return -abs(amount), True
    if instruction == Instruction.CLOSE:
        return -size, size != 0.0
    if instruction == Instruction.TARGET_PERCENT:
        amount = amount * row[Row.VALUE]
    if amount == 0.0 and size != 0.0:
        return -size, True
    if instruction == Instruction.TARGET_SIZE:
        return (amount - size if amount > size else -(size - amount)), amount != size
    rules, scheme = k.rules(book), k.schemes(book)[asset]
    close, lot = row[column + Asset.CLOSE], rules[Rule.LOT]
    value = worth(scheme, rules[Rule.SHORTCASH] != 0.0, size, row[column + Asset.PRICE], close)
    if amount > value:
        return rounded_size(scheme, lot, close, amount - value), True
    if amount < value:
        return -rounded_size(scheme, lot, close, value - amount), True
    return _NO_ORDER, False


@helper
def _exposure_after(block: int, book: int, e: int, asset: int, size: float) -> float:
    """Gross exposure over the account's value if the order were filled at this bar's close; 0 where it reduces."""
    row, schemes = b.rows(block)[e], k.schemes(book)
    exposure = 0.0
    for other in range(schemes.shape[0]):
        column = Row.ASSETS + other * 4
        units = row[column + Asset.SIZE]
        if other == asset:
            before = units
            units = before + size
            if abs(units) < abs(before):
                return 0.0
        exposure += abs(units) * row[column + Asset.CLOSE] * schemes[other, Scheme.MULT]
    return exposure / row[Row.VALUE] if row[Row.VALUE] > 0.0 else math.inf


@helper
def submit(block: int, book: int, e: int, asset: int, size: float) -> None:
    """``BackBroker.submit`` of a market order made at the current bar."""
    counts, column = k.counts(book)[e], Row.ASSETS + asset * 4
    slot = k.orders(book)[e, counts[Queue.PENDING] + counts[Queue.SUBMITTED]]
    slot[Slot.ASSET] = asset
    slot[Slot.ORDERED] = slot[Slot.SIZE] = size
    slot[Slot.PRICE] = b.rows(block)[e, column + Asset.CLOSE]
    if k.rules(book)[Rule.CHECKSUBMIT] != 0.0:
        counts[Queue.SUBMITTED] += 1
    else:
        counts[Queue.PENDING] += 1  # accepted at once


@helper
def place(block: int, book: int, e: int) -> None:
    """Send the orders that the instructions of the current bar stand for."""
    row, limit = b.rows(block)[e], k.rules(book)[Rule.MAX_EXPOSURE]
    for asset in range(b.instructions(block).shape[1]):
        if b.instructions(block)[e, asset] == Instruction.NONE:
            continue
        size, asked = order_of(block, book, e, asset)
        if not asked or size == 0.0:
            continue
        if limit < math.inf and _exposure_after(block, book, e, asset, size) > limit:
            column = Row.ASSETS + asset * 4 + Asset.STATUS
            row[column] = max(row[column], float(OrderStatus.REFUSED.value))
            continue
        submit(block, book, e, asset, size)
