"""What several assets add to an environment, in both engines; that the numbers are Backtrader's is in differential."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, make, rollout
from vecbt.data.bars import Bars
from vecbt.kernels.layout import OrderStatus

MINUTE = 60_000_000_000
both = pytest.mark.parametrize(
    "engine", [{"engine": "compiled"}, {}, {"fast": False}], ids=["compiled", "cerebro", "stock classes"]
)


def priced(*closes: float) -> Bars:
    """Bars that open where they close."""
    column = np.array(closes)
    stamps = (np.arange(len(column)) + 1) * MINUTE
    return Bars.from_arrays(stamps, column, column, column, column, np.ones(len(column)))


STILL = {name: priced(*[100.0] * 30) for name in ("A", "B")}
"""Two assets that never move."""


def begun(data: Any, settings: dict[str, Any], **more: Any) -> vecbt.TradingVectorEnv:
    """One environment at its first observation, with 1,000 in cash and no window to speak of."""
    envs = make(1, data=data, **{"window": 1, "start_cash": 1_000.0, "order_size": 9, **settings, **more})
    envs.reset(seed=0)
    return envs


def positions(envs: Any, *steps: list[Any]) -> list[Any]:
    """The positions after each step."""
    weights = envs.single_action_space.dtype == np.float32
    return [envs.step(np.array([step], np.float32 if weights else None))[-1]["position"][0].tolist() for step in steps]


@both
@pytest.mark.parametrize("first", [0, 1], ids=["from A to B", "from B to A"])
def test_orders_that_reduce_go_before_those_that_they_pay_for(engine: dict[str, Any], first: int) -> None:
    envs = begun(STILL, engine)
    bought, swapped = [0, 0], [1, 1]
    bought[first], swapped[first] = 1, 3
    held = [[9.0, 0.0], [0.0, 9.0]]
    assert positions(envs, bought, [0, 0], swapped) == [held[first], held[first], held[1 - first]]
    envs.close()


@both
def test_orders_of_one_group_are_in_the_order_of_assets(engine: dict[str, Any]) -> None:
    envs = begun(STILL, engine, order_size=6)
    infos = envs.step(np.array([[1, 1]]))[-1]  # the cash pays for one of the two
    assert infos["position"].tolist() == [[6.0, 0.0]]
    assert infos["order_status"].tolist() == [[OrderStatus.COMPLETED, OrderStatus.MARGIN]]
    envs.close()


@both
@pytest.mark.parametrize(
    ("weights", "units"),
    [
        ([1.0, 1.0], [5.0, 5.0]),
        ([0.25, 0.5], [2.0, 5.0]),
        ([-1.0, 1.0], [-5.0, 5.0]),
        ([0.5, 0.5], [5.0, 5.0]),
        ([0.0, 1.0], [0.0, 10.0]),
    ],
)
def test_weights_come_to_no_more_than_the_account(
    engine: dict[str, Any], weights: list[float], units: list[float]
) -> None:
    envs = begun(STILL, engine, actions="target_percent")
    assert positions(envs, weights) == [units]
    envs.close()


@both
def test_weights_are_changed_in_one_bar(engine: dict[str, Any]) -> None:
    envs = begun(STILL, engine, actions="target_percent")
    assert positions(envs, [1.0, 0.0], [0.0, 1.0], [-0.5, 0.5]) == [[10.0, 0.0], [0.0, 10.0], [-5.0, 5.0]]
    envs.close()


@both
def test_the_limit_of_exposure_is_that_of_all_positions(engine: dict[str, Any]) -> None:
    envs = begun(STILL, engine, order_size=6, max_exposure=1.0)
    infos = envs.step(np.array([[2, 2]]))[-1]  # short sales bring cash in: nothing else would stop them
    assert infos["position"].tolist() == [[-6.0, 0.0]]
    assert infos["order_status"].tolist() == [[OrderStatus.COMPLETED, OrderStatus.REFUSED]]
    # What is closed on a bar makes room for what is opened on it.
    assert positions(envs, [3, 2], [0, 2]) == [[0.0, -6.0], [0.0, -6.0]]
    envs.close()


@both
def test_all_positions_are_closed_out(engine: dict[str, Any]) -> None:
    envs = begun(STILL, engine, order_size=3, close_out=True, episode_steps=5)
    assert positions(envs, [1, 2], [1, 0], [0, 2], [0, 0]) == [[3.0, -3.0], [6.0, -3.0], [6.0, -6.0], [6.0, -6.0]]
    *_, truncations, infos = envs.step(np.array([[1, 2]]))
    assert truncations.all()
    assert infos["position"].tolist() == [[0.0, 0.0]]
    assert infos["episode_stats"]["open"].tolist() == [False]
    envs.close()


@both
def test_a_call_is_one_of_the_whole_account(engine: dict[str, Any]) -> None:
    falling, rising = priced(*[100.0] * 3, *[80.0] * 27), priced(*[100.0] * 3, *[120.0] * 27)
    settings = {**engine, "order_size": 5, "drawdown_call": 5.0, "close_out": True, "episode_steps": None}
    envs = begun({"A": falling, "B": rising}, settings)
    envs.step(np.array([[1, 1]]))
    # Neither of them moves the account.
    assert not any(envs.step(np.array([[0, 0]]))[2].any() for _ in range(10))
    envs.close()
    envs = begun({"A": falling, "B": falling}, settings)
    envs.step(np.array([[1, 1]]))
    for _ in range(3):
        *_, terminations, _, infos = envs.step(np.array([[0, 0]]))
        if terminations.any():
            break
    assert terminations.all()
    assert infos["position"].tolist() == [[0.0, 0.0]]
    assert infos["value"].tolist() == [800.0]
    envs.close()


@both
@pytest.mark.parametrize("by_name", [False, True])
def test_each_asset_has_its_commission(engine: dict[str, Any], by_name: bool) -> None:
    first, second = 0.01, vecbt.Commission(rate=2.0, per_unit=True)
    commission = {"B": second, "A": first} if by_name else (first, second)
    envs = begun(STILL, engine, order_size=3, commission=commission)
    assert [envs.step(np.array([action]))[-1]["costs"][0] for action in ([1, 0], [0, 1])] == [3.0, 9.0]
    envs.close()


@both
def test_account_features_have_a_column_for_each_asset(engine: dict[str, Any]) -> None:
    features = ("value", "pos_direction", "pos_duration")
    envs = begun(STILL, engine, order_size=3, account_features=features, window=0)
    assert envs.single_observation_space.shape == (5,)
    for action in ([1, 0], [0, 2]):
        account = envs.step(np.array([action]))[0]
    assert account[0, 1:].tolist() == [1.0, -1.0, 2.0, 1.0]
    envs.close()


def several(count: int) -> dict[str, Bars]:
    return {f"asset{number}": vecbt.data.synthetic_market(400, seed=number) for number in range(count)}


@pytest.mark.parametrize("actions", ["discrete", "target_position", "target_percent"])
def test_threads_and_processes_change_nothing(actions: str) -> None:
    common = {"data": several(3), "actions": actions, "order_size": 20, "window": 2, "latency": 1, "skip_frame": 2}
    runs = []
    for settings in ({}, {"num_workers": 2}, {"engine": "compiled"}, {"engine": "compiled", "num_workers": 2}):
        envs = make(100 if settings.get("engine") else 4, **{**common, **settings})
        random, events = np.random.default_rng(0), []
        envs.reset(seed=3)
        for _ in range(30):
            if actions == "target_percent":
                taken = random.uniform(-1.0, 1.0, (4, 3)).astype(np.float32)
            else:
                taken = random.integers(0, 3, (4, 3))
            result = envs.step(np.resize(taken, (envs.num_envs, 3)))
            events.append([part[:4].tolist() for part in (*result[:4], result[4]["position"], result[4]["value"])])
        envs.close()
        runs.append(events)
    assert runs[0] == runs[1] == runs[2] == runs[3]


def test_the_single_environment() -> None:
    runs = []
    for engine in ("cerebro", "compiled"):
        env = vecbt.TradingEnv(several(2), engine=engine, order_size=20, window=3, episode_steps=15)
        env.action_space.seed(1)
        observation, info = env.reset(seed=1)
        assert observation.shape == (3, 8)
        events = [(observation.tolist(), info["position"].tolist())]
        for _ in range(15):
            observation, reward, _, truncated, info = env.step(env.action_space.sample())
            events.append((observation.tolist(), reward, info["position"].tolist(), info["order_status"].tolist()))
        assert truncated
        assert info["position"].shape == (2,)
        env.close()
        runs.append(events)
    assert runs[0] == runs[1]


class Rebalancing(vecbt.Strategy):
    """Knows its feeds by their names, and trades with each on the same bar."""

    def next(self) -> None:
        if self.episode.step == 1:
            orders = [self.buy(self.getdatabyname(name), 6.0) for name in ("A", "B")]
            assert [order is None for order in orders] == [False, True]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
def test_a_strategys_own_orders_count_for_the_limit_too(fast: bool) -> None:
    envs = begun(STILL, {"fast": fast}, strategy=Rebalancing, max_exposure=1.0)
    first, second = (envs.step(np.array([[0, 0]]))[-1] for _ in range(2))
    assert first["order_status"].tolist() == [[OrderStatus.NONE, OrderStatus.REFUSED]]
    assert second["position"].tolist() == [[6.0, 0.0]]
    envs.close()


def test_one_asset_among_several_is_as_it_is_alone() -> None:
    runs = []
    for data in (MARKET.rows(0, 400), {"A": MARKET.rows(0, 400), "B": MARKET.rows(0, 400)}):
        envs = make(3, data=data, engine="compiled", order_size=5, commission=0.001, window=2, features=("close",))
        random = np.random.default_rng(0)
        envs.reset(seed=0)
        rewards = []
        for _ in range(40):
            actions = random.integers(0, 4, 3)
            rewards.append(envs.step(actions if len(runs) == 0 else np.stack([actions, 0 * actions], 1))[1].tolist())
        runs.append(rewards)
        envs.close()
    assert runs[0] == runs[1]


def test_rollouts_are_reproducible() -> None:
    envs = [make(3, data=several(2), engine="compiled", actions="target_percent", window=2) for _ in range(2)]
    first, second = (rollout(one, 30) for one in envs)
    assert first == second
    for one in envs:
        one.close()
