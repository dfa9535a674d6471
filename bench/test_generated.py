"""Making trials, and stepping through them beside stored ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecbt
from vecbt.data import (
    BarGenerator,
    Bars,
    BlockBootstrap,
    GeneratedDomain,
    GeometricBrownianMotion,
    OrnsteinUhlenbeck,
    RegimeSwitching,
    Sine,
)
from vecbt.data.store import DataStore, TableRequest

BARS, ENVS = 1_031, 256
GENERATORS = (GeometricBrownianMotion(), OrnsteinUhlenbeck(), RegimeSwitching(), Sine())


@pytest.mark.benchmark(group="a generated trial of 1,031 bars in its slot")
@pytest.mark.parametrize("generator", [*GENERATORS, "bootstrap"], ids=lambda each: type(each).__name__)
def test_trial(benchmark: Any, market: Bars, generator: BarGenerator | str) -> None:
    made = BlockBootstrap(market) if isinstance(generator, str) else generator
    request = TableRequest(("open", "high", "low", "close"), None, window=30, warmup=1, steps=1_000, skip=1)
    table, filler = DataStore(GeneratedDomain(made, bars=BARS)).open(request, 1)
    assert filler is not None
    arrays = table.slots.arena.arrays

    def fill() -> None:
        arrays["ordered"][0] += 1
        arrays["keys"][0, 2] += 1
        filler.fill_ordered()

    benchmark(fill)


@pytest.mark.benchmark(group="a step of 256 compiled environments, resets included")
@pytest.mark.parametrize("data", ["stored", "generated"])
def test_step(benchmark: Any, market: Bars, data: str) -> None:
    source = market if data == "stored" else GeneratedDomain(GeometricBrownianMotion(), bars=BARS)
    envs = vecbt.make_vec(source, num_envs=ENVS, num_workers=1, engine="compiled", episode_steps=1_000, copy=False)
    envs.reset(seed=0)
    actions = np.zeros(ENVS, np.int64)

    def episode() -> None:
        for _ in range(1_001):
            envs.step(actions)

    benchmark.pedantic(episode, rounds=5, warmup_rounds=1)
    envs.close()
