"""A batch of actions in shared memory, as it was given: every number in the type in which it came.

Numbers in lists and tuples come out as numpy's, as in the array that numpy makes of them. Where that is not possible
without a number becoming another (a list of whole numbers and others), the layout is not made for the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray
from vecbt.shm.arena import ArraySpec

__all__ = ["ActionBuffer", "ActionLayout", "action_layout"]

_WIDTH = 8
"""Bytes for a number, of whatever type."""


class ActionBuffer(Protocol):
    """The actions of some environments in shared memory."""

    def write(self, batch: Any) -> bool:
        """Write the environments' actions.

        Returns:
            Whether the batch has a form that the arrays are made for; else nothing, or a part, has been written.
        """

    def read(self) -> list[Any]:
        """Copies of the environments' actions, which have been written together."""


class ActionLayout(Protocol):
    """How batches of actions lie in named arrays.

    Attributes:
        specs: The arrays.
    """

    specs: dict[str, ArraySpec]

    def bind(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> ActionBuffer:
        """The actions of environments ``low <= index < high``."""


@singledispatch
def action_layout(space: Any, n: int, name: str) -> ActionLayout | None:
    """The layout of the actions of ``n`` environments, in arrays whose names begin with ``name``.

    Args:
        space: The action space of one environment.
        n: Environments.
        name: A prefix.

    Returns:
        The layout; None for spaces whose batches are no arrays.
    """
    return None


class _Numbers:
    """One number, or an array of them, for each environment."""

    def __init__(self, space: Any, n: int, name: str) -> None:
        self._name, self._shape = name, space.shape
        self._size = int(np.prod(space.shape, dtype=np.int64))
        self.specs = {
            name: ArraySpec((n, _WIDTH * self._size), "uint8"),
            f"{name}/type": ArraySpec((n,), "int8"),
        }

    def bind(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> ActionBuffer:
        return _NumbersBuffer(arrays[self._name][low:high], arrays[f"{self._name}/type"].data[low:high], self._shape)


class _NumbersBuffer:
    def __init__(self, memory: AnyArray, kinds: Any, shape: tuple[int, ...]) -> None:
        self._memory, self._kinds, self._shape = memory, kinds, (len(memory), *shape)
        self._views: dict[str, AnyArray] = {}

    def write(self, batch: Any) -> bool:
        given = np.asarray(batch)
        kind = given.dtype
        view = self._views.get(kind.char)
        if view is None:
            if kind.kind not in "biuf" or kind.itemsize > _WIDTH:
                return False
            view = self._view(kind.char)
        if given.shape != self._shape or not kind.isnative or (given is not batch and _differ(batch, kind)):
            return False
        view[...] = given
        code, kinds = ord(kind.char), self._kinds
        if kinds[0] != code or kinds[-1] != code:  # halves are written by themselves too, but nothing smaller
            for row in range(len(kinds)):
                kinds[row] = code
        return True

    def read(self) -> list[Any]:
        char = chr(self._kinds[0])
        view = self._views.get(char)
        if view is None:
            view = self._view(char)
        return list(view.copy())

    def _view(self, char: str) -> AnyArray:
        kind = np.dtype(char)
        size = int(np.prod(self._shape[1:], dtype=np.int64))
        view = self._memory.view(kind)[:, :size].reshape(self._shape)
        self._views[char] = view
        return view


def _differ(batch: Any, kind: np.dtype[Any]) -> bool:
    """Whether numpy has brought numbers of several types into one, or whole ones into none."""
    kinds = {type(each) for each in batch}
    return len(kinds) > 1 or (int in kinds and kind.kind == "f")


for _space in (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary):
    action_layout.register(_space, _Numbers)


class _Parts:
    """Several actions side by side, by key or by position."""

    def __init__(self, keys: tuple[str, ...] | None, parts: list[ActionLayout]) -> None:
        self._keys, self._parts = keys, parts
        self.specs = {name: spec for part in parts for name, spec in part.specs.items()}

    def bind(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> ActionBuffer:
        return _PartsBuffer(self._keys, [part.bind(arrays, low, high) for part in self._parts])


class _PartsBuffer:
    def __init__(self, keys: tuple[str, ...] | None, parts: list[ActionBuffer]) -> None:
        self._keys, self._parts = keys, parts

    def write(self, batch: Any) -> bool:
        if self._keys is not None:
            if not isinstance(batch, Mapping) or any(key not in batch for key in self._keys):
                return False
            batch = [batch[key] for key in self._keys]
        elif not isinstance(batch, tuple | list) or len(batch) != len(self._parts):
            return False
        return all(part.write(each) for part, each in zip(self._parts, batch, strict=True))

    def read(self) -> list[Any]:
        rows = zip(*[part.read() for part in self._parts], strict=True)
        if self._keys is None:
            return list(rows)
        return [dict(zip(self._keys, row, strict=True)) for row in rows]


@action_layout.register(spaces.Tuple)
def _(space: spaces.Tuple[Any], n: int, name: str) -> ActionLayout | None:
    return _of_parts(None, [action_layout(part, n, f"{name}/{number}") for number, part in enumerate(space.spaces)])


@action_layout.register(spaces.Dict)
def _(space: spaces.Dict, n: int, name: str) -> ActionLayout | None:
    return _of_parts(
        tuple(space.spaces), [action_layout(part, n, f"{name}/{key}") for key, part in space.spaces.items()]
    )


def _of_parts(keys: tuple[str, ...] | None, parts: list[ActionLayout | None]) -> ActionLayout | None:
    known = [part for part in parts if part is not None]
    return _Parts(keys, known) if known and len(known) == len(parts) else None
