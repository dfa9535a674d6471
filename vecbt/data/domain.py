"""Where episodes come from: a domain has trials, a trial has episodes.

A domain cuts a data set into training and test rows and says which stretches of rows (trials) and which first rows of
episodes it admits. It writes them all into tables once; a reset then draws by arithmetic and cannot fail.
"""

from __future__ import annotations

import abc
import dataclasses
import datetime
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from vecbt.arrays import BoolArray, IntArray
from vecbt.errors import ConfigError, SamplingError, TooFewBarsError
from vecbt.settings import check_number

if TYPE_CHECKING:
    from vecbt.data.aligned import AlignedBars
    from vecbt.data.bars import Bars

__all__ = ["Domain", "Duration", "RandomDomain", "SampleRules", "TrialTable", "rows_of"]

Duration: TypeAlias = int | str | datetime.timedelta | Mapping[str, float]
"""A number of rows, or a time: a `datetime.timedelta`, a string that pandas reads (``"5D"``), or BTGym's mapping
``{"days": 1, "hours": 6, "minutes": 30}``."""

_DAY = 86_400 * 1_000_000_000
_NANOSECONDS = {"days": _DAY, "hours": _DAY // 24, "minutes": _DAY // 1440, "seconds": _DAY // 86_400}


def nanoseconds_of(duration: str | datetime.timedelta | Mapping[str, float], name: str) -> int:
    """A time in nanoseconds.

    Raises:
        ConfigError: If ``duration`` is no time.
    """
    if isinstance(duration, Mapping):
        unknown = set(duration) - set(_NANOSECONDS)
        if unknown:
            raise ConfigError(f"{name}: unknown unit {sorted(unknown)[0]!r}; known: {', '.join(_NANOSECONDS)}")
    elif not isinstance(duration, str | datetime.timedelta):
        raise ConfigError(f"{name}: expected a time such as '5D', '36h' or a timedelta, got {duration!r}")
    try:
        if isinstance(duration, Mapping):
            return round(sum(float(number) * _NANOSECONDS[unit] for unit, number in duration.items()))
        return int(pd.Timedelta(duration).value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{name}: {duration!r} is no time; write '5D', '36h' or a timedelta") from error


def rows_of(duration: Duration, interval: int, name: str) -> int:
    """A duration as a number of rows: a time counts the bars that fit into it without gaps.

    Args:
        duration: Rows or a time.
        interval: Nanoseconds from bar to bar.
        name: What it is, for the message of an error.

    Raises:
        ConfigError: If it is no duration, or shorter than a bar.

    Example:
        >>> rows_of({"hours": 2}, interval=60 * 1_000_000_000, name="trial")
        120
    """
    if isinstance(duration, bool) or not isinstance(duration, int | str | datetime.timedelta | Mapping):
        raise ConfigError(f"{name}: expected rows or a time, got {duration!r}")
    if not isinstance(duration, int) and not interval:
        raise ConfigError(f"{name}: {duration!r} cannot be counted in rows, as there is 1 bar: give a number of rows")
    rows = duration if isinstance(duration, int) else nanoseconds_of(duration, name) // interval
    if rows < 1:
        raise ConfigError(f"{name}: {duration!r} is {rows} bars of {pd.Timedelta(interval)}; at least 1 is needed")
    return rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleRules:
    """Which samples (trials, or episodes) are admitted, and how their starts are distributed.

    Attributes:
        duration: Length of a sample; None for as long as there is room (of a trial: all rows of its section).
        start_weekdays: Weekdays of a sample's first bar, 0 is Monday, in UTC; None for all.
        time_gap: Longest hole without bars that a sample may contain, beyond the usual step from bar to bar; None for
            any.
        b_alpha: First shape of the Beta distribution of starts over the admitted ones, from the earliest to the
            latest; 1 and 1 is uniform, larger than ``b_beta`` favours the recent.
        b_beta: Second shape.
    """

    duration: Duration | None = None
    start_weekdays: Sequence[int] | None = None
    time_gap: str | datetime.timedelta | Mapping[str, float] | None = None
    b_alpha: float = 1.0
    b_beta: float = 1.0

    def __post_init__(self) -> None:
        for name in ("b_alpha", "b_beta"):
            check_number(name, getattr(self, name), low=0.0, open_low=True)
        if self.start_weekdays is not None:
            given: Any = self.start_weekdays
            days = tuple(given) if isinstance(given, Iterable) else (given,)
            if not isinstance(given, Iterable) or not days or not set(days) <= set(range(7)):
                raise ConfigError(f"start_weekdays must be numbers from 0 (Monday) to 6 (Sunday), got {days!r}")
            object.__setattr__(self, "start_weekdays", days)
        if self.time_gap is not None and nanoseconds_of(self.time_gap, "time_gap") < 0:
            raise ConfigError(f"time_gap must not be negative, got {self.time_gap!r}")

    def rejections(self, bars: Bars | AlignedBars, first: IntArray, last: IntArray) -> dict[str, BoolArray]:
        """What each rule rejects of the samples from rows ``first`` to rows ``last``, both included."""
        rejected = {}
        if self.start_weekdays is not None:
            weekday = (bars.timestamps[first] // _DAY + 3) % 7  # 1 January 1970 was a Thursday
            rejected[f"start_weekdays={self.start_weekdays}"] = ~np.isin(weekday, self.start_weekdays)
        if self.time_gap is not None:
            limit = nanoseconds_of(self.time_gap, "time_gap")
            holes = np.diff(bars.timestamps) - bars.interval > limit
            before = np.concatenate([[0], np.cumsum(holes)])  # holes before each row
            rejected[f"time_gap={self.time_gap!r}"] = before[last] > before[first]
        return rejected


@dataclasses.dataclass(frozen=True)
class TrialTable:
    """All trials and episode starts that a domain admits.

    Attributes:
        rows: int64 (M, 3), of each trial the first row, the row after the last, and the first row that may be looked
            back to.
        starts: int64 (S,), rows at which an episode may start, ascending; empty when all may.
        rank: int64 (T + 1,), number of such rows before each row; empty when all may.
        sections: First trial and number of trials, for training and for test.
        shapes: Shapes of the Beta distributions of trials, then of episodes.
    """

    rows: IntArray
    starts: IntArray
    rank: IntArray
    sections: tuple[tuple[int, int], tuple[int, int]]
    shapes: tuple[float, float, float, float]


class Domain(abc.ABC):
    """A data set with rules for drawing trials and episodes.

    Attributes:
        data: Where the bars come from.
    """

    data: Any

    @functools.cached_property
    def bars(self) -> Bars | AlignedBars:
        """The data set; read when it is first needed, which is in the data server where there is one."""
        from vecbt.data.align import read_data

        return read_data(self.data)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "bars"}

    @property
    @abc.abstractmethod
    def train_rows(self) -> tuple[int, int]:
        """First training row and the row after the last."""

    @abc.abstractmethod
    def room(self, lookback: int) -> int:
        """The most bars, the first observation not counted, that an episode can have in every trial."""

    @abc.abstractmethod
    def trials(self, lookback: int, bars: int) -> TrialTable:
        """The tables for episodes of so many bars (0: to the trial's end) with so many rows before them.

        Raises:
            TooFewBarsError: If there is no room for an episode.
            SamplingError: If the rules admit none.
        """


class RandomDomain(Domain):
    """Trials at random places, training rows before test rows.

    Args:
        data: Anything that `read_bars` reads, or a mapping of such by asset, which `align_bars` aligns; or bars.
        trial: Rules for trials; by default the only trial is all rows of its section.
        episode: Rules for the first rows of episodes within their trial; by default all that leave room.
        test_period: The last part of the data, for test; None for no test rows.

    Example:
        Trials of five days that begin on a Monday, the last 20 days for test:

        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(60_000, seed=0)
        >>> rules = SampleRules(duration={"days": 5}, start_weekdays=[0])
        >>> domain = RandomDomain(market, trial=rules, test_period={"days": 10})
        >>> first, last = domain.train_rows
        >>> len(market) - last
        14400
    """

    def __init__(
        self,
        data: Any,
        *,
        trial: SampleRules | None = None,
        episode: SampleRules | None = None,
        test_period: Duration | None = None,
    ) -> None:
        self.data = data
        self.trial = trial or SampleRules()
        self.episode = episode or SampleRules()
        if self.episode.duration is not None:
            raise ConfigError("the length of an episode is EnvConfig.episode_steps, not a duration of its rules")
        self.test_period = test_period

    @property
    def train_rows(self) -> tuple[int, int]:
        """First training row, which is the first of all, and the row after the last.

        Raises:
            ConfigError: If the test period leaves none.
        """
        count = len(self.bars)
        test = 0 if self.test_period is None else rows_of(self.test_period, self.bars.interval, "test_period")
        if test >= count:
            raise ConfigError(
                f"test_period={self.test_period!r} is {test} of {count} bars ({self.bars.name}): nothing is left to "
                f"train on"
            )
        return 0, count - test

    def _sections(self) -> list[tuple[str, int, int]]:
        first, split = self.train_rows
        sections = [("training", first, split)]
        if split < len(self.bars):
            sections.append(("test", split, len(self.bars)))
        return sections

    def _trial_length(self, section: tuple[str, int, int]) -> int:
        _, first, end = section
        if self.trial.duration is None:
            return end - first
        return rows_of(self.trial.duration, self.bars.interval, "the trial's duration")

    def room(self, lookback: int) -> int:
        """See `Domain.room`."""
        rooms = []
        for section in self._sections():
            _, first, end = section
            length = self._trial_length(section)
            # The latest trial has the most history before it.
            rooms.append(length - 1 - max(0, lookback - (end - length)) if first + length <= end else 0)
        return max(0, min(rooms))

    def trials(self, lookback: int, bars: int) -> TrialTable:
        """See `Domain.trials`."""
        for section in self._sections():
            self._require_room(section, lookback, bars)
        starts, rank = self._episode_starts(bars)
        rows: list[IntArray] = []
        sections: list[tuple[int, int]] = []
        for section in self._sections():
            found = self._section_trials(section, lookback, bars, rank)
            sections.append((sum(len(part) for part in rows), len(found)))
            rows.append(found)
        if len(sections) == 1:
            sections.append((len(rows[0]), 0))
        shapes = (self.trial.b_alpha, self.trial.b_beta, self.episode.b_alpha, self.episode.b_beta)
        return TrialTable(
            np.concatenate(rows),
            starts,
            rank,
            (sections[0], sections[1]),
            tuple(map(float, shapes)),  # type: ignore[arg-type]
        )

    def _episode_starts(self, bars: int) -> tuple[IntArray, IntArray]:
        """Admitted first rows of episodes by the episodes' own rules; empty arrays where there are no rules."""
        empty = np.empty(0, np.int64)
        rules = self.episode
        if rules.start_weekdays is None and rules.time_gap is None:
            return empty, empty
        if bars == 0:
            raise ConfigError("with episode_steps=None episodes start at their trial's first row: give no rules for it")
        count = len(self.bars)
        first = np.arange(max(0, count - bars))
        rejected = rules.rejections(self.bars, first, first + bars)
        admitted = np.zeros(count, bool)
        admitted[: len(first)] = ~np.any(list(rejected.values()), axis=0)
        if not admitted.any():
            raise SamplingError(f"no episode of {bars} bars is admitted: {_counts(rejected, len(first))}")
        return np.flatnonzero(admitted), np.concatenate([[0], np.cumsum(admitted)])

    def _require_room(self, section: tuple[str, int, int], lookback: int, bars: int) -> None:
        """Raise if no rule could be the reason that there is no episode."""
        name, first, end = section
        length = self._trial_length(section)
        needed = max(bars, 1) + 1
        if first + length > end or length < needed or end - lookback < needed:
            raise TooFewBarsError(
                f"the {name} rows are {end - first} bars and a trial has {min(length, end - first)}; an episode needs "
                f"{needed} and {lookback} before them. Use more data, or a smaller window, episode_steps or trial",
                source=self.bars.name,
            )

    def _section_trials(self, section: tuple[str, int, int], lookback: int, bars: int, rank: IntArray) -> IntArray:
        name, first, end = section
        length = self._trial_length(section)
        begin = np.arange(first, end - length + 1)
        after = begin + length
        rejected = self.trial.rejections(self.bars, begin, after - 1)
        earliest = np.maximum(begin, lookback)  # the data's first row may be looked back to
        latest = after - 1 - max(bars, 1)
        rejected["room for the look-back and an episode"] = latest < earliest
        if rank.size:
            usable = np.clip(latest + 1, 0, len(rank) - 1)
            rejected["rules of episodes"] = (rank[usable] - rank[np.minimum(earliest, usable)]) < 1
        admitted = ~np.any(list(rejected.values()), axis=0)
        if not admitted.any():
            raise SamplingError(f"no {name} trial of {length} bars is admitted: {_counts(rejected, len(begin))}")
        begin = begin[admitted]
        return np.stack([begin, begin + length, np.zeros_like(begin)], axis=1)


def _counts(rejected: Mapping[str, BoolArray], candidates: int) -> str:
    parts = ", ".join(f"{rule} rejects {int(mask.sum())}" for rule, mask in rejected.items() if mask.any())
    return f"of {candidates} candidates {parts}"
