"""Rollouts are equal to the last bit whatever runs them."""

from __future__ import annotations

import os
import signal
from multiprocessing import connection
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import vecbt
from tests.envs import make, rollout
from tests.scripted import NESTED, exact, family

SETTINGS: dict[str, Any] = {"commission": 0.0005, "account_features": ("value", "drawdown"), "episode_steps": 15}
STEPS = 60


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    envs = make(7, **SETTINGS)
    events = rollout(envs, STEPS)
    envs.close()
    return events


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork"])
@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_and_start_methods(expected: list[Any], num_workers: int, context: str) -> None:
    envs = make(7, num_workers=num_workers, context=context, **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_more_workers_and_a_share_of_the_parent(expected: list[Any]) -> None:
    envs = make(7, num_workers=3, parent_share=True, **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_stock_classes(expected: list[Any]) -> None:
    envs = make(7, fast=False, **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_the_compiled_engine(expected: list[Any]) -> None:
    envs = make(7, engine="compiled", **SETTINGS)
    assert rollout(envs, STEPS) == expected
    envs.close()


def test_threads() -> None:
    """A batch that is large enough for three of them."""
    runs = []
    for settings in ({"engine": "cerebro"}, *({"engine": "compiled", "num_workers": threads} for threads in (1, 2, 3))):
        envs = make(150, **SETTINGS, **settings)
        runs.append(rollout(envs, STEPS))
        envs.close()
    assert all(run == runs[0] for run in runs[1:])


@pytest.mark.parametrize("engine", ["cerebro", "compiled"])
def test_neighbours_do_not_matter(engine: str) -> None:
    """Environment 2 of a batch of 7 is the one of a batch of 3 with the same seed and actions."""
    large, small = make(7, engine=engine, **SETTINGS), make(3, engine=engine, **SETTINGS)
    large.reset(seed=3)
    small.reset(seed=3)
    random = np.random.default_rng(1)
    for _ in range(STEPS):
        actions = random.integers(0, 4, 7)
        got, other = large.step(actions), small.step(actions[:3])
        assert (got[0]["market"][:3] == other[0]["market"]).all()
        assert (got[1][:3] == other[1]).all()
        assert (got[4]["value"][:3] == other[4]["value"]).all()
    large.close()
    small.close()


# -- any environments --------------------------------------------------------------------------------------------------

N = 8
ANY_STEPS = 40


def any_envs(**settings: Any) -> vecbt.SharedMemoryVectorEnv:
    return vecbt.SharedMemoryVectorEnv(
        family(N, observation_space=NESTED), autoreset_mode=AutoresetMode.SAME_STEP, **settings
    )


def rows(result: Any, first: int = 0) -> dict[int, Any]:
    """What a call has returned of each environment."""
    parts, infos = result[:-1], result[-1]
    return {
        first + row: ([exact(_at(part, row)) for part in parts], exact(_info(infos, row)))
        for row in range(len(parts[0]["half"]))
    }


def _at(value: Any, row: int) -> Any:
    if isinstance(value, dict):
        return {name: _at(part, row) for name, part in value.items()}
    return tuple(_at(part, row) for part in value) if isinstance(value, tuple) else value[row]


def _info(infos: dict[str, Any], row: int) -> dict[str, Any]:
    return {
        name: _info(value, row) if isinstance(value, dict) else value[row]
        for name, value in infos.items()
        if "_" + name in infos and infos["_" + name][row]
    }


def steps_of(envs: vecbt.SharedMemoryVectorEnv, kill: dict[int, int] | None = None) -> list[dict[int, Any]]:
    """The rows of a seeded rollout, by halves where there are two; kills a worker before some steps."""
    events = [rows(envs.reset(seed=3))]
    random = np.random.default_rng(0)
    actions = [random.integers(0, 4, N) for _ in range(ANY_STEPS)]
    whole = len(envs.halves) == 1
    if not whole:
        for half in envs.halves:
            envs.send(actions[0][half])
    for step in range(ANY_STEPS):
        if kill and step in kill:
            process = envs._pool._members[kill[step]].process
            os.kill(process.pid, signal.SIGKILL)
            assert connection.wait([process.sentinel], 20.0)  # it can do no more of the step that follows
        if whole:
            events.append(rows(envs.step(actions[step])))
            continue
        event = {}
        for half in envs.halves:  # the other half is under way, with this step or the next
            event |= rows(envs.recv(), half.start)
            if step + 1 < ANY_STEPS:
                envs.send(actions[step + 1][half])
        events.append(event)
    envs.close()
    return events


@pytest.fixture(scope="module")
def expected_of_any() -> list[dict[int, Any]]:
    return steps_of(any_envs(num_workers=0))


@pytest.mark.parametrize("double_buffer", [False, True], ids=["steps", "halves"])
@pytest.mark.parametrize(
    ("num_workers", "context"),
    [(1, "fork"), (2, "fork"), (3, "fork"), (4, "fork"), (2, "forkserver"), (2, "spawn"), (3, None)],
)
def test_any_environments(
    expected_of_any: list[dict[int, Any]], num_workers: int, context: str | None, double_buffer: bool
) -> None:
    envs = any_envs(num_workers=num_workers, context=context, double_buffer=double_buffer)
    assert len(envs.worker_pids) == num_workers
    assert steps_of(envs) == expected_of_any


@pytest.mark.parametrize(
    ("parent_share", "double_buffer"),
    [
        (False, False),
        (True, True),
        pytest.param(False, True, marks=pytest.mark.slow),
        pytest.param(True, False, marks=pytest.mark.slow),
    ],
)
def test_a_restart_leaves_the_environments_of_other_workers_as_they_are(
    expected_of_any: list[dict[int, Any]], double_buffer: bool, parent_share: bool
) -> None:
    envs = any_envs(
        num_workers=4,
        context="fork",
        double_buffer=double_buffer,
        parent_share=parent_share,
        on_worker_death="restart",
    )
    pids = envs.worker_pids
    theirs = {env for env, pid in enumerate(envs.call_on(None, _pid)) if pid in (pids[1], pids[3])}
    others = set(range(N)) - theirs
    assert len(theirs) >= 2
    assert len(others) >= 4
    events = steps_of(envs, kill={7: 1, 8: 3, 20: 1})
    for event, expected in zip(events, expected_of_any, strict=True):
        assert {env: event[env] for env in others} == {env: expected[env] for env in others}
    for env in theirs:
        assert sum("worker_restarted" in event[env][1] for event in events) >= 1
        assert [event[env] for event in events] != [event[env] for event in expected_of_any]


def test_restarts_are_the_same_again() -> None:
    """What environments do after their worker has died follows from the seed too."""
    runs = []
    for context in ("fork", "fork", "forkserver"):
        envs = any_envs(num_workers=2, context=context, on_worker_death="restart")
        runs.append(steps_of(envs, kill={5: 0, 6: 1, 18: 0}))
    assert runs[0] == runs[1] == runs[2]


def _pid(env: Any) -> int:
    return os.getpid()
