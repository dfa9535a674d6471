"""Every formula against the objects of Backtrader from which it has been taken."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.differential.brokers import LotScheme
from vecbt.brokers.compiled import money
from vecbt.brokers.compiled.book import Scheme

# As numba compiles it, and as Python takes the same lines.
both = pytest.mark.parametrize(
    "formulas",
    [money, types.SimpleNamespace(**{name: getattr(money, name).py_func for name in money.__all__})],
    ids=["compiled", "plain"],
)
prices = st.one_of(st.integers(1, 10_000_000).map(lambda ticks: ticks * 1e-4), st.floats(1e-3, 1e6))
amounts = st.one_of(st.integers(1, 10_000_000).map(lambda cents: cents * 1e-2), st.floats(1e-2, 1e7))
units = st.one_of(st.integers(1, 5_000).map(float), st.floats(1e-6, 1e6))
sizes = st.builds(lambda sign, size: sign * size, st.sampled_from([-1.0, 1.0]), units)
lots = st.sampled_from([0.1, 0.01, 0.25, 1e-3, 1e-6, 3.0])
schemes = st.builds(
    lambda rate, per_unit, margin, mult, leverage: {
        "commission": rate,
        "commtype": bt.CommInfoBase.COMM_FIXED if per_unit else bt.CommInfoBase.COMM_PERC,
        "stocklike": margin is None,
        "margin": margin,
        "mult": mult,
        "leverage": leverage,
    },
    st.one_of(st.sampled_from([0.0, 0.001, 0.002]), st.floats(0.0, 0.1)),
    st.booleans(),
    st.one_of(st.none(), st.floats(0.5, 1e4)),
    st.sampled_from([1.0, 5.0, 0.3, 0.1]),
    st.sampled_from([1.0, 2.0, 3.0, 0.7, 25.0, 1.5]),
)


def stock_scheme(scheme: dict[str, Any], lot: float | None = None) -> Any:
    return bt.CommInfoBase(percabs=True, **scheme) if lot is None else LotScheme(percabs=True, lot=lot, **scheme)


def own_scheme(scheme: dict[str, Any]) -> np.ndarray:
    values = {
        Scheme.RATE: scheme["commission"],
        Scheme.PER_UNIT: scheme["commtype"] == bt.CommInfoBase.COMM_FIXED,
        Scheme.STOCKLIKE: scheme["stocklike"],
        Scheme.MULT: scheme["mult"],
        Scheme.MARGIN: scheme["margin"] or 0.0,
        Scheme.LEVERAGE: scheme["leverage"],
    }
    return np.array([float(values[column]) for column in Scheme])


@both
@given(sizes, prices, st.one_of(sizes, st.none()), prices)
@example(1.4, 100.0, -6.31, 101.0)
@example(0.5, 100.0, 0.25, 101.0)
@example(1.5, 100.0, -1.0, 101.0)
@example(0.5, 100.0, -0.75, 101.0)
def test_position(formulas: Any, size0: float, price0: float, size: float | None, price: float) -> None:
    size = -size0 if size is None else size
    position = bt.Position(size0, price0)
    expected = position.update(size, price)
    assert formulas.updated(size0, price0, size, price) == expected
    assert (position.size, position.price) == expected[:2]
    assert formulas.updated(0.0, 0.0, size, price) == bt.Position().update(size, price)


@both
@given(schemes, sizes, prices, prices)
def test_costs_and_profits(formulas: Any, scheme: dict[str, Any], size: float, price: float, now: float) -> None:
    stock, own = stock_scheme(scheme), own_scheme(scheme)
    assert formulas.commission(own, size, price) == stock.getcommission(size, price)
    assert formulas.commission(own, size, price) == stock.confirmexec(size, price)
    assert formulas.profit(own, size, price, now) == stock.profitandloss(size, price, now)
    assert formulas.adjustment(own, size, price, now) == stock.cashadjust(size, price, now)


@both
@given(schemes, sizes, prices)
def test_what_an_order_ties_up(formulas: Any, scheme: dict[str, Any], size: float, price: float) -> None:
    stock, own = stock_scheme(scheme), own_scheme(scheme)
    assert formulas.tied_up(own, True, size, price) == stock.getvaluesize(size, price)
    assert formulas.tied_up(own, False, size, price) == stock.getoperationcost(size, price)
    value = stock.getvaluesize(size, price)
    assert formulas.unlevered(own, value) == (value / stock.get_leverage() if value > 0 else value)


@both
@given(schemes, sizes, prices, prices)
def test_what_a_position_is_worth(formulas: Any, scheme: dict[str, Any], size: float, price: float, now: float) -> None:
    stock, own = stock_scheme(scheme), own_scheme(scheme)
    assert formulas.worth(own, True, size, price, now) == stock.getvaluesize(size, now)
    assert formulas.worth(own, False, size, price, now) == stock.getvalue(bt.Position(size, price), now)


@both
@given(schemes, amounts, prices)
@example({"commission": 0.0, "commtype": 0, "stocklike": True, "margin": None, "mult": 1.0, "leverage": 1.5}, 0.3, 0.1)
def test_whole_units_for_cash(formulas: Any, scheme: dict[str, Any], cash: float, price: float) -> None:
    size = formulas.rounded_size(own_scheme(scheme), 1.0, price, cash)
    assert size == stock_scheme(scheme).getsize(price, cash)
    assert type(size) in (float, np.float64)


@both
@given(schemes, lots, amounts, prices)
@example(
    {"commission": 0.0, "commtype": 0, "stocklike": True, "margin": None, "mult": 1.0, "leverage": 0.7}, 0.1, 700.0, 7.0
)
def test_lots_for_cash(formulas: Any, scheme: dict[str, Any], lot: float, cash: float, price: float) -> None:
    assert formulas.rounded_size(own_scheme(scheme), lot, price, cash) == stock_scheme(scheme, lot).getsize(price, cash)


# -- such formulas are told from others --------------------------------------------------------------------------------

REARRANGED: dict[str, tuple[Callable[..., float], Callable[..., float]]] = {
    "commission": (lambda s, p: abs(s) * 0.001 * p, lambda s, p: abs(s) * p * 0.001),
    "profit": (lambda s, p: s * (101.3 - p) * 0.3, lambda s, p: s * 0.3 * (101.3 - p)),
    "average": (lambda s, p: (3.0 * 99.7 + s * p) / (3.0 + s), lambda s, p: 99.7 + (p - 99.7) * s / (3.0 + s)),
    "units": (lambda s, p: (s * 0.1) // 0.1, lambda s, p: float(math.floor((s * 0.1) / 0.1))),
}


@pytest.mark.parametrize("name", REARRANGED)
def test_another_order_of_operations_gives_other_numbers(name: str) -> None:
    """Equality asks for something: what is the same in algebra differs often enough to be found at once."""
    one, other = REARRANGED[name]
    random = np.random.default_rng(0)
    pairs = zip(
        random.integers(1, 500, 1000).astype(float).tolist(), random.uniform(50.0, 150.0, 1000).tolist(), strict=True
    )
    assert sum(one(size, price) != other(size, price) for size, price in pairs) > 50
