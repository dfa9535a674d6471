from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import vecbt
from tests.envs import MARKET, make, rollout
from vecbt.errors import (
    ActionError,
    ClosedError,
    ConfigError,
    EpisodeError,
    TooFewBarsError,
    UnknownNameError,
    VecbtError,
)
from vecbt.kernels.layout import OrderStatus, Reason


def test_types_and_shapes() -> None:
    envs = make(5)
    observations, infos = envs.reset(seed=0)
    assert observations.shape == (5, 30, 4)
    assert observations.dtype == np.float32
    assert envs.observation_space.contains(observations)
    observations, rewards, terminations, truncations, infos = envs.step(np.zeros(5, np.int64))
    assert envs.observation_space.contains(observations)
    assert (rewards.dtype, terminations.dtype, truncations.dtype) == (np.float64, np.bool_, np.bool_)
    assert rewards.shape == terminations.shape == truncations.shape == (5,)
    for name in ("cash", "value", "drawdown", "costs", "position", "position_price"):
        assert (infos[name].dtype, infos[name].shape) == (np.float64, (5,))
        assert infos["_" + name].all()
    for name in ("bar", "start", "timestamp"):
        assert (infos[name].dtype, infos[name].shape) == (np.int64, (5,))
    assert infos["order_status"].dtype == np.int8
    envs.close()


def test_observations_are_the_window_that_ends_with_the_bar() -> None:
    envs = make(4)
    observations, infos = envs.reset(seed=2)
    for _ in range(30):
        for env in range(4):
            rows = slice(infos["bar"][env] - 29, infos["bar"][env] + 1)
            expected = np.stack([MARKET.column(name)[rows] for name in ("open", "high", "low", "close")], axis=1)
            assert (observations[env] == expected.astype(np.float32)).all()
            assert infos["timestamp"][env] == MARKET.timestamps[infos["bar"][env]] // 1_000_000_000
        observations, _, _, _, infos = envs.step(np.zeros(4, np.int64))
    envs.close()


def test_an_order_fills_at_the_next_open_and_the_step_shows_that_bar() -> None:
    envs = make(1, order_size=3)
    _, infos = envs.reset(seed=1)
    start = infos["start"][0]
    assert infos["bar"][0] == start
    _, rewards, _, _, infos = envs.step([1])
    bar = infos["bar"][0]
    assert bar == start + 1
    assert infos["position"][0] == 3.0
    assert infos["position_price"][0] == MARKET.open[bar]
    assert infos["cash"][0] == 10_000.0 - 3.0 * MARKET.open[bar]
    assert infos["value"][0] == pytest.approx(10_000.0 + 3.0 * (MARKET.close[bar] - MARKET.open[bar]))
    assert rewards[0] == np.log(infos["value"][0] / 10_000.0)
    assert infos["order_status"][0] == OrderStatus.COMPLETED
    envs.close()


def test_every_start_that_leaves_room_is_drawn() -> None:
    envs = make(64, data=MARKET.rows(0, 60), episode_steps=20)
    starts = set()
    for _ in range(40):
        _, infos = envs.reset()
        starts |= set(infos["start"].tolist())
    assert starts == set(range(29, 40))
    envs.close()


def test_without_a_length_an_episode_runs_from_the_first_possible_row_to_the_last() -> None:
    envs = make(1, data=MARKET.rows(0, 50), episode_steps=None)
    _, infos = envs.reset()
    assert infos["bar"][0] == 29
    ends = []
    for _ in range(20):
        _, _, terminations, truncations, infos = envs.step([0])
        ends.append((bool(terminations[0]), bool(truncations[0]), int(infos["bar"][0])))
    assert ends[-1] == (False, True, 49)
    assert not any(terminated or truncated for terminated, truncated, _ in ends[:-1])
    assert infos["episode_stats"]["reason"][0] == Reason.DATA_END
    envs.close()


