"""Prices whose returns are independent of each other."""

from __future__ import annotations

import dataclasses

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.generators.generator import bars_along
from vecbt.data.generators.parameters import Parameter, check_parameter, draw

__all__ = ["GeometricBrownianMotion"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeometricBrownianMotion:
    """Geometric Brownian motion: ``dS = drift S dt + volatility S dW``, with the bar as the unit of time.

    The logarithm of a close over the close before it is normal with the mean ``drift - volatility^2 / 2`` and the
    standard deviation ``volatility`` (Black and Scholes, "The pricing of options and corporate liabilities", 1973): the
    price is expected to grow by ``exp(drift)`` with each bar. With no drift nothing can be earned, which a learner
    should find out. High and low are those of the motion within the bar, see
    `vecbt.data.generators.generator.bars_along`. The volume is 0.

    Attributes:
        price: First open; as all others a number, or `Uniform` or `LogUniform` to have each trial draw its own.
        drift: Expected growth per bar.
        volatility: Standard deviation of a bar's logarithmic return.

    Raises:
        ConfigError: If a parameter is out of its range.

    Example:
        >>> motion = GeometricBrownianMotion(price=100.0, volatility=0.01)
        >>> bars = motion.generate(np.random.default_rng(0), 3)
        >>> bars.shape, float(bars[0, 0])
        ((3, 5), 100.0)
    """

    price: Parameter = 100.0
    drift: Parameter = 0.0
    volatility: Parameter = 3e-4

    def __post_init__(self) -> None:
        check_parameter("price", self.price, low=0.0, open_low=True)
        check_parameter("drift", self.drift)
        check_parameter("volatility", self.volatility, low=0.0)

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """See `vecbt.data.generators.BarGenerator.generate`."""
        price, drift, volatility = (draw(each, rng) for each in (self.price, self.drift, self.volatility))
        path = np.zeros(bars + 1)
        np.cumsum(drift - 0.5 * volatility**2 + volatility * rng.standard_normal(bars), out=path[1:])
        return bars_along(path, volatility, price, rng)
