"""How many steps a second: the Cerebro engine beside plain Backtrader, on the same bars and orders."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv

from vecbt.arrays import IntArray
from vecbt.data.bars import Bars
from vecbt.data.synthetic import synthetic_market
from vecbt.engines import open_batch
from vecbt.env import TradingEnv
from vecbt.kernels.layout import Autoreset, OrderStatus
from vecbt.shm.options import WorkerOptions
from vecbt.shm.process import usable_cores
from vecbt.testing.measure import Figure, interleave
from vecbt.testing.plain import run_plain
from vecbt.testing.processes import MakeRate, RateProcesses
from vecbt.vector import make_vec

__all__ = [
    "EPISODE",
    "SIZE",
    "Throughput",
    "batch_rate",
    "cerebro_throughput",
    "describe_machine",
    "pattern",
    "plain_maker",
    "step_rate",
]

EPISODE = 1000
"""Bars of an episode."""

SIZE = 10.0
"""Units of a buy or sell."""

_PATTERN = (1, 0, 0, 2, 0, 0)
_SECONDS = 1.0
_ORDERED = {"no orders": False, "orders on 1/3 of the bars": True}


def pattern(num_envs: int, orders: bool) -> list[IntArray]:
    """Six batches of actions to be repeated: buy, hold, hold, sell, hold, hold, shifted by environment.

    Args:
        num_envs: Environments.
        orders: False for six batches of holds.
    """
    actions = np.array(_PATTERN if orders else (0,) * len(_PATTERN))
    return [actions[(np.arange(num_envs) + shift) % len(_PATTERN)] for shift in range(len(_PATTERN))]


def describe_machine() -> str:
    """Processor, cores, system and the versions that matter, in a line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("backtrader", "gymnasium", "numba", "numpy"))
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{_processor()}, {usable_cores()} usable cores, {system}, {packages}"


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def step_rate(step: Callable[[Any], Any], actions: list[Any], num_envs: int, seconds: float | None = None) -> float:
    """Environment steps per second of a batch.

    Args:
        step: Steps the batch.
        actions: Batches of actions to be repeated.
        num_envs: Environments in the batch.
        seconds: How long to measure; a second by default.
    """
    seconds = _SECONDS if seconds is None else seconds
    count, begun = 0, time.perf_counter()
    while True:
        for action in actions:
            _held = step(action)  # until the next, as an agent does
        count += len(actions)
        elapsed = time.perf_counter() - begun
        if elapsed >= seconds:
            # A reset row is no step; with one after every episode there are this many.
            return count * num_envs / elapsed * EPISODE / (EPISODE + 1)


@dataclasses.dataclass(frozen=True)
class Throughput:
    """What `cerebro_throughput` has found.

    Attributes:
        rates: Bars or environment steps per second.
        ratios: Of rates that were taken in the same round.
    """

    rates: dict[str, Figure]
    ratios: dict[str, Figure]


