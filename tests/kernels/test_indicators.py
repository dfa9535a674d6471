"""Every indicator against Backtrader's own, to the last bit."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.indicator_cases import CASES, Case, Prices, price_series, run_backtrader
from vecbt.data.features import compile_features
from vecbt.data.functions import FUNCTIONS
from vecbt.errors import FeatureError
from vecbt.kernels import indicators

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERIES = price_series()
ind = bt.indicators


def stands_still(prices: Prices) -> bool:
    return prices.name == "flat"


@functools.cache
def reference(name: str) -> dict[str, list[NDArray[np.float64]]]:
    prices = SERIES[name]
    return run_backtrader(prices, [case for case in CASES if not (case.divides and stands_still(prices))])[0]


def assert_equal(prices: Prices, case: Case, lines: list[NDArray[np.float64]]) -> None:
    table = compile_features([case.expression], prices)
    np.testing.assert_array_equal(table.values, np.column_stack(lines), strict=True)
    assert table.first_valid == max(np.flatnonzero(~np.isnan(line))[0] for line in lines)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.expression)
@pytest.mark.parametrize("name", SERIES)
def test_equals_backtrader(name: str, case: Case) -> None:
    prices = SERIES[name]
    if case.divides and stands_still(prices):
        with pytest.raises(ZeroDivisionError):
            run_backtrader(prices, [case])
        with pytest.raises(FeatureError, match=r"row \d+ of flat"):
            compile_features([case.expression], prices)
    else:
        assert_equal(prices, case, reference(name)[case.expression])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.expression)
def test_shortest_data(case: Case) -> None:
    _, rows = run_backtrader(SERIES["walk"], [case])
    prices = SERIES["walk"].rows(0, rows)
    columns, _ = run_backtrader(prices, [case])
    assert_equal(prices, case, columns[case.expression])
    if rows > 1:
        with pytest.raises(FeatureError, match=rf"after {rows} rows, and .* has {rows - 1}"):
            compile_features([case.expression], SERIES["walk"].rows(0, rows - 1))


@given(
    seed=st.integers(0, 2**32 - 1),
    tick=st.sampled_from([0.0, 0.01, 0.5]),
    p=st.integers(1, 25),
    q=st.integers(1, 25),
    r=st.integers(1, 9),
)
@settings(deadline=None, max_examples=30)
def test_equals_backtrader_with_any_period(seed: int, tick: float, p: int, q: int, r: int) -> None:
    cases = [
        Case(f"sma({p})", lambda d: ind.SMA(d, period=p)),
        Case(f"ema({p})", lambda d: ind.EMA(d, period=p)),
        Case(f"smma(ema({q}), {p})", lambda d: ind.SMMA(ind.EMA(d, period=q), period=p)),
        Case(f"wma({p})", lambda d: ind.WMA(d, period=p)),
        Case(f"highest(lowest({q}), {p})", lambda d: ind.Highest(ind.Lowest(d, period=q), period=p)),
        Case(f"stddev({p})", lambda d: ind.StdDev(d, period=p)),
        Case(f"rsi({p})", lambda d: ind.RSI_Safe(d, period=p)),
        Case(
            f"macd({p}, {q}, {r}).histo", lambda d: ind.MACDHisto(d, period_me1=p, period_me2=q, period_signal=r).histo
        ),
        Case(f"atr({p})", lambda d: ind.ATR(d, period=p)),
        Case(
            f"stochastic({p}, {r}, {q}).d",
            lambda d: ind.Stochastic(d, period=p, period_dfast=r, period_dslow=q, safediv=True).percD,
        ),
        Case(f"momentum({p})", lambda d: ind.Momentum(d, period=p)),
        Case(f"roc(sma({q}), {p})", lambda d: ind.ROC(ind.SMA(d, period=q), period=p)),
    ]
    rng = np.random.default_rng(seed)
    close = 20.0 + np.abs(np.cumsum(rng.normal(0.0, 0.3, 90)))
    close = np.round(close / tick) * tick if tick else close
    high, low = close + tick * rng.integers(0, 2, 90), close - tick * rng.integers(0, 2, 90)
    prices = Prices("random", {"open": close, "high": high, "low": low, "close": close, "volume": np.ones(90)})
    columns, _ = run_backtrader(prices, cases)
    for case in cases:
        assert_equal(prices, case, columns[case.expression])


def test_squares_and_roots_are_those_of_pow() -> None:
    values = np.random.default_rng(0).uniform(1.0, 2.0, 100_000).tolist()
    # Where multiplication and square root would round otherwise: about one value in a thousand, with glibc.
    hard = [x for x in values if x**2 != x * x or (x**2) ** 0.5 != x] or values[:300]
    x = np.array(hard[:300])
    prices = Prices("hard", {"open": x, "high": x, "low": x, "close": x, "volume": x})
    cases = [Case(f"stddev({p})", lambda d, p=p: ind.StdDev(d, period=p)) for p in (2, 3, 7)]
    columns, _ = run_backtrader(prices, cases)
    for case in cases:
        assert_equal(prices, case, columns[case.expression])


def test_oscillators_where_nothing_moves() -> None:
    still = np.full(40, 5.0)
    rising = np.arange(1.0, 41.0)
    assert (indicators.rsi(still)[14:] == 50.0).all()
    assert (indicators.rsi(rising)[14:] == 100.0).all()
    assert (indicators.rsi(rising[::-1].copy())[14:] == 0.0).all()
    k, d = indicators.stochastic(still, still, still)
    assert (k[15:] == 0.0).all()
    assert (d[17:] == 0.0).all()
    assert np.isnan(indicators.williams_r(still, still, still)).all()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("start", [1, 37])
def test_rows_before_start_are_not_read(name: str, start: int) -> None:
    function = FUNCTIONS[name]
    numbers = [5 if parameter.default is None else parameter.default for parameter in function.parameters]
    columns = [SERIES["walk"].column(column) for column in function.inputs or ("close",)]
    late = [np.concatenate([np.full(start, np.nan), x]) for x in columns]
    plain, shifted = function.compute(*columns, *numbers, start=0), function.compute(*late, *numbers, start=start)
    for before, after in zip(*(x if function.lines else (x,) for x in (plain, shifted)), strict=True):
        assert np.isnan(after[:start]).all()
        np.testing.assert_array_equal(after[start:], before)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_warm_up_is_where_the_values_begin(name: str) -> None:
    function = FUNCTIONS[name]
    numbers = [5 if parameter.default is None else parameter.default for parameter in function.parameters]
    columns = [SERIES["walk"].column(column) for column in function.inputs or ("close",)]
    result = function.compute(*columns, *numbers, start=0)
    for rows, line in zip(function.warmup(*numbers), result if function.lines else (result,), strict=True):
        assert np.isnan(line[:rows]).all()
        assert np.isfinite(line[rows:]).all()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if FUNCTIONS[name].parameters])
def test_too_few_rows_have_no_value(name: str) -> None:
    function = FUNCTIONS[name]
    columns = [SERIES["walk"].column(column)[:4] for column in function.inputs or ("close",)]
    result = function.compute(*columns, *[5 for _ in function.parameters], start=1)
    for line in result if function.lines else (result,):
        np.testing.assert_array_equal(line, np.full(4, np.nan))


def test_the_table_tries_every_function() -> None:
    text = " ".join(case.expression for case in CASES)
    assert set(FUNCTIONS) <= set(re.findall(r"[a-z_]+", text))
