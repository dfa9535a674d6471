"""Global time: forward only, the same for everybody who maps it."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecbt.data.clock import GlobalTime
from vecbt.errors import ConfigError
from vecbt.shm.arena import Arena
from vecbt.shm.process import get_context

MOMENTS = st.integers(-(2**63), 2**63 - 1)


@given(MOMENTS, st.lists(MOMENTS, max_size=8))
def test_it_is_the_latest_moment_that_it_was_told(start: int, moments: list[int]) -> None:
    clock = GlobalTime.starting_at(start)
    assert [clock.advance(moment) for moment in moments] == [
        max(start, *moments[: number + 1]) for number in range(len(moments))
    ]
    assert clock.now == max(start, *moments, start)


def test_a_frozen_clock_stands_still() -> None:
    clock = GlobalTime.starting_at(50, frozen=True)
    assert clock.frozen
    assert clock.advance(80) == clock.now == 50
    assert not GlobalTime.starting_at(50).frozen


def test_it_can_be_set_back_by_a_restart_alone() -> None:
    clock = GlobalTime.starting_at(50)
    clock.advance(80)
    clock.restart(60)
    assert clock.now == 60


@pytest.mark.parametrize("moment", [1.5, "now", None, True, 1 << 63, -(1 << 63) - 1])
def test_what_is_no_moment(moment: Any) -> None:
    clock = GlobalTime.starting_at(0)
    with pytest.raises(ConfigError, match=re.escape(f"UTC nanoseconds, a whole number of 64 bits, got {moment!r}")):
        clock.advance(moment)
    assert clock.now == 0
    assert clock.advance(np.int64(3)) == 3  # type: ignore[arg-type]


def _advance(clock: GlobalTime, moments: range) -> None:
    for moment in moments:
        clock.advance(moment)


def test_processes_and_mappings_share_it() -> None:
    clock = GlobalTime.starting_at(0)
    context = get_context(None)
    process = context.Process(target=_advance, args=(clock, range(500)))  # type: ignore[attr-defined]
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert clock.now == 499
    twin = GlobalTime(Arena.from_descriptor(os.dup(clock.arena.descriptor), clock.arena.specs))
    twin.advance(700)
    assert clock.now == 700


def test_threads_that_advance_at_once_lose_no_moment() -> None:
    clock = GlobalTime.starting_at(0)
    threads = [threading.Thread(target=_advance, args=(clock, range(step, 2_000, 7))) for step in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now == 1_999
