"""A strategy that does at random whatever a strategy can do, in plain Backtrader, and a log of what it sees."""

from __future__ import annotations

import datetime
from typing import Any

import backtrader as bt
import numpy as np

PRICES = ("walk", "gaps", "ties", "pennies", "millions")


def make_prices(kind: str, count: int, seed: int) -> dict[str, np.ndarray]:
    """Open, high, low, close and volume of ``count`` bars."""
    random = np.random.default_rng(seed)
    scale = {"pennies": 0.013, "millions": 1e6}.get(kind, 100.0)
    steps = random.normal(0.0, 0.01, count)
    if kind == "gaps":
        steps[random.random(count) < 0.1] *= 15.0
    close = scale * np.exp(np.cumsum(steps))
    open_ = np.concatenate([[close[0]], close[:-1]]) * np.exp(random.normal(0.0, 0.004, count))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0.0, 0.004, count)))
    low = np.minimum(open_, close) * np.exp(-np.abs(random.normal(0.0, 0.004, count)))
    if kind == "ties":
        open_, high, low, close = (np.round(x) for x in (open_, high, low, close))
        high, low = np.maximum(high, np.maximum(open_, close)), np.minimum(low, np.minimum(open_, close))
    return {"open": open_, "high": high, "low": low, "close": close, "volume": random.integers(0, 1000, count) * 1.0}


def make_times(count: int, seed: int) -> list[datetime.datetime]:
    """Stamps of ``count`` bars of 6 hours with holes, so that days and orders end."""
    random = np.random.default_rng(seed)
    hours = np.cumsum(6 * random.choice([1, 1, 1, 2, 9], count))
    return [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=int(hour)) for hour in hours]


def record_fields(record: Any) -> tuple[Any, ...]:
    names = ("dt", "size", "remsize", "price", "pricelimit", "pclose", "trailamount", "trailpercent", "value", "comm")
    bits = [
        tuple(getattr(bit, name) for name in (
            "dt", "size", "price", "closed", "opened", "closedvalue", "openedvalue", "closedcomm", "openedcomm",
            "value", "comm", "pnl", "psize", "pprice",
        ))
        for bit in record.exbits
    ]  # fmt: skip
    rest = (record.margin, record.pnl, record.psize, record.pprice, record.plimit)
    return tuple(getattr(record, name) for name in names) + rest + tuple(bits)


def order_fields(order: Any, base: int) -> tuple[Any, ...]:
    """Everything about an order that a strategy can see; its reference counts from the run's first order."""
    parameters = order.params
    return (
        order.ref - base,
        order.ordtype,
        order.exectype,
        order.status,
        order.getstatusname(),
        order.size,
        order.price,
        order.pricelimit,
        order.valid,
        order.tradeid,
        order.triggered,
        order.alive(),
        order.active(),
        order.transmit,
        getattr(order, "plen", None),
        order.dteos,
        order.trailamount,
        order.trailpercent,
        None if order.parent is None else order.parent.ref - base,
        dict(order.info),
        (parameters.size, parameters.price, parameters.pricelimit, parameters.simulated),
        None if order.comminfo is None else order.comminfo.p.commission,
        record_fields(order.created),
        record_fields(order.executed),
    )


def trade_fields(trade: Any, base: int) -> tuple[Any, ...]:
    names = (
        "tradeid", "size", "price", "value", "commission", "pnl", "pnlcomm", "justopened", "isopen", "isclosed",
        "baropen", "dtopen", "barclose", "dtclose", "barlen", "status",
    )  # fmt: skip
    return (trade.ref - base, trade.long, *(getattr(trade, name) for name in names))


PARAMETERS = (("seed", 0), ("kinds", "all"), ("size", 10.0), ("log", None), ("whole", True))
"""The ``params`` of a class with `Script`; Backtrader wants them in the class itself."""