def test_features_that_need_rows_move_the_first_observation() -> None:
    envs = make(1, data=MARKET.rows(0, 80), episode_steps=None, features=("sma(25)", "close"), window=10)
    observations, infos = envs.reset()
    assert infos["bar"][0] == 24 + 9
    assert not np.isnan(observations).any()
    envs.close()


def test_a_frame_that_meets_the_end_of_the_data_is_a_short_step() -> None:
    envs = make(1, data=MARKET.rows(0, 40), episode_steps=None, skip_frame=4)
    _, infos = envs.reset()
    bars = [int(infos["bar"][0])]
    truncated = False
    while not truncated:
        _, _, _, truncations, infos = envs.step([0])
        bars.append(int(infos["bar"][0]))
        truncated = bool(truncations[0])
    assert bars == [29, 33, 37, 39]
    envs.close()


def test_next_step_mode_resets_on_the_step_after() -> None:
    envs = make(2, episode_steps=3)
    envs.reset(seed=0)
    for _ in range(3):
        _, _, _, truncations, infos = envs.step([1, 0])
    assert truncations.all()
    last = infos["bar"]
    _, rewards, terminations, truncations, infos = envs.step([1, 1])  # ignored
    assert (infos["bar"] == infos["start"]).all()
    assert (infos["bar"] != last).all()
    assert not rewards.any()
    assert not truncations.any()
    assert not terminations.any()
    assert (infos["position"] == 0.0).all()
    assert "episode_stats" not in infos
    _, _, _, _, infos = envs.step([1, 1])
    assert (infos["bar"] == infos["start"] + 1).all()
    envs.close()


def test_same_step_mode_returns_the_last_observation_beside_the_first() -> None:
    settings: dict[str, Any] = {"episode_steps": 3, "account_features": ("value",)}
    same, after = make(2, autoreset_mode=AutoresetMode.SAME_STEP, **settings), make(2, **settings)
    same.reset(seed=0)
    after.reset(seed=0)
    for _ in range(3):
        got, expected = same.step([1, 2]), after.step([1, 2])
    observations, rewards, _, truncations, infos = got
    assert truncations.all()
    assert (rewards == expected[1]).all()
    assert infos["_final_obs"].all()
    for key in ("market", "account"):
        assert (infos["final_obs"][key] == expected[0][key]).all()
    for name in ("cash", "value", "bar", "position", "order_status"):
        assert (infos["final_info"][name] == expected[4][name]).all()
    for name, values in expected[4]["episode_stats"].items():
        assert np.array_equal(infos["final_info"]["episode_stats"][name], values, equal_nan=values.dtype == float)
    following = after.step([0, 0])
    assert (observations["market"] == following[0]["market"]).all()
    assert (infos["bar"] == following[4]["bar"]).all()
    same.close()
    after.close()


def test_disabled_mode_waits_for_a_partial_reset() -> None:
    envs = make(3, autoreset_mode=AutoresetMode.DISABLED, episode_steps=2)
    _, infos = envs.reset(seed=0)
    envs.step([0, 0, 0])
    _, _, _, truncations, infos = envs.step([1, 0, 0])
    assert truncations.all()
    with pytest.raises(EpisodeError, match="environments 0, 1, 2"):
        envs.step([0, 0, 0])
    before = infos
    options = {"reset_mask": np.array([True, False, True])}
    _, infos = envs.reset(options=options)
    assert list(options) == ["reset_mask"]  # the caller's own
    assert infos["_bar"].tolist() == [True, False, True]
    assert infos["bar"][1] == before["bar"][1]
    assert infos["bar"][0] == infos["start"][0]
    with pytest.raises(EpisodeError, match="environments 1:"):
        envs.step([0, 0, 0])
    envs.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_partial_reset_leaves_other_rows_as_they_are(mode: AutoresetMode) -> None:
    envs, untouched = (make(2, autoreset_mode=mode, episode_steps=50) for _ in range(2))
    for batch in (envs, untouched):
        batch.reset(seed=4)
        batch.step([1, 1])
    envs.reset(options={"reset_mask": np.array([False, True])})
    for _ in range(5):
        got, expected = envs.step([2, 0]), untouched.step([2, 0])
        assert (got[0][0] == expected[0][0]).all()
        assert got[1][0] == expected[1][0]
        assert got[4]["value"][0] == expected[4]["value"][0]
    assert got[4]["bar"][1] != expected[4]["bar"][1]
    envs.close()
    untouched.close()


