"""Trials and episodes as users see them: rows of a data set, and where they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray, FloatArray, IntArray
from vecbt.data.describe import Description, describe_rows
from vecbt.data.shared import DataTable
from vecbt.errors import ConfigError, ExhaustedError, UnknownNameError
from vecbt.kernels.layout import Section
from vecbt.kernels.sampling import draw_start, draw_trial
from vecbt.settings import check_flag, check_number, check_unsigned

__all__ = ["Sample", "draw_sample"]

_WORD = (1 << 64) - 1
_TRIAL_SETTINGS = ("sample_type", "get_new", "seed", "number", "b_alpha", "b_beta", "timestamp", "interval")
_SECOND = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Sample:
    """A trial of a domain, or an episode of a trial: rows ``first_row`` to ``last_row`` (included) of a data set.

    Attributes:
        type: Of a trial 0 for a source trial (training rows of the domain), 1 for a target trial (test rows); of an
            episode 0 for training rows of its trial, 1 for test rows.
        trial_type: 0 or 1, the same of the trial.
        number: Number of the draw.
        trial: Number of the trial among those of its type, -1 if it was chosen by its rows.
        first_row: First row in the data set.
        last_row: Last row.
        parent: The trial that an episode is of; None for a trial.
        seed: Seed of the draw.
        table: The data.
    """

    type: int
    trial_type: int
    number: int
    trial: int
    first_row: int
    last_row: int
    parent: Sample | None
    seed: int = dataclasses.field(repr=False)
    table: DataTable = dataclasses.field(repr=False, compare=False)
    _drawn: list[Sample] = dataclasses.field(default_factory=list, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return self.last_row - self.first_row + 1

    def _rows(self, name: str) -> Any:
        view: AnyArray = self.table.bars.arena.arrays[name][self.first_row : self.last_row + 1]
        view.setflags(write=False)
        return view

    @property
    def stamps(self) -> IntArray:
        """int64 (n,), UTC nanoseconds at which each bar is known; a read-only view of the shared data."""
        return self._rows("stamps")  # type: ignore[no-any-return]

    @property
    def ohlc(self) -> FloatArray:
        """float64 (n, K, 4), prices of K assets; a read-only view."""
        return self._rows("ohlc")  # type: ignore[no-any-return]

    @property
    def volume(self) -> FloatArray:
        """float64 (n, K); a read-only view."""
        return self._rows("volume")  # type: ignore[no-any-return]

    @property
    def metadata(self) -> Mapping[str, int]:
        """Everything but the rows; times in UTC seconds, ``parent`` the number of the trial's draw, -1 for a trial."""
        stamps = self.table.bars.arena.arrays["stamps"]
        return {
            "type": self.type,
            "trial_type": self.trial_type,
            "number": self.number,
            "parent": -1 if self.parent is None else self.parent.number,
            "trial": self.trial,
            "first_row": self.first_row,
            "last_row": self.last_row,
            "first_time": int(stamps[self.first_row]) // _SECOND,
            "last_time": int(stamps[self.last_row]) // _SECOND,
        }

    def describe(self) -> Description:
        """Count, mean, standard deviation, smallest and largest value of every column in these rows."""
        return describe_rows(self.table.bars, (self.first_row, self.last_row + 1))

    def sample(
        self,
        *,
        get_new: bool = True,
        sample_type: int = 0,
        number: int | None = None,
        seed: int | None = None,
        b_alpha: float | None = None,
        b_beta: float | None = None,
        align_left: bool | None = None,
        interval: tuple[int, int] | None = None,
    ) -> Sample:
        """Draw an episode of this trial.

        Its length is that of the table the trial was taken from, ``episode_bars`` of `DataFeedServer.get_data`. It is
        the episode that an environment gets whose look-back is 0, with this seed, number and trial.

        Args:
            get_new: False for the last one that was drawn, if there is one.
            sample_type: 0 for training rows of the trial, 1 for its test rows.
            number: Number of the draw; by default the trial's own for the first, and so on.
            seed: Seed of the draw; by default the trial's.
            b_alpha: First shape of the Beta distribution of first rows; by default the domain's.
            b_beta: Second shape.
            align_left: Whether it begins with the first row that is admitted; by default as the domain has it.
            interval: First row, and the row after the last, instead of a draw.

        Raises:
            ConfigError: If a value is out of range, or there are no rows of the type.
        """
        check_flag("get_new", get_new)
        if self.parent is not None:
            raise ConfigError("this is an episode, of which there are no samples: draw another one from its parent")
        if not get_new and self._drawn:
            return self._drawn[-1]
        if self.trial < 0:
            raise ConfigError("a trial that was chosen by its rows has no episodes to draw: get_data with an interval")
        trials, section = self.table.trials, 2 * self.trial_type + _sample_type(sample_type)
        first, count = trials.sections[section]
        if not count:
            kind = ("training", "test")[sample_type]
            raise ConfigError(f"the trial has no {kind} rows: its sample_type is {1 - sample_type}")
        row = first + self.trial
        arrays = trials.arena.arrays
        begin, end, _ = arrays["trials"][row].tolist()
        seed = self.seed if seed is None else check_unsigned("seed", seed, bits=128)
        if number is None:
            number = self.number + len(self._drawn)
        number = check_unsigned("number", number, bits=63)
        if interval is not None:
            begin, end = _interval(interval, begin, end)
        else:
            alpha, beta = _shapes(trials.shapes[2:], b_alpha, b_beta)
            aligned = trials.aligned and section == Section.TARGET_TEST
            if align_left is not None:
                check_flag("align_left", align_left)
                aligned = align_left
            begin = draw_start(
                np.uint64(seed & _WORD),
                np.uint64(seed >> 64),
                number,
                arrays["trials"],
                row,
                arrays["starts"],
                arrays["rank"],
                alpha,
                beta,
                trials.lookback,
                trials.bars,
                aligned,
            )
            end = begin + trials.bars + 1 if trials.bars else end
        drawn = Sample(
            sample_type, self.trial_type, number, self.trial, begin, end - 1, parent=self, seed=seed, table=self.table
        )
        self._drawn.append(drawn)
        return drawn