class Script:
    """Mixin to the left of `backtrader.Strategy` or of `vecbt.Strategy`: orders at random, and a log.

    Whatever is drawn is drawn in the same order in every run with the same seed, as long as the runs agree.
    """

    def start(self) -> None:
        self.random = np.random.default_rng(self.p.seed)
        self.kept: list[Any] = []
        self.order_base = self.trade_base = None

    def _place(self) -> None:
        random = self.random
        for _ in range(random.choice([0, 1, 1, 2, 3], p=[0.45, 0.2, 0.15, 0.15, 0.05])):
            data = self.datas[random.integers(len(self.datas))]
            size = float(random.choice([0.1, 0.5, 1.0, 1.0, 3.0, 40.0]) * self.p.size)
            size = int(size) or 1 if self.p.whole else size * (1.0 + random.random())
            kind = random.choice(["market", "close", "target"] if self.p.kinds == "market" else KINDS)
            made = getattr(self, "_make_" + kind)(data, size, random)
            for order in made if isinstance(made, list) else [made]:
                if order is not None:
                    if self.order_base is None:
                        self.order_base = order.ref
                    self.kept.append(order)

    def _side(self, random: Any) -> Any:
        return self.buy if random.random() < 0.5 else self.sell

    def _make_market(self, data: Any, size: float, random: Any) -> Any:
        if random.random() < 0.1:
            return self._side(random)(data, tradeid=int(random.integers(3)))  # sized by the sizer
        return self._side(random)(data, size)

    def _make_close(self, data: Any, size: float, random: Any) -> Any:
        return self.close(data)

    def _make_target(self, data: Any, size: float, random: Any) -> Any:
        which = random.integers(3)
        if which == 0:
            return self.order_target_size(data, float(random.choice([0.0, size, -size])))
        if which == 1:
            return self.order_target_value(data, float(random.choice([0.0, 0.3, -0.4])) * self.broker.getvalue())
        return self.order_target_percent(data, float(random.choice([0.0, 0.5, 0.9, -0.5, 1.2])))

    def _price(self, data: Any, random: Any) -> float:
        return float(data.close[0] * (1.0 + random.normal(0.0, 0.015)))

    def _options(self, data: Any, random: Any) -> dict[str, Any]:
        now = data.datetime.datetime()
        valid = [
            None, None, datetime.timedelta(hours=18), bt.Order.DAY, now + datetime.timedelta(days=1), now.date(), 0,
        ]  # fmt: skip
        options: dict[str, Any] = {"valid": valid[random.integers(len(valid))]}
        if random.random() < 0.2:
            options["tradeid"] = int(random.integers(3))
        if self.kept and random.random() < 0.3:
            options["oco"] = self.kept[int(random.integers(max(0, len(self.kept) - 6), len(self.kept)))]
        elif self.kept and random.random() < 0.1:
            options["parent"] = self.kept[int(random.integers(max(0, len(self.kept) - 6), len(self.kept)))]
        if random.random() < 0.1:
            options["note"] = "remark"
        return options

    def _make_limit(self, data: Any, size: float, random: Any) -> Any:
        price, options = self._price(data, random), self._options(data, random)
        return self._side(random)(data, size, price=price, exectype=bt.Order.Limit, **options)

    def _make_stop(self, data: Any, size: float, random: Any) -> Any:
        price, options = self._price(data, random), self._options(data, random)
        return self._side(random)(data, size, price=price, exectype=bt.Order.Stop, **options)

    def _make_stop_limit(self, data: Any, size: float, random: Any) -> Any:
        price, limit, options = self._price(data, random), self._price(data, random), self._options(data, random)
        side = self._side(random)
        return side(data, size, price=price, plimit=limit, exectype=bt.Order.StopLimit, **options)

    def _make_trail(self, data: Any, size: float, random: Any) -> Any:
        options = self._options(data, random)
        if random.random() < 0.5:
            options["trailpercent"] = 0.01
        else:
            options["trailamount"] = float(data.close[0] * 0.01)
        if random.random() < 0.5:
            return self._side(random)(data, size, exectype=bt.Order.StopTrail, **options)
        price, limit = self._price(data, random), self._price(data, random)
        side = self._side(random)
        return side(data, size, price=price, plimit=limit, exectype=bt.Order.StopTrailLimit, **options)

    def _make_bracket(self, data: Any, size: float, random: Any) -> Any:
        close = data.close[0]
        if random.random() < 0.5:
            return self.buy_bracket(
                data, size, price=self._price(data, random), stopprice=close * 0.98, limitprice=close * 1.02
            )
        return self.sell_bracket(data, size, exectype=bt.Order.Market, stopprice=close * 1.02, limitprice=close * 0.98)

    def _make_session(self, data: Any, size: float, random: Any) -> Any:
        return self._side(random)(data, size, exectype=bt.Order.Close)

    def _make_cancel(self, data: Any, size: float, random: Any) -> Any:
        if self.kept:
            self.cancel(self.kept[int(random.integers(max(0, len(self.kept) - 8), len(self.kept)))])

    def _make_cash(self, data: Any, size: float, random: Any) -> Any:
        if random.random() < 0.2:
            self.broker.add_cash(float(random.choice([100.0, -50.0])))

    def _account(self) -> tuple[Any, ...]:
        broker = self.broker
        positions = [
            (
                entry.size, entry.price, entry.adjbase, entry.price_orig, entry.upopened, entry.upclosed,
                getattr(entry, "datetime", None),
            )
            for entry in broker.positions.values()
        ]  # fmt: skip
        return (
            "bar", len(self), [len(data) for data in self.datas], broker.getcash(), broker.getvalue(),
            broker.get_leverage(), broker.fundvalue, broker.fundshares, broker.getvalue(lever=True),
            broker.getvalue(mkt=True), broker._unrealized, positions, len(broker.pending), len(broker.submitted),
        )  # fmt: skip

    def next(self) -> None:
        self.p.log.append(self._account())
        self._place()

    def stop(self) -> None:
        self.p.log.append(("orders", [order_fields(order, self.order_base) for order in self.kept]))
        trades = [trade for by_id in self._trades.values() for trades in by_id.values() for trade in trades]
        base = min((trade.ref for trade in trades), default=0)
        self.p.log.append(("trades", [trade_fields(trade, base) for trade in trades]))


KINDS = [name.removeprefix("_make_") for name in vars(Script) if name.startswith("_make_")]


class Listening(Script):
    """The same, with every notification in the log."""

    def notify_order(self, order: Any) -> None:
        pending = len(list(order.executed.iterpending()))
        self.p.log.append(("order", len(self), pending, order_fields(order, self.order_base or 0)))

    def notify_trade(self, trade: Any) -> None:
        if self.trade_base is None:
            self.trade_base = trade.ref
        self.p.log.append(("trade", len(self), trade_fields(trade, self.trade_base)))

    def notify_cashvalue(self, cash: float, value: float) -> None:
        self.p.log.append(("cashvalue", cash, value))

    def notify_fund(self, cash: float, value: float, fundvalue: float, shares: float) -> None:
        self.p.log.append(("fund", cash, value, fundvalue, shares))
