"""Backtrader's broker with the same arithmetic and less work around it.

Every floating-point operation and its order are those of `backtrader.brokers.BackBroker`; a differential test compares
the two over every order type and setting. What goes away is work that nobody can see the result of: a bar without
orders or positions costs nothing, groups (brackets, one-cancels-others) exist for orders that are in one, copies of
orders are made for listeners, and calendar objects for those who read them.

A commission scheme, feed or setting that the short cuts do not know makes the broker take Backtrader's own way.
"""

from __future__ import annotations

import collections
from typing import Any

from backtrader.order import Order, OrderExecutionBit
from backtrader.position import Position
from backtrader.utils import num2date

from vecbt.brokers.cerebro.feed import TableFeed
from vecbt.brokers.cerebro.intake import OrderIntake
from vecbt.brokers.cerebro.schemes import Scheme, commission, released, required, updated

__all__ = ["FastBroker"]


class _FastPosition(Position):
    """A position that keeps the date number of its last update and converts it when it is read."""

    when: float | None = None
    _datetime: Any = None

    @property
    def datetime(self) -> Any:
        return self._datetime if self.when is None else num2date(self.when)

    @datetime.setter
    def datetime(self, value: Any) -> None:
        self._datetime = value  # by Backtrader's own code; the short cuts set `when`


