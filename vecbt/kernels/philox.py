"""Random numbers from a counter.

Philox4x64-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): a keyed bijection of a 256-bit
counter. The key is the environment's seed and the counter says what the number is for, so that a draw depends on
nothing else: not on other draws, threads, processes or time. The same function as `numpy.random.Philox`.
"""

from __future__ import annotations

import numpy as np

from vecbt.kernels._jit import helper

__all__ = ["below", "multiply_high", "philox", "unit"]

_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_11, _SCALE = np.uint64(11), 1.0 / (1 << 53)


@helper
def multiply_high(a: np.uint64, b: np.uint64) -> np.uint64:
    """Upper 64 bits of the 128-bit product."""
    a_low, a_high = a & _LOW, a >> _32
    b_low, b_high = b & _LOW, b >> _32
    carry = ((a_low * b_low) >> _32) + ((a_high * b_low) & _LOW) + a_low * b_high
    return a_high * b_high + ((a_high * b_low) >> _32) + (carry >> _32)


@helper
def philox(
    key0: np.uint64, key1: np.uint64, c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random 64-bit words for a key and a counter."""
    for _ in range(10):
        high0, low0 = multiply_high(_M0, c0), _M0 * c0
        high1, low1 = multiply_high(_M1, c2), _M1 * c2
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
        key0 += _W0
        key1 += _W1
    return c0, c1, c2, c3


@helper
def below(word: np.uint64, limit: int) -> int:
    """A number in ``[0, limit)`` from a random word; off uniform by at most ``limit / 2**64``."""
    return np.int64(multiply_high(word, np.uint64(limit)))  # type: ignore[return-value]


@helper
def unit(word: np.uint64) -> float:
    """A float64 in ``[0, 1)`` from a random word, as `numpy.random.Generator.random` makes it."""
    return np.float64(word >> _11) * _SCALE
