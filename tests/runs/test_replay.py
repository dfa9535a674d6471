from __future__ import annotations

import dataclasses
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from tests.runs.test_recorder import MARKET, PAIR
from vecbt.errors import ConfigError, DataError, UnknownNameError
from vecbt.runs import EpisodeRecorder, Recording, replay
from vecbt.runs.replay import REPLAY_ENGINES
from vecbt.spaces import ActionDictSpace

DOMAINS = {
    "random": vecbt.RandomDomain(MARKET, trial=vecbt.SampleRules(duration=120, test_period=40)),
    "in turn": vecbt.SequentialDomain(MARKET, trial=vecbt.SampleRules(duration=40)),
    "walk-forward": vecbt.WalkForward(MARKET, train=100, test=50),
    "causal": vecbt.CausalDomain(MARKET, trial=vecbt.SampleRules(duration=200, test_period=50), expanding=True),
}


def record(data: Any, *, seed: int = 0, episodes: int = 1, options: Any = None, **given: Any) -> list[Recording]:
    """Two environments that act at random from their given episode's beginning to its end."""
    envs = vecbt.make_vec(data, num_envs=2, engine="compiled", **given)
    envs.action_space.seed(seed)
    _, infos = envs.reset(seed=seed, options=options)
    for _ in range(episodes - 1):
        _, infos = envs.reset()
    bars = data.bars if isinstance(data, vecbt.Domain) else data
    recorder = EpisodeRecorder(envs, bars, infos, "compiled")
    while not recorder.finished.all():
        actions = envs.action_space.sample()
        recorder.step(actions, envs.step(actions))
    envs.close()
    return recorder.recordings(["random", "random"], 0)


def assert_equal(recording: Recording, data: Any, given: dict[str, Any], engine: str) -> None:
    replayed = replay(recording, data, given, engine=engine)
    assert replayed.equal, replayed.agreement.different
    for name in ("steps", "rows", "cash", "values", "costs", "positions", "position_prices", "statuses"):
        assert replayed.agreement.compared[name] > 0
    assert (replayed.agreement.compared["rewards"] > 0) == (engine != "stock")


@pytest.mark.parametrize("bars", [MARKET, PAIR], ids=["one asset", "two"])
@pytest.mark.parametrize(
    "given",
    [
        {"close_out": True},
        {"close_out": True, "latency": 2, "skip_frame": 3},
        {"close_out": True, "drawdown_call": 0.05, "commission": 0.001},
        {"close_out": True, "target_call": 0.02},
        {"actions": "target_percent", "max_exposure": 0.5},
        {"actions": "target_position", "positions": (-2.0, 0.0, 1.5), "max_exposure": 1.0},
    ],
    ids=str,
)
def test_each_setting_is_replayed(bars: Any, given: dict[str, Any]) -> None:
    given = {"window": 3, "episode_steps": 20, "order_size": "60%", **given}
    for seed in range(3):
        for recording in record(bars, seed=seed, **given):
            for engine in REPLAY_ENGINES:
                assert_equal(recording, bars, given, engine)


SETTINGS = st.fixed_dictionaries(
    {
        "window": st.just(3),
        "actions": st.sampled_from(["discrete", "target_position", "target_percent"]),
        "episode_steps": st.sampled_from([None, 7, 25]),
    },
    optional={
        "commission": st.sampled_from(
            [0.001, vecbt.Commission(rate=2.0, per_unit=True), vecbt.Commission(rate=1.0, per_unit=True, margin=50.0)]
        ),
        "slippage": st.sampled_from([0.001, vecbt.Slippage(fixed=0.05, match=False)]),
        "max_exposure": st.sampled_from([0.5, 1.0]),
        "order_size": st.sampled_from(["30%", "90%", 3.0]),
        "positions": st.just((-2.0, -0.5, 0.0, 1.0)),
        "lot": st.just(0.01),
        "skip_frame": st.integers(2, 4),
        "latency": st.integers(1, 3),
        "close_out": st.booleans(),
        "drawdown_call": st.sampled_from([0.1, 1.0]),
        "target_call": st.sampled_from([0.05, 0.5]),
        "checksubmit": st.booleans(),
        "shortcash": st.booleans(),
        "cheat_on_close": st.booleans(),
    },
)


@settings(max_examples=15, deadline=None)
@given(given=SETTINGS, pair=st.booleans(), seed=st.integers(0, 2**32))
def test_every_engine_replays_an_episode_to_the_bit(given: Any, pair: bool, seed: int) -> None:
    bars = (PAIR if pair else MARKET).rows(0, 150)
    (recording, _) = record(bars, seed=seed, **given)
    for engine in REPLAY_ENGINES:
        assert_equal(recording, bars, given, engine)
    assert_equal(recording, bars, {**given, "fast": False}, "cerebro")


@pytest.mark.parametrize("kind", DOMAINS)
@pytest.mark.parametrize("episodes", [1, 3])
def test_the_episode_is_found_without_being_told_its_start(kind: str, episodes: int) -> None:
    domain, given = DOMAINS[kind], {"episode_steps": 10, "window": 3}
    for options in (None, {"sample_type": "test"}):
        if kind == "in turn" and options:
            continue
        for recording in record(domain, seed=5, episodes=episodes, options=options, **given):
            assert recording.identity.episode == episodes - 1
            for engine in ("compiled", "stock"):
                assert_equal(recording, domain, given, engine)


