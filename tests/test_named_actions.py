from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import vecbt
from tests.envs import MARKET, flat, make
from vecbt.errors import ActionError, ConfigError, UnknownNameError
from vecbt.kernels.layout import Instruction
from vecbt.named_actions import NamedActions, space_of_assets
from vecbt.spaces import ActionDictSpace, DictSpace

ONE = "default_asset"
MIXED = ("hold", "close", "sell", "buy")  # in another order than the codes of "discrete"
CODES = np.array([0, 3, 2, 1])
PAIR = ("USD", "EUR")  # the data's order is not the sorted one
ENGINES = ("cerebro", "compiled")


def settings(engine: str, **others: Any) -> dict[str, Any]:
    return {"engine": engine, "commission": 0.001, "account_features": ("cash", "value")} | others


# -- environments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [ONE, MARKET.name])
def test_base_actions_are_those_of_discrete(engine: str, name: str) -> None:
    named = make(4, actions=ActionDictSpace([name], MIXED), **settings(engine))
    plain = make(4, **settings(engine))
    assert named.single_action_space == ActionDictSpace([name], MIXED)
    assert type(named.action_space) is DictSpace
    for first, second in zip(named.reset(seed=3), plain.reset(seed=3), strict=True):
        assert flat(first) == flat(second)
    named.action_space.seed(0)
    for _ in range(45):
        actions = named.action_space.sample()
        one, other = named.step(actions), plain.step(CODES[actions[name]])
        assert [flat(part) for part in one] == [flat(part) for part in other]
    named.close()
    plain.close()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("names", [[ONE], [ONE, "default_cash"]], ids=str)
def test_weights_are_target_percentages(engine: str, names: list[str]) -> None:
    named = make(4, actions=ActionDictSpace(names), **settings(engine))
    plain = make(4, actions="target_percent", **settings(engine))
    named.reset(seed=3)
    plain.reset(seed=3)
    named.action_space.seed(0)
    for _ in range(45):
        actions = named.action_space.sample()
        total = sum(actions[name].astype(np.float64) for name in sorted(names))
        weights = actions[ONE].astype(np.float64) / np.maximum(total, 1.0)
        one, other = named.step(actions), plain.step(weights)
        assert [flat(part) for part in one] == [flat(part) for part in other]
    named.close()
    plain.close()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("base", [MIXED, None], ids=["base actions", "weights"])
def test_several_assets(engine: str, base: Any) -> None:
    data = {name: vecbt.data.synthetic_market(600, seed=number) for number, name in enumerate(PAIR)}
    space = ActionDictSpace(PAIR, base)
    shared: dict[str, Any] = {"data": data, "order_size": 20, **settings(engine)}
    named = make(3, actions=space, **shared)
    plain = make(3, actions="discrete" if base else "target_percent", **shared)
    named.reset(seed=3)
    plain.reset(seed=3)
    named.action_space.seed(0)
    for _ in range(30):
        actions = named.action_space.sample()
        given = np.stack([actions[name] for name in PAIR], axis=1)  # in the order of the data
        if base:
            given = CODES[given]
        else:
            weights = given[..., 0].astype(np.float64)
            given = weights / np.maximum(weights[:, 1] + weights[:, 0], 1.0)[:, None]
        one, other = named.step(actions), plain.step(given)
        assert [flat(part) for part in one] == [flat(part) for part in other]
    assert np.count_nonzero(one[4]["position"])
    named.close()
    plain.close()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("base", [MIXED, None], ids=["base actions", "weights"])
def test_the_single_environment(engine: str, base: Any) -> None:
    space = ActionDictSpace([ONE, "default_cash"] if base is None else [ONE], base)
    envs = make(1, actions=space, autoreset_mode="Disabled", **settings(engine))
    env: Any = gymnasium.make("vecbt/Trading-v0", data=MARKET, episode_steps=20, actions=space, **settings(engine))
    check_env(env.unwrapped)
    assert env.action_space == space
    env.reset(seed=8)
    envs.reset(seed=8)
    env.action_space.seed(1)
    for _ in range(20):
        action = env.action_space.sample()
        observation, reward, _, truncated, info = env.step(action)
        observations, rewards, _, _, infos = envs.step({key: np.array([value]) for key, value in action.items()})
        assert flat(observation) == flat({key: part[0] for key, part in observations.items()})
        assert (reward, info["position"]) == (rewards[0], infos["position"][0])
    assert truncated
    env.reset()
    env.step(dict.fromkeys(space.assets, 0))  # plain numbers will do
    env.close()
    envs.close()


@pytest.mark.parametrize("base", [MIXED, None], ids=["base actions", "weights"])
def test_gymnasium_batches_of_single_environments(base: Any) -> None:
    keywords: dict[str, Any] = {
        "data": MARKET,
        "actions": ActionDictSpace([ONE], base),
        "episode_steps": 20,
        **settings("compiled"),
    }
    ours = vecbt.make_vec(num_envs=2, **keywords)
    sync = gymnasium.make_vec("vecbt/Trading-v0", num_envs=2, vectorization_mode="sync", **keywords)
    shared = vecbt.SharedMemoryVectorEnv([lambda: vecbt.TradingEnv(**keywords)] * 2, num_workers=0)
    batches: list[Any] = [ours, sync, shared]
    for envs in batches:
        assert envs.action_space == ours.action_space
        assert envs.observation_space == ours.observation_space
        envs.action_space.seed(0)
        envs.reset(seed=5)
    for _ in range(25):
        results = [envs.step(envs.action_space.sample())[:4] for envs in batches]
        first, *others = [[flat(part) for part in result] for result in results]
        assert others == [first, first]
    for envs in batches:
        envs.close()


