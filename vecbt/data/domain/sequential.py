"""The domains whose trials come one after the other."""

from __future__ import annotations

import abc
import copy
import dataclasses
from typing import Any, Self

import numpy as np

from vecbt.data.domain.durations import Duration, own, rows_of
from vecbt.data.domain.random import check_episode_rules, split_trial
from vecbt.data.domain.rules import SampleRules
from vecbt.data.domain.tables import Domain, TrialTable
from vecbt.data.domain.windows import Windows, room_of, tabulate
from vecbt.errors import ConfigError, TooFewBarsError
from vecbt.settings import check_flag, check_integer

__all__ = ["SequentialDomain", "WalkForward"]


class _ConsecutiveDomain(Domain):
    """Windows of which each lies behind the one before."""

    def __init__(self, data: Any, episode: SampleRules | None, stride: Duration | None, expanding: bool) -> None:
        check_flag("expanding", expanding)
        self.data, self.stride, self.expanding = data, own(stride), expanding
        self.episode = check_episode_rules(episode)
        self._fold: int | None = None

    def __len__(self) -> int:
        """Number of trials."""
        return len(self._windows().begin)

    def fold(self, number: int) -> Self:
        """The domain whose only trial is number ``number`` of this one: as many episodes of it as you like.

        Raises:
            ConfigError: If there is no such trial.

        Example:
            >>> import vecbt
            >>> market = vecbt.data.synthetic_market(3_000, seed=0)
            >>> domain = WalkForward(market, train=800, test=200)
            >>> domain.fold(3).train_rows
            (600, 1400)
        """
        count = len(self)
        check_integer("fold", number, low=0)
        if number >= count:
            raise ConfigError(f"fold {number} is not in 0 to {count - 1}: there are {count} trials")
        domain = copy.copy(self)
        domain._fold = number
        domain.__dict__["bars"] = self.bars  # which copies leave behind
        return domain

    @abc.abstractmethod
    def _lengths(self) -> tuple[int, int]:
        """Training and test rows of a trial, or of the first if they grow."""

    def _windows(self) -> Windows:
        train, test = self._lengths()
        stride = test or train
        if self.stride is not None:
            stride = rows_of(self.stride, self.bars.interval, "stride")
        count = len(self.bars)
        end = np.arange(train + test, count + 1, stride)
        if not end.size:
            raise TooFewBarsError(
                f"a trial has {train + test} bars and the data {count}: use more data or shorter trials",
                source=self.bars.name,
            )
        cut = end - test
        begin = np.zeros_like(cut) if self.expanding else cut - train
        windows = Windows("sequential", count, begin, cut, end)
        return windows if self._fold is None else windows.chosen(np.arange(len(end)) == self._fold)

    @property
    def train_rows(self) -> tuple[int, int]:
        """First training row of the first trial, and the row after its last; of trials without test rows all rows."""
        windows = self._windows()
        has_test = bool((windows.end > windows.cut).all())
        return int(windows.begin[0]), int(windows.cut[0 if has_test else -1])

    def room(self, lookback: int) -> int:
        """See `Domain.room`."""
        return room_of([self._windows()], lookback, every=True)

    def trials(self, lookback: int, bars: int | None) -> TrialTable:
        """See `Domain.trials`."""
        order = "sequential" if self._fold is None else "random"
        return tabulate(
            self.bars,
            self.train_rows,
            [self._windows()],
            [SampleRules()],
            self.episode,
            lookback,
            bars,
            every=True,
            order=order,
        )


