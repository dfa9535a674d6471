"""Domains: which trials and which first rows of episodes they admit, by brute force; durations, rules, messages."""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime
import functools
import itertools
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.kernels.test_sampling import episodes
from vecbt.data.bars import Bars
from vecbt.data.domain import Domain, RandomDomain, SampleRules, TrialTable, rows_of
from vecbt.data.synthetic import synthetic_market
from vecbt.errors import ConfigError, DataFileError, SamplingError, TooFewBarsError

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
MONDAY = 1_704_067_200 * SECOND  # 1 January 2024, 00:00 UTC
MARKET = synthetic_market(20_000, seed=5)


def bars_at(minutes: list[int], name: str = "TEST") -> Bars:
    """Bars at so many minutes after a Monday's midnight."""
    ones = np.ones(len(minutes))
    return Bars.from_arrays(MONDAY + MINUTE * np.array(minutes, np.int64), ones, ones, ones, ones, name=name)


def begins(table: TrialTable, section: int = 0) -> list[int]:
    first, count = table.sections[section]
    return table.rows[first : first + count, 0].tolist()


# -- durations ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "rows"),
    [
        (1, 1),
        (7, 7),
        ("2h", 120),
        ("1D", 1440),
        ("90s", 1),  # what does not fit in whole is left out
        (datetime.timedelta(minutes=3), 3),
        (datetime.timedelta(minutes=3, seconds=59), 3),
        (pd.Timedelta("1h"), 60),
        ({"days": 1, "hours": 6, "minutes": 30}, 1830),
        ({"hours": 0.5}, 30),
        ({"seconds": 120}, 2),
    ],
)
def test_durations_are_rows_or_the_bars_that_fit_into_a_time(duration: Any, rows: int) -> None:
    assert rows_of(duration, MINUTE, "trial") == rows


