"""A domain whose training trials are generated, and whose test trials are real."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vecbt.arrays import IntArray
from vecbt.data.bars import Bars
from vecbt.data.domain import Domain, RandomDomain, TrialTable
from vecbt.data.domain.durations import nanoseconds_of
from vecbt.data.generated.content import TrialMaker
from vecbt.data.generators.bootstrap import one_asset
from vecbt.data.generators.generator import BarGenerator
from vecbt.errors import ConfigError, TooFewBarsError
from vecbt.settings import check_integer

if TYPE_CHECKING:
    import datetime

__all__ = ["GeneratedDomain"]

_MINUTE = 60 * 1_000_000_000
_OPENING = 1_704_067_200 * 1_000_000_000  # Monday, 1 January 2024


class GeneratedDomain(Domain):
    """Training on generated bars: every episode gets a trial of its own that nobody has seen before.

    The trial of an environment's episode is a function of the environment's seed and the episode's number, whatever
    the engine, the workers and the number of environments. A data server makes trials while the environments run,
    those of the episodes that follow ahead of need; with ``num_workers=0`` the calling process does so itself.

    Statistics of the training rows (``normalize="train"``) are those of a fixed sample of trials that no environment
    gets. Prices of generated trials are seldom all alike: give ``order_size`` as a percentage, which follows an
    episode's first price. That it affords an order is checked with one of those trials.

    Each environment has room for two trials in shared memory, 56 bytes for each bar and 4 for each of its features (8
    with ``normalize="window"``).

    In infos and statistics the rows ``bar``, ``start`` and ``end`` of a generated trial are -1, its ``trial`` is the
    number of the episode, and its times begin at ``start`` in every trial.

    Args:
        generator: Makes the bars, see `vecbt.data.generators`; any object with such a method ``generate``.
        bars: Bars of a trial. An episode and its look-back must fit in; where there is more, its start is drawn.
        interval: Time from bar to bar; None for that of the test data, or a minute without any.
        start: Time at which the first bar of a trial begins; None for that of the test data, or the beginning of 2024.
        test: Real data to test on: a `Domain`, or anything that `read_bars` reads. Episodes of test rows come from the
            test rows of such a domain, or from all its rows if it has no test rows. Extra columns are left out, as
            generated trials have none.

    Raises:
        ConfigError: If a setting is invalid.

    Example:
        >>> import vecbt
        >>> domain = vecbt.data.GeneratedDomain(vecbt.data.OrnsteinUhlenbeck(volatility=0.002), bars=300)
        >>> envs = vecbt.make_vec(domain, num_envs=2, num_workers=0, episode_steps=100)
        >>> observations, infos = envs.reset(seed=0)
        >>> infos["bar"].tolist()
        [-1, -1]
        >>> envs.close()
    """

    def __init__(
        self,
        generator: BarGenerator,
        *,
        bars: int,
        interval: str | datetime.timedelta | Mapping[str, float] | None = None,
        start: str | datetime.datetime | np.datetime64 | None = None,
        test: Any = None,
    ) -> None:
        if not isinstance(generator, BarGenerator):
            raise ConfigError(f"generator must have a method generate(rng, bars), got {generator!r}")
        if isinstance(test, GeneratedDomain):
            raise ConfigError("test must be data or a domain of stored rows, got a GeneratedDomain")
        check_integer("bars", bars, low=2)
        self.generator, self.trial_bars = generator, int(bars)
        self.interval, self.start = interval, start
        self.test = test if test is None or isinstance(test, Domain) else RandomDomain(test)
        if interval is not None:
            self._interval_of(interval)
        if start is not None:
            self._start_of(start)

    @property
    def data(self) -> Any:  # type: ignore[override]
        """The test data."""
        return None if self.test is None else self.test.data

    @functools.cached_property
    def maker(self) -> TrialMaker:
        """Makes the trials."""
        return TrialMaker(self.generator, self.trial_bars)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("bars", "maker")}

    @functools.cached_property
    def bars(self) -> Bars:  # type: ignore[override]
        """The stored rows: the test data, or without any a trial that no environment gets."""
        if self.test is not None:
            return dataclasses.replace(one_asset(self.test.bars), extras={})
        name = type(self.generator).__name__
        return Bars.from_arrays(self.timestamps(), *self.maker.reference[0].T, name=name)

    def timestamps(self) -> IntArray:
        """UTC nanoseconds at which the bars of a trial are known, int64 (bars,)."""
        interval, begin = _MINUTE, _OPENING
        if self.test is not None:
            interval = self.test.bars.interval
            begin = int(self.test.bars.timestamps[0]) - interval
        if self.interval is not None:
            interval = self._interval_of(self.interval)
        if self.start is not None:
            begin = self._start_of(self.start)
        return begin + interval * np.arange(1, self.trial_bars + 1)

    @staticmethod
    def _interval_of(interval: Any) -> int:
        length = nanoseconds_of(interval, "interval")
        if length < 1:
            raise ConfigError(f"interval must be longer than nothing, got {interval!r}")
        return length

    @staticmethod
    def _start_of(start: Any) -> int:
        try:
            stamp = pd.Timestamp(start)
            stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp
            return int(stamp.as_unit("ns").value)
        except (ValueError, TypeError, OverflowError) as error:
            raise ConfigError(f"start must be a time such as '2024-01-01', got {start!r}") from error

    @property
    def train_rows(self) -> tuple[int, int]:
        """No stored row is for training; without test data, the stored trial stands for those that are."""
        return (0, 0) if self.test is not None else (0, self.trial_bars)

    def room(self, lookback: int) -> int:
        """See `Domain.room`."""
        room = max(0, self.trial_bars - 1 - lookback)
        return room if self.test is None else min(room, self.test.room(lookback))

    def trials(self, lookback: int, bars: int | None, slots: int = 0) -> TrialTable:
        """See `Domain.trials`; the slots are the source trials, and all that is real is for target trials."""
        needed = 1 if bars is None else lookback + max(bars, 1) + 1
        if self.trial_bars < needed:
            raise TooFewBarsError(
                f"a generated trial has {self.trial_bars} bars; an episode and its look-back need {needed}. Make "
                f"GeneratedDomain with more bars, or use a smaller window or episode_steps",
                source=type(self.generator).__name__,
            )
        stored = len(self.bars)
        behind = stored + self.trial_bars * self.maker.references
        begin = behind + self.trial_bars * np.arange(slots)
        own = np.stack([begin, begin + self.trial_bars, begin], axis=1)
        train_rows = (stored, behind)
        if self.test is None:
            none, nothing = (slots, 0), np.empty(0, np.int64)
            sections = ((0, slots), none, none, none)
            return TrialTable(own, nothing, nothing, sections, (1.0, 1.0, 1.0, 1.0), train_rows)
        real = self.test.trials(lookback, bars)
        if real.order != "random":
            raise ConfigError(f"test must be a domain with random trials, got {type(self.test).__name__}")
        starts, rank = real.starts, real.rank
        if len(rank):  # rules for first rows; in generated trials there are none
            rows = np.arange(stored, behind + self.trial_bars * slots)
            starts = np.concatenate([starts, rows])
            rank = np.concatenate([rank, rank[-1] + np.arange(1, len(rows) + 1)])
        parts = real.sections[2:] if any(count for _, count in real.sections[2:]) else real.sections[:2]
        train, test = ((slots + first, count) for first, count in parts)
        if not test[1]:
            train, test = (train[0], 0), train
        sections = ((0, slots), (slots, 0), train, test)
        return TrialTable(np.concatenate([own, real.rows]), starts, rank, sections, real.shapes, train_rows)
