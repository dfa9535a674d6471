"""What it costs to begin: the import, a reset, and a worker's memory, by the length of the data."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

import vecbt
from bench.goals import Goal
from vecbt.data import Bars, synthetic_market
from vecbt.testing import Figure, interleave

__all__ = ["measure"]

_LENGTHS = (10_000, 1_000_000)
_ENVS = 64
_STEPS = 1000


def measure(repeats: int) -> list[Goal]:
    """Figures of `_import_time`, `_resets` and `_memory`."""
    markets = {length: synthetic_market(length) for length in _LENGTHS}
    return [*_import_time(repeats), *_resets(markets, repeats), *_memory(markets)]


def _import_time(repeats: int) -> list[Goal]:
    def run(statement: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - begun

    statements = ("import vecbt", "pass")
    cases = {statement: functools.partial(run, statement) for statement in statements}
    found = interleave(cases, 2 * repeats, progress="import")
    pairs = zip(found["import vecbt"].values, found["pass"].values, strict=True)
    return [
        Goal("import vecbt, beyond starting Python", Figure([a - b for a, b in pairs]), "s", 0.3, "at most"),
    ]


def _make(bars: Bars, num_workers: int) -> vecbt.TradingVectorEnv:
    return vecbt.make_vec(bars, num_envs=_ENVS, engine="cerebro", num_workers=num_workers, episode_steps=_STEPS)


def _resets(markets: dict[int, Bars], repeats: int) -> list[Goal]:
    batches = {length: _make(bars, 0) for length, bars in markets.items()}

    def reset(length: int) -> float:
        begun = time.perf_counter()
        batches[length].reset()
        return (time.perf_counter() - begun) / _ENVS * 1e3

    cases = {f"a reset, per environment, {length:,} bars": functools.partial(reset, length) for length in markets}
    found = interleave(cases, 5 * repeats, progress="resets")
    for batch in batches.values():
        batch.close()
    return [Goal(name, figure, "ms", 1.5, "at most") for name, figure in found.items()]


def _memory(markets: dict[int, Bars]) -> list[Goal]:
    """Memory of a worker that has run three episodes in each of its environments."""
    found: dict[int, dict[str, float]] = {}
    for length, bars in tqdm(markets.items(), desc="memory"):
        envs = _make(bars, 2)
        envs.reset(seed=0)
        for _ in range(3):
            envs.reset()
        found[length] = _resident(envs.worker_pids[0])
        envs.close()
    short, long = (found[length] for length in _LENGTHS)
    goals = [
        Goal(f"own memory of a worker, {length:,} bars", Figure([kinds["RssAnon"]]), "MiB")
        for length, kinds in found.items()
    ]
    growth = Figure([long["RssAnon"] / short["RssAnon"]])
    goals.append(Goal("the same, long over short data", growth, bound=1.05, sense="at most"))
    goals += [
        Goal(f"shared memory a worker has touched, {length:,} bars", Figure([kinds["RssShmem"]]), "MiB")
        for length, kinds in found.items()
    ]
    return goals


def _resident(pid: int) -> dict[str, float]:
    """Kinds of resident memory of a process, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    pairs: list[Any] = [line.split(":") for line in lines if line.startswith("Rss")]
    return {name: float(value.split()[0]) / 1024.0 for name, value in pairs}
