"""Worker processes that run the slices of a batch in lockstep."""

from __future__ import annotations

import contextlib
import logging
import pickle
import time
from collections import deque
from collections.abc import Mapping, Sequence
from multiprocessing import connection, util
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import numpy as np

from vecbt.arrays import AnyArray, IntArray
from vecbt.errors import ClosedError, ConfigError, WorkerDiedError, WorkerTimeoutError
from vecbt.shm.arena import Arena, ArraySpec
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
    control_words,
    done_word,
    patience,
    settled_word,
    status_word,
    ticket_word,
)
from vecbt.shm.exchange import announce, collect, exchange
from vecbt.shm.member import Member
from vecbt.shm.process import get_context, start_process, usable_cores
from vecbt.shm.recovery import Recovery
from vecbt.shm.report import Report, SliceError
from vecbt.shm.shutdown import shut_down
from vecbt.shm.slices import MakeSlice, Slice, partition
from vecbt.shm.words import add, load, post, wait_for
from vecbt.shm.worker import dump, run_worker

__all__ = ["WorkerPool", "compile_waits"]

logger = logging.getLogger("vecbt")

_FIRST_NAP, _NAP = 0.001, 0.05
"""Seconds after which a waiting parent looks whether its workers live or want to be rid of a message: at first, and
after it has waited for long."""

_START = 60.0
"""Seconds that a start may take beyond the time-out: it imports libraries."""

_UNASKED = pickle.dumps(None)
"""Sent to a new worker instead of a request that the last one has died of."""


class _Call:
    """A ticket that is under way."""

    __slots__ = ("answers", "argument", "begun", "errors", "group", "lost", "message", "operation", "ticket")

    def __init__(self, ticket: int, operation: int, group: int, argument: Any, message: bytes | None) -> None:
        self.ticket, self.operation, self.group = ticket, operation, group
        self.argument, self.message = argument, message
        self.answers: list[Any] = []
        self.errors: list[tuple[int, BaseException]] = []  # with the environment, or -1
        self.begun = False  # by the slices in this process
        self.lost: WorkerDiedError | None = None  # a worker has died that cannot be asked again


