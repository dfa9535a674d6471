"""What it costs to begin with the compiled engine: compiling, starting, resets and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from tqdm import tqdm

import vecbt
from bench.goals import Goal
from vecbt.data import Bars
from vecbt.testing import Figure, interleave
from vecbt.testing.throughput import EPISODE, SIZE

__all__ = ["measure"]

_LARGE = 4096
_FEW, _MANY = 1024, 65536

_START = f"""
import time
begun = time.perf_counter()
import vecbt
import vecbt.vector, vecbt.engines, vecbt.brokers.compiled.runner
imported = time.perf_counter()
bars = vecbt.data.synthetic_market(50_000)
made = time.perf_counter()
envs = vecbt.make_vec(bars, num_envs=64, engine="compiled", order_size={SIZE}, episode_steps={EPISODE})
envs.reset(seed=0)
envs.step([0] * 64)
print(imported - begun, time.perf_counter() - made)
"""
"""Prints the seconds of the imports, and those from `vecbt.make_vec` to the first step; the bars are left out."""

_MEMORY = """
import sys
from pathlib import Path
import vecbt
bars = vecbt.data.synthetic_market(2_000)
envs = vecbt.make_vec(
    bars, num_envs=int(sys.argv[1]), engine="compiled", window=1, features=("close",), episode_steps=100
)
envs.reset(seed=0)
for _ in range(120):
    held = envs.step([1] * envs.num_envs)
lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
print(next(line.split()[1] for line in lines if line.startswith("RssAnon")))
"""
"""Prints the process's own memory in KiB once every environment has come to its second episode."""


def measure(long: Bars, repeats: int) -> list[Goal]:
    """Figures of `_starts`, `_resets` and `_memory`."""
    return [*_starts(repeats), *_resets(long, repeats), *_memory(repeats)]


def _run(script: str, *arguments: str, cache: str | None = None) -> list[float]:
    environment = {**os.environ, **({} if cache is None else {"NUMBA_CACHE_DIR": cache})}
    command = [sys.executable, "-c", script, *arguments]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [float(number) for number in run.stdout.split()]


def _starts(repeats: int) -> list[Goal]:
    first, later, alone = [], [], []
    for _ in tqdm(range(max(1, repeats // 3)), desc="starts"):
        with tempfile.TemporaryDirectory() as cache:
            first.append(_run(_START, cache=cache)[1])
            for _ in range(4):
                imports, start = _run(_START, cache=cache)
                later.append(imports + start)
                alone.append(start)
    return [
        Goal("first compilation, make_vec to the first step", Figure(first), "s", 20.0, "at most"),
        Goal("a later start, import to the first step", Figure(later), "s", 1.0, "at most"),
        Goal("a later start, make_vec to the first step", Figure(alone), "s"),
    ]


def _resets(bars: Bars, repeats: int) -> list[Goal]:
    envs = vecbt.make_vec(bars, num_envs=_LARGE, engine="compiled", order_size=1.0, episode_steps=EPISODE)
    envs.reset(seed=0)

    def reset() -> float:
        begun = time.perf_counter()
        for _ in range(20):
            _held = envs.reset()
        return (time.perf_counter() - begun) / 20 / _LARGE * 1e6

    name = f"a reset, per environment, {_LARGE:,} environments, {len(bars):,} bars"
    found = interleave({name: reset}, 5 * repeats, progress="resets")
    return [Goal(name, found[name], "us", 1.0, "at most")]


def _memory(repeats: int) -> list[Goal]:
    """Memory of a further environment with a window of a single number, of which every set of outputs has one."""
    resident = []
    for _ in tqdm(range(max(1, repeats // 2)), desc="memory"):
        few, many = (_run(_MEMORY, str(num_envs))[0] for num_envs in (_FEW, _MANY))
        resident.append((many - few) / (_MANY - _FEW))
    allocated = (_allocated(_MANY) - _allocated(_FEW)) / (_MANY - _FEW) / 1024.0
    return [
        Goal("arrays of a further environment, without observations", Figure([allocated]), "KiB", 2.0, "at most"),
        Goal("resident memory of a further environment, window of 1 number", Figure(resident), "KiB", 2.0, "at most"),
    ]


def _allocated(num_envs: int) -> float:
    """Bytes of the arrays of a batch, the observations left out."""
    bars = vecbt.data.synthetic_market(2_000)
    envs: Any = vecbt.make_vec(
        bars, num_envs=num_envs, engine="compiled", window=1, features=("close",), episode_steps=100
    )
    envs.reset(seed=0)
    for _ in range(4):
        _held = envs.step([1] * num_envs)
    runner = envs._batch.runner
    arrays = [*runner.arrays.values(), *runner._book._arrays.values()]
    _, others = runner._pool._turns  # observations come first
    for outputs in others._sets:
        arrays += outputs.arrays.values()
    return float(sum(array.nbytes for array in arrays))
