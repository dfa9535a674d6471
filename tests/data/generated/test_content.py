"""Trials are functions of a seed and a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecbt.data.generated.content import TrialMaker
from vecbt.data.generators import GeometricBrownianMotion
from vecbt.errors import ColumnError, DataError, PriceError

MOTION = GeometricBrownianMotion(volatility=0.01)
seeds, numbers = st.integers(0, (1 << 128) - 1), st.integers(0, (1 << 63) - 1)


class Given:
    """Generates what it has been given."""

    def __init__(self, bars: Any) -> None:
        self.bars = bars

    def generate(self, rng: np.random.Generator, bars: int) -> Any:
        return self.bars


@settings(max_examples=50, deadline=None)
@given(seeds, numbers, st.lists(st.tuples(seeds, numbers), max_size=3))
def test_a_trial_does_not_depend_on_those_before(seed: int, number: int, before: list[tuple[int, int]]) -> None:
    maker = TrialMaker(MOTION, 20)
    for other in before:
        maker.make(*other)
    assert (maker.make(seed, number) == TrialMaker(MOTION, 20).make(seed, number)).all()


@settings(max_examples=50, deadline=None)
@given(seeds, numbers, seeds, numbers)
def test_every_seed_and_number_has_its_own(seed: int, number: int, other_seed: int, other: int) -> None:
    if (seed, number) != (other_seed, other):
        maker = TrialMaker(MOTION, 20)
        assert (maker.make(seed, number)[:, 3] != maker.make(other_seed, other)[:, 3]).all()


def test_both_words_of_a_seed_count() -> None:
    maker = TrialMaker(MOTION, 20)
    made = [maker.make(seed, 0)[-1, 3] for seed in (0, 1, 1 << 63, 1 << 64, 1 << 127)]
    assert len(set(made)) == 5


def test_a_short_draw_leaves_nothing_behind() -> None:
    """Philox keeps words, and halves of words, that have not been asked for."""

    class Halves:
        def generate(self, rng: np.random.Generator, bars: int) -> Any:
            first = float(rng.integers(1, 100, dtype=np.int32))
            return np.full((bars, 5), first)

    maker = TrialMaker(Halves(), 3)
    maker.make(1, 1)
    assert (maker.make(5, 7) == TrialMaker(Halves(), 3).make(5, 7)).all()


def test_the_reference_is_no_environments() -> None:
    maker = TrialMaker(MOTION, 20)
    reference = maker.reference
    assert len(reference) == 256
    assert (reference[0] == TrialMaker(MOTION, 20).reference[0]).all()
    ends = {trial[-1, 3] for trial in reference}
    assert len(ends) == 256
    assert not ends & {maker.make(seed, number)[-1, 3] for seed in range(5) for number in range(300)}


def test_long_trials_have_fewer_references() -> None:
    assert len(TrialMaker(MOTION, 100_000).reference) == 16


@pytest.mark.parametrize(
    "bars",
    [np.ones((4, 5)), np.ones((3, 4)), np.ones(15), np.full((3, 5), "a"), None, np.ones((3, 5), complex)],
    ids=["rows", "columns", "dimensions", "text", "None", "complex"],
)
def test_something_else_than_bars_is_refused(bars: Any) -> None:
    with pytest.raises(ColumnError, match=r"Given, trial 7 of seed 5.*must return float64 \(3, 5\)"):
        TrialMaker(Given(bars), 3).make(5, 7)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, 0, np.nan, "the open is missing"),
        (2, 1, np.inf, "the high is inf"),
        (1, 2, 0.0, "the low is 0.0"),
        (1, 3, -1.0, "the close is -1.0"),
        (2, 1, np.nan, "the high is missing"),
        (2, 2, np.nan, "the low is missing"),
        (2, 3, np.nan, "the close is missing"),
        (2, 3, np.inf, "the close is inf"),
        (2, 1, 0.5, "the high 0.5 is below"),
        (2, 2, 1.5, "the high 1.0 is below the low 1.5"),
        (1, 4, -1.0, "the volume -1.0"),
        (1, 4, np.nan, "the volume is missing"),
    ],
)
def test_bars_that_cannot_be_are_refused(row: int, column: int, value: float, message: str) -> None:
    bars = np.ones((3, 5))
    bars[row, column] = value
    with pytest.raises(DataError, match=message) as caught:
        TrialMaker(Given(bars), 3).make(5, 7)
    assert (caught.value.source, caught.value.row) == ("Given, trial 7 of seed 5", row)


def test_whole_numbers_and_the_noise_of_a_last_digit_will_do() -> None:
    assert (TrialMaker(Given([[2, 3, 1, 2, 0]] * 3), 3).make(0, 0) == [2.0, 3.0, 1.0, 2.0, 0.0]).all()
    noisy = np.ones((3, 5))
    noisy[1, 1] = 1.0 - 1e-12
    assert (TrialMaker(Given(noisy), 3).make(0, 0) == noisy).all()


def test_prices_beyond_all_numbers_are_refused() -> None:
    with pytest.raises(PriceError):
        TrialMaker(GeometricBrownianMotion(volatility=100.0), 1_000).make(0, 0)
