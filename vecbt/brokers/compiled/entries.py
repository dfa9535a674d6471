"""The order in which a broker first has to do with its assets.

Backtrader keeps positions in a dictionary and sums over it: of several assets this order decides the last bit of what
the account is worth. A position is entered when it is asked for, when an order for it is checked or when one is filled,
and stays there until the run ends.
"""

from __future__ import annotations

from vecbt.brokers.compiled import book as k
from vecbt.kernels._jit import helper

__all__ = ["enter", "entered", "forget_entries"]


@helper
def forget_entries(book: int, e: int) -> None:
    """Begin a run, in which no asset has been used yet."""
    entries = k.entries(book)[e]
    if entries.shape[0] > 1:
        for place in range(entries.shape[0]):
            entries[place] = -1


@helper
def enter(book: int, e: int, asset: int) -> None:
    """Enter an asset after all others, unless it is there."""
    entries = k.entries(book)[e]
    if entries.shape[0] > 1:
        for place in range(entries.shape[0]):
            if entries[place] < 0:
                entries[place] = asset
                break
            if entries[place] == asset:
                break


@helper
def entered(book: int, e: int, place: int) -> int:
    """The asset at a place of the order; -1 where there is none yet."""
    if k.entries(book).shape[1] == 1:
        return 0  # the only one, which is worth nothing while it has not been used
    return k.entries(book)[e, place]  # type: ignore[no-any-return]
