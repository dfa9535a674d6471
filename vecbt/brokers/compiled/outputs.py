"""Buffers that a caller may keep: what a step returns is written where nobody looks any more."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.kernels.block import Block
from vecbt.shm.arena import ArraySpec

__all__ = ["OutputPool", "OutputSet"]

_KEPT = 4
"""Sets to look after: two for results in turn with their successors, and one or two that a caller lingers on."""


class OutputSet:
    """Output arrays that are handed out together.

    Attributes:
        arrays: The arrays by name.
        views: What callers are given of them, once somebody has made it.
        addresses: Where they are.
    """

    def __init__(self, specs: Mapping[str, ArraySpec]) -> None:
        self.arrays: dict[str, AnyArray] = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        self.addresses = np.array([array.ctypes.data for array in self.arrays.values()], np.int64)
        self.views: dict[str, AnyArray] = {}
        self._watched = [*self.arrays.values()]
        self._unused = _references(self._watched)

    def keep(self, views: dict[str, AnyArray]) -> dict[str, AnyArray]:
        """Keep views of the arrays, to hand out the same ones whenever the set's turn comes; returns them.

        Nobody else may hold them yet.
        """
        self.views = views
        looks = [*views.values()]
        # The arrays may be in use already, so that their references are not counted anew.
        for number, array in enumerate(self._watched):
            self._unused[number] += sum(view.base is array for view in looks)
        self._unused += _references(looks)
        self._watched += looks  # afterwards: of the two lists only this one will be there
        return views

    @property
    def unused(self) -> bool:
        """Whether nobody holds an array of the set, or a view of one.

        Views and everything made through the buffer protocol or DLPack hold the array that they look at, so that its
        count of references says it all.
        """
        return _references(self._watched) == self._unused


def _references(arrays: list[AnyArray]) -> list[int]:
    return [sys.getrefcount(array) for array in arrays]


class _Turns:
    """Sets of the same arrays, of which every step is given one that no caller holds an array of."""

    def __init__(self, specs: Mapping[str, ArraySpec]) -> None:
        self._specs = specs
        self.current = OutputSet(specs)
        self._sets = deque([self.current])

    def next(self) -> OutputSet:
        for outputs in self._sets:
            if outputs is not self.current and outputs.unused:
                break
        else:
            outputs = OutputSet(self._specs)
            self._sets.append(outputs)
            if len(self._sets) > _KEPT:
                self._sets.popleft()  # its holders keep it alive
        self.current = outputs
        return outputs


class OutputPool:
    """The output arrays of a batch, in a block with its other arrays.

    What a call returns is the caller's for as long as it is kept, without being copied: a copy would cost as much as
    all the rest of a step.

    Args:
        specs: The output arrays.
        groups: Names of arrays that are handed out together: who keeps one of a group keeps all of it from being used
            again.
        others: The batch's other arrays.
        reuse: False to hand out the same arrays every time, to callers that have asked for views.

    Attributes:
        arrays: The output arrays by name, as `take` has last left them.
        sets: The sets that they are in, one for each group.
        address: Address of the block.
    """

    def __init__(
        self,
        specs: Mapping[str, ArraySpec],
        groups: Sequence[Sequence[str]],
        others: Mapping[str, AnyArray],
        reuse: bool,
    ) -> None:
        self._turns = [_Turns({name: specs[name] for name in group}) for group in groups]
        self.sets = [turns.current for turns in self._turns]
        self.arrays: dict[str, AnyArray] = {}
        for outputs in self.sets:
            self.arrays |= outputs.arrays
        self._reuse = reuse
        self._block = Block({**others, **self.arrays})
        self._places = [self._block.open_places(group) for group in groups]
        self.address = self._block.address

    def take(self) -> None:
        """Put arrays that nobody holds in the places of the last call's."""
        if not self._reuse:
            return
        arrays: dict[str, AnyArray] = {}
        self.sets = [turns.next() for turns in self._turns]
        for outputs, places in zip(self.sets, self._places, strict=True):
            self._block.words[places] = outputs.addresses
            arrays.update(outputs.arrays)
        self.arrays = arrays
