"""Actions by the names of assets on their way into the buffers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.errors import ActionError, ConfigError
from vecbt.kernels.layout import Instruction
from vecbt.spaces import ActionDictSpace

__all__ = ["NamedActions", "space_of_assets"]

_ANY_ASSET = "default_asset"
"""What BTGym calls an asset that has not been named."""
_INSTRUCTIONS = {
    "hold": Instruction.NONE,
    "buy": Instruction.BUY,
    "sell": Instruction.SELL,
    "close": Instruction.CLOSE,
}


def space_of_assets(space: ActionDictSpace, assets: tuple[str, ...]) -> ActionDictSpace:
    """The user's action space for the assets of the data, a copy that has generators of its own.

    Raises:
        ConfigError: If its names are others.
    """
    own = _without_cash(space)
    if set(own) != set(assets) and not (len(assets) == 1 and own == [_ANY_ASSET]):
        cash = "" if space.is_discrete else f", besides {space.cash!r} for cash"
        raise ConfigError(
            f"actions={space!r} must name the assets of the data, {sorted(assets)}{cash}; one asset may be "
            f"{_ANY_ASSET!r} too"
        )
    return copy.deepcopy(space)


def _without_cash(space: ActionDictSpace) -> list[str]:
    return [name for name in space.assets if space.is_discrete or name != space.cash]


class NamedActions:
    """Turns the actions of N environments into what kernels read.

    A base action becomes its instruction. Weights, the cash's included, are divided by their sum where it is more
    than 1; what they leave of 1 stays in cash too.

    Args:
        space: The action space of one environment.
        assets: The assets of the data in their order.
    """

    def __init__(self, space: ActionDictSpace, assets: tuple[str, ...]) -> None:
        self._space = space
        names = _without_cash(space)
        self._columns = [space.assets.index(name if name in names else _ANY_ASSET) for name in assets]
        self._instructions = np.array([_INSTRUCTIONS[name] for name in space.base_actions], np.float64)

    def take(self, actions: Any, buffer: FloatArray) -> None:
        """Write the actions to the buffer.

        Args:
            actions: A dictionary with an array for each name: int64 (N,), or float32 (N, 1); for a single environment
                the values alone will do.
            buffer: float64 (N, K), written.

        Raises:
            ActionError: If an action is not in the space; nothing has been written then.
        """
        values = self._space.values_of(actions)
        if values.ndim == 1 and len(buffer) == 1:
            values = values[None]
        if len(values) != len(buffer) or values.ndim == 1:
            raise ActionError(f"actions must have a value for each of {len(buffer)} environments, got {actions!r}")
        by_asset, out = values.T, buffer.T  # the values of an asset lie side by side
        if self._space.is_discrete:
            for own, column in zip(out, self._columns, strict=True):
                own[:] = self._instructions[by_asset[column]]
            return
        total = np.zeros(len(values))
        for weights in by_asset:  # one by one: the order of a sum must not depend on the number of environments
            total += weights
        np.maximum(total, 1.0, out=total)
        for own, column in zip(out, self._columns, strict=True):
            np.divide(by_asset[column], total, out=own)
