from __future__ import annotations

import numpy as np
import pytest

from vecbt.shm.exchange import exchange
from vecbt.shm.worker import ARRIVED, Op, Status, asleep_word, control_words, status_word, ticket_word

NOW = np.zeros(2, np.int64)


@pytest.fixture
def words() -> np.ndarray:
    return np.zeros(control_words(3), np.int64)


def test_everybody_gets_the_ticket(words: np.ndarray) -> None:
    assert exchange(words, Op.STEP, 4, 3, 0, 0, NOW) == -1
    for worker in range(3):
        at = ticket_word(worker)
        assert words[at] == 4
        assert words[at + 1] == Op.STEP
    others = {*range(words.size)} - {ticket_word(worker) + word for worker in range(3) for word in (0, 1)}
    assert not words[sorted(others)].any()


@pytest.mark.parametrize("arrived", [0, 7, 11, 12, 13])
def test_it_is_over_when_all_have_arrived_so_often(words: np.ndarray, arrived: int) -> None:
    words[ARRIVED] = arrived
    assert exchange(words, Op.RESET, 4, 3, 5, 5, NOW) == (Status.DONE if arrived == 12 else -1)


@pytest.mark.parametrize("worker", range(3))
def test_the_worst_status_counts(words: np.ndarray, worker: int) -> None:
    words[ARRIVED] = 3
    words[status_word((worker + 1) % 3)] = Status.ANSWER
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == Status.ANSWER
    words[status_word(worker)] = Status.FAILED
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == Status.FAILED


def test_a_sleeping_worker_is_left_to_the_kernel(words: np.ndarray) -> None:
    """Whether a worker sleeps is its own to say."""
    words[asleep_word(1)] = 1
    assert exchange(words, Op.STEP, 1, 3, 0, 0, NOW) == -1
    assert words[asleep_word(1)] == 1
