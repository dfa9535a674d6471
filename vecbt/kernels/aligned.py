"""Arrays that begin on a cache line."""

from __future__ import annotations

import math

import numpy as np

from vecbt.arrays import AnyArray

__all__ = ["aligned_zeros"]

_LINE = 64


def aligned_zeros(shape: tuple[int, ...], dtype: str) -> AnyArray:
    """`numpy.zeros` whose first byte is a cache line's first.

    Rows of whole cache lines then touch no further one: numpy aligns to 16 bytes, where a row of 128 touches three.

    Example:
        >>> aligned_zeros((3, 16), "float64").ctypes.data % 64
        0
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _LINE, np.uint8)
    begin = -memory.ctypes.data % _LINE
    return memory[begin : begin + size].view(dtype).reshape(shape)
