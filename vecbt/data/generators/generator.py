"""What a generator is, and how a path of prices becomes bars."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from vecbt.arrays import FloatArray

__all__ = ["COLUMNS", "BarGenerator", "bars_along"]

COLUMNS = ("open", "high", "low", "close", "volume")
"""Columns of what a generator returns."""


@runtime_checkable
class BarGenerator(Protocol):
    """Makes the bars of a trial.

    Any object with this method is one. All that is random in the bars comes from ``rng``, so that the same state of it
    gives the same bars.
    """

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """The bars of a trial.

        Args:
            rng: Where all random numbers come from.
            bars: How many.

        Returns:
            float64 (bars, 5): open, high, low, close, all of them positive, the high the highest and the low the
            lowest of the four, and the volume, which is not negative.
        """


def bars_along(path: FloatArray, volatility: float | FloatArray, price: float, rng: np.random.Generator) -> FloatArray:
    """The bars of a price that moves without jumps and is known where bars begin and end.

    Each bar opens at the close before it. Between its open and its close, x apart in logarithms, the logarithm of the
    price is a Brownian bridge of variance s^2, whose maximum above the open has the distribution
    ``P(max > m) = exp(-2 m (m - x) / s^2)`` (Karatzas and Shreve, "Brownian Motion and Stochastic Calculus", section
    4.3.C): solved for m, ``(x + sqrt(x^2 + 2 s^2 E)) / 2`` with E exponential. The minimum is its mirror image. Each of
    the two has the distribution that it has in continuous time; they are drawn independently of each other.

    Args:
        path: float64 (T + 1,), logarithm of the price over ``price`` at the first open, then at each close.
        volatility: Standard deviation s of the logarithm within a bar; one, or float64 (T,).
        price: The price where the path is 0.
        rng: Where all random numbers come from.

    Returns:
        float64 (T, 5) as `BarGenerator.generate` has it; the volume is 0.
    """
    steps = np.diff(path)
    reach = np.sqrt(steps**2 + 2.0 * np.square(volatility) * rng.standard_exponential((2, len(steps))))
    prices = price * np.exp(path)
    opens, closes = prices[:-1], prices[1:]
    bars = np.zeros((len(steps), len(COLUMNS)))
    bars[:, 0], bars[:, 3] = opens, closes
    # The bounds hold in exact numbers; rounding may leave an extreme within the bar.
    bars[:, 1] = np.maximum(opens * np.exp(0.5 * (steps + reach[0])), np.maximum(opens, closes))
    bars[:, 2] = np.minimum(opens * np.exp(0.5 * (steps - reach[1])), np.minimum(opens, closes))
    return bars
