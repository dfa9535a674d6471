"""The process that runs a slice."""

from __future__ import annotations

import contextlib
import gc
import pickle
import traceback
from multiprocessing.connection import Connection
from typing import NamedTuple

import cloudpickle
import numpy as np

from vecbt.arrays import IntArray
from vecbt.shm.arena import Arena
from vecbt.shm.byvalue import ByValue
from vecbt.shm.process import behave_as_child
from vecbt.shm.slices import MakeSlice, Slice
from vecbt.shm.words import add, wait_for

__all__ = [
    "ARRIVED",
    "PARENT_ASLEEP",
    "SPINS",
    "Op",
    "Report",
    "Status",
    "asleep_word",
    "control_words",
    "patience",
    "run_worker",
    "status_word",
    "ticket_word",
]

_LINE = 8
"""Words in a cache line of 64 bytes."""

SPINS = 400
"""About a microsecond of looking before a wait gives way."""

_YIELDS = 2000
"""About a millisecond of giving way before a wait sleeps."""


def patience(running: int, cores: int) -> int:
    """How often a waiting process gives way before it sleeps.

    Giving way is the quickest way to wait on a processor that nobody else wants. Where processes outnumber the
    processors, who only looks and gives way still gets its fair share of the time, at the cost of those who work.

    Args:
        running: Processes that take part, the waiting one included.
        cores: Processors for them.
    """
    return _YIELDS if running <= cores else 0


class Op:
    """What a ticket asks for."""

    START, RESET, STEP, CALL, CLOSE = range(5)


class Status:
    """How it went: `DONE`, or a message waits on the connection."""

    DONE, ANSWER, FAILED = range(3)


# Words of the control block. The first line is the workers': how many have arrived at the end of the current ticket.
# The second is the parent's. Then each worker has two lines, one that the parent writes and one that it writes itself.
# Tickets and arrivals only grow, so that nothing has to be cleared.
ARRIVED = 0
PARENT_ASLEEP = _LINE


def ticket_word(worker: int) -> int:
    """Where a worker finds its ticket; the operation is in the next word."""
    return (2 + 2 * worker) * _LINE


def status_word(worker: int) -> int:
    """Where a worker writes how its ticket went; the ticket itself, once it is done, is in the next word."""
    return (3 + 2 * worker) * _LINE


def asleep_word(worker: int) -> int:
    """Whether a worker sleeps on its ticket."""
    return status_word(worker) + 2


def control_words(workers: int) -> int:
    """Words in the control block for so many workers."""
    return (2 + 2 * workers) * _LINE


class Report(NamedTuple):
    """An exception on its way to the parent."""

    env: int  # index in the batch, or -1
    kind: str
    message: str
    traceback: str
    exception: bytes | None  # pickled, where that works

    @classmethod
    def of(cls, error: BaseException, env: int) -> Report:
        """The report of an exception, taken while it is handled."""
        pickled: bytes | None = None
        # cloudpickle takes along classes of a script or notebook; where they came from there, they come back as they
        # were. Not at once, because it also makes copies of classes that the parent could import.
        for dumps in (pickle.dumps, cloudpickle.dumps):
            with contextlib.suppress(Exception):
                pickled = dumps(error)
                pickle.loads(pickled)  # some exceptions pickle but do not unpickle
                break
        else:
            pickled = None
        try:
            message = str(error)
        except Exception as another:
            message = f"(its message raises {type(another).__name__})"
        return cls(env, type(error).__name__, message, "".join(traceback.format_exception(error)), pickled)


def run_worker(
    arena: Arena,
    control: Arena,
    pipe: Connection,
    number: int,
    workers: int,
    low: int,
    high: int,
    yields: int,
    factory: ByValue,
) -> None:
    """Body of a worker process: make the slice, then answer tickets until told to stop.

    Args:
        arena: The shared arrays of the batch.
        control: The control block, ``{"words": int64}``.
        pipe: To the parent, for requests, answers and errors.
        number: Number of this worker.
        workers: How many there are.
        low: First environment of the slice.
        high: Environment after its last.
        yields: How often to give way before sleeping.
        factory: Carries a `MakeSlice`.
    """
    behave_as_child()
    words: IntArray = control.arrays["words"]
    part: Slice | None = None
    ticket = 0
    forever = np.array([60, 0])  # to sleep; the watchdog ends a process whose parent is gone
    while True:
        ticket += 1
        at = ticket_word(number)
        while not wait_for(words, at, ticket, asleep_word(number), SPINS, yields, forever):
            pass
        operation = int(words[at + 1])
        status, message = Status.DONE, None
        try:
            if operation == Op.START:
                make: MakeSlice = factory.load()
                part = make(arena.arrays, low, high)
                # Everything so far lives as long as the process; the collector need not look at it again.
                gc.collect()
                gc.freeze()
            elif part is not None:
                status, message = _work(part, operation, pipe)
        except Exception as error:
            status, message = Status.FAILED, pickle.dumps(Report.of(error, part.current if part is not None else -1))
        if message is not None:
            pipe.send_bytes(message)
        words[status_word(number)] = status
        words[status_word(number) + 1] = ticket
        add(words, ARRIVED, ticket * workers, PARENT_ASLEEP)
        if operation == Op.CLOSE:
            return


def _work(part: Slice, operation: int, pipe: Connection) -> tuple[int, bytes | None]:
    """Do what a ticket asks for; returns the status and the answer, if there is one."""
    if operation == Op.STEP:
        part.step()
    elif operation == Op.RESET:
        part.reset()
    elif operation == Op.CLOSE:
        part.close()
    else:
        name, argument = pickle.loads(pipe.recv_bytes())
        return Status.ANSWER, cloudpickle.dumps(part.call(name, argument))
    return Status.DONE, None
