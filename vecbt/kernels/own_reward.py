"""A user's own reward function, compiled, and the loop that calls it.

The function is given the account rows at the previous observation and now, whose columns `Row` and `Asset` name, and
eight numbers that it may keep what it likes in; they are 0 when an episode begins. numba never finds a loop that closes
over another function in its cache on disk, so this loop is small and stands alone: the others, which call the built-in
rewards, need not be compiled anew for it.

Example:
    Profit less a thousandth of what is held at the close, in currency:

    >>> import vecbt
    >>> from vecbt import Asset, Row
    >>> def careful(previous_row, row, state):
    ...     held = abs(row[Row.ASSETS + Asset.SIZE]) * row[Row.ASSETS + Asset.CLOSE]
    ...     return row[Row.VALUE] - previous_row[Row.VALUE] - 0.001 * held
    >>> market = vecbt.data.synthetic_market(500, seed=1)
    >>> envs = vecbt.make_vec(market, num_envs=2, engine="cerebro", num_workers=0, reward=careful, order_size=10)
    >>> _ = envs.reset(seed=1)
    >>> _, rewards, _, _, _ = envs.step([0, 1])
    >>> float(rewards[0]), bool(rewards[1] < 0.0)
    (0.0, True)
    >>> envs.close()
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numba
import numpy as np
from numba import types

from vecbt.arrays import FloatArray
from vecbt.config import RewardFunction
from vecbt.errors import ConfigError, StrategyError
from vecbt.kernels import block as b
from vecbt.kernels._jit import uncached
from vecbt.kernels.layout import Clock, Phase

__all__ = ["RewardLoop", "OwnReward", "compile_reward", "make_own_reward"]

RewardLoop: TypeAlias = Callable[[int, int, int], int]
"""Writes the rewards of the environments ``low <= e < high`` of a block, up to the first that is no finite number,
whose index it returns, or -1."""

_ROW = types.Array(types.float64, 1, "C", readonly=True)
_STATE = types.Array(types.float64, 1, "C")


def compile_reward(function: RewardFunction) -> Any:
    """Compile a reward function.

    Division by zero gives an infinity or NaN, as in NumPy; an index out of range raises.

    Args:
        function: A Python function, or one that numba has compiled, which is compiled anew.

    Raises:
        ConfigError: If numba cannot compile it, or it does not return a number.
    """
    plain = getattr(function, "py_func", function)
    try:
        # Bounds are checked because a column too far is another environment's account.
        compiled = numba.njit((_ROW, _ROW, _STATE), error_model="numpy", boundscheck=True)(plain)
    except Exception as error:  # whatever the compiler meets, a function of the user's is the reason
        raise ConfigError(
            f"reward={_name(function)} cannot be compiled by numba. A reward function takes (previous_row, row, "
            f"state), may use numbers, math, NumPy and the columns of vecbt.Row and vecbt.Asset, and write to its "
            f"state alone; numba says:\n{error}"
        ) from error
    returned = compiled.nopython_signatures[0].return_type
    if not isinstance(returned, types.Float | types.Integer):
        raise ConfigError(
            f"reward={_name(function)} must return a float whichever way it ends; to numba its result is {returned}"
        )
    return compiled


def make_own_reward(function: RewardFunction) -> RewardLoop:
    """Compile a reward function and the loop that calls it for a slice of a batch, in one call from Python.

    Environments that are being reset in this step are left out. An environment's reward is NaN while the function is
    at it, so that an exception of the function's can be told whose it is.

    Raises:
        ConfigError: As `compile_reward`.
    """
    reward_of = compile_reward(function)

    @uncached
    def run(block: int, low: int, high: int) -> int:
        for e in range(low, high):
            phase = b.clock(block)[e, Clock.PHASE]
            if phase == Phase.RESETTING or phase == Phase.IDLE or phase == Phase.CUT:
                continue
            b.rewards(block)[e] = math.nan
            reward = float(reward_of(b.previous(block)[e], b.rows(block)[e], b.reward_state(block)[e]))
            b.rewards(block)[e] = reward
            if not math.isfinite(reward):
                return e
        return -1

    run(b.Block(None).address, 0, 0)  # compiles it
    return run


class OwnReward:
    """A user's reward function at work on a batch.

    Args:
        function: The function.

    Raises:
        ConfigError: As `compile_reward`.
    """

    def __init__(self, function: RewardFunction) -> None:
        self._name = _name(function)
        self._run = make_own_reward(function)

    def write(self, block: int, rewards: FloatArray, low: int, high: int) -> None:
        """Write the rewards of a slice.

        Args:
            block: Address of the batch's block.
            rewards: The block's rewards.
            low: First environment.
            high: Environment after the last.

        Raises:
            StrategyError: If one is not finite or the function raises; the message names the environment.
        """
        try:
            wrong = self._run(block, low, high)
        except Exception as error:
            env = low + int(np.isnan(rewards[low:high]).argmax())
            raise StrategyError(
                f"the reward function {self._name} failed in environment {env}: {type(error).__name__}: {error}"
            ) from error
        if wrong >= 0:
            raise StrategyError(
                f"the reward function {self._name} returned {rewards[wrong]} in environment {wrong}; a reward "
                f"is a finite number"
            )


def _name(function: RewardFunction) -> str:
    return str(getattr(function, "__name__", function))
