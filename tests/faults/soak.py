"""Kills workers at random while they step, and compares every environment with a model of what is to come of it.

``python -m tests.faults.soak --kills 500``
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import signal
import threading
import time
from typing import NamedTuple

from tqdm import tqdm

import vecbt
from tests.faults.faulty_env import DriftingEnv
from tests.faults.model import Model, rows
from tests.faults.processes import wait_until
from tests.faults.resources import Resources, resident

NUM_ENVS, NUM_WORKERS = 6, 3
_BOUNDS = [(0, 2), (2, 4), (4, 6)]
_STUCK = 60.0
"""Seconds without a step after which the run counts as hanging; a replacement takes less than one."""


class Result(NamedTuple):
    """What a run has come to.

    Attributes:
        kills: Signals sent to workers.
        deaths: Workers that the batch has replaced.
        shown: Environments that a step has shown to be restarted.
        steps: Steps of the batch.
        slowest: Seconds of the slowest step.
        growth: MiB of memory of this process, from a tenth of the kills to the last.
    """

    kills: int
    deaths: int
    shown: int
    steps: int
    slowest: float
    growth: float


class SlowEnv(DriftingEnv):
    """Takes its time, so that most kills come in the middle of a step."""

    def step(self, action: int) -> object:  # type: ignore[override]
        time.sleep(0.0005)
        return super().step(action)


class _Killer(threading.Thread):
    """Kills workers at random times: mostly after some steps without a death, now and then as they are being started.

    Attributes:
        kills: Signals sent to a process that was there.
        steps: What the caller has got done, for the caller to count.
    """

    def __init__(self, envs: vecbt.SharedMemoryVectorEnv, kills: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.envs, self.wanted = envs, kills
        self.kills = self.steps = 0
        self.random = random.Random(seed)
        self.stopped = threading.Event()

    def run(self) -> None:
        while self.kills < self.wanted and not self.stopped.is_set():
            if self.random.random() < 0.9:
                goal = self.steps + self.random.randrange(1, 40)
                while self.steps < goal and not self.stopped.is_set():
                    time.sleep(0.0005)
            time.sleep(self.random.uniform(0.0, 0.01))
            count = self.random.choice((1, 1, 1, 1, 2, 3))
            for worker in self.random.sample(range(NUM_WORKERS), count):
                # A process that has just been replaced has been closed already.
                with contextlib.suppress(ProcessLookupError, ValueError, IndexError):
                    os.kill(self.envs.worker_pids[worker], signal.SIGKILL)
                    self.kills += 1


def soak(kills: int, seed: int = 0, *, progress: bool = False) -> Result:
    """Kill so many times; raises if anything is not as it should be.

    Args:
        kills: How often at least.
        seed: Of the times and the victims.
        progress: Whether to show a bar.
    """
    vecbt.SharedMemoryVectorEnv([DriftingEnv], num_workers=1).close()  # what lasts as long as the process is there now
    before = Resources.now()
    result = _soak(kills, seed, progress)
    wait_until(lambda: Resources.now().is_within(before), f"{Resources.now()}, before it {before}")
    return result


def _soak(kills: int, seed: int, progress: bool) -> Result:
    envs = vecbt.SharedMemoryVectorEnv(
        [SlowEnv] * NUM_ENVS,
        num_workers=NUM_WORKERS,
        on_worker_death="restart",
        max_restarts=100 * kills,
        timeout=_STUCK,
    )
    tqdm.monitor_interval = 0  # no thread of its own, which would count
    generator = random.Random(seed + 1)
    killer = _Killer(envs, kills, seed)
    held = None
    steps = shown = 0
    slowest = settled = 0.0
    try:
        observations, _ = envs.reset(seed=seed)
        models = [Model(seed + env) for env in range(NUM_ENVS)]
        assert [tuple(row) for row in observations] == [tuple(model.last) for model in models]
        held = Resources.now()
        killer.start()
        with tqdm(total=kills, disable=not progress, desc="kills") as bar:
            while killer.is_alive():
                actions = [generator.randrange(4) for _ in range(NUM_ENVS)]
                begun = time.monotonic()
                result = rows(envs.step(actions))
                slowest = max(slowest, time.monotonic() - begun)
                hit = [row.restarted for row in result]
                for low, high in _BOUNDS:  # a worker dies with all its environments
                    assert len(set(hit[low:high])) == 1, f"step {steps}: {hit}"
                expected = [model.step(*each) for model, *each in zip(models, actions, hit, strict=True)]
                assert result == expected, f"step {steps}: {result}, expected {expected}"
                killer.steps = steps = steps + 1
                shown += sum(hit)
                bar.update(killer.kills - bar.n)
                if not settled and killer.kills > kills // 10:
                    settled = resident()
        for _ in range(2):  # so that the last ones are replaced
            actions = [0] * NUM_ENVS
            result = rows(envs.step(actions))
            for model, row in zip(models, result, strict=True):
                assert row == model.step(0, row.restarted)
        now = Resources.now()
        assert now.descriptors <= held.descriptors, f"{held.descriptors} descriptors at first, {now.descriptors} now"
        assert now.threads <= held.threads
        assert len(now.processes) == len(held.processes), f"{held.processes} at first, {now.processes} now"
        deaths = envs._pool.deaths
        assert 0 < deaths <= killer.kills
        return Result(killer.kills, deaths, shown, steps, slowest, resident() - settled)
    finally:
        killer.stopped.set()
        killer.join()
        envs.close()


def main() -> None:
    """Run it and print what has come of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger("vecbt").setLevel(logging.ERROR)
    result = soak(options.kills, options.seed, progress=True)
    for name, value in result._asdict().items():
        print(f"{name:>8}: {value:,.2f}" if isinstance(value, float) else f"{name:>8}: {value:,}")  # noqa: T201


if __name__ == "__main__":
    main()
