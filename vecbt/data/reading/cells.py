"""Cells to numbers: what the columns of a table hold, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from vecbt.arrays import BoolArray, FloatArray
from vecbt.data.checks import OHLC
from vecbt.data.reading.numbers import Style, parse_numbers, possible_styles
from vecbt.data.rows import Fault, Rows
from vecbt.errors import ColumnError, DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from vecbt.data.reading.columns import Columns
    from vecbt.data.reading.stamps import TimeColumn

    Cells = Mapping[int, NDArray[Any] | TimeColumn]

__all__ = ["CellSource", "Numbers", "read_numbers"]

PRICES = (*OHLC, "adj_close")


class CellSource(Protocol):
    """A source of cells: a text file or a frame."""

    rows: Rows
    notes: list[str]

    @property
    def header(self) -> Sequence[str] | None:
        """Names of the columns, or None if there are none."""

    @property
    def head(self) -> Sequence[Sequence[str]]:
        """Cells of the first rows, as texts."""

    @property
    def time(self) -> int | None:
        """Position of a column that is known to hold the times."""

    def read(self, positions: Collection[int], text: Collection[int], decimal: str = ".") -> Cells:
        """The columns at some positions, ``text`` of them as they are written."""


@dataclass(frozen=True)
class Numbers:
    """The columns of a table, but its time.

    Attributes:
        columns: float64 (T,) by vecbt's names; NaN where a cell is empty or a fault is.
        faults: Rows with cells that are no numbers.
        notes: What to tell about them.
    """

    columns: dict[str, FloatArray]
    faults: list[Fault]
    notes: list[str]


def read_numbers(table: CellSource, chosen: Columns, cells: Cells) -> Numbers:
    """Make numbers of cells.

    Args:
        table: Where the cells came from; they are read again as text if the file has decimal commas.
        chosen: Which column is what.
        cells: The columns as read.

    Raises:
        ColumnError: If a column besides the prices and the volume holds varying texts, and if ``1,234`` could be both
            a thousand and one and a bit.
    """
    cells, style = _with_style(table, chosen, cells)
    found = Numbers({}, [], ["Numbers have decimal commas."] * (style is Style.COMMA))
    for name, position in chosen.positions.items():
        _read_column(name, chosen.labels[name], cells[position], style, table.rows, found)
    return found


def _read_column(
    name: str, label: str, values: NDArray[Any] | TimeColumn, style: Style, rows: Rows, found: Numbers
) -> None:
    extra = name not in (*PRICES, "volume")
    if isinstance(values, pd.DatetimeIndex):
        values = values.to_numpy(dtype=object)
    if values.dtype == object:
        numbers, junk = parse_numbers(values, style)
        if extra and np.count_nonzero(junk) > np.count_nonzero(~np.isnan(numbers)):
            _drop_text(name, label, values, np.isnan(numbers) & ~junk, rows, found)
            return
        if junk.any():
            found.faults.append(
                Fault(
                    ColumnError,
                    name,
                    f"{name} no number",
                    junk,
                    lambda i: f"expected a number, got {str(values[i])[:40]!r}",
                )
            )
    else:
        numbers = values.astype(np.float64)
    if name not in OHLC and np.isnan(numbers).all():
        found.notes.append(f"Left out {label!r}, which is empty.")
        return
    if name == "volume" and not numbers.any():
        found.notes.append("The volume is 0 in every row.")
    found.columns[name] = numbers


def _drop_text(
    name: str, label: str, values: NDArray[np.object_], missing: BoolArray, rows: Rows, found: Numbers
) -> None:
    """Leave out a column that holds the same text in every row; refuse one that does not."""
    present = np.flatnonzero(~missing)
    first = str(values[present[0]])
    other = next((i for i in present if str(values[i]) != first), None)
    if other is not None:
        raise rows.error(
            ColumnError,
            f"{label!r} holds text that varies, {first[:40]!r} and {str(values[other])[:40]!r}: if these are several "
            f"assets, read one at a time, otherwise leave the column out with columns={{{name!r}: None}}",
            at=int(other),
            column=name,
        )
    found.notes.append(f"Left out {label!r}, which is {first[:40]!r} in every row.")


def _with_style(table: CellSource, chosen: Columns, cells: Cells) -> tuple[Cells, Style]:
    """How the file writes numbers, and the cells, read again if they were taken for numbers too early."""
    positions = set(chosen.positions.values())
    styles = possible_styles(_texts(cells, chosen))
    if len(styles) == 2:  # 1,234 can be either; what is a number already, as text again, may tell
        texts = table.read(positions, positions)
        styles = possible_styles(_texts(texts, chosen))
        if len(styles) == 2:
            raise _two_styles(table, chosen, texts)
    if styles == {Style.COMMA}:
        return table.read(positions, (), ","), Style.COMMA  # where 1.234 is a thousand
    return cells, Style.POINT


def _texts(cells: Cells, chosen: Columns) -> list[NDArray[np.object_]]:
    columns = (cells[position] for position in chosen.positions.values())
    return [values for values in columns if not isinstance(values, pd.DatetimeIndex) and values.dtype == object]


def _two_styles(table: CellSource, chosen: Columns, cells: Cells) -> DataError:
    for name, position in chosen.positions.items():
        for i, value in enumerate(cells[position]):
            if isinstance(value, str) and "," in value:
                message = f"{value!r} may be a number with a thousands separator or with a decimal comma, and no other "
                message += "cell tells which: write numbers without separators, or pass a DataFrame"
                return table.rows.error(ColumnError, message, at=i, column=name)
    raise AssertionError("two styles are possible only where there is a comma")
