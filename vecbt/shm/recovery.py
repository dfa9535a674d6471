"""What makes good the death of a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray

__all__ = ["Recovery"]


class Recovery:
    """What it takes to start a worker again when its process has died.

    Args:
        deaths: How many deaths are made good before the next one raises.
        restore: Names of the arrays, one row for each environment, that workers write to and go on from: they are
            kept before every operation, and set back where it has been cut short.
        argument: Says what the slices of the new process are told, given the environments ``low <= index < high``.
    """

    def __init__(
        self, deaths: int, restore: Sequence[str], argument: Callable[[Sequence[tuple[int, int]]], Any]
    ) -> None:
        self.deaths, self.restore, self.argument = deaths, tuple(restore), argument
        self.kept: dict[str, AnyArray] = {}

    def keep(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> None:
        """Remember the rows of environments."""
        for name in self.restore:
            if name not in self.kept:
                self.kept[name] = np.empty_like(arrays[name])
            self.kept[name][low:high] = arrays[name][low:high]

    def set_back(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> None:
        """Make the rows what they were."""
        for name, kept in self.kept.items():
            arrays[name][low:high] = kept[low:high]
