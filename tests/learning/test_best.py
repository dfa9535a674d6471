"""The best play with hindsight: nothing is better, and the environments pay what it says."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.learning.best import best_play
from bench.learning.held_out import LEAD, HeldOut
from bench.learning.markets import SINE, WALK, Task

EXACT = {**SINE.env, "order_size": 16.0, "commission": 2.0**-8, "window": 1, "features": ("close",)}
"""Prices in 64ths, sizes in whole units and a rate that is a power of two: no sum or product has to be rounded, so that
it makes no difference in which order the broker and the dynamic program add."""

prices = st.lists(st.integers(48, 80), min_size=2, max_size=10)


def path_of(ticks: list[int]) -> np.ndarray:
    """Bars that open and close at given prices, after others that nobody trades."""
    ends = np.array([64] * (2 * (LEAD - 1) + len(ticks) % 2) + ticks) / 64.0
    opens, closes = ends[::2], ends[1::2]
    bounds = np.maximum(opens, closes), np.minimum(opens, closes)
    return np.stack([opens, *bounds, closes, np.zeros(len(opens))], axis=1)


def brute(opens: np.ndarray, closes: np.ndarray, size: float, rate: float, positions: tuple[float, ...]) -> float:
    """The best of all sequences, one after the other, with an account of cash and units."""
    steps, results = len(opens) - 1, []
    for sequence in itertools.product(positions, repeat=steps):
        cash = units = 0.0
        for target, price in zip(sequence, opens[1:], strict=True):
            traded = target * size - units
            cash -= traded * price + rate * abs(traded) * price
            units += traded
        results.append(cash + units * closes[-1])
    return float(max(results))


@settings(max_examples=60, deadline=None)
@given(ticks=prices, rate=st.sampled_from([0.0, 2.0**-8, 2.0**-5, 1.0]), several=st.booleans())
def test_nothing_is_better(ticks: list[int], rate: float, several: bool) -> None:
    positions = (-1.0, 0.0, 1.0) if several else (0.0, 1.0)
    opens, closes = path_of(ticks)[LEAD - 1 :, 0], path_of(ticks)[LEAD - 1 :, 3]
    found = best_play(opens[None], closes[None], 16.0, rate, positions)
    assert found.profit[0] == brute(opens, closes, 16.0, rate, positions)
    assert found.actions.shape == (1, len(opens) - 1)


@settings(max_examples=15, deadline=None)
@given(ticks=st.lists(st.lists(st.integers(48, 80), min_size=24, max_size=24), min_size=2, max_size=4))
def test_the_environments_pay_what_it_says(ticks: list[list[int]]) -> None:
    held_out = HeldOut([path_of(each) for each in ticks], EXACT)
    best = held_out.best()
    played = held_out.play(lambda observations, step: best.actions[:, step])
    held_out.close()
    assert played.profit.tolist() == best.profit.tolist()


@pytest.mark.parametrize("task", [SINE, WALK], ids=["sine", "walk"])
def test_of_the_tasks_too(task: Task) -> None:
    held_out = HeldOut.of([task.test] * 4, np.random.default_rng(0), 300, task.env)
    best = held_out.best()
    played = held_out.play(lambda observations, step: best.actions[:, step])
    random = np.random.default_rng(1)
    others = [held_out.play(lambda observations, step: random.integers(0, 3, 4)) for _ in range(3)]
    held_out.close()
    # Prices are no fractions of two here: cash is rounded bar by bar, in another order than the dynamic program adds.
    np.testing.assert_allclose(played.profit, best.profit, rtol=1e-9)
    assert (best.profit > 0.0).all()
    assert all((other.profit < best.profit).all() for other in others)


def test_an_account_that_is_lost_is_no_result() -> None:
    rows = np.array([[1.0] * 4 + [0.0]] * (LEAD + 3))
    rows[LEAD + 1 :, :4] = 2.0**-10  # once the order has been filled
    env: dict[str, Any] = {**EXACT, "order_size": 10_000.0}
    held_out = HeldOut([rows, rows], env)
    with pytest.raises(RuntimeError, match="2 episodes have ended in step 1"):
        held_out.play(lambda observations, step: np.full(2, 2))
    held_out.close()
