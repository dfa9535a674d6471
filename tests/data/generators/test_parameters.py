"""Parameters that trials draw for themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from vecbt.data.generators import (
    BlockBootstrap,
    GeometricBrownianMotion,
    LogUniform,
    OrnsteinUhlenbeck,
    Regime,
    RegimeSwitching,
    Sine,
    Uniform,
)
from vecbt.data.generators.parameters import draw
from vecbt.errors import ConfigError


def test_a_number_takes_no_random_numbers() -> None:
    rng = np.random.default_rng(0)
    assert draw(3, rng) == 3.0
    assert rng.random() == np.random.default_rng(0).random()


def test_draws_are_uniform() -> None:
    rng = np.random.default_rng(1)
    drawn = np.array([Uniform(-2.0, 6.0).draw(rng) for _ in range(10_000)])
    assert drawn.min() >= -2.0
    assert drawn.max() <= 6.0
    # Four standard errors.
    assert abs(drawn.mean() - 2.0) < 4.0 * 8.0 / math.sqrt(12.0 * 10_000)


def test_logarithms_of_draws_are_uniform() -> None:
    rng = np.random.default_rng(2)
    drawn = np.array([LogUniform(1e-4, 1e2).draw(rng) for _ in range(10_000)])
    assert drawn.min() >= 1e-4
    assert drawn.max() <= 1e2
    assert abs(np.log10(drawn).mean() + 1.0) < 4.0 * 6.0 / math.sqrt(12.0 * 10_000)


def test_a_trial_draws_its_own() -> None:
    rng = np.random.default_rng(3)
    motion = GeometricBrownianMotion(price=Uniform(50.0, 150.0), volatility=LogUniform(1e-5, 1e-2))
    trials = [motion.generate(rng, 50) for _ in range(200)]
    first = np.array([bars[0, 0] for bars in trials])
    assert first.min() < 60.0
    assert first.max() > 140.0
    deviations = np.array([np.log(bars[:, 3] / bars[:, 0]).std() for bars in trials])
    assert deviations.max() / deviations.min() > 100.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(2.0, 1.0), "must not be below"),
        (lambda: Uniform(0.0, math.inf), "Uniform's high must be a number"),
        (lambda: Uniform(0.0, True), "Uniform's high must be a number"),
        (lambda: LogUniform(0.0, 1.0), "LogUniform's low must be a number of more than 0"),
        (lambda: GeometricBrownianMotion(price=0.0), "price must be a number of more than 0"),
        (lambda: GeometricBrownianMotion(price=Uniform(-1.0, 1.0)), "the least price must be a number of more than 0"),
        (lambda: GeometricBrownianMotion(drift=math.nan), "drift must be a number"),
        (lambda: GeometricBrownianMotion(volatility=-1e-9), "volatility must be a number of at least 0"),
        (lambda: OrnsteinUhlenbeck(reversion=0.0), "reversion must be a number of more than 0"),
        (lambda: Regime(duration=0.5), "duration must be a number of at least 1"),
        (lambda: RegimeSwitching(regimes=[]), "at least one Regime"),
        (lambda: RegimeSwitching(regimes=[3]), "at least one Regime"),  # type: ignore[list-item]
        (lambda: Sine(period=0), "period must be a number of more than 0"),
        (lambda: Sine(amplitude=1.1), "every price must be positive"),
        (lambda: Sine(price=Uniform(0.5, 1.0), amplitude=LogUniform(0.1, 0.6)), "every price must be positive"),
        (lambda: BlockBootstrap(None, block=0), "block must be a number of at least 1"),
        (lambda: BlockBootstrap(None, price=-1.0), "price must be a number of more than 0"),
    ],
)
def test_what_is_no_parameter_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
