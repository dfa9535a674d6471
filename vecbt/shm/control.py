"""Words of shared memory by which a parent and its workers keep step, and what is written there.

The parent numbers what it asks for: tickets. It may have two of them under way, so that a worker that has finished the
first finds the second without waiting; what belongs to a ticket therefore has two places that take turns. Tickets and
arrivals only grow: nothing is ever cleared, and a new process finds the place of one that has died.
"""

from __future__ import annotations

__all__ = [
    "ARRIVED",
    "DEPTH",
    "PARENT_ASLEEP",
    "SPINS",
    "Op",
    "Status",
    "arrivals",
    "arrived_word",
    "asleep_word",
    "control_words",
    "done_word",
    "operation_word",
    "patience",
    "settled_word",
    "status_word",
    "ticket_word",
]

_LINE = 8
"""Words in a cache line of 64 bytes."""

DEPTH = 2
"""Tickets that may be under way."""

SPINS = 400
"""About a microsecond of looking before a wait gives way."""

_YIELDS = 2000
"""About a millisecond of giving way before a wait sleeps."""

_GLANCES = 30
"""As long as it takes to go to sleep and to be woken."""


def patience(running: int, cores: int) -> int:
    """How often a waiting process gives way before it sleeps.

    Giving way is the quickest way to wait on a processor that nobody else wants. Where processes outnumber the
    processors, who only looks and gives way still gets its fair share of the time, at the cost of those who work: it
    does so for a moment only, in which quick steps are over.

    Args:
        running: Processes that take part, the waiting one included.
        cores: Processors for them.
    """
    return _YIELDS if running <= cores else _GLANCES


class Op:
    """What a ticket asks for; added to it `MESSAGE` if a message is on its way too, and the group times `GROUP`.

    Group 0 are all slices of a worker, group 1 the first of them, and so on.
    """

    RESET, STEP, CALL, CLOSE = range(4)
    MESSAGE = 4
    GROUP = 8


class Status:
    """How it went: `DONE`, or a message waits on the connection."""

    DONE, ANSWER, FAILED = range(3)


# The first line is the workers': how many have arrived at the end of a ticket. The second is the parent's. Then each
# worker has two lines, one that the parent writes and one that it writes itself.
ARRIVED = 0
PARENT_ASLEEP = _LINE


def arrived_word(ticket: int) -> int:
    """Where workers count each other at the end of a ticket."""
    return ARRIVED + ticket % DEPTH


def arrivals(ticket: int, workers: int) -> int:
    """What `arrived_word` holds once all workers have finished a ticket; tickets count from 1."""
    return (ticket + 1) // DEPTH * workers


def ticket_word(worker: int) -> int:
    """Where a worker finds its latest ticket."""
    return (2 + 2 * worker) * _LINE


def operation_word(worker: int, ticket: int) -> int:
    """Where a worker finds what a ticket asks for; see `Op`."""
    return ticket_word(worker) + 1 + ticket % DEPTH


def done_word(worker: int) -> int:
    """Where a worker writes the last ticket that it has finished."""
    return (3 + 2 * worker) * _LINE


def status_word(worker: int, ticket: int) -> int:
    """Where a worker writes how a ticket went."""
    return done_word(worker) + 1 + ticket % DEPTH


def asleep_word(worker: int) -> int:
    """Whether a worker sleeps on its ticket."""
    return done_word(worker) + 1 + DEPTH


def settled_word(worker: int) -> int:
    """Where a worker writes the last ticket at whose end it has arrived."""
    return done_word(worker) + 2 + DEPTH


def control_words(workers: int) -> int:
    """Words in the control block for so many workers."""
    return (2 + 2 * workers) * _LINE