def test_seeds() -> None:
    envs = make(3)
    assert envs.np_random_seed == (None, None, None)
    first = envs.reset(seed=10)[1]["start"]
    assert envs.np_random_seed == (10, 11, 12)
    assert (envs.reset(seed=[10, 11, 12])[1]["start"] == first).all()
    second = envs.reset()[1]["start"]
    assert (second != first).any()
    assert envs.np_random_seed == (10, 11, 12)
    shifted = envs.reset(seed=11)[1]["start"]
    assert (shifted[:2] == first[1:]).all()  # environment i has the seed s + i
    mixed = envs.reset(seed=[10, None, 2**100])[1]["start"]
    assert mixed[0] == first[0]
    assert envs.np_random_seed == (10, 12, 2**100)
    envs.close()


def test_automatic_and_explicit_resets_go_through_the_same_episodes() -> None:
    automatic, explicit = make(2, episode_steps=2), make(2, episode_steps=2)
    starts = [automatic.reset(seed=5)[1]["start"].tolist()]
    for _ in range(9):
        infos = automatic.step([0, 0])[4]
        if (infos["bar"] == infos["start"]).all():
            starts.append(infos["start"].tolist())
    expected = [explicit.reset(seed=5)[1]["start"].tolist()]
    expected += [explicit.reset()[1]["start"].tolist() for _ in range(len(starts) - 1)]
    assert len(starts) == 4
    assert starts == expected
    automatic.close()
    explicit.close()


def test_unseeded_batches_differ() -> None:
    first, second = make(8), make(8)
    assert (first.reset()[1]["start"] != second.reset()[1]["start"]).any()
    first.close()
    second.close()


def test_results_belong_to_the_caller() -> None:
    envs = make(2, account_features=("value",))
    envs.reset(seed=0)
    kept = envs.step([1, 2])
    copies = copy.deepcopy(kept)
    for _ in range(30):
        envs.step([2, 1])
    for got, expected in zip(kept[1:4], copies[1:4], strict=True):
        assert (got == expected).all()
    assert (kept[0]["market"] == copies[0]["market"]).all()
    assert all((kept[4][name] == copies[4][name]).all() for name in copies[4])
    envs.close()


def test_without_copies_observations_are_views_and_flags_are_not() -> None:
    envs = make(2, copy=False)
    observations, infos = envs.reset(seed=0)
    following, rewards, _, _, _ = envs.step([1, 2])
    assert np.shares_memory(observations, following)
    assert np.shares_memory(infos["value"], envs.step([0, 0])[4]["value"])
    kept = rewards.copy()
    envs.step([2, 1])
    assert (rewards == kept).all()
    envs.close()


@pytest.mark.parametrize(("infos", "keys"), [("none", set()), ("episode", {"episode_stats", "_episode_stats"})])
def test_fewer_infos(infos: str, keys: set[str]) -> None:
    envs = make(2, infos=infos, episode_steps=2)
    assert envs.reset(seed=0)[1] == {}
    assert envs.step([1, 0])[4] == {}
    assert set(envs.step([1, 0])[4]) == keys
    envs.close()


