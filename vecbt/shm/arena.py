"""Named arrays in one block of memory that processes share."""

from __future__ import annotations

import math
import mmap
import os
import weakref
from collections.abc import Mapping
from multiprocessing import reduction
from typing import Any, NamedTuple

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.shm.memory import anonymous_file, explain_shortage

__all__ = ["Arena", "ArraySpec"]

_LINE = 64
"""Bytes of a cache line: every array begins on one, so that no two share a line."""


class ArraySpec(NamedTuple):
    """Shape and dtype of one array."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes without padding."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Arena:
    """Arrays over anonymous shared memory.

    The memory has no name: nothing is left behind, whoever is killed. It reaches another process by inheritance or as
    a file descriptor: as an argument of a process being started (any start method), or over a socket
    (`descriptor` and `from_descriptor`). It lives until the last process that maps it drops the arrays.

    Args:
        specs: The arrays by name.

    Attributes:
        arrays: The arrays by name, zeroed at first, each aligned to a cache line.

    Raises:
        SharedMemoryError: If the system cannot provide so much memory.

    Example:
        >>> arena = Arena({"rewards": ArraySpec((4,), "float64"), "done": ArraySpec((4,), "bool")})
        >>> arena.arrays["rewards"][:] = 1.5
        >>> twin = Arena.from_descriptor(os.dup(arena.descriptor), arena.specs)
        >>> twin.arrays["rewards"].tolist()
        [1.5, 1.5, 1.5, 1.5]
    """

    def __init__(self, specs: Mapping[str, ArraySpec]) -> None:
        self._map(anonymous_file(_layout(specs)[1]), specs)

    def _map(self, descriptor: int, specs: Mapping[str, ArraySpec]) -> None:
        self.specs = dict(specs)
        self.descriptor = descriptor
        offsets, size = _layout(specs)
        try:
            with explain_shortage(size):  # of addresses
                # The arrays hold the mapping alive; unmapping it by hand would fail while any of them is in use.
                memory = mmap.mmap(descriptor, size)
        except BaseException:
            os.close(descriptor)
            raise
        weakref.finalize(self, os.close, descriptor)
        self.arrays: dict[str, AnyArray] = {
            name: np.frombuffer(memory, spec.dtype, math.prod(spec.shape), offsets[name]).reshape(spec.shape)
            for name, spec in self.specs.items()
        }

    @classmethod
    def from_descriptor(cls, descriptor: int, specs: Mapping[str, ArraySpec]) -> Arena:
        """Map the memory behind a file descriptor, which then belongs to the arena."""
        arena = cls.__new__(cls)
        arena._map(descriptor, specs)
        return arena

    @property
    def nbytes(self) -> int:
        """Bytes of the whole block."""
        return _layout(self.specs)[1]

    def __reduce__(self) -> tuple[Any, ...]:
        # DupFd hands the descriptor to a process that is being started.
        return _rebuild, (reduction.DupFd(self.descriptor), self.specs)


def _rebuild(descriptor: Any, specs: Mapping[str, ArraySpec]) -> Arena:
    return Arena.from_descriptor(descriptor.detach(), specs)


def _layout(specs: Mapping[str, ArraySpec]) -> tuple[dict[str, int], int]:
    """Offset of each array, and the size of all."""
    offsets, size = {}, 0
    for name, spec in specs.items():
        offsets[name] = size
        size += -(-spec.nbytes // _LINE) * _LINE
    return offsets, max(size, _LINE)
