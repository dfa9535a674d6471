"""The fast subclasses of Cerebro, its broker, orders and trades against stock Backtrader: all fields of all events."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from tests.differential.brokers import SETTINGS, Setting
from tests.differential.scripts import PARAMETERS, PRICES, Listening, Script, make_prices, make_times
from vecbt import Strategy
from vecbt.brokers.cerebro.broker import FastBroker
from vecbt.brokers.cerebro.cerebro import FastCerebro
from vecbt.brokers.cerebro.feed import TableFeed
from vecbt.brokers.cerebro.ledger import Ledger
from vecbt.kernels.layout import row_width

BARS = 120


class StockScript(Script, bt.Strategy):
    params = PARAMETERS


class StockListening(Listening, bt.Strategy):
    params = PARAMETERS


class FastScript(Script, Strategy):
    params = PARAMETERS


class FastListening(Listening, Strategy):
    params = PARAMETERS


class Bystander:
    """An episode without an agent: its ledger is kept and it never has an instruction."""

    max_exposure = None
    fast = True
    live = False

    def __init__(self, feeds: list[Any]) -> None:
        self.feeds = feeds
        self.ledger = Ledger(memoryview(np.zeros(row_width(len(feeds)))))
        self.switch = int
        self.act = None
        self.exchange = int

    def begin(self, strategy: Any) -> None:
        self.ledger.begin(strategy, self.feeds)

    def started(self, strategy: Any) -> None:
        pass


def run_stock(setting: Setting, prices: list[Any], times: Any, strategy: type, **parameters: Any) -> list[Any]:
    cerebro = bt.Cerebro(stdstats=False)
    setting.apply(cerebro.broker)
    for columns in prices:
        cerebro.adddata(bt.feeds.PandasData(dataname=pd.DataFrame(columns, index=pd.DatetimeIndex(times))))
    log: list[Any] = []
    cerebro.addstrategy(strategy, log=log, **parameters)
    cerebro.run()
    return log


def run_fast(setting: Setting, prices: list[Any], times: Any, strategy: type, **parameters: Any) -> list[Any]:
    cerebro = FastCerebro()
    log = run_bystander(cerebro, setting, prices, times, strategy, **parameters)
    assert cerebro._knows(cerebro.runstrats[0]), "the run was to take the fast loop"
    return log


def run_bystander(
    cerebro: bt.Cerebro, setting: Setting, prices: list[Any], times: Any, strategy: type, **parameters: Any
) -> list[Any]:
    """A run of a `vecbt.Strategy` without an agent, by any Cerebro."""
    cerebro.p.stdstats = False
    setting.apply(cerebro.broker)
    numbers = np.array([bt.date2num(time) for time in times])
    feeds = []
    for columns in prices:
        feed = TableFeed()
        empty = np.full(len(numbers), np.nan)
        feed.select((*(columns[name] for name in columns), empty, numbers), 0, len(numbers))
        cerebro.adddata(feed)
        feeds.append(feed)
    cerebro.episode = Bystander(feeds)
    cerebro.episode.fast = isinstance(cerebro, FastCerebro)
    log: list[Any] = []
    cerebro.addstrategy(strategy, log=log, **parameters)
    cerebro.run()
    return log


def difference(expected: Any, got: Any, path: str = "") -> str | None:
    """Where two nested structures differ first; repr tells -0.0 from 0.0 and an int from a float."""
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple) and len(expected) == len(got):
        for number, pair in enumerate(zip(expected, got, strict=True)):
            if found := difference(*pair, f"{path}[{number}]"):
                return found
        return None
    return None if repr(expected) == repr(got) else f"{path}: expected {expected!r}, got {got!r}"


def compare(stock: list[Any], fast: list[Any]) -> None:
    for number, (expected, got) in enumerate(zip(stock, fast, strict=False)):
        assert difference(expected, got) is None, f"event {number} of {len(stock)}, {expected[0]}"
    assert len(fast) == len(stock)


def case(seed: int, assets: int) -> tuple[list[Any], Any]:
    kind = PRICES[seed % len(PRICES)]
    return [make_prices(kind, BARS, seed * 10 + asset) for asset in range(assets)], make_times(BARS, seed)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("listening", [False, True], ids=["quiet", "listening"])
def test_same_events(setting: Setting, listening: bool) -> None:
    stock, fast = (StockListening, FastListening) if listening else (StockScript, FastScript)
    for seed in range(8):
        assets = (1, 1, 2, 3)[seed % 4]
        prices, times = case(seed, assets)
        size = 0.2 * setting.config.get("start_cash", 10_000.0) / prices[0]["close"][0]
        parameters = {
            "seed": seed,
            "kinds": "market" if seed % 3 == 0 else "all",
            "size": size,
            "whole": seed % 2 == 0,
        }
        expected = run_stock(setting, prices, times, stock, **parameters)
        compare(expected, run_fast(setting, prices, times, fast, **parameters))


def test_broker_leaves_what_it_does_not_know_to_backtrader() -> None:
    class Interest(bt.CommInfoBase):
        params = (("interest", 0.05), ("stocklike", True), ("percabs", True))

    def setting(broker: Any) -> None:
        broker.setcash(5_000.0)
        broker.addcommissioninfo(Interest())

    prices, times = case(4, 2)
    plain = Setting("interest", {})
    object.__setattr__(plain, "apply", setting)
    expected = run_stock(plain, prices, times, StockListening, seed=3)
    assert any(entry[0] == "order" for entry in expected)
    fast = FastCerebro()
    assert isinstance(fast.broker, FastBroker)
    log: list[Any] = []
    setting(fast.broker)
    fast.p.stdstats = False
    numbers = np.array([bt.date2num(time) for time in times])
    feeds = []
    for columns in prices:
        feed = TableFeed()
        feed.select((*columns.values(), np.full(BARS, np.nan), numbers), 0, BARS)
        fast.adddata(feed)
        feeds.append(feed)
    episode = Bystander(feeds)
    episode.fast = False
    fast.episode = episode
    fast.addstrategy(FastListening, log=log, seed=3)
    fast.run()
    assert not fast.broker._fast
    compare(expected, log)
