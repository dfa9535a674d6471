"""Steps a batch for long and makes sure that nothing it holds grows.

``python -m tests.faults.endurance --steps 10_000_000``
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

import vecbt
from tests.faults.faulty_env import DriftingEnv
from tests.faults.resources import Resources, resident

NUM_ENVS, NUM_WORKERS = 200, 1
GROWTH = 8.0
"""MiB by which the memory of this process may differ: the allocator keeps pages for a while."""


class Result(NamedTuple):
    """What a run has come to.

    Attributes:
        steps: Of single environments.
        seconds: What they took.
        growth: MiB of memory of this process, from a tenth of the steps to the last.
        worker_growth: Of the worker.
    """

    steps: int
    seconds: float
    growth: float
    worker_growth: float


def endure(steps: int, *, progress: bool = False) -> Result:
    """Take so many steps of single environments; raises if anything has grown.

    Args:
        steps: How many.
        progress: Whether to show a bar.
    """
    tqdm.monitor_interval = 0  # no thread of its own, which would count
    envs = vecbt.SharedMemoryVectorEnv([DriftingEnv] * NUM_ENVS, num_workers=NUM_WORKERS)
    try:
        envs.reset(seed=0)
        (worker,) = envs.worker_pids
        actions = np.arange(NUM_ENVS) % 4
        count = -(-steps // NUM_ENVS)
        begun = time.monotonic()
        for number in tqdm(range(count), disable=not progress, unit_scale=NUM_ENVS, unit="step"):
            envs.step(actions)
            if number == count // 10:
                held, settled, of_worker = Resources.now(), resident(), resident(worker)
        seconds = time.monotonic() - begun
        result = Result(count * NUM_ENVS, seconds, resident() - settled, resident(worker) - of_worker)
        assert Resources.now().is_within(held), f"{held} at first, {Resources.now()} now"
        assert max(result.growth, result.worker_growth) < GROWTH, result
        return result
    finally:
        envs.close()


def main() -> None:
    """Run it and print what has come of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.endurance", description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000)
    result = endure(parser.parse_args().steps, progress=True)
    for name, value in result._asdict().items():
        print(f"{name:>14}: {value:,.2f}" if isinstance(value, float) else f"{name:>14}: {value:,}")  # noqa: T201


if __name__ == "__main__":
    main()
