from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecbt.kernels.fsum import MAX_PARTIALS, add_partial, round_partials, two_sum, window_sums

PRICES = st.integers(1, 10_000_000).map(lambda ticks: ticks * 1e-5)
POWERS = st.builds(lambda sign, exponent: sign * 2.0**exponent, st.sampled_from([-1.0, 1.0]), st.integers(-120, 120))
# Neighbours of a tie: halves of a unit in the last place, and what decides them far below.
TIES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0**53, -(2.0**53), 0.5, -0.5, 2.0**-60, -(2.0**-60), 2.0**-1074])
WILD = st.floats(-1e300, 1e300)
VALUES = st.one_of(
    *(st.lists(one, max_size=60) for one in (PRICES, POWERS, TIES, WILD, st.one_of(PRICES, POWERS, WILD)))
)


def expected(values: list[float], period: int, start: int = 0) -> list[float]:
    first = start + period - 1
    return [math.nan if t < first else math.fsum(values[t - period + 1 : t + 1]) for t in range(len(values))]


def exact_sum(values: list[float]) -> float:
    partials = np.empty(MAX_PARTIALS)
    count = 0
    for x in values:
        count = add_partial(partials, count, x)
    return round_partials(partials, count)


@given(VALUES, st.integers(1, 12))
@settings(deadline=None, max_examples=400)
def test_windows_equal_fsum(values: list[float], period: int) -> None:
    np.testing.assert_array_equal(window_sums(np.array(values), period), expected(values, period), strict=True)


@given(VALUES)
@settings(deadline=None, max_examples=200)
def test_sum_equals_fsum(values: list[float]) -> None:
    assert exact_sum(values) == math.fsum(values)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [-0.0],
        [0.1] * 10,
        [1e16, 1.0, 1e-16],  # a tie, decided by the last
        [1e16, 1.0, -1e-16],
        [-1e16, -1.0, -1e-16],
        [1e16, 1.0],
        [2.0**53, 1.0, 2.0**-100],
        [2.0**53, 3.0, -(2.0**-100)],
        [1e300, 1.0, -1e300],
        [2.0 ** (-54 * k) for k in range(19)],  # a partial for each
    ],
)
def test_hard_sums(values: list[float]) -> None:
    assert exact_sum(values) == math.fsum(values)
    assert exact_sum(values[::-1]) == math.fsum(values)


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
@settings(deadline=None)
def test_two_sum_loses_nothing(a: float, b: float) -> None:
    total, error = two_sum(a, b)
    assert total == a + b
    assert math.fsum([a, b, -total, -error]) == 0.0


@pytest.mark.parametrize("period", [1, 2, 20, 200])
def test_long_walk(period: int) -> None:
    rng = np.random.default_rng(period)
    # Stretches that slide, among values that no two doubles can hold the sum of.
    x = np.where(np.arange(3000) % 500 < 20, np.exp(rng.normal(0.0, 40.0, 3000)), 1.1 + rng.normal(0.0, 1e-3, 3000))
    np.testing.assert_array_equal(window_sums(x, period), expected(x.tolist(), period))


@given(st.lists(PRICES, max_size=30), st.integers(1, 8), st.integers(0, 30))
@settings(deadline=None)
def test_rows_before_start_are_not_read(values: list[float], period: int, start: int) -> None:
    x = np.array(values)
    x[:start] = np.nan
    np.testing.assert_array_equal(window_sums(x, period, start), expected(x.tolist(), period, start))


def test_no_full_window() -> None:
    assert np.isnan(window_sums(np.ones(4), 5)).all()
    assert window_sums(np.empty(0), 1).shape == (0,)


def test_overflow_is_not_finite() -> None:
    sums = window_sums(np.array([1.0, 1e308, 1e308, 1.0, 2.0]), 2)
    np.testing.assert_array_equal(np.isfinite(sums), [False, True, False, True, True])
    assert sums[4] == 3.0
