"""Steps and resets of a batch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import vecbt
from vecbt.data import Bars
from vecbt.testing.throughput import pattern

CEREBRO = [("cerebro", 1, 0), ("cerebro", 16, 0), ("cerebro", 64, 0), ("cerebro", 64, 2), ("cerebro", 256, 2)]
COMPILED = [("compiled", 1, None), ("compiled", 64, None), ("compiled", 256, None), ("compiled", 4096, None)]


def name_of(kind: tuple[str, int, int | None]) -> str:
    engine, num_envs, num_workers = kind
    return f"{engine}, {num_envs} environments" + ("" if num_workers is None else f", {num_workers} workers")


@pytest.fixture(params=[*CEREBRO, *COMPILED], ids=name_of)
def envs(request: pytest.FixtureRequest, market: Bars) -> Any:
    """A batch that has been reset."""
    engine, num_envs, num_workers = request.param
    batch = vecbt.make_vec(market, num_envs=num_envs, engine=engine, num_workers=num_workers, order_size=10.0)
    batch.reset(seed=0)
    yield batch
    batch.close()


@pytest.mark.benchmark(group="a step of the batch")
@pytest.mark.parametrize("orders", [False, True], ids=["no orders", "orders on 1/3 of the bars"])
def test_step(benchmark: Any, envs: vecbt.TradingVectorEnv, orders: bool) -> None:
    actions = itertools.cycle(pattern(envs.num_envs, orders))
    _, rewards, _, _, _ = benchmark(lambda: envs.step(next(actions)))
    assert rewards.shape == (envs.num_envs,)


@pytest.mark.benchmark(group="a reset of the batch")
def test_reset(benchmark: Any, envs: vecbt.TradingVectorEnv) -> None:
    observations, _ = benchmark(envs.reset)
    assert observations.shape == (envs.num_envs, 30, 4)
