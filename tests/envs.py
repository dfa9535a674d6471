"""Environments for tests, and what is compared of them."""

from __future__ import annotations

from typing import Any

import numpy as np

import vecbt
from vecbt.data.synthetic import synthetic_market

MARKET = synthetic_market(3_000, seed=11)


def make(num_envs: int = 3, **settings: Any) -> vecbt.TradingVectorEnv:
    """A small batch of the Cerebro engine in this process."""
    defaults: dict[str, Any] = {"engine": "cerebro", "num_workers": 0, "episode_steps": 20}
    return vecbt.make_vec(settings.pop("data", MARKET), num_envs=num_envs, **(defaults | settings))


def flat(value: Any) -> Any:
    """Nested dicts of arrays as something that `==` compares bit for bit (NaN with NaN)."""
    if isinstance(value, dict):
        return {key: flat(part) for key, part in sorted(value.items())}
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()


def rollout(envs: Any, steps: int, seed: int = 3, *, actions_seed: int = 0) -> list[Any]:
    """Everything that a batch returns over some steps with random actions."""
    random = np.random.default_rng(actions_seed)
    space = envs.single_action_space
    events = [flat(part) for part in envs.reset(seed=seed)]
    for _ in range(steps):
        if hasattr(space, "n"):
            actions = random.integers(0, space.n, envs.num_envs)
        elif hasattr(space, "nvec"):
            actions = random.integers(0, space.nvec, (envs.num_envs, *space.shape))
        else:
            actions = random.uniform(-1.0, 1.0, (envs.num_envs, *space.shape)).astype(np.float32)
        events.append([flat(part) for part in envs.step(actions)])
    return events
