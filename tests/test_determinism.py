"""Rollouts are equal to the last bit whatever runs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.envs import make, rollout

SETTINGS: dict[str, Any] = {"commission": 0.0005, "account_features": ("value", "drawdown"), "episode_steps": 15}
STEPS = 60


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    envs = make(7, **SETTINGS)
    events = rollout(envs, STEPS)
    envs.close()
    return events


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork"])
@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_and_start_methods(expected: list[Any], num_workers: int, context: str) -> None:
    envs = make(7, num_workers=num_workers, context=context, **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_more_workers_and_a_share_of_the_parent(expected: list[Any]) -> None:
    envs = make(7, num_workers=3, parent_share=True, **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_stock_classes(expected: list[Any]) -> None:
    envs = make(7, fast=False, **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_the_compiled_engine(expected: list[Any]) -> None:
    envs = make(7, engine="compiled", **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_threads() -> None:
    """A batch that is large enough for three of them."""
    runs = []
    for settings in ({"engine": "cerebro"}, *({"engine": "compiled", "num_workers": threads} for threads in (1, 2, 3))):
        envs = make(150, **SETTINGS, **settings)
        runs.append(rollout(envs, STEPS))
        envs.close()
    assert all(run == runs[0] for run in runs[1:])


@pytest.mark.parametrize("engine", ["cerebro", "compiled"])
def test_neighbours_do_not_matter(engine: str) -> None:
    """Environment 2 of a batch of 7 is the one of a batch of 3 with the same seed and actions."""
    large, small = make(7, engine=engine, **SETTINGS), make(3, engine=engine, **SETTINGS)
    large.reset(seed=3)
    small.reset(seed=3)
    random = np.random.default_rng(1)
    for _ in range(STEPS):
        actions = random.integers(0, 4, 7)
        got, other = large.step(actions), small.step(actions[:3])
        assert (got[0]["market"][:3] == other[0]["market"]).all()
        assert (got[1][:3] == other[1]).all()
        assert (got[4]["value"][:3] == other[4]["value"]).all()
    large.close()
    small.close()
