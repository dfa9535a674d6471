"""Training on one seed, with the curve of what held-out episodes come to meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

import vecbt
from bench.learning.held_out import LEAD, Policy
from bench.learning.markets import Task
from vecbt.data import GeneratedDomain
from vecbt.integrations.sb3 import SB3VecEnv
from vecbt.training.learner import make_ppo

__all__ = ["policy_of", "train"]

_NUM_ENVS = 256
_RATE = 1e-3
_SEEDS = 1_000_000
"""Environment i of seed s has the seed (s + 1) times this, plus i: no two seeds share an episode."""


def policy_of(model: PPO, *, deterministic: bool) -> Policy:
    """A model's policy: the most probable action, or one by its probabilities."""

    def act(observations: Any, step: int) -> Any:
        return model.predict(observations, deterministic=deterministic)[0]

    return act


class _Curve(BaseCallback):
    """Looks at the model every so many steps, between two updates."""

    def __init__(self, look: Callable[[PPO, int], None], every: int) -> None:
        super().__init__()
        self._look, self._every, self._next = look, every, 0

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self._next += self._every
            self._look(self.model, self.num_timesteps)

    def _on_step(self) -> bool:
        return True


def train(
    task: Task, seed: int, look: Callable[[PPO, int], None], *, looks: int = 10, num_envs: int = _NUM_ENVS
) -> PPO:
    """Train on generated episodes.

    Args:
        task: What to learn.
        seed: Of the network, of what is drawn in training, and of the episodes.
        look: Called with the model and the steps of training so far, some ``looks`` times, and at the end.
        looks: See above.
        num_envs: Environments that are stepped together.
    """
    domain = GeneratedDomain(task.generator, bars=LEAD + task.episode_steps)
    envs = vecbt.make_vec(
        domain,
        num_envs=num_envs,
        engine="compiled",
        autoreset_mode="SameStep",
        infos="episode",
        episode_steps=task.episode_steps,
        **task.env,
    )
    vec_env = SB3VecEnv(envs)
    # Once an agent has stopped trading, its normalized advantages are noise alone, and steps of full length would undo
    # what it has learned: they become shorter towards the end.
    model = make_ppo(vec_env, seed=seed, learning_rate=lambda left: _RATE * left, **task.learner)
    vec_env.seed(_SEEDS * (seed + 1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small networks lose by more, and the last bits depend on how sums are divided
    try:
        model.learn(task.train_steps, _Curve(look, task.train_steps // looks))
        look(model, model.num_timesteps)
    finally:
        torch.set_num_threads(threads)
        vec_env.close()
    return model
