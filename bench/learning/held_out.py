"""Episodes that no training has seen, and what a policy makes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

import vecbt
from bench.learning.best import Best, best_play
from vecbt.arrays import AnyArray, FloatArray, IntArray
from vecbt.data import BarGenerator, Bars

__all__ = ["LEAD", "HeldOut", "Played", "Policy"]

LEAD = 64
"""Bars of a path before its first observation, for windows and indicators to look back to."""

_MINUTE = 60 * 1_000_000_000
_OPENING = 1_704_067_200 * 1_000_000_000  # 1 January 2024

Policy: TypeAlias = Callable[[Any, int], AnyArray]
"""``(observations, step) -> actions`` of all episodes at once."""


@dataclasses.dataclass(frozen=True)
class Played:
    """What a policy has made of E episodes.

    Attributes:
        profit: float64 (E,), in currency, after costs.
        exposure: float64 (E,), the share of bars at whose close there was a position.
        value: float64 (T + 1,), mean value of the accounts at every observation.
    """

    profit: FloatArray
    exposure: FloatArray
    value: FloatArray

    @property
    def mean(self) -> float:
        """Mean profit of an episode."""
        return float(self.profit.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(self.profit.std(ddof=1) / np.sqrt(len(self.profit)))


class HeldOut:
    """Paths of bars laid one behind the other, of which each is played once, from its own row and to its end.

    Args:
        paths: float64 (LEAD + T, 5) each, at least two: open, high, low, close, volume.
        env: Settings of the environments, fields of `vecbt.EnvConfig`.
    """

    def __init__(self, paths: Sequence[FloatArray], env: Mapping[str, Any]) -> None:
        length = len(paths[0])
        rows = np.concatenate(paths)
        stamps = _OPENING + _MINUTE * np.arange(1, len(rows) + 1)
        self.steps = length - LEAD
        self.starts: IntArray = LEAD - 1 + length * np.arange(len(paths))
        bars = Bars.from_arrays(stamps, *rows.T, name="held-out paths")
        prices = np.stack(paths)[:, LEAD - 1 :]
        self.opens, self.closes = prices[:, :, 0], prices[:, :, 3]
        settings = {**env, "episode_steps": self.steps}
        self._envs = vecbt.make_vec(bars, num_envs=len(paths), engine="compiled", **settings)

    @classmethod
    def of(
        cls, generators: Sequence[BarGenerator], random: np.random.Generator, steps: int, env: Mapping[str, Any]
    ) -> HeldOut:
        """A path of each generator for episodes of so many steps."""
        return cls([generator.generate(random, LEAD + steps) for generator in generators], env)

    def best(self) -> Best:
        """The best that can be done, with hindsight."""
        config = self._envs.config
        size, rate = config.order_size, config.commission
        assert isinstance(size, float)
        assert isinstance(rate, float)
        return best_play(self.opens, self.closes, size, rate, config.positions)

    def play(self, policy: Policy) -> Played:
        """Let a policy play every episode once.

        Raises:
            RuntimeError: If an episode has ended before its time, with nothing left.
        """
        envs = self._envs
        observations, infos = envs.reset(seed=0, options={"start": self.starts})
        values = [infos["value"].mean()]
        for step in range(self.steps):
            observations, _, terminations, truncations, infos = envs.step(policy(observations, step))
            if terminations.any() or truncations.all() != (step == self.steps - 1):
                raise RuntimeError(f"{(terminations | truncations).sum()} episodes have ended in step {step}")
            values.append(infos["value"].mean())
        stats = infos["episode_stats"]
        return Played(stats["value"] - envs.config.start_cash, stats["exposure"], np.array(values))

    def close(self) -> None:
        """Close the environments."""
        self._envs.close()
