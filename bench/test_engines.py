"""Steps and resets of a batch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import vecbt
from vecbt.data import Bars
from vecbt.testing.throughput import pattern

SIZES = [(1, 0), (16, 0), (64, 0), (64, 2), (256, 2)]


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]} environments, {size[1]} workers")
def envs(request: pytest.FixtureRequest, market: Bars) -> Any:
    """A batch of the Cerebro engine that has been reset."""
    num_envs, num_workers = request.param
    batch = vecbt.make_vec(market, num_envs=num_envs, engine="cerebro", num_workers=num_workers, order_size=10.0)
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
