"""What a learner comes to on held-out episodes, while it learns and in the end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from tqdm import tqdm

from bench.learning.held_out import HeldOut, Played
from bench.learning.markets import Task
from bench.learning.train import policy_of, train

__all__ = ["Look", "Result", "Seed", "load", "measure", "save"]

_HELD_OUT = 20_170_101
"""Goes with a seed into the random numbers of its held-out episodes, so that no training has the same."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a policy comes to.

    Attributes:
        profit: Mean profit of an episode, in currency.
        error: Standard error of that mean.
        exposure: Share of the bars with a position.
    """

    profit: float
    error: float
    exposure: float

    @classmethod
    def of(cls, played: Played) -> Result:
        """The means over the episodes that it has played."""
        return cls(played.mean, played.error, float(played.exposure.mean()))


@dataclasses.dataclass(frozen=True)
class Look:
    """A look at the learner.

    Attributes:
        steps: Steps of training so far, of all environments together.
        chosen: The policy whose action is always the most probable one.
        drawn: The policy that draws its actions, as in training.
    """

    steps: int
    chosen: Result
    drawn: Result


@dataclasses.dataclass(frozen=True)
class Seed:
    """What came of one seed.

    Attributes:
        seed: The seed.
        best: Mean profit of the best play of the held-out episodes, with hindsight.
        looks: From before training to after it. None of them has a say in what is trained or kept.
    """

    seed: int
    best: float
    looks: tuple[Look, ...]

    @property
    def last(self) -> Look:
        """After training."""
        return self.looks[-1]


def measure(task: Task, seed: int, **training: Any) -> Seed:
    """Train on a seed.

    Args:
        task: What to learn.
        seed: Of everything that is drawn: training and held-out episodes, network, actions.
        **training: Further arguments of `bench.learning.train.train`.
    """
    random = np.random.default_rng([seed, _HELD_OUT])
    held_out = HeldOut.of([task.test] * task.test_episodes, random, task.test_steps, task.env)
    looks = []
    with tqdm(total=task.train_steps, desc=f"seed {seed}", unit="step", unit_scale=True, disable=None) as bar:

        def look(model: PPO, steps: int) -> None:
            chosen = held_out.play(policy_of(model, deterministic=True))
            with torch.random.fork_rng(devices=()):  # what is drawn here is not missing in training
                torch.manual_seed(seed)
                drawn = held_out.play(policy_of(model, deterministic=False))
            looks.append(Look(steps, Result.of(chosen), Result.of(drawn)))
            bar.update(min(steps, task.train_steps) - bar.n)

        try:
            train(task, seed, look, **training)
            best = float(held_out.best().profit.mean())
        finally:
            held_out.close()
    return Seed(seed, best, tuple(looks))


def save(path: Path, machine: str, seeds: list[Seed]) -> None:
    """Write results to a JSON file."""
    data = {"machine": machine, "seeds": [dataclasses.asdict(seed) for seed in seeds]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> list[Seed]:
    """Read what `save` has written."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [Seed(one["seed"], one["best"], tuple(_look(look) for look in one["looks"])) for one in data["seeds"]]


def _look(data: dict[str, Any]) -> Look:
    return Look(data["steps"], Result(**data["chosen"]), Result(**data["drawn"]))
