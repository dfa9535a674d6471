"""Indicators that a strategy makes, guarded against look-ahead and in plain Backtrader: every value on every bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest

from tests.differential.brokers import SETTINGS
from tests.differential.scripts import make_prices, make_times
from tests.differential.test_cerebro_fast import compare, difference, run_bystander, run_fast, run_stock
from vecbt import Strategy

BARS = 90


class Ratio(bt.Indicator):
    """Written bar by bar, over two lines."""

    lines = ("ratio", "sum")
    params = (("shift", 2),)

    def __init__(self) -> None:
        self.addminperiod(self.p.shift + 1)

    def next(self) -> None:
        self.lines.ratio[0] = self.data0[0] / self.data1[-self.p.shift]
        self.lines.sum[0] = self.lines.sum[-1] + 1.0 if len(self) > self.p.shift + 1 else 0.0


class Nested(bt.Indicator):
    """Written bar by bar, over an indicator and a feed."""

    lines = ("x",)

    def __init__(self) -> None:
        self.average = bt.indicators.SMA(self.data, period=3)
        self.strength = bt.indicators.RSI_Safe(self.data, period=4)

    def next(self) -> None:
        self.lines.x[0] = self.average[0] * 2.0 - self.strength[0] + self.data.close[0]


class Whole(bt.Indicator):
    """Written over whole arrays."""

    lines = ("y",)

    def once(self, start: int, end: int) -> None:
        source, target = self.data.array, self.lines.y.array
        for i in range(start, end):
            target[i] = source[i] * 0.5


class Watching:
    def __init__(self) -> None:
        data = self.data
        close = data.close
        self.watched = {
            "sma": bt.indicators.SMA(close, period=5),
            "ema of sma": bt.indicators.EMA(bt.indicators.SMA(data, period=3), period=4),
            "macd": bt.indicators.MACDHisto(data),
            "bollinger": bt.indicators.BollingerBands(data, period=7),
            "stochastic": bt.indicators.Stochastic(data, period=6, safediv=True),
            "atr": bt.indicators.ATR(data, period=5),
            "psar": bt.indicators.ParabolicSAR(data),
            "ratio": Ratio(close, data.open, shift=3),
            "ratio of averages": Ratio(bt.indicators.SMA(close, period=4), data.high),
            "nested": Nested(data),
            "whole": Whole(close),
            "cross": bt.indicators.CrossOver(bt.indicators.SMA(close, period=3), bt.indicators.SMA(close, period=9)),
            "delay": close(-2),
            "difference": close - data.open,
            "logic": bt.And(close > data.open, data.volume > 300.0),
            "largest": bt.Max(close, data.open, close(-1)),
            "choice": bt.If(close > data.open, data.high, data.low),
            "percent": bt.indicators.PercentRank(close, period=8),
        }
        if len(self.datas) > 1:
            other = self.datas[1]
            self.watched["spread"] = data.close - other.close
            self.watched["other"] = bt.indicators.EMA(other, period=6)
            self.watched["pair"] = Ratio(data, other)

    def start(self) -> None:
        pass

    def next(self) -> None:
        values = []
        for name, indicator in self.watched.items():
            lines = getattr(indicator.lines, "lines", None) or indicator.lines
            past = [[line[-2], list(line.get(-1, 3)), list(line.get(size=2))] for line in lines]
            values.append((name, [line[0] for line in lines], past, len(indicator)))
        self.p.log.append(("next", len(self), values))
        if len(self) % 4 == 0:
            self.buy(size=1)
        elif len(self) % 7 == 0:
            self.close()

    def prenext(self) -> None:
        self.p.log.append(("prenext", len(self)))


PARAMETERS = (("log", None),)


class Stock(Watching, bt.Strategy):
    params = PARAMETERS


class Fast(Watching, Strategy):
    params = PARAMETERS


def run_guarded(*args: Any) -> list[Any]:
    """By Backtrader's own loop."""
    return run_bystander(bt.Cerebro(), *args)


every_loop = pytest.mark.parametrize("run", [run_fast, run_guarded], ids=["fast", "stock"])


@every_loop
@pytest.mark.parametrize("feeds", [1, 2])
def test_same_values(feeds: int, run: Callable[..., list[Any]]) -> None:
    prices: list[Any] = [make_prices("walk", BARS, seed) for seed in range(feeds)]
    times = make_times(BARS, 1)
    expected = run_stock(SETTINGS[0], prices, times, Stock)
    assert sum(event[0] == "next" for event in expected) > 40
    compare(expected, run(SETTINGS[0], prices, times, Fast))


class Parts(Strategy):
    """Looks into an indicator, where Backtrader's own loop shows whatever bar its computation has ended on."""

    params = PARAMETERS

    def set_datalines(self) -> None:
        self.nested = Nested(self.data)
        self.same = {
            "average": (self.nested.average, bt.indicators.SMA(self.data, period=3)),
            "strength": (self.nested.strength, bt.indicators.RSI_Safe(self.data, period=4)),
        }

    def next(self) -> None:
        for name, pair in self.same.items():
            self.p.log.append((name, *([list(line.get(size=3)), line[0], line[-4], len(line)] for line in pair)))


@every_loop
def test_parts_of_an_indicator_stand_where_it_stands(run: Callable[..., list[Any]]) -> None:
    log = run(SETTINGS[0], [make_prices("walk", BARS, 3)], make_times(BARS, 1), Parts)
    assert len(log) > 150
    for name, part, whole in log:
        assert difference(whole, part) is None, name
