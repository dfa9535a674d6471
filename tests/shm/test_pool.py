from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.shm import toys
from vecbt.errors import ClosedError, ConfigError, UnknownNameError, WorkerDiedError, WorkerError, WorkerTimeoutError
from vecbt.shm.pool import WorkerPool

METHODS = ("forkserver", "spawn", "fork")


@pytest.fixture
def make_pool() -> Iterator[Any]:
    pools = []

    def make(make_slice: Any = toys.CountingSlice, num_workers: int = 2, **options: Any) -> WorkerPool:
        pool = WorkerPool(make_slice, toys.SPECS, 8, num_workers, **options)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


def run(pool: WorkerPool) -> list[float]:
    pool.arrays["mask"][:] = True
    pool.reset()
    for _ in range(50):
        pool.step()
    return pool.arrays["value"].tolist()


@pytest.mark.parametrize("method", METHODS)
def test_every_environment_takes_every_step(make_pool: Any, method: str) -> None:
    assert run(make_pool(context=method)) == [100.0 * env + 50.0 for env in range(8)]


@pytest.mark.parametrize(("num_workers", "parent_share"), [(0, False), (1, False), (3, False), (1, True), (20, True)])
def test_layout_does_not_matter(make_pool: Any, num_workers: int, parent_share: bool) -> None:
    pool = make_pool(num_workers=num_workers, parent_share=parent_share)
    assert run(pool) == [100.0 * env + 50.0 for env in range(8)]
    pids = pool.call("pid")
    assert (os.getpid() in pids) == (num_workers == 0 or (parent_share and num_workers < 8))
    assert len(pids) == min(8, num_workers + (os.getpid() in pids))


def test_slices_may_be_closures(make_pool: Any) -> None:
    calls: list[int] = []

    def make_slice(arrays: Any, low: int, high: int) -> Any:
        calls.append(low)
        return toys.CountingSlice(arrays, low, high)

    assert run(make_pool(make_slice))[0] == 50.0
    assert calls == []  # it ran in the workers, on copies


def test_partial_reset(make_pool: Any) -> None:
    pool = make_pool()
    run(pool)
    pool.arrays["mask"][:] = np.arange(8) == 5
    pool.reset()
    assert pool.arrays["value"].tolist() == [500.0 if env == 5 else 100.0 * env + 50.0 for env in range(8)]


def test_calls_answer_in_order_and_may_be_large(make_pool: Any) -> None:
    pool = make_pool()
    argument = np.arange(300_000)  # more than a pipe holds
    for answer in pool.call("echo", argument):
        assert (answer == argument).all()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_exception_keeps_its_type_and_names_the_environment(make_pool: Any, num_workers: int) -> None:
    pool = make_pool(num_workers=num_workers)
    run(pool)
    pool.arrays["order"][6] = 1
    with pytest.raises(ValueError, match="step of 6") as caught:
        pool.step()
    assert "in environment 6" in "".join(caught.value.__notes__)
    if num_workers:
        assert "worker 1" in caught.value.__notes__[0]
        assert "toys.py" in str(caught.value.__cause__)  # the worker's own traceback
    pool.arrays["order"][:] = 0
    assert run(pool)[0] == 50.0  # the workers live on


def test_an_exception_that_cannot_travel_comes_as_text(make_pool: Any) -> None:
    pool = make_pool()
    pool.arrays["order"][3] = 2
    with pytest.raises(WorkerError, match="Unpicklable: cannot travel from 3"):
        pool.step()


def test_several_failures_are_counted(make_pool: Any) -> None:
    pool = make_pool()
    pool.arrays["order"][[0, 7]] = 1
    with pytest.raises(ValueError, match="step of 0") as caught:
        pool.step()
    assert "1 more failed too" in caught.value.__notes__[-1]


@pytest.mark.parametrize("method", METHODS)
def test_a_failing_constructor_is_reported(make_pool: Any, method: str) -> None:
    with pytest.raises(RuntimeError, match="no slice from 0") as caught:
        make_pool(toys.failing, context=method)
    assert "1 more failed too" in caught.value.__notes__[-1]


def test_a_dead_worker_at_start_is_reported(make_pool: Any) -> None:
    with pytest.raises(WorkerDiedError, match=r"worker [01] .*environments . to .*exit code 3"):
        make_pool(toys.dying)


@pytest.mark.parametrize("order", [3, 6], ids=["killed", "exited"])
@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_dies_in_a_step_is_reported_at_once(make_pool: Any, method: str, order: int) -> None:
    pool = make_pool(context=method)
    run(pool)
    pool.arrays["order"][5] = order
    begun = time.monotonic()
    with pytest.raises(WorkerDiedError, match=r"worker 1 .*environments 4 to 7") as caught:
        pool.step()
    assert time.monotonic() - begun < 5.0
    assert ("SIGKILL" if order == 3 else "exit code 7") in str(caught.value)
    with pytest.raises(WorkerDiedError):  # and it stays so
        pool.step()


def test_a_worker_killed_between_steps_is_reported(make_pool: Any) -> None:
    pool = make_pool()
    run(pool)
    os.kill(pool.pids[0], signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="worker 0 "):
        pool.step()


def test_a_timeout_names_the_late_worker_and_the_pool_recovers(make_pool: Any) -> None:
    pool = make_pool(timeout=1.0)
    run(pool)
    pool.arrays["order"][2] = 4
    with pytest.raises(WorkerTimeoutError, match=r"1\.0 s from worker 0"):
        pool.step()
    begun = time.monotonic()
    pool.close()
    assert time.monotonic() - begun < 5.0


def test_slow_steps_put_both_sides_to_sleep_and_wake_them(make_pool: Any) -> None:
    pool = make_pool()
    pool.arrays["mask"][:] = True
    pool.reset()
    pool.arrays["order"][0] = 5  # 50 ms: the parent's patience of a millisecond is over
    for _ in range(3):
        pool.step()
        time.sleep(0.05)  # and so is the worker's
    assert pool.arrays["value"].tolist() == [100.0 * env + 3.0 for env in range(8)]


def test_close_ends_the_workers_and_may_be_repeated(make_pool: Any) -> None:
    pool = make_pool()
    pids = pool.call("pid")
    pool.close()
    pool.close()
    assert pool.closed
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(ClosedError):
        pool.step()


def test_a_forgotten_pool_ends_its_workers(make_pool: Any) -> None:
    pool = WorkerPool(toys.CountingSlice, toys.SPECS, 8, 2)
    pids = pool.call("pid")
    del pool
    deadline = time.monotonic() + 10.0
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_keep_to_one_thread(make_pool: Any) -> None:
    assert make_pool(toys.threads).arrays["value"].tolist() == [1.0] * 8


def test_no_pickles_in_a_step(make_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make_pool()
    run(pool)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a step pickled something")

    for name in ("cloudpickle.dumps", "pickle.dumps", "pickle.loads"):
        monkeypatch.setattr(name, refuse)
    pool.step()


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((toys.CountingSlice, toys.SPECS, 0, 1), {}, ConfigError),
        ((toys.CountingSlice, toys.SPECS, 8, -1), {}, ConfigError),
        ((toys.CountingSlice, toys.SPECS, 8, 1), {"context": "forkservr"}, UnknownNameError),
    ],
)
def test_bad_arguments(arguments: Any, options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        WorkerPool(*arguments, **options)
