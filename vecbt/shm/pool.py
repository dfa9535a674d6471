"""Worker processes that run the slices of a batch in lockstep."""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Mapping, Sequence
from multiprocessing import connection, util
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import cloudpickle
import numpy as np

from vecbt.arrays import AnyArray, IntArray
from vecbt.errors import ClosedError, ConfigError, WorkerDiedError, WorkerError, WorkerTimeoutError
from vecbt.shm.arena import Arena, ArraySpec
from vecbt.shm.byvalue import ByValue
from vecbt.shm.exchange import exchange
from vecbt.shm.process import describe_exit, get_context, start_process, usable_cores
from vecbt.shm.slices import MakeSlice, Slice, partition
from vecbt.shm.words import add, load, post, wait_for
from vecbt.shm.worker import (
    ARRIVED,
    PARENT_ASLEEP,
    SPINS,
    Op,
    Report,
    Status,
    asleep_word,
    control_words,
    patience,
    run_worker,
    status_word,
    ticket_word,
)

__all__ = ["RemoteTraceback", "WorkerPool", "compile_waits"]

_NAP = 0.05
"""Seconds after which a waiting parent looks whether its workers live."""


class RemoteTraceback(Exception):  # noqa: N818  (it only carries text)
    """Carries the traceback of another process as text; the cause of the exception that is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Worker:
    """The parent's end of a worker."""

    def __init__(self, number: int, low: int, high: int, process: Any, pipe: Connection) -> None:
        self.number, self.low, self.high = number, low, high
        self.process, self.pipe = process, pipe
        self.inbox: bytes | None = None  # the message of the current ticket, until it is read
        self.ticket_word, self.asleep_word = ticket_word(number), asleep_word(number)
        self.status_word = status_word(number)

    def __str__(self) -> str:
        return f"worker {self.number} (process {self.process.pid}, environments {self.low} to {self.high - 1})"

    def receive(self) -> None:
        """Take the message of the current ticket, unless it is there already."""
        if self.inbox is None:
            self.inbox = self.pipe.recv_bytes()

    def take(self) -> Any:
        """What the message of the current ticket says."""
        self.receive()
        message, self.inbox = self.inbox, None
        return pickle.loads(message or b"")


