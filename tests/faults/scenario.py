"""Plays a case: what the caller sees of a fault, how long it takes, and that all else is as if nothing had happened."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import vecbt
from tests.faults.cases import ERRORS, NUM_ENVS, VICTIM, WHO, WORKER, Case, message
from tests.faults.faulty_env import Fault, MakeFaulty
from tests.faults.model import Model, rows
from tests.faults.processes import BOUND, is_alive, is_stopped, wait_until
from tests.faults.resources import Resources
from vecbt.errors import ClosedError, EpisodeError, WorkerDiedError, WorkerTimeoutError

SEED = 5
PATIENCE = 2.0
"""Seconds that a call may take where a worker is stopped."""

_CALLS = ("reset", *["step"] * 3, "call", *["step"] * 5)
_AT = {"reset": 0, "before": 1, "step": 2, "after": 3, "call": 4, "autoreset": 6}
"""Which of the calls shows a fault of each moment."""


class Outcome(NamedTuple):
    """What a case has come to.

    Attributes:
        seen: The exception or infos that the caller sees.
        seconds: From the call that shows the fault until the caller sees it.
        back: Until a replaced worker has done what was asked; None where none is replaced.
        close: What closing takes.
    """

    seen: str
    seconds: float
    back: float | None
    close: float


def warm_up(method: str) -> None:
    """Start what a start method keeps for the life of the process, so that it does not count as left over."""
    vecbt.SharedMemoryVectorEnv([MakeFaulty()], num_workers=1, context=method).close()


def play(case: Case, folder: Path) -> Outcome:
    """Play a case, and make sure that everything is as it should be and nothing is left of it.

    Args:
        case: The case.
        folder: An empty one.
    """
    before = Resources.now()
    outcome = _play(case, Fault(case.fault, case.moment, folder))
    assert outcome.seconds < 2 * BOUND
    assert outcome.close < BOUND
    # What is mapped lasts as long as the batch, which somebody may still read; by now it has been forgotten.
    wait_until(lambda: Resources.now().is_within(before), f"{Resources.now()}, before it {before}", BOUND)
    return outcome


def _play(case: Case, fault: Fault) -> Outcome:
    env_fns = [MakeFaulty(fault if env == VICTIM else None) for env in range(NUM_ENVS)]
    timeout = PATIENCE if case.fault == "stop" else 60.0

    def make() -> vecbt.SharedMemoryVectorEnv:
        return vecbt.SharedMemoryVectorEnv(
            env_fns, num_workers=2, context=case.method, timeout=timeout, on_worker_death=case.policy
        )

    if case.moment == "start":
        return Outcome(*_fails(case, make), None, 0.0)
    envs = make()
    pids: set[int] = set(envs.worker_pids)
    try:
        seen, seconds, back = _Player(case, envs).play()
    finally:
        pids |= set(envs.worker_pids)
        begun = time.monotonic()
        envs.close()
        closing = time.monotonic() - begun
    assert not any(map(is_alive, pids))
    _raises(ClosedError, envs.reset)
    return Outcome(seen, seconds, back, closing)


class _Player:
    """Makes the calls of `_CALLS`, and compares what comes of them with the model."""

    def __init__(self, case: Case, envs: vecbt.SharedMemoryVectorEnv) -> None:
        self.case, self.envs, self.pid = case, envs, envs.worker_pids[WORKER]
        self.models: list[Model] = []
        self.position = 0

    def play(self) -> tuple[str, float, float | None]:
        """Everything up to the fault and after it; what the caller has seen."""
        case = self.case
        if case.moment == "close":
            self.go_on()
            return "nothing", 0.0, None
        while self.position < _AT[case.moment]:
            self.call()
        if case.is_idle:
            gone = is_stopped if case.fault == "stop" else lambda pid: not is_alive(pid)
            wait_until(lambda: gone(self.pid), f"worker after {case}")
        if case.fault == "stop":
            return self.play_stopped()
        if case.fault in ERRORS:
            seen, seconds = _fails(case, self.call)
            if case.moment != "call":
                _raises(EpisodeError, self.envs.step, [0] * NUM_ENVS)
                self.position = 0
            self.go_on()
            return seen, seconds, None
        if case.policy == "raise":
            seen, seconds = _fails(case, self.call)
            for again in (lambda: self.envs.reset(seed=SEED), lambda: self.envs.step([0] * NUM_ENVS)):
                _raises(WorkerDiedError, again)
            return seen, seconds, None
        return self.play_replaced()

    def play_replaced(self) -> tuple[str, float, float | None]:
        begun = time.monotonic()
        if self.case.moment == "call":
            seen, seconds = _fails(self.case, self.call)
            self.call(restarted=True)
        else:
            self.call(restarted=True)
            seconds = time.monotonic() - begun
            ended = {"reset": "nothing", "autoreset": '`infos["worker_restarted"]`'}
            seen = ended.get(self.case.moment, '`truncations`, `infos["worker_restarted"]`')
        assert self.envs.worker_pids[WORKER] != self.pid
        self.go_on()
        return seen, seconds, seconds

    def play_stopped(self) -> tuple[str, float, float | None]:
        seen, seconds = _fails(self.case, self.call)
        back = None
        if self.case.policy == "raise":
            os.kill(self.pid, signal.SIGCONT)
        else:
            os.kill(self.pid, signal.SIGKILL)
            begun = time.monotonic()
            self.envs.reset(seed=SEED)
            back = time.monotonic() - begun
            assert self.envs.worker_pids[WORKER] != self.pid
        self.position = 0
        self.go_on()
        return seen, seconds, back

    def go_on(self) -> None:
        """The rest of the calls."""
        while self.position < len(_CALLS):
            self.call()

    def call(self, restarted: bool = False) -> None:
        """The next call.

        Args:
            restarted: Whether it shows that the worker has been replaced.
        """
        position, self.position = self.position, self.position + 1
        what = _CALLS[position]
        if what == "reset":
            observations, infos = self.envs.reset(seed=SEED)
            assert not infos
            self.models = [Model(SEED + env) for env in range(NUM_ENVS)]
            assert [tuple(row) for row in observations] == [tuple(model.last) for model in self.models]
        elif what == "call":
            assert self.envs.call("answer") == tuple(model.env.count for model in self.models)
        else:
            actions = [(position + env) % 4 for env in range(NUM_ENVS)]
            result = rows(self.envs.step(actions))
            hit = [restarted and env >= VICTIM for env in range(NUM_ENVS)]
            assert result == [model.step(*each) for model, *each in zip(self.models, actions, hit, strict=True)]


def _fails(case: Case, call: Callable[[], Any]) -> tuple[str, float]:
    """Make a call that shows the fault; what is seen of it, and the seconds until then."""
    begun = time.monotonic()
    try:
        call()
    except Exception as error:
        return _check(case, error), time.monotonic() - begun
    raise AssertionError(f"{case}: nothing was raised")


def _check(case: Case, error: Exception) -> str:
    """Make sure that an exception is the right one; its kind and its message."""
    seen = f"{type(error).__name__}: {error}"
    if case.fault in ERRORS:
        assert seen.startswith(ERRORS[case.fault]), seen
        assert re.match(rf"in environment {VICTIM}, {WHO}", error.__notes__[0])
        assert "faulty_env.py" in str(error.__cause__)
    elif case.fault == "stop":
        assert type(error) is WorkerTimeoutError
        assert re.match(rf"no answer within {PATIENCE} s from {WHO}\. ", str(error)), seen
    else:
        assert type(error) is WorkerDiedError
        assert message(case).match(str(error)), seen
    return re.sub(r"process \d+", "process N", seen)


def _raises(kind: type[Exception], call: Callable[..., Any], *arguments: Any) -> None:
    try:
        call(*arguments)
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")
