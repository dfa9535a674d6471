"""The slice protocol: what runs in a worker.

A slice is a contiguous part of a batch of environments. It is given views of the shared arrays once and from then on
answers calls, reading what it needs from the arrays and writing its results there. What the arrays mean is between the
slice and whoever reads them: the pool and its workers know of nothing but rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from vecbt.arrays import AnyArray

__all__ = ["MakeSlice", "Slice", "partition"]


class Slice(Protocol):
    """A part of a batch.

    A slice may raise `vecbt.shm.report.SliceError` where several of its environments can fail by themselves.

    Attributes:
        current: Index in the batch of the environment that is being worked on, for reports of errors; -1 for none.
    """

    current: int

    def reset(self, argument: Any) -> Any:
        """Begin an episode in the environments that the parent has marked.

        Args:
            argument: What the parent has sent along, or None.

        Returns:
            What does not fit into the shared arrays, for the parent; None for nothing, which costs nothing.
        """

    def step(self, argument: Any) -> Any:
        """Step every environment; argument and result as of `reset`."""

    def recover(self, argument: Any) -> None:
        """Take the place of a slice whose process has died, once, before anything else.

        The rows hold what the last call before had come to. Environments are to show, with the next step, that their
        episodes have been cut short.

        Args:
            argument: What the parent knows of the environments; see `vecbt.shm.pool.WorkerPool`.
        """

    def call(self, name: str, argument: Any) -> Any:
        """Answer a request outside the lockstep."""

    def close(self) -> None:
        """Release what the environments hold."""


MakeSlice: TypeAlias = Callable[[Mapping[str, AnyArray], int, int], Slice]
"""Makes a slice of the shared arrays for the environments ``low <= index < high``; runs in the worker."""


def partition(count: int, parts: int) -> list[tuple[int, int]]:
    """Cut ``range(count)`` into contiguous parts whose lengths differ by at most one.

    Example:
        >>> partition(10, 4)
        [(0, 2), (2, 5), (5, 7), (7, 10)]
    """
    bounds = [count * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(bounds))
