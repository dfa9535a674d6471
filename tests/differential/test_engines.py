"""Every engine against stock Backtrader and against each other, in whole cases at random: bar by bar, bit by bit."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential.brokers import SETTINGS, Setting, draw_setting
from tests.differential.cases import Case, make_case, numbered
from tests.differential.choices import Drawn, Seeded
from tests.differential.compare import (
    ENGINES,
    Call,
    Result,
    compare_case,
    compare_engines,
    compare_with_stock,
    drive,
)
from tests.differential.stock import COLUMNS, Follow
from vecbt.brokers.cerebro import schemes
from vecbt.config import Commission
from vecbt.data.bars import Bars

CASES, DAILY = 150, 80
"""How many cases there are, and how many of them are played every day: all outcomes occur among those."""
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
    "end: step limit",
    "end: data end",
    "end: drawdown call",
    "end: target call",
    "end: ruin",
    "closed out",
    "not closed out",
    "orders of several assets",
    "sent out of the order of assets",
    "entered out of the order of assets",
)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [compare_case(numbered(number)) for number in range(DAILY)]


def test_same_numbers(results: list[Result]) -> None:
    differences = [str(result.difference) for result in results if result.difference]
    assert not differences, differences[0]
    assert sum(result.bars for result in results) > 15_000


@pytest.mark.slow
def test_same_numbers_in_all_cases() -> None:
    for number in range(DAILY, CASES):
        difference = compare_case(numbered(number)).difference
        assert difference is None, str(difference)


def test_every_outcome_occurred(results: list[Result]) -> None:
    counts: Counter[str] = sum((result.outcomes for result in results), Counter())
    missing = [name for name in OUTCOMES if not counts[name]]
    assert not missing, f"of {counts}"
    assert counts["margin at submit"] + counts["margin at execution"] > 0.1 * counts["completed"]


def test_every_trait_is_drawn() -> None:
    drawn = set().union(*(numbered(number).traits for number in range(CASES)))
    assert drawn >= set().union(*(setting.traits for setting in SETTINGS)) - {"defaults"}
    assert drawn >= {
        "NextStep",
        "SameStep",
        "Disabled",
        "latency",
        "skip_frame",
        "max_exposure",
        "flatten",
        "normalize",
        "one asset",
        "2 assets",
        "4 assets",
        "8 assets",
        "commissions of their own",
    }


def test_a_case_follows_from_its_number() -> None:
    assert repr(numbered(3)) == repr(numbered(3))
    assert repr(numbered(3)) != repr(numbered(4))
    assert np.array_equal(numbered(3).actions, numbered(3).actions)


def same_numbers(data: Any, actions: list[int]) -> None:
    case = make_case(Drawn(data), given=tuple(actions))
    difference = compare_case(case).difference
    assert difference is None, str(difference)


ACTIONS = st.lists(st.integers(0, 8), min_size=1, max_size=40)
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@given(st.data(), ACTIONS)
@settings(max_examples=15, suppress_health_check=SLOW_TO_DRAW)
def test_same_numbers_in_any_case(data: Any, actions: list[int]) -> None:
    same_numbers(data, actions)


@pytest.mark.slow
@given(st.data(), ACTIONS)
@settings(max_examples=200, suppress_health_check=SLOW_TO_DRAW)
def test_same_numbers_in_many_cases(data: Any, actions: list[int]) -> None:
    same_numbers(data, actions)


# Where a random number never is: comparisons that hold with equality. Prices are 100, 95, 105 and 100 again.
EDGES: dict[str, tuple[dict[str, Any], tuple[int, ...], str]] = {
    "cash of exactly 0": (
        {"commission": Commission(margin=125.0), "start_cash": 1_000.0, "order_size": 8.0},
        (1, 0, 0, 0, 1),
        "completed",
    ),
    "cash of exactly 0 without a submit check": (
        {"commission": Commission(margin=125.0), "start_cash": 1_000.0, "order_size": 8.0, "checksubmit": False},
        (1, 0, 0, 0, 1),
        "completed",
    ),
    "a drawdown of exactly the call": ({"drawdown_call": 5.0, "order_size": 5.0}, (1, 1), "end: drawdown call"),
    "a profit of exactly the call": ({"target_call": 5.0, "order_size": 5.0}, (1, 1), "end: data end"),
    "a value of exactly 0": ({"leverage": 20.0, "order_size": 100.0}, (1, 1), "end: ruin"),
    "an exposure of exactly the limit": ({"max_exposure": 1.0, "order_size": 5.0}, (1, 1, 1), "refused"),
    "a reversal to the same exposure": (
        {"max_exposure": 0.95, "order_size": 9.0, "actions": "target_position", "positions": (-1.0, 1.0)},
        (0, 0, 0, 0, 0, 0, 1),
        "refused",
    ),
}


class Edge(Case):
    """A case whose market is written down."""

    @property
    def market(self) -> Bars:
        prices = [100.0, 100.0, 100.0, 95.0, 95.0, 105.0, 105.0, 100.0, 100.0, 100.0]
        return Bars.from_arrays(np.arange(1, 11) * 60_000_000_000, prices, prices, prices, prices, np.ones(10))


@pytest.mark.parametrize("name", EDGES)
def test_same_numbers_on_the_edge(name: str) -> None:
    settings, actions, outcome = EDGES[name]
    config = {"start_cash": 1_000.0, "window": 1, "actions": "discrete", "positions": (-1.0, 0.0, 1.0)}
    parts = {"number": -1, "prices": "edge", "market_seed": 0, "bars": 10, "num_envs": 1, "autoreset": "NextStep"}
    case = Edge(
        **parts,
        setting=Setting(name, {}),
        config={**config, "reward": "pnl", "episode_steps": None, **settings},
        seed=0,
        steps=9,
        actions_seed=0,
        habit=(),
        given=(actions + (0,) * 9)[:9],
    )
    result = compare_case(case)
    assert result.difference is None, str(result.difference)
    assert result.outcomes[outcome] >= 1, f"of {result.outcomes}"


def own_reward(previous_row: Any, row: Any, state: Any) -> float:
    """Uses all that such a function is given: the two rows, and what it remembers."""
    state[0] += 1.0
    state[1] = 0.9 * state[1] + (row[1] - previous_row[1]) / previous_row[1]
    return state[1] / state[0] - 1e-3 * (row[4] - previous_row[4]) + 0.01 * row[12] + previous_row[9] / 1e9


def test_a_reward_of_ones_own() -> None:
    for number in (40, 41):
        case = numbered(number)
        case = dataclasses.replace(case, config={**case.config, "reward": own_reward})
        difference = compare_case(case).difference
        assert difference is None, str(difference)


def test_the_feed_of_lists_is_that_of_pandas() -> None:
    def pandas_feed(episode: Any) -> Any:
        columns = {name: episode.market.column(name)[episode.rows] for name in COLUMNS}
        index = pd.DatetimeIndex(episode.market.timestamps[episode.rows].astype("datetime64[ns]"))
        return bt.feeds.PandasData(dataname=pd.DataFrame(columns, index=index))

    bars = 0
    for case in [case for case in map(numbered, range(20)) if case.assets == 1][:5]:
        result = compare_with_stock(case, drive(case, ENGINES[0]), ENGINES[0], feed=pandas_feed)
        assert result.difference is None, str(result.difference)
        bars += result.bars
    assert bars > 500


@pytest.mark.parametrize("assets", [1, 2, 8])
def test_stock_classes_in_the_engine(assets: int) -> None:
    cases = [case for case in map(numbered, range(CASES)) if case.assets == assets][:4]
    for case in cases:
        stock = dataclasses.replace(case, config={**case.config, "fast": False})
        difference = compare_engines(case, drive(case, "cerebro"), drive(stock, "cerebro"), ("fast", "stock classes"))
        assert difference is None, str(difference)
    assert len(cases) == 4


# -- the comparison can fail -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample() -> tuple[Case, list[Call]]:
    """A case with everything to be compared in it, and what an engine returns of it."""
    case = next(
        case
        for case in map(numbered, range(CASES))
        if case.config["actions"] == "discrete" and "lot" not in case.config and case.bars > 60 and case.assets == 1
    )
    shape = {"window": 4, "account_features": ("value", "exposure"), "flatten": False, "episode_steps": 25}
    calls = {"drawdown_call": None, "target_call": None, "skip_frame": 1}
    case = dataclasses.replace(case, autoreset="NextStep", steps=60, config={**case.config, **shape, **calls})
    return case, drive(case, ENGINES[0])


def nudge(array: np.ndarray, *at: int) -> None:
    """Change one number by as little as can be."""
    if array.dtype == bool:
        array[at] = ~array[at]
    elif array.dtype.kind == "f":
        array[at] = np.nextafter(array[at], array.dtype.type(np.inf))
    else:
        array[at] += 1


def stats_of(calls: list[Call]) -> Any:
    return next(call.infos["episode_stats"] for call in calls if "episode_stats" in call.infos)


PERTURBATIONS: dict[str, Callable[[list[Call]], None]] = {
    "observation: market": lambda calls: nudge(calls[7].observation["market"], 0, 0, 0),
    "observation: account": lambda calls: nudge(calls[7].observation["account"], 0, 0),
    "reward": lambda calls: nudge(calls[7].rewards, 0),
    "row: leverage": lambda calls: nudge(calls[7].rows, 0, 2),
    "row: fills": lambda calls: nudge(calls[7].rows, 0, 4),
    "row: gains": lambda calls: nudge(calls[7].rows, 0, 8),
    "stats: sharpe": lambda calls: nudge(stats_of(calls)["sharpe"], slice(None)),
    "stats: reason": lambda calls: nudge(stats_of(calls)["reason"], slice(None)),
    **{
        f"info: {name}": lambda calls, name=name: nudge(calls[7].infos[name], 0)
        for name in ("cash", "value", "drawdown", "costs", "position", "position_price", "timestamp", "order_status")
    },
}


@pytest.mark.parametrize("field", PERTURBATIONS)
def test_one_bit_is_found(sample: tuple[Case, list[Call]], field: str) -> None:
    case, calls = sample
    assert compare_with_stock(case, calls, ENGINES[0]).difference is None
    assert compare_engines(case, calls, copy.deepcopy(calls)) is None
    perturbed = copy.deepcopy(calls)
    PERTURBATIONS[field](perturbed)
    found = compare_with_stock(case, perturbed, ENGINES[0]).difference
    assert found is not None
    assert (found.field, found.env) == (field, 0)
    assert f"case {case.number}" in str(found)
    assert compare_engines(case, calls, perturbed) is not None


def test_an_end_at_another_step_is_found(sample: tuple[Case, list[Call]]) -> None:
    case, calls = sample
    perturbed = copy.deepcopy(calls)
    perturbed[7].truncated[0] = True
    found = compare_with_stock(case, perturbed, ENGINES[0]).difference
    assert found is not None
    assert found.field == "truncated"


class Doubled(Follow):
    """Counts every execution twice."""

    def notify_order(self, order: Any) -> None:
        super().notify_order(order)
        self.fills += len(list(order.executed.iterpending()))


class Late(Follow):
    """Forgets what was refused."""

    def refuses(self, data: Any, change: float) -> bool:
        refused = super().refuses(data, change)
        if refused:
            self.status[data] = 0
        return refused


class Reordered(Follow):
    """Multiplies a commission in another order, which changes the last bit of some."""

    class Scheme(bt.CommInfoBase):
        def _getcommission(self, size: float, price: float, pseudoexec: bool) -> float:
            return abs(size) * price * self.p.commission

    def start(self) -> None:
        scheme = self.broker.getcommissioninfo(self.data)
        if type(scheme) is bt.CommInfoBase and scheme._commtype == scheme.COMM_PERC:
            scheme.__class__ = Reordered.Scheme


class InOrder(Follow):
    """Sends what reduces a position in its turn."""

    def takes(self, data: Any, what: str, amount: float) -> bool:
        return False


class Curious(Follow):
    """Asks for positions before anything is ordered."""

    def start(self) -> None:
        for data in reversed(self.datas):
            self.getposition(data)


@pytest.mark.parametrize(
    ("driver", "field"),
    [
        (Doubled, "row: fills"),
        (Late, "info: order_status"),
        (Reordered, "info: c"),
        (InOrder, "info: "),
        (Curious, "info: "),
    ],
)
def test_a_wrong_driver_is_found(driver: type[Follow], field: str) -> None:
    assert first_difference(lambda case: compare_case(case, driver)).field.startswith(field)


def test_another_order_of_operations_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def updated(size0: float, price0: float, size: float, price: float) -> Any:
        after, average, opened, closed = schemes.updated(size0, price0, size, price)
        if size0 and not closed:
            average = price0 + (price - price0) * size / after
        return after, average, opened, closed

    monkeypatch.setattr("vecbt.brokers.cerebro.broker.updated", updated)
    found = first_difference(lambda case: compare_with_stock(case, drive(case, "cerebro"), "cerebro"))
    assert found.field in ("info: cash", "info: value", "info: position_price")


def first_difference(run: Callable[[Case], Result]) -> Any:
    for number in range(CASES):
        if found := run(numbered(number)).difference:
            return found
    raise AssertionError("nothing was found")


def test_drawn_settings_can_be_anything() -> None:
    traits = set().union(*(draw_setting(Seeded(seed), 100.0).traits for seed in range(200)))
    assert traits >= {"no shortcash", "no checksubmit", "leverage", "multiplier", "slippage, no match", "slippage, out"}
