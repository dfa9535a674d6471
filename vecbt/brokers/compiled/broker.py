"""One bar of Backtrader's broker (``BackBroker.next``): check, match, settle, value.

Every operation, and the order of operations, is that of ``bbroker.py``; a differential test holds the two together.
"""

from __future__ import annotations

from vecbt.arrays import FloatArray
from vecbt.brokers.compiled import book as k
from vecbt.brokers.compiled.book import Held, Queue, Rule, Scheme, Slot
from vecbt.brokers.compiled.entries import enter, entered, forget_entries
from vecbt.brokers.compiled.money import adjustment, commission, profit, tied_up, unlevered, updated, worth
from vecbt.brokers.compiled.trades import book_execution
from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Asset, OrderStatus, Param, Row

__all__ = ["next_bar", "open_book"]


@helper
def open_book(block: int, book: int, e: int) -> None:
    """A fresh account: nothing but cash."""
    row, held, counts = b.rows(block)[e], k.held(book)[e], k.counts(book)[e]
    for column in range(row.shape[0]):
        row[column] = 0.0
    row[Row.CASH] = row[Row.VALUE] = b.params(block)[Param.START_CASH]
    for asset in range(held.shape[0]):
        for column in range(held.shape[1]):
            held[asset, column] = 0.0
    counts[Queue.PENDING] = counts[Queue.SUBMITTED] = 0
    forget_entries(book, e)


@helper
def _report(block: int, e: int, asset: int, status: int) -> None:
    """Remember an order's status if it is the worst of its asset in this step."""
    row, column = b.rows(block)[e], Row.ASSETS + asset * 4 + Asset.STATUS
    if status > row[column]:
        row[column] = status


@helper
def _move(orders: FloatArray, number: int, to: int) -> None:
    """Move an order up in the queue, to where orders before it have left."""
    for column in range(orders.shape[1]):
        orders[to, column] = orders[number, column]


@helper
def _check_submitted(block: int, book: int, e: int) -> None:
    """Accept the orders that the cash covers (``BackBroker.check_submitted``).

    What an order would cost is taken from the cash even where it is refused for it: all later ones are then judged by
    what is left, which is negative.
    """
    row, counts, orders, held = b.rows(block)[e], k.counts(book)[e], k.orders(book)[e], k.held(book)[e]
    shortcash = k.rules(book)[Rule.SHORTCASH] != 0.0
    for asset in range(held.shape[0]):
        held[asset, Held.CHECK_SIZE] = row[Row.ASSETS + asset * 4 + Asset.SIZE]
    cash = row[Row.CASH]
    accepted, end = counts[Queue.PENDING], counts[Queue.PENDING] + counts[Queue.SUBMITTED]
    for number in range(accepted, end):
        slot = orders[number]
        asset, size, price = int(slot[Slot.ASSET]), slot[Slot.SIZE], slot[Slot.PRICE]
        scheme, position = k.schemes(book)[asset], held[asset]
        enter(book, e, asset)
        # A position is closed at the order's own price here, with no profit: what has been paid for it is no matter.
        after, _, opened, closed = updated(position[Held.CHECK_SIZE], price, size, price)
        position[Held.CHECK_SIZE] = after
        if closed != 0.0:
            cash += unlevered(scheme, tied_up(scheme, shortcash, -closed, price))
            cash -= commission(scheme, closed, price)
        if opened != 0.0:
            cash -= unlevered(scheme, tied_up(scheme, shortcash, opened, price))
            cash -= commission(scheme, opened, price)
        if cash >= 0.0:
            _move(orders, number, accepted)
            accepted += 1
        else:
            _report(block, e, asset, OrderStatus.MARGIN.value)
    counts[Queue.PENDING] = accepted
    counts[Queue.SUBMITTED] = 0


@helper
def _slipped(rules: FloatArray, ordered: float, price: float, high: float, low: float) -> tuple[float, bool]:
    """``_slip_up`` and ``_slip_down``: the price that is paid, and whether there is one within the bar."""
    perc, fixed = rules[Rule.SLIP_PERC], rules[Rule.SLIP_FIXED]
    if perc == 0.0 and fixed == 0.0:
        return price, True
    if ordered > 0.0:
        slipped, bound = (price * (1.0 + perc) if perc != 0.0 else price + fixed), high
        inside = slipped <= bound
    else:
        slipped, bound = (price * (1.0 - perc) if perc != 0.0 else price - fixed), low
        inside = slipped >= bound
    if inside:
        return slipped, True
    if rules[Rule.SLIP_MATCH] == 0.0:
        return price, False
    return (slipped if rules[Rule.SLIP_OUT] != 0.0 else bound), True


