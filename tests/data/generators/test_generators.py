"""What holds for every generator: valid bars, which follow from the random numbers alone."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecbt.data.bars import Bars
from vecbt.data.generators import (
    BarGenerator,
    BlockBootstrap,
    GeometricBrownianMotion,
    LogUniform,
    OrnsteinUhlenbeck,
    Regime,
    RegimeSwitching,
    Sine,
    Uniform,
)
from vecbt.data.synthetic import synthetic_market

MARKET = synthetic_market(2_000, seed=0)

volatilities = st.one_of(
    st.floats(0.0, 0.2),
    st.builds(lambda low, factor: LogUniform(low, low * factor), st.floats(1e-6, 0.02), st.floats(1.0, 10.0)),
)
drifts = st.one_of(st.floats(-0.05, 0.05), st.builds(Uniform, st.floats(-0.05, 0.0), st.floats(0.0, 0.05)))
prices = st.one_of(st.floats(1e-3, 1e5), st.builds(Uniform, st.floats(1e-3, 1.0), st.floats(1.0, 1e5)))
generators = st.one_of(
    st.builds(GeometricBrownianMotion, price=prices, drift=drifts, volatility=volatilities),
    st.builds(OrnsteinUhlenbeck, price=prices, reversion=st.floats(1e-6, 50.0), volatility=volatilities),
    st.builds(
        RegimeSwitching,
        price=prices,
        regimes=st.lists(
            st.builds(Regime, drift=drifts, volatility=volatilities, duration=st.floats(1.0, 1e4)),
            min_size=1,
            max_size=4,
        ),
    ),
    st.builds(Sine, price=st.just(2.0), amplitude=st.floats(0.0, 1.0), period=prices, spread=st.floats(0.0, 1.0)),
    st.builds(BlockBootstrap, st.just(MARKET), st.floats(1.0, 1e4), st.one_of(st.none(), prices)),
)


@settings(max_examples=100, deadline=None)
@given(generators, st.integers(0, 2**64), st.integers(1, 300))
def test_bars_are_valid_and_follow_from_the_random_numbers(generator: BarGenerator, seed: int, count: int) -> None:
    bars = generator.generate(np.random.default_rng(seed), count)
    assert bars.shape == (count, 5)
    assert bars.dtype == np.float64
    assert (bars[:, 1] == bars[:, :4].max(axis=1)).all()
    assert (bars[:, 2] == bars[:, :4].min(axis=1)).all()
    Bars.from_arrays(np.arange(1, count + 1), *bars.T)  # raises unless finite and positive, the volume too
    again = pickle.loads(pickle.dumps(generator)).generate(np.random.default_rng(seed), count)
    assert (again == bars).all()


@pytest.mark.parametrize(
    "generator",
    [GeometricBrownianMotion(), OrnsteinUhlenbeck(), RegimeSwitching(), Sine(), BlockBootstrap(MARKET)],
    ids=lambda generator: type(generator).__name__,
)
def test_other_random_numbers_give_other_bars(generator: BarGenerator) -> None:
    assert isinstance(generator, BarGenerator)
    rng = np.random.default_rng(0)
    first, second = generator.generate(rng, 100), generator.generate(rng, 100)
    assert (first[:, 3] != second[:, 3]).mean() > 0.9
    assert (copy.deepcopy(generator).generate(np.random.default_rng(0), 100) == first).all()


def test_nothing_is_taken_from_the_global_generator() -> None:
    before: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    for generator in (GeometricBrownianMotion(), OrnsteinUhlenbeck(), RegimeSwitching(), Sine()):
        generator.generate(np.random.default_rng(0), 10)
    after: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    assert (before["state"]["key"] == after["state"]["key"]).all()
    assert before["state"]["pos"] == after["state"]["pos"]
