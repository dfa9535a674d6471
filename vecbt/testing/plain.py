"""Plain Backtrader: the stock classes, run as its manual shows, over given bars and actions."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import backtrader as bt
import numpy as np
import pandas as pd

from vecbt.arrays import FloatArray
from vecbt.brokers.cerebro.build import configure_broker
from vecbt.config import EnvConfig

if TYPE_CHECKING:
    from vecbt.data.bars import Bars

__all__ = ["PlainRun", "run_plain"]


@dataclasses.dataclass(frozen=True)
class PlainRun:
    """What a run came to.

    Attributes:
        values: float64 (n,), the account's value at each bar's close.
        seconds: Time of Cerebro's loop alone, without loading data and starting up.
    """

    values: FloatArray
    seconds: float


class _Follow(bt.Strategy):
    """Hold, buy, sell, close, as the list says."""

    params = (("actions", ()), ("size", 1.0), ("limit", None), ("values", None), ("clock", None))

    def next(self) -> None:
        number = len(self) - 1
        if number == 0:
            self.p.clock.append(time.perf_counter())
        self.p.values.append(self.broker.getvalue())
        if number < len(self.p.actions):
            action = self.p.actions[number]
            if action == 1 and self._allowed(self.p.size):
                self.buy(size=self.p.size)
            elif action == 2 and self._allowed(-self.p.size):
                self.sell(size=self.p.size)
            elif action == 3:
                self.close()

    def _allowed(self, size: float) -> bool:
        """What ``EnvConfig.max_exposure`` means: less than before, or within the limit."""
        held = self.position.size
        if self.p.limit is None or abs(held + size) < abs(held):
            return True
        return bool(abs(held + size) * self.data.close[0] <= self.p.limit * self.broker.getvalue())

    def stop(self) -> None:
        self.p.clock.append(time.perf_counter())


def run_plain(bars: Bars, actions: Sequence[int], size: float, config: EnvConfig | None = None) -> PlainRun:
    """Run stock Cerebro (runonce, preload, no observers) over bars.

    Args:
        bars: The bars, all of which are run.
        actions: What to do at the close of each bar: 0 hold, 1 buy, 2 sell, 3 close.
        size: Units of a buy or sell.
        config: Broker settings and ``max_exposure``; those of `EnvConfig` by default.

    Returns:
        The values of the account and the time of the loop.
    """
    index = pd.DatetimeIndex(pd.to_datetime(np.asarray(bars.timestamps), unit="ns"))
    frame = pd.DataFrame({name: bars.column(name) for name in ("open", "high", "low", "close", "volume")}, index=index)
    config = config or EnvConfig()
    cerebro = bt.Cerebro(stdstats=False)
    configure_broker(cerebro.broker, config)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    values: list[float] = []
    clock: list[float] = []
    # Plain numbers: what a strategy would have written down.
    plan: list[Any] = [int(action) for action in actions]
    cerebro.addstrategy(_Follow, actions=plan, size=size, limit=config.max_exposure, values=values, clock=clock)
    cerebro.run()
    return PlainRun(np.array(values), clock[1] - clock[0])