@helper
def _execute(block: int, book: int, e: int, asset: int, size: float, price: float) -> float:
    """``BackBroker._execute`` of an order's remaining units; returns how many remain then, 0 for an order that is over.

    The closing part is never refused. Where the cash does not pay for the opening part, only that is dropped.
    """
    row, held, scheme = b.rows(block)[e], k.held(book)[e, asset], k.schemes(book)[asset]
    column = Row.ASSETS + asset * 4
    enter(book, e, asset)
    shortcash, stocklike = k.rules(book)[Rule.SHORTCASH] != 0.0, scheme[Scheme.STOCKLIKE]
    size0, price0 = row[column + Asset.SIZE], row[column + Asset.PRICE]
    after, average, opened, closed = updated(size0, price0, size, price)
    cash = row[Row.CASH]
    closing_cost = opening_cost = 0.0
    if closed != 0.0:
        gain = profit(scheme, -closed, price0, price)
        cash += unlevered(scheme, tied_up(scheme, shortcash, -closed, price0)) + gain * stocklike
        closing_cost = commission(scheme, closed, price)
        cash -= closing_cost
        cash += adjustment(scheme, -closed, held[Held.ADJBASE], price)
        row[Row.CASH] = cash
    intended = opened
    if opened != 0.0:
        cash -= unlevered(scheme, tied_up(scheme, shortcash, opened, price))
        opening_cost = commission(scheme, opened, price)
        cash -= opening_cost
        if cash < 0.0:
            opened = opening_cost = 0.0
        else:
            if abs(after) > abs(opened):
                cash += adjustment(scheme, after - opened, held[Held.ADJBASE], price)
            held[Held.ADJBASE] = price
            row[Row.CASH] = cash
    executed, remaining = closed + opened, size
    if executed != 0.0:
        if executed != size:
            # Refused in part, or a reversal of a fractional size, the halves of which need not add up to it.
            after, average, _, _ = updated(size0, price0, executed, price)
        row[column + Asset.SIZE] = after
        row[column + Asset.PRICE] = average
        remaining = size - executed
        row[Row.COSTS] += closing_cost + opening_cost
        row[Row.FILLS] += 1.0
        status = OrderStatus.COMPLETED.value if remaining == 0.0 else OrderStatus.PARTIAL.value
        _report(block, e, asset, status)
        book_execution(row, held, scheme, closed, opened, closing_cost, opening_cost, price)
    if intended != 0.0 and opened == 0.0:
        _report(block, e, asset, OrderStatus.MARGIN.value)
        remaining = 0.0
    return remaining  # type: ignore[no-any-return]


@helper
def _match(block: int, book: int, e: int, bar: int) -> None:
    """Try every accepted order once, in the order of their acceptance."""
    counts, orders, rules = k.counts(book)[e], k.orders(book)[e], k.rules(book)
    waiting = 0
    for number in range(counts[Queue.PENDING]):
        slot = orders[number]
        asset, size = int(slot[Slot.ASSET]), slot[Slot.SIZE]
        prices = b.ohlc(block)[bar, asset]
        price = slot[Slot.PRICE] if rules[Rule.CHEAT_ON_CLOSE] != 0.0 else prices[0]
        price, found = _slipped(rules, slot[Slot.ORDERED], price, prices[1], prices[2])
        if found:
            size = _execute(block, book, e, asset, size, price)
        if size != 0.0:
            _move(orders, number, waiting)
            orders[waiting, Slot.SIZE] = size
            waiting += 1
    counts[Queue.PENDING] = waiting


@helper
def _mark(block: int, book: int, e: int, bar: int) -> None:
    """Settle futures at the close and value the account (``BackBroker._get_value``)."""
    row, held, closes = b.rows(block)[e], k.held(book)[e], b.ohlc(block)[bar]
    shortcash = k.rules(book)[Rule.SHORTCASH] != 0.0
    for place in range(held.shape[0]):
        asset = entered(book, e, place)
        if asset < 0:
            break
        size = row[Row.ASSETS + asset * 4 + Asset.SIZE]
        if size != 0.0:
            close = closes[asset, 3]
            row[Row.CASH] += adjustment(k.schemes(book)[asset], size, held[asset, Held.ADJBASE], close)
            held[asset, Held.ADJBASE] = close
    total = capital = 0.0
    for place in range(held.shape[0]):
        asset = entered(book, e, place)
        if asset < 0:
            break
        column = Row.ASSETS + asset * 4
        size, price, close = row[column + Asset.SIZE], row[column + Asset.PRICE], closes[asset, 3]
        if size == 0.0:
            continue  # worth nothing: Backtrader adds zeros
        scheme = k.schemes(book)[asset]
        value = worth(scheme, shortcash, size, price, close)
        if not shortcash:
            value = abs(value)
        gain = profit(scheme, size, price, close)
        total += value
        if value > 0.0:
            value -= gain
            capital += value / scheme[Scheme.LEVERAGE]
            capital += gain
        else:
            capital += value
    row[Row.VALUE] = row[Row.CASH] + capital
    row[Row.LEVERAGE] = total / (capital if capital != 0.0 else 1.0)


@helper
def next_bar(block: int, book: int, e: int, bar: int) -> None:
    """Bring the account row to the close of a bar."""
    counts = k.counts(book)[e]
    if counts[Queue.SUBMITTED] > 0:
        _check_submitted(block, book, e)
    if counts[Queue.PENDING] > 0:
        _match(block, book, e, bar)
    _mark(block, book, e, bar)
