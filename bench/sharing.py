"""Two batches on one data server beside a single one of as many environments."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import vecbt
from bench.goals import Goal
from vecbt.arrays import IntArray
from vecbt.data import Bars, synthetic_market
from vecbt.testing import interleave
from vecbt.testing.processes import MakeRate, RateProcesses
from vecbt.testing.throughput import EPISODE, SIZE, batch_rate, pattern, step_rate

__all__ = ["measure"]

_SIZES = {"compiled": 4096, "cerebro": 64}
_SECONDS = 0.5
_ONE, _PROCESSES, _TURNS = "one batch", "two batches in two processes", "two batches of one process in turn"


def measure(repeats: int) -> list[Goal]:
    """Orders on a third of the bars; two workers or threads for one batch, one for each of two."""
    bars = synthetic_market(50_000)
    return [goal for engine, size in _SIZES.items() for goal in _compare(bars, engine, size, repeats)]


def _compare(bars: Bars, engine: str, size: int, repeats: int) -> list[Goal]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(vecbt.DataFeedServer(bars))
        make: Callable[..., Any] = functools.partial(
            vecbt.make_vec, engine=engine, order_size=SIZE, episode_steps=EPISODE
        )
        envs = [make(server, num_envs=size, num_workers=2), *(make(server, num_envs=size // 2) for _ in range(2))]
        for each in envs:
            stack.callback(each.close)
        apart = stack.enter_context(RateProcesses(_maker(server.address, engine, size // 2), 2))
        alone = batch_rate(envs[0], size, _SECONDS)
        cases = {_ONE: lambda: alone(True), _PROCESSES: lambda: apart.rate(True), _TURNS: lambda: _turns(envs[1:])}
        rates = interleave(cases, repeats, progress=f"{engine}, {size:,} environments on one server")
    name = f"{engine} engine, {size:,} environments in all"
    goals = [
        Goal(f"{_PROCESSES} over {_ONE}: {name}", rates[_PROCESSES] / rates[_ONE], bound=0.9),
        Goal(f"{_TURNS} over {_ONE}: {name}", rates[_TURNS] / rates[_ONE]),
    ]
    return goals + [Goal(f"{case}: {name}", rate, "per second") for case, rate in rates.items()]


def _maker(address: str | None, engine: str, num_envs: int) -> MakeRate:
    """A batch that attaches to the server from a process of its own."""

    def make(number: int) -> Callable[[bool], float]:
        client = vecbt.DataFeedServer.attach(address or "")
        envs = vecbt.make_vec(
            client, num_envs=num_envs, engine=engine, num_workers=1, order_size=SIZE, episode_steps=EPISODE
        )
        return batch_rate(envs, num_envs, _SECONDS)

    return make


def _turns(envs: list[Any]) -> float:
    size = sum(each.num_envs for each in envs)
    for each in envs:
        each.reset(seed=0)

    def step(actions: IntArray) -> list[Any]:
        return [each.step(actions) for each in envs]

    return step_rate(step, pattern(envs[0].num_envs, True), size, _SECONDS)
