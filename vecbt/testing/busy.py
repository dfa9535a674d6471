"""An environment whose step takes as long as one likes, to measure what happens around it."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np

from vecbt.arrays import Float32Array

__all__ = ["BusyEnv", "rounds_for"]


class BusyEnv(gymnasium.Env[Float32Array, int]):
    """Counts for a while in every step, in Python, as environments do.

    Observations are float32 (30, 5), actions Discrete(4), rewards 0; an episode never ends.

    Args:
        rounds: How far it counts; see `rounds_for`.

    Example:
        >>> env = BusyEnv(rounds=100)
        >>> observation, _ = env.reset(seed=0)
        >>> observation.shape
        (30, 5)
    """

    def __init__(self, rounds: int = 0) -> None:
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (30, 5), np.float32)
        self.action_space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(4)
        self._observation = np.zeros((30, 5), np.float32)
        self._rounds = rounds

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        return self._observation, {}

    def step(self, action: int) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """Count."""
        if self._rounds:
            _count(self._rounds)
        return self._observation, 0.0, False, False, {}


def _count(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number
    return total


def rounds_for(microseconds: float) -> int:
    """How far to count so that a step takes so long on this machine, at its quickest."""
    if not microseconds:
        return 0
    sample, best = 20_000, float("inf")
    for _ in range(20):
        begun = time.perf_counter()
        _count(sample)
        best = min(best, time.perf_counter() - begun)
    return round(microseconds * 1e-6 / best * sample)
