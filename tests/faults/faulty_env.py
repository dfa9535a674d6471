"""A small environment that fails on demand, once."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

EPISODE = 4
"""Steps in an episode."""


class Refusal(Exception):
    """Nothing that vecbt knows of."""


class DriftingEnv(gymnasium.Env[Any, Any]):
    """A value that drifts by the generator and the actions; an observation is the value and the step."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.value, self.count = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.value, self.count = float(self.np_random.random()), 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.value = 0.5 * self.value + float(self.np_random.random()) + int(action)
        self.count += 1
        return self._observe(), self.value - 1.0, self.count == EPISODE, False, {"count": self.count}

    def answer(self) -> int:
        return self.count

    def _observe(self) -> Any:
        return np.array([self.value, self.count])


class Fault:
    """Something that happens to a process once, also where another process has taken its place.

    Args:
        kind: Key of `tests.faults.cases.FAULTS`.
        moment: Key of `tests.faults.cases.MOMENTS`.
        mark: Folder for what is left by those times that it has happened.
        times: How often.
    """

    def __init__(self, kind: str, moment: str, mark: Path, times: int = 1) -> None:
        self.kind, self.moment, self.mark, self.times = kind, moment, mark, times

    def at(self, moment: str) -> None:
        """Happen, if this is the moment."""
        if moment == self.moment and self._is_due():
            commit(self.kind)

    def arm(self, moment: str) -> None:
        """Happen shortly after, if this is the moment."""
        if moment == self.moment and self._is_due():
            threading.Timer(0.1, commit, (self.kind,)).start()

    def _is_due(self) -> bool:
        for time_ in range(self.times):
            try:
                (self.mark / f"{self.moment}-{time_}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False


def commit(kind: str) -> None:
    """Do what the fault's name says to the process that runs this."""
    if kind == "raise":
        raise Refusal("on purpose")
    if kind == "memory":
        want_too_much()
    elif kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "oom":
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGKILL)).start()
        taken = []
        while True:
            taken.append(bytearray(1 << 20))
            time.sleep(0.001)
    elif kind == "exit":
        os._exit(7)
    elif kind == "segfault":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.string_at(0)
    elif kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise AssertionError(kind)


def want_too_much() -> None:
    """Ask for more memory than the process is allowed for the moment."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), before[1]))
    try:
        np.ones(1 << 27)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class FaultyEnv(DriftingEnv):
    """Has a fault: as it is made, in its first reset or another, in its second step or after it, in a call, in close.

    Args:
        fault: What happens, or None.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.fault = fault
        self.episodes = 0
        self._at("start")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._at("reset")
        if self.episodes:
            self._at("autoreset")
        self.episodes += 1
        result = super().reset(seed=seed, options=options)
        if self.fault is not None:
            self.fault.arm("before")
        return result

    def step(self, action: Any) -> Any:
        if self.count == 1:
            self._at("step")
        result = super().step(action)
        if self.fault is not None and self.count == 2:
            self.fault.arm("after")
        return result

    def answer(self) -> int:
        self._at("call")
        return super().answer()

    def close(self) -> None:
        self._at("close")

    def _at(self, moment: str) -> None:
        if self.fault is not None:
            self.fault.at(moment)


class MakeFaulty:
    """Makes an environment in whatever process."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault

    def __call__(self) -> FaultyEnv:
        return FaultyEnv(self.fault)
