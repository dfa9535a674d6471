"""What environments come to whose worker has been replaced, in plain Python: a batch is compared with it bit by bit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tests.faults.faulty_env import DriftingEnv


class Row(NamedTuple):
    """What a step says of one environment, with numbers that `==` compares."""

    value: float
    count: float
    reward: float
    terminated: bool
    truncated: bool
    info: int | None
    restarted: bool


def rows(result: Any) -> list[Row]:
    """What a step of a batch has returned, environment by environment."""
    observations, rewards, terminations, truncations, infos = result
    n = len(rewards)
    told, count = infos.get("_count", np.zeros(n, bool)), infos.get("count", np.zeros(n, int))
    restarted = infos.get("worker_restarted", np.zeros(n, bool)) & infos.get("_worker_restarted", np.zeros(n, bool))
    assert set(infos) <= {"count", "_count", "worker_restarted", "_worker_restarted"}
    return [
        Row(
            float(observations[env][0]),
            float(observations[env][1]),
            float(rewards[env]),
            bool(terminations[env]),
            bool(truncations[env]),
            int(count[env]) if told[env] else None,
            bool(restarted[env]),
        )
        for env in range(n)
    ]


class Model:
    """One environment with automatic resets in the step after an episode's end.

    Args:
        seed: What its first reset is given.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.env = seed, DriftingEnv()
        self.number, self.ended, self.replaced = 0, False, False
        self.last = self.env.reset(seed=seed)[0]

    def step(self, action: int, restarted: bool = False) -> Row:
        """What a step returns.

        Args:
            action: The action.
            restarted: Whether the worker has died since the step before, or in this one.
        """
        reward, terminated, truncated, count = 0.0, False, False, None
        if restarted:
            self.env, self.replaced = DriftingEnv(), True
        if self.ended:
            self.last, self.ended = self._reset(), False
        elif restarted:
            truncated = self.ended = True
        else:
            self.last, reward, terminated, _, info = self.env.step(action)
            self.ended, count = terminated, info["count"]
        return Row(float(self.last[0]), float(self.last[1]), reward, terminated, truncated, count, restarted)

    def _reset(self) -> Any:
        self.number += 1
        seed = None
        if self.replaced:  # by the seed and the episode's number alone
            words = np.random.SeedSequence((self.seed, self.number)).generate_state(2)
            seed, self.replaced = int(words[0]) << 31 ^ int(words[1]), False
        return self.env.reset(seed=seed)[0]
