"""The exchange of a ticket with all workers, compiled: post, wait, look how it went.

Done in Python it costs three times as much, while every worker stands still.
"""

from __future__ import annotations

from vecbt.arrays import IntArray
from vecbt.kernels._jit import kernel
from vecbt.shm.control import (
    ARRIVED,
    DEPTH,
    PARENT_ASLEEP,
    asleep_word,
    operation_word,
    status_word,
    ticket_word,
)
from vecbt.shm.words import post, wait_for

__all__ = ["announce", "collect", "exchange"]

_FIRST, _STRIDE = ticket_word(0), ticket_word(1) - ticket_word(0)
_OPERATION, _ASLEEP = operation_word(0, 0) - _FIRST, asleep_word(0) - _FIRST
_STATUS = status_word(0, 0) - _FIRST


@kernel
def announce(words: IntArray, operation: int, ticket: int, workers: int) -> None:
    """Post a ticket to all workers.

    Args:
        words: The control block, int64.
        operation: What it asks for; see `vecbt.shm.control.Op`.
        ticket: The ticket.
        workers: Number of workers.
    """
    for worker in range(workers):
        at = _FIRST + worker * _STRIDE
        words[at + _OPERATION + ticket % DEPTH] = operation
        post(words, at, ticket, at + _ASLEEP)


@kernel
def collect(words: IntArray, ticket: int, workers: int, spins: int, yields: int, limit: IntArray) -> int:
    """Wait until all workers have finished a ticket, for as long as `wait_for` does.

    Args:
        words: The control block, int64.
        ticket: The ticket.
        workers: Number of workers.
        spins: See `wait_for`.
        yields: See `wait_for`.
        limit: See `wait_for`.

    Returns:
        The largest `vecbt.shm.control.Status` of all, or -1 if somebody is still at it.
    """
    goal = (ticket + 1) // DEPTH * workers
    if not wait_for(words, ARRIVED + ticket % DEPTH, goal, PARENT_ASLEEP, spins, yields, limit):
        return -1
    worst = 0
    for worker in range(workers):
        at = _FIRST + worker * _STRIDE
        # A worker says that it is done before it arrives, so that this is the ticket's status and no older one.
        worst = max(worst, words[at + _STATUS + ticket % DEPTH])
    return worst


@kernel
def exchange(
    words: IntArray, operation: int, ticket: int, workers: int, spins: int, yields: int, limit: IntArray
) -> int:
    """`announce` and `collect` in one call."""
    announce(words, operation, ticket, workers)
    return collect(words, ticket, workers, spins, yields, limit)  # type: ignore[no-any-return]
