"""Rewards: functions of the account rows at two neighbouring observations and of what they keep in between.

V is the account's value and V' that at the previous observation, V0 the starting cash, s ``reward_scale``, g ``gamma``.
For BTGym's rewards D and T are the drawdown and target calls in percent (10 where there is none), R = V0 (D + T) / 100,
u = (V - V*) / R the open profit with V* the value when the last trade was closed, and p the profit after commission of
the trades closed on a bar, over R.
"""

from __future__ import annotations

import math

from vecbt.arrays import FloatArray
from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Param, RewardKind, Row, Setting, Track

__all__ = ["log_return", "profit", "sample_bar", "stateful_reward"]

# BTGym's reward keeps what its formula reaches back to, newest first: u of four bars, p of three, and for how many bars
# there has been a position.
_BARS = 4
_PROFITS = 4
_HELD = 7

_ETA = 0.01
"""How quickly the moments of the differential Sharpe ratio follow the returns."""


@helper
def log_return(previous: FloatArray, row: FloatArray, params: FloatArray) -> float:
    """The default reward: s ln(max(V, 1e-8 V0) / V')."""
    value = max(row[Row.VALUE], 1e-8 * params[Param.START_CASH])
    return math.log(value / previous[Row.VALUE]) * params[Param.REWARD_SCALE]  # type: ignore[no-any-return]


@helper
def _unit(params: FloatArray) -> float:
    calls = params[Param.DRAWDOWN_SCALE] + params[Param.TARGET_SCALE]
    return params[Param.START_CASH] * calls / 100.0  # type: ignore[no-any-return]


@helper
def sample_bar(state: FloatArray, row: FloatArray, track: FloatArray, params: FloatArray, flat: bool) -> None:
    """Keep of a bar, once its statistics are there, what BTGym's reward will ask for at the end of the step."""
    unit = _unit(params)
    for i in range(_BARS - 1, 0, -1):
        state[i] = state[i - 1]
    state[0] = (row[Row.VALUE] - track[Track.SETTLED]) / unit
    for i in range(_HELD - 1, _PROFITS, -1):
        state[i] = state[i - 1]
    state[_PROFITS] = track[Track.PROFIT] / unit
    state[_HELD] = 0.0 if flat else state[_HELD] + 1.0


@helper
def _mean(state: FloatArray, newest: int, count: int) -> float:
    """Mean of ``count`` numbers from ``newest`` on, the oldest added first as BTGym does."""
    total = 0.0
    for i in range(newest + count - 1, newest - 1, -1):
        total += state[i]
    return total / count


@helper
def _btgym(state: FloatArray, params: FloatArray, skip: int) -> float:
    """The reward of BTGym 0.0.8, with its peculiarities.

    d counts the bars with a position, up to this one, and n is ``skip_frame``; u and p reach four bars back, beyond
    the step's first bar where it is short:

    * d = 0: F = 0
    * d < n: F = g mean(the last d of u)
    * otherwise: F = g mean(the last n of u) - mean(the n before them, or as many as there are among the four)
    * reward: 10 s (F + sum of the last n of p), between -s and s

    F is 0 on the bar that closes a position: what it was worth has been paid by F and is paid again as p.
    """
    held = int(state[_HELD])
    shaping = 0.0
    if held > 0:
        if held < skip:
            shaping = params[Param.GAMMA] * _mean(state, 0, held)
        else:
            before = _mean(state, skip, min(skip, _BARS - skip))
            shaping = params[Param.GAMMA] * _mean(state, 0, skip) - before
    realized = 0.0
    for i in range(_PROFITS + skip - 1, _PROFITS - 1, -1):
        realized += state[i]
    scale = params[Param.REWARD_SCALE]
    bound = abs(scale)
    return min(max(scale * (10.0 * shaping + 10.0 * realized), -bound), bound)  # type: ignore[no-any-return]


@helper
def _btgym_potential(
    previous: FloatArray, row: FloatArray, track: FloatArray, state: FloatArray, params: FloatArray, settled: bool
) -> float:
    """BTGym's reward with a shaping that leaves the best policy what it is.

    10 s (g phi - phi' + the step's p), where phi = u is a function of the state alone, and 0 without a position and
    once the episode has terminated. So the open profit that a closing bar pays as p is taken back on it, as Ng, Harada
    and Russell (1999) have it; for the same reason nothing is clipped.
    """
    unit = _unit(params)
    before = state[0]
    after = 0.0 if settled else (row[Row.VALUE] - track[Track.SETTLED]) / unit
    state[0] = after
    realized = (row[Row.REALIZED] - previous[Row.REALIZED]) / unit
    return params[Param.REWARD_SCALE] * (  # type: ignore[no-any-return]
        10.0 * (params[Param.GAMMA] * after - before) + 10.0 * realized
    )


@helper
def _differential_sharpe(previous: FloatArray, row: FloatArray, state: FloatArray, params: FloatArray) -> float:
    """What a step's return adds to an exponentially weighted Sharpe ratio (Moody and Saffell, 2001, equation 6).

    With r = V / V' - 1 and A, B the running moments of r and r**2, which are 0 at an episode's start:
    s clip((B (r - A) - A (r**2 - B) / 2) / (B - A**2)**1.5, -10, 10), and 0 while the variance B - A**2 is below
    1e-12; then A and B move a hundredth of the way to r and r**2.
    """
    change = row[Row.VALUE] / previous[Row.VALUE] - 1.0
    first, second = state[0], state[1]
    up, up_square = change - first, change * change - second
    variance = second - first * first
    reward = 0.0
    if variance >= 1e-12:
        reward = (second * up - 0.5 * first * up_square) / (variance * math.sqrt(variance))
        reward = min(max(reward, -10.0), 10.0)
    state[0] = first + _ETA * up
    state[1] = second + _ETA * up_square
    return reward * params[Param.REWARD_SCALE]  # type: ignore[no-any-return]


@helper
def profit(previous: FloatArray, row: FloatArray, params: FloatArray) -> float:
    """The reward ``pnl``: s (V - V')."""
    return (row[Row.VALUE] - previous[Row.VALUE]) * params[Param.REWARD_SCALE]  # type: ignore[no-any-return]


@helper
def stateful_reward(block: int, e: int, kind: int, settled: bool) -> float:
    """The reward of a step by one of the formulas that keep something from step to step.

    Args:
        block: Address of the batch's block; arrays are taken from it here, where they are not copied for the call.
        e: The environment.
        kind: `RewardKind`.
        settled: Whether there is no position, or the episode has terminated.
    """
    state, params = b.reward_state(block)[e], b.params(block)
    if kind == RewardKind.BTGYM:
        return _btgym(state, params, b.settings(block)[Setting.SKIP])
    previous, row = b.previous(block)[e], b.rows(block)[e]
    if kind == RewardKind.BTGYM_POTENTIAL:
        return _btgym_potential(previous, row, b.track(block)[e], state, params, settled)
    return _differential_sharpe(previous, row, state, params)
