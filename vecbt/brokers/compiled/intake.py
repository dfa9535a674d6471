"""From instructions to orders: their sizes as ``backtrader.Strategy`` finds them, and their way into the book.

Of several assets the orders that reduce a position are sent first, so that they free the cash that the others need;
either group is in the order of the assets.
"""

from __future__ import annotations

import math

from vecbt.brokers.compiled import book as k
from vecbt.brokers.compiled.book import Held, Queue, Rule, Scheme, Slot
from vecbt.brokers.compiled.entries import enter
from vecbt.brokers.compiled.money import rounded_size, worth
from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Asset, Instruction, OrderStatus, Row

__all__ = ["order_of", "place", "submit"]


@helper
def order_of(block: int, book: int, e: int, asset: int) -> float:
    """Units of the order that an instruction stands for, negative for a sale; 0 for none, and 0 makes no order."""
    row, column = b.rows(block)[e], Row.ASSETS + asset * 4
    instruction, amount = b.instructions(block)[e, asset], b.amounts(block)[e, asset]
    size = row[column + Asset.SIZE]
    if instruction == Instruction.BUY:
        return abs(amount)  # type: ignore[no-any-return]
    if instruction == Instruction.SELL:
        return -abs(amount)  # type: ignore[no-any-return]
    enter(book, e, asset)  # all others ask for the position
    if instruction == Instruction.CLOSE:
        return -size  # type: ignore[no-any-return]
    if instruction == Instruction.TARGET_PERCENT:
        amount = amount * row[Row.VALUE]
    if amount == 0.0 and size != 0.0:
        return -size  # type: ignore[no-any-return]
    if instruction == Instruction.TARGET_SIZE:
        return amount - size if amount > size else -(size - amount)  # type: ignore[no-any-return]
    rules, scheme = k.rules(book), k.schemes(book)[asset]
    close, lot = row[column + Asset.CLOSE], rules[Rule.LOT]
    value = worth(scheme, rules[Rule.SHORTCASH] != 0.0, size, row[column + Asset.PRICE], close)
    if amount > value:
        return rounded_size(scheme, lot, close, amount - value)
    if amount < value:
        return -rounded_size(scheme, lot, close, value - amount)
    return 0.0


@helper
def _exposure_after(block: int, book: int, e: int, asset: int, size: float) -> float:
    """Gross exposure over the account's value if this bar's orders were filled at its close; 0 for one that reduces."""
    row, schemes = b.rows(block)[e], k.schemes(book)
    exposure = 0.0
    for other in range(schemes.shape[0]):
        column = Row.ASSETS + other * 4
        # Of one asset there is no order before this one.
        units = row[column + Asset.SIZE] if schemes.shape[0] == 1 else k.held(book)[e, other, Held.CHECK_SIZE]
        if other == asset:
            before = units
            units = before + size
            if abs(units) < abs(before):
                return 0.0
        exposure += abs(units) * row[column + Asset.CLOSE] * schemes[other, Scheme.MULT]
    return exposure / row[Row.VALUE] if row[Row.VALUE] > 0.0 else math.inf


@helper
def _is_refused(block: int, book: int, e: int, asset: int, size: float) -> bool:
    """Whether ``max_exposure`` forbids an order; one that it allows counts for those that follow on the same bar."""
    row, held, limit = b.rows(block)[e], k.held(book)[e], k.rules(book)[Rule.MAX_EXPOSURE]
    if limit == math.inf:
        return False
    if _exposure_after(block, book, e, asset, size) > limit:
        column = Row.ASSETS + asset * 4 + Asset.STATUS
        row[column] = max(row[column], float(OrderStatus.REFUSED.value))
        return True
    if held.shape[0] > 1:
        held[asset, Held.CHECK_SIZE] += size
    return False


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
    row, held, assets = b.rows(block)[e], k.held(book)[e], b.instructions(block).shape[1]
    if assets > 1:
        for asset in range(assets):
            held[asset, Held.CHECK_SIZE] = row[Row.ASSETS + asset * 4 + Asset.SIZE]
    for turn in range(1 if assets == 1 else 2):
        for asset in range(assets):
            if b.instructions(block)[e, asset] == Instruction.NONE:
                continue
            if turn == 0:
                size = order_of(block, book, e, asset)
                if assets > 1:
                    position = row[Row.ASSETS + asset * 4 + Asset.SIZE]
                    reduces = size < 0.0 if position > 0.0 else position < 0.0 and size > 0.0
                    held[asset, Held.ORDER] = 0.0 if reduces else size
                    if not reduces:
                        continue
            else:
                size = held[asset, Held.ORDER]
            if size != 0.0 and not _is_refused(block, book, e, asset, size):
                submit(block, book, e, asset, size)