class WorkerPool:
    """Runs the slices of a batch, each in a process of its own, one operation at a time for all of them.

    Args:
        make_slice: Makes a slice; runs in the workers. It is pickled by value and may come from anywhere.
        specs: The shared arrays of the batch.
        num_envs: Environments in the batch.
        num_workers: Processes; 0 runs a single slice in the calling process, on the same arrays.
        context: Start method, see `vecbt.shm.process.get_context`.
        parent_share: Run the first of ``num_workers + 1`` slices in the calling process.
        timeout: Seconds that an operation may take before `WorkerTimeoutError`; None for no limit.

    Attributes:
        arrays: The shared arrays by name.
        closed: Whether the pool has been closed.

    Raises:
        ConfigError: If the numbers are out of range.
        WorkerDiedError: If a worker ends before its slice is made.
        Exception: Whatever ``make_slice`` raises, with the environment and the worker in its notes.
    """

    def __init__(
        self,
        make_slice: MakeSlice,
        specs: Mapping[str, ArraySpec],
        num_envs: int,
        num_workers: int,
        *,
        context: str | None = None,
        parent_share: bool = False,
        timeout: float | None = None,
    ) -> None:
        if num_envs < 1:
            raise ConfigError(f"num_envs must be at least 1, got {num_envs}")
        if num_workers < 0:
            raise ConfigError(f"num_workers must be 0 (everything in the parent) or more, got {num_workers}")
        num_workers = min(num_workers, num_envs)
        self.timeout = timeout
        self._ticket = 0
        # What has been asked and not yet collected: ticket, operation, message. One assignment, so that Ctrl-C finds
        # either the whole of it or nothing.
        self._pending: tuple[int, int, bytes | None] | None = None
        self._arena = Arena(specs)
        self.arrays: dict[str, AnyArray] = self._arena.arrays
        self._control = Arena({"words": ArraySpec((control_words(num_workers),), "int64")})
        self._words: IntArray = self._control.arrays["words"]
        self._workers: list[_Worker] = []
        self._yields = self._spins = 0
        self._nap = np.array([0, int(min(_NAP, timeout or _NAP) * 1e9)])
        self._local: Slice | None = None
        # At exit multiprocessing runs its own finalizers before it joins its children, which a stopped worker would
        # make it do for ever; one of weakref's may come after that. A forked child does not run them.
        self._finalizer = util.Finalize(self, _shut_down, (self._workers, self._words), exitpriority=10)

        in_parent = num_workers == 0 or (parent_share and num_workers < num_envs)
        bounds = partition(num_envs, num_workers + in_parent)
        try:
            if num_workers:
                compile_waits()
                self._start_workers(make_slice, bounds[in_parent:], context)
            if in_parent:
                low, high = bounds[0]
                self._local = make_slice(self.arrays, low, high)
            if num_workers:
                self._run(Op.START)
        except BaseException:
            self.close()
            raise

    def _start_workers(self, make_slice: MakeSlice, bounds: Sequence[tuple[int, int]], method: str | None) -> None:
        context = get_context(method)
        factory, cores, count = ByValue(make_slice), usable_cores(), len(bounds)
        computing = count + (bounds[0][0] > 0)  # the parent, if it has a share
        self._yields = patience(max(computing, count + 1), cores)
        self._spins = SPINS if self._yields else 0  # where workers wait for the parent's core, it gives way at once
        for number, (low, high) in enumerate(bounds):
            ours, theirs = context.Pipe()
            yields = patience(computing, cores)
            arguments = (self._arena, self._control, theirs, number, count, low, high, yields, factory)
            process = start_process(context, run_worker, arguments, f"vecbt-worker-{number}")
            theirs.close()
            self._workers.append(_Worker(number, low, high, process, ours))

    @property
    def closed(self) -> bool:
        """Whether the pool has been closed."""
        return not self._finalizer.still_active()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers, in the order of their environments."""
        return tuple(worker.process.pid for worker in self._workers)

    def reset(self) -> None:
        """Let every slice begin the episodes that are marked."""
        self._run(Op.RESET)

    def step(self) -> None:
        """Let every slice step its environments."""
        self._run(Op.STEP)

    def call(self, name: str, argument: Any = None) -> list[Any]:
        """Ask every slice and return the answers in the order of the environments."""
        return self._run(Op.CALL, (name, argument))

    def close(self) -> None:
        """End the workers: by agreement, else by force; takes at most about two seconds. May be called again."""
        local, self._local = self._local, None
        try:
            if local is not None:
                local.close()
        finally:
            self._finalizer()

    def settle(self) -> None:
        """Wait for an operation that was interrupted (Ctrl-C, a timeout): until then the workers write to the arrays.

        Raises:
            Exception: Whatever the operation would have raised.
        """
        if self._pending is not None and not self.closed:
            self._finish(self._pending)

    # -- one operation -------------------------------------------------------------------------------------------------

    def _run(self, operation: int, payload: Any = None) -> list[Any]:
        if self.closed:
            raise ClosedError("the environments have been closed")
        self.settle()
        if self._workers and self._local is None and operation != Op.CALL:
            self._pending = (self._ticket + 1, operation, None)
            count = len(self._workers)
            worst = exchange(self._words, operation, self._ticket + 1, count, self._spins, self._yields, self._nap)
            if worst == Status.DONE:
                self._ticket += 1
                self._pending = None
                return []
        elif self._workers:
            message = cloudpickle.dumps(payload) if operation == Op.CALL else None
            self._pending = (self._ticket + 1, operation, message)
            self._announce(self._pending)
        local: list[Any] = []
        if self._local is not None:
            local = self._run_local(self._local, operation, payload)
        if self._pending is not None:
            return local + self._finish(self._pending)
        return local

    def _announce(self, pending: tuple[int, int, bytes | None]) -> None:
        """Post a ticket to the workers that do not have it yet."""
        ticket, operation, message = pending
        words = self._words
        for worker in self._workers:
            at = worker.ticket_word
            if words[at] == ticket:
                continue
            words[at + 1] = operation
            post(words, at, ticket, worker.asleep_word)
            if message is not None:
                try:
                    worker.pipe.send_bytes(message)
                except OSError:
                    _report_dead(worker)

    def _run_local(self, part: Slice, operation: int, payload: Any) -> list[Any]:
        try:
            if operation == Op.STEP:
                part.step()
            elif operation == Op.RESET:
                part.reset()
            elif operation == Op.CALL:
                return [part.call(*payload)]
        except Exception as error:
            if part.current >= 0:
                error.add_note(f"in environment {part.current}")
            raise
        return []

    def _finish(self, pending: tuple[int, int, bytes | None]) -> list[Any]:
        """Wait for the workers and collect their answers; raises the first error."""
        ticket, operation, _ = pending
        if ticket != self._ticket:
            self._announce(pending)
            self._wait(ticket, None if operation == Op.START else self.timeout)
        answers, reports = [], []
        for worker in self._workers:
            status = self._words[worker.status_word]
            if status == Status.ANSWER:
                answers.append(worker.take())
            elif status == Status.FAILED:
                reports.append((worker, Report(*worker.take())))
        self._ticket = ticket
        self._pending = None
        if reports:
            _raise_report(*reports[0], others=len(reports) - 1)
        return answers

    def _wait(self, ticket: int, timeout: float | None) -> None:
        """Wait until every worker has finished the ticket."""
        words, goal = self._words, ticket * len(self._workers)
        if wait_for(words, ARRIVED, goal, PARENT_ASLEEP, self._spins, self._yields, self._nap):
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while not wait_for(words, ARRIVED, goal, PARENT_ASLEEP, 1, 0, self._nap):
            self._look_after_workers(ticket)
            if deadline is not None and time.monotonic() >= deadline:
                assert timeout is not None
                self._report_timeout(ticket, timeout)

    def _look_after_workers(self, ticket: int) -> None:
        """Take messages, which a pipe may be too small to hold, and report workers that have ended."""
        pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers if worker.inbox is None}
        sentinels: dict[Any, _Worker] = {worker.process.sentinel: worker for worker in self._workers}
        for source in connection.wait([*pipes, *sentinels], 0.0):
            if source in pipes:
                with contextlib.suppress(EOFError, OSError):  # its end is the sentinel's to tell
                    pipes[source].receive()
            elif self._words[status_word(sentinels[source].number) + 1] != ticket:
                _report_dead(sentinels[source])

    def _report_timeout(self, ticket: int, timeout: float) -> NoReturn:
        late = [worker for worker in self._workers if self._words[status_word(worker.number) + 1] != ticket]
        raise WorkerTimeoutError(
            f"no answer within {timeout} s from {', '.join(map(str, late))}. A step may take longer than that "
            f"(raise the timeout), or an environment hangs"
        )


def compile_waits() -> None:
    """Compile what waits, so that the workers find it in the cache instead of all writing it."""
    words, now = np.zeros(control_words(1), np.int64), np.zeros(2, np.int64)
    wait_for(words, ARRIVED, 0, PARENT_ASLEEP, 1, 1, now)
    post(words, ticket_word(0), 1, asleep_word(0))
    add(words, ARRIVED, 1, PARENT_ASLEEP)
    load(words, ARRIVED)
    exchange(words, Op.START, 0, 0, 0, 0, now)


def _report_dead(worker: _Worker) -> NoReturn:
    worker.process.join(0.5)
    raise WorkerDiedError(
        f"{worker} {describe_exit(worker.process.exitcode)}. The batch cannot go on without it: close it and make a "
        f"new one"
    )


def _raise_report(worker: _Worker, report: Report, others: int) -> NoReturn:
    """Raise a worker's exception here: its own type where that can be had, else `WorkerError`."""
    where = f"in environment {report.env}, {worker}" if report.env >= 0 else f"in {worker}"
    error: BaseException
    if report.exception is not None:
        error = pickle.loads(report.exception)
    else:
        error = WorkerError(f"{report.kind}: {report.message}")
    error.add_note(where)
    if others:
        error.add_note(f"{others} other worker(s) failed too")
    raise error from RemoteTraceback(report.traceback)


def _shut_down(workers: list[_Worker], words: IntArray) -> None:
    """End the workers; runs once, at close, when the pool is collected, or at the interpreter's exit."""
    try:
        _ask_to_end(workers, words)
        _join(workers, 1.0)
        for worker in workers:
            if worker.process.is_alive():
                worker.process.terminate()
        _join(workers, 0.4)
    finally:  # Ctrl-C may have cut the waiting short; who is stopped heeds nothing else
        for worker in workers:
            if worker.process.is_alive():
                worker.process.kill()
        _join(workers, 0.4)
        for worker in workers:
            worker.pipe.close()
            if not worker.process.is_alive():
                worker.process.close()
        workers.clear()


def _ask_to_end(workers: list[_Worker], words: IntArray) -> None:
    """Post a ticket to those that are idle; those that are still at work may be at it for ever."""
    for worker in workers:
        ticket = int(words[worker.ticket_word])
        if int(words[worker.status_word + 1]) == ticket:
            words[worker.ticket_word + 1] = Op.CLOSE
            post(words, worker.ticket_word, ticket + 1, worker.asleep_word)
        else:
            worker.process.terminate()


def _join(workers: list[_Worker], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
