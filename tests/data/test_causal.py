"""The causal domain: trials before and after a moment."""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.test_domain import MARKET, MONDAY, bars_at
from tests.data.test_trial_parts import parts_of
from vecbt.data.domain import CausalDomain, SampleRules
from vecbt.data.shared import DataTable
from vecbt.data.store import DataStore, TableRequest
from vecbt.data.supply import TrialSupply
from vecbt.errors import ConfigError, TooFewBarsError

RULES = SampleRules(duration=10, test_period=3)
MINUTE = 60 * 1_000_000_000


def table_of(domain: CausalDomain, window: int = 0, steps: int = 0) -> DataTable:
    features = ("close",) if window else ()
    return DataStore(domain).table(TableRequest(features, None, window, 1, steps, 1))


def supplied(table: DataTable, moment: int) -> list[list[tuple[int, int]]]:
    """The rows of the trials of each section that there are at a moment."""
    rows = table.trials.arena.arrays["trials"]
    return [
        [(begin, end) for begin, end, _ in rows[first : first + count].tolist()]
        for first, count in TrialSupply(table).sections(moment).tolist()
    ]


@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 90]), min_size=18, max_size=40),
    st.integers(-5, 500),
    st.booleans(),
    st.integers(2, 8),
    st.integers(2, 5),
)
def test_trials_at_any_moment_by_their_definition(
    steps: list[int], minute: int, expanding: bool, train: int, test: int
) -> None:
    minutes = np.cumsum(steps).tolist()
    domain = CausalDomain(
        bars_at(minutes), trial=SampleRules(duration=train + test, test_period=test), expanding=expanding
    )
    table = table_of(domain)
    # Rows that are known then; before there are trials of both types it is the first moment at which there are.
    known = max(sum(m <= minute for m in minutes), train + test)
    source_train, source_test, target_train, target_test = supplied(table, MONDAY + minute * MINUTE)
    ends = range(train + test, known + 1) if expanding else [known]
    assert source_test == [(end - test, end) for end in ends]
    assert source_train == [(end - test - train, end - test) for end in ends]
    if known + test <= len(minutes):
        assert target_train == [(known - train, known)]
        assert target_test == [(known, known + test)]
    else:
        assert target_train == target_test == []


def test_rules_are_for_source_trials() -> None:
    rules = SampleRules(duration=600, test_period=100, start_00=True)
    table = table_of(CausalDomain(MARKET, trial=rules))
    _, source, _, target = supplied(table, int(MARKET.timestamps[3_000]))
    days = MARKET.timestamps // 86_400_000_000_000
    begin = source[0][0] - 500
    assert days[begin - 1] < days[begin]
    assert source[0][1] <= 3_001 < source[0][1] + 1_440  # the last one that has ended
    assert target == [(3_001, 3_101)]


def test_the_next_target_trial_with_an_admitted_episode_is_taken() -> None:
    days = SampleRules(start_weekdays=[2, 3])
    domain = CausalDomain(MARKET, trial=SampleRules(duration=600, test_period=300), episode=days)
    table = DataStore(domain).table(TableRequest((), None, 0, 1, 100, 1))
    weekday = (MARKET.timestamps // 86_400_000_000_000 + 3) % 7
    friday = int(np.flatnonzero(weekday == 4)[0])
    first = friday + int(np.flatnonzero(weekday[friday:] == 2)[0])
    _, _, train, test = supplied(table, int(MARKET.timestamps[friday + 600]))
    # An episode may start on Wednesday in each of the parts.
    assert train[0][1] - 100 > first
    assert train[0][1] == first + 101
    assert test[0] == (train[0][1], train[0][1] + 300)


def test_the_clock_begins_with_the_first_source_trial() -> None:
    domain = CausalDomain(bars_at([5 * number for number in range(30)]), trial=RULES)
    clock = domain.make_clock()
    assert clock.now == MONDAY + 45 * MINUTE
    assert not clock.frozen
    assert domain.train_rows == (0, 10)
    assert DataStore(domain).clock.now == clock.now


@pytest.mark.parametrize(
    "split",
    [
        "2024-01-01 00:20:30",
        "2024-01-01T01:20:30+01:00",
        datetime.datetime(2024, 1, 1, 0, 20, 30),
        datetime.datetime(2024, 1, 1, 0, 20, 30, tzinfo=datetime.UTC),
        pd.Timestamp("2024-01-01 00:20:59"),
        {"year": 2024, "month": 1, "day": 1, "minute": 20},
    ],
    ids=str,
)
def test_a_frozen_split_is_the_last_bar_known_then(split: Any) -> None:
    domain = CausalDomain(bars_at(list(range(40))), trial=RULES, frozen_time_split=split)
    table = table_of(domain)
    assert table.clock.frozen
    assert table.clock.now == MONDAY + 20 * MINUTE
    table.clock.advance(MONDAY + 30 * MINUTE)
    assert supplied(table, table.clock.now)[3] == [(21, 24)]
    assert domain.train_rows == (0, 21)


@pytest.mark.parametrize("minute", [8, 37])
def test_a_frozen_split_needs_trials_on_both_sides(minute: int) -> None:
    domain = CausalDomain(
        bars_at(list(range(40))), trial=RULES, frozen_time_split=f"2024-01-01 00:{minute:02}", expanding=True
    )
    with pytest.raises(
        ConfigError,
        match=re.escape("must be from 2024-01-01 00:09:00+00:00 to 2024-01-01 00:36:00+00:00 (TEST)"),
    ):
        domain.make_clock()


@pytest.mark.parametrize("split", ["soon", 5, True, None, [2024], pd.NaT], ids=str)
def test_what_is_no_moment(split: Any) -> None:
    if split is None:
        CausalDomain(MARKET, trial=RULES, frozen_time_split=split)
        return
    with pytest.raises(ConfigError, match="expected a moment such as"):
        CausalDomain(MARKET, trial=RULES, frozen_time_split=split)


def test_a_mapping_that_is_no_date() -> None:
    for split in ({"year": 2024}, {"year": 2024, "month": 13, "day": 1}, {"years": 2024}):
        with pytest.raises(ConfigError, match="expected a moment such as"):
            CausalDomain(MARKET, trial=RULES, frozen_time_split=split)


@pytest.mark.parametrize("trial", [SampleRules(), SampleRules(duration=5), SampleRules(test_period=5)], ids=str)
def test_trials_have_a_duration_and_a_test_period(trial: SampleRules) -> None:
    with pytest.raises(ConfigError, match="need a duration and a test_period"):
        CausalDomain(MARKET, trial=trial)


def test_too_few_bars() -> None:
    domain = CausalDomain(bars_at(list(range(12))), trial=RULES)
    with pytest.raises(TooFewBarsError, match="a source trial of 10 bars and 3 bars after it"):
        domain.trials(0, None)


def test_room() -> None:
    domain = CausalDomain(bars_at(list(range(40))), trial=RULES)
    assert domain.room(0) == 2
    assert domain.room(34) == 2  # the latest trials have so many rows before them
    assert domain.room(35) == 1
    assert parts_of(domain.trials(20, 2), 0)[0] == (16, 23)