class WorkerPool:
    """Runs the slices of a batch, one or more in each process, one operation at a time for all of them.

    The batch may be cut into groups of environments, of which every worker has a slice: an operation on one group can
    then be begun while one on another is still under way.

    Args:
        make_slice: Makes a slice; runs in the workers. It is pickled by value and may come from anywhere.
        specs: The shared arrays of the batch.
        num_envs: Environments in the batch.
        num_workers: Processes; 0 runs everything in the calling process, on the same arrays.
        context: Start method, see `vecbt.shm.process.get_context`.
        parent_share: Run the first of ``num_workers + 1`` parts in the calling process.
        timeout: Seconds that an operation may take before `WorkerTimeoutError`; None for no limit.
        groups: How many groups there are, 1 or 2.
        daemon: Whether the processes are daemons, which may not have children of their own.
        recovery: How to make good the death of a worker; None raises.

    Attributes:
        arrays: The shared arrays by name.
        ranges: The environments of each group: the first, and the one after the last.
        failures: What the last operation has raised, each with its environment (or -1).
        deaths: How many workers have died and been replaced.

    Raises:
        ConfigError: If the numbers are out of range.
        WorkerDiedError: If a worker ends before its slices are made.
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
        groups: int = 1,
        daemon: bool = True,
        recovery: Recovery | None = None,
    ) -> None:
        if num_envs < groups:
            raise ConfigError(f"num_envs must be at least {groups}, got {num_envs}")
        if num_workers < 0:
            raise ConfigError(f"num_workers must be 0 (everything in the parent) or more, got {num_workers}")
        num_workers = min(num_workers, num_envs // groups)
        self.timeout = timeout
        self.failures: list[tuple[int, BaseException]] = []
        self.deaths = 0
        self._closed = False
        self._ticket = self._concluded = 0  # the last ticket, and the last that has come to something
        self._operation = 0  # of the last ticket
        self._pending: deque[_Call] = deque()
        self._recovery = recovery
        self._arena = Arena(specs)
        self.arrays: dict[str, AnyArray] = self._arena.arrays
        self._control = Arena({"words": ArraySpec((control_words(num_workers),), "int64")})
        self._words: IntArray = self._control.arrays["words"]
        self._members: list[Member] = []
        self._yields = self._spins = 0
        self._nap = np.array([0, int(_FIRST_NAP * 1e9)])
        self._local: list[Slice] = []
        # At exit multiprocessing runs its own finalizers before it joins its children, which a stopped worker would
        # make it do for ever; one of weakref's may come after that. A forked child does not run them.
        self._finalizer = util.Finalize(self, shut_down, (self._members, self._words), exitpriority=10)

        in_parent = num_workers == 0 or (parent_share and num_workers < num_envs // groups)
        self.ranges = partition(num_envs, groups)
        # For each part of the batch (the parent's, if it has one, then each worker's) its slice of every group.
        bounds = list(
            zip(
                *[
                    [(first + low, first + high) for low, high in partition(end - first, num_workers + in_parent)]
                    for first, end in self.ranges
                ],
                strict=True,
            )
        )
        try:
            if num_workers:
                compile_waits()
                self._make_members(make_slice, bounds[in_parent:], context, in_parent, daemon)
            if in_parent:
                self._make_local(make_slice, bounds[0])
            self._await_starts(self._members)
        except BaseException:
            self.close()
            raise

    def _make_members(
        self,
        make_slice: MakeSlice,
        bounds: Sequence[Sequence[tuple[int, int]]],
        method: str | None,
        in_parent: bool,
        daemon: bool,
    ) -> None:
        context, cores, count = get_context(method), usable_cores(), len(bounds)
        computing = count + in_parent
        self._yields = patience(max(computing, count + 1), cores)
        self._spins = SPINS if count < cores else 0  # where workers wait for the parent's core, it gives way at once
        yields = patience(computing, cores)
        arena, control = self._arena, self._control

        def start(member: Member, ticket: int, recovery: Any) -> tuple[Any, Connection]:
            ours, theirs = context.Pipe()
            factory = ByValue((make_slice, recovery))
            arguments = (arena, control, theirs, member.number, count, member.bounds, ticket, yields, factory)
            try:
                process = start_process(context, run_worker, arguments, f"vecbt-worker-{member.number}", daemon)
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            return process, ours

        for number, each in enumerate(bounds):
            member = Member(number, each, self._words, start)
            member.start()
            self._members.append(member)

    def _make_local(self, make_slice: MakeSlice, bounds: Sequence[tuple[int, int]]) -> None:
        try:
            for low, high in bounds:
                self._local.append(make_slice(self.arrays, low, high))
        except SliceError as error:
            self._raise_first(_local_errors(error, -1))

    @property
    def closed(self) -> bool:
        """Whether the pool has been closed."""
        return self._closed

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers, in the order of their environments."""
        return tuple(member.process.pid for member in self._members)

    @property
    def _pipes(self) -> list[Any]:
        return [member.pipe for member in self._members]

    def reset(self, argument: Any = None) -> Sequence[Any]:
        """Let every slice begin the episodes that are marked; the answers of those that have any."""
        return self._run(Op.RESET, argument)

    def step(self, argument: Any = None) -> Sequence[Any]:
        """Let every slice step its environments; the answers of those that have any."""
        return self._run(Op.STEP, argument)

    def call(self, name: str, argument: Any = None) -> Sequence[Any]:
        """Ask every slice and return the answers in the order of the environments."""
        return self._run(Op.CALL, (name, argument))

    def close(self) -> None:
        """End the workers: by agreement, else by force; takes at most about two seconds. May be called again."""
        local, self._local = self._local, []
        self._closed = True
        self.failures = []  # whose tracebacks hold this pool
        try:
            for part in local:
                try:
                    part.close()
                except Exception as error:
                    for env, each in _local_errors(error, part.current):
                        _log_close(env, each)
        finally:
            self._finalizer()

    def settle(self) -> None:
        """Wait for what was interrupted (Ctrl-C, a timeout): until then the workers write to the arrays.

        Raises:
            Exception: Whatever it would have raised.
        """
        if self._ticket != self._concluded and not self._pending:  # an exchange that was interrupted
            self._pending.append(_Call(self._ticket, self._operation, 0, None, None))
        while self._pending and not self._closed:
            self.finish()

    # -- one operation -------------------------------------------------------------------------------------------------

    def begin(self, operation: int, group: int = 0, argument: Any = None) -> None:
        """Begin an operation, to be finished by `finish` in the order of their beginnings.

        Args:
            operation: `Op.RESET`, `Op.STEP` or `Op.CALL`.
            group: 0 for all groups, else the number of one counted from 1.
            argument: What the slices are told.
        """
        if self._closed:
            raise ClosedError("the environments have been closed")
        assert len(self._pending) < DEPTH
        message = None
        if argument is not None and self._members:
            message = dump(argument)
        if self._recovery is not None:
            for low, high in self.ranges[group - 1 : group] if group else self.ranges:
                self._recovery.keep(self.arrays, low, high)
        call = _Call(self._ticket + 1, operation, group, argument, message)
        self._pending.append(call)  # one step, so that Ctrl-C finds either the whole of it or nothing
        self._post(call)

    def finish(self, timeout: float | None = None) -> list[Any]:
        """Wait for the operation that was begun first.

        Args:
            timeout: Seconds before `WorkerTimeoutError`, after which it may be called again; None for the pool's own.

        Returns:
            The answers of the slices, or of those that have any, in the order of the parts.

        Raises:
            Exception: The first of what the slices have raised; see `failures`.
        """
        call = self._pending[0]
        self._post(call)
        if self._local and not call.begun:
            self._run_local(call)
        if self._members:
            worst = collect(self._words, call.ticket, len(self._members), self._spins, self._yields, self._nap)
            if worst < 0:
                self._wait(call, self.timeout if timeout is None else timeout)
            if worst != Status.DONE:
                self._gather(call)
        return self._conclude(call)

    def _run(self, operation: int, argument: Any) -> Sequence[Any]:
        if self._closed:
            raise ClosedError("the environments have been closed")
        if self._pending or self._ticket != self._concluded:
            self.settle()
        if argument is not None or self._local or self._recovery is not None:
            self.begin(operation, 0, argument)
            return self.finish()
        # The common case, in few words: they all come out of the time in which the workers stand still.
        self._operation = operation
        self._ticket = ticket = self._ticket + 1
        count = len(self._members)
        worst = exchange(self._words, operation, ticket, count, self._spins, self._yields, self._nap)
        if worst == Status.DONE:
            self._concluded = ticket
            return ()
        self._pending.append(_Call(ticket, operation, 0, None, None))
        return self.finish()

    def _post(self, call: _Call) -> None:
        """Hand a ticket to the workers that do not have it yet."""
        self._ticket = max(self._ticket, call.ticket)
        operation = call.operation + Op.GROUP * call.group
        if call.message is None:
            if self._members and self._words[ticket_word(len(self._members) - 1)] < call.ticket:
                announce(self._words, operation, call.ticket, len(self._members))
        else:
            for member in self._members:
                member.post(call.ticket, operation, call.message)

    def _run_local(self, call: _Call) -> None:
        """Run the slices of this process; what comes of it is kept until the workers have finished too."""
        call.begun = True
        for part in self._local[call.group - 1 : call.group] if call.group else self._local:
            try:
                if call.operation == Op.STEP:
                    answer = part.step(call.argument)
                elif call.operation == Op.RESET:
                    answer = part.reset(call.argument)
                else:
                    answer = part.call(*call.argument)
            except Exception as error:
                call.errors.extend(_local_errors(error, part.current))
            else:
                if answer is not None or call.operation == Op.CALL:
                    call.answers.append(answer)

    def _gather(self, call: _Call) -> None:
        """Collect the workers' answers and errors."""
        for member in self._members:
            status = self._words[status_word(member.number, call.ticket)]
            if status == Status.ANSWER:
                call.answers.extend(member.take())
            elif status == Status.FAILED:
                for report in member.take():
                    call.errors.append((report.env, report.to_exception(str(member))))

    def _wait(self, call: _Call, timeout: float | None) -> None:
        """Wait for all workers, and see to those that have died."""
        begun, deaths = time.monotonic(), self.deaths
        nap, limit = _FIRST_NAP, np.array([0, 0])
        while collect(self._words, call.ticket, len(self._members), 1, 0, limit) < 0:
            waits_for_others = self._look_after_members()
            if deaths < self.deaths:  # the new worker has all the time that the old one had
                begun, deaths = time.monotonic(), self.deaths
            left = _NAP if timeout is None else max(0.0, begun + timeout - time.monotonic())
            late = [member for member in self._members if member.done < call.ticket]
            if left == 0.0 and late:
                raise WorkerTimeoutError(
                    f"no answer within {timeout} s from {', '.join(map(str, late))}. It may take longer than that "
                    f"(raise the timeout), or an environment hangs"
                )
            nap = _FIRST_NAP if waits_for_others else min(2.0 * nap, _NAP)
            limit[1] = int(min(nap, left) * 1e9)

    def _look_after_members(self) -> bool:
        """Take messages, which a pipe may be too small to hold, and see to workers that have ended.

        Returns:
            Whether one has ended that is not replaced yet, because others are still at work.
        """
        starting = [member for member in self._members if not member.started]
        if starting and self._recovery is not None:  # whom an interrupted call has left so
            self._await_replacements(starting, self._recovery)
        for source in connection.wait(self._pipes, 0.0):
            member = next(member for member in self._members if member.pipe is source)
            if member.is_alive:
                with contextlib.suppress(EOFError, OSError):  # its end is seen to below
                    member.receive()
        dead = [member for member in self._members if not member.is_alive]
        if not dead:
            return False
        stuck = [member for member in dead if member.done < self._ticket]
        if stuck and (self._recovery is None or self.deaths + len(stuck) > self._recovery.deaths):
            _report_dead(stuck[0], self.deaths)
        # Who has arrived can only be counted when nobody is about to. One that has died may have finished its ticket
        # and not arrived.
        alive = [member for member in self._members if member not in dead]
        if any(self._words[settled_word(member.number)] < self._ticket for member in alive):
            return True
        for ticket in (self._ticket - 1, self._ticket):
            last = [member.done - (member.done - ticket) % DEPTH for member in self._members]
            self._words[arrived_word(ticket)] = sum(arrivals(each, 1) for each in last)
        if self._recovery is not None and stuck:
            self._replace(stuck, self._recovery)
        return False

    def _replace(self, dead: Sequence[Member], recovery: Recovery) -> None:
        """Start workers again where they have stopped: the tickets under way are theirs to do again."""
        for member in dead:
            unread = 0
            for call in self._pending:
                if call.ticket <= member.done:
                    unread += bool(self._words[status_word(member.number, call.ticket)] != Status.DONE)
                    continue
                for group in [call.group - 1] if call.group else range(len(self.ranges)):
                    recovery.set_back(self.arrays, *member.bounds[group])
                if call.operation == Op.CALL:
                    call.lost = WorkerDiedError(f"{member.describe_end()} and could not answer")
                    call.message = _UNASKED
            member.bury(unread)
            self._start_again(member, recovery)
        self._await_replacements(dead, recovery)

    def _await_replacements(self, members: Sequence[Member], recovery: Recovery) -> None:
        self._await_starts(members, recovery)
        for call in self._pending:
            for member in members:
                if member.done < call.ticket:
                    member.send(call.ticket, call.message)

    def _start_again(self, member: Member, recovery: Recovery) -> None:
        logger.warning("%s; it is started again", member.describe_end())
        self.deaths += 1
        member.start((recovery.argument(member.bounds),))

    def _await_starts(self, members: Sequence[Member], recovery: Recovery | None = None) -> None:
        """Wait until the slices of workers have been made.

        Args:
            members: The workers.
            recovery: How to make good the death of one that is to replace another.
        """
        deadline = None if self.timeout is None else time.monotonic() + self.timeout + _START
        waiting = list(members)
        reported: dict[Member, list[Report]] = {}
        while waiting:
            for member in list(waiting):
                ended = not member.is_alive
                reports = member.await_start(_NAP / len(waiting))
                if reports is not None:
                    reported[member] = reports
                    waiting.remove(member)
                elif ended:  # before it was asked
                    if recovery is None or self.deaths >= recovery.deaths:
                        _report_dead(member, self.deaths)
                    self._start_again(member, recovery)
            if waiting and deadline is not None and time.monotonic() >= deadline:
                raise WorkerTimeoutError(
                    f"{', '.join(map(str, waiting))} not ready within {self.timeout} s and the {_START:g} s that a "
                    f"start may take on top: making an environment hangs, or the timeout is too short for it"
                )
        self._raise_first(
            [(report.env, report.to_exception(str(member))) for member in members for report in reported[member]]
        )

    def _conclude(self, call: _Call) -> list[Any]:
        """What an operation comes to; the next one may begin."""
        self._pending.popleft()
        self._concluded = call.ticket
        errors, call.errors = call.errors, []
        if call.lost is not None:
            errors.append((-1, call.lost))
            call.lost = None
        self._raise_first(errors)
        return call.answers

    def _raise_first(self, errors: list[tuple[int, BaseException]]) -> None:
        self.failures = list(errors)
        if errors:
            first = errors[0][1]
            if len(errors) > 1:
                first.add_note(f"{len(errors) - 1} more failed too")
            errors.clear()
            try:
                raise first
            finally:
                del first  # else the exception and this frame hold each other, and the whole batch, until collected


