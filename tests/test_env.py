from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers

import vecbt
from tests.envs import MARKET, flat, make
from vecbt.errors import ActionError, ClosedError, ConfigError, EpisodeError, TooFewBarsError, UnknownNameError
from vecbt.kernels.layout import OrderStatus, Reason

ID = "vecbt/Trading-v0"
FLOATS = ("cash", "value", "drawdown", "costs", "position", "position_price")
WHOLE = ("bar", "start", "timestamp", "order_status")
PARTS = {"account_features": ("value", "cash")}


@pytest.fixture
def single() -> Iterator[Any]:
    made = []

    def make_one(**settings: Any) -> vecbt.TradingEnv:
        data = settings.pop("data", MARKET)
        made.append(vecbt.TradingEnv(data, **({"engine": "cerebro", "episode_steps": 20} | settings)))
        return made[-1]

    yield make_one
    for env in made:
        env.close()


def events_of(results: Any) -> list[Any]:
    """What a call has returned as something that `==` compares bit for bit."""
    return [flat(part) for part in results]


def arrays_of(observation: Any) -> list[Any]:
    return list(observation.values()) if isinstance(observation, dict) else [observation]


# -- what comes back ---------------------------------------------------------------------------------------------------

SPACES: list[dict[str, Any]] = [
    {},
    PARTS,
    {"flatten": True, **PARTS},
    {"window": 0, **PARTS},
    {"actions": "target_position"},
    {"actions": "target_percent"},
]


@pytest.mark.parametrize("settings", SPACES, ids=str)
def test_types(single: Any, settings: Any) -> None:
    env = single(**settings)
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert type(info) is dict
    for step in range(20):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
        for array in arrays_of(observation):
            assert type(array) is np.ndarray
            assert array.dtype == np.float32
            assert array.flags.writeable
        assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
        assert (terminated, truncated) == (False, step == 19)
        assert {name: type(info[name]) for name in FLOATS} == dict.fromkeys(FLOATS, float)
        assert {name: type(info[name]) for name in WHOLE} == dict.fromkeys(WHOLE, int)
        assert ("episode_stats" in info) == truncated
        assert set(info) == {*FLOATS, *WHOLE} | ({"episode_stats"} if truncated else set())


def test_infos_are_those_of_the_bar(single: Any) -> None:
    env = single(order_size=3)
    _, info = env.reset(seed=1)
    start = info["start"]
    assert info["bar"] == start
    assert info["cash"] == info["value"] == 10_000.0
    assert info["order_status"] == OrderStatus.NONE
    _, reward, _, _, info = env.step(1)
    assert info["bar"] == start + 1
    assert info["timestamp"] == MARKET.timestamps[start + 1] // 1_000_000_000
    assert info["position"] == 3.0
    assert info["position_price"] == MARKET.open[start + 1]
    assert info["order_status"] == OrderStatus.COMPLETED
    assert reward == np.log(info["value"] / 10_000.0)


def test_statistics_of_an_episode_are_plain_numbers(single: Any) -> None:
    env = single(episode_steps=6, order_size=2, commission=0.001)
    env.reset(seed=0)
    rewards = 0.0
    for step in range(6):
        _, reward, _, truncated, info = env.step((1, 3)[step % 2])
        rewards += reward
    assert truncated
    stats = info["episode_stats"]
    assert all(type(value) in (float, int, bool) for value in stats.values())
    assert not any(name.startswith("_") for name in stats)
    assert stats["r"] == rewards
    assert (stats["l"], stats["trades"], stats["open"]) == (6, 3, False)
    assert stats["reason"] == Reason.STEP_LIMIT
    assert stats["costs"] == info["costs"] > 0.0


@pytest.mark.parametrize(("infos", "left"), [("full", {*FLOATS, *WHOLE}), ("episode", set()), ("none", set())])
def test_a_reset_says_nothing_of_the_episode_before(single: Any, infos: str, left: set[str]) -> None:
    env = single(infos=infos, episode_steps=1)
    for _ in range(3):
        assert set(env.reset()[1]) == left
        assert ("episode_stats" in env.step(0)[4]) == (infos != "none")


def test_infos_of_a_strategy(single: Any) -> None:
    class Informing(vecbt.Strategy):
        info_keys = ("double",)

        def get_info(self) -> dict[str, float]:
            return {"double": 2.0 * self.data.close[0]}

    env = single(strategy=Informing)
    _, info = env.reset(seed=0)
    assert type(info["double"]) is float
    assert info["double"] == 2.0 * MARKET.close[info["bar"]]


@pytest.mark.parametrize(("infos", "names"), [("none", set()), ("episode", {"episode_stats"})])
def test_fewer_infos(single: Any, infos: str, names: set[str]) -> None:
    env = single(infos=infos, episode_steps=2)
    assert env.reset(seed=0)[1] == {}
    assert env.step(1)[4] == {}
    assert set(env.step(0)[4]) == names


