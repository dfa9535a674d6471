"""The distributions that the generators promise, each within four standard errors; the seeds were chosen before."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vecbt.arrays import FloatArray
from vecbt.data.domain import RandomDomain
from vecbt.data.generators import (
    BlockBootstrap,
    GeometricBrownianMotion,
    OrnsteinUhlenbeck,
    Regime,
    RegimeSwitching,
    Sine,
)
from vecbt.data.synthetic import synthetic_market
from vecbt.errors import TooFewBarsError

COUNT = 100_000
MARKET = synthetic_market(3_000, seed=0)


def log_returns(bars: FloatArray) -> FloatArray:
    return np.asarray(np.diff(np.log(bars[:, 3])))


def is_near(value: float, expected: float, deviation: float, count: int) -> bool:
    return abs(value - expected) < 4.0 * deviation / math.sqrt(count)


def test_brownian_returns_are_normal_and_independent() -> None:
    bars = GeometricBrownianMotion(drift=2e-4, volatility=0.01).generate(np.random.default_rng(11), COUNT)
    returns = (log_returns(bars) - (2e-4 - 0.5 * 0.01**2)) / 0.01
    assert is_near(returns.mean(), 0.0, 1.0, COUNT)
    assert is_near(returns.var(), 1.0, math.sqrt(2.0), COUNT)
    assert is_near((returns**3).mean(), 0.0, math.sqrt(15.0), COUNT)
    assert is_near((returns**4).mean(), 3.0, math.sqrt(96.0), COUNT)
    assert is_near((returns[1:] * returns[:-1]).mean(), 0.0, 1.0, COUNT)
    assert (bars[1:, 0] == bars[:-1, 3]).all()


def test_brownian_prices_grow_by_their_drift() -> None:
    rng = np.random.default_rng(12)
    motion = GeometricBrownianMotion(price=50.0, drift=1e-3, volatility=0.02)
    growth = np.array([motion.generate(rng, 100)[-1, 3] / 50.0 for _ in range(4_000)])
    assert is_near(growth.mean(), math.exp(0.1), growth.std(), len(growth))


def test_highs_and_lows_are_those_of_the_motion_within_the_bar() -> None:
    # Above its start a Brownian motion without drift reaches the absolute value of a normal variate.
    bars = GeometricBrownianMotion(drift=0.5 * 0.01**2, volatility=0.01).generate(np.random.default_rng(13), COUNT)
    above, below = np.log(bars[:, 1] / bars[:, 0]) / 0.01, np.log(bars[:, 0] / bars[:, 2]) / 0.01
    for reach in (above, below):
        assert is_near(reach.mean(), math.sqrt(2.0 / math.pi), math.sqrt(1.0 - 2.0 / math.pi), COUNT)
        assert is_near((reach**2).mean(), 1.0, math.sqrt(2.0), COUNT)
        assert is_near((reach < 0.6744897501960817).mean(), 0.5, 0.5, COUNT)


def test_without_volatility_prices_grow_evenly() -> None:
    bars = GeometricBrownianMotion(drift=0.01, volatility=0.0).generate(np.random.default_rng(0), 10)
    np.testing.assert_allclose(bars[:, 3], 100.0 * np.exp(0.01 * np.arange(1, 11)), rtol=1e-14)
    assert (bars[:, 1] == bars[:, 3]).all()
    assert (bars[:, 2] == bars[:, 0]).all()


def test_reverting_prices_are_stationary() -> None:
    rng = np.random.default_rng(21)
    process = OrnsteinUhlenbeck(price=20.0, reversion=0.05, volatility=0.01)
    trials = np.array([np.log(process.generate(rng, 30)[:, 3] / 20.0) for _ in range(4_000)])
    deviation = 0.01 / math.sqrt(0.1)
    for bar in (0, 1, 29):
        assert is_near(trials[:, bar].mean(), 0.0, deviation, len(trials))
        assert is_near((trials[:, bar] ** 2).mean(), deviation**2, math.sqrt(2.0) * deviation**2, len(trials))
    for bars in (1, 10):
        products = (trials[:, bars] * trials[:, 0]) / deviation**2
        correlation = math.exp(-0.05 * bars)
        assert is_near(products.mean(), correlation, math.sqrt(1.0 + correlation**2), len(trials))


def test_regimes_last_as_long_as_they_say() -> None:
    regimes = [Regime(drift=1e-3, volatility=0.0, duration=20.0), Regime(drift=-1e-3, volatility=0.0, duration=60.0)]
    bars = RegimeSwitching(regimes=regimes).generate(np.random.default_rng(31), COUNT)
    first = np.log(bars[:, 3] / bars[:, 0]) > 0.0
    leaves = (first[1:] != first[:-1])[first[:-1]]
    assert is_near(leaves.mean(), 1.0 / 20.0, math.sqrt(0.05 * 0.95), len(leaves))
    returns = (first[1:] != first[:-1])[~first[:-1]]
    assert is_near(returns.mean(), 1.0 / 60.0, math.sqrt(59.0) / 60.0, len(returns))


def test_trials_begin_in_a_regime_by_its_duration_and_go_on_with_any_other() -> None:
    rng = np.random.default_rng(32)
    regimes = [Regime(drift=drift, volatility=0.0, duration=d) for drift, d in ((0.1, 1.0), (0.2, 2.0), (0.3, 5.0))]
    market = RegimeSwitching(regimes=regimes)
    seen = np.array([np.round(np.diff(np.log(market.generate(rng, 3)[:, 0])), 6) for _ in range(8_000)])
    for drift, share in ((0.1, 1 / 8), (0.2, 2 / 8), (0.3, 5 / 8)):
        assert is_near((seen[:, 0] == drift).mean(), share, math.sqrt(share * (1.0 - share)), len(seen))
    after_first = seen[seen[:, 0] == 0.1, 1]  # which lasts one bar
    assert set(after_first) == {0.2, 0.3}
    assert is_near((after_first == 0.2).mean(), 0.5, 0.5, len(after_first))


def test_a_single_regime_is_brownian() -> None:
    bars = RegimeSwitching(regimes=[Regime(duration=1.0, volatility=0.01)]).generate(np.random.default_rng(33), 20_000)
    returns = log_returns(bars) / 0.01
    assert is_near(returns.var(), 1.0, math.sqrt(2.0), len(returns))


def test_the_sine_is_btgyms() -> None:
    bars = Sine(phase=0.0).generate(np.random.default_rng(0), 10_000)
    # Rows of BTGym's test file, which has six decimals.
    expected = {
        0: (1.1, 1.10001, 1.09999, 1.100005),
        1: (1.100025, 1.100035, 1.100015, 1.10003),
        58: (1.100989, 1.100999, 1.100979, 1.100994),
        64: (1.101, 1.10101, 1.10099, 1.101005),
        191: (1.099, 1.09901, 1.09899, 1.099005),
        256: (1.1, 1.10001, 1.09999, 1.100005),
        259: (1.100074, 1.100084, 1.100064, 1.100079),
    }
    for row, prices in expected.items():
        np.testing.assert_allclose(bars[row, :4], prices, atol=0.51e-6, rtol=0)
    assert (bars[:, 4] == 0.0).all()


def test_a_bootstrap_chains_blocks_of_real_bars() -> None:
    closes = MARKET.close[:-1]
    real = np.stack([MARKET.column(name)[1:] / closes for name in ("open", "high", "low", "close")], axis=1)
    bars = BlockBootstrap(MARKET, block=25, price=7.0).generate(np.random.default_rng(41), 20_000)
    before = np.concatenate([[7.0], bars[:-1, 3]])
    made = bars[:, :4] / before[:, None]
    distance = np.abs(made[:, None, 3] - real[None, :, 3])
    rows = np.argmin(distance, axis=1)
    known = np.partition(distance, 1, axis=1)[:, 1] > 1e-12  # a return that only one real bar has
    np.testing.assert_allclose(made, real[rows], rtol=1e-12)
    assert (bars[known, 4] == MARKET.volume[1:][rows[known]]).all()
    pairs = known[1:] & known[:-1]
    breaks = ((rows[1:] - rows[:-1]) % len(real) != 1)[pairs]
    assert is_near(breaks.mean(), 1.0 / 25.0, math.sqrt(0.04 * 0.96), len(breaks))
    begins = rows[1:][pairs][breaks]
    assert is_near(begins.mean() / len(real), 0.5, math.sqrt(1.0 / 12.0), len(begins))


def test_blocks_of_one_bar_are_drawn_independently() -> None:
    bars = BlockBootstrap(MARKET, block=1).generate(np.random.default_rng(42), COUNT)
    shares = log_returns(bars)
    real = np.diff(np.log(MARKET.close))
    assert is_near(shares.mean(), real.mean(), real.std(), COUNT)
    centred = (shares - real.mean()) / real.std()
    assert is_near((centred[1:] * centred[:-1]).mean(), 0.0, 1.0, COUNT)
    assert bars[0, 3] / MARKET.close[-1] in MARKET.close[1:] / MARKET.close[:-1]


def test_a_bootstrap_of_a_domain_never_sees_test_rows() -> None:
    quiet, wild = MARKET.close[:2_000], MARKET.close[2_000:] * np.linspace(1.0, 50.0, 1_000)
    close = np.concatenate([quiet, wild])
    import pandas as pd

    frame = pd.DataFrame(
        {"open": close, "high": close, "low": close, "close": close},
        index=pd.date_range("2024-01-01", periods=3_000, freq="min", tz="UTC"),
    )
    rng = np.random.default_rng(43)
    train = BlockBootstrap(RandomDomain(frame, test_period=1_000)).generate(rng, 20_000)
    assert np.abs(log_returns(train)).max() <= np.abs(np.diff(np.log(quiet))).max() * (1.0 + 1e-9)
    assert np.abs(log_returns(BlockBootstrap(frame).generate(rng, 20_000))).max() > 0.01


def test_a_single_bar_cannot_be_resampled() -> None:
    with pytest.raises(TooFewBarsError, match="at least 2 bars, got 1"):
        BlockBootstrap(synthetic_market(1)).generate(np.random.default_rng(0), 5)
