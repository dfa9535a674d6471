"""Where rows came from, and what is wrong with some of them.

Every check yields a :class:`Fault`, a mask with a reason. Whether a fault raises or the rows go (``repair="drop"``)
is decided in one place, :func:`settle`, so that an error and a note of the repair always tell the same story.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vecbt.arrays import BoolArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vecbt.errors import DataError

__all__ = ["Fault", "Index", "Rows", "settle"]

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Rows:
    """The origin of the rows of a table.

    Attributes:
        sources: Files that the rows came from, or ``("DataFrame",)``.
        numbers: int64 (T,), each row's number as its user counts: lines of a text file from 1, rows of a frame from 0.
        files: int64 (T,), each row's index into ``sources``.
    """

    sources: tuple[str, ...]
    numbers: IntArray
    files: IntArray

    @classmethod
    def of(cls, source: str, numbers: IntArray) -> Rows:
        """Rows of one source."""
        return cls((source,), numbers, np.zeros(len(numbers), np.int64))

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """The rows of ``parts``, one after another."""
        starts = np.cumsum([0, *(len(part.sources) for part in parts)])
        return cls(
            tuple(source for part in parts for source in part.sources),
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.files + start for part, start in zip(parts, starts, strict=False)]),
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, index: BoolArray | Index) -> Rows:
        """The rows that ``index`` (a mask or positions) selects, in its order."""
        return Rows(self.sources, self.numbers[index], self.files[index])

    def name(self, position: int) -> str:
        """The row at ``position`` in words, with its file where there are several."""
        words = f"row {self.numbers[position]}"
        return words if len(self.sources) == 1 else f"{words} of {self.sources[self.files[position]]}"

    def error(
        self, error: type[DataError], message: str, *, at: int | None = None, column: str | None = None
    ) -> DataError:
        """An error about the row at position ``at``, or about the whole."""
        if at is None:
            return error(message, source=", ".join(self.sources), column=column)
        return error(message, source=self.sources[self.files[at]], row=int(self.numbers[at]), column=column)


@dataclass(frozen=True)
class Fault:
    """Rows that cannot stay as they are, for one reason.

    Attributes:
        error: What to raise.
        column: The column at fault, in vecbt's terms; None when it is the row as a whole.
        label: The reason in a few words, for the notes: ``"high below low"``.
        mask: bool (T,), True for the rows at fault.
        describe: Says what is wrong with the row at a position.
        remedy: What the user can do about it, besides leaving the rows out.
    """

    error: type[DataError]
    column: str | None
    label: str
    mask: BoolArray
    describe: Callable[[int], str]
    remedy: str = "correct the data"

    def to_error(self, rows: Rows) -> DataError:
        """The error for the first of the rows."""
        first, count = int(np.argmax(self.mask)), int(np.count_nonzero(self.mask))
        many = f" ({count} rows are at fault like this)" if count > 1 else ""
        remedy = f"{self.remedy}, or let read_bars leave such rows out with repair='drop'"
        return rows.error(self.error, f"{self.describe(first)}{many}: {remedy}", at=first, column=self.column)


def settle(faults: Iterable[Fault], rows: Rows, *, drop: bool) -> tuple[BoolArray, list[str]]:
    """Raise the error of the earliest row at fault, or say which rows to keep.

    Args:
        faults: What the checks found; those without a row count for nothing.
        rows: Where the rows came from.
        drop: Drop the rows at fault instead of raising.

    Returns:
        A bool (T,) mask of the rows to keep, and notes of what goes and why.

    Raises:
        DataError: The type that the fault names, unless ``drop``.
    """
    found = [fault for fault in faults if fault.mask.any()]
    if found and not drop:
        raise min(found, key=lambda fault: int(np.argmax(fault.mask))).to_error(rows)
    keep, notes = np.ones(len(rows), np.bool_), []
    for fault in found:
        gone = fault.mask & keep
        if count := int(np.count_nonzero(gone)):
            first = rows.name(int(np.argmax(gone)))
            notes.append(f"Dropped {count} {'row' if count == 1 else 'rows'}, {fault.label} (first: {first}).")
            keep &= ~gone
    return keep, notes
