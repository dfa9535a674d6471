"""Observations that a strategy makes itself: the spaces that describe them, taken apart into arrays and together again.

A space is a tree of dictionaries. Each of its leaves lies in an array of its own, one row for each environment; the
path to it is the tuple of the keys on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from gymnasium import spaces

from vecbt.errors import ConfigError

__all__ = ["Path", "array_name", "checked_spaces", "leaves", "nested"]

Path: TypeAlias = tuple[str, ...]
T = TypeVar("T")

_LEAVES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


def checked_spaces(state_shape: Mapping[str, Any]) -> dict[str, spaces.Space[Any]]:
    """The spaces of a ``state_shape``, in which plain dictionaries stand for `gymnasium.spaces.Dict` too.

    Raises:
        ConfigError: If something in it is no space of a fixed shape.
    """
    return {key: _checked(space, f"state_shape[{key!r}]") for key, space in state_shape.items()}


def _checked(space: Any, where: str) -> spaces.Space[Any]:
    if isinstance(space, spaces.Dict):
        space = space.spaces
    if isinstance(space, Mapping) and space:
        wrong = [key for key in space if not isinstance(key, str) or not key or "/" in key]
        if wrong:
            raise ConfigError(f"{where} must have names without '/' for keys, got {wrong[0]!r}")
        return spaces.Dict({key: _checked(part, f"{where}[{key!r}]") for key, part in space.items()})
    if isinstance(space, _LEAVES):
        return space
    raise ConfigError(
        f"{where} must be one of Gymnasium's spaces Box, Discrete, MultiDiscrete and MultiBinary, or a dictionary of "
        f"them, got {space!r}"
    )


def leaves(space: spaces.Space[Any], path: Path) -> Iterator[tuple[Path, Any]]:
    """The leaves of a space that is found at ``path``.

    Example:
        >>> space = spaces.Dict(slow=spaces.Discrete(3), fast=spaces.Dict(x=spaces.Discrete(2)))
        >>> list(leaves(space, ("trend",)))
        [(('trend', 'slow'), Discrete(3)), (('trend', 'fast', 'x'), Discrete(2))]
    """
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from leaves(part, (*path, key))
    else:
        yield path, space


def array_name(path: Path) -> str:
    """Name of a leaf's array."""
    return "state_" + "/".join(path)


def nested(flat: Mapping[Path, T]) -> dict[str, Any]:
    """Values by their paths as dictionaries in dictionaries.

    Example:
        >>> nested({("trend", "slow"): 1, ("trend", "fast"): 2, ("volume",): 3})
        {'trend': {'slow': 1, 'fast': 2}, 'volume': 3}
    """
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        branch = tree
        for key in path[:-1]:
            branch = branch.setdefault(key, {})
        branch[path[-1]] = value
    return tree
