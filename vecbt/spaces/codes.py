"""Several digits as one number, and numbers as bits: arithmetic instead of a table of all combinations."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecbt.arrays import AnyArray

__all__ = ["DigitCode"]

_INT64_BITS = 63
"""Bits of a number that int64 holds with its sign."""


class DigitCode:
    """Numbers of K digits, the first of which counts most: rows of the lexicographic product of the digits.

    All methods take arrays with any leading dimensions. Numbers beyond int64 are Python's, in object arrays.

    Args:
        base: How many values a digit has.
        length: K, how many digits a number has.

    Attributes:
        cardinality: How many numbers there are, base ** K.
        depth: Bits of the largest.

    Example:
        >>> code = DigitCode(base=3, length=2)
        >>> code.cardinality, code.depth
        (9, 4)
        >>> code.bits(code.row(np.array([2, 1]))).tolist()
        [0.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, base: int, length: int) -> None:
        self.base = base
        self.cardinality = base**length
        self.depth = (self.cardinality - 1).bit_length()
        self._dtype: Any = np.int64 if self.depth <= _INT64_BITS else object
        self._weights = np.array([base**place for place in reversed(range(length))], self._dtype)
        self._shifts = np.array(range(self.depth - 1, -1, -1), self._dtype)
        self._powers = np.array([1 << shift for shift in reversed(range(self.depth))], self._dtype)

    def row(self, digits: AnyArray) -> AnyArray:
        """The numbers of digits: int64 (..., K) to (...)."""
        return np.asarray(digits.astype(self._dtype, copy=False).dot(self._weights))

    def digits(self, row: AnyArray) -> AnyArray:
        """The digits of numbers: (...) to int64 (..., K)."""
        found: AnyArray = row[..., None] // self._weights % self.base
        return found.astype(np.int64, copy=False)

    def bits(self, row: AnyArray) -> AnyArray:
        """The bits of numbers, the highest first: (...) to float32 (..., depth)."""
        found: AnyArray = (row[..., None] >> self._shifts) & 1
        return found.astype(np.float32)

    def row_of_bits(self, bits: AnyArray) -> AnyArray:
        """The numbers of bits: bool (..., depth) to (...); they may be beyond the largest."""
        return np.asarray(bits.astype(self._dtype).dot(self._powers))
