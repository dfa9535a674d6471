"""How many steps a second: the Cerebro engine beside plain Backtrader, on the same bars and orders."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from vecbt.arrays import IntArray
from vecbt.batch import Batch
from vecbt.data.bars import Bars
from vecbt.data.synthetic import synthetic_market
from vecbt.engines import open_batch
from vecbt.kernels.layout import Autoreset
from vecbt.shm.byvalue import ByValue
from vecbt.shm.process import get_context, start_process, usable_cores
from vecbt.testing.measure import Figure, interleave
from vecbt.testing.plain import run_plain
from vecbt.vector import TradingVectorEnv, make_vec

__all__ = ["EPISODE", "Throughput", "cerebro_throughput", "describe_machine", "pattern", "step_rate"]

EPISODE = 1000
"""Bars of an episode."""

SIZE = 10.0
"""Units of a buy or sell."""

_PATTERN = (1, 0, 0, 2, 0, 0)
_SECONDS = 1.0


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


def step_rate(step: Callable[[Any], Any], actions: list[Any], num_envs: int, seconds: float = _SECONDS) -> float:
    """Environment steps per second of a batch.

    Args:
        step: Steps the batch.
        actions: Batches of actions to be repeated.
        num_envs: Environments in the batch.
        seconds: How long to measure.
    """
    count, begun = 0, time.perf_counter()
    while True:
        for action in actions:
            step(action)
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
    num_envs: int = 64, num_workers: int = 2, repeats: int = 5, *, bars: Bars | None = None, progress: str | None = None
) -> Throughput:
    """Measure the Cerebro engine, plain Backtrader in as many processes, and one worker's loop without any exchange.

    Args:
        num_envs: Environments.
        num_workers: Worker processes, and processes of plain Backtrader.
        repeats: Rounds of measurements.
        bars: The bars; a made-up market by default.
        progress: Title of the progress bar; None for none.
    """
    bars = bars if bars is not None else synthetic_market(50_000)
    settings: dict[str, Any] = {"order_size": SIZE, "episode_steps": EPISODE}
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(_PlainProcesses(bars, num_workers))
        envs = make_vec(bars, num_envs=num_envs, engine="cerebro", num_workers=num_workers, **settings)
        stack.callback(envs.close)
        envs.reset(seed=0)
        share = max(1, num_envs // num_workers)
        loop = _worker_loop(bars, share, settings)
        stack.callback(loop.runner.close)
        cases: dict[str, Callable[[], float]] = {}
        for orders, label in ((False, "no orders"), (True, "orders on 1/3 of the bars")):
            actions, shared = pattern(num_envs, orders), pattern(share, orders)
            cases[f"vecbt, Cerebro engine, {label}"] = _case(envs, actions, num_envs)
            cases[f"plain Backtrader, {label}"] = _plain_case(plain, orders)
            cases[f"one worker's loop, {label}"] = _loop_case(loop, shared, share)
        rates = interleave(cases, repeats, progress=progress)
    ratios = {}
    for label in ("no orders", "orders on 1/3 of the bars"):
        engine = rates[f"vecbt, Cerebro engine, {label}"]
        ratios[f"over plain Backtrader in {num_workers} processes, {label}"] = (
            engine / rates[f"plain Backtrader, {label}"]
        )
        alone = rates[f"one worker's loop, {label}"]
        ratios[f"over {num_workers} loops without exchange, {label}"] = engine / Figure(
            [num_workers * value for value in alone.values]
        )
    return Throughput(rates, ratios)


def _case(envs: TradingVectorEnv, actions: list[IntArray], num_envs: int) -> Callable[[], float]:
    return lambda: step_rate(envs.step, actions, num_envs)


def _plain_case(plain: _PlainProcesses, orders: bool) -> Callable[[], float]:
    return lambda: plain.rate(orders)


def _loop_case(loop: Batch, actions: list[IntArray], share: int) -> Callable[[], float]:
    def step(action: IntArray) -> None:
        loop.arrays["actions"][:, 0] = action
        loop.runner.step()

    def measure() -> float:
        with _no_collector():
            return step_rate(step, actions, share)

    return measure


def _worker_loop(bars: Bars, share: int, settings: dict[str, Any]) -> Batch:
    """One worker's environments in this process: the slice alone, nobody waits and nothing is copied."""
    batch = open_batch(
        bars,
        num_envs=share,
        engine="cerebro",
        num_workers=0,
        autoreset=Autoreset.NEXT_STEP,
        context=None,
        parent_share=False,
        timeout=None,
        settings=settings,
    )
    batch.reset(list(range(share)), None, None)
    return batch


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """What a worker does in its own process: the collector runs between episodes only."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _PlainProcesses:
    """Processes that run plain Backtrader at the same time."""

    def __init__(self, bars: Bars, count: int) -> None:
        context = get_context()
        self._processes, self._pipes = [], []
        for number in range(count):
            ours, theirs = context.Pipe()
            first = number * EPISODE
            episode = bars.rows(first, first + 2 * EPISODE)
            process = start_process(context, _run_plain_forever, (theirs, ByValue(episode)), f"plain-{number}")
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)

    def rate(self, orders: bool) -> float:
        """Bars per second of all of them together."""
        for pipe in self._pipes:
            pipe.send(orders)
        return float(sum(pipe.recv() for pipe in self._pipes))

    def __enter__(self) -> _PlainProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def _run_plain_forever(pipe: Connection, episode: ByValue) -> None:
    bars: Bars = episode.load()
    while True:
        try:
            orders = pipe.recv()
        except EOFError:
            return
        actions = [int(batch[0]) for batch in pattern(1, orders)] * (len(bars) // len(_PATTERN) + 1)
        actions = actions[: len(bars)]
        share = sum(1 for action in actions if action) / len(actions)
        assert abs(share - (1 / 3 if orders else 0.0)) < 0.01, share
        seconds, count = 0.0, 0
        while seconds < _SECONDS:
            seconds += run_plain(bars, actions, SIZE).seconds
            count += len(bars)
        pipe.send(count / seconds)
