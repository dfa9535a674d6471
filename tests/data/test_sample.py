"""Samples: a trial of the domain as users get it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.test_sampling import episodes
from vecbt.data.domain import RandomDomain, SampleRules
from vecbt.data.sample import draw_sample
from vecbt.data.shared import DataTable
from vecbt.data.store import DataStore, TableRequest
from vecbt.data.synthetic import synthetic_market
from vecbt.errors import ConfigError, UnknownNameError

MARKET = synthetic_market(3_000, seed=4)
REQUEST = TableRequest(features=(), normalize=None, window=0, warmup=1, steps=0, skip=1)
RULES = SampleRules(duration=100)
TABLE = DataStore(RandomDomain(MARKET, trial=RULES, test_period=600)).table(REQUEST)
PLAIN = DataStore(MARKET).table(REQUEST)


def test_a_sample_holds_the_rows_of_a_trial() -> None:
    sample = draw_sample(TABLE, 3, seed=8)
    assert (sample.type, sample.number, len(sample)) == (0, 3, 100)
    assert sample.last_row == sample.first_row + 99
    rows = slice(sample.first_row, sample.last_row + 1)
    assert (sample.stamps == MARKET.timestamps[rows]).all()
    assert sample.ohlc.shape == (100, 1, 4)
    for column, name in enumerate(("open", "high", "low", "close")):
        assert (sample.ohlc[:, 0, column] == MARKET.column(name)[rows]).all()
    assert sample.volume.shape == (100, 1)
    assert (sample.volume[:, 0] == MARKET.volume[rows]).all()
    first, _ = TABLE.trials.sections[0]
    assert TABLE.arrays["trials"][first + sample.trial].tolist() == [rows.start, rows.stop, 0]


def test_metadata_are_plain_numbers() -> None:
    sample = draw_sample(TABLE, 7)
    first, last = int(sample.stamps[0]), int(sample.stamps[-1])
    assert sample.metadata == {
        "type": 0,
        "trial_type": 0,
        "number": 7,
        "parent": -1,
        "trial": sample.trial,
        "first_row": sample.first_row,
        "last_row": sample.last_row,
        "first_time": first // 1_000_000_000,
        "last_time": last // 1_000_000_000,
    }
    assert all(type(value) is int for value in sample.metadata.values())


def test_without_rules_a_sample_is_everything() -> None:
    sample = draw_sample(PLAIN, 12)
    assert (sample.first_row, sample.last_row, sample.trial) == (0, 2_999, 0)


def test_rows_are_views_that_cannot_be_written() -> None:
    sample = draw_sample(TABLE, 0)
    for name in ("stamps", "ohlc", "volume"):
        array = getattr(sample, name)
        assert np.shares_memory(array, TABLE.arrays[name])
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        assert TABLE.arrays[name].flags.writeable  # the table's own array is as it was
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.number = 1  # type: ignore[misc]


def test_a_draw_depends_on_seed_and_number_alone() -> None:
    trials = [draw_sample(TABLE, number, seed=5).trial for number in range(40)]
    assert [draw_sample(TABLE, number, seed=5).trial for number in reversed(range(40))] == trials[::-1]
    assert [draw_sample(TABLE, number, seed=6).trial for number in range(40)] != trials
    assert [draw_sample(TABLE, number, seed=5 + (1 << 64)).trial for number in range(40)] != trials
    assert len(set(trials)) > 30


def test_a_draw_is_that_of_the_episode_with_its_number() -> None:
    first, count = TABLE.trials.sections[0]
    drawn = episodes(40, TABLE.arrays["trials"], first=first, count=count, seed=9, lookback=0, bars=0)  # type: ignore[arg-type]
    assert [draw_sample(TABLE, number, seed=9).trial for number in range(40)] == drawn[:, 0].tolist()


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**128 - 1), st.sampled_from([0, 1]))
def test_a_sample_keeps_to_its_section(number: int, seed: int, kind: int) -> None:
    sample = draw_sample(TABLE, number, seed=seed, sample_type=kind)
    low, high = [(0, 2_400), (2_400, 3_000)][kind]
    assert sample.type == kind
    assert low <= sample.first_row <= sample.last_row < high


def test_every_trial_is_drawn() -> None:
    # 501 trials of the test section: each is missed with a probability of exp(-20).
    _, count = TABLE.trials.sections[3]
    drawn = {draw_sample(TABLE, number, sample_type=1).trial for number in range(20 * count)}
    assert drawn == set(range(count))


@pytest.mark.parametrize(
    ("shapes", "mean"),
    [({}, 0.5), ({"b_alpha": 9.0}, 0.9), ({"b_beta": 9}, 0.1), ({"b_alpha": 6.0, "b_beta": 2.0}, 0.75)],
)
def test_shapes_say_where_trials_lie(shapes: Any, mean: float) -> None:
    _, count = TABLE.trials.sections[0]
    place = [draw_sample(TABLE, number, **shapes).trial / (count - 1) for number in range(2_000)]
    assert abs(np.mean(place) - mean) < 0.03


def test_the_domains_own_shapes_hold_where_none_are_given() -> None:
    rules = SampleRules(duration=100, b_alpha=9.0, b_beta=2.0)
    table = DataStore(RandomDomain(MARKET, trial=rules)).table(REQUEST)
    given_twice = [draw_sample(table, number, b_alpha=9.0, b_beta=2.0).trial for number in range(50)]
    assert [draw_sample(table, number).trial for number in range(50)] == given_twice
    assert [draw_sample(table, number, b_alpha=1.0, b_beta=1.0).trial for number in range(50)] != given_twice


def test_there_must_be_test_rows_to_draw_them() -> None:
    with pytest.raises(ConfigError, match="no test rows: make the domain with a test_period"):
        draw_sample(PLAIN, 0, sample_type=1)


@pytest.mark.parametrize("kind", [2, -1, "test", None, 1.0])
def test_sample_types(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"sample_type must be 0 \(training rows\) or 1 \(test rows\), got"):
        draw_sample(TABLE, 0, sample_type=kind)


def test_an_unknown_setting_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="unknown sample setting 'sample_typ': did you mean 'sample_type'"):
        draw_sample(TABLE, 0, sample_typ=1)


def test_shapes_are_positive_and_finite() -> None:
    # One after the other: the sampler would never come back from a NaN.
    for name in ("b_alpha", "b_beta"):
        for value in (0.0, -0.5, "two", float("nan"), float("inf"), -1.0):
            with pytest.raises(ConfigError, match=f"{name} must be a number of more than 0"):
                draw_sample(TABLE, 0, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 1 << 128, 1.5, "one"])
def test_seeds_are_those_of_environments(seed: Any) -> None:
    with pytest.raises(ConfigError, match="seed must be a whole number from 0"):
        draw_sample(TABLE, 0, seed=seed)


@pytest.mark.parametrize("number", [-1, 1 << 64, 1.5, "one"])
def test_draws_are_counted_from_0(number: Any) -> None:
    with pytest.raises(ConfigError, match="number must be a whole number from 0"):
        draw_sample(TABLE, number)


def test_tables_of_environments_have_samples_too() -> None:
    table: DataTable = DataStore(RandomDomain(MARKET, trial=RULES)).table(
        dataclasses.replace(REQUEST, features=("close",), window=5, steps=20)
    )
    assert len(draw_sample(table, 0)) == 100
