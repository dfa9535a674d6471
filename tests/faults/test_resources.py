"""What a process holds stays the same however often batches are made, stepped, killed and closed."""

from __future__ import annotations

import pytest

import vecbt
from tests.faults.endurance import GROWTH, endure
from tests.faults.faulty_env import DriftingEnv
from tests.faults.processes import needs_proc, wait_until
from tests.faults.resources import Resources, resident
from tests.faults.soak import soak

pytestmark = needs_proc


def cycle(times: int) -> None:
    """Make, use and close a batch again and again."""
    for _ in range(times):
        envs = vecbt.SharedMemoryVectorEnv([DriftingEnv] * 2, num_workers=1)
        envs.reset(seed=0)
        envs.step([0, 1])
        envs.close()


def assert_flat(times: int) -> None:
    cycle(5)  # what lasts as long as the process is there then
    before, size = Resources.now(), resident()
    cycle(times)
    wait_until(lambda: Resources.now().is_within(before), f"{Resources.now()}, before it {before}")
    assert resident() - size < GROWTH


def test_nothing_grows_with_batches() -> None:
    assert_flat(8)


@pytest.mark.slow
def test_nothing_grows_with_many_batches() -> None:
    assert_flat(200)


def test_nothing_grows_with_steps() -> None:
    assert endure(60_000).steps == 60_000


@pytest.mark.parametrize("kills", [8, pytest.param(20, marks=pytest.mark.slow)])
def test_random_kills(kills: int) -> None:
    result = soak(kills)
    assert result.kills >= kills
    assert 0 < result.shown <= 2 * result.deaths  # a replacement may die before a step has shown the first death
