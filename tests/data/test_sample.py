"""Samples: a trial of the domain as users get it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from tests.kernels.test_sampling import episodes
from vecbt.data.domain import CausalDomain, RandomDomain, SampleRules, SequentialDomain
from vecbt.data.sample import draw_sample
from vecbt.data.shared import DataTable
from vecbt.data.store import DataStore, TableRequest
from vecbt.data.synthetic import synthetic_market
from vecbt.errors import ConfigError, ExhaustedError, UnknownNameError

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


# -- episodes ----------------------------------------------------------------------------------------------------------

PARTS = DataStore(
    RandomDomain(
        MARKET,
        trial=SampleRules(duration=200, test_period=60),
        episode=SampleRules(b_alpha=2.0, b_beta=3.0),
        test_period=600,
    )
).table(dataclasses.replace(REQUEST, steps=15))


def test_a_trial_holds_both_of_its_parts() -> None:
    for kind, low, high in ((0, 0, 2_400), (1, 2_400, 3_000)):
        for number in range(20):
            trial = draw_sample(PARTS, number, sample_type=kind)
            assert (trial.type, trial.trial_type, len(trial), trial.parent) == (kind, kind, 200, None)
            assert low <= trial.first_row <= trial.last_row < high


@given(st.integers(0, 2**62), st.integers(0, 2**128 - 1), st.sampled_from([0, 1]), st.sampled_from([0, 1]))
def test_an_episode_keeps_to_its_part_of_the_trial(number: int, seed: int, kind: int, part: int) -> None:
    trial = draw_sample(PARTS, number, seed=seed, sample_type=kind)
    episode = trial.sample(sample_type=part)
    first, end = (trial.first_row, trial.first_row + 140) if part == 0 else (trial.last_row - 59, trial.last_row + 1)
    assert first <= episode.first_row <= episode.last_row < end
    assert len(episode) == 16  # 15 bars and the first observation
    assert (episode.type, episode.trial_type, episode.trial, episode.parent) == (part, kind, trial.trial, trial)
    assert episode.metadata["parent"] == episode.metadata["number"] == number


@pytest.mark.parametrize("engine", ["compiled", "cerebro"])
def test_an_episode_is_that_of_an_environment(engine: str) -> None:
    domain = RandomDomain(MARKET, trial=SampleRules(duration=200, test_period=60), test_period=600)
    table = DataStore(domain).table(dataclasses.replace(REQUEST, steps=15))
    envs = vecbt.make_vec(
        domain, num_envs=3, num_workers=0, window=0, account_features=("value",), episode_steps=15, engine=engine
    )
    for options in ({}, {"sample_type": "test"}, {"trial_type": "target"}, {"sample_type": "train"}):
        _, infos = envs.reset(seed=11, options=options)
        for env in range(3):
            section = int(envs._batch.arrays["section"][env])
            trial = draw_sample(table, 0, seed=11 + env, sample_type=section // 2)
            assert trial.sample(sample_type=section % 2).first_row == infos["start"][env]
    envs.close()


def test_episodes_are_numbered_from_the_trials_number_on() -> None:
    trial = draw_sample(PARTS, 7, seed=3)
    drawn = [trial.sample() for _ in range(5)]
    assert [episode.number for episode in drawn] == [7, 8, 9, 10, 11]
    assert trial.sample(get_new=False) is drawn[-1]
    again = draw_sample(PARTS, 7, seed=3)
    assert again == trial
    assert [again.sample() for _ in range(5)] == drawn
    assert again.sample(number=9) == drawn[2]
    assert len({episode.first_row for episode in drawn}) > 2
    assert [trial.sample(number=9, seed=seed).first_row for seed in range(8)] != [drawn[2].first_row] * 8


def test_shapes_say_where_episodes_lie() -> None:
    trial = draw_sample(PARTS, 0)
    for shapes, mean in (({}, 0.4), ({"b_alpha": 12.0}, 0.8), ({"b_alpha": 1.0, "b_beta": 1}, 0.5)):
        place = [
            (trial.sample(number=number, **shapes).first_row - trial.first_row) / 124.0  # type: ignore[arg-type]
            for number in range(1_000)
        ]
        assert abs(np.mean(place) - mean) < 0.03


def test_episodes_may_be_aligned() -> None:
    trial = draw_sample(PARTS, 5)
    assert trial.sample(align_left=True).first_row == trial.first_row
    assert trial.sample(align_left=True, sample_type=1).first_row == trial.first_row + 140
    causal = DataStore(CausalDomain(MARKET, trial=SampleRules(duration=200, test_period=60))).table(
        dataclasses.replace(REQUEST, steps=15)
    )
    target = draw_sample(causal, 0, sample_type=1)
    assert target.first_row == 200 - 140
    assert {target.sample(sample_type=1).first_row for _ in range(20)} == {200}
    assert len({target.sample(sample_type=1, align_left=False).first_row for _ in range(20)}) > 5
    assert len({target.sample(sample_type=0).first_row for _ in range(20)}) > 5


def test_without_a_length_an_episode_is_all_of_its_part() -> None:
    trial = draw_sample(TABLE, 3)
    assert (trial.sample().first_row, trial.sample().last_row) == (trial.first_row, trial.last_row)


def test_rows_of_ones_own() -> None:
    trial = draw_sample(PARTS, 0, interval=(100, 300))
    assert (trial.first_row, trial.last_row, trial.trial) == (100, 299, -1)
    with pytest.raises(ConfigError, match="chosen by its rows"):
        trial.sample()
    trial = draw_sample(PARTS, 0)
    begin = trial.first_row
    assert trial.sample(interval=(begin + 2, begin + 5)).last_row == begin + 4
    for bad in ((begin, begin), (begin - 1, begin + 5), (begin, begin + 141), (5,), 7, "ab", (None, 4), (1.5, 4)):
        with pytest.raises(ConfigError, match="interval must be a first row and the row after the last"):
            trial.sample(interval=bad)  # type: ignore[arg-type]
    for kind, interval in ((0, (100, 2_401)), (1, (2_399, 2_500)), (1, (2_500, 3_001))):
        with pytest.raises(ConfigError, match="interval must be a first row and the row after the last, from"):
            draw_sample(PARTS, 0, sample_type=kind, interval=interval)


def test_of_an_episode_there_are_no_episodes() -> None:
    with pytest.raises(ConfigError, match="this is an episode"):
        draw_sample(PARTS, 0).sample().sample()


def test_a_part_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="the trial has no test rows: its sample_type is 0"):
        draw_sample(TABLE, 0).sample(sample_type=1)
    with pytest.raises(ConfigError, match="the trial has no training rows: its sample_type is 1"):
        draw_sample(TABLE, 0, sample_type=1).sample(sample_type=0)


def test_settings_of_episodes() -> None:
    trial = draw_sample(PARTS, 0)
    bad: list[dict[str, Any]] = [
        {"get_new": 1},
        {"sample_type": 2},
        {"number": -1},
        {"seed": "x"},
        {"b_alpha": 0},
        {"align_left": 0},
    ]
    for setting in bad:
        with pytest.raises(ConfigError, match=f"{next(iter(setting))} must be"):
            trial.sample(**setting)


# -- one after the other, and by time ----------------------------------------------------------------------------------


def test_sequential_trials_are_those_of_their_numbers() -> None:
    table = DataStore(SequentialDomain(MARKET, trial=SampleRules(duration=1_000, test_period=400))).table(REQUEST)
    assert [draw_sample(table, number, seed=number).first_row for number in range(6)] == [
        0,
        400,
        800,
        1_200,
        1_600,
        2_000,
    ]
    with pytest.raises(ExhaustedError, match="trial 6 is not in 0 to 5: every trial has had its turn"):
        draw_sample(table, 6)
    with vecbt.DataFeedServer(SequentialDomain(MARKET, trial=SampleRules(duration=1_000, test_period=400))) as server:
        server.wait_ready()
        samples = [server.get_data() for _ in range(6)]
        assert [sample.first_row for sample in samples if sample] == [0, 400, 800, 1_200, 1_600, 2_000]
        assert server.get_data() is None
        again = server.get_data({"get_new": False})
        assert again is not None
        assert again.first_row == 2_000
        server.reset_data()
        first = server.get_data({"episode_bars": 50})
        assert first is not None
        assert first.first_row == 0
        assert len(first.sample(sample_type=1)) == 51


def test_a_timestamp_is_the_present_of_a_sample_alone() -> None:
    table = DataStore(CausalDomain(MARKET, trial=SampleRules(duration=200, test_period=60))).table(REQUEST)
    first = table.clock.now
    moment = int(MARKET.timestamps[1_000])
    assert draw_sample(table, 0, timestamp=moment / 1e9).last_row == 1_000
    assert draw_sample(table, 0, timestamp=moment // 10**9, sample_type=1).last_row == 1_060
    assert draw_sample(table, 0, timestamp=0).last_row == 199  # global time is later
    assert table.clock.now == first
    table.clock.advance(int(MARKET.timestamps[2_995]))
    assert draw_sample(table, 0).last_row == 2_995
    with pytest.raises(ExhaustedError, match="there is no target trial after the present global time"):
        draw_sample(table, 0, sample_type=1)
    with pytest.raises(ConfigError, match="timestamp must be a number"):
        draw_sample(table, 0, timestamp="now")  # type: ignore[arg-type]


# -- statistics --------------------------------------------------------------------------------------------------------


def test_statistics_are_those_of_pandas() -> None:
    trial = draw_sample(PARTS, 3, sample_type=1)
    rows = slice(trial.first_row, trial.last_row + 1)
    expected = MARKET.to_frame().iloc[rows].describe()
    found = trial.describe()
    assert set(found) == {"open", "high", "low", "close", "volume"}
    for name, statistics in found.items():
        for key, value in statistics.items():
            assert value == pytest.approx(expected[name][key], rel=1e-12)
    assert trial.sample(interval=(trial.first_row, trial.first_row + 1)).describe()["close"]["std"] == 0.0


def test_statistics_of_the_data_set_are_those_of_training_rows() -> None:
    found = PARTS.describe()
    assert found["close"]["count"] == 2_400
    assert found["close"]["max"] == MARKET.close[:2_400].max()
    assert found["low"]["min"] == MARKET.low[:2_400].min()


def test_statistics_of_several_assets_and_further_columns() -> None:
    frames = {name: synthetic_market(50, seed=seed).to_frame().assign(spread=seed) for seed, name in enumerate("AB")}
    table = DataStore(frames).table(REQUEST)
    found = table.describe()
    assert {name for name in found if name.endswith("close")} == {"A.close", "B.close"}
    assert found["B.spread"]["mean"] == 1.0
    assert found["A.close"]["mean"] == pytest.approx(frames["A"]["close"].mean())
