from __future__ import annotations

import dataclasses
import math

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.episodes import record
from tests.runs.recordings import make_recording
from vecbt.analysis import Statistics, measure
from vecbt.analysis.metrics import observations_per_year, simple_returns
from vecbt.runs import Recording

RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=60)
SUMS = 1e-9
"""Returns are compounded again there, where we have the values they come from, and rounding adds up."""


def with_values(values: list[float]) -> Recording:
    count = len(values)
    stamps = np.arange(count) * 86_400_000_000_000
    return make_recording(
        values=np.array(values),
        cash=np.array(values),
        costs=np.zeros(count),
        timestamps=stamps,
        bar_timestamps=stamps,
        rows=np.arange(count),
        positions=np.zeros((count, 1)),
        position_prices=np.zeros((count, 1)),
        statuses=np.zeros((count, 1), np.int8),
        ohlc=np.ones((count, 1, 4)),
        rewards=np.zeros(count - 1),
        actions=np.zeros(count - 1, np.int64),
    )


@given(given_returns=RETURNS)
def test_as_empyrical_has_them(given_returns: list[float]) -> None:
    values = (100.0 * np.cumprod([1.0, *(1.0 + np.array(given_returns))])).tolist()
    ours = measure(with_values(values))
    returns = simple_returns(np.array(values))
    year = observations_per_year(np.arange(len(values)) * 86_400_000_000_000)
    assert ours.total_return == pytest.approx(empyrical.cum_returns_final(returns), rel=SUMS, abs=1e-12)
    assert ours.max_drawdown == pytest.approx(-empyrical.max_drawdown(returns), rel=SUMS, abs=1e-12)
    assert ours.cagr == pytest.approx(empyrical.cagr(returns, annualization=year), rel=1e-7, abs=1e-9)
    if returns.std() > 1e-9:
        assert ours.volatility == pytest.approx(empyrical.annual_volatility(returns, annualization=year), rel=SUMS)
        assert ours.sharpe == pytest.approx(empyrical.sharpe_ratio(returns, annualization=year), rel=SUMS, abs=1e-9)
        if (returns < 0.0).any():
            sortino = empyrical.sortino_ratio(returns, annualization=year)
            assert ours.sortino == pytest.approx(sortino, rel=SUMS, abs=1e-9)
    if ours.max_drawdown > 1e-9:
        assert ours.calmar == pytest.approx(empyrical.calmar_ratio(returns, annualization=year), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "days"),
    [
        ([1.0, 2.0, 3.0], 0.0),
        ([3.0, 2.0, 3.0], 2.0),
        ([3.0, 2.0, 1.0, 2.0], 3.0),
        ([1.0, 3.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0], 3.0),
        ([1.0, 3.0, 2.0, 2.5, 3.0, 4.0, 3.0], 3.0),
        ([2.0, 2.0, 2.0], 0.0),
    ],
)
def test_how_long_a_drawdown_lasts(values: list[float], days: float) -> None:
    assert measure(with_values(values)).max_drawdown_days == days


@given(seed=st.integers(0, 1_000))
def test_as_the_engine_has_them(seed: int) -> None:
    recording = record(seed)
    ours, theirs = measure(recording), recording.stats
    assert ours.total_return == theirs["total_return"]
    assert ours.exposure == theirs["exposure"]
    assert ours.trades == theirs["trades"]
    assert ours.costs == theirs["costs"]
    assert 100.0 * ours.max_drawdown == pytest.approx(theirs["max_drawdown"], rel=1e-9)
    if ours.trades:
        assert ours.win_rate == theirs["win_rate"]
        assert ours.profit_factor == pytest.approx(theirs["profit_factor"], rel=1e-6)


def test_trades_by_hand() -> None:
    ours = measure(make_recording())
    assert (ours.trades, ours.win_rate, ours.profit_factor, ours.expectancy, ours.costs) == (1, 1.0, math.inf, 4.0, 2.0)
    assert ours.exposure == 0.75
    assert ours.total_return == 104.0 / 100.0 - 1.0


def test_an_account_that_never_moves() -> None:
    ours = measure(with_values([100.0, 100.0, 100.0, 100.0]))
    assert (ours.total_return, ours.cagr, ours.volatility, ours.max_drawdown, ours.exposure) == (0.0,) * 5
    for name in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy"):
        assert math.isnan(getattr(ours, name))


def test_the_shortest_episode() -> None:
    ours = measure(with_values([100.0, 101.0]))
    assert ours.total_return == 101.0 / 100.0 - 1.0
    assert math.isnan(ours.volatility)
    assert math.isnan(ours.sharpe)


def test_ruin() -> None:
    ours = measure(with_values([100.0, 50.0, -5.0]))
    assert ours.cagr == -1.0
    assert ours.max_drawdown == 1.05
    assert all(isinstance(value, int | float) for value in dataclasses.astuple(ours))
    assert isinstance(ours, Statistics)
