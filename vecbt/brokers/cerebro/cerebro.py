"""Cerebro with a loop for the case that every environment is in: feeds on one time axis, one strategy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
from backtrader.lineiterator import LineIterator

from vecbt.brokers.cerebro.broker import FastBroker
from vecbt.brokers.cerebro.feed import TableFeed
from vecbt.brokers.cerebro.guard import follow_clock
from vecbt.brokers.cerebro.lines import Clock
from vecbt.kernels.layout import Asset, Row
from vecbt.strategy import Strategy

__all__ = ["FastCerebro"]

_CASH, _VALUE, _LEVERAGE = int(Row.CASH), int(Row.VALUE), int(Row.LEVERAGE)
_SIZE, _PRICE = Row.ASSETS + Asset.SIZE, Row.ASSETS + Asset.PRICE

# Methods of a strategy by which it would see what the loop does not do.
_LISTENING = ("notify_order", "notify_trade", "notify_cashvalue", "notify_fund", "_notify", "_addnotification", "clear")
_LOOP_METHODS = (
    "_once", "_oncepost", "_next", "_notify", "clear", "_getminperstatus", "_next_analyzers", "_next_observers",
)  # fmt: skip


class FastCerebro(bt.Cerebro):
    """A Cerebro whose bars cost less; what it does not know it leaves to `backtrader.Cerebro`."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = FastBroker()

    def _runonce(self, runstrats: list[Any]) -> None:
        broker = self._broker
        prepared = isinstance(broker, FastBroker)
        if prepared:
            broker.prepare(self.datas)
        if prepared and self._knows(runstrats):
            self._loop(runstrats[0])
        else:
            super()._runonce(runstrats)

    def _knows(self, runstrats: list[Any]) -> bool:
        datas = self.datas
        return (
            len(runstrats) == 1
            and all(getattr(type(runstrats[0]), name) is getattr(Strategy, name) for name in _LOOP_METHODS)
            and all(isinstance(data, TableFeed) for data in datas)
            and all(data.times == datas[0].times for data in datas[1:])
            and not self._timers
            and not self._timerscheat
            and not self.p.cheat_on_open
            and not self.p.quicknotify
            and not self.runwriters
            and self._broker._fast
        )

    def _loop(self, strategy: Any) -> None:  # noqa: C901  (one loop without calls is what makes it fast)
        """One bar after the other: the broker, then notifications, then the strategy, then the agent.

        The order of events is that of `backtrader.Cerebro._runonce` and `Strategy._oncepost`.
        """
        datas, broker, episode = self.datas, self._broker, strategy.episode
        if any(strategy._lineiterators.values()):
            bt.Strategy._once(strategy)  # not the strategy's own, which guards lines for Backtrader's loop
            strategy.reset()
        clock = Clock()
        for data in datas:
            data.share_clock(clock)
        slow_indicators = follow_clock(strategy, clock, datas[0])

        quiet = _nobody_listens(strategy)
        broker.listener = episode.ledger if quiet else None
        submitted, pending, activating = broker.submitted, broker.pending, broker._toactivate
        has_next = type(strategy).next is not Strategy.next
        has_watchers = bool(strategy.analyzers._items or strategy._lineiterators[LineIterator.ObsType])
        row, act, switch = episode.ledger.row, episode.act, episode.switch
        single = len(datas) == 1
        positions, data0 = broker.positions, datas[0]
        broker_next: Callable[[], None] = broker.next
        warmup = max(strategy._minperiods)

        for index in range(data0.buflen()):
            clock.index = index
            if pending or submitted or activating or not broker._idle or broker._cash_addition:
                broker_next()
                row[_CASH] = broker.cash
                row[_VALUE] = broker._value
                row[_LEVERAGE] = broker._leverage
                if single:
                    if data0 in positions:
                        entry = positions[data0]
                        row[_SIZE] = entry.size
                        row[_PRICE] = entry.price
                else:
                    episode.ledger.mark(broker)
            if not quiet:
                _deliver(broker, strategy)
            for indicator in slow_indicators:
                if len(indicator._clock) > len(indicator):
                    indicator.advance()
            if not quiet:
                strategy._notify()
            status = warmup - 1 - index
            if status < 0:
                if has_next:
                    strategy.next()
            elif status == 0:
                episode.live = True
                strategy._minperstatus = 0
                strategy.nextstart()
                strategy._minperstatus = -1
            else:
                strategy.prenext()
            if has_watchers:
                strategy._minperstatus = status
                strategy._next_analyzers(status, once=True)
                strategy._next_observers(status, once=True)
            if not quiet:
                strategy.clear()
            if self._event_stop:
                episode.take_stop()
            if status <= 0:
                instruction = switch()
                if instruction:
                    act(instruction)
                    if self._event_stop:
                        return

    def stop_writers(self, runstrats: list[Any]) -> None:
        # Backtrader collects what writers would write even where there is none.
        if self.runwriters:
            super().stop_writers(runstrats)


def _deliver(broker: FastBroker, strategy: Any) -> None:
    notifications = broker.notifs
    while notifications:
        order = notifications.popleft()
        (strategy if order.owner is None else order.owner)._addnotification(order)


def _nobody_listens(strategy: Any) -> bool:
    cls = type(strategy)
    return (
        all(getattr(cls, name) is getattr(Strategy, name) for name in _LISTENING)
        and not strategy.analyzers._items
        and not strategy._slave_analyzers
        and not strategy._lineiterators[LineIterator.ObsType]
        and not strategy._tradehistoryon
    )
