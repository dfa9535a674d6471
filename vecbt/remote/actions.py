"""Actions as messages have them: names, numbers, and dictionaries by asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecbt.errors import ActionError, UnknownNameError

__all__ = ["DISCRETE", "as_batch"]

DISCRETE = {"hold": 0, "buy": 1, "sell": 2, "close": 3}
"""The names of discrete actions."""


def as_batch(given: Any, num_envs: int, assets: Sequence[str], named: bool) -> Any:
    """The actions of a message as `vecbt.vector.TradingVectorEnv.step` takes them.

    Args:
        given: For one environment an action: a name, a number, or a dictionary of them by asset; for several a list
            with one for each, or an array.
        num_envs: Environments.
        assets: Names of the assets, in their order.
        named: Whether actions have names, as ``"buy"``.

    Returns:
        An array of shape (N,) or, for several assets, (N, K).

    Raises:
        ActionError: If there are not so many actions, or one is none; names the environment and the asset.

    Example:
        >>> as_batch("buy", 1, ["EURUSD"], named=True)
        array([1])
        >>> as_batch([{"B": "close", "A": 0}, {"A": "sell", "B": 1}], 2, ["A", "B"], named=True)
        array([[0, 3],
               [2, 1]])
    """
    if isinstance(given, np.ndarray):
        return given
    own = given if isinstance(given, list | tuple) and (num_envs > 1 or len(given) == 1) else [given]
    if len(own) != num_envs:
        raise ActionError(f"expected a list of {num_envs} actions, one for each environment, got {given!r:.200}")
    rows = [_row(action, env, assets, named) for env, action in enumerate(own)]
    return np.asarray(rows if len(assets) > 1 else [row[0] for row in rows])


def _row(action: Any, env: int, assets: Sequence[str], named: bool) -> list[Any]:
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
    return [
        _number(value, f"environment {env}, asset {name!r}", named) for name, value in zip(assets, numbers, strict=True)
    ]


def _number(value: Any, where: str, named: bool) -> Any:
    if named and isinstance(value, str) and value in DISCRETE:
        return DISCRETE[value]
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        names = f"one of {', '.join(DISCRETE)}, or a number" if named else "a number"
        raise ActionError(f"{where}: expected {names}, got {value!r:.200}")
    return value
