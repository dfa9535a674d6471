"""Whether two engines say the same, to the last bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["Agreement"]


class Agreement:
    """How many numbers have been compared, and how many of them were different, by what they are.

    Attributes:
        compared: Numbers compared.
        different: Those that differ.

    Example:
        >>> agreement = Agreement()
        >>> agreement.compare("value", [1.0, np.nan, 0.1 + 0.2], [1.0, np.nan, 0.3])
        >>> agreement.compared["value"], agreement.different["value"]
        (3, 1)
    """

    def __init__(self) -> None:
        self.compared: Counter[str] = Counter()
        self.different: Counter[str] = Counter()

    def compare(self, name: str, mine: Any, theirs: Any) -> None:
        """Compare two arrays, element by element with ``==``; NaN is NaN."""
        mine, theirs = np.asarray(mine), np.asarray(theirs)
        if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            raise ValueError(f"{name}: {mine.dtype} {mine.shape} cannot be compared with {theirs.dtype} {theirs.shape}")
        unlike = (mine != theirs) & ((mine == mine) | (theirs == theirs))
        self.compared[name] += mine.size
        self.different[name] += int(np.count_nonzero(unlike))

    def compare_reset(self, mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
        """Compare what `reset` of two batches has returned."""
        self._compare_all("observation", mine[0], theirs[0])
        self._compare_all("", mine[1], theirs[1])

    def compare_step(self, mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
        """Compare what `step` of two batches has returned."""
        self.compare_reset((mine[0], mine[4]), (theirs[0], theirs[4]))
        self.compare("reward", mine[1], theirs[1])
        for number in (2, 3):
            self.compare("end of the episode", mine[number], theirs[number])

    def _compare_all(self, name: str, mine: Any, theirs: Any) -> None:
        """Compare arrays, or the arrays of dictionaries that have the same keys; masks are left out."""
        if not isinstance(mine, Mapping):
            self.compare(name, mine, theirs)
            return
        if mine.keys() != theirs.keys():
            raise ValueError(f"{name or 'infos'}: {sorted(mine)} cannot be compared with {sorted(theirs)}")
        for key, part in mine.items():
            if not key.startswith("_"):
                self._compare_all(name or key, part, theirs[key])
