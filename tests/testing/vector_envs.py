"""Small environments that keep to every rule of vectorized ones, and tables of those that break one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from vecbt.errors import ClosedError

MODES = NEXT, SAME, DISABLED = tuple(AutoresetMode)


class Walk(gymnasium.Env[Any, Any]):
    """A walk from a random place for a random number of steps."""

    observation_space = spaces.Box(-1000.0, 1000.0, (2,), np.float32)
    action_space: Any = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-1.0, 1.0)
        self.left = int(self.np_random.integers(3, 9))
        self.count = 0
        return self.observe(), self.tell()

    def observe(self) -> Any:
        return np.array([self.place, self.count], np.float32)

    def tell(self) -> dict[str, Any]:
        return {"count": self.count, "more": {"place": self.place}}

    def step(self, action: Any) -> Any:
        self.move(action)
        self.count += 1
        ended = self.count == self.left
        return self.observe(), self.place, ended and self.left % 2 == 0, ended and self.left % 2 == 1, self.tell()

    def move(self, action: Any) -> None:
        self.place += float(action) - 1.0 + self.np_random.normal()


class Stroll(Walk):
    """The same with nested spaces."""

    observation_space = spaces.Dict(
        where=spaces.Box(-1000.0, 1000.0, (1,), np.float32),
        on=spaces.Tuple([spaces.Discrete(20), spaces.MultiBinary(2)]),
    )
    action_space = spaces.Dict(to=spaces.Box(-1.0, 1.0, (2,), np.float32), way=spaces.MultiDiscrete([2, 3]))

    def observe(self) -> Any:
        where = np.array([self.place], np.float32)
        return {"where": where, "on": (np.int64(self.count), np.array([self.count % 2, 1], np.int8))}

    def move(self, action: Any) -> None:
        self.place += float(action["to"].sum()) + float(action["way"].sum())


class Good(SyncVectorEnv):
    """Keeps to the strict rules too."""

    def __init__(self, mode: AutoresetMode, env: Callable[[], Any] = Walk, num_envs: int = 3, **settings: Any) -> None:
        super().__init__([env] * num_envs, autoreset_mode=mode, **settings)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if self.closed:
            raise ClosedError("closed")
        return super().reset(seed=seed, options=options and dict(options))

    def step(self, actions: Any) -> Any:
        if self.closed:
            raise ClosedError("closed")
        return super().step(actions)


class Cases(list[tuple[str, str, Any, AutoresetMode, dict[str, Any]]]):
    """Classes that break a rule: the rule, the message that says so, the class, its mode, arguments of the check."""

    def breaks(self, rule: str, message: str, *modes: AutoresetMode, **arguments: Any) -> Callable[[Any], Any]:
        """Note a class; in the mode NEXT_STEP if none is given."""

        def note(cls: Any) -> Any:
            self.extend((rule, message, cls, mode, arguments) for mode in modes or (NEXT,))
            return cls

        return note

    def steps(self, rule: str, message: str, *modes: AutoresetMode, **arguments: Any) -> Callable[[Any], None]:
        """Note a function that spoils the list of what a step returns."""

        def note(spoil: Any) -> None:
            class Spoiled(Good):
                def step(self, actions: Any) -> Any:
                    result = list(super().step(actions))
                    spoil(self, result)
                    return tuple(result)

            Spoiled.__name__ = spoil.__name__
            self.breaks(rule, message, *modes, **arguments)(Spoiled)

        return note
