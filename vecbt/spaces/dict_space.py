"""Dictionaries of spaces that know the shapes of their parts."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from vecbt.errors import ConfigError

__all__ = ["DictSpace"]


class DictSpace(spaces.Dict):
    """`gymnasium.spaces.Dict` with the shapes of its parts in ``shape``, to any depth.

    Everything else is Gymnasium's, the order of the parts too: sorted by name, unless they come in an `OrderedDict`.
    A batch of such spaces (`gymnasium.vector.utils.batch_space`) is one of them again.

    Args:
        spaces_dict: Spaces by name; dictionaries of spaces within it, plain or Gymnasium's, become spaces of this kind.
        seed: As Gymnasium's.

    Raises:
        ConfigError: If a part is no space.

    Example:
        >>> own = {"cash": spaces.Box(0, 1), "step": spaces.Discrete(9)}
        >>> space = DictSpace({"prices": spaces.Box(0, 9, (30, 4)), "own": own})
        >>> space.shape
        {'own': {'cash': (1,), 'step': ()}, 'prices': (30, 4)}
        >>> batch_space(space, 2).shape["prices"]
        (2, 30, 4)
    """

    def __init__(
        self, spaces_dict: Mapping[str, Any], seed: dict[str, Any] | int | np.random.Generator | None = None
    ) -> None:
        if not isinstance(spaces_dict, Mapping):
            raise ConfigError(f"a DictSpace needs a dictionary of spaces by name, got {spaces_dict!r}")
        parts = {key: _part(key, space) for key, space in spaces_dict.items()}
        keeps_order = isinstance(spaces_dict, OrderedDict | spaces.Dict)
        super().__init__(OrderedDict(parts) if keeps_order else parts, seed)

    @property
    def shape(self) -> dict[str, Any]:  # type: ignore[override]
        """The shape of each part by name; of a dictionary, the shapes of its own parts."""
        return {key: space.shape for key, space in self.spaces.items()}

    def __repr__(self) -> str:
        return f"DictSpace({self.spaces!r})"


def _part(key: str, space: Any) -> spaces.Space[Any]:
    if isinstance(space, DictSpace) or (isinstance(space, spaces.Space) and not isinstance(space, spaces.Dict)):
        return space
    if isinstance(space, Mapping):
        return DictSpace(space)
    raise ConfigError(f"the part {key!r} of a DictSpace must be a space or a dictionary of spaces, got {space!r}")


@batch_space.register(DictSpace)
def _batch(space: DictSpace, n: int = 1) -> DictSpace:
    parts = OrderedDict((key, batch_space(part, n)) for key, part in space.spaces.items())
    return DictSpace(parts, copy.deepcopy(space.np_random))


# Gymnasium iterates over the parts of a tuple by the classes that are registered themselves.
iterate.register(DictSpace, iterate.registry[spaces.Dict])
