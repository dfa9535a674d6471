"""Reading bars: any source that holds them, to :class:`vecbt.data.bars.Bars`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from vecbt.data.bars import Bars
from vecbt.data.checks import OHLC, TOLERANCE, price_faults, volume_faults
from vecbt.data.reading.cells import CellSource, read_numbers
from vecbt.data.reading.columns import find_columns
from vecbt.data.reading.files import read_bytes, stem
from vecbt.data.reading.frame import FrameTable, read_parquet
from vecbt.data.reading.stamps import read_stamps
from vecbt.data.reading.table import Table
from vecbt.data.reading.textfile import TextTable
from vecbt.data.reading.zones import Zone, check_zone
from vecbt.errors import ColumnError, ConfigError, UnknownNameError

if TYPE_CHECKING:
    from vecbt.arrays import FloatArray
    from vecbt.data.reading.names import ColumnMap

__all__ = ["Repair", "Source", "read_bars", "read_stream"]

Source = str | os.PathLike[str] | pd.DataFrame
Repair = Literal["drop", "sort"]
REPAIRS = ("drop", "sort")


def read_bars(
    source: Source | Bars | Sequence[Source],
    *,
    tz: str | Zone | None = None,
    stamp: Literal["end", "start"] | None = None,
    columns: ColumnMap | None = None,
    date_format: str | None = None,
    adjust: bool = False,
    repair: Repair | Collection[Repair] | None = None,
) -> Bars:
    """Read bars and make sure that they are valid.

    What a file holds is told by its contents, not its name: text with any of ``, ; tab |`` between cells, with or
    without a header, plain or packed (gzip, bzip2, xz, zip); or Parquet. Among others: HistData ASCII, MetaTrader,
    Yahoo and yfinance, stooq, Binance, CryptoDataDownload, Dukascopy, kibot, Alpha Vantage, TradingView, Nasdaq.
    Columns are known by their names in any usual spelling and order. Numeric columns besides open, high, low, close
    and volume become ``extras``, named in lower snake case (``"Adj Close"`` is ``adj_close``); a column with the same
    text in every row, such as the ticker, is left out. What was recognised is in ``notes``.

    Nothing is guessed where a guess could be wrong, and nothing is mended unasked.

    Args:
        source: A path; a DataFrame, with the time in its index or in a column; a list of these, in the order of time,
            as of monthly files; or Bars, which are returned as they are.
        tz: The time zone of stamps that name none, such as ``"America/New_York"``; UTC by default. An error if the
            stamps have a zone or an offset of their own, or are epoch counts, which are in UTC.
        stamp: Whether the stamps are the ends or the starts of the bars. Starts are moved by the bars' interval, so
            that no bar counts as known before it is. None: starts if the column says so by its name (``open_time``),
            ends otherwise.
        columns: Which column is what, where the names do not tell: from vecbt's names (``"time"``, ``"open"``, ...,
            or a name for a further column) to names in the source or positions from 0. None leaves a column out;
            ``"time"`` may name two columns, date and time of day. A file without a header needs all positions.
        date_format: The form of dates in text as ``datetime.strptime`` has it, for forms that are not recognised or
            ambiguous: ``"%d/%m/%Y %H:%M"``. Date and time of day in two columns are joined by a space.
        adjust: Scale open, high and low by adjusted close over close, and take the adjusted close for the close, as
            for splits and dividends. The volume stays as it is.
        repair: ``"sort"`` sorts the rows by time; ``"drop"`` leaves out rows that are invalid (a cell that cannot be
            read or is missing, prices that cannot be, a time that occurred before); a collection of both does both.
            ``notes`` says what was done.

    Returns:
        The bars, their stamps in UTC at the bars' ends.

    Raises:
        DataFileError: If a file is missing, empty, damaged, or no table.
        ColumnError: For missing or ambiguous columns, and cells that are no numbers.
        TimestampError: For times that are missing, unreadable, ambiguous, unsorted or duplicate.
        PriceError: For prices that cannot be.
        TooFewBarsError: If ``stamp="start"`` and there is one bar, which has no interval.
        ConfigError: For an invalid argument.
        MissingExtraError: For Parquet without pyarrow.

    Example:
        >>> frame = pd.DataFrame(
        ...     {"Date": ["2024-01-02", "2024-01-03"], "Open": [1, 2], "High": [3, 3], "Low": [1, 1], "Last": [2, 1]}
        ... )
        >>> bars = read_bars(frame, tz="America/New_York")
        >>> bars
        <Bars DataFrame: 2 bars of 1 d, 2024-01-02 05:00:00 to 2024-01-03 05:00:00 UTC>
        >>> bars.close
        array([2., 1.])
    """
    options = _Options(check_zone(tz), stamp, columns or {}, date_format, adjust, _repairs(repair))
    if isinstance(source, Bars):
        if options != _Options():
            raise ConfigError("the options are for reading, but the source is Bars, which have been read")
        return source
    return _read(source, options).to_bars()


def read_stream(source: Source | Sequence[Source]) -> tuple[Bars, bool]:
    """The bars that `read_bars` reads without options, and whether the source says that its stamps are starts."""
    table = _read(source, _Options())
    return table.to_bars(), table.starts


def _read(source: Source | Sequence[Source], options: _Options) -> Table:
    parts: list[Any] = list(source) if isinstance(source, list | tuple) else [source]
    if not parts:
        raise ConfigError("expected a path, a DataFrame, or a list of these, got an empty list")
    table = Table.join([_read_part(part, options) for part in parts])
    table.put_in_order(sort="sort" in options.repair, drop=options.drop)
    if options.adjust:
        table.adjust(drop=options.drop)
    table.check_extras(drop=options.drop)
    if options.stamp == "start" or (options.stamp is None and table.starts):
        table.move_to_ends()
    return table


@dataclass(frozen=True)
class _Options:
    """The arguments of read_bars, validated."""

    tz: Zone | None = None
    stamp: str | None = None
    columns: ColumnMap = field(default_factory=dict)
    date_format: str | None = None
    adjust: bool = False
    repair: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.stamp not in (None, "start", "end"):
            raise UnknownNameError.of("stamp", self.stamp, ("start", "end"))
        if not isinstance(self.columns, Mapping):
            raise ConfigError(f"columns: expected a mapping such as {{'open': 'Bid Open'}}, got {self.columns!r}")

    @property
    def drop(self) -> bool:
        return "drop" in self.repair


def _repairs(repair: Repair | Collection[Repair] | None) -> frozenset[str]:
    repairs = (repair,) if isinstance(repair, str) else repair or ()
    for name in repairs:
        if name not in REPAIRS:
            raise UnknownNameError.of("repair", name, REPAIRS)
    return frozenset(repairs)


def _read_part(source: Source, options: _Options) -> Table:
    cells, name = _open(source, options)
    label = cells.rows.sources[0]
    chosen = find_columns(cells.header, cells.head, options.columns, label, time=cells.time)
    columns = cells.read({*chosen.time, *chosen.positions.values()}, text=chosen.time)
    stamps = read_stamps(
        [columns[i] for i in chosen.time],
        cells.rows,
        tz=options.tz,
        date_format=options.date_format,
        utc=chosen.utc,
    )
    numbers = read_numbers(cells, chosen, columns)
    if chosen.guessed:
        _check_guess(numbers.columns, label)
    faults = [*stamps.faults, *numbers.faults, *price_faults(numbers.columns)]
    if "volume" in numbers.columns:
        faults += volume_faults(numbers.columns["volume"])
    notes = [*cells.notes, *chosen.notes, *stamps.notes, *numbers.notes]
    table = Table(stamps.ns, numbers.columns, cells.rows, name, notes, chosen.starts)
    table.settle(faults, drop=options.drop)
    return table


def _open(source: Any, options: _Options) -> tuple[CellSource, str]:
    """The cells of a source, and what to call its bars."""
    if isinstance(source, pd.DataFrame):
        return FrameTable.open(source, "DataFrame", options.columns), "DataFrame"
    if not isinstance(source, str | os.PathLike):
        kind = f"{type(source).__module__}.{type(source).__qualname__}"
        hint = ": call its to_pandas()" if hasattr(source, "to_pandas") else ""
        raise ConfigError(f"expected a path, a pandas DataFrame, or a list of these, got {kind}{hint}")
    path = Path(source).expanduser()
    data = read_bytes(path)
    if data.startswith(b"PAR1"):
        return FrameTable.open(read_parquet(data, str(path)), str(path), options.columns), stem(path)
    return TextTable.open(data, str(path), options.columns, drop=options.drop), stem(path)


def _check_guess(columns: Mapping[str, FloatArray], source: str) -> None:
    """Refuse a guess of the columns' order that the prices contradict; a few bad rows are another matter."""
    open_, high, low, close = (columns[name] for name in OHLC)
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    wrong = (high < top * (1.0 - TOLERANCE)) | (low > bottom * (1.0 + TOLERANCE))
    moving = (open_ != close) | (high != low)  # bars of one price fit any order
    if np.count_nonzero(wrong) * 3 > np.count_nonzero(moving):
        raise ColumnError(
            "no header, and the order time, open, high, low, close does not fit the prices: say which column is "
            "which, positions from 0: columns={'time': 0, 'open': 1, 'high': 2, 'low': 3, 'close': 4}",
            source=source,
        )
