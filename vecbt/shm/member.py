"""The parent's end of a worker."""

from __future__ import annotations

import contextlib
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from vecbt.arrays import IntArray
from vecbt.shm.control import (
    Op,
    Status,
    asleep_word,
    done_word,
    operation_word,
    status_word,
    ticket_word,
)
from vecbt.shm.process import describe_exit
from vecbt.shm.report import Report
from vecbt.shm.words import post
from vecbt.shm.worker import STARTED

__all__ = ["Member"]

StartProcess = Callable[["Member", int, Any], tuple[Any, Connection]]


class Member:
    """A worker as the parent sees it: its process, and the messages to and from it.

    Args:
        number: Number of the worker.
        bounds: First environment of each of its slices, and the one after its last.
        words: The control block.
        start: Starts a process for a worker, given the last ticket that is not for it and how to recover.
    """

    def __init__(self, number: int, bounds: Sequence[tuple[int, int]], words: IntArray, start: StartProcess) -> None:
        self.number, self.bounds = number, bounds
        self._words, self._start_process = words, start
        self._inbox: deque[bytes] = deque()
        self._sent = 0  # the last ticket whose message has been sent
        self.started = False
        self.process: Any = None
        self.pipe: Any = None

    def __str__(self) -> str:
        ranges = " and ".join(f"{low} to {high - 1}" for low, high in self.bounds)
        return f"worker {self.number} (process {self.process.pid}, environments {ranges})"

    @property
    def done(self) -> int:
        """The last ticket that the worker has finished."""
        return int(self._words[done_word(self.number)])

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return bool(self.process.is_alive())

    def start(self, recovery: tuple[Any] | None = None) -> None:
        """Start the process; it makes its slices while the caller goes on, see `await_start`.

        Args:
            recovery: For a process that takes the place of one that has died, what its slices are told, as a tuple.
        """
        before, self.started, self._sent = (self.process, self.pipe), False, self.done
        self.process, self.pipe = self._start_process(self, self.done, recovery)
        for each in before:
            if each is not None:
                each.close()

    def await_start(self, seconds: float) -> list[Report] | None:
        """See whether the slices have been made; waits for it for at most so long.

        Returns:
            What went wrong with it; None if it is not known yet, or the process has ended without a word.
        """
        if not self.started and self.pipe in connection.wait([self.pipe, self.process.sentinel], seconds):
            with contextlib.suppress(EOFError, OSError):
                message = self.pipe.recv_bytes()
                self.started = True
                return [] if message == STARTED else pickle.loads(message)
        return [] if self.started else None

    def post(self, ticket: int, operation: int, message: bytes | None) -> None:
        """Hand over a ticket, unless that has been done already."""
        words, at = self._words, ticket_word(self.number)
        if words[at] < ticket:
            words[operation_word(self.number, ticket)] = operation + (Op.MESSAGE if message is not None else 0)
            post(words, at, ticket, asleep_word(self.number))
        self.send(ticket, message)

    def send(self, ticket: int, message: bytes | None) -> None:
        """Send the message of a ticket, unless that has been done already; that the process is gone shows later."""
        if self._sent < ticket:
            if message is not None:
                with contextlib.suppress(OSError):
                    self._whole(self.pipe.send_bytes, message)
            self._sent = ticket

    def receive(self) -> None:
        """Take a message that is on its way, so that the worker can go on."""
        self._inbox.append(self._whole(self.pipe.recv_bytes))

    def take(self) -> Any:
        """The content of the oldest message."""
        if not self._inbox:
            self.receive()
        return pickle.loads(self._inbox.popleft())

    def _whole(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Pass on a message; where that is interrupted the connection is of no use any more, nor is the worker."""
        try:
            return call(*arguments)
        except (EOFError, OSError):
            raise
        except BaseException:
            self.process.kill()
            raise

    def bury(self, messages: int) -> None:
        """Drop what a dead process has sent, but for the messages of tickets that it had finished.

        Args:
            messages: How many these are.
        """
        while len(self._inbox) < messages:
            self.receive()
        while len(self._inbox) > messages:  # of a ticket that it had not quite finished
            self._inbox.pop()

    def describe_end(self) -> str:
        """How the process has ended, with its likely cause."""
        self.process.join(0.5)
        return f"{self} {describe_exit(self.process.exitcode)}"

    def last_words(self) -> list[Report]:
        """What has gone wrong with the last ticket of a process that has ended."""
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            if self._words[status_word(self.number, self.done)] == Status.FAILED and self.pipe.poll():
                return list(pickle.loads(self.pipe.recv_bytes()))
        return []

    def release(self) -> None:
        """Give back the descriptors."""
        if self.pipe is not None:
            self.pipe.close()
        if self.process is not None and not self.process.is_alive():
            self.process.close()