@pytest.mark.parametrize("settings", [{}, PARTS, {"copy": False}], ids=str)
def test_observations_of_two_calls_share_no_memory(single: Any, settings: Any) -> None:
    env = single(**settings)
    kept = [arrays_of(env.reset(seed=0)[0])]
    copies = [[array.copy() for array in kept[0]]]
    for step in range(5):
        kept.append(arrays_of(env.step(step % 3)[0]))
        copies.append([array.copy() for array in kept[-1]])
    for first in range(len(kept)):
        for second in range(first):
            assert not any(np.shares_memory(a, b) for a in kept[first] for b in kept[second])
    for arrays, before in zip(kept, copies, strict=True):
        assert events_of(arrays) == events_of(before)


# -- episodes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [{}, {"commission": 0.001, **PARTS}, {"actions": "target_percent"}, {"skip_frame": 3, "latency": 1}],
    ids=str,
)
def test_the_same_seed_gives_the_episodes_of_the_vector_environment(single: Any, settings: Any) -> None:
    env, envs = single(**settings), make(3, autoreset_mode="Disabled", **settings)
    random = np.random.default_rng(0)
    for episode in range(4):
        seed = 5 if episode in (0, 3) else None
        observation, info = env.reset(seed=seed)
        observations, infos = envs.reset(seed=seed)
        ended = False
        while not ended:
            assert_first(observation, observations)
            assert info == {name: infos[name][0].item() for name in (*FLOATS, *WHOLE)}
            action = random.uniform(-1, 1, 1).astype(np.float32) if "actions" in settings else random.integers(4)
            observation, reward, terminated, truncated, info = env.step(action)
            observations, rewards, terminations, truncations, infos = envs.step(np.stack([action] * 3))
            assert (reward, terminated, truncated) == (rewards[0], terminations[0], truncations[0])
            ended = terminated or truncated
            stats = info.pop("episode_stats", {})
            assert flat(stats) == flat({name: infos["episode_stats"][name][0] for name in stats})
    envs.close()


def assert_first(observation: Any, observations: Any) -> None:
    for one, many in zip(arrays_of(observation), arrays_of(observations), strict=True):
        assert one.tobytes() == many[0].tobytes()


def test_seeds(single: Any) -> None:
    env = single()
    starts = [env.reset(seed=seed)[1]["start"] for seed in (7, None, None, 7, None, 8)]
    assert starts[0] == starts[3]
    assert starts[1] == starts[4]
    assert len(set(starts[:3])) == 3
    assert env.np_random_seed == 8
    env.reset()
    assert env.np_random_seed == 8  # the count of episodes has gone on


def test_without_any_seed_episodes_differ(single: Any) -> None:
    starts = {single().reset()[1]["start"] for _ in range(8)}
    assert len(starts) > 1


def test_the_seed_that_gymnasium_has_drawn_repeats_the_episode(single: Any) -> None:
    env, other = single(), single()
    start = env.reset()[1]["start"]
    assert env.np_random_seed is not None
    assert other.reset(seed=env.np_random_seed)[1]["start"] == start


def test_an_episode_may_be_left_before_its_end(single: Any) -> None:
    env, fresh = single(), single()
    env.reset(seed=3)
    for _ in range(7):
        env.step(1)
    fresh.reset(seed=3)
    for seed in (3, None, None):
        assert events_of(env.reset(seed=seed)) == events_of(fresh.reset(seed=seed))
        assert events_of(env.step(1)) == events_of(fresh.step(1))


def test_training_and_test_rows(single: Any) -> None:
    env = single(data=vecbt.RandomDomain(MARKET, test_period=500))
    options = {"sample_type": "test"}
    assert env.reset(seed=0)[1]["bar"] < 2_500
    assert env.reset(options=options)[1]["bar"] >= 2_500
    assert options == {"sample_type": "test"}
    assert env.reset()[1]["bar"] >= 2_500  # until the next time
    assert env.reset(options={"sample_type": 0})[1]["bar"] < 2_500


