"""Prices that return to a level."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.generators.generator import bars_along
from vecbt.data.generators.parameters import Parameter, check_parameter, draw
from vecbt.kernels.paths import relax

__all__ = ["OrnsteinUhlenbeck"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrnsteinUhlenbeck:
    """A logarithm of the price that returns to its level: ``dX = -reversion X dt + volatility dW``, ``S = price e^X``.

    The process of Uhlenbeck and Ornstein, "On the theory of the Brownian motion" (1930), for prices as in Schwartz,
    "The stochastic behavior of commodity prices" (1997), model 1, with the bar as the unit of time. Steps from close to
    close follow the exact solution (Gillespie, "Exact numerical simulation of the Ornstein-Uhlenbeck process", 1996):
    ``X' = X e^-r + volatility sqrt((1 - e^-2r) / 2r) Z`` for a reversion r. A trial begins anywhere in the stationary
    distribution, whose standard deviation is ``volatility / sqrt(2 reversion)``. High and low are those of a Brownian
    bridge, see `vecbt.data.generators.generator.bars_along`, which is close to the process as long as the reversion
    within one bar is small. The volume is 0.

    Attributes:
        price: The level; as all others a number, or `Uniform` or `LogUniform` to have each trial draw its own.
        reversion: Rate at which a distance decays, per bar: after ``log(2) / reversion`` bars half of it is left.
        volatility: Standard deviation of the noise in a bar.

    Raises:
        ConfigError: If a parameter is out of its range.

    Example:
        Trials that revert within ten to a thousand bars:

        >>> from vecbt.data.generators import LogUniform
        >>> process = OrnsteinUhlenbeck(reversion=LogUniform(0.001, 0.1))
        >>> process.generate(np.random.default_rng(0), 500).shape
        (500, 5)
    """

    price: Parameter = 100.0
    reversion: Parameter = 0.02
    volatility: Parameter = 5e-4

    def __post_init__(self) -> None:
        check_parameter("price", self.price, low=0.0, open_low=True)
        check_parameter("reversion", self.reversion, low=0.0, open_low=True)
        check_parameter("volatility", self.volatility, low=0.0)

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """See `vecbt.data.generators.BarGenerator.generate`."""
        price, reversion, volatility = (draw(each, rng) for each in (self.price, self.reversion, self.volatility))
        path = rng.standard_normal(bars + 1)
        path[0] *= volatility / math.sqrt(2.0 * reversion)
        path[1:] *= volatility * math.sqrt(-math.expm1(-2.0 * reversion) / (2.0 * reversion))
        relax(path, math.exp(-reversion))
        return bars_along(path, volatility, price, rng)