class SequentialDomain(_ConsecutiveDomain):
    """Trials that are consecutive windows, from the first row on.

    The window moves on by ``stride`` from trial to trial; by default by the trial's test period, so that the test
    periods follow each other without gap or overlap, or by its whole length if it has none. Episode *k* of environment
    *i* of a batch of N gets trial ``k * N + i``, and draws its first row within that as in other domains. When there
    is no such trial, the reset or the step that needs one raises `vecbt.errors.ExhaustedError`; ``reset(seed=...)``
    begins again with the first trials. So that every trial has its turn, N has to divide their number, ``len(domain)``.
    A ``trial`` that is chosen by options is one out of turn.

    Columns that are normalized by training rows know those of the first trial alone, since all later ones are, or
    include, rows that come after a test: `fold` makes a domain of one trial, whose own training rows they are then.

    Args:
        data: Anything that `read_bars` reads, or a mapping of such by asset, which `align_bars` aligns; or bars.
        trial: The ``duration`` of a trial and its ``test_period``; other rules have nothing to choose here.
        episode: Rules for the first rows of episodes within their trial; each trial must have some that they admit.
        stride: Rows, or a time, from one trial to the next.
        expanding: Whether the window's first row stays and its training part grows instead.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(3_000, seed=0)
        >>> domain = SequentialDomain(market, trial=SampleRules(duration=1_000, test_period=200))
        >>> len(domain)
        11
        >>> envs = vecbt.make_vec(domain, num_envs=2, episode_steps=50)
        >>> _, infos = envs.reset(options={"sample_type": "test"})
        >>> (infos["start"] // 200).tolist()  # in rows 800 to 999, and in those that follow
        [4, 5]
        >>> envs.close()
    """

    def __init__(
        self,
        data: Any,
        *,
        trial: SampleRules,
        episode: SampleRules | None = None,
        stride: Duration | None = None,
        expanding: bool = False,
    ) -> None:
        super().__init__(data, episode, stride, expanding)
        if trial.duration is None:
            raise ConfigError("the trials of a sequential domain need a duration")
        if trial != SampleRules(duration=trial.duration, test_period=trial.test_period):
            raise ConfigError(
                f"trials lie one after the other here: their rules are duration and test_period alone, got {trial}"
            )
        self.trial = trial

    def _lengths(self) -> tuple[int, int]:
        return split_trial(self.trial, self.bars.interval, len(self.bars))


@dataclasses.dataclass(frozen=True)
class Fold:
    """Rows of a fold: ``train[0] <= row < train[1]`` for training, ``test[0] <= row < test[1]`` for test."""

    train: tuple[int, int]
    test: tuple[int, int]


class WalkForward(_ConsecutiveDomain):
    """Folds for walk-forward validation: train on a window, test on the rows that follow, move on.

    Args:
        data: Anything that `read_bars` reads, or a mapping of such by asset, which `align_bars` aligns; or bars.
        train: Rows, or a time, of a fold's training part; of the first fold's, if it grows.
        test: Rows, or a time, of its test part.
        step: Rows, or a time, from fold to fold; by default the test part, so that each row is tested once.
        expanding: Whether the training part begins with the first row and grows from fold to fold.
        episode: Rules for the first rows of episodes.

    Example:
        To train on fold 2 and to test on what follows it:

        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(3_000, seed=0)
        >>> folds = WalkForward(market, train=1_000, test=500)
        >>> len(folds), folds.folds[2]
        (4, Fold(train=(1000, 2000), test=(2000, 2500)))
        >>> envs = vecbt.make_vec(folds.fold(2), num_envs=4, episode_steps=100, normalize="train")
        >>> _, infos = envs.reset(seed=0)
        >>> bool((infos["start"] < 2_000).all())
        True
        >>> _, infos = envs.reset(options={"sample_type": "test"})
        >>> bool((infos["start"] >= 2_000).all())
        True
        >>> envs.close()
    """

    def __init__(
        self,
        data: Any,
        *,
        train: Duration,
        test: Duration,
        step: Duration | None = None,
        expanding: bool = False,
        episode: SampleRules | None = None,
    ) -> None:
        super().__init__(data, episode, step, expanding)
        self.train, self.test = own(train), own(test)

    def _lengths(self) -> tuple[int, int]:
        interval = self.bars.interval
        return rows_of(self.train, interval, "train"), rows_of(self.test, interval, "test")

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The rows of every fold."""
        windows = self._windows()
        bounds = zip(windows.begin.tolist(), windows.cut.tolist(), windows.end.tolist(), strict=True)
        return tuple(Fold((begin, cut), (cut, end)) for begin, cut, end in bounds)
