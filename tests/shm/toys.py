"""Slices that count, fail, hang or die on demand; importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.shm.arena import ArraySpec

SPECS = {"value": ArraySpec((8,), "float64"), "mask": ArraySpec((8,), "bool"), "order": ArraySpec((8,), "int64")}


class CountingSlice:
    """Adds one to its environments' values on every step, and does what ``order`` says first."""

    def __init__(self, arrays: Mapping[str, Any], low: int, high: int) -> None:
        self.arrays, self.low, self.high = arrays, low, high
        self.current = -1

    def reset(self, argument: Any = None) -> None:
        for env in range(self.low, self.high):
            if self.arrays["mask"][env]:
                self.arrays["value"][env] = 100.0 * env
        self._obey("reset")

    def step(self, argument: Any = None) -> None:
        self._obey("step")
        self.arrays["value"][self.low : self.high] += 1.0

    def _obey(self, where: str) -> None:
        for env in range(self.low, self.high):
            order = self.arrays["order"][env]
            self.current = env
            if order == 1:
                raise ValueError(f"{where} of {env}")
            if order == 2:
                raise Unpicklable(env)
            if order == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            if order == 4:
                time.sleep(1000.0)
            if order == 5:
                time.sleep(0.05)
            if order == 6:
                os._exit(7)
        self.current = -1

    def call(self, name: str, argument: Any) -> Any:
        if name == "pid":
            return os.getpid()
        if name == "echo":
            return argument
        raise KeyError(name)

    def close(self) -> None:
        pass


class Unpicklable(Exception):
    def __init__(self, env: int) -> None:
        super().__init__(f"cannot travel from {env}")
        self.lock = (x for x in ())


def failing(arrays: Mapping[str, Any], low: int, high: int) -> CountingSlice:
    raise RuntimeError(f"no slice from {low}")


def dying(arrays: Mapping[str, Any], low: int, high: int) -> CountingSlice:
    os._exit(3)


def threads(arrays: Mapping[str, Any], low: int, high: int) -> CountingSlice:
    from threadpoolctl import threadpool_info

    np.ones((4, 4)) @ np.ones((4, 4))
    arrays["value"][low:high] = max(pool["num_threads"] for pool in threadpool_info())
    return CountingSlice(arrays, low, high)
