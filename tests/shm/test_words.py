from __future__ import annotations

import threading
import time

import numpy as np

from vecbt.shm.words import load, post, wait_all


def test_a_posted_word_is_loaded() -> None:
    words = np.zeros(16, np.int64)
    post(words, 3, 42)
    assert load(words, 3) == 42
    assert words[3] == 42


def test_wait_counts_what_is_missing() -> None:
    words = np.zeros(64, np.int64)
    words[8] = words[24] = 5
    assert wait_all(words, 8, 16, 3, 5, 1, 1) == 1
    words[40] = 5
    assert wait_all(words, 8, 16, 3, 5, 1, 1) == 0


def test_wait_sees_what_another_thread_posts() -> None:
    words = np.zeros(8, np.int64)
    payload = np.zeros(1)

    def answer() -> None:
        time.sleep(0.02)
        payload[0] = 1.5
        post(words, 0, 1)

    thread = threading.Thread(target=answer)
    thread.start()
    # The wait does not hold the GIL, so that the other thread gets to run.
    while wait_all(words, 0, 1, 1, 1, 100, 1000):
        pass
    assert payload[0] == 1.5
    thread.join()
