"""Environments that cost nothing: what a learner makes by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from vecbt.vector import TradingVectorEnv

__all__ = ["FreeVectorEnv"]


class FreeVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch with the spaces of another whose every step returns the same arrays; no episode ends.

    Args:
        envs: The batch whose spaces and mode it has.
    """

    def __init__(self, envs: TradingVectorEnv) -> None:
        self.num_envs = count = envs.num_envs
        self.single_observation_space, self.single_action_space = (
            envs.single_observation_space,
            envs.single_action_space,
        )
        self.observation_space = batch_space(self.single_observation_space, count)
        self.action_space = batch_space(self.single_action_space, count)
        self.metadata = {"autoreset_mode": envs.metadata["autoreset_mode"]}
        assert isinstance(self.single_observation_space, spaces.Box)
        assert isinstance(self.metadata["autoreset_mode"], AutoresetMode)
        shape = (count, *self.single_observation_space.shape)
        # Numbers as a policy would see them: with zeros alone it would learn, and compute, something else.
        self._observations = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        self._rewards = np.random.default_rng(1).normal(size=count)
        self._flags = np.zeros(count, bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The observations."""
        return self._observations, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The same ones, and the same rewards."""
        return self._observations, self._rewards, self._flags, self._flags, {}