def cerebro_throughput(
    num_envs: int = 64,
    num_workers: int = 2,
    repeats: int = 5,
    *,
    bars: Bars | None = None,
    against_async: bool = False,
    progress: str | None = None,
) -> Throughput:
    """Measure the Cerebro engine beside what it can be compared with.

    That is plain Backtrader, in as many processes; a worker's loop without any exchange, alone and in as many
    processes; and on request the single environment under Gymnasium's `AsyncVectorEnv`.

    Args:
        num_envs: Environments.
        num_workers: Worker processes, and processes of plain Backtrader.
        repeats: Rounds of measurements.
        bars: The bars; a made-up market by default.
        against_async: Whether to measure `AsyncVectorEnv`, which starts a process for each environment.
        progress: Title of the progress bar; None for none.
    """
    bars = bars if bars is not None else synthetic_market(50_000)
    share = max(1, num_envs // num_workers)
    settings: dict[str, Any] = {"engine": "cerebro", "order_size": SIZE, "episode_steps": EPISODE}
    loop, plain = _loop_maker(bars, share, settings), plain_maker(bars)
    with contextlib.ExitStack() as stack:
        measures: dict[str, Callable[[bool], float]] = {}
        if against_async:
            asynchronous = AsyncVectorEnv([lambda: TradingEnv(bars, **settings)] * num_envs)
            stack.callback(asynchronous.close, terminate=True)
            measures["AsyncVectorEnv"] = batch_rate(asynchronous, num_envs)
        envs = make_vec(bars, num_envs=num_envs, num_workers=num_workers, **settings)
        stack.callback(envs.close)
        measures["vecbt"] = batch_rate(envs, num_envs)
        for name, make, count in (
            (f"plain Backtrader in {num_workers} processes", plain, num_workers),
            ("a worker's loop alone", loop, 1),
            (f"{num_workers} workers' loops at once", loop, num_workers),
        ):
            measures[name] = stack.enter_context(RateProcesses(make, count)).rate
        cases = {
            f"{name}, {label}": _bind(measure, orders)
            for label, orders in _ORDERED.items()
            for name, measure in measures.items()
        }
        rates = interleave(cases, repeats, progress=progress)
    return Throughput(rates, _ratios(rates, num_workers))


def _bind(measure: Callable[[bool], float], orders: bool) -> Callable[[], float]:
    return lambda: measure(orders)


def _ratios(rates: dict[str, Figure], num_workers: int) -> dict[str, Figure]:
    """The engine over everything else, and over its workers' loops times their number."""
    ratios = {}
    for label in _ORDERED:
        engine = rates[f"vecbt, {label}"]
        for name, figure in rates.items():
            if not name.endswith(f", {label}") or figure is engine:
                continue
            other = name.removesuffix(f", {label}")
            if other == "a worker's loop alone":
                other, figure = f"{num_workers} x {other}", Figure([num_workers * value for value in figure.values])
            ratios[f"vecbt over {other}, {label}"] = engine / figure
    return ratios


def batch_rate(envs: Any, num_envs: int, seconds: float | None = None) -> Callable[[bool], float]:
    """Measures a batch through its own `step`, and makes sure that the orders are what they are said to be."""

    def measure(orders: bool) -> float:
        # All episodes are of one length: their ends would fall into the check of the orders together.
        envs.reset(seed=list(range(num_envs)))
        actions = pattern(num_envs, orders)
        filled = [envs.step(action)[4]["order_status"] == OrderStatus.COMPLETED for action in [*actions, actions[0]]]
        _check_share(float(np.mean(filled[1:])), orders)
        return step_rate(envs.step, actions, num_envs, seconds)

    return measure


def _check_share(share: float, orders: bool) -> None:
    """Some environments may be between two episodes, which costs them an order or two."""
    if abs(share - (1 / 3 if orders else 0.0)) > 0.05:
        raise AssertionError(f"orders on {share:.2f} of the bars where {1 / 3 if orders else 0.0:.2f} were meant")


def _loop_maker(bars: Bars, share: int, settings: dict[str, Any]) -> MakeRate:
    """One worker's environments on their own: nobody waits and nothing is copied."""

    def make(number: int) -> Callable[[bool], float]:
        batch = open_batch(
            bars,
            num_envs=share,
            engine="cerebro",
            autoreset=Autoreset.NEXT_STEP,
            workers=WorkerOptions(num_workers=0),
            settings={name: value for name, value in settings.items() if name != "engine"},
        )
        batch.reset(list(range(share)), None, None)
        # As workers do: the collector runs between episodes only.
        gc.collect()
        gc.freeze()
        gc.disable()

        def step(action: IntArray) -> None:
            batch.arrays["actions"][:, 0] = action
            batch.runner.step()

        return lambda orders: step_rate(step, pattern(share, orders), share)

    return make


def plain_maker(bars: Bars, least: float | None = None) -> MakeRate:
    """Plain Backtrader over as many bars as an episode has, its loop alone, for so many seconds or a little longer."""

    def make(number: int) -> Callable[[bool], float]:
        first = number * EPISODE
        episode = bars.rows(first, first + EPISODE)

        def measure(orders: bool) -> float:
            actions = [int(batch[0]) for batch in pattern(1, orders)] * (EPISODE // len(_PATTERN) + 1)
            actions = actions[: len(episode)]
            _check_share(sum(action != 0 for action in actions) / len(actions), orders)
            seconds, count = 0.0, 0
            while seconds < (_SECONDS if least is None else least):
                seconds += run_plain(episode, actions, SIZE).seconds
                count += len(episode)
            return count / seconds

        return measure

    return make
