"""Threads that share the work of a batch.

The helpers wait in compiled code, without the GIL, on the words by which processes wait for each other too: they cost
Python nothing, begin within a microsecond while a batch is stepped quickly, and sleep otherwise. numba's own threads
would do less well: one of its threading layers aborts when two threads of Python use it, another when a child has been
forked.
"""

from __future__ import annotations

import os
import threading
import weakref

import numpy as np

from vecbt.arrays import IntArray
from vecbt.brokers.compiled.loops import work_of
from vecbt.kernels._jit import call_native, kernel
from vecbt.shm.control import (
    ARRIVED,
    PARENT_ASLEEP,
    SPINS,
    asleep_word,
    control_words,
    done_word,
    patience,
    ticket_word,
)
from vecbt.shm.process import usable_cores
from vecbt.shm.slices import partition
from vecbt.shm.words import add, post, wait_for

__all__ = ["MIN_SHARE", "Crew", "compile_crew", "thread_count"]

MIN_SHARE = 48
"""Environments that a thread needs so that it pays to wake it; ``python -m bench compiled`` measures both sides."""

_STOP = -1
# A helper's words: what to do stands behind its ticket, what came of it where a worker's own line begins.
_FIRST, _STRIDE = ticket_word(0), ticket_word(1) - ticket_word(0)
_KIND, _BLOCK, _BOOK = 1, 2, 3
_ANSWER, _ASLEEP = done_word(0) - ticket_word(0), asleep_word(0) - ticket_word(0)


def thread_count(num_envs: int, limit: int | None) -> int:
    """Threads for a batch.

    Args:
        num_envs: Environments.
        limit: The most threads; None for as many as there are usable cores.
    """
    most = usable_cores() if limit is None else max(1, limit)
    return max(1, min(most, num_envs // MIN_SHARE))


@kernel
def _help(
    work: int, words: IntArray, number: int, helpers: int, low: int, high: int, yields: int, limit: IntArray
) -> int:
    """Body of a helper: do the work of every ticket until told to stop; returns the last ticket."""
    at, ticket = _FIRST + number * _STRIDE, 0
    while True:
        ticket += 1
        while not wait_for(words, at, ticket, at + _ASLEEP, SPINS, yields, limit):
            pass
        if words[at + _KIND] == _STOP:
            return ticket
        kind, block, book = words[at + _KIND], words[at + _BLOCK], words[at + _BOOK]
        words[at + _ANSWER] = call_native(work, kind, block, book, low, high)
        add(words, ARRIVED, ticket * helpers, PARENT_ASLEEP)


@kernel
def _lead(
    work: int,
    words: IntArray,
    kind: int,
    block: int,
    book: int,
    share: int,
    helpers: int,
    ticket: int,
    yields: int,
    limit: IntArray,
) -> int:
    """Set the helpers to work, do the first ``share`` environments, and wait for the others."""
    for number in range(helpers):
        at = _FIRST + number * _STRIDE
        words[at + _KIND] = kind
        words[at + _BLOCK] = block
        words[at + _BOOK] = book
        post(words, at, ticket, at + _ASLEEP)
    longest = call_native(work, kind, block, book, 0, share)
    while not wait_for(words, ARRIVED, ticket * helpers, PARENT_ASLEEP, SPINS, yields, limit):
        pass
    for number in range(helpers):
        longest = max(longest, words[_FIRST + number * _STRIDE + _ANSWER])
    return longest  # type: ignore[no-any-return]


class Crew:
    """The calling thread and its helpers, each with a contiguous part of the batch.

    Args:
        num_envs: Environments.
        threads: Threads, the calling one included.
        assets: Assets of the batch.
    """

    def __init__(self, num_envs: int, threads: int, assets: int = 1) -> None:
        self.threads = threads
        self._bounds = partition(num_envs, threads)
        self._patience = patience(threads, usable_cores())
        self._limit = np.array([1, 0])
        self._work = work_of(assets).address
        self._start_helpers()

    def _start_helpers(self) -> None:
        self._process, self._ticket = os.getpid(), 0
        self._words: IntArray = np.zeros(control_words(self.threads - 1), np.int64)
        for number, (low, high) in enumerate(self._bounds[1:]):
            arguments = (self._work, self._words, number, self.threads - 1, low, high, self._patience, self._limit)
            threading.Thread(target=_help, args=arguments, name=f"vecbt-helper-{number}", daemon=True).start()
        self._finalizer = weakref.finalize(self, _dismiss, self._words, self.threads - 1, self._process)

    def work(self, kind: int, block: int, book: int) -> int:
        """Do a kind of `vecbt.brokers.compiled.loops.Work` for all environments.

        Returns:
            The most orders that wait in any environment.
        """
        if self._process != os.getpid():
            self._start_helpers()  # a forked child has none
        self._ticket += 1
        share, helpers = self._bounds[0][1], self.threads - 1
        return _lead(
            self._work, self._words, kind, block, book, share, helpers, self._ticket, self._patience, self._limit
        )

    def close(self) -> None:
        """End the helpers; may be called again."""
        self._finalizer()


def _dismiss(words: IntArray, helpers: int, process: int) -> None:
    if process != os.getpid():
        return
    for number in range(helpers):
        at = _FIRST + number * _STRIDE
        words[at + _KIND] = _STOP
        post(words, at, int(words[at]) + 1, at + _ASLEEP)


def compile_crew() -> None:
    """Compile everything here, for one asset and for several, or load it from the cache; nothing is run."""
    for assets in (1, 2):
        Crew(2, 2, assets).close()
