"""A recorded episode on Backtrader by itself: stock Cerebro, broker and feeds, none of the environments' machinery."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from vecbt.arrays import AnyArray, FloatArray, IntArray
from vecbt.brokers.cerebro.build import configure_broker
from vecbt.config import EnvConfig, percent_of
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.checks import OHLC
from vecbt.errors import ConfigError
from vecbt.runs.stock_strategy import ReplayStrategy
from vecbt.spaces import ActionDictSpace

__all__ = ["StockRun", "run_stock"]

_INSTRUCTIONS = ("hold", "buy", "sell", "close")


@dataclasses.dataclass(frozen=True)
class StockRun:
    """What stock Backtrader made of an episode of L steps, in an account of K assets.

    Attributes:
        rows: int64 (L + 1,), rows of the data set.
        cash: float64 (L + 1,), in currency.
        values: float64 (L + 1,), in currency.
        costs: float64 (L + 1,), commission paid so far, in currency.
        positions: float64 (L + 1, K), units.
        position_prices: float64 (L + 1, K), average price.
        statuses: int8 (L + 1, K), `vecbt.kernels.layout.OrderStatus`.
        ohlc: float64 (B, K, 4), the bars that its feeds have shown.
        reason: `vecbt.kernels.layout.Reason` of the episode's end, but `DATA_END` for any that was foreseen.
        cerebro: The Cerebro that has run.
    """

    rows: IntArray
    cash: FloatArray
    values: FloatArray
    costs: FloatArray
    positions: FloatArray
    position_prices: FloatArray
    statuses: AnyArray
    ohlc: FloatArray
    reason: int
    cerebro: Any


def run_stock(
    bars: Bars | AlignedBars, config: EnvConfig, actions: AnyArray, start: int, end: int, *, observers: bool = False
) -> StockRun:
    """Run the orders of an episode's actions in a plain ``backtrader.Cerebro``.

    Args:
        bars: The data.
        config: The environment's settings.
        actions: (L, ...), what each step was given; a run that lasts longer goes on with the last one.
        start: Row of the first observation.
        end: Row of the last bar, unless a call or ruin ends the episode before.
        observers: Whether Cerebro has observers of cash, value, trades, buys and sells, which plots show.

    Raises:
        ConfigError: If a setting asks for what stock Backtrader has not.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(100, seed=0)
        >>> run = run_stock(market, EnvConfig(order_size=2.0), np.array([1, 0, 3, 0]), start=40, end=44)
        >>> run.positions[:, 0]
        array([0., 2., 2., 0., 0.])
    """
    _check(config)
    several = dict(bars.by_asset) if isinstance(bars, AlignedBars) else {bars.name: bars}
    cerebro = bt.Cerebro(stdstats=False)
    if observers:
        cerebro.addobserver(bt.observers.Broker)
        cerebro.addobserver(bt.observers.Trades)
        cerebro.addobservermulti(bt.observers.BuySell)  # at the prices of the fills; by default 1.5 % off the bar
    configure_broker(cerebro.broker, config, tuple(several))
    for name, own in several.items():
        cerebro.adddata(_feed(own, start, end), name=name)
    closes = [float(own.close[start]) for own in several.values()]
    sizes = [
        _units(size, close, config) for size, close in zip(config.order_sizes(tuple(several)), closes, strict=True)
    ]
    decisions = [_orders_of(config, sizes, row) for row in np.reshape(actions, (len(actions), len(several))).tolist()]
    cerebro.addstrategy(ReplayStrategy, config=config, decisions=decisions, bars=end - start)
    (strategy,) = cerebro.run()
    columns = [np.array(column) for column in zip(*strategy.records, strict=True)]
    rows, cash, values, costs, positions, prices, statuses = columns
    lines = [[getattr(feed, name).get(ago=0, size=len(strategy)) for name in OHLC] for feed in strategy.datas]
    return StockRun(
        rows=rows + start,
        cash=cash,
        values=values,
        costs=costs,
        positions=positions,
        position_prices=prices,
        statuses=statuses.astype(np.int8),
        ohlc=np.array(lines).transpose(2, 0, 1),
        reason=strategy.reason,
        cerebro=cerebro,
    )


def _check(config: EnvConfig) -> None:
    for name in ("strategy", "cerebro"):
        if getattr(config, name) is not None:
            raise ConfigError(
                f"{name}={getattr(config, name)!r} needs an environment around it, which stock Backtrader by itself "
                f"has not: replay with the engine 'cerebro'"
            )
    if config.order_size is None:
        raise ConfigError(
            "order_size=None leaves sizes to a sizer, which a stock run has not: use the engine 'cerebro'"
        )
    if isinstance(config.actions, ActionDictSpace):
        raise ConfigError("actions by the assets' names are not recorded: use actions that are arrays")


def _feed(bars: Bars, start: int, end: int) -> Any:
    columns = {name: bars.column(name)[start : end + 1] for name in ("open", "high", "low", "close", "volume")}
    index = pd.DatetimeIndex(pd.to_datetime(np.asarray(bars.timestamps)[start : end + 1], unit="ns"))
    # Bars of whole days or of minutes: plots say so.
    days, minutes = bars.interval / 86_400e9, bars.interval / 60e9
    unit = (bt.TimeFrame.Days, days) if days >= 1.0 else (bt.TimeFrame.Minutes, minutes)
    frame = pd.DataFrame(columns, index=index)
    return bt.feeds.PandasData(dataname=frame, timeframe=unit[0], compression=max(1, round(unit[1])))


def _units(size: Any, close: float, config: EnvConfig) -> float:
    if not isinstance(size, str):
        return float(size)
    return math.floor(percent_of(size) * config.start_cash / close / config.lot) * config.lot


def _orders_of(config: EnvConfig, sizes: Sequence[float], decision: Sequence[Any]) -> list[tuple[str, float]]:
    """For each asset what to do, and how much."""
    if config.action_kind == "discrete":
        return [(_INSTRUCTIONS[int(code)], size) for code, size in zip(decision, sizes, strict=True)]
    if config.action_kind == "target_position":
        return [("target_size", config.positions[int(code)] * size) for code, size in zip(decision, sizes, strict=True)]
    total = 0.0
    for weight in decision:  # not sum(), which compensates from Python 3.12 on
        total += abs(weight)
    return [("target_percent", weight / max(total, 1.0)) for weight in decision]