def test_episode_statistics() -> None:
    envs = make(2, episode_steps=40, commission=0.001, order_size=5)
    _, infos = envs.reset(seed=8)
    rewards, values = np.zeros(2), [infos["value"]]
    for step in range(40):
        _, reward, _, truncations, infos = envs.step([(1, 0, 3, 0)[step % 4], 0])
        rewards += reward
        values.append(infos["value"])
    stats = infos["episode_stats"]
    assert truncations.all()
    assert infos["_episode_stats"].all()
    assert (stats["r"] == rewards).all()
    assert stats["l"].tolist() == stats["bars"].tolist() == [40, 40]
    assert (stats["value"] == infos["value"]).all()
    assert (stats["total_return"] == infos["value"] / 10_000.0 - 1.0).all()
    curve = np.array(values)
    peaks = np.maximum.accumulate(curve, axis=0)
    assert (stats["max_drawdown"] == (100.0 * (peaks - curve) / peaks).max(axis=0)).all()
    assert stats["trades"].tolist() == [10, 0]
    assert stats["exposure"].tolist() == [0.5, 0.0]
    assert (stats["costs"] == infos["costs"]).all()
    assert stats["costs"][0] > 0.0
    assert stats["reason"].tolist() == [Reason.STEP_LIMIT] * 2
    assert stats["open"].tolist() == [False, False]
    assert (stats["start"] == infos["start"]).all()
    assert (stats["end"] == infos["bar"]).all()
    envs.close()


def test_calls_terminate() -> None:
    falling = np.linspace(100.0, 60.0, 300)
    bars = vecbt.data.Bars.from_arrays(
        MARKET.timestamps[:300], falling, falling + 0.1, falling - 0.2, falling - 0.1, name="FALL"
    )
    envs = make(2, data=bars, drawdown_call=5.0, target_call=3.0, order_size="90%", episode_steps=200)
    envs.reset(seed=0)
    ended: dict[int, tuple[int, float]] = {}
    for _ in range(200):
        _, _, terminations, truncations, infos = envs.step([1 if not ended else 0, 2 if not ended else 0])
        for env in np.flatnonzero(terminations):
            ended.setdefault(int(env), (int(infos["episode_stats"]["reason"][env]), float(infos["drawdown"][env])))
        if len(ended) == 2:
            break
        assert not truncations.any()
    assert ended[0][0] == Reason.DRAWDOWN_CALL
    assert ended[0][1] >= 5.0
    assert ended[1][0] == Reason.TARGET_CALL
    envs.close()


def test_close_out_realizes_the_result_on_the_last_bar() -> None:
    left, closed = make(1, episode_steps=5, order_size=2), make(1, episode_steps=5, order_size=2, close_out=True)
    for envs in (left, closed):
        envs.reset(seed=3)
        for _ in range(5):
            _, _, _, truncations, infos = envs.step([1])
        assert truncations[0]
        stats = infos["episode_stats"]
        if envs is left:
            assert infos["position"][0] == 10.0
            assert stats["open"][0]
        else:
            assert infos["position"][0] == 0.0
            assert not stats["open"][0]
            assert stats["trades"][0] == 1
            assert infos["bar"][0] == infos["start"][0] + 5
            assert infos["cash"][0] == infos["value"][0]
        envs.close()


def test_close_out_after_a_call_takes_one_bar_more() -> None:
    falling = np.linspace(100.0, 60.0, 300)
    bars = vecbt.data.Bars.from_arrays(
        MARKET.timestamps[:300], falling, falling + 0.1, falling - 0.2, falling - 0.1, name="FALL"
    )
    plain, closing = (
        make(1, data=bars, drawdown_call=5.0, order_size="90%", episode_steps=200, close_out=flag)
        for flag in (False, True)
    )
    ends = []
    for envs in (plain, closing):
        envs.reset(seed=0)
        terminated = False
        action = 1
        while not terminated:
            _, _, terminations, _, infos = envs.step([action])
            action = 0
            terminated = bool(terminations[0])
        ends.append((int(infos["bar"][0]), float(infos["position"][0]), int(infos["episode_stats"]["reason"][0])))
        envs.close()
    assert ends[1][0] == ends[0][0] + 1
    assert ends[0][1] > 0.0
    assert ends[1][1] == 0.0
    assert ends[0][2] == ends[1][2] == Reason.DRAWDOWN_CALL


