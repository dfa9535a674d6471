"""However the calling process ends, nothing of it is left: no process, no name in /dev/shm."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.processes import Script, needs_proc

pytestmark = needs_proc

BATCH = """
options = {{"num_envs": 4, "engine": "cerebro", "num_workers": 2, "episode_steps": 20, "context": {context!r}}}
envs = vecbt.make_vec(bars, **options)
envs.reset(seed=0)
"""
WORK = """
print("ready", flush=True)
while True:
    envs.step([0, 1, 2, 3])
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    started = []

    def start(code: str, first: str = "") -> Script:
        started.append(Script(code, tmp_path, first))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.mark.parametrize(
    ("context", "number"),
    [
        ("forkserver", signal.SIGKILL),
        ("spawn", signal.SIGKILL),
        ("fork", signal.SIGKILL),
        ("fork", signal.SIGTERM),
    ],
)
def test_killed_while_it_steps(script: Any, context: str, number: signal.Signals) -> None:
    running = script(BATCH.format(context=context) + WORK)
    assert running.read_line() == "ready"
    assert len(running.descendants()) >= 4  # itself, two workers, the data server
    os.kill(running.process.pid, number)
    running.assert_nothing_left()
    assert running.finish()[0] == -number


def test_killed_while_it_waits_for_a_step(script: Any) -> None:
    hanging = """
class Hanging(vecbt.Strategy):
    def act(self, data, instruction, amount):
        time.sleep(1000.0)
"""
    batch = BATCH.format(context="fork").replace('"num_envs"', '"strategy": Hanging, "num_envs"')
    running = script(hanging + batch + "print('ready', flush=True)\nenvs.step([1, 1, 1, 1])")
    assert running.read_line() == "ready"
    os.kill(running.process.pid, signal.SIGKILL)
    running.assert_nothing_left()


@pytest.mark.parametrize(
    ("context", "end"),
    [
        ("forkserver", ""),
        ("spawn", ""),
        ("fork", ""),
        ("forkserver", "envs.close()"),
        ("fork", "sys.exit(0)"),
        ("fork", "del envs"),
        ("fork", "held = [envs, envs.step]; held.append(held)"),
    ],
)
def test_ends_without_a_word(script: Any, context: str, end: str) -> None:
    running = script(BATCH.format(context=context) + "envs.step([0, 1, 2, 3])\n" + end)
    assert running.finish() == (0, "", "")
    running.assert_nothing_left()


EARLY_HOOK = """
import weakref
class Early: pass
early = Early()
weakref.finalize(early, int)  # the hook at exit is registered by whoever comes first
"""


@pytest.mark.parametrize("who", ["envs.worker_pids[1]", "envs._batch.runner.source.pid"], ids=["worker", "server"])
@pytest.mark.parametrize("first", ["", EARLY_HOOK], ids=["", "early"])
def test_ends_with_a_process_that_hangs(script: Any, who: str, first: str) -> None:
    running = script(BATCH.format(context="fork") + f"os.kill({who}, signal.SIGSTOP)", first)
    assert running.finish() == (0, "", "")
    running.assert_nothing_left()


@pytest.mark.parametrize("context", ["forkserver", "fork"])
def test_interrupted_from_the_terminal(script: Any, context: str) -> None:
    """Ctrl-C goes to the whole group: the script ends with its traceback, the workers without a word."""
    running = script(BATCH.format(context=context) + WORK)
    assert running.read_line() == "ready"
    os.killpg(running.process.pid, signal.SIGINT)
    code, _, errors = running.finish()
    assert code == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Process vecbt" not in errors  # so begins what a child prints that ends by an exception
    running.assert_nothing_left()


def test_interrupted_while_it_closes(script: Any) -> None:
    impatient = """
import threading
os.kill(envs.worker_pids[0], signal.SIGSTOP)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    envs.close()
except KeyboardInterrupt:
    print("interrupted")
envs.close()
"""
    running = script(BATCH.format(context="fork") + impatient)
    assert running.finish() == (0, "interrupted\n", "")
    running.assert_nothing_left()


def test_interrupted_while_it_starts(script: Any) -> None:
    impatient = """
import backtrader
def slow():
    import multiprocessing
    if multiprocessing.parent_process() is not None:
        os.kill(multiprocessing.parent_process().pid, signal.SIGINT)
        time.sleep(1000.0)
    return backtrader.Cerebro()
try:
    vecbt.make_vec(bars, num_envs=4, engine="cerebro", num_workers=2, cerebro=slow)
except KeyboardInterrupt:
    import multiprocessing
    print("interrupted", multiprocessing.active_children())
"""
    running = script(impatient)
    assert running.finish() == (0, "interrupted []\n", "")
    running.assert_nothing_left()
