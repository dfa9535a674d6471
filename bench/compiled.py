"""The compiled engine: its speed by batch size, what Python adds to it, and what bounds it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import vecbt
from bench import compiled_costs
from bench.goals import Goal
from vecbt.brokers.compiled.crew import MIN_SHARE, Crew
from vecbt.data import Bars, synthetic_market
from vecbt.testing import interleave
from vecbt.testing.compiled import PLAIN, SINGLE, compiled_rate, compiled_throughput, of_size
from vecbt.testing.throughput import EPISODE, SIZE, pattern

__all__ = ["measure"]

_LARGE = 4096
_RATES = {
    of_size(_LARGE): 20e6,
    of_size(_LARGE, ", copy=False"): 28e6,
    of_size(256): 10e6,
    of_size(64): 4e6,
    SINGLE: 200e3,
}
_RATIOS = {f"{of_size(_LARGE)} over {PLAIN}": 2000.0}
_SHARES = {_LARGE: 25.0, 64: 8.0}
_SPLIT = (2, 16, 32, 48, 64, 96, 128, 192, 256, 512, 1024)
_STEPS = 200


def measure(repeats: int) -> list[Goal]:
    """50,000 bars, window 30 x 4, episodes of 1,000 bars, orders on a third of the bars, full infos."""
    bars, long = synthetic_market(50_000), synthetic_market(1_000_000)
    found = compiled_throughput(repeats, bars=bars, progress="compiled engine")
    goals = [Goal(name, figure, bound=_RATIOS.get(name)) for name, figure in found.ratios.items()]
    goals += [Goal(name, figure, "per second", _RATES.get(name)) for name, figure in found.rates.items()]
    goals += [
        *_long_data(long, repeats),
        *_python_share(bars, repeats),
        *_against_copying(bars, repeats),
        *_threads(bars, repeats),
    ]
    return goals + compiled_costs.measure(long, repeats)


def _make(bars: Bars, num_envs: int, **settings: Any) -> vecbt.TradingVectorEnv:
    envs = vecbt.make_vec(
        bars, num_envs=num_envs, engine="compiled", order_size=SIZE, episode_steps=EPISODE, **settings
    )
    envs.reset(seed=0)
    return envs


def _long_data(bars: Bars, repeats: int) -> list[Goal]:
    name = of_size(_LARGE, f", {len(bars):,} bars")
    # A unit: the price comes to many times what it is in shorter data.
    found = interleave({name: compiled_rate(bars, _LARGE, order_size=1.0)}, repeats, progress="long data")
    return [Goal(name, found[name], "per second", 12e6)]


def _python_share(bars: Bars, repeats: int) -> list[Goal]:
    """What a step takes beside the call of the compiled loop, on one thread; the median step."""
    cases = {
        f"Python's share of a step, {num_envs:,} environments": _share(_make(bars, num_envs, num_workers=1))
        for num_envs in _SHARES
    }
    found = interleave(cases, repeats, progress="Python's share")
    return [
        Goal(name, figure, "us", bound, "at most")
        for (name, figure), bound in zip(found.items(), _SHARES.values(), strict=True)
    ]


def _share(envs: Any) -> Callable[[], float]:
    crew = envs._batch.runner._crew
    work, inside = crew.work, [0.0]

    def timed_work(*arguments: int) -> int:
        begun = time.perf_counter()
        longest: int = work(*arguments)
        inside[0] += time.perf_counter() - begun
        return longest

    crew.work = timed_work
    actions = pattern(envs.num_envs, True)

    def measure() -> float:
        beside = []
        for number in range(_STEPS):
            inside[0], begun = 0.0, time.perf_counter()
            _held = envs.step(actions[number % len(actions)])
            beside.append(time.perf_counter() - begun - inside[0])
        return statistics.median(beside) * 1e6

    return measure


def _against_copying(bars: Bars, repeats: int) -> list[Goal]:
    """Bytes of observations per second: written by steps, and copied from one array to another of the same size."""
    envs = _make(bars, _LARGE)
    actions = pattern(_LARGE, True)
    size = envs.reset()[0].nbytes
    source = np.random.default_rng(0).random(size // 8)
    # As many to write to in turn as the engine has.
    copies = [np.zeros_like(source) for _ in range(2)]

    def step(number: int) -> None:
        _held = envs.step(actions[number % len(actions)])

    cases = {
        "step": lambda: _byte_rate(step, size),
        "copy": lambda: _byte_rate(lambda number: np.copyto(copies[number % 2], source), size),
    }
    found = interleave(cases, 2 * repeats, progress="against copying")
    return [
        Goal("bytes of observations per second, over numpy.copyto", found["step"] / found["copy"], bound=0.35),
        Goal("bytes of observations per second", found["step"], "MB per second"),
        Goal("numpy.copyto of as many bytes", found["copy"], "MB per second"),
    ]


def _byte_rate(write: Callable[[int], None], size: int) -> float:
    begun = time.perf_counter()
    for number in range(_STEPS):
        write(number)
    return size * _STEPS / (time.perf_counter() - begun) / 1e6


def _threads(bars: Bars, repeats: int) -> list[Goal]:
    """Steps per second with two threads over those with one, whichever the engine itself would take."""
    goals = []
    for num_envs in _SPLIT:
        cases = {str(threads): _with_threads(bars, num_envs, threads) for threads in (1, 2)}
        found = interleave(cases, 2 * repeats, progress=f"threads, {num_envs} environments")
        bound = 1.0 if num_envs >= 2 * MIN_SHARE else None  # where the engine takes two
        goals.append(Goal(f"2 threads over 1, {num_envs:,} environments", found["2"] / found["1"], bound=bound))
    return goals


def _with_threads(bars: Bars, num_envs: int, threads: int) -> Callable[[], float]:
    envs: Any = _make(bars, num_envs)
    runner = envs._batch.runner
    runner._crew.close()
    runner._crew = Crew(num_envs, threads)
    actions = pattern(num_envs, True)

    def measure() -> float:
        begun = time.perf_counter()
        for number in range(10 * _STEPS):
            _held = envs.step(actions[number % len(actions)])
        return num_envs * 10 * _STEPS / (time.perf_counter() - begun)

    return measure
