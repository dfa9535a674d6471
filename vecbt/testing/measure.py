"""Measuring on machines that others use too: everything in one run, in turn, several times."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from tqdm import tqdm

__all__ = ["Figure", "interleave"]


@dataclasses.dataclass(frozen=True)
class Figure:
    """Repeated measurements of one thing.

    Attributes:
        values: The measurements in the order in which they were taken.

    Example:
        >>> figure = Figure([3.0, 1.0, 2.0])
        >>> figure.median, figure.low, figure.high
        (2.0, 1.0, 3.0)
        >>> (figure / Figure([6.0, 2.0, 1.0])).values
        [0.5, 0.5, 2.0]
    """

    values: list[float]

    @property
    def median(self) -> float:
        """The median, which is the figure to quote."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)

    def __truediv__(self, other: Figure) -> Figure:
        """Ratios of measurements that were taken next to each other: a busy machine slows both."""
        return Figure([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def interleave(
    cases: Mapping[str, Callable[[], float]], repeats: int, *, progress: str | None = None, **bar: Any
) -> dict[str, Figure]:
    """Measure several things in turn, a round of all of them at a time.

    Args:
        cases: For each name a function that takes a measurement.
        repeats: Rounds; the first one is not counted.
        progress: Title of the progress bar; None for none.
        **bar: Passed to tqdm.

    Returns:
        A figure for each name.

    Example:
        >>> sorted(interleave({"a": lambda: 1.0, "b": lambda: 2.0}, repeats=2))
        ['a', 'b']
    """
    taken: dict[str, list[float]] = {name: [] for name in cases}
    steps = tqdm(total=(repeats + 1) * len(cases), desc=progress, disable=None if progress else True, **bar)
    with steps:
        for repeat in range(repeats + 1):
            for name, case in cases.items():
                steps.set_postfix_str(name)
                value = case()
                if repeat:
                    taken[name].append(value)
                steps.update()
    return {name: Figure(values) for name, values in taken.items()}
