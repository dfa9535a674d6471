"""Stock Backtrader, driven as its manual shows: `backtrader.Cerebro`, a strategy, a feed. Nothing here is vecbt's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import backtrader as bt

from tests.differential.brokers import Setting
from tests.differential.expected import NONE, REASONS, Account, Episode, Holding

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
        self.fills = self.trades = self.wins = 0
        self.status = dict.fromkeys(self.datas, 0)
        self.expected: dict[Any, float] = {}
        self.accepted: set[int] = set()
        self.waiting: dict[int, Any] = {}
        self.cash_before: float | None = None
        self.filled = False

    def notify_order(self, order: Any) -> None:
        self.status[order.data] = max(self.status[order.data], STATUS.get(order.status, 0))
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
        episode, account = self.p.episode, self.account()
        self._count_bar(account)
        orders = episode.on_bar(account)
        if orders is None:
            if episode.reason != NONE:
                self.p.outcomes[f"end: {REASONS[episode.reason]}"] += 1
                if episode.config.close_out:
                    self.p.outcomes["closed out" if account.is_flat else "not closed out"] += 1
            self.env.runstop()
            return
        if episode.step_begins:
            self.forget_status()
        self.place_all(orders)

    def account(self) -> Account:
        """The account at the close of the bar."""
        broker = self.broker
        return Account(
            cash=broker.getcash(),
            value=broker.getvalue(),
            leverage=float(broker.get_leverage()),
            costs=self.costs,
            fills=float(self.fills),
            trades=float(self.trades),
            wins=float(self.wins),
            realized=self.realized,
            gains=self.gains,
            holdings=tuple(
                Holding(self.held(data), self.held(data, "price"), data.close[0], float(self.status[data]))
                for data in self.datas
            ),
        )

    def held(self, data: Any, what: str = "size") -> float:
        """Size or price of a position.

        Not by getposition(): what is asked for is entered, and the order of entries decides the last bit of the value.
        """
        entry = self.broker.positions.get(data)
        return 0.0 if entry is None else float(getattr(entry, what))

    def forget_status(self) -> None:
        self.status = dict.fromkeys(self.datas, 0)

    def place_all(self, orders: Sequence[tuple[str, float]]) -> None:
        """Send an order for each asset, first those that take from a position or turn it round."""
        self.expected = {data: self.held(data) for data in self.datas}
        pairs = list(zip(self.datas, orders, strict=True))
        first = [self.takes(data, *order) for data, order in pairs]
        self._count_orders(orders, first)
        for group in (True, False):
            for (data, order), takes in zip(pairs, first, strict=True):
                if takes == group:
                    self.place(data, *order)

    def takes(self, data: Any, what: str, amount: float) -> bool:
        """Whether an order goes against the position that there is."""
        size = self.held(data)
        if size == 0.0 or what == "hold":
            return False
        if what == "close" or (what != "buy" and what != "sell" and amount == 0.0):
            return True
        buys = what == "buy"
        if what == "target_size":
            buys = amount > size
        elif what == "target_percent":
            value, target = self.broker.getvalue([data]), amount * self.broker.getvalue()
            if target == value:
                return False
            buys = target > value
        return buys == (size < 0.0)

    def place(self, data: Any, what: str, amount: float) -> None:
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

    def buy(self, data: Any = None, size: Any = None, **options: Any) -> Any:
        return None if self.refuses(data, size) else super().buy(data, size, **options)

    def sell(self, data: Any = None, size: Any = None, **options: Any) -> Any:
        return None if self.refuses(data, -size) else super().sell(data, size, **options)

    def refuses(self, data: Any, change: float) -> bool:
        """``max_exposure``, before the broker: never where the position only becomes smaller.

        Of several assets the orders before this one count as filled.
        """
        limit = self.p.episode.config.max_exposure
        if limit is None or not change:
            return False
        held = self.expected[data]
        after = held + change
        worth = 0.0
        for other in self.datas:
            units = after if other is data else self.expected[other]
            worth += abs(units) * other.close[0] * self.broker.getcommissioninfo(other).p.mult
        value = self.broker.getvalue()
        if abs(after) < abs(held) or (value > 0.0 and worth / value <= limit):
            self.expected[data] = after
            return False
        self.status[data] = max(self.status[data], REFUSED)
        self.p.outcomes["refused"] += 1
        return True

    # -- what has happened, for counts; nothing is compared of it ------------------------------------------------------

    def _count_orders(self, orders: Sequence[tuple[str, float]], first: list[bool]) -> None:
        outcomes = self.p.outcomes
        outcomes["orders of several assets"] += sum(what != "hold" for what, _ in orders) > 1
        sent = [group for group, (what, _) in zip(first, orders, strict=True) if what != "hold"]
        outcomes["sent out of the order of assets"] += sent != sorted(sent, reverse=True)
        places = {data: number for number, data in enumerate(self.datas)}
        numbers = [places[data] for data in self.broker.positions]
        outcomes["entered out of the order of assets"] += numbers != sorted(numbers)

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
        data = order.data
        base = order.created.pclose if broker.coc else data.open[0]
        sign = 1.0 if execution.size > 0.0 else -1.0
        slipped = base * (1.0 + sign * broker.slip_perc) if broker.slip_perc else base + sign * broker.slip_fixed
        beyond = slipped > data.high[0] or slipped < data.low[0]
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
        futures = any(self.broker.getcommissioninfo(data).margin and self.held(data) for data in self.datas)
        if futures and not self.filled and account.cash != self.cash_before:
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
        feed: A feed of the same bars, of the only asset; None for a `ListFeed` of each.
    """
    cerebro = bt.Cerebro(stdstats=False)
    Setting("", config).apply(cerebro.broker, tuple(episode.assets))
    times = episode.market.timestamps[episode.rows].astype("datetime64[ns]").astype("datetime64[us]").tolist()
    for name, bars in episode.assets.items():
        columns = {column: bars.column(column)[episode.rows].tolist() for column in COLUMNS}
        cerebro.adddata(ListFeed(columns=columns, times=times) if feed is None else feed, name=name)
    cerebro.addstrategy(strategy, episode=episode, outcomes=outcomes)
    cerebro.run()
