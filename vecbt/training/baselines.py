"""Agents that need no training: what a policy is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray
from vecbt.errors import ConfigError
from vecbt.vector import TradingVectorEnv

__all__ = ["BUY_AND_HOLD", "FLAT", "POLICY", "RANDOM", "Agent", "make_baseline"]

POLICY, BUY_AND_HOLD, FLAT, RANDOM = "policy", "buy and hold", "flat", "random"
"""Names of agents."""

Agent: TypeAlias = Callable[[Any, int], AnyArray]
"""``(observation, step) -> action``, both of a single environment; the first step is 0."""

_BUY, _HOLD = 1, 0


def make_baseline(name: str, envs: TradingVectorEnv, seed: int) -> Agent:
    """An agent that buys as much as its actions allow and holds, that never trades, or that acts at random.

    Args:
        name: `BUY_AND_HOLD`, `FLAT` or `RANDOM`.
        envs: The batch whose actions it takes.
        seed: Seed of the random one, which draws uniformly from the action space.

    Raises:
        ConfigError: If there is no such agent for these actions.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(500, seed=0)
        >>> envs = vecbt.make_vec(market, actions="target_position", positions=(-1.0, 0.0, 0.5))
        >>> make_baseline(BUY_AND_HOLD, envs, seed=0)(None, 0), make_baseline(FLAT, envs, seed=0)(None, 0)
        (array(2), array(1))
        >>> envs.close()
    """
    space = envs.single_action_space
    if name == RANDOM:
        random = np.random.Generator(np.random.Philox(seed))
        return lambda observation, step: _draw(space, random)
    kind, positions = envs.config.actions, np.asarray(envs.config.positions)
    shape = () if isinstance(space, spaces.Discrete) else space.shape or ()
    if kind == "discrete":
        first, after = (_BUY, _HOLD) if name == BUY_AND_HOLD else (_HOLD, _HOLD)
        return lambda observation, step: np.full(shape, after if step else first, np.int64)
    if kind == "target_position":
        code = int(np.argmax(positions) if name == BUY_AND_HOLD else np.argmin(np.abs(positions)))
        if name == FLAT and positions[code] != 0.0:
            raise ConfigError(f"no agent stays flat with positions={tuple(positions.tolist())}: 0 is not among them")
        return lambda observation, step: np.full(shape, code, np.int64)
    if kind == "target_percent":
        part = np.float32(1.0 / shape[0] if name == BUY_AND_HOLD else 0.0)
        return lambda observation, step: np.full(shape, part, np.float32)
    raise ConfigError(f"there is no agent {name!r} for actions={kind!r}")


def _draw(space: spaces.Space[Any], random: np.random.Generator) -> AnyArray:
    if isinstance(space, spaces.Discrete):
        return np.asarray(random.integers(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        return random.integers(space.nvec)
    if isinstance(space, spaces.Box):
        return random.uniform(space.low, space.high).astype(np.float32)
    raise ConfigError(f"there is no random agent for actions of {space}")
