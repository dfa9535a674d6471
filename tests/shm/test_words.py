from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from vecbt.shm.words import add, load, post, wait_for

WORD, ASLEEP = 3, 9


def limit(seconds: float) -> np.ndarray:
    return np.array([int(seconds), int(seconds % 1.0 * 1e9)])


def test_a_posted_word_is_loaded() -> None:
    words = np.zeros(16, np.int64)
    post(words, WORD, 42, ASLEEP)
    assert load(words, WORD) == 42
    assert words[WORD] == 42


def test_additions_count() -> None:
    words = np.zeros(16, np.int64)
    for _ in range(5):
        add(words, WORD, 5, ASLEEP)
    assert load(words, WORD) == 5


def test_a_wait_ends_with_its_limit() -> None:
    words = np.zeros(16, np.int64)
    assert not wait_for(words, WORD, 1, ASLEEP, 10, 10, limit(0.0))
    assert not wait_for(words, WORD, 1, ASLEEP, 10, 10, limit(0.01))
    words[WORD] = 1
    assert wait_for(words, WORD, 1, ASLEEP, 0, 0, limit(0.0))
    assert words[ASLEEP] == 0


@pytest.mark.parametrize("yields", [0, 1_000_000], ids=["asleep", "giving way"])
@pytest.mark.parametrize("how", ["post", "add"])
def test_a_wait_sees_what_another_thread_does(how: str, yields: int) -> None:
    words = np.zeros(16, np.int64)
    payload = np.zeros(1)

    def answer() -> None:
        time.sleep(0.02)
        payload[0] = 1.5
        if how == "post":
            post(words, WORD, 1, ASLEEP)
        else:
            add(words, WORD, 1, ASLEEP)

    thread = threading.Thread(target=answer)
    thread.start()
    begun = time.monotonic()
    # The wait does not hold the GIL, so that the other thread gets to run.
    while not wait_for(words, WORD, 1, ASLEEP, 100, yields, limit(30.0)):
        pass
    assert payload[0] == 1.5
    assert time.monotonic() - begun < 20.0  # it was woken
    thread.join()
