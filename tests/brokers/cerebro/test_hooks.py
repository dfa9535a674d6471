"""Observations of any shape, and what becomes of hooks that return something else than they should."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import pytest
from gymnasium import spaces

import vecbt
from tests.envs import MARKET, flat, make, rollout
from vecbt.config import ACCOUNT_FEATURES
from vecbt.errors import ConfigError, StrategyError

both_modes = pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])


class Rich(vecbt.Strategy):
    """Observations of many shapes and types, whose sizes its parameters decide."""

    params = (("periods", (3, 7)),)
    lookback = 1

    def set_datalines(self) -> None:
        self.averages = [bt.indicators.SMA(self.data.close, period=period) for period in self.p.periods]
        self.state_shape = {
            "trend": {
                "gaps": spaces.Box(-1e3, 1e3, (2, len(self.p.periods), 1), np.float64),
                "sides": spaces.MultiBinary(len(self.p.periods)),
                "calendar": spaces.Dict(hour=spaces.Discrete(24), weekday=spaces.Discrete(7)),
            },
            "pixels": spaces.Box(0, 255, (4,), np.uint8),
            "close": spaces.Box(0.0, 1e6, (), np.float32),
            "choices": spaces.MultiDiscrete([3, 5]),
        }

    def get_trend_state(self) -> Any:
        now = self.data.datetime.datetime(0)
        gaps = [[[self.data.close[-ago] - average[-ago]] for average in self.averages] for ago in (1, 0)]
        sides = [self.data.close[0] > average[0] for average in self.averages]
        return {"gaps": gaps, "sides": sides, "calendar": {"hour": now.hour, "weekday": now.weekday()}}

    def get_pixels_state(self) -> Any:
        return [self.episode.bar % 256, 0, 255, self.episode.step]

    def get_close_state(self) -> float:
        return self.data.close[0]

    def get_choices_state(self) -> Any:
        return np.array([self.episode.step % 3, 4], np.int32)


@both_modes
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_observations_of_any_shape(fast: bool, mode: str) -> None:
    envs = make(3, strategy=(Rich, {"periods": (3, 7, 11)}), fast=fast, autoreset_mode=mode, episode_steps=6)
    space = envs.single_observation_space
    assert space["trend"]["gaps"].shape == (2, 3, 1)
    observations, infos = envs.reset(seed=1)
    for _ in range(8):
        assert envs.observation_space.contains(observations)
        for env, bar in enumerate(infos["bar"].tolist()):
            trend = observations["trend"]
            gaps = [
                [MARKET.close[now] - np.mean(MARKET.close[now - period + 1 : now + 1]) for period in (3, 7, 11)]
                for now in (bar - 1, bar)
            ]
            np.testing.assert_allclose(trend["gaps"][env, :, :, 0], gaps, atol=1e-9)
            assert trend["sides"][env].tolist() == [int(gap > 0.0) for gap in gaps[1]]
            time = MARKET.timestamps[bar].astype("datetime64[ns]").astype("datetime64[s]").item()
            assert trend["calendar"]["hour"][env] == time.hour
            assert trend["calendar"]["weekday"][env] == time.weekday()
            assert observations["pixels"][env, :3].tolist() == [bar % 256, 0, 255]
            assert observations["close"][env] == np.float32(MARKET.close[bar])
        observations, _, _, truncations, infos = envs.step([0, 1, 2])
        if mode == "SameStep" and truncations.all():
            assert envs.observation_space.contains(infos["final_obs"])
            assert (infos["final_obs"]["pixels"][:, 3] == 6).all()
            assert (observations["pixels"][:, 3] == 0).all()
    envs.close()


def test_they_are_the_same_whatever_runs_them() -> None:
    batches = [make(4, strategy=Rich, num_workers=workers, copy=copy) for workers, copy in ((0, True), (2, False))]
    first, second = (rollout(envs, 45) for envs in batches)
    assert first == second
    for envs in batches:
        envs.close()


def test_the_single_environment_has_elements_of_its_space() -> None:
    env = vecbt.TradingEnv(MARKET, strategy=Rich)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert type(observation["trend"]["calendar"]["hour"]) is np.int64
    assert observation["close"].shape == ()
    kept = flat(observation)
    env.step(0)
    assert flat(observation) == kept
    env.close()


def test_a_strategy_may_show_everything_itself() -> None:
    class Own(vecbt.Strategy):
        state_shape: ClassVar = {"market": spaces.Box(0.0, 1e6, (2,), np.float32)}
        lookback = 1

        def get_market_state(self) -> Any:
            return [self.data.close[0], self.data.close[-1]]

    for settings in ({"window": 0}, {"window": 5}):
        envs = make(2, strategy=Own, **settings)
        observations, infos = envs.reset(seed=0)
        assert list(observations) == ["market"]
        assert (observations["market"][:, 0] == MARKET.close[infos["bar"]].astype(np.float32)).all()
        envs.close()


def shows(space: Any, value: Any) -> type[vecbt.Strategy]:
    class Shows(vecbt.Strategy):
        state_shape: ClassVar = {"x": space}

        def get_x_state(self) -> Any:
            return value

    return Shows


BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
BYTES = spaces.Box(0, 255, (2,), np.uint8)


@pytest.mark.parametrize(
    ("space", "value", "message"),
    [
        (BOX, [1.0], r"Shows.get_x_state\(\) returned an array of shape \(1,\); state_shape\['x'\] says \(2,\)"),
        (BOX, None, r"returned an array of shape \(\)"),
        (BOX, [[1.0], [1.0, 2.0]], "returned no array"),
        (BOX, ["a", "b"], "returned <U1 numbers"),
        (BOX, [0.0, 1.5], r"returned numbers from 0.0 to 1.5; state_shape\['x'\] is Box"),
        (BOX, [0.0, float("nan")], "returned numbers from nan to nan|returned nan"),
        (BYTES, [0.5, 1.0], "returned float64 numbers; .* says uint8"),
        (BYTES, [256, 0], "returned numbers from 0 to 256"),
        (spaces.Discrete(3), 3, "returned 3; .* is Discrete"),
        (spaces.Dict(a=BOX), [0.0, 0.0], r"returned nothing for 'a', which state_shape\['x'\]\['a'\] names"),
        (spaces.Dict(a=BOX), {"b": [0.0, 0.0]}, "returned nothing for 'a'"),
        (spaces.Dict(a=BOX), {"a": [0.0, 2.0]}, r"returned numbers from 0.0 to 2.0; state_shape\['x'\]\['a'\] is"),
    ],
)
def test_observations_that_are_not_what_state_shape_says(space: Any, value: Any, message: str) -> None:
    envs = make(2, strategy=shows(space, value))
    with pytest.raises(StrategyError, match=message):
        envs.reset(seed=0)
    envs.close()


def test_whole_numbers_never_wrap_round() -> None:
    class Counts(vecbt.Strategy):
        state_shape: ClassVar = {"x": BYTES}

        def get_x_state(self) -> Any:
            return [254 + self.episode.step, 0]

    envs = make(1, strategy=Counts)
    envs.reset(seed=0)
    envs.step([0])
    with pytest.raises(StrategyError, match="returned numbers from 0 to 256"):
        envs.step([0])
    envs.close()


def returns(method: str, value: Any, keys: tuple[str, ...] = ()) -> type[vecbt.Strategy]:
    return type("Returns", (vecbt.Strategy,), {method: lambda self: value, "info_keys": keys})


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (returns("get_reward", None), r"Returns.get_reward\(\) returned None; a reward is a finite number"),
        (returns("get_reward", [1.0, 2.0]), r"returned \[1.0, 2.0\]"),
        (returns("get_done", (False, "-")), r"Returns.get_done\(\) returned \(False, '-'\); it is to say True or"),
        (returns("get_done", None), r"get_done\(\) returned None"),
        (returns("get_info", None, ("a",)), r"Returns.get_info\(\) returned None; it is to return a dictionary"),
        (returns("get_info", {"a": "x"}, ("a",)), r"get_info\(\) returned 'x' for 'a'; it is to be a number"),
    ],
)
def test_hooks_that_return_something_else(strategy: type[vecbt.Strategy], message: str) -> None:
    envs = make(2, strategy=strategy)
    with pytest.raises(StrategyError, match=message):
        rollout(envs, 1)
    envs.close()


# -- before the first episode ------------------------------------------------------------------------------------------


class Nameless(vecbt.Strategy):
    state_shape: ClassVar = {"trend": BOX}


class Shapeless(vecbt.Strategy):
    state_shape: ClassVar = (2,)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Nameless, r"Nameless.state_shape names 'trend', but there is no method get_trend_state\(\)"),
        (Shapeless, r"Shapeless.state_shape must be a dictionary of spaces by key, got \(2,\)"),
        (type("Far", (vecbt.Strategy,), {"lookback": -1}), "Far.lookback must be a whole number of at least 0, got -1"),
        (returns("get_info", {}), r"Returns has get_info\(\) but no info_keys"),
        (returns("get_x", {}, ("a",)), r"info_keys names \['a'\], but there is no get_info\(\)"),
        (returns("get_info", {}, ("a", "a")), "info_keys names 'a' twice"),
        (returns("get_info", {}, ("cash",)), "info_keys names 'cash' which has a meaning of its own"),
        (returns("get_info", {}, ("_a",)), "'_a' which has a meaning"),
        (returns("get_info", {}, "abc"), "info_keys must be a sequence of names, got 'abc'"),  # type: ignore[arg-type]
    ],
)
def test_what_is_found_when_a_batch_is_made(strategy: type[vecbt.Strategy], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(2, strategy=strategy)


@both_modes
def test_an_episode_is_there_when_indicators_are_made(fast: bool) -> None:
    seen: list[Any] = []

    class Asking(vecbt.Strategy):
        def set_datalines(self) -> None:
            own = self.episode
            account = (own.account.cash, own.account.value, own.previous.value, own.account.trades, own.drawdown)
            seen.append((own.index, own.number, own.step, own.start == own.bar < own.end, account))
            seen.append((own.np_random.random() < 1.0, self.broker_stats.realized_pnl, self.broker_stats.exposure()))

    envs = make(2, strategy=Asking, fast=fast, episode_steps=5, start_cash=5_000.0)
    fresh = (5_000.0, 5_000.0, 5_000.0, 0, 0.0)
    assert seen == [(0, 0, 0, True, fresh), (True, 0.0, 0.0)]
    del seen[:]
    envs.reset(seed=0)
    for _ in range(6):
        envs.step([1, 2])
    assert [event[:4] for event in seen[::2]] == [(index, number, 0, True) for number in (0, 1) for index in (0, 1)]
    assert {event[4] for event in seen[::2]} == {fresh}
    envs.close()


@both_modes
@pytest.mark.parametrize("lookback", [0, 1, 40])
def test_lookback(fast: bool, lookback: int) -> None:
    class Reads(vecbt.Strategy):
        info_keys = ("close", "average")

        def set_datalines(self) -> None:
            self.average = bt.indicators.SMA(self.data.close, period=5)
            self.lookback = lookback

        def get_info(self) -> dict[str, float]:
            return {"close": self.data.close[-lookback], "average": self.average[-lookback]}

        def next(self) -> None:
            assert len(self) >= 5 + lookback

    envs = make(3, strategy=Reads, fast=fast, window=1)
    infos = envs.reset(seed=0)[1]
    rows = infos["bar"] - lookback
    assert (infos["close"] == MARKET.close[rows]).all()
    assert infos["average"].tolist() == [math.fsum(MARKET.close[row - 4 : row + 1]) / 5 for row in rows]
    envs.step([0, 0, 0])
    envs.close()


# -- broker statistics -------------------------------------------------------------------------------------------------

PER_ASSET = ("exposure", "pos_direction", "pos_duration")


class Watching(vecbt.Strategy):
    info_keys = tuple(f"own_{name}" for name in ACCOUNT_FEATURES)

    def get_info(self) -> dict[str, float]:
        values = {name: getattr(self.broker_stats, name) for name in ACCOUNT_FEATURES}
        return {f"own_{name}": value() if name in PER_ASSET else value for name, value in values.items()}


@both_modes
def test_broker_statistics_are_the_account_features(fast: bool) -> None:
    envs = make(4, strategy=Watching, fast=fast, account_features=ACCOUNT_FEATURES, commission=0.001)
    observations, infos = envs.reset(seed=2)
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(45):
        for column, name in enumerate(ACCOUNT_FEATURES):
            own = infos[f"own_{name}"]
            assert (own.astype(np.float32) == observations["account"][:, column]).all()
            seen |= {(name, number) for number in own.tolist()}
        observations, _, _, _, infos = envs.step(random.integers(0, 4, 4))
    assert {name for name, number in seen if number} == set(ACCOUNT_FEATURES)
    envs.close()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_strategy_knows_whose_episode_it_is(num_workers: int) -> None:
    class Knowing(vecbt.Strategy):
        info_keys = ("own_trial", "target", "test")

        def get_info(self) -> dict[str, float]:
            own = self.episode
            assert own.trial_type in ("source", "target")
            assert own.sample_type in ("train", "test")
            return {"own_trial": own.trial, "target": own.trial_type == "target", "test": own.sample_type == "test"}

    domain = vecbt.RandomDomain(MARKET, trial=vecbt.SampleRules(duration=300, test_period=100), test_period=500)
    envs = make(3, data=domain, strategy=Knowing, episode_steps=5, num_workers=num_workers)
    seen = set()
    for kind in ("source", "target"):
        for sample in ("train", "test"):
            envs.reset(seed=1, options={"trial_type": kind, "sample_type": sample})
            for _ in range(5):
                infos = envs.step([0, 0, 0])[4]
            stats = infos["episode_stats"]
            assert infos["own_trial"].tolist() == stats["trial"].tolist()
            assert infos["target"].tolist() == stats["trial_type"].tolist() == [kind == "target"] * 3
            assert infos["test"].tolist() == stats["sample_type"].tolist() == [sample == "test"] * 3
            seen |= set(stats["trial"].tolist())
    assert len(seen) > 3
    envs.close()
