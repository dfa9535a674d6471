"""What may go wrong in a worker, and when: the cases of the tests and of the page that is generated from them."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

DEATHS = {
    "kill": r"was ended by SIGKILL \(exit code -9\): killed from outside, probably for want of memory",
    "oom": r"was ended by SIGKILL \(exit code -9\): killed from outside, probably for want of memory",
    "exit": r"ended with exit code 7",
    "segfault": r"was ended by SIGSEGV \(exit code -11\): a crash in compiled code",
}
"""Faults that end a process, and what is said of it: killed, killed as the system does who has no memory left, while it
takes more and more; ``os._exit``; a null pointer."""

ERRORS = {"raise": "Refusal: on purpose", "memory": "MemoryError: "}
"""Faults that are exceptions of an environment, and how they begin: one of its own, memory that a limit denies."""

FAULTS = {
    "kill": "killed (SIGKILL)",
    "oom": "killed while it takes memory",
    "exit": "`os._exit(7)`",
    "segfault": "segmentation fault",
    "stop": "stopped (SIGSTOP)",
    "raise": "raises",
    "memory": "`MemoryError`",
}
"""Every fault in words."""

MOMENTS = {
    "start": "making the environment",
    "reset": "in `reset`",
    "before": "idle, before a step",
    "step": "in `step`",
    "after": "idle, after a step",
    "autoreset": "in an automatic reset",
    "call": "in `call`",
    "close": "in `close`",
}
"""Every moment in words."""

METHODS = ("forkserver", "spawn", "fork")
POLICIES = ("raise", "restart")
_IDLE = ("before", "after")


class Case(NamedTuple):
    """A fault in environment `VICTIM`.

    Attributes:
        fault: Key of `FAULTS`.
        moment: Key of `MOMENTS`.
        method: How processes are started.
        policy: ``on_worker_death``.
    """

    fault: str
    moment: str
    method: str
    policy: str

    def __str__(self) -> str:
        return "-".join(self)

    @property
    def ends_the_process(self) -> bool:
        """Whether the worker's process is gone after it."""
        return self.fault in DEATHS

    @property
    def is_idle(self) -> bool:
        """Whether it happens while nothing is asked of the worker."""
        return self.moment in _IDLE


def _can_be(case: Case) -> bool:
    """Who is idle runs nothing that could raise. To hang in a start takes a minute longer to be noticed."""
    return not (case.is_idle and case.fault in ERRORS) and (case.fault, case.moment) != ("stop", "start")


CASES = list(filter(_can_be, map(Case._make, itertools.product(FAULTS, MOMENTS, METHODS, POLICIES))))

NUM_ENVS, VICTIM, WORKER = 4, 2, 1
"""Two workers of two environments each; the fault is the second worker's."""

WHO = rf"worker {WORKER} \(process \d+, environments 2 to 3\)"


def message(case: Case) -> re.Pattern[str]:
    """What the message of a case's `WorkerDiedError` begins with."""
    return re.compile(f"{WHO} {DEATHS[case.fault]}")
