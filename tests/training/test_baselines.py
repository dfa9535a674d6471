from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecbt
from vecbt.data import synthetic_market
from vecbt.errors import ConfigError
from vecbt.training.baselines import BUY_AND_HOLD, FLAT, RANDOM, make_baseline

ONE = synthetic_market(300, seed=0)
TWO = {"A": ONE, "B": synthetic_market(300, seed=1)}


@pytest.mark.parametrize("assets", [1, 2])
@pytest.mark.parametrize("kind", ["discrete", "target_position", "target_percent"])
def test_what_they_hold(kind: str, assets: int) -> None:
    settings: dict[str, Any] = {"data": ONE if assets == 1 else TWO, "actions": kind, "order_size": "40%"}
    envs = vecbt.make_vec(**settings, num_envs=3, episode_steps=30)
    agents = [make_baseline(name, envs, seed=5) for name in (BUY_AND_HOLD, FLAT, RANDOM)]
    envs.reset(seed=0)
    held = []
    for step in range(30):
        actions = np.array([agent(None, step) for agent in agents])
        assert all(
            envs.single_action_space.contains(action.astype(envs.single_action_space.dtype)) for action in actions
        )
        _, _, _, _, infos = envs.step(actions)
        held.append(infos["position"].reshape(3, -1))
    positions = np.array(held)
    assert (positions[:, 0] > 0.0).all()
    assert (positions[:, 1] == 0.0).all()
    assert len(np.unique(positions[:, 2])) > 2
    if settings["actions"] != "target_percent":
        assert (positions[:, 0] == positions[0, 0]).all()  # bought once
    envs.close()


def test_the_random_one_is_its_seeds() -> None:
    envs = vecbt.make_vec(ONE, actions="target_percent")
    first, again, other = (
        [float(make_baseline(RANDOM, envs, seed)(None, step)[0]) for step in range(1)] for seed in (1, 1, 2)
    )
    assert first == again != other
    envs.close()


def test_without_a_flat_position_nobody_stays_flat() -> None:
    envs = vecbt.make_vec(ONE, actions="target_position", positions=(-1.0, 1.0))
    with pytest.raises(ConfigError, match="0 is not among them"):
        make_baseline(FLAT, envs, 0)
    envs.close()
