"""The process that runs a slice."""

from __future__ import annotations

import gc
import pickle
import traceback
from multiprocessing.connection import Connection
from typing import NamedTuple

import cloudpickle

from vecbt.arrays import IntArray
from vecbt.shm.arena import Arena
from vecbt.shm.process import ByValue, behave_as_child
from vecbt.shm.slices import MakeSlice, Slice
from vecbt.shm.words import load, post, wait_all

__all__ = [
    "BELL",
    "PARENT_ASLEEP",
    "SPINS",
    "YIELDS",
    "Op",
    "Report",
    "Status",
    "control_words",
    "done_word",
    "run_worker",
    "ticket_word",
]

BELL = b"!"
"""Sent to wake a process that sleeps on its connection; carries nothing."""

_LINE = 8
"""Words in a cache line of 64 bytes."""

SPINS, YIELDS = 400, 2000
"""About a microsecond of spinning, then about a millisecond of giving way, before a wait sleeps."""


class Op:
    """What a ticket asks for."""

    START, RESET, STEP, CALL, CLOSE = range(5)


class Status:
    """How it went: `DONE`, or a message waits on the connection."""

    DONE, ANSWER, FAILED = range(3)


# Words of the control block. The parent's line comes first, then two lines for each worker: one that the parent
# writes and one that the worker writes. Tickets only grow, so nothing has to be cleared.
PARENT_ASLEEP = 0


def ticket_word(worker: int) -> int:
    """Where worker number ``worker`` finds its ticket; the operation is in the next word."""
    return (1 + 2 * worker) * _LINE


def done_word(worker: int) -> int:
    """Where it posts the ticket it has finished; then its status, then whether it sleeps."""
    return (2 + 2 * worker) * _LINE


def control_words(workers: int) -> int:
    """Words in the control block for so many workers."""
    return (1 + 2 * workers) * _LINE


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
        try:
            pickled: bytes | None = pickle.dumps(error)
            pickle.loads(pickled or b"")  # some exceptions pickle but do not unpickle
        except Exception:
            pickled = None
        text = "".join(traceback.format_exception(error))
        return cls(env, type(error).__name__, str(error), text, pickled)


def run_worker(
    arena: Arena, control: Arena, pipe: Connection, number: int, low: int, high: int, factory: ByValue
) -> None:
    """Body of a worker process: make the slice, then answer tickets until told to stop.

    Args:
        arena: The shared arrays of the batch.
        control: The control block, ``{"words": int64}``.
        pipe: To the parent, for bells, answers and errors.
        number: Number of this worker.
        low: First environment of the slice.
        high: Environment after its last.
        factory: Carries a `MakeSlice`.
    """
    behave_as_child()
    words: IntArray = control.arrays["words"]
    part: Slice | None = None
    ticket = 0
    while True:
        ticket += 1
        if not _wait_for_ticket(words, pipe, number, ticket):
            return
        operation = int(words[ticket_word(number) + 1])
        status, message = Status.DONE, None
        try:
            if operation == Op.STEP:
                assert part is not None
                part.step()
            elif operation == Op.RESET:
                assert part is not None
                part.reset()
            elif operation == Op.START:
                make: MakeSlice = factory.load()
                part = make(arena.arrays, low, high)
                # Everything so far lives as long as the process; the collector need not look at it again.
                gc.collect()
                gc.freeze()
            elif operation == Op.CALL:
                assert part is not None
                name, argument = pickle.loads(_receive(pipe))
                status, message = Status.ANSWER, cloudpickle.dumps(part.call(name, argument))
            elif operation == Op.CLOSE and part is not None:
                part.close()
        except Exception as error:
            env = part.current if part is not None else -1
            status, message = Status.FAILED, pickle.dumps(Report.of(error, env))
        if message is not None:
            pipe.send_bytes(message)
        words[done_word(number) + 1] = status
        post(words, done_word(number), ticket)
        if load(words, PARENT_ASLEEP):
            pipe.send_bytes(BELL)
        if operation == Op.CLOSE:
            return


def _receive(pipe: Connection) -> bytes:
    """The next message that is not a bell."""
    while (message := pipe.recv_bytes()) == BELL:
        pass
    return message


def _wait_for_ticket(words: IntArray, pipe: Connection, number: int, ticket: int) -> bool:
    """Wait for a ticket; False if the parent is gone."""
    at, asleep = ticket_word(number), done_word(number) + 2
    if not wait_all(words, at, 1, 1, ticket, SPINS, YIELDS):
        return True
    try:
        while True:
            # First say that we sleep, then look again: the parent posts first and then looks whether we sleep.
            post(words, asleep, 1)
            if not wait_all(words, at, 1, 1, ticket, 1, 0):
                break
            pipe.poll(None)
            if not wait_all(words, at, 1, 1, ticket, SPINS, 0):
                break
            _receive_bell(pipe)
    except (EOFError, OSError):
        return False
    post(words, asleep, 0)
    return True


def _receive_bell(pipe: Connection) -> None:
    """Take a bell that was rung for an earlier ticket out of the pipe."""
    if pipe.recv_bytes() != BELL:
        raise OSError("a message came without its ticket")
