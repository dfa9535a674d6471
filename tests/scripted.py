"""Gymnasium environments for tests, in which everything follows from the seed, the actions and the options."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

BOX = spaces.Box(-10.0, 10.0, (3,), np.float32)
NESTED = spaces.Dict(
    {
        "box": spaces.Box(-1.0, 1.0, (2, 2), np.float64),
        "half": spaces.Box(-1.0, 1.0, (), np.float16),
        "pair": spaces.Tuple([spaces.Discrete(5, start=-2), spaces.MultiBinary([2, 3])]),
        "many": spaces.Dict({"of": spaces.MultiDiscrete([3, 200]), "none": spaces.Dict({})}),
        "picture": spaces.Box(0, 255, (4, 4, 3), np.uint8),
    }
)
WORDS = spaces.Tuple([spaces.Text(7), spaces.OneOf([spaces.Discrete(3), spaces.Box(0.0, 1.0, (2,), np.float32)])])


def exact(value: Any) -> Any:
    """Something that `==` compares to the last bit and the last type."""
    if isinstance(value, dict):
        return {name: exact(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value), [exact(part) for part in value]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return "objects", value.shape, [exact(part) for part in value.ravel()]
    if isinstance(value, np.ndarray | np.generic):
        return isinstance(value, np.ndarray), value.dtype.str, value.shape, value.tobytes()
    return type(value), repr(value)


class Scripted(gymnasium.Env[Any, Any]):
    """Draws everything from its generator; rewards depend on all actions of the episode, type and all.

    Args:
        observation_space: What observations are drawn from.
        action_space: Of one action.
        longest: The longest episode, of at least one step.
        label: Something to ask for.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012
    render_mode = "rgb_array"

    def __init__(
        self, observation_space: Any = BOX, action_space: Any = None, longest: int = 6, label: str = ""
    ) -> None:
        self.observation_space = copy.deepcopy(observation_space)  # its generator is the environment's own
        self.action_space = spaces.Discrete(4) if action_space is None else action_space
        self.longest, self.label, self.steps, self.given = longest, label, 0, ("", "")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.given = (str(seed), str(options))
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        self.trail = 0
        self.steps, self.left = 0, int(self.np_random.integers(1, self.longest + 1))
        return self.observation_space.sample(), {"options": str(options), **self.tell()}

    def step(self, action: Any) -> Any:
        self.steps += 1
        self.left -= 1
        self.trail = zlib.crc32(repr(exact(action)).encode(), self.trail)
        reward = self.np_random.normal() + self.trail % 997
        ended, kind = self.left == 0, bool(self.np_random.integers(2))
        return self.observation_space.sample(), reward, ended and kind, ended and not kind, self.tell()

    def tell(self) -> dict[str, Any]:
        """Numbers, arrays, words and dicts, some of them only now and then."""
        random = self.np_random
        info: dict[str, Any] = {"steps": self.steps, "noise": random.normal(), "on": bool(random.integers(2))}
        if random.integers(2):
            info["small"] = np.float32(random.normal())
            info["vector"] = random.normal(size=3).astype(np.float32)
        if random.integers(3) == 0:
            info["word"] = "x" * int(random.integers(4))
            info["more"] = {"deep": {"count": np.int16(self.steps)}, "flag": np.bool_(random.integers(2))}
        return info

    def describe(self, first: int, *, second: int = 0) -> tuple[str, int]:
        return self.label, first + second

    def render(self) -> Any:
        return np.full((2, 2, 3), self.steps, np.uint8)


class Telling(gymnasium.Env[Any, Any]):
    """Says in its infos what it has been given to say, call after call; an episode of so many steps."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = spaces.Discrete(2)

    def __init__(self, infos: Sequence[dict[str, Any]], episode: int = 10**6) -> None:
        self.infos, self.episode = iter(infos), episode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.steps = 0
        return np.zeros(1), next(self.infos)

    def step(self, action: Any) -> Any:
        self.steps += 1
        return np.full(1, self.steps, float), 0.0, self.steps == self.episode, False, next(self.infos)


class Hearing(gymnasium.Env[Any, Any]):
    """Keeps the actions that it is given."""

    observation_space = spaces.Box(-1.0, 1.0, (), np.float32)

    def __init__(self, action_space: Any) -> None:
        self.action_space, self.heard = action_space, []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return np.float32(0.0), {}

    def step(self, action: Any) -> Any:
        self.heard.append(exact(action))
        return np.float32(0.0), 0.0, False, False, {}


class Slow(Scripted):
    """Waits in its steps until a file is there."""

    def __init__(self, gate: str) -> None:
        super().__init__()
        self.gate = gate

    def step(self, action: Any) -> Any:
        import time
        from pathlib import Path

        while not Path(self.gate).exists():
            time.sleep(0.005)
        return super().step(action)


def family(count: int, env: Callable[..., Any] = Scripted, **settings: Any) -> list[Callable[[], Any]]:
    """Functions that make environments of unlike lengths, by name, for workers of any start method."""
    if env is Scripted:
        own = [{"longest": 2 + number % 5, "label": f"env {number}"} for number in range(count)]
        return [partial(env, **{**each, **settings}) for each in own]
    return [partial(env, **settings) for _ in range(count)]


def play(envs: Any, steps: int, *, seed: Any = 3, options: Any = None) -> list[Any]:
    """Everything that a batch returns over some steps of random actions, with resets of those that ended."""
    envs.action_space.seed(1)
    events = [exact(envs.reset(seed=seed, options=options))]
    for _ in range(steps):
        result = envs.step(envs.action_space.sample())
        events.append(exact(result))
        ended = result[2] | result[3]
        if envs.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.DISABLED and ended.any():
            events.append(exact(envs.reset(options={"reset_mask": ended})))
    return events
