"""What is learned: markets, accounts, and who learns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data import BarGenerator, GeometricBrownianMotion, Sine

__all__ = ["PERIOD", "SINE", "WALK", "PartOfPhases", "Task"]

PERIOD = 256
"""Bars from crest to crest of BTGym's sine."""

_ACCOUNT: dict[str, Any] = {
    "start_cash": 2_000.0,
    "order_size": 5_000.0,
    "leverage": 10.0,
    "commission": 0.0001,
    "actions": "target_position",
    "positions": (-1.0, 0.0, 1.0),
    "account_features": ("pos_direction",),
    "flatten": True,
    "reward": "pnl",
}
"""BTGym's account: cash, size of an order, leverage and commission of its examples on minutes of EURUSD."""


@dataclasses.dataclass(frozen=True)
class PartOfPhases:
    """BTGym's sine, begun anywhere in one half of the phases that go with each of a period's bars.

    From bar to bar the phase moves by a 256th of a turn, so that an episode that is longer than a period goes once
    round. What can be kept from it are phases between: of each 256th of the turn, trials of part 0 have bars in the
    first half alone, and those of part 1 in the second. No bar of one part has the phase of any bar of the other.

    Attributes:
        part: 0 or 1.
    """

    part: int

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """See `vecbt.data.generators.BarGenerator.generate`."""
        place = int(rng.integers(PERIOD)) + 0.5 * (self.part + rng.random())
        return Sine(phase=2.0 * math.pi * place / PERIOD, period=float(PERIOD)).generate(rng, bars)


@dataclasses.dataclass(frozen=True)
class Task:
    """What one learner learns.

    Attributes:
        generator: Makes the bars of training episodes.
        env: Settings of the environments, fields of `vecbt.EnvConfig`.
        learner: Arguments of `vecbt.training.learner.make_ppo`.
        train_steps: Steps of training, of all environments together.
        episode_steps: Steps of a training episode.
        test: Makes the bars of held-out episodes.
        test_episodes: How many of them.
        test_steps: Steps of each.
    """

    generator: BarGenerator
    env: Mapping[str, Any]
    learner: Mapping[str, Any]
    train_steps: int
    episode_steps: int
    test: BarGenerator
    test_episodes: int
    test_steps: int


SINE = Task(
    generator=PartOfPhases(0),
    env={**_ACCOUNT, "window": 4, "features": ("log_return * 40000", "(close / sma(32) - 1) * 2000")},
    learner={"gamma": 0.97, "gae_lambda": 0.95, "entropy": 0.003},
    train_steps=1_500_000,
    episode_steps=256,
    test=PartOfPhases(1),
    test_episodes=256,
    test_steps=4 * PERIOD,
)
"""Held out are phases; training sees the market, but never a bar of a phase that is tested."""

_MOTION = GeometricBrownianMotion(price=1.1)

WALK = Task(
    generator=_MOTION,
    env={
        **_ACCOUNT,
        "window": 4,
        "features": ("log_return * 3000", "(close / sma(16) - 1) * 1000", "(high / low - 1) * 1000", "volume"),
    },
    learner={
        "gamma": 0.9,
        "gae_lambda": 0.9,
        "entropy": 0.0,
        "update_steps": 32_768,  # returns are nearly all noise: averages over more of them
        "batch_size": 8_192,
        "epochs": 3,
    },
    train_steps=4_000_000,
    episode_steps=128,
    test=_MOTION,
    test_episodes=512,
    test_steps=256,
)
"""Nothing to learn but that nothing can be: no return depends on the past, and every trade costs."""
