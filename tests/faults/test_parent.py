"""However the process with a batch of any environments ends, nothing of it is left; nor of a forgotten batch."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vecbt
from tests.faults.cases import METHODS
from tests.faults.faulty_env import DriftingEnv, Fault, MakeFaulty
from tests.faults.processes import Script, is_alive, needs_proc, wait_until
from tests.faults.resources import Resources
from tests.faults.scenario import warm_up

pytestmark = needs_proc

BATCH = """
import gymnasium
envs = vecbt.SharedMemoryVectorEnv(
    [lambda: gymnasium.make("CartPole-v1")] * 4, num_workers=2, context={context!r}, on_worker_death={policy!r}
)
envs.reset(seed=0)
"""
WORK = """
print("ready", flush=True)
while True:
    envs.step([0, 1, 0, 1])
"""
KILLED = """
os.kill(envs.worker_pids[0], signal.SIGKILL)
envs.step([0, 1, 0, 1])
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    started = []

    def start(code: str, context: str = "forkserver", policy: str = "restart") -> Script:
        started.append(Script(BATCH.format(context=context, policy=policy) + code, tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.mark.parametrize("context", METHODS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_killed_while_it_steps(script: Any, context: str, number: signal.Signals) -> None:
    running = script(WORK, context)
    assert running.read_line() == "ready"
    assert len(running.descendants()) >= 3
    os.kill(running.process.pid, number)
    running.assert_nothing_left()
    assert running.finish()[0] == -number


def test_killed_after_a_worker_has_been_replaced(script: Any) -> None:
    running = script(KILLED + WORK)
    assert running.read_line() == "ready"
    os.kill(running.process.pid, signal.SIGKILL)
    running.assert_nothing_left()


@pytest.mark.parametrize(
    ("context", "end"),
    [
        *[(context, "") for context in METHODS],
        ("forkserver", "envs.close()"),
        ("forkserver", "sys.exit(0)"),
        ("fork", "del envs"),
        ("fork", "held = [envs, envs.step]; held.append(held)"),
        ("forkserver", "os.kill(envs.worker_pids[1], signal.SIGSTOP)"),
        ("forkserver", "envs.step_async([0, 1, 0, 1])"),
    ],
)
def test_ends_without_a_word(script: Any, context: str, end: str) -> None:
    running = script("envs.step([0, 1, 0, 1])\n" + end, context)
    assert running.finish() == (0, "", "")
    running.assert_nothing_left()


def test_ends_with_the_error_of_a_dead_worker(script: Any) -> None:
    running = script(KILLED, policy="raise")
    code, _, errors = running.finish()
    assert code == 1
    assert "WorkerDiedError: worker 0 (process " in errors.splitlines()[-1]
    running.assert_nothing_left()


@pytest.mark.parametrize("context", METHODS)
def test_interrupted_from_the_terminal(script: Any, context: str) -> None:
    running = script(WORK, context)
    assert running.read_line() == "ready"
    os.killpg(running.process.pid, signal.SIGINT)
    code, _, errors = running.finish()
    assert code == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Process vecbt" not in errors  # so begins what a child prints that ends by an exception
    running.assert_nothing_left()


@pytest.mark.parametrize("context", METHODS)
def test_a_forgotten_batch_leaves_nothing_behind(context: str) -> None:
    warm_up(context)
    before = Resources.now()
    envs = vecbt.SharedMemoryVectorEnv([DriftingEnv] * 4, num_workers=2, context=context)
    envs.reset(seed=0)
    pids = envs.worker_pids
    del envs
    wait_until(lambda: not any(map(is_alive, pids)), "workers")
    wait_until(lambda: Resources.now().is_within(before), f"{Resources.now()}, before it {before}")


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # what Gymnasium logs of an error
def test_a_batch_that_has_raised_is_not_held_by_its_errors(tmp_path: Path) -> None:
    warm_up("forkserver")
    before = Resources.now()
    gc.disable()  # references alone are to do it
    try:
        envs = vecbt.SharedMemoryVectorEnv([MakeFaulty(Fault("raise", "step", tmp_path))] * 4, num_workers=2)
        envs.reset(seed=0)
        envs.step([0] * 4)
        try:
            envs.step([0] * 4)
        except Exception as error:
            assert type(error).__name__ == "Refusal"  # noqa: PT017  (pytest.raises would keep it)
        else:
            raise AssertionError("nothing was raised")
        envs.close()
        del envs
        wait_until(lambda: Resources.now().is_within(before), f"{Resources.now()}, before it {before}")
    finally:
        gc.enable()
