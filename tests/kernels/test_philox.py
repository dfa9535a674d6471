from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vecbt.kernels._jit import kernel
from vecbt.kernels.philox import below, multiply_high, philox, unit

words = st.integers(0, 2**64 - 1)


@kernel
def call_philox(k0, k1, c0, c1, c2, c3):  # type: ignore[no-untyped-def]
    return philox(k0, k1, c0, c1, c2, c3)


@kernel
def call_multiply_high(a, b):  # type: ignore[no-untyped-def]
    return multiply_high(a, b)


@kernel
def call_below(word, limit):  # type: ignore[no-untyped-def]
    return below(word, limit)


@kernel
def call_unit(word):  # type: ignore[no-untyped-def]
    return unit(word)


@given(st.tuples(words, words), st.tuples(words, words, words, words))
def test_philox_is_numpys(key: tuple[int, int], counter: tuple[int, int, int, int]) -> None:
    # numpy counts before it draws.
    number = sum(word << (64 * place) for place, word in enumerate(counter)) - 1
    before = [(number >> (64 * place)) & (2**64 - 1) for place in range(4)]
    key_words, counter_words = np.array(key, np.uint64), np.array(before, np.uint64)
    expected = np.random.Philox(key=key_words, counter=counter_words).random_raw(4)
    got = call_philox(*(np.uint64(word) for word in (*key, *counter)))
    assert list(got) == expected.tolist()


@given(words, words)
def test_multiply_high(a: int, b: int) -> None:
    assert call_multiply_high(np.uint64(a), np.uint64(b)) == (a * b) >> 64


@given(words, st.integers(1, 2**40))
def test_below(word: int, limit: int) -> None:
    assert call_below(np.uint64(word), limit) == (word * limit) >> 64


@given(words)
def test_unit(word: int) -> None:
    assert call_unit(np.uint64(word)) == (word >> 11) * 2.0**-53
