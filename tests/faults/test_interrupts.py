"""Ctrl-C in the calling process: the workers never see it, and the batch goes on after a reset."""

from __future__ import annotations

from typing import Any

import pytest

from tests.envs import make, rollout
from tests.faults.processes import is_alive
from tests.faults.strategies import Faulty
from vecbt.errors import ClosedError, EpisodeError

STEPS = 5
LAYOUTS: list[dict[str, Any]] = [
    {"num_workers": 2},
    {"num_workers": 2, "context": "fork"},
    {"num_workers": 1, "parent_share": True},
    {"num_workers": 0},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_interrupted_in_a_step(layout: Any) -> None:
    settings: dict[str, Any] = {"episode_steps": STEPS, "autoreset_mode": "SameStep"}
    other = make(4, **settings)
    expected = rollout(other, STEPS - 1)
    other.close()
    # The interrupted step ends the second episode and begins a third: were it still under way when the batch is reset,
    # it would count that one on top.
    strategy = (Faulty, {"fault": "interrupt", "step": STEPS - 1, "episode": 1, "env": 3})
    envs = make(4, strategy=strategy, **settings, **layout)
    envs.reset(seed=0)
    envs.reset()
    for _ in range(STEPS - 1):
        envs.step([0, 0, 0, 0])
    with pytest.raises(KeyboardInterrupt):
        envs.step([0, 0, 0, 0])
    assert all(map(is_alive, envs.worker_pids))
    with pytest.raises(EpisodeError, match="in the middle of a call"):
        envs.step([0, 0, 0, 0])
    assert rollout(envs, STEPS - 1) == expected
    envs.close()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_interrupted_in_a_step_and_closed(layout: Any) -> None:
    envs = make(4, strategy=(Faulty, {"fault": "interrupt"}), **layout)
    envs.reset(seed=0)
    envs.step([0, 0, 0, 0])
    envs.step([0, 0, 0, 0])
    with pytest.raises(KeyboardInterrupt):
        envs.step([0, 0, 0, 0])
    pids = envs.worker_pids
    envs.close()
    assert not any(map(is_alive, pids))
    with pytest.raises(ClosedError):
        envs.reset()
