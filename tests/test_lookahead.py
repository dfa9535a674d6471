"""Nothing up to a bar depends on a bar after it."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import gymnasium
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, flat, make
from vecbt.data.bars import Bars
from vecbt.errors import LookAheadError


def columns_of(bars: Bars) -> dict[str, np.ndarray]:
    return {name: bars.column(name).copy() for name in ("open", "high", "low", "close", "volume")}


def with_another_future(bars: Bars, row: int, seed: int) -> Bars:
    """The same bars up to ``row``, and others after it."""
    random = np.random.default_rng(seed)
    columns = columns_of(bars)
    after = slice(row + 1, None)
    factor = np.exp(random.normal(0.0, 0.2, len(bars) - row - 1))
    for name in columns:
        columns[name][after] *= factor
    return Bars.from_arrays(bars.timestamps, **columns, name=bars.name)


class Trend(vecbt.Strategy):
    state_shape = {"trend": gymnasium.spaces.Box(-1e6, 1e6, (2,), np.float32)}  # noqa: RUF012

    def set_datalines(self) -> None:
        self.average = bt.indicators.EMA(self.data.close, period=9)
        self.strength = bt.indicators.RSI_Safe(self.data.close, period=5)

    def get_trend_state(self) -> Any:
        return [self.average[0], self.strength[0]]


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "features": {"features": ("log_return", "rsi(14)", "macd", "bollinger(20,2)", "atr", "stochastic", "close")},
    "own normalization": {"normalize": "window", "features": ("close", "volume")},
    "account": {"account_features": ("value", "max_unrealized_pnl"), "commission": 0.001, "slippage": 0.001},
    "weights": {"actions": "target_percent"},
    "strategy": {"strategy": Trend},
    "frames": {"skip_frame": 3, "latency": 2},
    "orders that wait": {"slippage": vecbt.Slippage(perc=0.002, match=False), "account_features": ("value",)},
    "several assets": {"assets": 3, "commission": 0.001, "features": ("close", "rsi(5)"), "max_exposure": 1.0},
    "weights of several assets": {"assets": 3, "actions": "target_percent", "account_features": ("exposure",)},
    "futures": {"commission": vecbt.Commission(margin=40.0, mult=3.0), "reward": "differential_sharpe"},
}


ENGINES: dict[str, dict[str, Any]] = {
    "fast": {"engine": "cerebro"},
    "stock": {"engine": "cerebro", "fast": False},
    "compiled": {"engine": "compiled"},
}


@pytest.mark.parametrize(
    ("engine", "name"),
    [(engine, name) for engine in ENGINES for name in SETTINGS if (engine, name) != ("compiled", "strategy")],
)
def test_another_future_changes_nothing(engine: str, name: str) -> None:
    settings = {"order_size": 3, **ENGINES[engine], **SETTINGS[name], "episode_steps": 40}
    # Most episodes go past this row: what looks a single bar ahead is seen on the row itself alone.
    assets, row = settings.pop("assets", 1), 130
    present = {f"asset{number}": MARKET.rows(240 * number, 240 * number + 240) for number in range(assets)}
    stamps = present["asset0"].timestamps
    present = {name: Bars.from_arrays(stamps, **columns_of(bars), name=name) for name, bars in present.items()}
    another = {name: with_another_future(bars, row, seed=9 + i) for i, (name, bars) in enumerate(present.items())}
    random = np.random.default_rng(4)
    batches = [make(24, data=data if assets > 1 else data["asset0"], **settings) for data in (present, another)]
    weights = settings.get("actions") == "target_percent"
    shape = (24, assets) if weights or assets > 1 else (24,)
    draws = [
        random.uniform(-1.0, 1.0, shape).astype(np.float32) if weights else random.integers(0, 4, shape)
        for _ in range(80)
    ]
    results = [envs.reset(seed=6) for envs in batches]
    compared = on_the_row = changed = 0
    for action in [None, *draws]:
        if action is not None:
            results = [envs.step(action) for envs in batches]
        (first, second) = results
        bars = first[-1]["bar"]
        for env in range(24):
            if bars[env] <= row:
                assert pick(first, env) == pick(second, env)
                compared += 1
                on_the_row += bars[env] == row
            else:
                changed += pick(first, env) != pick(second, env)
    assert compared > 300
    assert on_the_row > 5
    assert changed > 300  # the future was another one
    for envs in batches:
        envs.close()


def pick(result: Any, env: int) -> Any:
    """What a reset or step has returned for one environment."""

    def of(value: Any) -> Any:
        return {key: of(part) for key, part in value.items()} if isinstance(value, dict) else np.asarray(value)[env]

    return [flat(of(part)) for part in result]


def reading(offset: Any, how: str) -> type[vecbt.Strategy]:
    class Reader(vecbt.Strategy):
        def set_datalines(self) -> None:
            if how == "delay":
                self.later = self.data.close(offset)
            elif how == "feed delay":
                self.later = self.data(offset)

        def next(self) -> None:
            if how == "index":
                self.data.close[offset]
            elif how == "get":
                self.data.close.get(ago=offset)
            elif how == "datetime":
                self.data.datetime.datetime(offset)

    return Reader


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
@pytest.mark.parametrize("how", ["index", "get", "datetime", "delay", "feed delay"])
def test_reading_ahead_raises(how: str, fast: bool) -> None:
    def run() -> None:  # lines with a delay are refused when they are made, all others when they are read
        make(1, strategy=reading(1, how), fast=fast).reset(seed=0)

    with pytest.raises(LookAheadError, match="1 bar"):
        run()


def test_reading_before_the_first_bar_raises() -> None:
    # A plain buffer would wrap round to its end, which is the future.
    envs = make(1, strategy=reading(-3, "index"))
    with pytest.raises(LookAheadError, match="before the first bar"):
        envs.reset(seed=0)


@pytest.mark.parametrize("how", ["index", "get", "delay"])
def test_trusted_strategies_may_look(how: str) -> None:
    envs = make(1, strategy=reading(1, how), trusted=True)
    envs.reset(seed=0)
    envs.step([0])
    envs.close()