def test_a_trial_of_global_time_is_named_by_the_recording() -> None:
    domain, given = DOMAINS["causal"], {"episode_steps": 10, "window": 3}
    for trial in (0, 60):
        options = {"trial_type": "target", "sample_type": "test", "trial": trial}
        recording = record(domain, options=options, **given)[1]
        assert recording.identity.trial == trial
        assert_equal(recording, domain, given, "stock")


def test_a_strategy_is_replayed_in_the_environment_alone() -> None:
    (recording, _) = record(MARKET, episode_steps=10)
    given = {"episode_steps": 10, "strategy": vecbt.Strategy}
    assert_equal(recording, MARKET, given, "cerebro")
    for engine in ("compiled", "stock"):
        with pytest.raises(ConfigError, match="strategy"):
            replay(recording, MARKET, given, engine=engine)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"order_size": None}, "order_size"),
        ({"cerebro": bt.Cerebro}, "cerebro"),
        ({"actions": ActionDictSpace(assets=["SYNTH"], base_actions=["hold", "buy"])}, "actions"),
    ],
)
def test_what_stock_backtrader_cannot_do_is_named(given: dict[str, Any], name: str) -> None:
    (recording, _) = record(MARKET, episode_steps=10)
    with pytest.raises(ConfigError, match=name):
        replay(recording, MARKET, {"episode_steps": 10, **given}, engine="stock")


@pytest.mark.parametrize("engine", REPLAY_ENGINES)
def test_another_action_is_seen(engine: str) -> None:
    given = {"episode_steps": 10, "order_size": 1.0}
    (recording, _) = record(MARKET, **given)
    actions = recording.actions.copy()
    actions[4] = 2 if actions[4] != 2 else 1
    changed = dataclasses.replace(recording, actions=actions)
    different = replay(changed, MARKET, given, engine=engine).agreement.different
    assert different["positions"] > 0
    assert different["rows"] == 0


@pytest.mark.parametrize("engine", REPLAY_ENGINES)
@pytest.mark.parametrize(
    "name", ["cash", "values", "costs", "positions", "position_prices", "statuses", "timestamps", "rows", "ohlc"]
)
def test_a_single_number_that_differs_is_seen(engine: str, name: str) -> None:
    given = {"episode_steps": 10, "order_size": 1.0}
    (recording, _) = record(MARKET, **given)
    array = getattr(recording, name).copy()
    number = array.reshape(-1)[3:4]  # a view
    number[:] = np.nextafter(number, np.inf) if array.dtype.kind == "f" else number + 1
    replayed = replay(dataclasses.replace(recording, **{name: array}), MARKET, given, engine=engine)
    assert not replayed.equal
    assert dict(replayed.agreement.different.items() - {(n, 0) for n in replayed.agreement.compared}) == {name: 1}


@pytest.mark.parametrize("engine", REPLAY_ENGINES)
def test_an_episode_of_another_length_is_seen(engine: str) -> None:
    (recording, _) = record(MARKET, episode_steps=10)
    cut = {name: getattr(recording, name)[:-3] for name in ("rows", "timestamps", "cash", "values", "costs", "actions")}
    replayed = replay(dataclasses.replace(recording, **cut), MARKET, {"episode_steps": 10}, engine=engine)
    assert replayed.agreement.different["steps"] == 1


def test_other_data_are_refused() -> None:
    (recording, _) = record(MARKET, episode_steps=10)
    with pytest.raises(DataError, match=r"not those of the recording.*Bring back the data"):
        replay(recording, MARKET.rows(0, 399), {"episode_steps": 10})


@pytest.mark.parametrize("engine", REPLAY_ENGINES)
def test_another_bar_is_seen(engine: str) -> None:
    given = {"episode_steps": 10, "order_size": 1.0}
    (recording, _) = record(MARKET, **given)
    frame = MARKET.to_frame()
    frame.iloc[recording.rows[5], [frame.columns.get_loc(name) for name in ("open", "high", "low", "close")]] *= 1.01
    other = vecbt.read_bars(frame)
    identity = dataclasses.replace(recording.identity, fingerprint=other.fingerprint())
    different = replay(
        dataclasses.replace(recording, identity=identity), other, given, engine=engine
    ).agreement.different
    assert different["ohlc"] == 4
    assert different["values"] > 0


def test_settings_that_give_another_episode_are_refused() -> None:
    (recording, _) = record(MARKET, episode_steps=10)
    with pytest.raises(ConfigError, match=r"its start is .* recorded with"):
        replay(recording, MARKET, {"episode_steps": 12})


def test_an_unknown_engine_is_refused() -> None:
    (recording, _) = record(MARKET, episode_steps=10)
    with pytest.raises(UnknownNameError, match="did you mean 'stock'"):
        replay(recording, MARKET, {"episode_steps": 10}, engine="stok")
