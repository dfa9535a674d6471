from __future__ import annotations

import numpy as np
import pytest

from vecbt.shm.control import (
    DEPTH,
    Op,
    Status,
    arrivals,
    arrived_word,
    asleep_word,
    control_words,
    operation_word,
    status_word,
    ticket_word,
)
from vecbt.shm.exchange import announce, collect, exchange

NOW = np.zeros(2, np.int64)


@pytest.fixture
def words() -> np.ndarray:
    return np.zeros(control_words(3), np.int64)


@pytest.mark.parametrize("ticket", [4, 5])
def test_everybody_gets_the_ticket(words: np.ndarray, ticket: int) -> None:
    announce(words, Op.STEP, ticket, 3)
    for worker in range(3):
        assert words[ticket_word(worker)] == ticket
        assert words[operation_word(worker, ticket)] == Op.STEP
    written = {word for n in range(3) for word in (ticket_word(n), operation_word(n, ticket))}
    assert not words[sorted({*range(words.size)} - written)].any()


def test_two_tickets_under_way_keep_what_they_ask_for(words: np.ndarray) -> None:
    announce(words, Op.STEP + Op.GROUP, 7, 3)
    announce(words, Op.CALL + Op.MESSAGE, 8, 3)
    for worker in range(3):
        assert words[ticket_word(worker)] == 8
        assert words[operation_word(worker, 7)] == Op.STEP + Op.GROUP
        assert words[operation_word(worker, 8)] == Op.CALL + Op.MESSAGE


@pytest.mark.parametrize("ticket", range(1, 9))
def test_it_is_over_when_all_have_arrived_so_often(words: np.ndarray, ticket: int) -> None:
    """Each of three workers has counted every ticket of the same place once."""
    goal = 3 * len([number for number in range(1, ticket + 1) if (number - ticket) % DEPTH == 0])
    assert arrivals(ticket, 3) == goal
    for arrived in (0, goal - 1, goal, goal + 1):
        words[arrived_word(ticket)] = arrived
        assert collect(words, ticket, 3, 5, 5, NOW) == (Status.DONE if arrived >= goal else -1)


def test_the_other_ticket_does_not_count(words: np.ndarray) -> None:
    words[arrived_word(2)] = 300
    assert collect(words, 1, 3, 0, 0, NOW) == -1
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == -1


@pytest.mark.parametrize("worker", range(3))
def test_the_worst_status_counts(words: np.ndarray, worker: int) -> None:
    words[arrived_word(1)] = 3
    words[status_word(worker, 2)] = Status.FAILED  # of another ticket
    words[status_word((worker + 1) % 3, 1)] = Status.ANSWER
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == Status.ANSWER
    words[status_word(worker, 1)] = Status.FAILED
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == Status.FAILED


def test_a_sleeping_worker_is_left_to_the_kernel(words: np.ndarray) -> None:
    """Whether a worker sleeps is its own to say."""
    words[asleep_word(1)] = 1
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == -1
    assert words[asleep_word(1)] == 1
