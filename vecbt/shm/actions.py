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

__all__ = ["ActionLayout", "action_layout"]

_WIDTH = 8
"""Bytes for a number, of whatever type."""


class ActionLayout(Protocol):
    """How batches of actions lie in named arrays.

    Attributes:
        specs: The arrays.
    """

    specs: dict[str, ArraySpec]

    def write(self, arrays: Mapping[str, AnyArray], low: int, high: int, batch: Any) -> bool:
        """Write the actions of environments ``low <= index < high``.

        Returns:
            Whether the batch has a form that the arrays are made for; else nothing, or a part, has been written.
        """

    def read(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> list[Any]:
        """Copies of the actions of environments which were written together."""


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

    def write(self, arrays: Mapping[str, AnyArray], low: int, high: int, batch: Any) -> bool:
        given = np.asarray(batch)
        kind = given.dtype
        if given.shape != (high - low, *self._shape) or kind.kind not in "biuf" or kind.itemsize > _WIDTH:
            return False
        if not kind.isnative or (given is not batch and _differ(batch, kind)):
            return False
        self._rows(arrays, kind)[low:high] = given.reshape(high - low, self._size)
        arrays[f"{self._name}/type"][low:high] = ord(kind.char)
        return True

    def read(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> list[Any]:
        kind = np.dtype(chr(arrays[f"{self._name}/type"][low]))
        return list(self._rows(arrays, kind)[low:high].copy().reshape(high - low, *self._shape))

    def _rows(self, arrays: Mapping[str, AnyArray], kind: np.dtype[Any]) -> AnyArray:
        return arrays[self._name].view(kind)[:, : self._size]


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

    def write(self, arrays: Mapping[str, AnyArray], low: int, high: int, batch: Any) -> bool:
        if self._keys is not None:
            if not isinstance(batch, Mapping) or any(key not in batch for key in self._keys):
                return False
            batch = [batch[key] for key in self._keys]
        elif not isinstance(batch, tuple | list) or len(batch) != len(self._parts):
            return False
        return all(part.write(arrays, low, high, each) for part, each in zip(self._parts, batch, strict=True))

    def read(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> list[Any]:
        rows = zip(*[part.read(arrays, low, high) for part in self._parts], strict=True)
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
