"""DataFrames as tables, and Parquet files by way of DataFrames."""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vecbt.data.reading.names import ColumnMap, is_header
from vecbt.data.reading.stamps import TimeColumn, to_text
from vecbt.data.rows import Rows
from vecbt.errors import ColumnError, DataFileError, MissingExtraError, TimestampError

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from numpy.typing import NDArray

__all__ = ["FrameTable", "read_parquet"]

SAMPLE = 20  # rows by which columns are recognised


@dataclass
class FrameTable:
    """A DataFrame; its index counts as further columns behind the others.

    Attributes:
        header: Names of the columns.
        head: Cells of the first rows, as texts.
        rows: Positions of the rows, from 0.
        notes: What was recognised.
        time: Position of the index if it holds datetimes.
    """

    header: list[str]
    head: list[list[str]]
    rows: Rows
    notes: list[str]
    time: int | None
    _columns: list[pd.Series[Any]] = field(repr=False)

    @classmethod
    def open(cls, frame: pd.DataFrame, source: str, given: ColumnMap) -> FrameTable:
        """Look at a frame.

        Raises:
            DataFileError: If it has no rows.
            ColumnError: If it holds several assets.
        """
        if not len(frame):
            raise DataFileError("the frame has no rows", source=source)
        header = _names(frame.columns, given, source)
        columns = [frame.iloc[:, i] for i in range(len(header))]
        time = None
        for level in range(0 if isinstance(frame.index, pd.RangeIndex) else frame.index.nlevels):
            index = frame.index.get_level_values(level)
            if isinstance(index, pd.DatetimeIndex) and time is None:
                time = len(columns)
            header.append(_name(index.name))
            columns.append(pd.Series(index))
        # Without the midnight that a date gets by being a datetime, so that it is seen to need a time of day beside it.
        head = [[to_text(value).removesuffix("T00:00:00") for value in column.iloc[:SAMPLE]] for column in columns]
        rows = Rows.of(source, np.arange(len(frame)))
        return cls(header, [list(row) for row in zip(*head, strict=True)], rows, [], time, columns)

    def read(
        self, positions: Collection[int], text: Collection[int], decimal: str = "."
    ) -> dict[int, NDArray[Any] | TimeColumn]:
        """The columns at some positions: numbers or objects; datetimes as a DatetimeIndex.

        Args:
            positions: Which to read.
            text: Which of them not to take for numbers.
            decimal: Of no matter, because what is text here stays text.

        Raises:
            TimestampError: If one of ``text`` holds periods.
        """
        if any(isinstance(self._columns[i].dtype, pd.PeriodDtype) for i in text):
            message = "periods are no times: use frame.to_timestamp() and stamp='start'"
            raise self.rows.error(TimestampError, message, column="time")
        return {i: _to_array(self._columns[i], text=i in text) for i in positions}


def read_parquet(data: bytes, source: str) -> pd.DataFrame:
    """The frame in a Parquet file.

    Raises:
        MissingExtraError: If pyarrow is not installed.
        DataFileError: If the file is damaged.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError.of("reading Parquet", "pyarrow", "parquet")
    try:
        return pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except Exception as error:  # what pyarrow and pandas raise for a damaged file is not documented
        raise DataFileError(f"begins as a Parquet file, but cannot be read: {error}", source=source) from error


def _to_array(column: pd.Series[Any], *, text: bool) -> NDArray[Any] | TimeColumn:
    dtype = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return pd.DatetimeIndex(column)
    if not text and pd.api.types.is_numeric_dtype(dtype) and dtype.kind in "biuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy(dtype=object)


def _names(columns: pd.Index[Any], given: ColumnMap, source: str) -> list[str]:
    """The names of a frame's columns; of several levels the one that names prices, if the others are one asset's."""
    if columns.nlevels == 1:
        return [str(name) for name in columns]
    levels = [[_name(name) for name in columns.get_level_values(level)] for level in range(columns.nlevels)]
    named = next((names for names in levels if is_header(names, given)), None)
    if named is None:
        raise ColumnError(f"no level of the frame's columns names the prices: {list(columns)[:5]}", source=source)
    for number, names in enumerate(levels):
        assets = sorted({name for name in names if name})
        if names is not named and len(assets) > 1:
            raise ColumnError(
                f"the frame holds several assets ({', '.join(assets)}): choose one, "
                f"frame.xs({assets[0]!r}, axis=1, level={number})",
                source=source,
            )
    return list(named)


def _name(name: Hashable) -> str:
    return "" if name is None else str(name)