def test_attributes(single: Any) -> None:
    env = single(window=3)
    assert env.config == vecbt.EnvConfig(window=3, episode_steps=20)
    assert env.render_mode is None
    assert env.metadata["render_modes"] == ["rgb_array"]
    assert env.unwrapped is env


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "action", "message"),
    [
        ({}, 4, "action 4 of environment 0 is not in 0 to 3"),
        ({}, -1, "action -1 of environment 0 is not in 0 to 3"),
        ({}, [1], r"an action must have the shape \(\), got \(1,\)"),
        ({}, [[1]], r"an action must have the shape \(\), got \(1, 1\)"),
        ({}, 1.0, "actions must be whole numbers below 4, got dtype float64"),
        ({}, None, "actions must be whole numbers below 4, got dtype object"),
        ({}, "buy", "actions must be whole numbers below 4"),
        ({}, True, "actions must be whole numbers below 4, got dtype bool"),
        ({"actions": "target_position"}, 3, "action 3 of environment 0 is not in 0 to 2"),
        ({"actions": "target_percent"}, [1.5], "action 1.5 of environment 0 is not in -1 to 1"),
        ({"actions": "target_percent"}, [np.nan], "action nan of environment 0 is not in -1 to 1"),
        ({"actions": "target_percent"}, 0.5, r"an action must have the shape \(1,\), got \(\)"),
        ({"actions": "target_percent"}, [0.5, 0.5], r"an action must have the shape \(1,\), got \(2,\)"),
        ({"actions": "target_percent"}, ["0.5"], "actions must be numbers from -1 to 1"),
    ],
)
def test_bad_actions(single: Any, settings: Any, action: Any, message: str) -> None:
    env, other = single(**settings), single(**settings)
    for one in (env, other):
        one.reset(seed=0)
    with pytest.raises(ActionError, match=message):
        env.step(action)
    good = env.action_space.sample()
    assert events_of(env.step(good)) == events_of(other.step(good))  # nothing has moved


@pytest.mark.parametrize("action", [1, np.int64(1), np.uint8(1), np.array(1)], ids=repr)
def test_good_actions(single: Any, action: Any) -> None:
    env = single(order_size=1)
    env.reset(seed=0)
    assert env.step(action)[4]["position"] == 1.0


@pytest.mark.parametrize("action", [[0.5], (0.5,), np.array([0.5]), np.array([0.5], np.float32), [np.int64(1)]])
def test_good_weights(single: Any, action: Any) -> None:
    env = single(actions="target_percent")
    env.reset(seed=0)
    assert env.step(action)[4]["position"] > 0.0


def test_calls_in_the_wrong_order(single: Any) -> None:
    env = single(episode_steps=2)
    with pytest.raises(EpisodeError, match=r"step\(\) before reset\(\): call reset\(\) first"):
        env.step(0)
    env.reset(seed=0)
    env.step(0)
    env.step(0)
    for _ in range(2):
        with pytest.raises(EpisodeError, match=r"step\(\) after the episode's end"):
            env.step(0)
    env.reset()
    env.step(0)
    env.close()
    env.close()
    with pytest.raises(ClosedError, match="has been closed; make a new one"):
        env.step(0)
    with pytest.raises(ClosedError, match="has been closed; make a new one"):
        env.reset()


