"""The generated domain: its settings, its times, its trials beside real ones."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import numpy as np
import pytest

import vecbt
from vecbt.data import GeneratedDomain, GeometricBrownianMotion, RandomDomain, SampleRules, Sine, synthetic_market
from vecbt.data.store import DataStore, TableRequest
from vecbt.errors import ConfigError, FeatureError, SharedMemoryError, TooFewBarsError

MOTION = GeometricBrownianMotion(volatility=0.01)
MARKET = synthetic_market(3_000, seed=0)
MINUTE = 60_000_000_000
REQUEST = TableRequest(features=("close",), normalize=None, window=5, warmup=1, steps=20, skip=1)


def request(**changes: Any) -> TableRequest:
    return TableRequest(**{**vars(REQUEST), **changes})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generator": None}, r"must have a method generate\(rng, bars\), got None"),
        ({"bars": 1}, "bars must be a whole number of at least 2"),
        ({"bars": 2.5}, "bars must be a whole number of at least 2"),
        ({"interval": "soon"}, "interval: 'soon' is no time"),
        ({"interval": 60}, "interval: expected a time"),
        ({"interval": {"hours": 0}}, "interval must be longer than nothing"),
        ({"start": "then"}, "start must be a time"),
        ({"test": GeneratedDomain(MOTION, bars=10)}, "got a GeneratedDomain"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GeneratedDomain(**{"generator": MOTION, "bars": 50, **settings})


def test_times_are_those_that_were_asked_for() -> None:
    domain = GeneratedDomain(MOTION, bars=4, interval={"hours": 1}, start="2020-05-01")
    begin = int(datetime.datetime(2020, 5, 1, tzinfo=datetime.UTC).timestamp()) * 1_000_000_000
    assert domain.timestamps().tolist() == [begin + hour * 60 * MINUTE for hour in (1, 2, 3, 4)]
    zoned = GeneratedDomain(MOTION, bars=4, interval="1h", start="2020-05-01 02:00+02:00")
    assert (zoned.timestamps() == domain.timestamps()).all()


def test_times_are_otherwise_those_of_the_test_data() -> None:
    assert GeneratedDomain(MOTION, bars=3).timestamps()[0] == 1_704_067_260 * 1_000_000_000
    hourly = vecbt.data.Bars.from_arrays(np.arange(1, 50) * 60 * MINUTE, *[np.ones(49)] * 4)
    assert (GeneratedDomain(MOTION, bars=3, test=hourly).timestamps() == np.array([1, 2, 3]) * 60 * MINUTE).all()


def test_every_slot_has_the_same_times() -> None:
    table, _ = DataStore(GeneratedDomain(MOTION, bars=30)).open(REQUEST, 2)
    stamps, times = (table.bars.arena.arrays[name].reshape(-1, 30) for name in ("stamps", "times"))
    assert (np.diff(stamps, axis=1) == MINUTE).all()
    assert (stamps == stamps[0]).all()
    assert (times == times[0]).all()


def test_tables_of_a_batch_are_its_own() -> None:
    store = DataStore(GeneratedDomain(MOTION, bars=30))
    (first, _), (second, _) = store.open(REQUEST, 2), store.open(REQUEST, 2)
    assert first.slots.count == second.slots.count == 4
    assert first.bars.arena is not second.bars.arena
    assert store.table(REQUEST).slots.count == 0


def test_trials_are_slots_and_test_trials_are_real() -> None:
    domain = GeneratedDomain(MOTION, bars=30, test=RandomDomain(MARKET, test_period=1_000))
    table, _ = DataStore(domain).open(REQUEST, 3)
    rows, first = table.trials.arena.arrays["trials"], table.slots.first_row
    assert (table.slots.stored, first) == (3_000, 3_000 + 256 * 30)
    assert rows[:6].tolist() == [[first + 30 * slot, first + 30 * slot + 30, first + 30 * slot] for slot in range(6)]
    assert table.trials.sections == ((0, 6), (6, 0), (7, 0), (7, 1))
    assert rows[7].tolist() == [2_000, 3_000, 0]
    assert len(table.bars.arena.arrays["stamps"]) == first + 180


def test_parts_of_test_trials_are_parts_of_target_trials() -> None:
    rules = SampleRules(duration=500, test_period=100)
    whole = GeneratedDomain(MOTION, bars=30, test=RandomDomain(MARKET, trial=rules))
    table, _ = DataStore(whole).open(REQUEST, 1)
    assert [count for _, count in table.trials.sections] == [2, 0, 2_501, 2_501]
    parted = RandomDomain(MARKET, trial=rules, test_period=1_000)
    table, _ = DataStore(GeneratedDomain(MOTION, bars=30, test=parted)).open(REQUEST, 1)
    assert [count for _, count in table.trials.sections] == [2, 0, 501, 501]
    begin, end, _ = table.trials.arena.arrays["trials"][table.trials.sections[3][0]].tolist()
    assert (begin, end) == (2_400, 2_500)


def test_without_test_rows_of_their_own_all_data_are_for_test() -> None:
    table, _ = DataStore(GeneratedDomain(MOTION, bars=30, test=MARKET)).open(REQUEST, 3)
    test, tests = table.trials.sections[3]
    assert tests == 1
    assert table.trials.arena.arrays["trials"][test].tolist() == [0, 3_000, 0]


def test_rules_for_test_episodes_do_not_bind_generated_ones() -> None:
    rules = SampleRules(start_weekdays=[1])
    domain = GeneratedDomain(MOTION, bars=60, test=RandomDomain(MARKET, episode=rules))
    envs = vecbt.make_vec(domain, num_envs=8, num_workers=0, episode_steps=20, window=5)
    starts = {kind: set[int]() for kind in ("train", "test")}
    for _ in range(20):
        for kind, seen in starts.items():
            _, infos = envs.reset(options={"sample_type": kind})
            times = infos["timestamp"] if kind == "test" else envs._batch.arrays["clock"][:, 2] % 60
            seen |= set(times.tolist())
    assert {datetime.datetime.fromtimestamp(time - 1, datetime.UTC).weekday() for time in starts["test"]} == {1}
    assert len(starts["train"]) > 20
    envs.close()


def test_extra_columns_of_test_data_are_left_out() -> None:
    bars = vecbt.data.Bars.from_arrays(MARKET.timestamps, *[MARKET.close] * 4, extras={"mood": np.ones(3_000)})
    domain = GeneratedDomain(MOTION, bars=60, test=bars)
    assert domain.bars.columns == ("open", "high", "low", "close", "volume")
    with pytest.raises(vecbt.errors.UnknownNameError, match="mood"):
        DataStore(domain).open(request(features=("mood",)), 1)


def test_several_assets_are_refused() -> None:
    domain = GeneratedDomain(MOTION, bars=60, test={"A": MARKET, "B": synthetic_market(3_000, seed=1)})
    with pytest.raises(ConfigError, match="of one asset, the data have 2: A, B"):
        DataStore(domain)
    assert GeneratedDomain(MOTION, bars=60, test={"A": MARKET}).bars.name == "A"


def test_a_domain_travels() -> None:
    domain = GeneratedDomain(MOTION, bars=60, test=MARKET)
    assert len(domain.bars) == 3_000
    domain.maker.make(0, 0)
    again = pickle.loads(pickle.dumps(domain))
    assert (again.maker.make(3, 4) == domain.maker.make(3, 4)).all()


def test_trials_must_hold_an_episode() -> None:
    store = DataStore(GeneratedDomain(MOTION, bars=25))
    assert store.open(REQUEST, 1)[0].trials.bars == 20
    for change in ({"window": 6}, {"warmup": 6}, {"steps": 21}, {"features": ("sma(2)",)}):
        with pytest.raises(TooFewBarsError, match="has 25 bars; an episode and its look-back need 26"):
            store.open(request(**change), 1)
    assert store.open(request(steps="auto", window=6), 1)[0].trials.bars == 19


def test_the_shorter_of_trials_and_test_data_limits_episodes() -> None:
    domain = GeneratedDomain(MOTION, bars=2_000, test=RandomDomain(MARKET, test_period=100))
    assert DataStore(domain).open(request(steps="auto", window=1), 1)[0].trials.bars == 99


def test_more_memory_than_there_is() -> None:
    store = DataStore(GeneratedDomain(MOTION, bars=30))
    with pytest.raises(SharedMemoryError, match="for two trials of 30 bars for each of 10,000,000,000 environments: "):
        store.open(REQUEST, 10_000_000_000)


def test_statistics_of_training_are_those_of_generated_trials() -> None:
    process = GeometricBrownianMotion(price=50.0, volatility=0.02)
    for test in (None, MARKET):
        domain = GeneratedDomain(process, bars=100, test=test)
        plain = request(features=("close", "log_return"))
        table, filler = DataStore(domain).open(request(features=plain.features, normalize="train"), 1)
        raw, _ = DataStore(domain).open(plain, 1)
        assert filler is not None
        sample = np.concatenate([_features(trial) for trial in domain.maker.reference])
        mean, deviation = sample.mean(axis=0), sample.std(axis=0)
        filler.write(table.slots.row(1), domain.maker.make(7, 8))
        slot = table.features.arena.arrays["features"][table.slots.row(1) + 1 :]
        expected = (_features(domain.maker.make(7, 8)) - mean) / deviation
        assert (slot == expected.astype(np.float32)).all()
        stored = table.features.arena.arrays["features"][1 : table.slots.stored]
        real = raw.features.arena.arrays["features"][1 : table.slots.stored]
        np.testing.assert_allclose(stored, (real - mean) / deviation, rtol=1e-3, atol=1e-3)


def _features(bars: np.ndarray) -> np.ndarray:
    return np.stack([bars[1:, 3], np.log(bars[1:, 3] / bars[:-1, 3])], axis=1)


def test_a_constant_column_cannot_be_normalized() -> None:
    store = DataStore(GeneratedDomain(Sine(spread=0.0), bars=60))
    with pytest.raises(FeatureError, match="'volume' is constant over the training rows"):
        store.open(request(features=("close", "volume"), normalize="train"), 1)


def test_the_year_of_a_sharpe_ratio() -> None:
    table, _ = DataStore(GeneratedDomain(MOTION, bars=1_001, interval="1h")).open(REQUEST, 2)
    assert table.bars_per_year == pytest.approx(365.25 * 24)


def test_a_description_is_that_of_generated_trials() -> None:
    for test in (None, MARKET):
        domain = GeneratedDomain(GeometricBrownianMotion(price=5.0, volatility=0.02), bars=100, test=test)
        description = DataStore(domain).table(REQUEST).describe()["close"]
        closes = np.concatenate([trial[:, 3] for trial in domain.maker.reference])
        assert (description["count"], description["max"]) == (25_600.0, closes.max())


def test_only_random_trials_will_do_for_test() -> None:
    sequential = vecbt.data.SequentialDomain(MARKET, trial=SampleRules(duration=100))
    with pytest.raises(ConfigError, match="must be a domain with random trials, got SequentialDomain"):
        DataStore(GeneratedDomain(MOTION, bars=60, test=sequential)).open(REQUEST, 1)


def test_info_tells_of_a_trial_or_of_the_test_data() -> None:
    info = DataStore(GeneratedDomain(MOTION, bars=77)).info()
    assert (info["name"], info["bars"], info["train_rows"]) == ("GeometricBrownianMotion", 77, [0, 77])
    info = DataStore(GeneratedDomain(MOTION, bars=77, test=MARKET)).info()
    assert (info["name"], info["bars"], info["train_rows"]) == ("SYNTH", 3_000, [0, 0])
