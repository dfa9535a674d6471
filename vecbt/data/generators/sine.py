"""A price that a learner can foresee."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.generators.generator import COLUMNS
from vecbt.data.generators.parameters import Parameter, Uniform, check_parameter, draw
from vecbt.errors import ConfigError

__all__ = ["Sine"]

_ANYWHERE = Uniform(0.0, 2.0 * math.pi)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sine:
    """BTGym's sine: ``open = price + amplitude sin(2 pi t / period + phase)`` in bar t.

    The high is half of ``spread`` above the open, the low as far below it, and the close a quarter of it above. With
    ``phase=0`` these are the bars of BTGym's test file, which rounds them to six decimals: a price of 1.1 that moves by
    0.001 within 256 bars, with a spread of 0.00002. The volume is 0.

    Attributes:
        price: The middle; as all others a number, or `Uniform` or `LogUniform` to have each trial draw its own.
        amplitude: How far the open goes from there.
        period: Bars from crest to crest.
        spread: From low to high.
        phase: Where the trial begins, in radians; by default anywhere.

    Raises:
        ConfigError: If a parameter is out of its range, or a price could be 0 or less.

    Example:
        >>> bars = Sine(phase=0.0).generate(np.random.default_rng(0), 65)
        >>> [round(float(price), 6) for price in bars[64, :4]]
        [1.101, 1.10101, 1.10099, 1.101005]
    """

    price: Parameter = 1.1
    amplitude: Parameter = 1e-3
    period: Parameter = 256.0
    spread: Parameter = 2e-5
    phase: Parameter = _ANYWHERE

    def __post_init__(self) -> None:
        check_parameter("price", self.price, low=0.0, open_low=True)
        check_parameter("amplitude", self.amplitude, low=0.0)
        check_parameter("period", self.period, low=0.0, open_low=True)
        check_parameter("spread", self.spread, low=0.0)
        check_parameter("phase", self.phase)
        lowest = _least(self.price) - _most(self.amplitude) - 0.5 * _most(self.spread)
        if lowest <= 0.0:
            raise ConfigError(
                f"a price of {self.price!r} with an amplitude of {self.amplitude!r} and a spread of {self.spread!r} "
                f"can fall to {lowest:g}: every price must be positive"
            )

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """See `vecbt.data.generators.BarGenerator.generate`."""
        price, amplitude, period, spread, phase = (
            draw(each, rng) for each in (self.price, self.amplitude, self.period, self.spread, self.phase)
        )
        opens = price + amplitude * np.sin(2.0 * math.pi / period * np.arange(bars) + phase)
        made = np.zeros((bars, len(COLUMNS)))
        for column, share in enumerate((0.0, 0.5, -0.5, 0.25)):
            made[:, column] = opens + share * spread
        return made


def _least(parameter: Parameter) -> float:
    return parameter if isinstance(parameter, int | float) else parameter.low


def _most(parameter: Parameter) -> float:
    return parameter if isinstance(parameter, int | float) else parameter.high