def compile_waits() -> None:
    """Compile what waits, so that the workers find it in the cache instead of all writing it."""
    words, now = np.zeros(control_words(1), np.int64), np.zeros(2, np.int64)
    wait_for(words, ticket_word(0), 1, asleep_word(0), 1, 1, now)
    post(words, ticket_word(0), 1, asleep_word(0))
    add(words, arrived_word(0), 1, PARENT_ASLEEP)
    load(words, done_word(0))
    exchange(words, Op.STEP, 0, 0, 0, 0, now)
    announce(words, Op.STEP, 0, 0)
    collect(words, 0, 0, 0, 0, now)


def _local_errors(error: Exception, env: int) -> list[tuple[int, BaseException]]:
    errors = error.errors if isinstance(error, SliceError) else [(env, error)]
    for index, each in errors:
        if index >= 0:
            each.add_note(f"in environment {index}")
    return list(errors)


def _report_dead(member: Member, deaths: int) -> NoReturn:
    before = f", after {deaths} deaths that have been made good" if deaths else ""
    raise WorkerDiedError(
        f"{member.describe_end()}{before}. The batch cannot go on without it: close it and make a new one"
    )


def _log_close(env: int, error: BaseException) -> None:
    logger.warning("environment %s raised when it was closed: %s", env, repr(error))
