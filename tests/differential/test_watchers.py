"""Every analyzer, observer and sizer of Backtrader in an environment, against the same in plain Backtrader."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest

import vecbt
from tests.differential.stock import COLUMNS, ListFeed
from tests.envs import MARKET, make
from vecbt.brokers.cerebro.analyses import as_plain

STEPS = 60
BY_MINUTE = {"timeframe": bt.TimeFrame.Minutes, "compression": 5}

ANALYZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "AnnualReturn": (bt.analyzers.AnnualReturn, {}),
    "Calmar": (bt.analyzers.Calmar, BY_MINUTE),
    "DrawDown": (bt.analyzers.DrawDown, {}),
    "GrossLeverage": (bt.analyzers.GrossLeverage, {}),
    "LogReturnsRolling": (bt.analyzers.LogReturnsRolling, BY_MINUTE),
    "PeriodStats": (bt.analyzers.PeriodStats, BY_MINUTE),
    "PositionsValue": (bt.analyzers.PositionsValue, {"headers": True, "cash": True}),
    "PyFolio": (bt.analyzers.PyFolio, {}),
    "Returns": (bt.analyzers.Returns, BY_MINUTE),
    "SQN": (bt.analyzers.SQN, {}),
    "SharpeRatio": (bt.analyzers.SharpeRatio, BY_MINUTE),
    "SharpeRatio_A": (bt.analyzers.SharpeRatio_A, BY_MINUTE),
    "TimeDrawDown": (bt.analyzers.TimeDrawDown, BY_MINUTE),
    "TimeReturn": (bt.analyzers.TimeReturn, BY_MINUTE),
    "TradeAnalyzer": (bt.analyzers.TradeAnalyzer, {}),
    "Transactions": (bt.analyzers.Transactions, {"headers": True}),
    "VWR": (bt.analyzers.VWR, BY_MINUTE),
}
OBSERVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Benchmark": (bt.observers.Benchmark, BY_MINUTE),
    "Broker": (bt.observers.Broker, {}),
    "BuySell": (bt.observers.BuySell, {}),
    "DataTrades": (bt.observers.DataTrades, {}),
    "DrawDown": (bt.observers.DrawDown, {}),
    "FundShares": (bt.observers.FundShares, {}),
    "FundValue": (bt.observers.FundValue, {}),
    "LogReturns": (bt.observers.LogReturns, BY_MINUTE),
    "TimeReturn": (bt.observers.TimeReturn, BY_MINUTE),
    "Trades": (bt.observers.Trades, {}),
}
SIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "AllInSizer": (bt.sizers.AllInSizer, {}),
    "AllInSizerInt": (bt.sizers.AllInSizerInt, {}),
    "FixedReverser": (bt.sizers.FixedReverser, {"stake": 5}),
    "FixedSize": (bt.sizers.FixedSize, {"stake": 5}),
    "FixedSizeTarget": (bt.sizers.FixedSizeTarget, {"stake": 5}),
    "PercentSizer": (bt.sizers.PercentSizer, {"percents": 7}),
    "PercentSizerInt": (bt.sizers.PercentSizerInt, {"percents": 40}),
}


def furnish(cerebro: bt.Cerebro, sizer: str) -> bt.Cerebro:
    """A Cerebro with everything in it."""
    for name, (cls, parameters) in ANALYZERS.items():
        cerebro.addanalyzer(cls, _name=name, **parameters)
    for cls, parameters in OBSERVERS.values():
        cerebro.addobserver(cls, **parameters)
    cls, parameters = SIZERS[sizer]
    cerebro.addsizer(cls, **parameters)
    cerebro.broker.setcommission(commission=0.0005)
    return cerebro


def lines_of(strategy: Any) -> dict[str, Any]:
    """What the observers of a strategy have drawn: bytes, so that NaN equals NaN."""
    return {
        f"{type(observer).__name__}.{name}": np.array(line.array[: len(strategy)], float).tobytes()
        for observer in strategy.observers
        for name, line in zip(observer.lines.getlinealiases(), observer.lines, strict=False)
    }


class Plain(bt.Strategy):
    """Buys and sells as the list says; what happens on the last bar has no order."""

    params = (("actions", ()),)

    def next(self) -> None:
        number = len(self) - 1
        if number < len(self.p.actions):
            (lambda: None, self.buy, self.sell, self.close)[self.p.actions[number]]()


def plain_run(start: int, actions: list[int], sizer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    cerebro = furnish(bt.Cerebro(stdstats=False), sizer)
    rows = slice(start, start + STEPS + 1)
    times = MARKET.timestamps[rows].astype("datetime64[ns]").astype("datetime64[us]").tolist()
    cerebro.adddata(
        ListFeed(columns={name: MARKET.column(name)[rows].tolist() for name in COLUMNS}, times=times), name=MARKET.name
    )
    cerebro.addstrategy(Plain, actions=actions)
    (strategy,) = cerebro.run()
    analyses = {name: strategy.analyzers.getbyname(name).get_analysis() for name in ANALYZERS}
    return as_plain(analyses), lines_of(strategy)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
@pytest.mark.parametrize("sizer", SIZERS)
def test_what_watches_an_episode_sees_what_it_would_in_plain_backtrader(sizer: str, fast: bool) -> None:
    drawn: list[dict[str, Any]] = []

    class Drawing(vecbt.Strategy):
        def stop(self) -> None:
            drawn.append(lines_of(self))

    envs = make(
        2,
        cerebro=furnish(bt.Cerebro(), sizer),
        strategy=Drawing,
        order_size=None,
        episode_steps=STEPS,
        fast=fast,
        autoreset_mode="Disabled",
    )
    _, infos = envs.reset(seed=3)
    actions = np.random.default_rng(1).choice(4, (STEPS, 2), p=(0.6, 0.2, 0.1, 0.1))
    for action in actions:
        envs.step(action)
    for env, stat in enumerate(envs.get_stat()):
        analyses, lines = plain_run(int(infos["start"][env]), actions[:, env].tolist(), sizer)
        assert set(stat["analyzers"]) == set(ANALYZERS)
        for name, analysis in analyses.items():
            assert repr(stat["analyzers"][name]) == repr(analysis), name  # in which NaN equals NaN
        assert drawn[env] == lines
        assert analyses["TradeAnalyzer"]["total"]["total"] > 3
    envs.close()
