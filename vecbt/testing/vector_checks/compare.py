"""Values of any space, compared to the last bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import iterate

from vecbt.arrays import AnyArray

__all__ = ["leaves", "rows_of", "same"]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, AnyArray]]:
    """The arrays within a value, and how to get at each."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from leaves(part, f"{name}[{key!r}]")
    elif isinstance(value, np.ndarray | tuple | list):
        for number, part in enumerate(value):
            yield from leaves(part, f"{name}[{number}]")


def same(mine: Any, theirs: Any) -> bool:
    """Whether two values are equal to the last bit, in type and shape too.

    Example:
        >>> same({"a": np.array([np.nan])}, {"a": np.array([np.nan])})
        True
        >>> same((0.0, [1]), (-0.0, [1]))
        False
    """
    if isinstance(mine, Mapping):
        return (
            isinstance(theirs, Mapping) and mine.keys() == theirs.keys() and all(same(mine[k], theirs[k]) for k in mine)
        )
    if isinstance(mine, tuple | list):
        return type(mine) is type(theirs) and len(mine) == len(theirs) and all(map(same, mine, theirs))
    if type(mine) is not type(theirs):
        return False
    if isinstance(mine, np.ndarray | np.generic | float):
        mine, theirs = np.asarray(mine), np.asarray(theirs)
        if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            return False
        if mine.dtype != object:
            return bool(mine.tobytes() == theirs.tobytes())
        return all(map(same, mine.reshape(-1).tolist(), theirs.reshape(-1).tolist()))
    return bool(mine == theirs)


def rows_of(space: Any, batch: Any) -> list[Any]:
    """The batch as a list with a value for each environment."""
    try:
        return list(iterate(space, batch))
    except CustomSpaceError:
        return list(batch)