def test_skipped_bars_are_tested_for_calls() -> None:
    wild = make(1, drawdown_call=0.05, skip_frame=7, order_size="90%", episode_steps=40)
    wild.reset(seed=0)
    bars = [0]
    terminated = False
    while not terminated:
        _, _, terminations, _, infos = wild.step([1])
        bars.append(int(infos["bar"][0] - infos["start"][0]))
        terminated = bool(terminations[0])
    assert bars[-1] - bars[-2] <= 7
    assert set(np.diff(bars[:-1])) <= {7}
    assert infos["drawdown"][0] >= 0.05
    wild.close()


def test_exposure_is_refused_before_the_broker() -> None:
    envs = make(1, max_exposure=1.0, order_size="60%", episode_steps=30)
    envs.reset(seed=0)
    _, _, _, _, infos = envs.step([2])
    assert infos["order_status"][0] == OrderStatus.COMPLETED
    held = infos["position"][0]
    _, _, _, _, infos = envs.step([2])
    assert infos["order_status"][0] == OrderStatus.REFUSED
    assert infos["position"][0] == held
    _, _, _, _, infos = envs.step([1])  # it only reduces the position
    assert infos["position"][0] == 0.0
    envs.close()


def test_latency_delays_the_fill() -> None:
    envs = make(1, latency=2, order_size=1)
    envs.reset(seed=0)
    positions = [envs.step([1 if step == 0 else 0])[4]["position"][0] for step in range(5)]
    assert positions == [0.0, 0.0, 1.0, 1.0, 1.0]
    envs.close()


@pytest.mark.parametrize("sample_type", ["test", 1])
def test_training_and_test_rows(sample_type: Any) -> None:
    domain = vecbt.RandomDomain(MARKET, test_period=500)
    envs = make(16, data=domain)
    for _ in range(10):
        _, infos = envs.reset()
        assert infos["bar"].max() + 20 < 2_500
    _, infos = envs.reset(options={"sample_type": sample_type})
    assert infos["bar"].min() >= 2_500
    for _ in range(21):
        infos = envs.step(np.zeros(16, np.int64))[4]
    assert infos["bar"].min() >= 2_500  # automatic resets keep to it
    assert envs.reset(options={"sample_type": "train"})[1]["bar"].max() + 20 < 2_500
    envs.close()


def test_a_batch_steps_on_after_a_refused_action() -> None:
    envs, other = make(2), make(2)
    envs.reset(seed=0)
    other.reset(seed=0)
    with pytest.raises(ActionError):
        envs.step([1, 9])
    assert (envs.step([1, 2])[0] == other.step([1, 2])[0]).all()
    envs.close()
    other.close()


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 4, 0], "action 4 of environment 1 is not in 0 to 3"),
        ([0, 0, -1], "action -1 of environment 2 is not in 0 to 3"),
        ([0, 0], r"shape \(3,\), one for each environment, got \(2,\)"),
        (0, r"shape \(3,\)"),
        ([[0], [0], [0], [0]], "shape"),
        ([0.0, 1.0, 2.0], "whole numbers"),
        ([None, 1, 2], "whole numbers"),
    ],
)
def test_bad_discrete_actions(actions: Any, message: str) -> None:
    envs = make(3)
    envs.reset(seed=0)
    with pytest.raises(ActionError, match=message):
        envs.step(actions)
    envs.close()


@pytest.mark.parametrize(
    ("weight", "message"), [(np.nan, "action nan of environment 1"), (1.5, "environment 1 is not in -1 to 1")]
)
def test_bad_weights(weight: float, message: str) -> None:
    envs = make(2, actions="target_percent")
    envs.reset(seed=0)
    with pytest.raises(ActionError, match=message):
        envs.step(np.array([[0.5], [weight]], np.float32))
    envs.close()


