"""The strategy that places a recorded episode's orders in stock Backtrader."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import backtrader as bt

from vecbt.brokers.cerebro.ledger import STATUS
from vecbt.kernels.layout import OrderStatus, Reason

__all__ = ["ReplayStrategy"]


class ReplayStrategy(bt.Strategy):
    """Places the orders of an episode, and keeps its books by Backtrader's notifications.

    Attributes:
        records: For each observation its bar, counted from 0, cash, value, costs, and for each asset units, average
            price and order status.
        reason: `vecbt.kernels.layout.Reason` of the episode's end, `DATA_END` for any that was foreseen.
    """

    params = (("config", None), ("decisions", ()), ("bars", 0))

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []
        self.reason = int(Reason.NONE)
        self._costs = 0.0
        self._peak: float = self.p.config.start_cash
        self._status = dict.fromkeys(self.datas, 0)
        self._expected: dict[Any, float] = {}
        self._bars_in_step = 0
        self._closing = False
        self._decisions = iter(self.p.decisions)
        self._queue: deque[Any] = deque([None] * self.p.config.latency)

    def notify_order(self, order: Any) -> None:
        """Enter the costs and the status of an order."""
        self._report(order.data, STATUS.get(order.status, 0))
        for execution in order.executed.iterpending():
            self._costs += execution.comm

    def next(self) -> None:
        """Record the bar if a step ends with it, and send what is due."""
        bar = len(self) - 1
        ended = False
        if bar:
            self._bars_in_step += 1
            ended = self._ends(bar)
        full = self._bars_in_step == self.p.config.skip_frame and not self._closing
        observed = bar == 0 or ended or full
        if observed:
            self._record(bar)
        if ended:
            self.env.runstop()
            return
        decision = None
        if observed:
            self._bars_in_step = 0
            self._status = dict.fromkeys(self.datas, 0)
            decision = next(self._decisions, self.p.decisions[-1])
        self._queue.append(decision)
        self._place_all(self._due(bar))

    def _ends(self, bar: int) -> bool:
        """Whether the episode ends with this bar; a call with ``close_out`` takes one bar more."""
        if self._closing:
            return True
        config, value, last = self.p.config, self.broker.getvalue(), bar == self.p.bars
        self._peak = max(self._peak, value)
        if not value > 0.0:
            self.reason = int(Reason.RUIN)
        elif config.drawdown_call is not None and 100.0 * (self._peak - value) / self._peak >= config.drawdown_call:
            self.reason = int(Reason.DRAWDOWN_CALL)
        elif config.target_call is not None and value > config.start_cash * (1.0 + config.target_call / 100.0):
            self.reason = int(Reason.TARGET_CALL)
        elif last:
            self.reason = int(Reason.DATA_END)
        called = self.reason in (Reason.DRAWDOWN_CALL, Reason.TARGET_CALL)
        self._closing = called and config.close_out and not last and any(self._held(data) for data in self.datas)
        return self.reason != Reason.NONE and not self._closing

    def _record(self, bar: int) -> None:
        broker = self.broker
        held = [self._held(data) for data in self.datas]
        prices = [self._held(data, "price") for data in self.datas]
        statuses = [self._status[data] for data in self.datas]
        self.records.append((bar, broker.getcash(), broker.getvalue(), self._costs, held, prices, statuses))

    def _held(self, data: Any, what: str = "size") -> float:
        # Not by getposition(): what is asked for is entered, and the order of entries decides the value's last bit.
        entry = self.broker.positions.get(data)
        return 0.0 if entry is None else float(getattr(entry, what))

    def _due(self, bar: int) -> list[tuple[str, float]]:
        """The orders of the decision whose turn it is."""
        decision = self._queue.popleft()
        if self._closing or (self.p.config.close_out and bar == self.p.bars - 1):
            return [("close", 0.0)] * len(self.datas)
        return [("hold", 0.0)] * len(self.datas) if decision is None else decision

    def _place_all(self, orders: Sequence[tuple[str, float]]) -> None:
        """Send the orders, first those that take from a position or turn it round."""
        self._expected = {data: self._held(data) for data in self.datas}
        pairs = list(zip(self.datas, orders, strict=True))
        taking = [self._takes(data, *order) for data, order in pairs]
        for group in (True, False):
            for (data, order), takes in zip(pairs, taking, strict=True):
                if takes == group:
                    self._place(data, *order)

    def _takes(self, data: Any, what: str, amount: float) -> bool:
        held = self._held(data)
        if held == 0.0 or what == "hold":
            return False
        if what == "close" or (what.startswith("target") and amount == 0.0):
            return True
        if what in ("buy", "sell"):
            return (what == "buy") == (held < 0.0)
        now = held
        if what == "target_percent":
            now, amount = self.broker.getvalue([data]), amount * self.broker.getvalue()
        return amount < now if held > 0.0 else amount > now

    def _place(self, data: Any, what: str, amount: float) -> None:
        if what == "buy":
            self.buy(data, size=amount)
        elif what == "sell":
            self.sell(data, size=amount)
        elif what == "close":
            self.close(data)
        elif what == "target_size":
            self.order_target_size(data, target=amount)
        elif what == "target_percent":
            self.order_target_percent(data, target=amount)

    # Target orders come here too, with the units that they have found.

    def buy(self, data: Any = None, size: Any = None, **options: Any) -> Any:
        """As Backtrader's; None where ``max_exposure`` refuses it."""
        return super().buy(data, size=size, **options) if self._allows(data, size) else None

    def sell(self, data: Any = None, size: Any = None, **options: Any) -> Any:
        """As Backtrader's; None where ``max_exposure`` refuses it."""
        return super().sell(data, size=size, **options) if self._allows(data, -size) else None

    def _allows(self, data: Any, change: float) -> bool:
        """As ``max_exposure`` has it: this bar's orders count as filled, and one that only reduces is never refused."""
        limit = self.p.config.max_exposure
        if limit is None or not change:
            return True
        held = self._expected[data]
        after = held + change
        worth = 0.0
        for other in self.datas:
            units = after if other is data else self._expected[other]
            worth += abs(units) * other.close[0] * self.broker.getcommissioninfo(other).p.mult
        value = self.broker.getvalue()
        if abs(after) < abs(held) or (value > 0.0 and worth / value <= limit):
            self._expected[data] = after
            return True
        self._report(data, int(OrderStatus.REFUSED))
        return False

    def _report(self, data: Any, status: int) -> None:
        self._status[data] = max(self._status[data], status)
