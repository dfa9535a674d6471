"""Stock Backtrader, driven as its manual shows: `backtrader.Cerebro`, a strategy, a feed. Nothing here is vecbt's."""

from __future__ import annotations

from collections import Counter
from typing import Any

import backtrader as bt

from tests.differential.brokers import Setting
from tests.differential.expected import NONE, REASONS, Account, Episode

__all__ = ["Follow", "ListFeed", "run_stock"]

STATUS = {
    bt.Order.Completed: 1,
    bt.Order.Partial: 2,
    bt.Order.Canceled: 3,
    bt.Order.Expired: 4,
    bt.Order.Margin: 6,
    bt.Order.Rejected: 7,
}
REFUSED = 5
COLUMNS = ("open", "high", "low", "close", "volume")


class ListFeed(bt.feed.DataBase):
    """Bars from lists: a twentieth of the time that `backtrader.feeds.PandasData` takes to load a row."""

    params = (("columns", None), ("times", None))

    def start(self) -> None:
        super().start()
        numbers = [bt.date2num(time) for time in self.p.times]
        self._bars = iter(zip(numbers, *(self.p.columns[name] for name in COLUMNS), strict=True))

    def _load(self) -> bool:
        bar = next(self._bars, None)
        if bar is None:
            return False
        lines = self.lines
        (
            lines.datetime[0],
            lines.open[0],
            lines.high[0],
            lines.low[0],
            lines.close[0],
            lines.volume[0],
        ) = bar
        lines.openinterest[0] = 0.0
        return True


class Follow(bt.Strategy):
    """Does what an `Episode` says, and keeps the books from Backtrader's notifications."""

    params = (("episode", None), ("outcomes", None))

    def __init__(self) -> None:
        self.costs = self.realized = self.gains = 0.0
        self.fills = self.trades = self.wins = self.status = 0
        self.accepted: set[int] = set()
        self.waiting: dict[int, Any] = {}
        self.cash_before: float | None = None
        self.filled = False

    def notify_order(self, order: Any) -> None:
        self.status = max(self.status, STATUS.get(order.status, 0))
        for execution in order.executed.iterpending():
            self.costs += execution.comm
            self.fills += 1
            self.filled = True
            self._count_price(order, execution)
        self._count_order(order)

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.trades += 1
            self.realized += trade.pnlcomm
            if trade.pnlcomm > 0.0:
                self.wins += 1
                self.gains += trade.pnlcomm

    def next(self) -> None:
        broker, entry, episode = self.broker, self.position, self.p.episode
        account = Account(
            cash=broker.getcash(),
            value=broker.getvalue(),
            leverage=float(broker.get_leverage()),
            costs=self.costs,
            fills=float(self.fills),
            trades=float(self.trades),
            wins=float(self.wins),
            realized=self.realized,
            gains=self.gains,
            size=float(entry.size),
            price=float(entry.price),
            close=self.data.close[0],
            status=float(self.status),
        )
        self._count_bar(account)
        order = episode.on_bar(account)
        if order is None:
            if episode.reason != NONE:
                self.p.outcomes[f"end: {REASONS[episode.reason]}"] += 1
                if episode.config.close_out:
                    self.p.outcomes["closed out" if account.size == 0.0 else "not closed out"] += 1
            self.env.runstop()
            return
        if episode.step_begins:
            self.status = 0
        self.place(*order)

    def place(self, what: str, amount: float) -> None:
        if what == "buy":
            self.buy(size=amount)
        elif what == "sell":
            self.sell(size=amount)
        elif what == "close":
            self.close()
        elif what == "target_size":
            self.order_target_size(target=amount)
        elif what == "target_percent":
            self.order_target_percent(target=amount)

    def buy(self, data: Any = None, size: Any = None, **options: Any) -> Any:
        return None if self.refuses(size) else super().buy(data, size, **options)

    def sell(self, data: Any = None, size: Any = None, **options: Any) -> Any:
        return None if self.refuses(-size) else super().sell(data, size, **options)

    def refuses(self, change: float) -> bool:
        """``max_exposure``, before the broker: never where the position only becomes smaller."""
        limit = self.p.episode.config.max_exposure
        if limit is None or not change:
            return False
        held = self.position.size
        after = held + change
        value = self.broker.getvalue()
        mult = self.broker.getcommissioninfo(self.data).p.mult
        worth = abs(after) * self.data.close[0] * mult
        if abs(after) < abs(held) or (value > 0.0 and worth / value <= limit):
            return False
        self.status = max(self.status, REFUSED)
        self.p.outcomes["refused"] += 1
        return True

    # -- what has happened, for counts; nothing is compared of it ------------------------------------------------------

    def _count_order(self, order: Any) -> None:
        outcomes = self.p.outcomes
        if order.status == order.Accepted:
            self.accepted.add(order.ref)
            self.waiting[order.ref] = len(self)
        elif order.status == order.Completed:
            outcomes["completed"] += 1
        elif order.status == order.Partial:
            residual = abs(order.executed.remsize) < 1e-9 * abs(order.executed.size)
            outcomes["reversal with residual order" if residual else "partial"] += 1
        elif order.status == order.Margin:
            outcomes["margin at execution" if order.ref in self.accepted else "margin at submit"] += 1
        if order.status != order.Accepted:
            self.waiting.pop(order.ref, None)

    def _count_price(self, order: Any, execution: Any) -> None:
        broker = self.broker.p
        if not (broker.slip_perc or broker.slip_fixed):
            return
        base = order.created.pclose if broker.coc else self.data.open[0]
        sign = 1.0 if execution.size > 0.0 else -1.0
        slipped = base * (1.0 + sign * broker.slip_perc) if broker.slip_perc else base + sign * broker.slip_fixed
        beyond = slipped > self.data.high[0] or slipped < self.data.low[0]
        if execution.price == base:
            kind = "none"
        elif execution.price == slipped:
            kind = "out of the bar" if beyond else "uncapped"
        else:
            kind = "capped"
        self.p.outcomes[f"slippage: {kind}"] += 1

    def _count_bar(self, account: Account) -> None:
        outcomes = self.p.outcomes
        outcomes["bars"] += 1
        # Accepted on this bar, before its orders were matched, and still there: it found no price.
        outcomes["slippage: unfilled"] += sum(bar == len(self) for bar in self.waiting.values())
        futures = self.broker.getcommissioninfo(self.data).margin
        if futures and account.size and not self.filled and account.cash != self.cash_before:
            outcomes["futures cash adjustment"] += 1
        self.cash_before, self.filled = account.cash, False


def run_stock(
    episode: Episode, config: dict[str, Any], outcomes: Counter[str], strategy: type[Follow] = Follow, feed: Any = None
) -> None:
    """Run an episode, which then has its records.

    Args:
        episode: The episode.
        config: Fields of `vecbt.EnvConfig`, of which the broker is told.
        outcomes: Counts what happens.
        strategy: A driver that is wrong, to see it found.
        feed: A feed of the same bars; None for a `ListFeed`.
    """
    cerebro = bt.Cerebro(stdstats=False)
    Setting("", config).apply(cerebro.broker)
    if feed is None:
        columns = {name: episode.market.column(name)[episode.rows].tolist() for name in COLUMNS}
        times = episode.market.timestamps[episode.rows].astype("datetime64[ns]").astype("datetime64[us]").tolist()
        feed = ListFeed(columns=columns, times=times)
    cerebro.adddata(feed)
    cerebro.addstrategy(strategy, episode=episode, outcomes=outcomes)
    cerebro.run()
