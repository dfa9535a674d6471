"""How many steps a second: the compiled engine by batch size, beside the Cerebro engine and plain Backtrader."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from vecbt.brokers.compiled.crew import thread_count
from vecbt.data.bars import Bars
from vecbt.data.synthetic import synthetic_market
from vecbt.env import TradingEnv
from vecbt.testing.measure import interleave
from vecbt.testing.throughput import EPISODE, SIZE, Throughput, batch_rate, pattern, plain_maker
from vecbt.vector import make_vec

__all__ = ["CEREBRO", "PLAIN", "SINGLE", "SIZES", "compiled_rate", "compiled_throughput", "of_size"]

SIZES = (1, 64, 256, 1024, 4096)
"""Environments of the batches that are measured."""

SINGLE = "the single environment, TradingEnv"
CEREBRO = "Cerebro engine, {} environments, {} workers"
PLAIN = "plain Backtrader, one process"

_SECONDS = 0.5


def of_size(num_envs: int, kind: str = "") -> str:
    """The name of a measurement of so many environments."""
    return f"compiled engine, {num_envs:,} environment{'s' * (num_envs > 1)}{kind}"


def compiled_rate(bars: Bars, num_envs: int, **settings: Any) -> Callable[[], float]:
    """Measures a batch of the compiled engine, with orders on a third of the bars and full infos.

    Args:
        bars: The bars.
        num_envs: Environments.
        **settings: Passed to `vecbt.make_vec`.
    """
    envs = make_vec(
        bars, num_envs=num_envs, **{"engine": "compiled", "order_size": SIZE, "episode_steps": EPISODE, **settings}
    )
    measure = batch_rate(envs, num_envs, _SECONDS)
    return lambda: measure(True)


def compiled_throughput(
    repeats: int = 5,
    *,
    bars: Bars | None = None,
    sizes: Sequence[int] = SIZES,
    cerebro_envs: int = 64,
    num_workers: int = 2,
    progress: str | None = None,
) -> Throughput:
    """Measure the compiled engine beside what it can be compared with, all on the same bars and orders.

    Each batch is measured with observations and infos that are the caller's, with views (``copy=False``), and, where
    it has several threads, with one; then the single environment, the Cerebro engine, and plain Backtrader.

    Args:
        repeats: Rounds of measurements.
        bars: The bars; a made-up market by default.
        sizes: Environments of the batches.
        cerebro_envs: Environments of the Cerebro engine.
        num_workers: Its worker processes, and the most threads of the compiled engine.
        progress: Title of the progress bar; None for none.
    """
    bars = bars if bars is not None else synthetic_market(50_000)
    cases: dict[str, Callable[[], float]] = {}
    for size in sizes:
        cases[of_size(size)] = compiled_rate(bars, size, num_workers=num_workers)
        cases[of_size(size, ", copy=False")] = compiled_rate(bars, size, num_workers=num_workers, copy=False)
        if thread_count(size, num_workers) > 1:
            cases[of_size(size, ", one thread")] = compiled_rate(bars, size, num_workers=1)
    cases[SINGLE] = _single_rate(bars)
    cerebro = CEREBRO.format(cerebro_envs, num_workers)
    with contextlib.ExitStack() as stack:
        envs = make_vec(
            bars,
            num_envs=cerebro_envs,
            num_workers=num_workers,
            engine="cerebro",
            order_size=SIZE,
            episode_steps=EPISODE,
        )
        stack.callback(envs.close)
        cerebro_rate, plain_rate = batch_rate(envs, cerebro_envs, _SECONDS), plain_maker(bars, _SECONDS)(0)
        cases[cerebro] = lambda: cerebro_rate(True)
        cases[PLAIN] = lambda: plain_rate(True)
        rates = interleave(cases, repeats, progress=progress)
    ratios = {
        f"{name} over {other}": rates[name] / rates[other]
        for name in (of_size(max(sizes)), of_size(max(sizes), ", copy=False"))
        for other in (PLAIN, cerebro)
    }
    return Throughput(rates, ratios)


def _single_rate(bars: Bars) -> Callable[[], float]:
    """The environment that `gymnasium.make` makes, with its resets."""
    env = TradingEnv(bars, engine="compiled", order_size=SIZE, episode_steps=EPISODE)
    actions = [int(batch[0]) for batch in pattern(1, True)] * 10

    def measure() -> float:
        env.reset(seed=0)
        count, begun = 0, time.perf_counter()
        while True:
            for action in actions:
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
            count += len(actions)
            elapsed = time.perf_counter() - begun
            if elapsed >= _SECONDS:
                return count / elapsed

    return measure
