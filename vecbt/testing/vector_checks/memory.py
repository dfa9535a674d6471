"""Whether results stay what they were when they were returned."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.testing.vector_checks.compare import leaves
from vecbt.testing.vector_checks.rules import violation

__all__ = ["Watch", "shared"]


class Watch:
    """Keeps what was returned, beside copies of it.

    Sharing memory with the call before is found at once; a ring of buffers, by what it does to older results.

    Args:
        copies: Whether observations and infos are to be the caller's; rewards and flags always are.
    """

    def __init__(self, copies: bool) -> None:
        self._copies = copies
        self._kept: list[tuple[str, list[tuple[str, AnyArray]], list[AnyArray]]] = []

    def see(self, where: str, result: dict[str, Any]) -> None:
        """Take note of a result.

        Raises:
            ConformanceError: If it shares memory with the result before.
        """
        watched = result if self._copies else {k: v for k, v in result.items() if k not in ("observations", "infos")}
        arrays = [leaf for name, part in watched.items() for leaf in leaves(part, name)]
        if self._kept:
            before, others, _ = self._kept[-1]
            pair = shared(arrays, others)
            if pair:
                raise violation("memory", f"{pair[0]} in memory of its own", f"{pair[1]} of {before}", where=where)
        if self._copies and "final_obs" in result["infos"]:
            final = list(leaves(result["infos"]["final_obs"], "infos['final_obs']"))
            pair = shared(final, list(leaves(result["observations"], "observations")))
            if pair:
                raise violation("memory", f"{pair[0]} in memory of its own", pair[1], where=where)
        self._kept.append((where, arrays, [copy.deepcopy(array) for _, array in arrays]))

    def settle(self) -> None:
        """See that nothing that was returned has changed since, and forget it.

        Raises:
            ConformanceError: If something has.
        """
        for where, arrays, originals in self._kept:
            for (name, array), original in zip(arrays, originals, strict=True):
                if array.tobytes() != original.tobytes():
                    raise violation(
                        "memory", f"{name} to stay as returned", "other values after later calls", where=where
                    )
        del self._kept[:-1]


def shared(mine: list[tuple[str, AnyArray]], theirs: list[tuple[str, AnyArray]]) -> tuple[str, str] | None:
    """Names of two arrays in the same memory; what nobody may write to can be shared."""
    for name, array in mine:
        for other_name, other in theirs:
            if (array.flags.writeable or other.flags.writeable) and np.shares_memory(array, other):
                return name, other_name
    return None
