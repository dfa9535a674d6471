"""Parameters of a generator: fixed numbers, or distributions from which every trial draws its own."""

from __future__ import annotations

import dataclasses
import math
from typing import TypeAlias

import numpy as np

from vecbt.errors import ConfigError
from vecbt.settings import check_number

__all__ = ["LogUniform", "Parameter", "Uniform", "check_parameter", "draw"]


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A number drawn for every trial, uniformly between two bounds.

    Attributes:
        low: The least.
        high: The most.

    Raises:
        ConfigError: If a bound is no number, or the upper one is below the lower.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, -math.inf)

    def draw(self, rng: np.random.Generator) -> float:
        """A number by the next random numbers of ``rng``."""
        return self.low + (self.high - self.low) * rng.random()


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """A number drawn for every trial, whose logarithm is uniform: each factor of ten is as likely as any other.

    Attributes:
        low: The least, positive.
        high: The most.

    Raises:
        ConfigError: If a bound is no positive number, or the upper one is below the lower.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, 0.0)

    def draw(self, rng: np.random.Generator) -> float:
        """A number by the next random numbers of ``rng``."""
        low, high = math.log(self.low), math.log(self.high)
        return min(max(math.exp(low + (high - low) * rng.random()), self.low), self.high)


Parameter: TypeAlias = float | Uniform | LogUniform
"""A number for all trials, or where each draws its own from."""


def draw(parameter: Parameter, rng: np.random.Generator) -> float:
    """The value for a trial; a fixed number takes no random numbers."""
    return parameter.draw(rng) if isinstance(parameter, Uniform | LogUniform) else float(parameter)


def check_parameter(name: str, parameter: object, *, low: float = -math.inf, open_low: bool = False) -> None:
    """Make sure that a parameter is a number or a distribution, all of it within a bound.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(parameter, Uniform | LogUniform):
        check_number(f"the least {name}", parameter.low, low=low, open_low=open_low)
    else:
        check_number(name, parameter, low=low, open_low=open_low)


def _check_bounds(bounds: Uniform | LogUniform, low: float) -> None:
    kind = type(bounds).__name__
    check_number(f"{kind}'s low", bounds.low, low=low, open_low=True)
    check_number(f"{kind}'s high", bounds.high)
    if bounds.high < bounds.low:
        raise ConfigError(f"{kind}'s high must not be below its low, got {bounds.low!r} and {bounds.high!r}")
