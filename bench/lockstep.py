"""The generic engine beside other process vectors, on environments that cost nothing, little and more."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

import vecbt
from bench.goals import Goal
from vecbt.errors import WorkerDiedError
from vecbt.testing import Figure, interleave
from vecbt.testing.busy import BusyEnv, rounds_for

__all__ = ["IDEAL", "measure"]

IDEAL = " over the ideal of 2 processors: "
"""Stands between a vector and the environments in the names of what it does of what two processors could at best."""

_COSTS = (0, 20, 100)
_SIZES = (8, 32, 128)
_SECONDS = 0.2

_ALONE, _SHARED = "vecbt, 2 workers", "vecbt, 1 worker and the parent's share"
_ASKED = {(20, 128): {_ALONE: 0.78, _SHARED: 0.85}, (100, 32): {_ALONE: 0.80, _SHARED: 0.88}}
"""Of the ideal, for a step's cost and a number of environments."""


def measure(repeats: int) -> list[Goal]:
    """Environment steps per second of every vector, and the overhead of a step that costs nothing."""
    goals = []
    for cost in _COSTS:
        for size in _SIZES:
            goals += _compare(cost, size, repeats)
    return goals + _overheads(repeats) + _deaths(repeats)


def _compare(cost: int, size: int, repeats: int) -> list[Goal]:
    rounds = rounds_for(cost)
    env_fns = [functools.partial(BusyEnv, rounds)] * size
    with contextlib.ExitStack() as stack:
        cases = {name: _rate(make, size, stack) for name, make in _makers(env_fns).items()}
        cases["a bare step"] = functools.partial(_bare_rate, rounds)
        rates = interleave(cases, repeats, progress=f"{size} environments of {cost} us")
    bare = rates.pop("a bare step")
    ideal = Figure([2.0 * rate for rate in bare.values])
    label = f"{size} environments, {cost} us a step"
    goals = []
    for name, rate in rates.items():
        bound = _ASKED.get((cost, size), {}).get(name)
        goals.append(Goal(f"{name}{IDEAL}{label}", rate / ideal, bound=bound))
    for name in (_ALONE, _SHARED):
        least = 1.0 if size >= 32 else None
        goals.append(Goal(f"{name} over SyncVectorEnv: {label}", rates[name] / rates["SyncVectorEnv"], bound=least))
    return goals + [Goal(f"{name}: {label}", rate, "per second") for name, rate in rates.items()]


def _makers(env_fns: Sequence[Callable[[], BusyEnv]]) -> dict[str, Callable[[], Any]]:
    makers: dict[str, Callable[[], Any]] = {
        _ALONE: lambda: vecbt.SharedMemoryVectorEnv(env_fns, num_workers=2),
        _SHARED: lambda: vecbt.SharedMemoryVectorEnv(env_fns, num_workers=1, parent_share=True),
        "SyncVectorEnv": lambda: SyncVectorEnv(env_fns),
        # Forked, or the start of a hundred processes would take minutes.
        "AsyncVectorEnv": lambda: AsyncVectorEnv(env_fns, context="fork"),
    }
    if importlib.util.find_spec("stable_baselines3"):
        makers["SubprocVecEnv"] = lambda: _subproc(env_fns)
    return makers


def _subproc(env_fns: Sequence[Callable[[], BusyEnv]]) -> Any:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    return SubprocVecEnv(list(env_fns), start_method="fork")


def _rate(make: Callable[[], Any], size: int, stack: contextlib.ExitStack) -> Callable[[], float]:
    envs = make()
    stack.callback(envs.close)
    envs.reset()
    actions = [np.random.default_rng(number).integers(0, 4, size) for number in range(8)]
    return lambda: size * _per_second(lambda number: envs.step(actions[number % 8]))


def _bare_rate(rounds: int) -> float:
    env = BusyEnv(rounds)
    batch = range(20)

    def step(number: int) -> None:
        for _ in batch:
            env.step(1)

    return len(batch) * _per_second(step)


def _per_second(step: Callable[[int], Any]) -> float:
    for number in range(3):
        step(number)
    begun, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < _SECONDS:
        step(count)
        count += 1
    return count / passed


def _overheads(repeats: int) -> list[Goal]:
    with contextlib.ExitStack() as stack:
        cases = {}
        for size in (2, 1024):
            for workers in (0, 2):
                make = functools.partial(vecbt.SharedMemoryVectorEnv, [BusyEnv] * size, num_workers=workers)
                cases[size, workers] = _rate(make, size, stack)
        named = {f"{size} environments, {workers} workers": case for (size, workers), case in cases.items()}
        rates = interleave(named, repeats, progress="environments that cost nothing")

    def microseconds(size: int, workers: int, per_env: bool) -> Figure:
        values = rates[f"{size} environments, {workers} workers"].values
        return Figure([1e6 / rate * (1 if per_env else size) for rate in values])

    nothing = "environments that cost nothing"
    return [
        Goal(f"a step of 2 {nothing}, 2 workers", microseconds(2, 2, False), "us", 15.0, "at most"),
        Goal(f"a step of 2 {nothing}, everything in the parent", microseconds(2, 0, False), "us"),
        Goal(f"per environment of 1,024 {nothing}, 2 workers", microseconds(1024, 2, True), "us", 0.5, "at most"),
        Goal(f"per environment of 1,024 {nothing}, everything in the parent", microseconds(1024, 0, True), "us"),
    ]


def _deaths(repeats: int) -> list[Goal]:
    figures = interleave({"noticed": _seconds_to_notice, "replaced": _seconds_to_replace}, repeats, progress="deaths")
    return [
        Goal("a killed worker, until step() raises", figures["noticed"], "s", 0.1, "at most"),
        Goal(
            "a killed worker, until step() returns with another in its place", figures["replaced"], "s", 1.5, "at most"
        ),
    ]


def _seconds_to_notice() -> float:
    envs = vecbt.SharedMemoryVectorEnv([BusyEnv] * 8, num_workers=2)
    with contextlib.closing(envs):
        _kill_one(envs)
        begun = time.perf_counter()
        with contextlib.suppress(WorkerDiedError):
            envs.step([0] * 8)
            raise AssertionError("nobody has noticed")
        return time.perf_counter() - begun


def _seconds_to_replace() -> float:
    envs = vecbt.SharedMemoryVectorEnv([BusyEnv] * 8, num_workers=2, on_worker_death="restart")
    with contextlib.closing(envs):
        _kill_one(envs)
        begun = time.perf_counter()
        if not envs.step([0] * 8)[-1]["worker_restarted"].any():
            raise AssertionError("nobody has been replaced")
        return time.perf_counter() - begun


def _kill_one(envs: vecbt.SharedMemoryVectorEnv) -> None:
    envs.reset(seed=0)
    for _ in range(100):
        envs.step([0] * 8)
    os.kill(envs.worker_pids[1], signal.SIGKILL)
