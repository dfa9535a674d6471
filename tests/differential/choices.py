"""Where the parts of a random case come from: a seeded generator, or hypothesis, which then shrinks what fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """Makes choices."""

    def one(self, options: Sequence[T]) -> T:
        """One of some values; the plainest comes first."""

    def number(self, low: float, high: float) -> float:
        """A number between two."""

    def seed(self) -> int:
        """A seed for what is too long to be chosen part by part."""


class Seeded:
    """Choices of a generator: all of them follow from its seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.Generator(np.random.Philox(seed))

    def one(self, options: Sequence[T]) -> T:
        return options[int(self._random.integers(len(options)))]

    def number(self, low: float, high: float) -> float:
        return float(self._random.uniform(low, high))

    def seed(self) -> int:
        return int(self._random.integers(1 << 31))


class Drawn:
    """Choices of hypothesis.

    Args:
        data: What ``strategies.data()`` has drawn.
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    def one(self, options: Sequence[T]) -> T:
        return options[self._data.draw(st.integers(0, len(options) - 1))]

    def number(self, low: float, high: float) -> float:
        return self._data.draw(st.floats(low, high, allow_subnormal=False))

    def seed(self) -> int:
        return self._data.draw(st.integers(0, 5))
