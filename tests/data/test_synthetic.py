"""The synthetic market: its calendar, its prices, and the properties that its documentation claims."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from vecbt.data.synthetic import synthetic_market
from vecbt.errors import ConfigError

MINUTE = 60_000_000_000
MARKET = synthetic_market(60_000, seed=2)


def returns() -> np.ndarray:
    """Of each bar from its open to its close: gaps between bars are not in them."""
    return np.asarray(np.log(MARKET.close / MARKET.open))


def correlation(values: np.ndarray) -> float:
    """Between each value and the next."""
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


@pytest.mark.parametrize("count", [1, 2, 7_199, 7_200, 7_201])
def test_there_are_as_many_bars_as_asked_for(count: int) -> None:
    bars = synthetic_market(count, name="TOY")
    assert len(bars) == count
    assert (bars.name, bars.source, bars.has_volume, dict(bars.extras)) == ("TOY", "TOY", True, {})


def test_stamps_are_ends_of_minutes_from_monday_to_friday() -> None:
    expected = []
    minute = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    while len(expected) < len(MARKET):
        begin, minute = minute, minute + datetime.timedelta(minutes=1)
        if begin.weekday() < 5:
            expected.append(int(minute.timestamp()) * 1_000_000_000)
    assert MARKET.timestamps.tolist() == expected
    assert MARKET.interval == MINUTE


def test_the_same_seed_gives_the_same_bars() -> None:
    np.random.seed(3)  # noqa: NPY002 -- nothing here depends on it
    first = synthetic_market(500, seed=9)
    following = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert np.random.random() == following  # noqa: NPY002 -- and nothing changes it
    assert synthetic_market(500, seed=9, name="OTHER").fingerprint() == first.fingerprint()
    assert synthetic_market(500, seed=10).fingerprint() != first.fingerprint()


def test_prices_are_around_a_hundred_with_five_digits() -> None:
    assert 30.0 < MARKET.low.min() < MARKET.high.max() < 300.0
    assert abs(MARKET.open[0] - 100.0) < 0.5
    for name in ("open", "high", "low", "close"):
        prices = MARKET.column(name)
        assert (prices == np.round(prices, 5)).all()


def test_high_and_low_bound_the_bar_and_most_bars_go_beyond_their_ends() -> None:
    top, bottom = np.maximum(MARKET.open, MARKET.close), np.minimum(MARKET.open, MARKET.close)
    assert (MARKET.high >= top).all()
    assert (MARKET.low <= bottom).all()
    assert (MARKET.high > top).mean() > 0.5
    assert (MARKET.low < bottom).mean() > 0.5


def test_a_bar_opens_at_the_last_close_except_after_a_weekend() -> None:
    jump = np.abs(MARKET.open[1:] - MARKET.close[:-1])
    weekend = np.diff(MARKET.timestamps) > MINUTE
    assert weekend.sum() == 8
    assert jump[~weekend].max() < 1.1e-5  # a step of the last digit
    assert (jump[weekend] > 1e-3).all()


def test_volumes_are_whole_and_positive_and_rise_with_the_moves() -> None:
    assert (MARKET.volume == np.round(MARKET.volume)).all()
    assert MARKET.volume.min() > 0.0
    assert np.corrcoef(np.log(MARKET.volume), np.abs(returns()))[0, 1] > 0.03


def test_volatility_comes_in_clusters_and_shocks_have_fat_tails() -> None:
    sizes = np.abs(returns())
    assert correlation(sizes) > 0.08
    # A normal distribution has a kurtosis of 3.
    assert np.mean(returns() ** 4) / np.mean(returns() ** 2) ** 2 > 4.0


def test_the_ends_of_the_session_are_busier_than_its_middle() -> None:
    hour = MARKET.timestamps // (60 * MINUTE) % 24
    sizes = np.abs(returns())
    assert sizes[(hour < 2) | (hour >= 22)].mean() > 1.3 * sizes[(hour >= 10) & (hour < 14)].mean()


def test_returns_say_nothing_about_the_next_ones() -> None:
    assert abs(correlation(returns())) < 5.0 / np.sqrt(len(MARKET))


def test_there_are_rising_and_falling_days() -> None:
    days = np.log(MARKET.close[1439::1440] / MARKET.open[::1440][: len(MARKET) // 1440])
    assert (days > 0.0).sum() > 10
    assert (days < 0.0).sum() > 10


@pytest.mark.parametrize("count", [0, -5])
def test_a_market_has_a_bar(count: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1 bar, got {count}"):
        synthetic_market(count)
