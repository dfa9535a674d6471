"""The compiled engine behind the environments, against the Cerebro engine."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, flat, make
from vecbt import Asset, Row
from vecbt.config import REWARDS, Commission
from vecbt.errors import EpisodeError, StrategyError

AUTORESETS = ("NextStep", "SameStep", "Disabled")
modes = pytest.mark.parametrize("autoreset_mode", AUTORESETS)


def play(envs: Any, steps: int) -> list[Any]:
    """Everything that a batch returns over some steps; it is reset where it does not reset itself."""
    random = np.random.default_rng(5)
    events = [flat(part) for part in envs.reset(seed=9)]
    for _ in range(steps):
        if hasattr(envs.single_action_space, "n"):
            actions = random.integers(0, envs.single_action_space.n, envs.num_envs)
        else:
            actions = random.uniform(-1.0, 1.0, (envs.num_envs, 1)).astype(np.float32)
        result = envs.step(actions)
        events.append([flat(part) for part in result])
        ended = result[2] | result[3]
        if envs.metadata["autoreset_mode"] == vecbt.vector.AutoresetMode.DISABLED and ended.any():
            events.append([flat(part) for part in envs.reset(options={"reset_mask": ended})])
    return events


def same_in_both(steps: int = 60, **settings: Any) -> list[Any]:
    """What both engines return."""
    common = {"window": 3, "order_size": 4, "episode_steps": 12, **settings}
    batches = [make(5, engine=engine, **common) for engine in ("cerebro", "compiled")]
    expected, got = (play(envs, steps) for envs in batches)
    for envs in batches:
        envs.close()
    assert len(expected) == len(got)
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        assert one == other, f"call {number}"
    return got


@modes
@pytest.mark.parametrize("reward", REWARDS)
def test_rewards_with_a_name(reward: str, autoreset_mode: str) -> None:
    settings = {"reward": reward, "reward_scale": 3.0, "autoreset_mode": autoreset_mode, "commission": 0.001}
    events = same_in_both(**settings)
    assert len({event[1] for event in events[2:] if len(event) == 5}) > 30  # they are not all alike


def own(previous: Any, row: Any, state: Any) -> float:
    """All that such a function is given: both rows, and what it remembers."""
    state[0] += 1.0
    state[7] = 0.9 * state[7] + (row[Row.VALUE] - previous[Row.VALUE]) / previous[Row.VALUE]
    return state[7] / state[0] - 1e-3 * row[Row.COSTS] + 0.01 * row[Row.ASSETS + Asset.SIZE]  # type: ignore[no-any-return]


@modes
@pytest.mark.parametrize("function", [own, numba.njit(own)], ids=["plain", "compiled"])
def test_a_reward_of_ones_own(function: Any, autoreset_mode: str) -> None:
    events = same_in_both(reward=function, autoreset_mode=autoreset_mode, commission=0.001, skip_frame=2)
    assert len({event[1] for event in events[2:] if len(event) == 5}) > 30


def refuses_a_position(previous: Any, row: Any, state: Any) -> float:
    if row[Row.ASSETS + Asset.SIZE] < 0.0:
        raise ValueError("short")
    return 0.0


def test_a_reward_that_fails_names_its_environment() -> None:
    envs = make(5, engine="compiled", reward=refuses_a_position, order_size=4)
    envs.reset(seed=0)
    with pytest.raises(StrategyError, match="refuses_a_position failed in environment 4: ValueError: short"):
        envs.step([0, 1, 0, 1, 2])
    with pytest.raises(EpisodeError, match="reset"):
        envs.step([0] * 5)
    envs.reset(seed=0)
    assert not envs.step([0] * 5)[1].any()
    envs.close()


SETTINGS: dict[str, dict[str, Any]] = {
    "frames and latency": {"skip_frame": 3, "latency": 2},
    "closed out": {"close_out": True, "drawdown_call": 1.0, "target_call": 1.0},
    "closed out in frames": {"close_out": True, "drawdown_call": 0.5, "skip_frame": 2, "latency": 1},
    "positions": {"actions": "target_position", "positions": (-1.0, 0.0, 0.5, 2.0)},
    "weights": {"actions": "target_percent", "lot": 0.001, "commission": 0.002},
    "a percentage of the cash": {"order_size": "40%", "lot": 0.1},
    "futures": {"commission": Commission(rate=0.5, per_unit=True, margin=30.0, mult=2.0), "order_size": 20},
    "features": {"features": ("rsi(5)", "close / sma(10) - 1"), "normalize": "window", "flatten": True},
    "account alone": {"window": 0, "account_features": ("value", "pos_duration", "unrealized_pnl")},
    "to the end of the data": {"episode_steps": None, "data": MARKET.rows(0, 40)},
    "statistics alone": {"infos": "episode"},
    "no infos": {"infos": "none"},
    "views": {"copy": False},
    "the preset": {"preset": "btgym"},
}


@modes
@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str, autoreset_mode: str) -> None:
    same_in_both(autoreset_mode=autoreset_mode, **SETTINGS[name])


def test_rows_for_training_and_for_tests() -> None:
    domain = vecbt.RandomDomain(MARKET, test_period=500)
    infos = []
    for engine in ("cerebro", "compiled"):
        envs = make(8, engine=engine, data=domain)
        starts = [envs.reset(seed=2, options={"sample_type": kind})[1]["start"] for kind in ("train", "test", 0, 1)]
        infos.append(np.stack(starts))
        envs.close()
    assert (infos[0] == infos[1]).all()
    assert infos[1][1].min() > infos[1][0].max()


@pytest.mark.parametrize(
    "name", ["frames and latency", "closed out", "weights", "futures", "features", "account alone"]
)
def test_the_single_environment(name: str) -> None:
    runs = []
    for engine in ("cerebro", "compiled"):
        env = vecbt.TradingEnv(
            MARKET, engine=engine, **{"window": 3, "order_size": 4, "episode_steps": 12, **SETTINGS[name]}
        )
        random = np.random.default_rng(1)
        events = [list(env.reset(seed=4))]
        for _ in range(60):
            whole = hasattr(env.action_space, "n")
            action = int(random.integers(env.action_space.n)) if whole else random.uniform(-1.0, 1.0, 1).astype("f4")
            result = env.step(action)
            events.append(list(result))
            if result[2] or result[3]:
                events.append(list(env.reset()))
        env.close()
        runs.append(events)
    assert len(runs[0]) > 62  # episodes have ended
    for number, (one, other) in enumerate(zip(*runs, strict=True)):
        assert list(map(flat, one)) == list(map(flat, other)), f"call {number}"


def test_what_a_single_environment_has_returned_is_the_callers() -> None:
    env = vecbt.TradingEnv(MARKET, engine="compiled", window=3, order_size=4)
    kept = [env.reset(seed=0)[0]] + [env.step(1)[0] for _ in range(20)]
    before = [flat(observation) for observation in kept]
    for _ in range(20):
        env.step(2)
    assert [flat(observation) for observation in kept] == before
    assert len({*before}) == len(before)
    env.close()
