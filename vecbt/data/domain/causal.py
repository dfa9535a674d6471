"""The domain that knows what time it is."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from vecbt.data.clock import GlobalTime
from vecbt.data.domain.random import check_episode_rules, split_trial
from vecbt.data.domain.rules import SampleRules
from vecbt.data.domain.tables import Domain, TrialTable
from vecbt.data.domain.windows import Windows, room_of, tabulate
from vecbt.errors import ConfigError, TooFewBarsError
from vecbt.settings import check_flag

__all__ = ["CausalDomain"]


class CausalDomain(Domain):
    """Trials before and after a global time that only moves forward, as a trader lives through it.

    *Now* is a moment of the data. A *source* trial ends with the last bar that is known now; with ``expanding`` it is
    drawn among all that have ended by now. A *target* trial has its training part up to now and its test part after:
    the next one from now on whose parts have room for episodes. Test episodes of target trials begin with the first
    row of the test part that the rules of episodes admit, unless ``align_left`` is False, and as they go on, they take
    global time along: after each step of a batch it is the time of the latest bar that any of them has seen. Everybody
    who uses the same data, other batches on the same data server too, has the same global time. When there is no
    target trial after now, the reset or step that needs one raises `vecbt.errors.ExhaustedError`.

    Before the first moment at which there are trials of both types it is that moment for those who draw.

    An episode that begins within a step, in the mode SAME_STEP too, begins at the time before that step. With several
    batches on one data server who comes first matters; one batch's episodes depend on its seeds, the number of its
    environments, and the actions.

    Args:
        data: Anything that `read_bars` reads, or a mapping of such by asset, which `align_bars` aligns; or bars.
        trial: Rules for trials, with ``duration`` and ``test_period``. ``start_weekdays``, ``start_00``, ``time_gap``
            and the distribution are for source trials alone: a target trial lies where now is.
        episode: Rules for the first rows of episodes within their trial.
        expanding: Whether source trials may lie anywhere before now.
        align_left: Whether target test episodes begin as close to now as they may.
        frozen_time_split: A moment at which global time stands still, for ever: the last bar known then. A
            `datetime.datetime` or a string that pandas reads, UTC unless it says otherwise, or BTGym's mapping
            ``{"year": 2024, "month": 1, "day": 15}``.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(3_000, seed=0)
        >>> domain = CausalDomain(market, trial=SampleRules(duration=1_000, test_period=200))
        >>> env = vecbt.TradingEnv(domain, episode_steps=50)
        >>> _, info = env.reset(seed=0, options={"trial_type": "target", "sample_type": "test"})
        >>> info["start"]  # the first 1000 bars are known
        1000
        >>> for _ in range(50):
        ...     _ = env.step(0)
        >>> env.reset()[1]["start"]
        1051
        >>> _, info = env.reset(options={"trial_type": "source", "sample_type": "train"})
        >>> 51 <= info["start"] < 851
        True
        >>> env.close()
    """

    def __init__(
        self,
        data: Any,
        *,
        trial: SampleRules,
        episode: SampleRules | None = None,
        expanding: bool = False,
        align_left: bool = True,
        frozen_time_split: str | datetime.datetime | dict[str, int] | None = None,
    ) -> None:
        self.data = data
        if trial.duration is None or trial.test_period is None:
            raise ConfigError("the trials of a causal domain need a duration and a test_period")
        for name, value in (("expanding", expanding), ("align_left", align_left)):
            check_flag(name, value)
        self.trial, self.expanding, self.align_left = trial, expanding, align_left
        self.episode = check_episode_rules(episode)
        self._split = None if frozen_time_split is None else _moment_of(frozen_time_split)

    def make_clock(self) -> GlobalTime:
        """Global time at first: the last bar of the first source trial, or where it is frozen.

        Raises:
            ConfigError: If it is frozen where there are no trials.
            TooFewBarsError: If there are none at all.
        """
        return GlobalTime.starting_at(int(self.bars.timestamps[self._first_row()]), frozen=self._split is not None)

    def _first_row(self) -> int:
        train, test = split_trial(self.trial, self.bars.interval, len(self.bars))
        stamps, earliest, latest = self.bars.timestamps, train + test - 1, len(self.bars) - test - 1
        if earliest > latest:
            raise TooFewBarsError(
                f"a source trial of {train + test} bars and {test} bars after it, for test, are more than the "
                f"{len(self.bars)} bars of the data: use more data or shorter trials",
                source=self.bars.name,
            )
        if self._split is None:
            return earliest
        row = int(np.searchsorted(stamps, self._split, "right")) - 1
        if not earliest <= row <= latest:
            low, high = (pd.Timestamp(int(stamps[row]), tz="UTC") for row in (earliest, latest))
            raise ConfigError(
                f"frozen_time_split={pd.Timestamp(self._split, tz='UTC')} leaves no room for trials before or after "
                f"it: it must be from {low} to {high} ({self.bars.name})"
            )
        return row

    @property
    def train_rows(self) -> tuple[int, int]:
        """The rows known at first, as all others are test rows at some time."""
        return 0, self._first_row() + 1

    def _windows(self) -> list[Windows]:
        self._first_row()
        count = len(self.bars)
        train, test = split_trial(self.trial, self.bars.interval, count)
        windows = Windows.every("source", 0, count, train, test)
        return [windows, Windows("target", count, windows.begin, windows.cut, windows.end)]

    def room(self, lookback: int) -> int:
        """See `Domain.room`."""
        return room_of(self._windows(), lookback)

    def trials(self, lookback: int, bars: int | None) -> TrialTable:
        """See `Domain.trials`."""
        return tabulate(
            self.bars,
            self.train_rows,
            self._windows(),
            [self.trial, SampleRules()],
            self.episode,
            lookback,
            bars,
            order="expanding" if self.expanding else "causal",
            aligned=self.align_left,
        )


def _moment_of(split: object) -> int:
    """A moment in UTC nanoseconds."""
    given: Any = split
    try:
        moment = pd.Timestamp(datetime.datetime(**given) if isinstance(given, dict) else given)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"frozen_time_split: expected a moment such as '2024-01-15', got {split!r}") from error
    if isinstance(given, bool | int | float) or pd.isna(moment):
        raise ConfigError(f"frozen_time_split: expected a moment such as '2024-01-15', got {split!r}")
    moment = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
    return int(moment.as_unit("ns").value)
