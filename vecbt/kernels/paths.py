"""Paths of generated prices: recursions whose random numbers have been drawn before, and a look at what came out."""

from __future__ import annotations

import math

from vecbt.arrays import FloatArray, IntArray
from vecbt.kernels._jit import kernel

__all__ = ["first_invalid", "relax", "resample", "switch"]


@kernel
def relax(path: FloatArray, factor: float) -> None:
    """Let shocks decay: each number becomes itself plus ``factor`` times the result before it.

    Args:
        path: float64 (T,), the start and the shocks; written.
        factor: What is left of a distance after a step.
    """
    for i in range(1, path.shape[0]):
        path[i] += factor * path[i - 1]


@kernel
def switch(uniform: FloatArray, duration: FloatArray, regime: IntArray) -> None:
    """A Markov chain that stays in a state for its duration on average and then goes to any other.

    Args:
        uniform: float64 (T,), random numbers in ``[0, 1)``.
        duration: float64 (R,), average number of steps in each state, at least 1.
        regime: int64 (T,), written: the state at each step, the first by the stationary distribution.
    """
    states, total = duration.shape[0], 0.0
    for i in range(states):
        total += duration[i]
    state, left = 0, uniform[0] * total
    while state < states - 1 and left >= duration[state]:
        left -= duration[state]
        state += 1
    regime[0] = state
    for t in range(1, uniform.shape[0]):
        scaled = uniform[t] * duration[state]
        if scaled < 1.0 and states > 1:  # where it is, it is uniform itself and says which one follows
            following = min(int(scaled * (states - 1)), states - 2)
            state = following + 1 if following >= state else following
        regime[t] = state


@kernel
def resample(shapes: FloatArray, uniform: FloatArray, block: float, price: float, bars: FloatArray) -> None:
    """Chain blocks of bars.

    Args:
        shapes: float64 (T, 5), prices of each bar over the close before it, and its volume.
        uniform: float64 (B,), random numbers in ``[0, 1)``.
        block: Average length of a block, at least 1.
        price: The close before the first bar.
        bars: float64 (B, 5), written.
    """
    count, row = shapes.shape[0], 0
    for i in range(bars.shape[0]):
        row = row + 1 if row + 1 < count else 0
        share = uniform[i] if i == 0 else uniform[i] * block
        if share < 1.0:  # where it is, it is uniform itself and says where the block begins
            row = min(int(share * count), count - 1)
        for column in range(4):
            bars[i, column] = price * shapes[row, column]
        bars[i, 4] = shapes[row, 4]
        price = bars[i, 3]


@kernel
def first_invalid(bars: FloatArray) -> int:
    """The first row that is no bar, or -1; exact where the checks of read data have a tolerance.

    Args:
        bars: float64 (T, 5), open, high, low, close, volume.
    """
    for i in range(bars.shape[0]):
        open_, high, low, close, volume = bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3], bars[i, 4]
        # A comparison with NaN is False; min and max might pass it over.
        bounded = 0.0 < low <= open_ <= high < math.inf and low <= close <= high
        if not (bounded and 0.0 <= volume < math.inf):
            return i
    return -1
