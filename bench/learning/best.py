"""The best that anybody could have done: dynamic programming over positions, with all bars known beforehand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from vecbt.arrays import FloatArray, IntArray

__all__ = ["Best", "best_play"]


@dataclasses.dataclass(frozen=True)
class Best:
    """The best play of E episodes of T steps.

    Attributes:
        profit: float64 (E,), in currency; no sequence of actions has a higher one.
        actions: int64 (E, T), codes of the target positions that it takes.
    """

    profit: FloatArray
    actions: IntArray


def best_play(opens: FloatArray, closes: FloatArray, size: float, rate: float, positions: Sequence[float]) -> Best:
    """The actions with the highest profit, under the broker's rules.

    What is decided at the close of a bar is filled at the open of the next one and pays ``rate`` of what is traded;
    the account is worth what it is at the last close, whether or not a position is open. An account that can always
    pay has no other state than its position, so that going backwards from the last bar finds the best of all
    sequences. One whose orders were refused for want of cash could only do worse.

    Args:
        opens: float64 (E, T + 1), the opens of each episode's bars from the first observation's to the last.
        closes: float64 (E, T + 1), their closes.
        size: Units of the position 1.
        rate: Commission, as a share of what is traded.
        positions: Multiples of ``size`` that may be held, of which 0 is where an episode begins.

    Example:
        A price that goes up and comes back, for nothing and for more than it is worth:

        >>> opens, closes = np.array([[1.0, 1.0, 2.0]]), np.array([[1.0, 2.0, 1.0]])
        >>> best_play(opens, closes, 10.0, 0.0, (-1.0, 0.0, 1.0)).profit
        array([20.])
        >>> best_play(opens, closes, 10.0, 1.0, (-1.0, 0.0, 1.0)).profit
        array([0.])
    """
    held = size * np.asarray(positions)
    steps = opens.shape[1] - 1
    turnover = np.abs(held[None, :] - held[:, None])  # from each position to each
    ahead = np.zeros((len(opens), len(held)))  # what can still be earned, holding each of the positions
    choices = np.empty((steps, len(opens), len(held)), np.int64)
    for step in range(steps - 1, -1, -1):
        before, at, after = closes[:, step, None], opens[:, step + 1, None], closes[:, step + 1, None]
        reached = held * (after - at) + ahead
        paid = reached[:, None, :] - rate * turnover * at[:, :, None]
        choices[step] = paid.argmax(axis=2)
        ahead = held * (at - before) + paid.max(axis=2)
    episodes = np.arange(len(opens))
    place = np.full(len(opens), list(positions).index(0.0))
    profit, actions = ahead[episodes, place], np.empty((len(opens), steps), np.int64)
    for step in range(steps):
        place = choices[step, episodes, place]
        actions[:, step] = place
    return Best(profit, actions)
