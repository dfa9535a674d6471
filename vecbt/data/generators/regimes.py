"""Prices that change their manner from time to time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.generators.generator import bars_along
from vecbt.data.generators.parameters import Parameter, check_parameter, draw
from vecbt.errors import ConfigError
from vecbt.kernels.paths import switch
from vecbt.settings import check_number

__all__ = ["Regime", "RegimeSwitching"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regime:
    """One of the manners in which a price moves.

    Attributes:
        drift: Expected growth per bar; as the volatility a number, or a distribution for each trial to draw its own.
        volatility: Standard deviation of a bar's logarithmic return.
        duration: Bars that it lasts on average, at least 1.

    Raises:
        ConfigError: If one is out of its range.
    """

    drift: Parameter = 0.0
    volatility: Parameter = 3e-4
    duration: float = 500.0

    def __post_init__(self) -> None:
        check_parameter("drift", self.drift)
        check_parameter("volatility", self.volatility, low=0.0)
        check_number("duration", self.duration, low=1.0)


_CALM_RISING_FALLING = (
    Regime(drift=0.0, volatility=2e-4, duration=700.0),
    Regime(drift=3e-5, volatility=3e-4, duration=400.0),
    Regime(drift=-5e-5, volatility=6e-4, duration=250.0),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegimeSwitching:
    """Geometric Brownian motion whose drift and volatility follow a Markov chain of regimes.

    After Hamilton, "A new approach to the economic analysis of nonstationary time series and the business cycle"
    (1989), without an autoregression within a regime: the logarithmic return of a bar is normal with the mean
    ``drift - volatility^2 / 2`` and the deviation ``volatility`` of its regime. With each bar a regime ends with
    probability ``1 / duration``, and any of the others follows, all equally likely. A trial begins in a regime of the
    chain's stationary distribution, which is proportional to the durations. High and low as in
    `GeometricBrownianMotion`; the volume is 0.

    Attributes:
        regimes: The regimes, at least one; by default one that is calm, one that rises and one that falls.
        price: First open; a number, or `Uniform` or `LogUniform` to have each trial draw its own.

    Raises:
        ConfigError: If there is no regime, or the price is not positive.

    Example:
        >>> market = RegimeSwitching(regimes=[Regime(drift=1e-4), Regime(drift=-1e-4)])
        >>> market.generate(np.random.default_rng(0), 500).shape
        (500, 5)
    """

    regimes: Sequence[Regime] = _CALM_RISING_FALLING
    price: Parameter = 100.0

    def __post_init__(self) -> None:
        given = self.regimes
        if not isinstance(given, Sequence) or not given or not all(isinstance(each, Regime) for each in given):
            raise ConfigError(f"regimes must be a sequence of at least one Regime, got {given!r}")
        object.__setattr__(self, "regimes", tuple(given))
        check_parameter("price", self.price, low=0.0, open_low=True)

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """See `vecbt.data.generators.BarGenerator.generate`."""
        price = draw(self.price, rng)
        drift = np.array([draw(regime.drift, rng) for regime in self.regimes])
        volatility = np.array([draw(regime.volatility, rng) for regime in self.regimes])
        duration = np.array([regime.duration for regime in self.regimes], np.float64)
        regime = np.empty(bars, np.int64)
        switch(rng.random(bars), duration, regime)
        own = volatility[regime]
        path = np.zeros(bars + 1)
        np.cumsum((drift - 0.5 * volatility**2)[regime] + own * rng.standard_normal(bars), out=path[1:])
        return bars_along(path, own, price, rng)
