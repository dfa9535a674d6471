"""A step's exchange with all workers in one compiled call: post, wait, look how it went.

Done in Python it costs three times as much, while every worker stands still.
"""

from __future__ import annotations

from vecbt.arrays import IntArray
from vecbt.kernels._jit import kernel
from vecbt.shm.words import post, wait_for
from vecbt.shm.worker import ARRIVED, PARENT_ASLEEP, asleep_word, status_word, ticket_word

__all__ = ["exchange"]

_FIRST, _STRIDE = ticket_word(0), ticket_word(1) - ticket_word(0)
_ASLEEP, _STATUS = asleep_word(0) - ticket_word(0), status_word(0) - ticket_word(0)


@kernel
def exchange(
    words: IntArray, operation: int, ticket: int, workers: int, spins: int, yields: int, limit: IntArray
) -> int:
    """Post a ticket to the workers and wait until all have finished it, for as long as `wait_for` does.

    Args:
        words: The control block, int64.
        operation: `vecbt.shm.worker.Op`.
        ticket: The ticket.
        workers: Number of workers.
        spins: See `wait_for`.
        yields: See `wait_for`.
        limit: See `wait_for`.

    Returns:
        The largest `vecbt.shm.worker.Status` of all, or -1 if somebody is still at it.
    """
    for worker in range(workers):
        at = _FIRST + worker * _STRIDE
        words[at + 1] = operation
        post(words, at, ticket, at + _ASLEEP)
    if not wait_for(words, ARRIVED, ticket * workers, PARENT_ASLEEP, spins, yields, limit):
        return -1
    worst = 0
    for worker in range(workers):
        worst = max(worst, words[_FIRST + worker * _STRIDE + _STATUS])
    return worst