def draw_sample(
    table: DataTable,
    number: int,
    /,
    *,
    seed: int = 0,
    sample_type: int = 0,
    b_alpha: float | None = None,
    b_beta: float | None = None,
    timestamp: float | None = None,
    interval: tuple[int, int] | None = None,
    **unknown: Any,
) -> Sample:
    """Draw a trial.

    Args:
        table: The data.
        number: Number of the draw; with the seed it decides the trial, and in a sequential domain it is its number.
        seed: Seed of the draws.
        sample_type: 0 for a source trial (training rows), 1 for a target trial (test rows).
        b_alpha: First shape of the Beta distribution; the domain's by default.
        b_beta: Second shape.
        timestamp: UTC seconds, the present moment of a causal domain if it is later than global time.
        interval: First row, and the row after the last, instead of a draw.
        **unknown: Anything else is refused.

    Raises:
        ConfigError: If a value is out of range, or there are no rows of the type.
        ExhaustedError: If there are no trials left.
        UnknownNameError: For an unknown setting.
    """
    if unknown:
        raise UnknownNameError.of("sample setting", next(iter(unknown)), _TRIAL_SETTINGS)
    _sample_type(sample_type)
    seed = check_unsigned("seed", seed, bits=128)
    number = check_unsigned("number", number, bits=63)
    trials = table.trials
    if interval is not None:
        train, end = trials.train_rows, table.slots.stored
        test = 0 if table.slots.bars else train[1]
        begin, end = _interval(interval, *(train if sample_type == 0 else (test, end)))
        return Sample(sample_type, sample_type, number, -1, begin, end - 1, parent=None, seed=seed, table=table)
    parts = trials.sections[2 * sample_type : 2 * sample_type + 2]
    part = 0 if parts[0][1] else 1
    if not parts[part][1]:
        raise ConfigError("there are no test rows: make the domain with a test_period")
    base, everything = parts[part]
    first, count = _supply(table, 2 * sample_type + part, timestamp)
    if trials.order == "sequential":
        if number >= everything:
            raise ExhaustedError(f"trial {number} is not in 0 to {everything - 1}: every trial has had its turn")
        row = base + number
    else:
        if not count:
            raise ExhaustedError("there is no target trial after the present global time: the data are used up")
        alpha, beta = _shapes(trials.shapes[:2], b_alpha, b_beta)
        row = draw_trial(np.uint64(seed & _WORD), np.uint64(seed >> 64), number, first, count, alpha, beta)
    rows = trials.arena.arrays["trials"]
    trial = row - base
    begin = int(rows[row, 0])
    last_first, last_count = parts[1] if parts[1][1] else parts[0]
    end = int(rows[last_first + trial, 1]) if last_count else begin
    return Sample(sample_type, sample_type, number, trial, begin, end - 1, parent=None, seed=seed, table=table)


def _supply(table: DataTable, section: int, timestamp: float | None) -> tuple[int, int]:
    """First trial and number of trials to draw from."""
    supply = table.supply
    moment = table.clock.now if supply.moving else 0
    if timestamp is not None:
        moment = max(moment, int(check_number("timestamp", timestamp) * _SECOND))
    first, count = supply.sections(moment)[section].tolist()
    return first, count


def _sample_type(value: object) -> int:
    if type(value) is not int or value not in (0, 1):
        raise ConfigError(f"sample_type must be 0 (training rows) or 1 (test rows), got {value!r}")
    return value


def _shapes(own: tuple[float, ...], b_alpha: float | None, b_beta: float | None) -> tuple[float, float]:
    alpha, beta = own
    if b_alpha is not None:
        alpha = check_number("b_alpha", b_alpha, low=0.0, open_low=True)
    if b_beta is not None:
        beta = check_number("b_beta", b_beta, low=0.0, open_low=True)
    return alpha, beta


def _interval(interval: object, low: int, high: int) -> tuple[int, int]:
    """An interval of rows that lies within others."""
    given: Any = interval
    try:
        begin, end = (check_unsigned("interval", row, bits=63) for row in given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"interval must be a first row and the row after the last, got {interval!r}") from error
    if not low <= begin < end <= high:
        raise ConfigError(
            f"interval must be a first row and the row after the last, from {low} to {high}, got {interval!r}"
        )
    return begin, end
