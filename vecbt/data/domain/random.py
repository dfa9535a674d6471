"""The domain whose trials lie anywhere."""

from __future__ import annotations

from typing import Any

from vecbt.data.domain.durations import Duration, own, rows_of
from vecbt.data.domain.rules import SampleRules
from vecbt.data.domain.tables import Domain, TrialTable
from vecbt.data.domain.windows import Windows, room_of, tabulate
from vecbt.errors import ConfigError
from vecbt.settings import check_flag

__all__ = ["RandomDomain", "check_episode_rules", "split_trial"]


class RandomDomain(Domain):
    """Trials at random places, training rows before test rows.

    The domain's rows are training rows first, of which *source* trials are drawn, and test rows then, of which
    *target* trials are. A trial may have a test period too, its own last part. What an episode gets is said by
    ``trial_type`` and ``sample_type``, see `vecbt.vector.TradingVectorEnv.set_next_reset`. Without a test period of
    the trial all rows of a source trial are for training and all rows of a target trial for test.

    No training episode of a source trial sees a test row of the domain or of its trial.

    Args:
        data: Anything that `read_bars` reads, or a mapping of such by asset, which `align_bars` aligns; or bars.
        trial: Rules for trials; by default the only trial is all rows of its type.
        episode: Rules for the first rows of episodes within their trial; by default all that leave room.
        test_period: The last part of the data, for test; None for no test rows.
        target_backshift: Whether the training part of a target trial may lie in training rows of the domain, so that
            its test part can begin with the first test row; needs a test period of the trial.

    Example:
        Trials of five days that begin on a Monday, the last ten days for test:

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
        target_backshift: bool = False,
    ) -> None:
        self.data = data
        self.trial = trial or SampleRules()
        self.episode = check_episode_rules(episode)
        self.test_period = own(test_period)
        check_flag("target_backshift", target_backshift)
        if target_backshift and self.trial.test_period is None:
            raise ConfigError(
                "target_backshift=True is for the training part of target trials, and they have none: give the trial "
                "a test_period"
            )
        self.target_backshift = target_backshift

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

    def _windows(self) -> list[Windows]:
        first, split = self.train_rows
        end, interval = len(self.bars), self.bars.interval
        train, test = split_trial(self.trial, interval, split - first)
        windows = [Windows.every("training", first, split, train, test)]
        if split < end:
            begin = split
            if self.target_backshift:
                begin = max(0, split - train)
            train, test = split_trial(self.trial, interval, end - begin)
            # Without a test part of its own all of a target trial is for test.
            windows.append(Windows.every("test", begin, end, *((train, test) if test else (0, train))))
        return windows

    def room(self, lookback: int) -> int:
        """See `Domain.room`."""
        return room_of(self._windows(), lookback)

    def trials(self, lookback: int, bars: int | None) -> TrialTable:
        """See `Domain.trials`."""
        windows = self._windows()
        rules = [self.trial] * len(windows)
        return tabulate(self.bars, self.train_rows, windows, rules, self.episode, lookback, bars)


def check_episode_rules(rules: SampleRules | None) -> SampleRules:
    """Rules for episodes, whose length and parts are not theirs to say.

    Raises:
        ConfigError: If they do.
    """
    rules = rules or SampleRules()
    if rules.duration is not None:
        raise ConfigError("the length of an episode is EnvConfig.episode_steps, not a duration of its rules")
    if rules.test_period is not None:
        raise ConfigError("an episode has no test_period: it is the trial that is divided")
    return rules


def split_trial(rules: SampleRules, interval: int, span: int) -> tuple[int, int]:
    """Training rows and test rows of a trial.

    Args:
        rules: The trial's.
        interval: Nanoseconds from bar to bar.
        span: Rows of its type, which is its length if the rules name none.

    Raises:
        ConfigError: If nothing is left to train on.
    """
    length = span if rules.duration is None else rows_of(rules.duration, interval, "the trial's duration")
    if rules.test_period is None:
        return length, 0
    test = rows_of(rules.test_period, interval, "the trial's test_period")
    if test >= length:
        raise ConfigError(
            f"the trial's test_period={rules.test_period!r} is {test} of its {length} bars: nothing is left to train on"
        )
    return length - test, test
