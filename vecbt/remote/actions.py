"""Actions as messages have them: names, numbers, and dictionaries by asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecbt.errors import ActionError, UnknownNameError
from vecbt.plan import Plan
from vecbt.spaces import ActionDictSpace

__all__ = ["ActionReader"]

_DISCRETE = ("hold", "buy", "sell", "close")


class ActionReader:
    """Reads the actions of messages.

    Args:
        plan: What the environments are.
        num_envs: How many.
    """

    def __init__(self, plan: Plan, num_envs: int) -> None:
        self._num_envs, self._assets = num_envs, plan.table.bars.assets
        self._names: tuple[str, ...] = _DISCRETE if plan.config.actions == "discrete" else ()
        self._space = plan.action_space if isinstance(plan.action_space, ActionDictSpace) else None
        if self._space is not None:
            self._assets, self._names = self._space.assets, self._space.base_actions

    def read(self, given: Any) -> Any:
        """Actions as `vecbt.vector.TradingVectorEnv.step` takes them.

        Args:
            given: For one environment an action: a name, a number, or a dictionary of them by asset; for several a
                list with one for each. What `step` itself takes will do too.

        Raises:
            ActionError: If there are not so many actions, or one is none; names the environment and the asset.
        """
        batched = isinstance(given, Mapping) and any(isinstance(part, np.ndarray) for part in given.values())
        if isinstance(given, np.ndarray) or batched:
            return given
        rows = _rows(given, self._num_envs, self._assets, self._names)
        if self._space is None:
            return np.asarray(rows if len(self._assets) > 1 else [row[0] for row in rows])
        columns = zip(self._assets, zip(*rows, strict=True), strict=True)
        if self._space.is_discrete:
            return {name: np.asarray(column) for name, column in columns}
        return {name: np.asarray(column, np.float32)[:, np.newaxis] for name, column in columns}


def _rows(given: Any, num_envs: int, assets: Sequence[str], names: Sequence[str]) -> list[list[Any]]:
    """A number for each asset of each environment.

    Example:
        >>> _rows("buy", 1, ["EURUSD"], _DISCRETE)
        [[1]]
        >>> _rows([{"B": "close", "A": 0}, {"A": "sell", "B": 1}], 2, ["A", "B"], _DISCRETE)
        [[0, 3], [2, 1]]
    """
    own = given if isinstance(given, list | tuple) and (num_envs > 1 or len(given) == 1) else [given]
    if len(own) != num_envs:
        raise ActionError(f"expected a list of {num_envs} actions, one for each environment, got {given!r:.200}")
    return [_row(action, env, assets, names) for env, action in enumerate(own)]


def _row(action: Any, env: int, assets: Sequence[str], names: Sequence[str]) -> list[Any]:
    """One environment's action, a number for each asset."""
    if isinstance(action, Mapping):
        for name in action:
            if name not in assets:
                raise ActionError(f"environment {env}: {UnknownNameError.of('asset', name, assets)}")
        missing = [name for name in assets if name not in action]
        if missing:
            raise ActionError(f"environment {env}: there is no action for the asset {missing[0]!r}")
        numbers = [action[name] for name in assets]
    else:
        numbers = list(action) if isinstance(action, list | tuple | np.ndarray) else [action]
        if len(numbers) != len(assets):
            raise ActionError(
                f"environment {env}: expected an action for each of {len(assets)} assets ({', '.join(assets)}), got "
                f"{action!r:.200}"
            )
    places = [f"environment {env}, asset {name!r}" for name in assets]
    return [_number(value, place, names) for value, place in zip(numbers, places, strict=True)]


def _number(value: Any, where: str, names: Sequence[str]) -> Any:
    if isinstance(value, str) and value in names:
        return names.index(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        known = f"one of {', '.join(names)}, or a number" if names else "a number"
        raise ActionError(f"{where}: expected {known}, got {value!r:.200}")
    return value
