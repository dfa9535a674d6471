"""Environments for tests, in a module that worker processes can import without a training library."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

N = 3


class Counting(gymnasium.Env[Any, Any]):
    """Ends after so many steps, one way or the other; says in its infos what it has been told."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, steps: int, space: Any, *, fails: bool = False) -> None:
        self.steps, self.fails = steps, fails
        self.observation_space, self.action_space = deepcopy(space), space  # draws of its own
        self.render_mode = "rgb_array"
        self.count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.count = 0
        return self.observation_space.sample(), {"seed": str(seed), **(options or {})}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.count += 1
        ended = self.count >= self.steps
        info: dict[str, Any] = {"count": self.count, "nested": {"half": self.count / 2}}
        if self.count % 2:
            info["odd"] = True
        return self.observation_space.sample(), 0.1 * self.count, ended and self.fails, ended, info

    def render(self) -> Any:
        return np.full((2, 2, 3), self.count, np.uint8)

    def twice(self, number: int, plus: int = 0) -> int:
        return 2 * number + plus + self.count


SPACES = {
    "box": spaces.Box(-1.0, 1.0, (2, 3), np.float32),
    "discrete": spaces.Discrete(5),
    "several": spaces.MultiDiscrete([2, 3]),
    "dictionary": spaces.Dict({"b": spaces.Box(0, 9, (2,), np.int64), "a": spaces.Discrete(2)}),
    "tuple": spaces.Tuple((spaces.Discrete(3), spaces.Box(0.0, 1.0, (1,), np.float64))),
}


def functions(space: str = "box") -> list[Callable[[], Any]]:
    return [lambda n=n: Counting(n + 2, SPACES[space], fails=n == 1) for n in range(N)]