def test_the_message_after_an_episodes_end_says_what_works(single: Any) -> None:
    env = single(episode_steps=1)
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(EpisodeError, match=r"reset\(\)|reset it") as caught:
        env.step(0)
    assert "reset_mask" not in str(caught.value)  # which a single environment does not know


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"seed": -1}, Exception, "[Ss]eed"),
        ({"seed": 1.5}, Exception, "[Ss]eed"),
        ({"options": {"sample_typ": 1}}, UnknownNameError, "did you mean 'sample_type'"),
        ({"options": {"reset_mask": np.array([True])}}, UnknownNameError, "unknown reset option 'reset_mask'"),
        ({"options": {"sample_type": "trial"}}, ConfigError, "'train'"),
        ({"options": {"sample_type": 1}}, ConfigError, "test_period"),
    ],
)
def test_bad_resets(single: Any, keywords: Any, error: type[Exception], message: str) -> None:
    env = single()
    with pytest.raises(error, match=message):
        env.reset(**keywords)
    env.reset(seed=0)
    env.step(0)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"widow": 3}, UnknownNameError, "unknown setting 'widow': did you mean 'window'"),
        ({"num_envs": 2}, UnknownNameError, "unknown setting 'num_envs'"),
        ({"num_workers": 2}, UnknownNameError, "unknown setting 'num_workers'"),
        ({"engine": "cerebrum"}, UnknownNameError, "did you mean 'cerebro'"),
        ({"window": -1}, ConfigError, "window"),
        ({"window": 5_000}, TooFewBarsError, "window of 5000 bars"),
    ],
)
def test_bad_settings(settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        vecbt.TradingEnv(MARKET, **settings)


# -- gymnasium ---------------------------------------------------------------------------------------------------------

KEYWORDS: dict[str, Any] = {"data": MARKET, "engine": "cerebro", "episode_steps": 10, "window": 5}


def first_steps(env: Any) -> list[Any]:
    events = [events_of(env.reset(seed=4))]
    events += [events_of(env.step(action)) for action in (1, 0, 2, 3)]
    env.close()
    return events


def test_gymnasium_makes_it() -> None:
    env = gymnasium.make(f"vecbt:{ID}", **KEYWORDS)
    assert isinstance(env.unwrapped, vecbt.TradingEnv)
    assert env.spec is not None
    assert env.spec.id == ID
    expected = first_steps(vecbt.TradingEnv(**KEYWORDS))
    assert first_steps(env) == expected
    spec = env.spec
    for twin in (spec, copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        assert first_steps(gymnasium.make(twin)) == expected
    assert first_steps(gymnasium.make(gymnasium.spec(ID), **KEYWORDS)) == expected


@pytest.mark.parametrize(
    "data", [MARKET, vecbt.RandomDomain(MARKET, test_period=100)], ids=lambda data: type(data).__name__
)
def test_keywords_survive_copies_and_pickles(data: Any) -> None:
    commission = vecbt.Commission(rate=0.5, per_unit=True)
    keywords = {**KEYWORDS, "data": data, "commission": commission, "strategy": (vecbt.Strategy, {})}
    expected = first_steps(gymnasium.make(ID, **keywords))
    for twin in (copy.deepcopy(keywords), pickle.loads(pickle.dumps(keywords))):
        assert first_steps(gymnasium.make(ID, **twin)) == expected


def test_gymnasium_shows_pictures_in_a_window() -> None:
    with pytest.warns(UserWarning, match="HumanRendering"):
        env = gymnasium.make(ID, **KEYWORDS, render_mode="human")
    assert isinstance(env, wrappers.HumanRendering)
    assert env.unwrapped.render_mode == "rgb_array"
    env.env.close()


def test_frames_are_data(single: Any) -> None:
    import pandas as pd

    columns = {name: MARKET.column(name)[:200] for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame(columns, index=pd.DatetimeIndex(MARKET.timestamps[:200].astype("datetime64[ns]")))
    before = frame.copy(deep=True)
    env, other = single(data=frame), single(data=MARKET.rows(0, 200))
    assert first_steps(env) == first_steps(other)
    pd.testing.assert_frame_equal(frame, before)


def test_time_limit() -> None:
    env = gymnasium.make(ID, **KEYWORDS, max_episode_steps=4)
    for _ in range(2):
        env.reset(seed=0)
        ends = [env.step(0)[2:4] for _ in range(4)]
        assert ends == [(False, False)] * 3 + [(False, True)]
    env.close()


def test_flatten_observation(single: Any) -> None:
    plain, wrapped = single(**PARTS), wrappers.FlattenObservation(single(**PARTS))
    assert wrapped.observation_space.shape == (30 * 4 + 2,)
    expected, got = plain.reset(seed=0)[0], wrapped.reset(seed=0)[0]
    for action in (1, 0, 2):
        assert (got == np.concatenate([expected["account"], expected["market"].reshape(-1)])).all()
        assert wrapped.observation_space.contains(got)
        expected, got = plain.step(action)[0], wrapped.step(action)[0]


def test_record_episode_statistics(single: Any) -> None:
    env = wrappers.RecordEpisodeStatistics(single(episode_steps=8))
    for _ in range(2):
        env.reset()
        total = sum(float(env.step(1)[1]) for _ in range(7))
        _, reward, _, truncated, info = env.step(0)
        assert truncated
        assert info["episode"]["r"] == pytest.approx(total + float(reward))
        assert info["episode"]["l"] == info["episode_stats"]["l"] == 8


def test_normalize_observation(single: Any) -> None:
    env = wrappers.NormalizeObservation(single(flatten=True))
    observations = [env.reset(seed=0)[0]] + [env.step(step % 4)[0] for step in range(20)]
    for observation in observations:
        assert np.isfinite(observation).all()
        assert observation.shape == (120,)
    assert np.abs(np.mean(observations[1:])) < 5.0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: wrappers.TimeAwareObservation(wrappers.TimeLimit(env, 9)),
        lambda env: wrappers.FrameStackObservation(env, 3),
        lambda env: wrappers.NormalizeReward(env),
        lambda env: wrappers.TransformReward(env, lambda reward: 2.0 * reward),
        lambda env: wrappers.Autoreset(env),
        lambda env: wrappers.OrderEnforcing(env),
        lambda env: wrappers.PassiveEnvChecker(env),
        lambda env: wrappers.TimeLimit(env, 9),
    ],
    ids=["time", "stack", "reward", "transform", "autoreset", "order", "checker", "limit"],
)
def test_wrappers(single: Any, wrap: Any) -> None:
    env = wrap(single())
    observation, _ = env.reset(seed=0)
    for _ in range(9):
        assert env.observation_space.contains(observation)
        observation, *_ = env.step(env.action_space.sample())
    env.reset()


def test_no_references_keep_it_alive(single: Any) -> None:
    import gc
    import weakref

    env = vecbt.TradingEnv(MARKET, engine="cerebro", episode_steps=5)
    env.reset(seed=0)
    env.step(1)
    alive = weakref.ref(env)
    del env
    gc.collect()
    assert alive() is None
