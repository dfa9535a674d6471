"""Buffers that a caller may keep: what a step returns is written where nobody looks any more."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.kernels.block import Block
from vecbt.shm.arena import ArraySpec

__all__ = ["OutputPool", "Outputs"]

_KEPT = 4
"""Sets to look after: two for observations in turn with their successors, and one or two that a caller lingers on."""


class Outputs:
    """One set of output arrays, in a block with a batch's other arrays.

    Attributes:
        arrays: The output arrays by name.
        address: Address of the block.
    """

    def __init__(self, specs: Mapping[str, ArraySpec], others: Mapping[str, AnyArray]) -> None:
        self.arrays: dict[str, AnyArray] = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        self._block = Block({**others, **self.arrays})
        self.address = self._block.address
        self._unused = [sys.getrefcount(array) for array in self.arrays.values()]

    @property
    def unused(self) -> bool:
        """Whether nobody holds an array of the set, or a view of one.

        Views and everything made through the buffer protocol or DLPack hold the array that they look at, so that its
        count of references says it all.
        """
        return [sys.getrefcount(array) for array in self.arrays.values()] == self._unused


class OutputPool:
    """Output sets in turn: every step is given one that no caller holds an array of.

    Returned arrays are thus the caller's for as long as they are kept, without being copied; a copy would cost as much
    as all the rest of a step.

    Args:
        specs: The output arrays.
        others: The batch's other arrays.
        reuse: False to hand out the same set every time, for callers that have asked for views.
    """

    def __init__(self, specs: Mapping[str, ArraySpec], others: Mapping[str, AnyArray], reuse: bool) -> None:
        self._specs, self._others, self._only = specs, others, not reuse
        self.current = Outputs(specs, others)
        self._sets = deque([self.current])

    def take(self) -> Outputs:
        """The set for the next call, which is `current` from now on."""
        if self._only:
            return self.current
        for outputs in self._sets:
            if outputs is not self.current and outputs.unused:
                break
        else:
            outputs = Outputs(self._specs, self._others)
            self._sets.append(outputs)
            if len(self._sets) > _KEPT:
                self._sets.popleft()  # its holders keep it alive
        self.current = outputs
        return outputs
