"""The process that runs slices."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
import numpy as np

from vecbt.arrays import IntArray
from vecbt.shm.arena import Arena
from vecbt.shm.byvalue import ByValue
from vecbt.shm.control import (
    DEPTH,
    PARENT_ASLEEP,
    SPINS,
    Op,
    Status,
    arrivals,
    arrived_word,
    asleep_word,
    done_word,
    operation_word,
    settled_word,
    status_word,
    ticket_word,
)
from vecbt.shm.process import behave_as_child
from vecbt.shm.report import reports_of
from vecbt.shm.slices import MakeSlice, Slice
from vecbt.shm.words import add, wait_for

__all__ = ["STARTED", "dump", "run_worker"]

STARTED = b""
"""What a worker says once its slices are made; anything else is the reports of what went wrong."""


def dump(value: Any) -> bytes:
    """Pickle a value, at need with the code of its classes."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return cloudpickle.dumps(value)  # type: ignore[no-any-return]


def run_worker(
    arena: Arena,
    control: Arena,
    pipe: Connection,
    number: int,
    workers: int,
    bounds: Sequence[tuple[int, int]],
    ticket: int,
    yields: int,
    factory: ByValue,
) -> None:
    """Body of a worker process: make the slices, say so, then answer tickets until told to stop.

    Args:
        arena: The shared arrays of the batch.
        control: The control block, ``{"words": int64}``.
        pipe: To the parent, for messages, answers and errors.
        number: Number of this worker.
        workers: How many there are.
        bounds: First environment of each slice, and the one after its last.
        ticket: The last ticket that is not for this process.
        yields: How often to give way before sleeping.
        factory: Carries a `MakeSlice`, and how to `recover` if a process before this one has died, as a tuple with
            the argument.
    """
    behave_as_child()
    words: IntArray = control.arrays["words"]
    parts: list[Slice] = []
    try:
        make, recovery = factory.load()
        parts = _make_slices(make, arena, bounds, recovery)
    except Exception as error:
        pipe.send_bytes(pickle.dumps(reports_of(error, -1)))
        return
    pipe.send_bytes(STARTED)
    line, asleep = ticket_word(number), asleep_word(number)
    done, settled = done_word(number), settled_word(number)
    operations = [operation_word(number, place) for place in range(DEPTH)]
    statuses = [status_word(number, place) for place in range(DEPTH)]
    plain: Any = words.data  # takes a word in a third of the time that numpy takes
    forever = np.array([60, 0])  # to sleep; the watchdog ends a process whose parent is gone
    while True:
        ticket += 1
        while not wait_for(words, line, ticket, asleep, SPINS, yields, forever):
            pass
        operation = plain[operations[ticket % DEPTH]]
        group = operation // Op.GROUP
        status, message = _answer(parts[group - 1 : group] if group else parts, operation % Op.GROUP, pipe)
        if message is not None:
            pipe.send_bytes(message)
        plain[statuses[ticket % DEPTH]] = status
        plain[done] = ticket
        add(words, arrived_word(ticket), arrivals(ticket, workers), PARENT_ASLEEP)
        plain[settled] = ticket
        if operation == Op.CLOSE:
            return


def _make_slices(
    make: MakeSlice, arena: Arena, bounds: Sequence[tuple[int, int]], recovery: tuple[Any] | None
) -> list[Slice]:
    parts = [make(arena.arrays, low, high) for low, high in bounds]
    if recovery is not None:
        for part in parts:
            part.recover(*recovery)
    # Everything so far lives as long as the process; the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return parts


def _answer(parts: Sequence[Slice], operation: int, pipe: Connection) -> tuple[int, bytes | None]:
    """Do what a ticket asks for; returns the status and the message that goes with it, if there is one."""
    part = parts[0]
    try:
        argument: Any = None
        if operation >= Op.MESSAGE:
            argument = pickle.loads(pipe.recv_bytes())
            operation -= Op.MESSAGE
        answers, errors = [], []
        for part in parts:
            try:
                answer = _work(part, operation, argument)
            except Exception as error:
                errors.extend(reports_of(error, part.current))
            else:
                if answer is not None or operation == Op.CALL:
                    answers.append(answer)
        if errors:
            return Status.FAILED, pickle.dumps(errors)
        return (Status.ANSWER, dump(answers)) if answers else (Status.DONE, None)
    except Exception as error:  # of the message, or of an answer that cannot be pickled
        return Status.FAILED, pickle.dumps(reports_of(error, part.current))


def _work(part: Slice, operation: int, argument: Any) -> Any:
    if operation == Op.STEP:
        return part.step(argument)
    if operation == Op.RESET:
        return part.reset(argument)
    if operation == Op.CALL:
        return None if argument is None else part.call(*argument)
    return part.close()
