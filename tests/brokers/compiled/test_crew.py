"""Threads change no result, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.envs import make, rollout
from vecbt.brokers.compiled.crew import MIN_SHARE, Crew, thread_count
from vecbt.config import Slippage
from vecbt.shm.process import usable_cores

ENVS = 3 * MIN_SHARE + 5
SETTINGS: dict[str, Any] = {
    "engine": "compiled",
    "window": 3,
    "order_size": 3,
    "commission": 0.001,
    "account_features": ("value", "drawdown"),
    "episode_steps": 15,
}
PATIENCE = 60.0
"""Seconds until something that has to happen at once counts as never happening."""


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("vecbt-helper")]


def end(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _no_helpers_before() -> None:
    gc.collect()  # batches of other tests that have been forgotten
    end(helpers())


def test_thread_count() -> None:
    assert thread_count(1, None) == thread_count(2 * MIN_SHARE - 1, None) == 1
    assert thread_count(2 * MIN_SHARE, 2) == 2
    assert thread_count(100 * MIN_SHARE, None) == min(usable_cores(), 100)
    assert [thread_count(3 * MIN_SHARE, limit) for limit in (0, 1, 2, 3, 4)] == [1, 1, 2, 3, 3]


@pytest.mark.parametrize("autoreset_mode", ["NextStep", "SameStep"])
def test_results_do_not_depend_on_the_threads(autoreset_mode: str) -> None:
    runs = []
    for threads in (1, 2, 3):
        envs = make(ENVS, num_workers=threads, autoreset_mode=autoreset_mode, **SETTINGS)
        assert len(helpers()) == threads - 1
        runs.append(rollout(envs, 40))
        envs.close()
    assert runs[1] == runs[0]
    assert runs[2] == runs[0]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_orders_that_wait_are_counted_in_every_thread(threads: int) -> None:
    # One environment alone, of the last thread's, orders anything, and nothing is ever matched: the book grows for it.
    never = Slippage(fixed=1e6, match=False)
    envs = make(ENVS, num_workers=threads, **{**SETTINGS, "slippage": never, "episode_steps": 60})
    envs.reset(seed=0)
    actions = np.zeros(ENVS, np.int64)
    actions[-20] = 1
    for _ in range(40):
        infos = envs.step(actions)[-1]
    assert not infos["position"].any()
    runner: Any = envs._batch.runner
    assert runner._book._arrays["counts"][-20].tolist() == [40, 0]
    assert runner._book._arrays["orders"].shape[1] > 40
    envs.close()


def test_close_ends_the_threads() -> None:
    envs = make(ENVS, num_workers=3, **SETTINGS)
    envs.reset(seed=0)
    threads = helpers()
    assert len(threads) == 2
    envs.close()
    end(threads)
    envs.close()


@pytest.mark.parametrize("stepped", [False, True])
def test_a_forgotten_batch_ends_its_threads(stepped: bool) -> None:
    envs = make(ENVS, num_workers=3, **SETTINGS)
    threads = helpers()
    assert len(threads) == 2
    if stepped:
        envs.reset(seed=0)
        observation, *_ = envs.step([0] * ENVS)
    del envs
    gc.collect()
    end(threads)
    if stepped:
        assert observation["market"].any()


def test_threads_wait_as_long_as_it_takes() -> None:
    envs = make(ENVS, num_workers=3, **SETTINGS)
    expected = rollout(envs, 10)
    threads = helpers()
    for thread in threads:
        thread.join(0.3)  # long enough for them to fall asleep
        assert thread.is_alive()
    assert rollout(envs, 10) == expected
    envs.close()
    end(threads)


def in_a_child(function: Callable[[], Any]) -> Any:
    """What a function returns in a forked child."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of newer Pythons, about threads and fork
        child = os.fork()
    if not child:
        status = 1
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(PATIENCE))  # ends it if it waits for threads that it does not have
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(function(), pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return pickle.loads(data)


def test_a_forked_child_goes_on() -> None:
    envs = make(ENVS, num_workers=3, **SETTINGS)
    envs.reset(seed=0)
    random = np.random.default_rng(0)
    actions = random.integers(0, 4, (25, ENVS))
    for action in actions[:5]:
        envs.step(action)

    def go_on() -> Any:
        steps = [envs.step(action) for action in actions[5:]]
        return [(step[0]["market"], step[1], step[4]["value"], step[4]["bar"]) for step in steps], len(helpers())

    got, threads = in_a_child(go_on)
    expected, own_threads = go_on()
    assert threads == own_threads == 2
    for step, (one, other) in enumerate(zip(expected, got, strict=True)):
        for wanted, has in zip(one, other, strict=True):
            assert (wanted == has).all(), f"step {step}"

    def close() -> bool:
        envs.close()  # the parent's threads are none of the child's
        return True

    assert in_a_child(close)
    assert len(helpers()) == 2
    envs.step(actions[0])
    envs.close()


def test_two_threads_of_python_step_a_batch_each() -> None:
    def play(seed: int, threads: int) -> Any:
        envs = make(ENVS, num_workers=threads, **SETTINGS)
        try:
            return rollout(envs, 60, seed=seed, actions_seed=seed)
        finally:
            envs.close()

    expected = [play(seed, 1) for seed in (1, 2)]
    assert expected[0] != expected[1]
    results: dict[int, Any] = {}
    begin = threading.Barrier(2)

    def run(seed: int) -> None:
        begin.wait(PATIENCE)
        results[seed] = play(seed, 3)

    players = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
    for player in players:
        player.start()
    end(players)
    assert [results[seed] for seed in (1, 2)] == expected


def test_a_crew_may_be_closed_more_than_once() -> None:
    crew = Crew(10, 3)
    threads = helpers()
    assert [thread.name for thread in threads] == ["vecbt-helper-0", "vecbt-helper-1"]
    crew.close()
    crew.close()
    end(threads)
