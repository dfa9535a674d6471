"""Several streams of bars through the engines: what strategies and agents see of them, and when."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import backtrader as bt
import gymnasium
import numpy as np
import pytest

import vecbt
from tests.envs import flat, make, rollout
from tests.test_lookahead import pick
from vecbt.data.align import align_bars
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.synthetic import synthetic_market

QUARTER = 15 * 60_000_000_000
MINUTES = synthetic_market(700, seed=11, name="MINUTES")
MINUTES_OF_ANOTHER = synthetic_market(700, seed=12)
FEATURES = ("close", "QUARTER.close", "close / QUARTER.sma(2) - 1", "QUARTER.rsi(2)")

ENGINES: dict[str, dict[str, Any]] = {
    "fast": {"engine": "cerebro"},
    "stock": {"engine": "cerebro", "fast": False},
    "compiled": {"engine": "compiled"},
}


def quarters(minutes: Bars) -> Bars:
    """The bars of quarters of an hour that these minutes make; the last one may not have ended yet."""
    ends = -(-minutes.timestamps // QUARTER) * QUARTER
    stamps, first = np.unique(ends, return_index=True)
    last = np.append(first[1:], len(ends)) - 1
    return Bars.from_arrays(
        stamps,
        minutes.open[first],
        np.maximum.reduceat(minutes.high, first),
        np.minimum.reduceat(minutes.low, first),
        minutes.close[last],
        np.add.reduceat(minutes.volume, first),
    )


def joined(assets: int = 1) -> AlignedBars:
    """One or two assets, which have not all minutes in common, and quarters of an hour of the first."""
    other = MINUTES_OF_ANOTHER
    rows = np.arange(len(other)) % 37 != 5
    gappy = Bars.from_arrays(other.timestamps[rows], *(other.column(name)[rows] for name in other.columns))
    streams = {"EURUSD": MINUTES, "USDJPY": gappy, "QUARTER": quarters(MINUTES)}
    if assets == 1:
        del streams["USDJPY"]
    return align_bars(streams, asof=["QUARTER"])


@pytest.mark.parametrize("assets", [1, 2])
@pytest.mark.parametrize("normalize", [None, "window", "train"])
def test_both_engines_see_the_same_of_several_streams(normalize: str | None, assets: int) -> None:
    settings: dict[str, Any] = {"data": joined(assets), "features": FEATURES, "normalize": normalize, "order_size": 3}
    rollouts = [rollout(make(4, **settings, **engine), 30) for engine in ENGINES.values()]
    assert rollouts[0] == rollouts[1] == rollouts[2]


def test_columns_in_the_price_of_an_asset_are_divided_by_its_close() -> None:
    data = joined(2)
    names = ("EURUSD.open", "USDJPY.open", "QUARTER.open")
    envs = make(4, data=data, features=names, window=20, normalize="window", engine="compiled", order_size=3)
    observations, infos = envs.reset(seed=1)
    for observation, bar in zip(observations, infos["bar"], strict=True):
        values = np.stack([data.column(name)[bar - 19 : bar + 1] for name in names], axis=1)
        for column, asset in enumerate(data.assets):
            expected = values[:, column] / data.column(f"{asset}.close")[bar] - 1.0
            assert observation[:, column].tolist() == expected.astype(np.float32).tolist()
        scaled = (values[:, 2] - values[:, 2].mean()) / values[:, 2].std()
        np.testing.assert_allclose(observation[:, 2], scaled, rtol=1e-5)
    envs.close()


def test_the_window_shows_what_is_known_at_each_row() -> None:
    data = joined()
    envs = make(4, data=data, features=FEATURES[:2], window=20)
    observations, infos = envs.reset(seed=1)
    for observation, bar in zip(observations, infos["bar"], strict=True):
        rows = slice(bar - 19, bar + 1)
        for column, name in enumerate(("EURUSD.close", "QUARTER.close")):
            assert observation[:, column].tolist() == data.column(name)[rows].astype(np.float32).tolist()
    envs.close()


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
def test_strategies_read_joined_streams_as_lines_of_the_first_asset(fast: bool) -> None:
    class Reading(vecbt.Strategy):
        info_keys = ("close", "volume", "average")

        def set_datalines(self) -> None:
            self.average = bt.indicators.SMA(self.data.QUARTER_close, period=2)

        def get_info(self) -> dict[str, float]:
            lines = self.data.lines
            return {"close": lines.QUARTER_close[0], "volume": lines.QUARTER_volume[0], "average": self.average[0]}

    data = joined()
    close, volume = (data.column(f"QUARTER.{name}") for name in ("close", "volume"))
    envs = make(3, data=data, strategy=Reading, fast=fast)
    _, infos = envs.reset(seed=0)
    for _ in range(20):
        bar = infos["bar"]
        assert infos["close"].tolist() == close[bar].tolist()
        assert infos["volume"].tolist() == volume[bar].tolist()
        assert infos["average"].tolist() == ((close[bar - 1] + close[bar]) / 2.0).tolist()
        infos = envs.step(np.zeros(3, np.int64))[-1]
    envs.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_another_future_of_all_streams_changes_nothing(engine: str) -> None:
    row = 330
    data = joined(2)
    known_at = data.timestamps[row]
    random = np.random.default_rng(5)
    others = {}
    for name, part in data.streams.items():
        factor = np.where(part.timestamps > known_at, np.exp(random.normal(0.0, 0.2, len(part))), 1.0)
        columns = {column: part.column(column) * factor for column in ("open", "high", "low", "close")}
        others[name] = Bars.from_arrays(part.timestamps, **columns, volume=part.volume * factor)
    settings: dict[str, Any] = {"features": FEATURES, "episode_steps": 60, "order_size": 3, **ENGINES[engine]}
    batches = [make(24, data=one, **settings) for one in (data, align_bars(others, asof=["QUARTER"]))]
    results = [envs.reset(seed=6) for envs in batches]
    compared = on_the_row = changed = 0
    for _ in range(140):
        first, second = results
        bars = first[-1]["bar"]
        for env in range(24):
            if bars[env] <= row:
                assert pick(first, env) == pick(second, env)
                compared += 1
                on_the_row += bars[env] == row
            else:
                changed += pick(first, env) != pick(second, env)
        action = random.integers(0, 4, (24, 2))
        results = [envs.step(action) for envs in batches]
    assert compared > 300
    assert on_the_row > 3
    assert changed > 300
    for envs in batches:
        envs.close()


def of_a_mapping() -> Any:
    return {"EURUSD": MINUTES.to_frame()}


def of_a_domain() -> Any:
    return vecbt.RandomDomain({"EURUSD": MINUTES})


@pytest.mark.parametrize("data", [of_a_mapping, of_a_domain])
def test_a_mapping_is_aligned_wherever_data_go(data: Callable[[], Any]) -> None:
    expected = rollout(make(data=MINUTES, features=("close", "sma(4)")), 25)
    assert rollout(make(data=data(), features=("close", "EURUSD.sma(4)")), 25) == expected
    assert rollout(make(data=data(), features=("EURUSD.close", "sma(4)"), num_workers=1), 25) == expected
    assert rollout(make(data=copy.deepcopy(data()), features=("close", "sma(4)"), engine="compiled"), 25) == expected
    env = gymnasium.make("vecbt/Trading-v0", data=data(), features=("EURUSD.close",), episode_steps=5)
    assert env.reset(seed=0)[0].shape == (30, 1)
    assert env.spec is not None
    env.close()


def test_a_data_server_shares_several_streams() -> None:
    data = joined(2)
    with vecbt.DataFeedServer(data) as server:
        info = server.get_info()
        assert info["columns"] == list(data.columns)
        assert info["fingerprint"] == data.fingerprint()
        sample = server.get_data({"sample_type": 0})
        assert sample is not None
        assert flat(sample.ohlc) == flat(data.ohlc)
        settings: dict[str, Any] = {"features": FEATURES, "num_workers": 1}
        assert rollout(make(data=server, **settings), 25) == rollout(make(data=data, **settings), 25)
