"""The lines of a text file, looked at as one array of bytes."""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vecbt.errors import DataFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vecbt.arrays import BoolArray, IntArray

__all__ = ["Lines", "split"]

_CONTROL = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NEWLINE = ord("\n")


def split(line: str, separator: str) -> list[str]:
    """The cells of a line, stripped; quoted cells may hold separators."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(separator)]
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except csv.Error:  # a cell of more than 131,072 characters
        return [line]
    return [cell.strip() for cell in cells]


@dataclass(frozen=True)
class Lines:
    r"""Lines of a text file that are not blank.

    Attributes:
        data: The file as UTF-8, its lines ended by ``\\n``.
        starts: int64 (L,), where each line begins.
        ends: int64 (L,), where each line ends, its ``\\n`` left out.
        numbers: int64 (L,), line numbers from 1.
    """

    data: bytes
    starts: IntArray
    ends: IntArray
    numbers: IntArray

    @classmethod
    def of(cls, data: bytes, source: str) -> Lines:
        """The lines of a file.

        Raises:
            DataFileError: If the file is empty or no text.
        """
        data = _to_utf8(data, source)
        breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
        starts, ends = np.append(0, breaks + 1), np.append(breaks, len(data))
        lines = cls(data, starts, ends, np.arange(1, len(starts) + 1))
        lines = lines.take(ends > starts)
        padded = np.isin(lines.first_bytes(), np.frombuffer(b" \t", np.uint8))
        for i in np.flatnonzero(padded):
            padded[i] = not lines.text(i).strip()
        lines = lines.take(~padded)
        if not len(lines):
            raise DataFileError("the file is empty", source=source)
        return lines

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, index: BoolArray | slice) -> Lines:
        """Some of the lines."""
        return Lines(self.data, self.starts[index], self.ends[index], self.numbers[index])

    def text(self, i: int | np.intp) -> str:
        """Line ``i`` of these."""
        return self.data[self.starts[i] : self.ends[i]].decode()

    def head(self, count: int) -> list[str]:
        """The first lines."""
        return [self.text(i) for i in range(min(count, len(self)))]

    def first_bytes(self) -> NDArray[np.uint8]:
        """The first byte of each line."""
        return np.frombuffer(self.data, np.uint8)[self.starts]

    def without_empty(self, separator: str) -> Lines:
        """The lines that are no comments and hold more than separators, as spreadsheets leave behind."""
        empty = self.ends - self.starts == self._separators(separator)
        return self.take(~empty & (self.first_bytes() != ord("#")))

    def count_cells(self, separator: str) -> IntArray:
        """int64 (L,), the number of cells in each line; 0 where quotes do not match."""
        if b'"' not in self.data:
            return self._separators(separator) + 1
        return np.array([_count_quoted(self.text(i), separator) for i in range(len(self))], np.int64)

    def body(self) -> bytes:
        """The lines alone, without those that lie between them in the file."""
        if not len(self):
            return b""
        if (self.starts[1:] == self.ends[:-1] + 1).all():
            return self.data[self.starts[0] : self.ends[-1]]
        ranges = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return b"\n".join([self.data[start:end] for start, end in ranges])

    def _separators(self, separator: str) -> IntArray:
        places = np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord(separator))
        counts = np.searchsorted(places, self.ends) - np.searchsorted(places, self.starts)
        return counts.astype(np.int64)


def _count_quoted(line: str, separator: str) -> int:
    if '"' not in line:
        return line.count(separator) + 1
    try:
        return len(next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)))
    except csv.Error:
        return 0


def _to_utf8(data: bytes, source: str) -> bytes:
    try:
        if data.startswith(_UTF16):
            data = data.decode("utf-16").encode()
        data = data.removeprefix(codecs.BOM_UTF8)
        if not data.isascii():
            data.decode()
    except UnicodeError:
        raise DataFileError("expected text in UTF-8 (or Parquet), got other bytes", source=source) from None
    if len(data.translate(None, _CONTROL)) != len(data):
        raise DataFileError("expected a text file (or Parquet), got binary data", source=source)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