def test_a_time_is_fewer_rows_where_bars_are_longer() -> None:
    assert rows_of("1D", 60 * MINUTE, "trial") == 24
    assert rows_of(5, 60 * MINUTE, "trial") == 5


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        (0, "trial: 0 is 0 bars of 0 days 00:01:00; at least 1 is needed"),
        (-3, "at least 1 is needed"),
        ("59s", "'59s' is 0 bars"),
        ("-5D", "at least 1"),
        ({}, "at least 1"),
        ({"weeks": 1}, "trial: unknown unit 'weeks'; known: days, hours, minutes, seconds"),
        ("five days", "trial: 'five days' is no time; write '5D', '36h' or a timedelta"),
        (5.0, "trial: expected rows or a time, got 5.0"),
        (True, "expected rows or a time, got True"),
        (None, "expected rows or a time, got None"),
        ([1], "expected rows or a time"),
    ],
)
def test_what_is_no_duration(duration: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        rows_of(duration, MINUTE, "trial")


@pytest.mark.parametrize(
    "duration",
    [{"days": "one"}, {"days": float("nan")}, {"days": float("inf")}, {"days": None}, datetime.timedelta(days=10**6)],
    ids=str,
)
def test_times_that_are_no_number_of_nanoseconds(duration: Any) -> None:
    with pytest.raises(ConfigError, match=r"trial: .*no time"):
        rows_of(duration, MINUTE, "trial")


@given(st.integers(1, 36_500), st.sampled_from([SECOND, MINUTE, 60 * MINUTE, 1440 * MINUTE]))
def test_a_time_of_whole_bars_is_their_number(rows: int, interval: int) -> None:
    assert rows_of({"seconds": rows * interval // SECOND}, interval, "trial") == rows


def test_a_time_cannot_be_counted_in_a_single_bar() -> None:
    # There is no step from bar to bar.
    for rules in ({"test_period": "1D"}, {"trial": SampleRules(duration="1D")}):
        with pytest.raises((ConfigError, TooFewBarsError), match="1 bar"):
            RandomDomain(bars_at([0]), **rules).trials(0, 1)  # type: ignore[arg-type]


# -- rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"start_weekdays": []}, "start_weekdays must be numbers from 0 (Monday) to 6 (Sunday), got ()"),
        ({"start_weekdays": [0, 7]}, "got (0, 7)"),
        ({"start_weekdays": [-1]}, "start_weekdays"),
        ({"start_weekdays": ["Mon"]}, "got ('Mon',)"),
        ({"time_gap": "-1h"}, "time_gap must not be negative, got '-1h'"),
        ({"time_gap": {"hours": -1}}, "time_gap must not be negative"),
        ({"time_gap": {"hour": 1}}, "time_gap: unknown unit 'hour'"),
        ({"time_gap": "an hour"}, "time_gap: 'an hour' is no time"),
        *[
            ({name: value}, f"{name} must be a number of more than 0, got {value}")
            for name in ("b_alpha", "b_beta")
            for value in (0, -1.0, float("nan"), float("inf"))
        ],
    ],
)
def test_rules_that_cannot_be(rules: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        SampleRules(**rules)


@pytest.mark.parametrize(
    "rules",
    [
        {"b_alpha": "steep"},
        {"b_beta": None},
        {"start_weekdays": 3},
        {"time_gap": 5},  # of what? taken for nanoseconds, it would admit no gap at all
        {"time_gap": 1.5},
    ],
    ids=str,
)
def test_rules_of_other_types(rules: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(rules))):
        SampleRules(**rules)


def test_rules_are_frozen_and_keep_no_list_of_the_callers() -> None:
    days = [0, 4]
    rules = SampleRules(start_weekdays=days)
    days.append(6)
    assert rules.start_weekdays == (0, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rules.b_alpha = 2.0  # type: ignore[misc]


def test_weekdays_are_those_of_the_first_bar_in_utc() -> None:
    # Half days from Monday 00:00 on, for two weeks.
    bars = bars_at([720 * number for number in range(28)])
    for day in range(7):
        domain = RandomDomain(bars, trial=SampleRules(duration=2, start_weekdays=[day]))
        expected = [row for row in range(27) if datetime_of(bars, row).weekday() == day]
        assert begins(domain.trials(0, 1)) == expected
        assert len(expected) in (3, 4)


def datetime_of(bars: Bars, row: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(bars.timestamps[row]) // SECOND, datetime.UTC)


@pytest.mark.parametrize(("gap", "admitted"), [("1h", False), ("47h59min", False), ("2D", True), ({"days": 3}, True)])
def test_a_gap_counts_beyond_the_usual_step(gap: Any, admitted: bool) -> None:
    # A weekend: the market is closed for exactly two days.
    friday = 5 * 1440 - 1  # the row of the last bar before
    domain = RandomDomain(MARKET, trial=SampleRules(duration=3, time_gap=gap))
    found = set(begins(domain.trials(0, 1)))
    across = {friday - 1, friday}  # a trial of three rows holds the gap
    assert across <= found if admitted else not across & found
    assert {friday - 2, friday + 1} <= found


def test_no_gap_at_all_may_be_asked_for() -> None:
    bars = bars_at([0, 1, 2, 4, 5, 6, 7, 9])
    domain = RandomDomain(bars, trial=SampleRules(duration=3, time_gap="0s"))
    assert begins(domain.trials(0, 1)) == [0, 3, 4]


def test_shapes_are_the_trials_then_the_episodes() -> None:
    domain = RandomDomain(
        MARKET,
        trial=SampleRules(duration=50, b_alpha=8, b_beta=2),
        episode=SampleRules(b_alpha=3, b_beta=0.5),
    )
    table = domain.trials(5, 10)
    assert table.shapes == (8.0, 2.0, 3.0, 0.5)
    drawn = episodes(
        4_000, table.rows, starts=table.starts, rank=table.rank, shapes=np.array(table.shapes), lookback=5, bars=10
    )
    assert abs(drawn[:, 0].mean() / len(table.rows) - 0.8) < 0.01
    place = (drawn[:, 1] - np.maximum(table.rows[drawn[:, 0], 0], 5)) / 40.0
    assert abs(place.mean() - 3.0 / 3.5) < 0.02


# -- sections ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [1440, "1D", {"days": 1}, datetime.timedelta(days=1)], ids=str)
def test_the_last_part_is_for_test(period: Any) -> None:
    domain = RandomDomain(MARKET, test_period=period)
    assert domain.train_rows == (0, 18_560)
    table = domain.trials(10, 5)
    assert table.rows.tolist() == [[0, 18_560, 0], [18_560, 20_000, 0]]
    assert table.sections == ((0, 1), (1, 0), (1, 0), (1, 1))


def test_without_a_test_period_there_are_no_test_rows() -> None:
    domain = RandomDomain(MARKET)
    assert domain.train_rows == (0, 20_000)
    table = domain.trials(10, 5)
    assert table.rows.tolist() == [[0, 20_000, 0]]
    assert table.sections == ((0, 1), (1, 0), (1, 0), (1, 0))
    assert table.starts.size == table.rank.size == 0


@pytest.mark.parametrize("period", [20_000, 50_000, "30D"])
def test_something_must_be_left_to_train_on(period: Any) -> None:
    with pytest.raises(ConfigError, match=rf"test_period={period!r} is \d+ of 20000 bars \(SYNTH\): nothing is left"):
        _ = RandomDomain(MARKET, test_period=period).train_rows


def test_test_episodes_may_look_back_into_training_rows() -> None:
    table = RandomDomain(bars_at(list(range(20))), test_period=4).trials(10, 3)
    drawn = episodes(50, table.rows, first=table.sections[3][0], count=1, lookback=10, bars=3)
    assert set(drawn[:, 1]) == {16}


def test_the_length_of_an_episode_is_not_the_domains() -> None:
    with pytest.raises(ConfigError, match=r"EnvConfig\.episode_steps"):
        RandomDomain(MARKET, episode=SampleRules(duration=10))


# -- room --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "lookback", "room"),
    [
        ({}, 0, 99),
        ({}, 29, 70),
        ({}, 98, 1),
        ({}, 99, 0),
        ({}, 500, 0),
        ({"trial": SampleRules(duration=20)}, 0, 19),
        ({"trial": SampleRules(duration=20)}, 30, 19),  # there are rows before it to look back to
        ({"trial": SampleRules(duration=20)}, 85, 14),
        ({"trial": SampleRules(duration=200)}, 0, 0),
        ({"test_period": 10}, 5, 9),
        ({"test_period": 10}, 85, 4),  # of the training rows
        ({"test_period": 95}, 3, 1),
        ({"test_period": 30, "trial": SampleRules(duration=40)}, 0, 0),
    ],
)
def test_room_for_episodes(rules: Any, lookback: int, room: int) -> None:
    assert RandomDomain(bars_at(list(range(100))), **rules).room(lookback) == room


@given(st.data())
def test_room_is_the_most_bars_there_can_be(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 30))
    duration = data.draw(st.none() | st.integers(1, 30))
    period = data.draw(st.none() | st.integers(1, count - 1))
    lookback = data.draw(st.integers(0, 32))
    domain = RandomDomain(bars_at(list(range(count))), trial=SampleRules(duration=duration), test_period=period)
    room = domain.room(lookback)
    event("no room" if room == 0 else "room")
    if room:
        table = domain.trials(lookback, room)
        assert table.sections[0][1] > 0
        assert (table.sections[3][1] > 0) == (period is not None)
    with pytest.raises(TooFewBarsError):
        domain.trials(lookback, room + 1)


# -- everything admitted, and nothing else -----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """A small world: bars, rules, and what episodes need."""

    minutes: list[int]
    trial: SampleRules
    episode: SampleRules
    test_period: int | None
    lookback: int
    bars: int

    @property
    def domain(self) -> RandomDomain:
        return RandomDomain(bars_at(self.minutes), trial=self.trial, episode=self.episode, test_period=self.test_period)

    @property
    def sections(self) -> list[tuple[int, int]]:
        count = len(self.minutes)
        split = count - (self.test_period or 0)
        return [(0, split)] + ([(split, count)] if self.test_period else [])

    @functools.cached_property
    def interval(self) -> int:
        steps = collections.Counter(b - a for a, b in itertools.pairwise(self.minutes))
        return min(step for step, number in steps.items() if number == max(steps.values()))

    def obeys(self, rules: SampleRules, first: int, last: int) -> bool:
        """Whether the rows ``first`` to ``last`` obey the rules, one look at a time."""
        if rules.start_weekdays is not None and self.minutes[first] // 1440 % 7 not in rules.start_weekdays:
            return False
        if rules.time_gap is None:
            return True
        assert isinstance(rules.time_gap, Mapping)
        limit = rules.time_gap["minutes"]
        return all(b - a - self.interval <= limit for a, b in itertools.pairwise(self.minutes[first : last + 1]))

    def episodes_of(self, begin: int, end: int, *, rules: bool = True) -> Iterator[tuple[int, int]]:
        """First and last rows of the episodes that a trial has."""
        if self.bars == 0:
            first = max(begin, self.lookback)
            if first < end - 1:
                yield first, end - 1
            return
        for start in range(begin, end):
            last = start + self.bars
            if self.lookback <= start and last < end and (not rules or self.obeys(self.episode, start, last)):
                yield start, last

    def trials_of(self, section: tuple[int, int], *, rules: bool = True) -> list[tuple[int, int]]:
        """First row, and the row after the last, of the trials of a section that have an episode."""
        first, end = section
        length = end - first if self.trial.duration is None else self.trial.duration
        assert isinstance(length, int)
        return [
            (begin, begin + length)
            for begin in range(first, end)
            if begin + length <= end
            and (not rules or self.obeys(self.trial, begin, begin + length - 1))
            and any(self.episodes_of(begin, begin + length, rules=rules))
        ]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 5, 300, 1440]), min_size=9, max_size=40))
    minutes = list(itertools.accumulate(steps, initial=draw(st.integers(0, 7 * 1440))))

    def rules(duration: int | None) -> SampleRules:
        return SampleRules(
            duration=duration,
            start_weekdays=draw(st.none() | st.none() | st.lists(st.integers(0, 6), min_size=1, max_size=5)),
            time_gap=draw(st.none() | st.none() | st.fixed_dictionaries({"minutes": st.sampled_from([0, 1, 4, 1439])})),
        )

    bars = draw(st.integers(0, 5))
    trial = rules(draw(st.none() | st.integers(max(bars, 1), 20)))
    return Case(
        minutes,
        trial,
        rules(None) if bars else SampleRules(),
        draw(st.none() | st.integers(1 + bars, 1 + bars + len(minutes) // 4)),
        draw(st.integers(0, 5)),
        bars,
    )


@settings(max_examples=400)
@given(cases())
def test_the_admitted_trials_and_episodes_are_those_of_a_search_by_brute_force(case: Case) -> None:
    expected = [case.trials_of(section) for section in case.sections]
    if not all(expected):
        check_refusal(case)
        return
    event("admitted")
    table = case.domain.trials(case.lookback, case.bars)
    assert table.rows.dtype == table.starts.dtype == table.rank.dtype == np.int64
    numbers = [0, *itertools.accumulate(map(len, expected))]
    for section, trials in enumerate(expected):
        first, count = table.sections[3 * section]
        assert first == numbers[section]
        assert [(begin, end) for begin, end, _ in table.rows[first : first + count].tolist()] == trials
        possible = {(number, *rows) for number, trial in enumerate(trials, first) for rows in case.episodes_of(*trial)}
        most = max(len(list(case.episodes_of(*trial))) for trial in trials)
        drawn = episodes(
            40 * len(trials) * most,
            table.rows,  # type: ignore[arg-type]
            first=first,
            count=count,
            starts=table.starts,
            rank=table.rank,
            lookback=case.lookback,
            bars=case.bars,
        )
        assert {(trial, start, end) for trial, start, end in drawn.tolist()} == possible
    if len(expected) == 1:
        assert table.sections[3][1] == 0


def check_refusal(case: Case) -> None:
    """The rules leave a section without a trial, or there is no room for one: the message says which."""
    room = [bool(case.trials_of(section, rules=False)) for section in case.sections]
    with pytest.raises((TooFewBarsError, SamplingError)) as caught:
        case.domain.trials(case.lookback, case.bars)
    if all(room):
        event("refused by rules")
        assert caught.type is SamplingError
    elif not room[0]:
        event("no room")
        assert caught.type is TooFewBarsError


@given(cases())
def test_no_training_trial_touches_a_test_row(case: Case) -> None:
    if not all(case.trials_of(section) for section in case.sections):
        return
    domain = case.domain
    table = domain.trials(case.lookback, case.bars)
    split = domain.train_rows[1]
    (first, count), _, _, (test_first, test_count) = table.sections
    assert (table.rows[first : first + count, 1] <= split).all()
    assert (table.rows[test_first : test_first + test_count, 0] >= split).all()
    assert test_count == 0 or split == len(case.minutes) - (case.test_period or 0)


def test_of_real_weeks_nothing_is_missing() -> None:
    # The same search over some thousand rows of a market with weekends.
    case = Case(
        ((MARKET.timestamps[::20] - MONDAY) // MINUTE).tolist(),
        SampleRules(duration=72, start_weekdays=[0, 2, 4], time_gap={"minutes": 60}),
        SampleRules(start_weekdays=[0, 4]),
        400,
        30,
        40,
    )
    table = case.domain.trials(30, 40)
    for section, (first, count) in zip(case.sections, table.sections[::3], strict=True):
        found = [(begin, end) for begin, end, _ in table.rows[first : first + count].tolist()]
        assert found == case.trials_of(section)
        assert 50 < len(found) < 200


# -- messages ----------------------------------------------------------------------------------------------------------


def test_a_refusal_of_trials_counts_what_each_rule_rejects() -> None:
    minutes = [*range(50), *range(1440 + 50, 1440 + 100)]  # Monday, Tuesday
    rules = SampleRules(duration=60, start_weekdays=[1, 2], time_gap="1h")
    with pytest.raises(SamplingError) as caught:
        RandomDomain(bars_at(minutes), trial=rules).trials(45, 10)
    # Of the 41 trials all begin on Monday and cross the night; those from 0 on lack rows before row 45, but have an
    # episode later on, all but none.
    assert str(caught.value) == (
        "no training trial of 60 bars is admitted: of 41 candidates start_weekdays=(1, 2) rejects 41, "
        "time_gap='1h' rejects 41"
    )


def test_a_refusal_counts_trials_without_room_and_without_admitted_episodes() -> None:
    bars = bars_at([*range(1430, 1470)])  # ten bars of Monday, then Tuesday
    domain = RandomDomain(
        bars, trial=SampleRules(duration=12, start_weekdays=[1]), episode=SampleRules(start_weekdays=[0])
    )
    with pytest.raises(SamplingError) as caught:
        domain.trials(4, 10)
    # 29 trials; those from row 0, 1 and 2 lack the rows before; an episode may start in one of their first two rows.
    message = str(caught.value)
    assert message.startswith("no training trial of 12 bars is admitted: of 29 candidates")
    assert "start_weekdays=(1,) rejects 10," in message
    assert "room for the look-back and an episode rejects 3," in message
    assert message.endswith("rules of episodes rejects 22")


def test_a_refusal_of_episodes_counts_what_each_rule_rejects() -> None:
    minutes = [0, 1, 2, 100, 101, 102, 200, 201, 202, 300]
    domain = RandomDomain(bars_at(minutes), episode=SampleRules(time_gap={"minutes": 5}, start_weekdays=[0, 1]))
    with pytest.raises(SamplingError) as caught:
        domain.trials(0, 4)
    assert str(caught.value) == (
        "no episode of 4 bars is admitted: of 6 candidates time_gap={'minutes': 5} rejects 6"
    )  # a rule that rejects none is not blamed


def test_a_refusal_names_the_section() -> None:
    domain = RandomDomain(
        bars_at(list(range(3000))), trial=SampleRules(duration=100, start_weekdays=[0]), test_period=1200
    )
    with pytest.raises(SamplingError, match="no test trial of 100 bars is admitted: of 1101 candidates"):
        domain.trials(5, 10)


@pytest.mark.parametrize(
    ("rules", "needs", "message"),
    [
        ({}, (30, 100), "the training rows are 100 bars and a trial has 100; an episode needs 101 and 30 before them"),
        ({}, (90, 10), "an episode needs 11 and 90 before them. Use more data, or a smaller window, episode_steps or"),
        ({"trial": SampleRules(duration=10)}, (0, 10), "a trial has 10; an episode needs 11"),
        ({"trial": SampleRules(duration=500)}, (0, 10), "the training rows are 100 bars and a trial has 100;"),
        ({"test_period": 8}, (0, 20), "the test rows are 8 bars and a trial has 8; an episode needs 21"),
        ({"test_period": 8, "trial": SampleRules(duration=9)}, (0, 2), "the test rows are 8 bars"),
        ({"test_period": 95}, (5, 0), "an episode needs 2 and 5 before them"),
    ],
)
def test_too_few_bars(rules: Any, needs: tuple[int, int], message: str) -> None:
    with pytest.raises(TooFewBarsError, match=re.escape(message)) as caught:
        RandomDomain(bars_at(list(range(100)), name="EURUSD"), **rules).trials(*needs)
    assert caught.value.source == "EURUSD"


def test_too_few_bars_are_so_whatever_the_rules() -> None:
    domain = RandomDomain(bars_at(list(range(100))), episode=SampleRules(time_gap="1h"))
    with pytest.raises(TooFewBarsError, match="an episode needs 501"):
        domain.trials(0, 500)


def test_rules_of_episodes_need_episodes_that_start_somewhere() -> None:
    for rules in (SampleRules(start_weekdays=[0]), SampleRules(time_gap="1h")):
        with pytest.raises(ConfigError, match="episode_steps=None"):
            RandomDomain(MARKET, episode=rules).trials(5, 0)
    beta = RandomDomain(MARKET, episode=SampleRules(b_alpha=2)).trials(5, 0)  # nothing to draw, nothing to refuse
    assert beta.rows.tolist() == [[0, 20_000, 0]]


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "market.csv"
    MARKET.rows(0, 100).to_frame().to_csv(path)
    return path


def test_bars_are_read_when_they_are_first_needed_and_once(csv: Path) -> None:
    domain = RandomDomain(csv, test_period=10)
    missing = RandomDomain(csv.with_name("missing.csv"))
    assert domain.train_rows == (0, 90)
    assert domain.bars is domain.bars
    csv.unlink()
    assert len(domain.bars) == 100
    with pytest.raises(DataFileError, match=r"missing\.csv"):
        missing.room(0)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, copy.copy, lambda domain: pickle.loads(pickle.dumps(domain))])
def test_a_copy_has_the_rules_but_not_the_bars(csv: Path, twin_of: Any) -> None:
    trial, episode = SampleRules(duration=40, start_weekdays=[0]), SampleRules(time_gap={"hours": 1}, b_beta=2.0)
    domain = RandomDomain(csv, trial=trial, episode=episode, test_period="45min")
    table = domain.trials(3, 5)
    twin = twin_of(domain)
    assert type(twin) is RandomDomain
    assert "bars" in vars(domain)
    assert "bars" not in vars(twin)
    assert (twin.trial, twin.episode, twin.test_period) == (trial, episode, "45min")
    for got, expected in zip(dataclasses.astuple(twin.trials(3, 5)), dataclasses.astuple(table), strict=True):
        assert np.array_equal(got, expected)
    assert twin.bars is not domain.bars
    assert twin.bars.fingerprint() == domain.bars.fingerprint()
    assert len(pickle.dumps(domain)) < 2_000


def test_a_domain_of_ones_own_has_to_say_three_things() -> None:
    class Half(Domain):
        data = MARKET

        @property
        def train_rows(self) -> tuple[int, int]:
            return 0, 10

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]

    class Whole(Half):
        def room(self, lookback: int) -> int:
            return 9

        def trials(self, lookback: int, bars: int) -> TrialTable:
            raise SamplingError("none")

    assert Whole().bars is MARKET


@pytest.mark.parametrize(
    "rules",
    [
        SampleRules(),
        SampleRules(duration=3, start_weekdays=(1,), time_gap="1h", b_alpha=2.0, b_beta=3.0),
        SampleRules(duration={"days": 1}, time_gap=datetime.timedelta(minutes=3)),
    ],
    ids=["default", "all", "times"],
)
def test_rules_survive_copies(rules: SampleRules) -> None:
    assert copy.deepcopy(rules) == pickle.loads(pickle.dumps(rules)) == rules
