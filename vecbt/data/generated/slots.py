"""Slots: rows of shared memory that hold one generated trial after another, and the words by which they are ordered.

The environments' side orders the trial of an episode into a slot that no running episode reads, under the next number
of a count; the other side makes it and writes that number beside the slot. A slot is ready while the two agree: an
order that replaces another simply has a later number, and what was made for the earlier one is made again.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from vecbt.arrays import AnyArray, IntArray
from vecbt.shm.arena import Arena, ArraySpec
from vecbt.shm.words import post

__all__ = ["CLOSED", "FAILED", "FILLED", "FILLER_ASLEEP", "ORDERED", "PARENT_ASLEEP", "SlotColumns", "close_words"]

_LINE = 8
# The first line is the environments' side's, the second the other's.
ORDERED, PARENT_ASLEEP, CLOSED = 0, 1, 2
FILLED, FILLER_ASLEEP, FAILED = _LINE, _LINE + 1, _LINE + 2
_WORDS = 2 * _LINE
_ERROR = 512


@dataclasses.dataclass(frozen=True)
class SlotColumns:
    """Slots behind the rows of a data set; without any, the trials are all stored.

    Attributes:
        arena: The memory, all int64, with

            * ``keys`` (S, 3), the trial ordered for each slot: two words of a seed, and the number of the episode
            * ``ordered`` (S,), number of the order, from 1; 0 for none
            * ``made`` (S,), number of the order that the slot holds
            * ``words`` (16,), counts of orders and of trials made, and who sleeps on them
            * ``error`` (512,), a reply of `vecbt.messages` when a trial could not be made, as a length and bytes

        stored: Rows of the data set. Behind them comes a sample of generated trials that nobody is given.
        first_row: Row of the table at which the first slot begins.
        bars: Rows of a slot.
    """

    arena: Arena
    stored: int
    first_row: int
    bars: int

    @classmethod
    def of(cls, slots: int, stored: int, first_row: int, bars: int) -> SlotColumns:
        """Slots in shared memory."""
        shapes: dict[str, tuple[int, ...]] = {
            "keys": (slots, 3),
            "ordered": (slots,),
            "made": (slots,),
            "words": (_WORDS,),
            "error": (_ERROR,),
        }
        return cls(Arena({name: ArraySpec(shape, "int64") for name, shape in shapes.items()}), stored, first_row, bars)

    @property
    def count(self) -> int:
        """Number of slots."""
        return len(self.arena.arrays["made"])

    @property
    def words(self) -> IntArray:
        """See above."""
        return self.arena.arrays["words"]

    def row(self, slot: int) -> int:
        """First row of a slot."""
        return self.first_row + slot * self.bars

    def close(self) -> None:
        """Say that nothing more will be ordered; may be called again, and by either side."""
        close_words(self.words)

    def put_error(self, reply: bytes) -> None:
        """Leave the reply that tells of an error."""
        error = self.arena.arrays["error"]
        data = _bytes(error)
        error[0] = len(reply)
        data[: len(reply)] = np.frombuffer(reply, np.uint8)

    def error(self) -> bytes:
        """The reply that tells of an error."""
        error = self.arena.arrays["error"]
        return bytes(_bytes(error)[: int(error[0])])

    @property
    def longest_error(self) -> int:
        """Bytes of the longest reply that there is room for."""
        return len(_bytes(self.arena.arrays["error"]))


def close_words(words: IntArray) -> None:
    """See `SlotColumns.close`."""
    words[CLOSED] = 1
    post(words, ORDERED, int(words[ORDERED]) + 1, FILLER_ASLEEP)


def _bytes(error: IntArray) -> AnyArray:
    return error[1:].view(np.uint8)
