"""Trials with training and test rows of their own, against a search by brute force; the start of days."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.data.test_domain import MARKET, bars_at
from tests.kernels.test_sampling import episodes
from vecbt.data.bars import Bars
from vecbt.data.domain import RandomDomain, SampleRules, TrialTable
from vecbt.errors import ConfigError, SamplingError, TooFewBarsError

SOURCE_TRAIN, SOURCE_TEST, TARGET_TRAIN, TARGET_TEST = range(4)


def parts_of(table: TrialTable, section: int) -> list[tuple[int, int]]:
    """First row, and the row after the last, of each trial's part."""
    first, count = table.sections[section]
    return [(begin, end) for begin, end, _ in table.rows[first : first + count].tolist()]


# -- by brute force ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """A small world whose trials have two parts."""

    minutes: list[int]
    train: int
    test: int
    test_period: int
    backshift: bool
    start_00: bool
    episode_00: bool
    lookback: int
    bars: int

    @property
    def domain(self) -> RandomDomain:
        return RandomDomain(
            bars_at(self.minutes),
            trial=SampleRules(duration=self.train + self.test, test_period=self.test, start_00=self.start_00),
            episode=SampleRules(start_00=self.episode_00),
            test_period=self.test_period or None,
            target_backshift=self.backshift,
        )

    def is_first_of_day(self, row: int) -> bool:
        return row == 0 or self.minutes[row - 1] // 1440 < self.minutes[row] // 1440

    def starts(self, begin: int, end: int) -> Iterator[int]:
        """First rows of episodes within a part of a trial."""
        if self.bars == 0:
            if max(begin, self.lookback) < end - 1:
                yield max(begin, self.lookback)
            return
        for row in range(max(begin, self.lookback), end - self.bars):
            if not self.episode_00 or self.is_first_of_day(row):
                yield row

    def trials(self, target: bool) -> list[tuple[int, int, int]]:
        """First row, first test row, and the row after the last, of all trials of a type."""
        split = len(self.minutes) - self.test_period
        found = []
        for begin in range(len(self.minutes)):
            cut, end = begin + self.train, begin + self.train + self.test
            inside = end <= split
            if target:
                inside = end <= len(self.minutes) and (begin >= split or (self.backshift and cut >= split))
            obeys = not self.start_00 or self.is_first_of_day(begin)
            if inside and obeys and all([*self.starts(*part)] for part in ((begin, cut), (cut, end))):
                found.append((begin, cut, end))
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 700, 1440]), min_size=12, max_size=40))
    bars = draw(st.integers(0, 3))
    least = max(bars, 1) + 1
    test_period = draw(st.sampled_from([0, 0, 2 * least + 2, len(steps) // 3]))
    return Case(
        list(itertools.accumulate(steps, initial=draw(st.integers(0, 2000)))),
        draw(st.integers(1, least + 5)),
        draw(st.integers(1, least + 3)),
        test_period,
        draw(st.booleans()),
        draw(st.sampled_from([False, False, True])),
        bars > 0 and draw(st.sampled_from([False, False, False, True])),
        draw(st.integers(0, 4)),
        bars,
    )


@settings(max_examples=300)
@given(cases())
def test_the_parts_of_trials_are_those_of_a_search_by_brute_force(case: Case) -> None:
    expected = [case.trials(target) for target in ([False, True] if case.test_period else [False])]
    if not all(expected):
        with pytest.raises((TooFewBarsError, SamplingError)):
            case.domain.trials(case.lookback, case.bars)
        event("refused")
        return
    event("backshift" if case.backshift and case.test_period else "admitted")
    table = case.domain.trials(case.lookback, case.bars)
    for target, trials in enumerate(expected):
        assert parts_of(table, 2 * target) == [(begin, cut) for begin, cut, _ in trials]
        assert parts_of(table, 2 * target + 1) == [(cut, end) for _, cut, end in trials]
    if len(expected) == 1:
        assert parts_of(table, TARGET_TRAIN) == parts_of(table, TARGET_TEST) == []
    for first, count in table.sections:
        if not count:
            continue
        possible = {
            (row, start)
            for row in range(first, first + count)
            for start in case.starts(table.rows[row, 0], table.rows[row, 1])
        }
        drawn = episodes(
            60 * len(possible),
            table.rows,  # type: ignore[arg-type]
            first=first,
            count=count,
            starts=table.starts,
            rank=table.rank,
            lookback=case.lookback,
            bars=case.bars,
        )
        assert {(trial, start) for trial, start, _ in drawn.tolist()} <= possible
        assert (drawn[:, 2] < table.rows[drawn[:, 0], 1]).all()


@given(cases())
def test_no_training_row_is_a_test_row(case: Case) -> None:
    try:
        table = case.domain.trials(case.lookback, case.bars)
    except (TooFewBarsError, SamplingError):
        return
    split = case.domain.train_rows[1]
    source = parts_of(table, SOURCE_TRAIN) + parts_of(table, SOURCE_TEST)
    assert all(end <= split for _, end in source)
    assert all(begin >= split for begin, _ in parts_of(table, TARGET_TEST))
    for kind in (SOURCE_TRAIN, TARGET_TRAIN):
        for (begin, cut), (again, end) in zip(parts_of(table, kind), parts_of(table, kind + 1), strict=True):
            assert begin < cut == again < end


# -- parts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [120, "2h", {"hours": 2}, datetime.timedelta(hours=2)], ids=str)
def test_a_test_period_of_the_trial_is_its_last_part(period: Any) -> None:
    table = RandomDomain(MARKET, trial=SampleRules(duration="1D", test_period=period), test_period="5D").trials(10, 5)
    split = 20_000 - 7_200
    for section, rows, shift in ((SOURCE_TRAIN, split, 0), (TARGET_TRAIN, 7_200, split)):
        train, test = parts_of(table, section), parts_of(table, section + 1)
        assert len(train) == len(test) == rows - 1_440 + 1
        assert train[0] == (shift, shift + 1_320)
        assert test[0] == (shift + 1_320, shift + 1_440)


def test_all_of_the_section_is_divided_where_the_trial_has_no_duration() -> None:
    table = RandomDomain(MARKET, trial=SampleRules(test_period=100), test_period=1_000).trials(10, 5)
    assert [parts_of(table, section) for section in range(4)] == [
        [(0, 18_900)],
        [(18_900, 19_000)],
        [(19_000, 19_900)],
        [(19_900, 20_000)],
    ]


def test_without_backshift_a_target_trial_is_in_test_rows_and_with_it_its_test_part() -> None:
    rules: Any = {"trial": SampleRules(duration=300, test_period=100), "test_period": 1_000}
    plain, shifted = RandomDomain(MARKET, **rules), RandomDomain(MARKET, **rules, target_backshift=True)
    assert parts_of(plain.trials(5, 5), TARGET_TRAIN)[0] == (19_000, 19_200)
    assert parts_of(shifted.trials(5, 5), TARGET_TRAIN)[0] == (18_800, 19_000)
    assert parts_of(shifted.trials(5, 5), TARGET_TEST)[0] == (19_000, 19_100)
    assert parts_of(shifted.trials(5, 5), TARGET_TEST)[-1] == (19_900, 20_000)


def test_a_backshift_may_reach_for_more_rows_than_there_are() -> None:
    domain = RandomDomain(
        bars_at(list(range(100))), trial=SampleRules(duration=60, test_period=10), test_period=40, target_backshift=True
    )
    assert parts_of(domain.trials(0, 5), SOURCE_TRAIN) == [(0, 50)]
    assert parts_of(domain.trials(0, 5), TARGET_TEST)[0] == (60, 70)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"trial": SampleRules(duration=50, test_period=50)}, "test_period=50 is 50 of its 50 bars: nothing is left"),
        ({"trial": SampleRules(duration="1h", test_period="2h")}, "test_period='2h' is 120 of its 60 bars"),
        ({"trial": SampleRules(duration=50, test_period=0)}, "the trial's test_period: 0 is 0 bars"),
        ({"trial": SampleRules(duration=50, test_period="10s")}, "the trial's test_period: '10s' is 0 bars"),
    ],
)
def test_test_periods_that_cannot_be(rules: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        RandomDomain(MARKET, **rules).trials(5, 5)


def test_rules_that_mean_nothing() -> None:
    with pytest.raises(ConfigError, match="an episode has no test_period"):
        RandomDomain(MARKET, episode=SampleRules(test_period=5))
    with pytest.raises(ConfigError, match="target_backshift=True is for the training part of target trials"):
        RandomDomain(MARKET, target_backshift=True, test_period=100)
    with pytest.raises(ConfigError, match="target_backshift must be True or False, got 1"):
        RandomDomain(MARKET, target_backshift=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="start_00 must be True or False, got 'yes'"):
        SampleRules(start_00="yes")  # type: ignore[arg-type]


def test_too_few_bars_for_a_part_says_how_many_it_has() -> None:
    with pytest.raises(TooFewBarsError, match="a trial has 40 for training and 10 for test; an episode needs 21"):
        RandomDomain(MARKET, trial=SampleRules(duration=50, test_period=10)).trials(5, 20)


def test_a_mapping_of_the_callers_is_not_kept() -> None:
    period, gap = {"days": 1}, {"hours": 2}
    rules = SampleRules(duration=period, test_period={"hours": 3}, time_gap=gap)
    period["days"], gap["hours"] = 5, 7
    assert (rules.duration, rules.time_gap) == ({"days": 1}, {"hours": 2})
    domain = RandomDomain(MARKET, trial=rules, test_period=(test := {"days": 2}))
    before = domain.train_rows
    test["days"] = 5
    assert domain.train_rows == before == (0, 20_000 - 2_880)


# -- days --------------------------------------------------------------------------------------------------------------


def test_a_start_at_midnight_is_the_first_bar_of_its_day() -> None:
    minutes = [1400, 1439, 1440, 1441, 2880 + 90, 2880 + 91, 4320 - 1, 4320, 4321, 4322]
    domain = RandomDomain(bars_at(minutes), trial=SampleRules(duration=2, start_00=True))
    assert [begin for begin, _ in parts_of(domain.trials(0, 1), SOURCE_TRAIN)] == [0, 2, 4, 7]


def test_a_start_at_midnight_never_leaves_its_section() -> None:
    # Both sections begin in the middle of a day: no trial of either begins at the other's midnight.
    domain = RandomDomain(
        MARKET, trial=SampleRules(duration=300, start_00=True), test_period=3_000, episode=SampleRules(start_00=True)
    )
    table = domain.trials(0, 100)
    days = MARKET.timestamps // 86_400_000_000_000
    for section, low, high in ((SOURCE_TRAIN, 0, 17_000), (TARGET_TEST, 17_000, 20_000)):
        begins = [begin for begin, _ in parts_of(table, section)]
        assert begins
        for begin in begins:
            assert low <= begin <= high - 300
            assert begin == 0 or days[begin - 1] < days[begin]


@pytest.mark.parametrize("hours", [24, 7 * 24])
def test_every_bar_of_a_day_or_longer_begins_one(hours: int) -> None:
    bars = bars_at([60 * hours * number for number in range(40)])
    plain = RandomDomain(bars, trial=SampleRules(duration=5))
    at_midnight = RandomDomain(bars, trial=SampleRules(duration=5, start_00=True))
    assert parts_of(at_midnight.trials(1, 2), 0) == parts_of(plain.trials(1, 2), 0)


@pytest.mark.parametrize(("seconds", "day"), [(1, 86_400), (15, 5_760), (3_600, 24), (86_400, 1)])
def test_any_size_of_bars(seconds: int, day: int) -> None:
    count = 4 * day + 20
    stamps = 1_704_067_200_000_000_000 + seconds * 1_000_000_000 * np.arange(count, dtype=np.int64)
    ones = np.ones(count)
    bars = Bars.from_arrays(stamps, ones, ones, ones, ones)
    domain = RandomDomain(bars, trial=SampleRules(duration={"days": 3}, test_period="1D"))
    table = domain.trials(0, 0) if day > 1 else domain.trials(0, None)
    assert parts_of(table, SOURCE_TRAIN)[0] == (0, 2 * day)
    assert parts_of(table, SOURCE_TEST)[0] == (2 * day, 3 * day)
