"""Rewards: functions of the account rows at two neighbouring observations."""

from __future__ import annotations

import math

from vecbt.arrays import FloatArray
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Param, RewardKind, Row

__all__ = ["reward_of"]


@helper
def reward_of(kind: int, previous: FloatArray, row: FloatArray, params: FloatArray) -> float:
    """The reward of a step.

    * ``log_return``: ln(max(V, 1e-8 V0) / V')
    * ``pnl``: V - V', in currency

    with V the account's value, V' that at the previous observation, V0 the starting cash; each times
    ``reward_scale``.
    """
    value, before = row[Row.VALUE], previous[Row.VALUE]
    if kind == RewardKind.LOG_RETURN:
        reward = math.log(max(value, 1e-8 * params[Param.START_CASH]) / before)
    else:
        reward = value - before
    return reward * params[Param.REWARD_SCALE]  # type: ignore[no-any-return]
