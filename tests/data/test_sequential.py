"""Domains whose trials come one after the other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.test_domain import MARKET, bars_at
from tests.data.test_trial_parts import SOURCE_TEST, SOURCE_TRAIN, TARGET_TEST, TARGET_TRAIN, parts_of
from vecbt.data.domain import SampleRules, SequentialDomain, WalkForward
from vecbt.errors import ConfigError, SamplingError, TooFewBarsError


def rows(domain: SequentialDomain | WalkForward, lookback: int = 0, bars: int | None = None) -> list[tuple[int, ...]]:
    table = domain.trials(lookback, bars)
    assert parts_of(table, TARGET_TRAIN) == parts_of(table, TARGET_TEST) == []
    train, test = parts_of(table, SOURCE_TRAIN), parts_of(table, SOURCE_TEST)
    if not test:
        return train  # type: ignore[return-value]
    assert all(cut == begin for (_, cut), (begin, _) in zip(train, test, strict=True))
    return [(begin, cut, end) for (begin, cut), (_, end) in zip(train, test, strict=True)]


def of(count: int, duration: Any, test: Any = None, **settings: Any) -> SequentialDomain:
    return SequentialDomain(
        bars_at(list(range(count))), trial=SampleRules(duration=duration, test_period=test), **settings
    )


def test_windows_move_on_by_their_test_period() -> None:
    assert rows(of(20, 10, 4)) == [(0, 6, 10), (4, 10, 14), (8, 14, 18)]
    assert rows(of(22, 10, 4))[-1] == (12, 18, 22)
    assert rows(of(10, 10, 4)) == [(0, 6, 10)]
    assert rows(of(200, "1h", {"minutes": 30}))[:2] == [(0, 30, 60), (30, 60, 90)]


def test_windows_without_a_test_period_are_consecutive() -> None:
    assert rows(of(20, 6)) == [(0, 6), (6, 12), (12, 18)]
    assert rows(of(20, 6, stride=7)) == [(0, 6), (7, 13), (14, 20)]
    assert rows(of(20, 6, expanding=True)) == [(0, 6), (0, 12), (0, 18)]


def test_an_expanding_window_begins_with_the_first_row_and_grows() -> None:
    assert rows(of(20, 10, 4, expanding=True)) == [(0, 6, 10), (0, 10, 14), (0, 14, 18)]
    assert rows(of(20, 10, 4, expanding=True, stride=5)) == [(0, 6, 10), (0, 11, 15), (0, 16, 20)]


@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 20), st.none() | st.integers(1, 25), st.booleans())
def test_windows_by_their_definition(count: int, train: int, test: int, stride: int | None, expanding: bool) -> None:
    domain = of(count, train + test, test or None, stride=stride, expanding=expanding)
    step, number, expected = stride or test or train, 0, []
    while number * step + train + test <= count:
        cut = number * step + train
        begin = 0 if expanding else cut - train
        expected.append((begin, cut, cut + test) if test else (begin, cut))
        number += 1
    if not expected:
        with pytest.raises(TooFewBarsError, match=f"a trial has {train + test} bars and the data {count}"):
            domain.trials(0, None)
        return
    assert rows(domain) == expected
    assert len(domain) == len(expected)
    for kind in range(3):
        assert rows(domain.fold(min(kind, len(expected) - 1))) == [expected[min(kind, len(expected) - 1)]]
    if test and stride is None:
        tested = [row for _, cut, end in expected for row in range(cut, end)]
        assert tested == list(range(train, train + len(tested)))


@given(st.integers(20, 60), st.integers(4, 20), st.integers(2, 20), st.integers(0, 30), st.booleans())
def test_room_is_that_of_every_trial(count: int, train: int, test: int, lookback: int, expanding: bool) -> None:
    domain = of(count, train + test, test, expanding=expanding)
    if train + test > count:
        return
    room = domain.room(lookback)
    if room:
        assert rows(domain, lookback, room)
    with pytest.raises(TooFewBarsError):
        domain.trials(lookback, room + 1)


def test_walk_forward_is_told_both_parts() -> None:
    bars = bars_at(list(range(200)))
    assert rows(WalkForward(bars, train="1h", test=20)) == [
        (begin, begin + 60, begin + 80) for begin in range(0, 121, 20)
    ]
    assert rows(WalkForward(bars, train=100, test=20, step="30min")) == [
        (begin, begin + 100, begin + 120) for begin in (0, 30, 60)
    ]
    assert rows(WalkForward(bars, train=100, test=40, expanding=True)) == [(0, 100, 140), (0, 140, 180)]
    folds = WalkForward(bars, train=100, test=40).folds
    assert [(fold.train, fold.test) for fold in folds] == [((0, 100), (100, 140)), ((40, 140), (140, 180))]


def test_a_fold_trains_on_its_own_rows() -> None:
    domain = WalkForward(MARKET, train=1_000, test=500)
    assert domain.train_rows == (0, 1_000)
    fold = domain.fold(7)
    assert fold.train_rows == (3_500, 4_500)
    assert (len(fold), fold.trials(20, 50).order, domain.trials(20, 50).order) == (1, "random", "sequential")
    assert fold.bars is domain.bars
    assert len(domain) == 38  # which has not become the fold


def test_without_test_rows_all_are_for_training() -> None:
    assert of(20, 6).train_rows == (0, 18)
    assert of(20, 10, 4).train_rows == (0, 6)


@pytest.mark.parametrize(("number", "message"), [(38, "fold 38 is not in 0 to 37"), (-1, "fold"), (1.0, "fold")])
def test_folds_that_are_none(number: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WalkForward(MARKET, train=1_000, test=500).fold(number)


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (SampleRules(test_period=5), "need a duration"),
        (SampleRules(duration=5, start_weekdays=[0]), "their rules are duration and test_period alone"),
        (SampleRules(duration=5, b_alpha=2.0), "their rules are duration and test_period alone"),
        (SampleRules(duration=5, time_gap="1h"), "their rules are duration and test_period alone"),
    ],
)
def test_rules_that_have_nothing_to_choose(trial: SampleRules, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SequentialDomain(MARKET, trial=trial)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="expanding must be True or False"):
        of(20, 5, expanding="yes")
    with pytest.raises(ConfigError, match="stride: 0 is 0 bars"):
        of(20, 5, stride=0).trials(0, 1)
    with pytest.raises(ConfigError, match="nothing is left to train on"):
        len(of(20, 5, 5))


def test_a_trial_without_room_is_named() -> None:
    with pytest.raises(
        TooFewBarsError, match=re.escape("trial 0 has 10, rows 0 to 9; an episode needs 5 and 8 before them")
    ):
        of(30, 10).trials(8, 4)


def test_a_trial_without_an_admitted_episode_is_counted() -> None:
    minutes = [*range(40), *range(1440, 1460), *range(2 * 1440, 2 * 1440 + 40)]
    domain = SequentialDomain(
        bars_at(minutes), trial=SampleRules(duration=20), episode=SampleRules(start_weekdays=[0, 2])
    )
    with pytest.raises(SamplingError, match=r"not every sequential trial is admitted: of 5 .* rules of episodes rej"):
        domain.trials(0, 10)