def test_calls_in_the_wrong_order() -> None:
    envs = make(2)
    with pytest.raises(EpisodeError, match=r"call reset\(\) first"):
        envs.step([0, 0])
    with pytest.raises(EpisodeError, match="reset all"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.close()
    envs.close()
    with pytest.raises(ClosedError):
        envs.step([0, 0])
    with pytest.raises(ClosedError):
        envs.reset()


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"seed": -1}, ConfigError, "whole number from 0"),
        ({"seed": [1]}, ConfigError, "one for each of 2"),
        ({"seed": [1, "a"]}, ConfigError, "'a'"),
        ({"options": {"reset_maks": None}}, UnknownNameError, "did you mean 'reset_mask'"),
        ({"options": {"reset_mask": [True]}}, ConfigError, r"shape \(2,\)"),
        ({"options": {"reset_mask": np.zeros(2, bool)}}, ConfigError, "at least one True"),
        ({"options": {"sample_type": "trial"}}, ConfigError, "'train'"),
        ({"options": {"sample_type": 1}}, ConfigError, "test_period"),
    ],
)
def test_bad_resets(keywords: Any, error: type[VecbtError], message: str) -> None:
    envs = make(2)
    with pytest.raises(error, match=message):
        envs.reset(**keywords)
    envs.close()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_envs": 0}, ConfigError, "num_envs must be a whole number of at least 1, got 0"),
        ({"num_envs": True}, ConfigError, "num_envs"),
        ({"num_workers": -1}, ConfigError, "num_workers"),
        ({"timeout": 0}, ConfigError, "timeout"),
        ({"engine": "cerebrum"}, UnknownNameError, "did you mean 'cerebro'"),
        ({"autoreset_mode": "NextStop"}, UnknownNameError, "NextStep"),
        ({"widow": 3}, UnknownNameError, "did you mean 'window'"),
        ({"window": 5_000}, TooFewBarsError, "window of 5000 bars"),
        ({"episode_steps": 5_000}, TooFewBarsError, "an episode needs 5001"),
        ({"features": ("closs",)}, UnknownNameError, "did you mean 'close'"),
        ({"reward": "logreturn"}, UnknownNameError, "log_return"),
        ({"order_size": 500}, ConfigError, "does not pay for one order"),
        ({"order_size": "0.1%"}, ConfigError, "less than one lot"),
        ({"order_size": (1, 2)}, ConfigError, "2 sizes for 1 assets"),
    ],
)
def test_bad_settings(settings: Any, error: type[VecbtError], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**{"num_envs": 2, **settings})


def test_arguments_survive_copies_and_pickles() -> None:
    config = vecbt.EnvConfig(window=7, commission=vecbt.Commission(rate=0.1, per_unit=True))
    for value in (config, vecbt.RandomDomain(MARKET, test_period=100)):
        for twin in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert type(twin) is type(value)
    assert pickle.loads(pickle.dumps(config)) == config
    envs = make(2, data=copy.deepcopy(vecbt.RandomDomain(MARKET, test_period=100)))
    envs.close()


def test_gymnasium_makes_batches() -> None:
    envs = gymnasium.make_vec("vecbt:vecbt/Trading-v0", num_envs=3, data=MARKET, engine="cerebro", num_workers=0)
    assert isinstance(envs.unwrapped, vecbt.TradingVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.reset(seed=1)[0].shape == (3, 30, 4)
    envs.close()


def test_the_same_seed_gives_the_same_rollout() -> None:
    first, second = make(3, commission=0.001), make(3, commission=0.001)
    assert rollout(first, 60) == rollout(second, 60) == rollout(first, 60)
    assert rollout(second, 60, seed=4) != rollout(first, 60)
    first.close()
    second.close()