def test_check_vector_env() -> None:
    envs = make(2, actions=ActionDictSpace([ONE], MIXED), engine="compiled", episode_steps=8)
    vecbt.check_vector_env(envs)
    envs.close()


def test_the_space_is_a_copy() -> None:
    space = ActionDictSpace([ONE], MIXED)
    config = vecbt.EnvConfig(actions=space)
    assert config == copy.deepcopy(config) == pickle.loads(pickle.dumps(config))
    assert hash(config) == hash(copy.deepcopy(config))
    envs = make(1, actions=space, engine="compiled")
    assert envs.single_action_space is not space
    assert envs.config.actions == space
    envs.close()


def test_observations_are_dictionaries_with_shapes() -> None:
    envs = make(3, **settings("compiled"))
    assert envs.single_observation_space.shape == {"account": (2,), "market": (30, 4)}
    assert envs.observation_space.shape == {"account": (3, 2), "market": (3, 30, 4)}
    envs.close()


# -- what kernels are given --------------------------------------------------------------------------------------------


def test_columns_follow_the_data() -> None:
    named = NamedActions(ActionDictSpace(PAIR, MIXED), PAIR)
    buffer = np.full((2, 2), 9.0)
    named.take({"EUR": np.array([1, 2]), "USD": np.array([0, 3])}, buffer)
    assert buffer.tolist() == [[Instruction.NONE, Instruction.CLOSE], [Instruction.BUY, Instruction.SELL]]


def test_weights_of_several_assets() -> None:
    named = NamedActions(ActionDictSpace([*PAIR, "cash"], cash="cash"), PAIR)
    buffer = np.zeros((4, 2))
    actions = {
        "EUR": np.array([[0.25], [1.0], [0.5], [0.0]], np.float32),
        "USD": np.array([[0.5], [1.0], [0.0], [0.0]], np.float32),
        "cash": np.array([[0.0], [0.0], [1.0], [0.0]], np.float32),
    }
    named.take(actions, buffer)
    assert buffer.tolist() == [[0.5, 0.25], [0.5, 0.5], [0.0, 0.5 / 1.5], [0.0, 0.0]]


def test_the_sum_of_weights_does_not_depend_on_the_batch() -> None:
    names = [f"asset {number:02}" for number in range(20)]
    named, many = NamedActions(ActionDictSpace(names), tuple(names)), np.zeros((64, 20))
    values = np.random.default_rng(0).random((64, 20), np.float32)
    named.take({name: values[:, [column]] for column, name in enumerate(names)}, many)
    for row in range(64):
        one = np.zeros((1, 20))
        named.take(dict(zip(names, values[row], strict=True)), one)
        assert one.tobytes() == many[row].tobytes()


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({"EUR": [0, 4, 0], "USD": [0, 0, 0]}, "action 4 of environment 1, asset 'EUR', is not in 0 to 3"),
        ({"EUR": [0, 0], "USD": [0, 0]}, "actions must have a value for each of 3 environments"),
        ({"EUR": 0, "USD": 0}, "actions must have a value for each of 3 environments"),
        ({"EUR": [0, 0, 0]}, "an action is a dictionary with a value for each of"),
        ([0, 0, 0], "an action is a dictionary with a value for each of"),
    ],
)
def test_bad_actions_change_nothing(actions: Any, message: str) -> None:
    buffer = np.full((3, 2), 9.0)
    with pytest.raises(ActionError, match=message):
        NamedActions(ActionDictSpace(PAIR, MIXED), PAIR).take(actions, buffer)
    assert (buffer == 9.0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_bad_actions_of_an_environment(engine: str) -> None:
    env = vecbt.TradingEnv(MARKET, actions=ActionDictSpace([ONE], MIXED), engine=engine)
    env.reset(seed=0)
    for action, message in (
        ({ONE: 4}, "action 4, asset 'default_asset', is not in 0 to 3"),
        (1, "an action is a dictionary"),
        ({}, "an action is a dictionary"),
    ):
        with pytest.raises(ActionError, match=message):
            env.step(action)
    assert env.step({ONE: 0})[1] == 0.0
    env.close()


# -- spaces that do not fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "assets"),
    [
        (ActionDictSpace(["EUR"], MIXED), PAIR),
        (ActionDictSpace(["EUR", "GBP"], MIXED), PAIR),
        (ActionDictSpace([ONE], MIXED), PAIR),
        (ActionDictSpace(["EUR", "USD", "default_cash"], MIXED), PAIR),
        (ActionDictSpace(["EUR", "default_cash"]), PAIR),
        (ActionDictSpace(["default_cash"]), ("EUR",)),
    ],
    ids=str,
)
def test_assets_of_the_data(space: ActionDictSpace, assets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"must name the assets of the data, \['EUR'"):
        space_of_assets(space, assets)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"actions": ActionDictSpace([ONE], ("buy", "hold"))},
            ConfigError,
            "the first of the base actions must be 'hold'",
        ),
        ({"actions": ActionDictSpace([ONE], ("hold", "bye"))}, UnknownNameError, "did you mean 'buy'"),
        ({"actions": ActionDictSpace([ONE]), "leverage": 2.0}, ConfigError, "needs leverage=1.0, got 2.0"),
        ({"actions": gymnasium.spaces.Discrete(4)}, UnknownNameError, "unknown actions"),
    ],
)
def test_configurations(given: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        vecbt.EnvConfig(**given)
