"""The data set as the engines read it: arrays in shared memory, loaded once for everybody."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vecbt.arrays import AnyArray, FloatArray
from vecbt.data.bars import Bars
from vecbt.data.checks import OHLC
from vecbt.data.clock import GlobalTime
from vecbt.data.describe import Description, describe_rows
from vecbt.data.generated.slots import SlotColumns
from vecbt.data.supply import TrialSupply
from vecbt.errors import FeatureError
from vecbt.kernels.dates import date_numbers
from vecbt.shm.arena import Arena, ArraySpec

if TYPE_CHECKING:
    from vecbt.data.aligned import AlignedBars
    from vecbt.data.domain.tables import Section, TrialTable
    from vecbt.data.features import FeatureTable

__all__ = ["BarColumns", "DataTable", "FeatureColumns", "Standard", "TrialColumns"]


@dataclasses.dataclass(frozen=True)
class BarColumns:
    """T bars of K assets.

    Attributes:
        arena: The memory, with the arrays

            * ``ohlc`` float64 (T, K, 4), prices
            * ``volume`` float64 (T, K)
            * ``lines`` float64 (X, T), further columns for strategies, each contiguous, asset after asset
            * ``stamps`` int64 (T,), UTC nanoseconds at which the bar is known
            * ``times`` float64 (T,), the same as Backtrader's date numbers

        assets: Names of the assets.
        line_names: For each asset the names of its further columns; the first asset has those of the joined streams
            too, ``"DAILY_close"`` and so on.
        interval: Nanoseconds from bar to bar (the most frequent).
        fingerprint: Hash of the data.
    """

    arena: Arena
    assets: tuple[str, ...]
    line_names: tuple[tuple[str, ...], ...]
    interval: int
    fingerprint: str

    @classmethod
    def of(cls, bars: Bars | AlignedBars, free: int = 0) -> BarColumns:
        """Lay out bars in shared memory.

        Args:
            bars: The bars.
            free: Further rows behind them.
        """
        parts = {bars.name: bars} if isinstance(bars, Bars) else bars.by_asset
        lines: list[dict[str, FloatArray]] = [dict(part.extras) for part in parts.values()]
        if not isinstance(bars, Bars):
            for stream, own in bars.joined.items():
                lines[0] |= {f"{stream}_{name}": bars.column(f"{stream}.{name}") for name in own.columns}
        stored, assets = len(bars), len(parts)
        count = stored + free
        arena = Arena(
            {
                "ohlc": ArraySpec((count, assets, 4), "float64"),
                "volume": ArraySpec((count, assets), "float64"),
                "lines": ArraySpec((sum(map(len, lines)), count), "float64"),
                "stamps": ArraySpec((count,), "int64"),
                "times": ArraySpec((count,), "float64"),
            }
        )
        arrays = arena.arrays
        for asset, part in enumerate(parts.values()):
            for column, name in enumerate(OHLC):
                arrays["ohlc"][:stored, asset, column] = part.column(name)
            arrays["volume"][:stored, asset] = part.volume
        for number, values in enumerate(values for own in lines for values in own.values()):
            arrays["lines"][number, :stored] = values
        arrays["stamps"][:stored] = bars.timestamps
        arrays["times"][:stored] = date_numbers(bars.timestamps)
        return cls(arena, tuple(parts), tuple(map(tuple, lines)), bars.interval, bars.fingerprint())


@dataclasses.dataclass(frozen=True)
class FeatureColumns:
    """The F columns of the window.

    Attributes:
        arena: The memory, with ``features`` float32 (T, F) and ``raw_features`` float64 (T, F), one of which has no
            rows; and ``price_of`` int64 (F,), the asset in whose price a column is, or -1.
        names: Names of the columns.
    """

    arena: Arena
    names: tuple[str, ...]

    @classmethod
    def of(cls, table: FeatureTable, normalize: str | None, train_rows: tuple[int, int]) -> FeatureColumns:
        """Lay out feature columns in shared memory.

        Args:
            table: The computed features.
            normalize: None; ``"train"`` for columns with the mean 0 and the standard deviation 1 over the training
                rows; ``"window"`` to leave it to the window.
            train_rows: First row that training may see, and the row after the last.

        Raises:
            FeatureError: If a value does not fit into float32, or a column is constant over the training rows.
        """
        values = table.values
        if normalize == "train":
            first, end = train_rows
            values = Standard.of(values[max(first, table.first_valid) : end], table.names).apply(values)
        columns = cls.reserve(table, len(values), own=normalize == "window")
        columns.write(0, values, table.first_valid)
        return columns

    @classmethod
    def reserve(cls, table: FeatureTable, rows: int, own: bool) -> FeatureColumns:
        """Shared memory for the columns of a table.

        Args:
            table: The table; of it only what the columns are.
            rows: Number of rows.
            own: Whether windows are normalized by themselves.
        """
        columns = len(table.names)
        arena = Arena(
            {
                "features": ArraySpec((0 if own else rows, columns), "float32"),
                "raw_features": ArraySpec((rows if own else 0, columns), "float64"),
                "price_of": ArraySpec((columns,), "int64"),
            }
        )
        arena.arrays["price_of"][:] = table.price_of
        return cls(arena, table.names)

    def write(self, row: int, values: FloatArray, first_valid: int) -> None:
        """Write values, the first of them into a row.

        Args:
            row: The row.
            values: float64 (n, F).
            first_valid: Number of the first of them that somebody sees.

        Raises:
            FeatureError: If one does not fit into float32.
        """
        arrays = self.arena.arrays
        too_large = np.abs(values[first_valid:]) > np.finfo(np.float32).max
        if too_large.any():
            place, column = np.argwhere(too_large)[0]
            value = values[first_valid + place, column]
            raise FeatureError(
                f"feature {self.names[column]!r} at row {first_valid + place} is {value}, beyond float32; divide it by "
                f"something of its size"
            )
        target = arrays["features"] if len(arrays["features"]) else arrays["raw_features"]
        with np.errstate(over="ignore"):  # rows before the first valid one hold NaN, or what nobody sees
            target[row : row + len(values)] = values


@dataclasses.dataclass(frozen=True)
class Standard:
    """What columns have to be shifted and divided by to have the mean 0 and the standard deviation 1.

    Attributes:
        mean: float64 (F,).
        deviation: float64 (F,).
    """

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, sample: FloatArray, names: Sequence[str]) -> Standard:
        """The standard of a sample, float64 (n, F).

        Raises:
            FeatureError: If a column is constant in it.
        """
        mean, deviation = sample.mean(axis=0), sample.std(axis=0)
        if not deviation.all():
            name = names[int(np.argmin(deviation))]
            raise FeatureError(
                f"feature {name!r} is constant over the training rows: normalize='train' has nothing to divide it by; "
                f"leave it out or choose another normalization"
            )
        return cls(mean, deviation)

    def apply(self, values: FloatArray) -> FloatArray:
        """The values in these terms."""
        return np.asarray((values - self.mean) / self.deviation, dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class TrialColumns:
    """The trials that a domain admits; see `vecbt.data.domain.TrialTable`.

    Attributes:
        arena: The memory, with ``trials`` int64 (M, 3), ``starts`` int64 (S,), ``rank`` int64 (T + 1,) or (0,).
        sections: First trial and number of trials, see `vecbt.data.domain.TrialTable`.
        shapes: Alpha and beta of the trials', then of the episodes' start distribution.
        order: How a trial is chosen, one of `vecbt.data.domain.tables.ORDERS`.
        aligned: Whether test episodes of target trials start as early as they may.
        lookback: Rows before the first observation.
        bars: Bars of an episode; 0 for all of its trial.
        train_rows: First row that training may see, and the row after the last.
    """

    arena: Arena
    sections: tuple[Section, Section, Section, Section]
    shapes: tuple[float, float, float, float]
    order: str
    aligned: bool
    lookback: int
    bars: int
    train_rows: tuple[int, int]

    @classmethod
    def of(cls, table: TrialTable, lookback: int, bars: int) -> TrialColumns:
        """Lay out trials in shared memory."""
        columns = {"trials": table.rows, "starts": table.starts, "rank": table.rank}
        arena = Arena({name: ArraySpec(array.shape, "int64") for name, array in columns.items()})
        for name, array in columns.items():
            arena.arrays[name][...] = array
        return cls(arena, table.sections, table.shapes, table.order, table.aligned, lookback, bars, table.train_rows)

    @property
    def counts(self) -> dict[str, int]:
        """Number of source and of target trials, by the option that tells them apart.

        ``"train"`` and ``"test"``, values of ``sample_type``, where trials have one part; ``"source"`` and
        ``"target"``, values of ``trial_type``, where they have two.
        """
        source_train, source_test, target_train, target_test = (count for _, count in self.sections)
        names = ("source", "target") if source_test or target_train else ("train", "test")
        return dict(zip(names, (max(source_train, source_test), max(target_train, target_test)), strict=True))


@dataclasses.dataclass(frozen=True)
class DataTable:
    """Everything that an engine reads of a data set, and global time.

    Its rows are those of the data set; behind them may come a sample of generated trials and their slots.
    """

    bars: BarColumns
    features: FeatureColumns
    trials: TrialColumns
    clock: GlobalTime
    slots: SlotColumns

    @property
    def arrays(self) -> Mapping[str, AnyArray]:
        """The arrays that kernels read, by name."""
        return self.bars.arena.arrays | self.features.arena.arrays | self.trials.arena.arrays

    @functools.cached_property
    def supply(self) -> TrialSupply:
        """What trials there are at a moment."""
        return TrialSupply(self)

    @property
    def num_trials(self) -> dict[str, int]:
        """Number of trials to choose from, see `TrialColumns.counts`; 0 of those that are generated."""
        source, _ = self.trials.counts
        return {**self.trials.counts, source: 0} if self.slots.bars else self.trials.counts

    @property
    def bars_per_year(self) -> float:
        """Bars in a year of 365.25 days at the density of the data set, nights and weekends included."""
        stamps = self.bars.arena.arrays["stamps"][: self.slots.stored]
        span = float(stamps[-1] - stamps[0]) / 1e9
        return (len(stamps) - 1) * (365.25 * 86_400.0) / span if span > 0.0 else 1.0

    def describe(self) -> Description:
        """Count, mean, standard deviation, smallest and largest value of every column in the training rows."""
        return describe_rows(self.bars, self.trials.train_rows)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
