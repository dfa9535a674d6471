"""The compiled broker alone, with several orders on a bar, against stock Backtrader."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.brokers.compiled.orders import (
    BUY,
    CLOSE,
    EDGES,
    SELL,
    TARGET_SIZE,
    Orders,
    draw_orders,
    plain_broker,
    run_compiled,
    run_stock,
    written_down,
)
from vecbt.config import Commission, Slippage
from vecbt.kernels.layout import Asset, OrderStatus, Row

DRAWN = {1: 60, 2: 20, 4: 12, 8: 6}
"""How many cases are drawn with so many assets, every day."""
OUTCOMES = (
    "completed",
    "partial",
    "margin at submit",
    "margin at execution",
    "refused",
    "reversal with residual order",
    "futures cash adjustment",
    "slippage: none",
    "slippage: uncapped",
    "slippage: capped",
    "slippage: out of the bar",
    "slippage: unfilled",
)
SIZE, PRICE, STATUS = (int(Row.ASSETS + column) for column in (Asset.SIZE, Asset.PRICE, Asset.STATUS))


@pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_same_rows(times: int) -> None:
    outcomes: Counter[str] = Counter()
    plain = plain_broker()
    for assets, seed in ((assets, seed) for assets, count in DRAWN.items() for seed in range(times * count)):
        orders = draw_orders(seed, assets=assets)
        expected = run_stock(orders, outcomes)
        for run in (run_compiled, plain):
            difference = first_difference(expected, run(orders))
            assert difference is None, f"seed {seed}, {assets} assets, {orders.setting.config}: {difference}"
    missing = [name for name in OUTCOMES if not outcomes[name]]
    assert not missing, f"of {outcomes}"


@pytest.mark.parametrize("name", EDGES)
def test_same_rows_on_the_edge(name: str) -> None:
    same_as_stock(EDGES[name])


def first_difference(expected: list[tuple[float, ...]], got: list[tuple[float, ...]]) -> str | None:
    assert len(expected) == len(got)
    for bar, (one, other) in enumerate(zip(expected, got, strict=True)):
        if repr(one) != repr(other):  # tells 0.0 from -0.0
            return f"bar {bar}: expected {one}, got {other}"
    return None


def same_as_stock(orders: Orders) -> list[tuple[float, ...]]:
    """Rows of the compiled broker, which have been found equal."""
    rows = run_compiled(orders)
    difference = first_difference(run_stock(orders), rows)
    assert difference is None, difference
    return rows


def column(rows: list[tuple[float, ...]], number: int) -> list[float]:
    return [row[number] for row in rows]


def test_a_refused_order_spoils_the_later_ones_of_its_bar() -> None:
    config = {"start_cash": 1_000.0}
    spoiled = same_as_stock(written_down(config, [100.0] * 4, [(BUY, 20.0), (BUY, 1.0)]))
    assert column(spoiled, SIZE) == [0.0] * 4
    assert spoiled[1][STATUS] == OrderStatus.MARGIN
    # In the other order, on the next bar, or without a check, the small one is filled.
    for orders in (
        written_down(config, [100.0] * 4, [(BUY, 1.0), (BUY, 20.0)]),
        written_down(config, [100.0] * 4, [(BUY, 20.0)], [(BUY, 1.0)]),
        written_down({**config, "checksubmit": False}, [100.0] * 4, [(BUY, 20.0), (BUY, 1.0)]),
    ):
        assert column(same_as_stock(orders), SIZE)[-1] == 1.0


def test_a_sale_after_a_refused_order_makes_up_for_it() -> None:
    # The refused purchase stays in the position that is checked: the sale closes part of it for cash.
    orders = written_down({"start_cash": 1_000.0}, [100.0] * 4, [(BUY, 20.0), (SELL, 15.0), (BUY, 1.0)])
    assert column(same_as_stock(orders), SIZE) == [0.0, -14.0, -14.0, -14.0]


def test_a_reversal_that_cannot_be_paid_closes_alone() -> None:
    orders = written_down(
        {"start_cash": 1_000.0, "shortcash": False},
        [100.0, 100.0, 100.0, 140.0, 140.0],
        [(SELL, 9.0)],
        [],
        [(BUY, 18.0)],
    )
    rows = same_as_stock(orders)
    assert column(rows, SIZE) == [0.0, -9.0, -9.0, 0.0, 0.0]
    assert column(rows, STATUS)[3] == OrderStatus.MARGIN
    assert column(rows, Row.FILLS) == [0.0, 1.0, 1.0, 2.0, 2.0]
    assert column(rows, Row.TRADES)[-1] == 1.0
    assert rows[-1][Row.CASH] == rows[-1][Row.VALUE] == 1_000.0 - 9.0 * 40.0


def test_what_rounding_leaves_of_a_reversal_is_filled_on_the_next_bar() -> None:
    orders = written_down({}, [100.0] * 5, [(BUY, 1.4)], [(SELL, 6.31)])
    rows = same_as_stock(orders)
    rest = -6.31 - (-1.4 + (1.4 - 6.31))
    assert 0.0 < abs(rest) < 1e-14
    assert column(rows, STATUS)[2:] == [OrderStatus.PARTIAL, OrderStatus.COMPLETED, OrderStatus.NONE]
    assert column(rows, Row.FILLS) == [0.0, 1.0, 2.0, 3.0, 3.0]
    assert rows[3][SIZE] - rows[2][SIZE] == rest


@pytest.mark.parametrize("out", [False, True])
@pytest.mark.parametrize("match", [False, True])
def test_an_order_that_would_slip_beyond_its_bar(match: bool, out: bool) -> None:
    slippage = Slippage(fixed=0.6, match=match, out=out)
    orders = written_down({"slippage": slippage}, [100.0, 101.0, 102.0, 103.0], [(BUY, 2.0)])
    orders.prices["high"][3] = 105.0
    rows = same_as_stock(orders)
    if match:
        assert column(rows, SIZE) == [0.0, 2.0, 2.0, 2.0]
        assert rows[1][PRICE] == 101.0 + (0.6 if out else 0.5)
    else:  # it waits for a bar that is high enough
        assert column(rows, SIZE) == [0.0, 0.0, 0.0, 2.0]
        assert rows[3][PRICE] == 103.6


def test_waiting_orders_keep_their_order() -> None:
    slippage = Slippage(fixed=0.6, match=False)
    orders = written_down(
        {"slippage": slippage, "start_cash": 1_000.0, "checksubmit": False},
        [100.0] * 6,
        [(BUY, 6.0)],
        [(SELL, 1.0), (BUY, 5.0)],
        [(BUY, 3.0)],
    )
    orders.prices["high"][4] = 105.0  # all purchases at once, of which the cash pays for the first and the last
    rows = same_as_stock(orders)
    assert column(rows, SIZE) == [0.0, 0.0, 0.0, 0.0, 9.0, 9.0]
    assert rows[4][STATUS] == OrderStatus.MARGIN
    orders.prices["low"][5] = 95.0
    assert column(same_as_stock(orders), SIZE) == [0.0, 0.0, 0.0, 0.0, 9.0, 8.0]


def test_futures_are_settled_every_bar() -> None:
    future = Commission(rate=1.5, per_unit=True, margin=60.0, mult=5.0)
    orders = written_down(
        {"commission": future, "start_cash": 1_000.0},
        [100.0, 102.0, 101.0, 105.0, 99.0],
        [(BUY, 2.0)],
        [],
        [],
        [(CLOSE, 0.0)],
    )
    rows = same_as_stock(orders)
    bought = 1_000.0 - 2.0 * 60.0 - 3.0
    assert column(rows, Row.CASH) == [1_000.0, bought, bought - 10.0, bought + 30.0, 1_000.0 - 6.0 - 30.0]
    # The margin is worth its price and what the position has won since, which the cash has had already.
    assert column(rows, Row.VALUE)[1:4] == [cash + 120.0 for cash in column(rows, Row.CASH)[1:4]]
    assert column(rows, Row.REALIZED)[-1] == -30.0 - 6.0


def test_a_reversal_of_futures_settles_both_sides() -> None:
    future = Commission(rate=0.001, margin=60.0, mult=3.0)
    orders = written_down(
        {"commission": future}, [100.0, 101.5, 99.0, 97.5, 97.5], [(BUY, 2.0)], [(TARGET_SIZE, -3.0)], [], [(BUY, 3.0)]
    )
    assert column(same_as_stock(orders), SIZE) == [0.0, 2.0, -3.0, -3.0, 0.0]


def test_the_comparison_can_fail() -> None:
    orders = EDGES["one contract"]
    rows = run_compiled(orders)
    nudged: list[Any] = [list(row) for row in rows]
    nudged[2][Row.VALUE] = np.nextafter(nudged[2][Row.VALUE], np.inf)
    assert first_difference(rows, list(map(tuple, nudged))) is not None
