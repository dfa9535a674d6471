"""Workers that are killed or stopped: the error says which one and why, soon, and close() still works."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

import vecbt
from tests.envs import make, rollout
from tests.faults.processes import BOUND, is_alive, needs_proc, wait_until
from tests.faults.strategies import HARMLESS, Faulty, FaultyFactory
from vecbt.errors import ClosedError, WorkerDiedError, WorkerTimeoutError

METHODS = ("forkserver", "spawn", "fork")


@pytest.fixture
def batch() -> Iterator[Any]:
    made = []

    def make_batch(**settings: Any) -> vecbt.TradingVectorEnv:
        made.append(make(4, **({"num_workers": 2, "episode_steps": 5} | settings)))
        return made[-1]

    yield make_batch
    for envs in made:
        with contextlib.suppress(ProcessLookupError):
            for pid in envs.worker_pids:
                os.kill(pid, signal.SIGCONT)
        envs.close()


def raises_soon(call: Any, match: str) -> WorkerDiedError:
    begun = time.monotonic()
    with pytest.raises(WorkerDiedError, match=match) as caught:
        call()
    assert time.monotonic() - begun < BOUND
    return caught.value


# -- killed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_killed_before_a_step(batch: Any, method: str) -> None:
    envs = batch(context=method)
    envs.reset(seed=0)
    envs.step([0, 1, 2, 3])
    pid = envs.worker_pids[1]
    os.kill(pid, signal.SIGKILL)
    match = rf"worker 1 \(process {pid}, environments 2 to 3\) was ended by SIGKILL \(exit code -9\)"
    raises_soon(lambda: envs.step([0, 0, 0, 0]), match)
    for call in (lambda: envs.step([0, 0, 0, 0]), lambda: envs.reset(seed=0)):  # it stays so
        with pytest.raises((WorkerDiedError, vecbt.errors.EpisodeError)):
            call()
    pids = envs.worker_pids
    begun = time.monotonic()
    envs.close()
    assert time.monotonic() - begun < BOUND
    assert not any(map(is_alive, pids))


@pytest.mark.parametrize(
    ("method", "fault"), [("forkserver", "kill"), ("forkserver", "exit"), ("spawn", "kill"), ("fork", "exit")]
)
def test_dead_in_the_middle_of_a_step(batch: Any, method: str, fault: str) -> None:
    envs = batch(context=method, strategy=(Faulty, {"fault": fault}))
    envs.reset(seed=0)
    for _ in range(HARMLESS):
        envs.step([0, 0, 0, 0])
    why = r"was ended by SIGKILL \(exit code -9\)" if fault == "kill" else "ended with exit code 7"
    raises_soon(lambda: envs.step([0, 0, 0, 0]), rf"worker 1 \(process \d+, environments 2 to 3\) {why}")


def test_dead_in_a_reset(batch: Any) -> None:
    envs = batch(strategy=(Faulty, {"fault": "kill", "where": "start", "episode": 1}))
    envs.reset(seed=0)
    raises_soon(envs.reset, r"worker 1 .* was ended by SIGKILL")


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_dead_in_an_automatic_reset(batch: Any, mode: str) -> None:
    strategy = (Faulty, {"fault": "kill", "where": "start", "episode": 1})
    envs = batch(autoreset_mode=mode, strategy=strategy)
    envs.reset(seed=0)
    steps = 5 if mode == "NextStep" else 4
    for _ in range(steps):
        envs.step([0, 0, 0, 0])
    raises_soon(lambda: envs.step([0, 0, 0, 0]), "worker 1 .* was ended by SIGKILL")


@pytest.mark.parametrize("method", METHODS)
def test_dead_before_it_has_started(method: str) -> None:
    begun = time.monotonic()
    with pytest.raises(WorkerDiedError, match=r"worker [01] \(process \d+, environments . to .\) was ended by SIGKILL"):
        make(4, cerebro=FaultyFactory("kill"), num_workers=2, context=method)
    assert time.monotonic() - begun < 6 * BOUND  # starting Python is in it


# -- stopped -----------------------------------------------------------------------------------------------------------


def test_stopped_past_the_timeout_and_on_again(batch: Any) -> None:
    envs = batch(timeout=1.0)
    expected = rollout(make(4, episode_steps=5), 12)
    envs.reset(seed=0)
    envs.step([0, 0, 0, 0])
    pid = envs.worker_pids[0]
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerTimeoutError, match=rf"1\.0 s from worker 0 \(process {pid}, environments 0 to 1\)\. "):
        envs.step([0, 0, 0, 0])
    with pytest.raises(WorkerTimeoutError, match="worker 0 "):
        envs.reset(seed=0)  # still
    os.kill(pid, signal.SIGCONT)
    assert rollout(envs, 12) == expected


@needs_proc
@pytest.mark.parametrize(("method", "fault"), [("forkserver", "idle"), ("forkserver", "stop"), ("fork", "stop")])
def test_closing_a_batch_with_a_stopped_worker(batch: Any, method: str, fault: str) -> None:
    envs = batch(context=method, timeout=1.0, strategy=(Faulty, {"fault": "stop", "env": 2 if fault == "stop" else -1}))
    envs.reset(seed=0)
    pids = envs.worker_pids
    if fault == "stop":  # in the middle of a step
        for _ in range(HARMLESS):
            envs.step([0, 0, 0, 0])
        with pytest.raises(WorkerTimeoutError, match="worker 1 "):
            envs.step([0, 0, 0, 0])
    else:
        os.kill(pids[0], signal.SIGSTOP)
    server = envs._batch.runner.source.pid
    begun = time.monotonic()
    envs.close()
    envs.close()
    assert time.monotonic() - begun < 2 * BOUND
    wait_until(lambda: not any(map(is_alive, (*pids, server))), "workers and data server")
    for call in (envs.reset, lambda: envs.step([0, 0, 0, 0])):
        with pytest.raises(ClosedError, match="have been closed; make new ones"):
            call()
    assert envs.closed


# -- closed ------------------------------------------------------------------------------------------------------------


@needs_proc
@pytest.mark.parametrize("layout", [{}, {"num_workers": 1, "parent_share": True}, {"context": "fork"}], ids=str)
def test_a_forgotten_batch_leaves_nothing_behind(layout: Any) -> None:
    envs = make(4, **({"num_workers": 2} | layout))
    envs.reset(seed=0)
    envs.step([1, 1, 1, 1])
    pids = (*envs.worker_pids, envs._batch.runner.source.pid)
    assert all(map(is_alive, pids))
    del envs
    wait_until(lambda: not any(map(is_alive, pids)), "workers and data server")


def test_a_forked_child_ends_nobody(batch: Any) -> None:
    """What a child has inherited is the parent's, also when it is collected there or the child ends."""
    envs = batch()
    envs.reset(seed=0)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            envs._batch.runner._pool._finalizer()
            envs._batch.runner.source.stop()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    for _ in range(8):
        envs.step([0, 1, 2, 3])
    assert envs._batch.runner.source.get_info()["bars"] == 3_000
    assert all(map(is_alive, envs.worker_pids))


def test_handlers_of_the_parent_are_not_the_workers(batch: Any) -> None:
    """A program that saves its work on SIGTERM does so once, whatever becomes of its workers."""
    before = signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        envs = batch(context="fork")
    finally:
        signal.signal(signal.SIGTERM, before)
    envs.reset(seed=0)
    os.kill(envs.worker_pids[0], signal.SIGTERM)
    raises_soon(lambda: envs.step([0, 0, 0, 0]), r"worker 0 .* was ended by SIGTERM \(exit code -15\)")
