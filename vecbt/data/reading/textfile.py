"""Text files as tables: which separator, where the header is, and the cells."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vecbt.arrays import IntArray
from vecbt.data.reading.dateforms import is_date
from vecbt.data.reading.lines import Lines, split
from vecbt.data.reading.names import TIMES, ColumnMap, is_header, normalize
from vecbt.data.reading.numbers import MISSING, is_number
from vecbt.data.rows import Fault, Rows, settle
from vecbt.errors import ColumnError, DataFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

__all__ = ["TextTable"]

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
HEAD = 100  # lines in which to look for the header
SAMPLE = 20  # rows by which columns are recognised
# Up to 3.0 pandas rounds the last digit of a number wrongly unless it is told not to; from 3.1 on it must not be told.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
_EXACT: dict[str, Any] = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}


@dataclass
class TextTable:
    """A text file whose rows are found and whose cells are yet to be read.

    Attributes:
        header: Names of the columns, or None if the file has none.
        head: Cells of the first rows.
        rows: The rows' line numbers.
        notes: What was recognised.
        time: None: no column is known to hold the times.
    """

    header: list[str] | None
    head: list[list[str]]
    rows: Rows
    notes: list[str]
    _lines: Lines
    _separator: str
    _width: int
    time: None = field(default=None, init=False)

    @classmethod
    def open(cls, data: bytes, source: str, given: ColumnMap, *, drop: bool) -> TextTable:
        """Find the table in a text file.

        Args:
            data: The file.
            source: What it is called in errors.
            given: The user's ``columns=``, by which an unusual header is recognised.
            drop: Leave out rows with too many or too few cells.

        Raises:
            DataFileError: If there is no table in it.
            ColumnError: If a row has too many or too few cells, or the file holds several assets.
        """
        lines = Lines.of(data, source)
        separator, header, first = _find_table(lines, given, source)
        notes = [f"Text, separated by {SEPARATORS[separator]}, {'without' if header is None else 'with'} a header."]
        if skipped := first - (header is not None):
            notes.append(f"Skipped {skipped} line{'s' * (skipped > 1)} above, {lines.text(0)[:40]!r}.")
        lines = lines.take(slice(first, None))
        if header is not None:
            below = _read_below(header, lines.head(2), separator, source)
            lines = lines.take(slice(below, None))
        lines = lines.without_empty(separator)
        if not len(lines):
            raise DataFileError("the file has a header but no rows", source=source)
        counts = lines.count_cells(separator)
        usual = int(np.bincount(counts[counts > 0], minlength=2).argmax())
        if header is not None:
            _fit(header, [split(line, separator) for line in lines.head(SAMPLE)], usual)
        width = usual if header is None else len(header)
        rows = Rows.of(source, lines.numbers)
        keep, dropped = settle([_wrong_width(counts, width, header)], rows, drop=drop)
        lines = lines.take(keep)
        if not len(lines):
            raise DataFileError(f"no row is left. {' '.join(dropped)}", source=source)
        head = [split(line, separator) for line in lines.head(SAMPLE)]
        if header is None and not any(cells[-1] for cells in head):  # each line ends with a separator
            head = [cells[:-1] for cells in head]
        return cls(header, head, rows.take(keep), notes + dropped, lines, separator, width)

    def read(self, positions: Collection[int], text: Collection[int], decimal: str = ".") -> dict[int, NDArray[Any]]:
        """The columns at some positions: numbers if all cells are, else objects; NaN where a cell is empty.

        Args:
            positions: Which to read.
            text: Which of them to leave as text.
            decimal: The decimal mark.

        Raises:
            DataFileError: If quotes do not match.
        """
        body = self._lines.body()
        try:
            frame = pd.read_csv(
                io.BytesIO(body),
                sep=self._separator,
                decimal=decimal,
                header=None,
                names=list(range(self._width)),
                usecols=sorted(positions),
                dtype=dict.fromkeys(text, object),
                index_col=False,
                na_values=sorted(MISSING),
                keep_default_na=False,
                quoting=csv.QUOTE_MINIMAL if b'"' in body else csv.QUOTE_NONE,
                skipinitialspace=True,
                skip_blank_lines=False,
                low_memory=False,
                engine="c",
                **_EXACT,
            )
        except (ValueError, OverflowError) as error:
            raise DataFileError(f"cannot be read as a table: {error}", source=self.rows.sources[0]) from error
        if len(frame) != len(self.rows):
            raise DataFileError("cannot be read as a table: quotes do not match", source=self.rows.sources[0])
        return {position: _to_array(frame[position]) for position in positions}


def _to_array(column: pd.Series[Any]) -> NDArray[Any]:
    return column.to_numpy() if column.dtype.kind in "iuf" else column.to_numpy(dtype=object)


def _find_table(lines: Lines, given: ColumnMap, source: str) -> tuple[str, list[str] | None, int]:
    """The separator, the header, and the index of the line after it."""
    texts = lines.head(HEAD)
    first = None
    for i, text in enumerate(texts):
        for separator in SEPARATORS:
            cells = split(text.lstrip("#"), separator)
            if is_header(cells, given):
                return separator, cells, i + 1
        if any(_is_row(split(text, separator)) for separator in SEPARATORS):
            first = i
            break
    if first is None:
        raise DataFileError(_no_table(texts[0]), source=source)
    # A separator that splits numbers in two makes fewer rows.
    separator = max(SEPARATORS, key=lambda separator: sum(_is_row(split(text, separator)) for text in texts[first:]))
    if first > 0:
        above, row = split(texts[first - 1].lstrip("#"), separator), split(texts[first], separator)
        if abs(len(above) - len(row)) <= 1 and not any(is_number(name) for name in above):
            return separator, above, first  # names that vecbt does not know
    return separator, None, first


def _is_row(cells: Sequence[str]) -> bool:
    """Whether cells look like a bar: a time and numbers."""
    numbers = sum(is_number(cell) for cell in cells)
    return (len(cells) >= 3 and numbers >= 2 and any(is_date(cell) for cell in cells)) or numbers >= 4


def _no_table(line: str) -> str:
    expected = "expected rows of time, open, high, low and close"
    start = line.strip().lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        return f"{expected}, got a web page: was the download refused?"
    if start.startswith(("{", "[")):
        return f"{expected}, got JSON: make a DataFrame of it, for instance with pandas.read_json"
    return f"{expected}; the first line is {line[:80]!r}"


def _read_below(header: list[str], lines: Sequence[str], separator: str, source: str) -> int:
    """Read the lines that a frame with several levels of names has below the first: their number.

    ``Price,Close,High`` may be followed by ``Ticker,AAPL,AAPL`` and by ``Date,,``, which names the first column.
    """
    below = 0
    for line in lines:
        first, *rest = split(line, separator)
        tickers = {cell for cell in rest if cell}
        if rest and not tickers and first and not is_date(first):
            header[0] = first
            return below + 1
        if (
            below
            or first.lower() not in ("", "ticker", "tickers", "symbol")
            or any(map(is_number, tickers))
            or not all(rest)
        ):
            break
        if len(tickers) > 1:
            names = ", ".join(sorted(tickers))
            raise ColumnError(f"the file holds several assets ({names}): write a file for each", source=source)
        header[0], below = "", 1
    return below


def _fit(header: list[str], head: Sequence[Sequence[str]], usual: int) -> None:
    """Make a header as long as the rows are where one of them has a name or a cell too few for a known reason."""
    if len(header) == usual - 1:
        if not any(normalize(name) in TIMES for name in header):
            header.insert(0, "")  # the first column, the time, has no name
        elif not any(cells[-1] for cells in head):
            header.append("")  # each row ends with a separator
    elif len(header) == usual + 1 and not header[-1]:
        header.pop()


def _wrong_width(counts: IntArray, width: int, header: Sequence[str] | None) -> Fault:
    expected = f"expected {width} cells, as {'other rows have' if header is None else 'the header has names'}"

    def describe(i: int) -> str:
        return f"{expected}, got {counts[i]}" if counts[i] else "quotes do not match"

    return Fault(ColumnError, None, "too many or too few cells", counts != width, describe)