class FastBroker(OrderIntake):
    """The broker of the fast Cerebro; for the settings and methods see `backtrader.brokers.BackBroker`."""

    # Backtrader's own, for type checkers.
    cash: float
    _fundval: float
    _fundshares: float

    def init(self) -> None:
        super().init()
        self.positions: dict[Any, Any] = collections.defaultdict(_FastPosition)
        self._fast = self._idle = False
        self._schemes: dict[Any, Scheme] = {}

    def prepare(self, datas: list[Any]) -> None:
        """Decide, once the run's feeds and schemes are known, whether the short cuts hold."""
        self._fast = (
            all(isinstance(data, TableFeed) and data._compensate is None for data in datas)
            and all(Scheme.knows(self.getcommissioninfo(data)) for data in datas)
            and not self.p.coo
            and self.p.filler is None
            and not self._userhist
            and not self._fundhist
        )
        self._schemes = {data: Scheme(self.getcommissioninfo(data)) for data in datas} if self._fast else {}

    # -- the bar ---------------------------------------------------------------------------------------------------

    def next(self) -> None:
        if not self._fast:
            super().next()
            return
        while self._toactivate:
            self._toactivate.popleft().activate()
        if self.submitted and self.p.checksubmit:
            self.check_submitted()
        if self.pending:
            self._match()
        if not self._idle or self._cash_addition:
            self._mark()

    def check_submitted(self) -> None:
        if not self._fast:
            super().check_submitted()
            return
        cash = self.cash
        held: dict[Any, tuple[float, float]] = {}
        shortcash = self.p.shortcash
        while self.submitted:
            order = self.submitted.popleft()
            if self._take_children(order) is None:
                continue
            data = order.data
            position = held.get(data)
            if position is None:
                entry = self.positions[data]
                position = entry.size, entry.price
            scheme = self._schemes[data]
            size, price = order.executed.remsize, order.created.price
            after, average, opened, closed = updated(*position, size, price)
            held[data] = after, average
            # A position is closed at the order's own price here, with no profit; what is refused stays spent.
            if closed:
                cash += released(scheme, shortcash, closed, price)
                cash -= commission(scheme, closed, price)
            if opened:
                cash -= required(scheme, shortcash, opened, price)
                cash -= commission(scheme, opened, price)
            if cash >= 0.0:
                self.submit_accept(order)
                continue
            order.margin()
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)

    def _match(self) -> None:
        """Try every pending order once, in the order of their acceptance."""
        pending = self.pending
        pending.append(None)
        while True:
            order = pending.popleft()
            if order is None:
                return
            if order.exectype == Order.Market:
                if not order._active:
                    pending.append(order)
                    continue
                self._match_market(order)
            elif order.expire():
                self.notify(order)
                self._ococheck(order)
                self._bracketize(order, cancel=True)
                continue
            elif not order._active:
                pending.append(order)
                continue
            else:
                self._try_exec(order)
            if order.alive():
                pending.append(order)
            elif order.status == Order.Completed:
                self._bracketize(order)

    def _match_market(self, order: Any) -> None:
        data, p = order.data, self.p
        index = data.clock.index
        if p.coc and order.info.get("coc", True):
            price, when = order.created.pclose, order.created.dt
        elif data.times[index] <= order.created.dt:
            return  # the feed has no new bar
        else:
            price, when = data.opens[index], None
        if p.slip_open and (p.slip_perc or p.slip_fixed):
            slipped = (
                self._slip_up(data.highs[index], price) if order.size > 0 else self._slip_down(data.lows[index], price)
            )
            if slipped is None:
                return
            price = slipped
        self._execute(order, ago=0, price=price, dtcoc=when)

    def _execute(  # noqa: C901  (as Backtrader's own, step by step)
        self,
        order: Any,
        ago: int | None = None,
        price: float | None = None,
        cash: float | None = None,
        position: Any = None,
        dtcoc: float | None = None,
    ) -> float | None:
        if not self._fast or ago is None:
            return super()._execute(order, ago, price, cash, position, dtcoc)  # type: ignore[no-any-return]
        if price is None:
            return None  # slippage left no price
        self._idle = False
        data, record = order.data, order.executed
        scheme = self._schemes[data]
        shortcash, rate, mult = self.p.shortcash, scheme.rate, scheme.mult
        index = data.clock.index
        size = record.remsize
        entry = self.positions[data]
        size0, price0 = entry.size, entry.price
        after, average, opened, closed = updated(size0, price0, size, price)
        pnl = -closed * (price - price0) * mult
        cash = self.cash

        closedvalue = closedcomm = 0.0
        if closed:
            if not scheme.stocklike:
                closedvalue = abs(closed) * scheme.margin
            elif shortcash:
                closedvalue = -closed * price0
            else:
                closedvalue = abs(closed) * price0
            released = closedvalue / scheme.leverage if closedvalue > 0 else closedvalue
            closedcomm = abs(closed) * rate * price if scheme.percent else abs(closed) * rate
            cash += released + (pnl if scheme.stocklike else pnl * False)
            cash -= closedcomm
            cash += 0.0 if scheme.stocklike else -closed * (price - entry.adjbase) * mult
            self.cash = cash

        intended = opened
        openedvalue = openedcomm = 0.0
        if opened:
            if not scheme.stocklike:
                openedvalue = abs(opened) * scheme.margin
            elif shortcash:
                openedvalue = opened * price
            else:
                openedvalue = abs(opened) * price
            cash -= openedvalue / scheme.leverage if openedvalue > 0 else openedvalue
            openedcomm = abs(opened) * rate * price if scheme.percent else abs(opened) * rate
            cash -= openedcomm
            if cash < 0.0:
                opened = 0
                openedvalue = openedcomm = 0.0
            else:
                if abs(after) > abs(opened):
                    cash += 0.0 if scheme.stocklike else (after - opened) * (price - entry.adjbase) * mult
                entry.adjbase = price
                self.cash = cash

        executed = closed + opened
        if executed:
            if executed == size:
                entry.size, entry.price = after, average
                entry.upopened, entry.upclosed, entry.price_orig = opened, closed, price0
            else:
                entry.update(executed, price)
            when = data.times[index]
            entry.when = when
            if closed and self.p.int2pnl and self.d_credit:
                closedcomm += self.d_credit.pop(data, 0.0)
            execution = OrderExecutionBit(
                dtcoc or data.times[index + ago], executed, price,
                closed, closedvalue, closedcomm, opened, openedvalue, openedcomm, pnl, after, average,
            )  # fmt: skip
            if record.exbits:
                record.addbit(execution)
            else:
                # The first execution, entered as OrderData.addbit does it.
                if type(record.exbits) is tuple:
                    record.exbits = collections.deque((execution,))
                else:
                    record.exbits.append(execution)
                record.remsize = size - executed
                record.dt = execution.dt
                record.size = executed
                record.price = (0.0 + executed * price) / executed
                record.value, record.comm, record.pnl = 0.0 + execution.value, 0.0 + execution.comm, 0.0 + pnl
                record.psize, record.pprice = after, average
            record.margin = scheme.margin
            order.status = Order.Partial if record.remsize else Order.Completed
            order.comminfo = scheme.comminfo
            if self.listener is None:
                self.notifs.append(order.clone())
            else:
                self.listener.on_execution(order, execution)
            self._ococheck(order)

        if intended and not opened:
            order.margin()
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)
        return None

    def _mark(self) -> None:
        """Settle futures, and value the account at the bar's close."""
        for data, entry in self.positions.items():
            if entry.size:
                scheme = self._schemes[data]
                index = data.clock.index
                close = data.closes[index]
                self.cash += 0.0 if scheme.stocklike else entry.size * (close - entry.adjbase) * scheme.mult
                entry.adjbase = close
                entry.when = data.times[index]
        while self._cash_addition:
            added = self._cash_addition.popleft()
            self._fundshares += added / self._fundval
            self.cash += added
        shortcash = self.p.shortcash
        total = unlevered = unrealized = 0.0
        idle = True
        for data, entry in self.positions.items():
            size = entry.size
            if not size:
                continue  # worth nothing: Backtrader adds zeros
            idle = False
            price = entry.price
            scheme = self._schemes[data]
            close = data.closes[data.clock.index]
            if not scheme.stocklike:
                value = abs(size) * scheme.margin
            elif shortcash or size >= 0:
                value = size * close
            else:
                value = price * size
                value += (price - close) * size
            gain = size * (close - price) * scheme.mult
            if not shortcash:
                value = abs(value)
            total += value
            unrealized += gain
            if value > 0:
                value -= gain
                unlevered += value / scheme.leverage
                unlevered += gain
            else:
                unlevered += value
        self._idle = idle
        self._value = self.cash + unlevered
        self._fundval = self._value / self._fundshares
        self._valuemkt = unlevered
        self._valuelever = self.cash + total
        self._valuemktlever = total
        self._leverage = total / (unlevered or 1.0)
        self._unrealized = unrealized
