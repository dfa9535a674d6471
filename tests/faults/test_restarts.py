"""Workers that are started again, in less usual places: halves under way, big messages, deaths upon deaths."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

import vecbt
import vecbt.shm.worker
from tests.faults.faulty_env import DriftingEnv, Fault, FaultyEnv, MakeFaulty, Refusal
from tests.faults.model import Model, Row, rows
from tests.faults.processes import BOUND, is_alive, needs_proc, wait_until
from vecbt.errors import WorkerDiedError

pytestmark = [needs_proc, pytest.mark.filterwarnings("ignore:.*:UserWarning")]  # what Gymnasium logs of an error

ACTIONS = [0, 1, 2, 3]
BIG = 1 << 20
"""Numbers in a big observation: more than a pipe holds."""


@pytest.fixture
def batch() -> Iterator[Any]:
    made = []

    def make_batch(env_fns: Any = (DriftingEnv,) * 4, **settings: Any) -> vecbt.SharedMemoryVectorEnv:
        defaults = {"num_workers": 2, "on_worker_death": "restart", "timeout": 60.0}
        made.append(vecbt.SharedMemoryVectorEnv(list(env_fns), **(defaults | settings)))
        return made[-1]

    yield make_batch
    for envs in made:
        begun = time.monotonic()
        envs.close()
        assert time.monotonic() - begun < BOUND


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), "killed workers")


def models(seed: int = 0, count: int = 4) -> list[Model]:
    return [Model(seed + env) for env in range(count)]


def expected(of: list[Model], hit: tuple[int, ...] = ()) -> list[Row]:
    return [model.step(action, env in hit) for env, (model, action) in enumerate(zip(of, ACTIONS, strict=True))]


def test_all_workers_at_once(batch: Any) -> None:
    envs, of = batch(), models()
    envs.reset(seed=0)
    assert rows(envs.step(ACTIONS)) == expected(of)
    kill(*envs.worker_pids)
    assert rows(envs.step(ACTIONS)) == expected(of, (0, 1, 2, 3))
    for _ in range(8):
        assert rows(envs.step(ACTIONS)) == expected(of)


def test_beside_a_share_of_the_parent(batch: Any, tmp_path: Path) -> None:
    env_fns = [MakeFaulty(Fault("kill", "step", tmp_path) if env == 3 else None) for env in range(4)]
    envs, of = batch(env_fns, num_workers=1, parent_share=True), models()
    envs.reset(seed=0)
    assert rows(envs.step(ACTIONS)) == expected(of)
    assert rows(envs.step(ACTIONS)) == expected(of, (2, 3))
    for _ in range(8):
        assert rows(envs.step(ACTIONS)) == expected(of)


@pytest.mark.parametrize("victim", [0, 2])
def test_while_two_halves_are_under_way(batch: Any, tmp_path: Path, victim: int) -> None:
    """The first worker has environments 0 and 2, one of each half."""
    env_fns = [MakeFaulty(Fault("kill", "step", tmp_path) if env == victim else None) for env in range(4)]
    envs, of = batch(env_fns, double_buffer=True), models()
    envs.reset(seed=0)
    seen = []
    for turn in range(10):
        for half in envs.halves:
            envs.send(ACTIONS[half])
        for half in envs.halves:
            result = rows(envs.recv())
            seen += [(turn, half.start + place) for place, row in enumerate(result) if row.restarted]
            mine = list(zip(of[half], ACTIONS[half], result, strict=True))
            assert result == [model.step(action, row.restarted) for model, action, row in mine]
    # Environment 0 had done its second step when 2 died in its own: the death shows in its third.
    assert seen == ([(1, 0), (1, 2)] if victim == 0 else [(1, 2), (2, 0)])


@pytest.mark.parametrize("victim", [0, 2])
def test_while_two_halves_are_under_way_and_nothing_is_made_good(batch: Any, tmp_path: Path, victim: int) -> None:
    env_fns = [MakeFaulty(Fault("kill", "step", tmp_path) if env == victim else None) for env in range(4)]
    envs = batch(env_fns, double_buffer=True, on_worker_death="raise")
    envs.reset(seed=0)
    for half in envs.halves:
        envs.send(ACTIONS[half])
    for half in envs.halves:
        envs.recv()
        envs.send(ACTIONS[half])
    if victim == 2:
        envs.recv()  # the worker was done with the first half
    with pytest.raises(WorkerDiedError, match=r"worker 0 .*SIGKILL"):
        envs.recv()


class BigEnv(DriftingEnv):
    """What it observes does not fit into a pipe."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (BIG,), np.float64)

    def _observe(self) -> Any:
        return np.full(BIG, self.value)


@pytest.mark.parametrize("policy", ["raise", "restart"])
def test_in_the_middle_of_a_big_message(batch: Any, policy: str) -> None:
    envs = batch([BigEnv] * 4, shared_memory=False, on_worker_death=policy)
    of = models()
    before, _ = envs.reset(seed=0)
    envs.step_async(ACTIONS)
    time.sleep(0.3)  # both workers have filled their pipes, which nobody reads
    kill(envs.worker_pids[1])
    if policy == "raise":
        with pytest.raises(WorkerDiedError, match=r"worker 1 .*SIGKILL"):
            envs.step_wait()
        return
    observations, _, _, truncations, infos = envs.step_wait()
    after = [row.value for row in expected(of, (2, 3))]
    assert observations[:, 0].tolist() == observations[:, -1].tolist() == after
    assert np.array_equal(observations[2:], before[2:])
    assert truncations.tolist() == infos["worker_restarted"].tolist() == [False, False, True, True]
    for _ in range(6):
        assert envs.step(ACTIONS)[0][:, -1].tolist() == [row.value for row in expected(of)]


class Unlucky(FaultyEnv):
    """Dies in a step, and is struck again as it is made anew."""

    def __init__(self, kind: str, times: int, mark: Path) -> None:
        if (mark / "step-0").exists():
            Fault(kind, "start", mark, times).at("start")
        super().__init__(Fault("kill", "step", mark))


class MakeUnlucky:
    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __call__(self) -> Unlucky:
        return Unlucky(*self.arguments)


def test_killed_while_it_is_started_again(batch: Any, tmp_path: Path) -> None:
    envs, of = batch([DriftingEnv] * 3 + [MakeUnlucky("kill", 2, tmp_path)]), models()
    envs.reset(seed=0)
    assert rows(envs.step(ACTIONS)) == expected(of)
    assert rows(envs.step(ACTIONS)) == expected(of, (2, 3))
    assert envs._pool.deaths == 3
    for _ in range(8):
        assert rows(envs.step(ACTIONS)) == expected(of)


def test_killed_too_often_while_it_is_started_again(batch: Any, tmp_path: Path) -> None:
    envs = batch([DriftingEnv] * 3 + [MakeUnlucky("kill", 1000, tmp_path)], max_restarts=3)
    envs.reset(seed=0)
    envs.step(ACTIONS)
    for _ in range(2):
        with pytest.raises(WorkerDiedError, match="after 3 deaths that have been made good"):
            envs.step(ACTIONS)


def test_an_environment_that_cannot_be_made_anew(batch: Any, tmp_path: Path) -> None:
    envs = batch([DriftingEnv] * 3 + [MakeUnlucky("raise", 2, tmp_path)])
    envs.reset(seed=0)
    envs.step(ACTIONS)
    for _ in range(2):
        with pytest.raises(Refusal, match="on purpose") as caught:
            envs.step(ACTIONS)
        assert caught.value.__notes__[0].startswith("in environment 3, worker 1 (process ")
    of = models(7)
    envs.reset(seed=7)  # by now it can
    for _ in range(6):
        assert rows(envs.step(ACTIONS)) == expected(of)


def test_gives_up_after_so_many_deaths(batch: Any) -> None:
    envs = batch(max_restarts=2)
    envs.reset(seed=0)
    for _ in range(2):
        kill(envs.worker_pids[1])
        assert [row.restarted for row in rows(envs.step(ACTIONS))] == [False, False, True, True]
    kill(envs.worker_pids[0])
    for _ in range(2):
        with pytest.raises(WorkerDiedError, match=r"worker 0 .*SIGKILL.*after 2 deaths that have been made good"):
            envs.step(ACTIONS)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_the_same_deaths_give_the_same_rollout(batch: Any, mode: str) -> None:
    def run(worker: int | None) -> list[Any]:
        envs = batch(autoreset_mode=gymnasium.vector.AutoresetMode(mode))
        envs.reset(seed=3)
        seen = []
        for step in range(12):
            if worker is not None and step in (2, 5):
                kill(envs.worker_pids[worker])
            observations, rewards, terminations, truncations, infos = envs.step(ACTIONS)
            ended = terminations | truncations
            if mode == "Disabled" and ended.any():
                observations, _ = envs.reset(options={"reset_mask": ended})
            final = infos.get("final_obs", np.full(4, None))
            seen.append(
                [
                    (*observations[env], rewards[env], ended[env], None if final[env] is None else tuple(final[env]))
                    for env in range(4)
                ]
            )
            if step == 2 and worker is not None:
                assert (
                    truncations.tolist()
                    == infos["worker_restarted"].tolist()
                    == [env // 2 == worker for env in range(4)]
                )
                if mode == "SameStep":
                    assert all(final[env].tolist() == list(seen[1][env][:2]) for env in np.flatnonzero(truncations))
        return seen

    without, first = run(None), run(1)
    assert first == run(1)
    assert [row[:2] for row in first] == [row[:2] for row in without]
    assert [row[2:] for row in first] != [row[2:] for row in without]


# -- interrupted -------------------------------------------------------------------------------------------------------


def interrupt_parent() -> None:
    """Send Ctrl-C to the caller, this process or its parent, once it only waits, and be at it for a while longer."""
    time.sleep(0.1)
    parent = multiprocessing.parent_process()
    os.kill(os.getpid() if parent is None or parent.pid is None else parent.pid, signal.SIGINT)
    time.sleep(0.3)


class Interrupting(DriftingEnv):
    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = mark

    def step(self, action: Any) -> Any:
        if self.count == 1 and not self.mark.exists():
            self.mark.touch()
            interrupt_parent()
        return super().step(action)


@pytest.mark.parametrize(
    "layout", [{}, {"context": "fork"}, {"num_workers": 1, "parent_share": True}], ids=["forkserver", "fork", "share"]
)
@pytest.mark.parametrize("then", ["step", "reset"])
def test_ctrl_c_in_a_step(batch: Any, tmp_path: Path, layout: Any, then: str) -> None:
    envs, of = batch([DriftingEnv] * 3 + [lambda: Interrupting(tmp_path / "done")], **layout), models()
    pids = envs.worker_pids
    envs.reset(seed=0)
    assert rows(envs.step(ACTIONS)) == expected(of)
    with pytest.raises(KeyboardInterrupt):
        envs.step(ACTIONS)
    if then == "reset":
        envs.reset(seed=4)
        of = models(4)
    else:
        expected(of)  # the interrupted step has been done
    for _ in range(8):
        assert rows(envs.step(ACTIONS)) == expected(of)
    assert envs.worker_pids == pids


class InterruptingStart(FaultyEnv):
    """Dies in a step; as it is made anew, the caller is interrupted."""

    def __init__(self, mark: Path) -> None:
        if (mark / "step-0").exists() and not (mark / "done").exists():
            (mark / "done").touch()
            interrupt_parent()
        super().__init__(Fault("kill", "step", mark))


def test_ctrl_c_while_a_worker_is_started_again(batch: Any, tmp_path: Path) -> None:
    envs = batch([DriftingEnv] * 3 + [lambda: InterruptingStart(tmp_path)])
    envs.reset(seed=0)
    envs.step(ACTIONS)
    with pytest.raises(KeyboardInterrupt):
        envs.step(ACTIONS)
    of = models(4)
    envs.reset(seed=4)
    for _ in range(8):
        assert rows(envs.step(ACTIONS)) == expected(of)


# -- who has arrived ---------------------------------------------------------------------------------------------------


class Dawdling(DriftingEnv):
    """Its worker says that it is done well before it says that it has arrived."""

    def __init__(self) -> None:
        super().__init__()
        if multiprocessing.parent_process() is not None:
            add = vecbt.shm.worker.add

            def dawdle(*arguments: Any) -> None:
                time.sleep(0.2)
                add(*arguments)

            vecbt.shm.worker.add = dawdle


def test_a_death_while_another_worker_is_about_to_arrive(batch: Any, tmp_path: Path) -> None:
    env_fns = [Dawdling, DriftingEnv, MakeFaulty(Fault("kill", "step", tmp_path)), DriftingEnv]
    envs, of = batch(env_fns), models()
    envs.reset(seed=0)
    assert rows(envs.step(ACTIONS)) == expected(of)
    assert rows(envs.step(ACTIONS)) == expected(of, (2, 3))
    for _ in range(6):
        assert rows(envs.step(ACTIONS)) == expected(of)


class _Clinging(CartPoleEnv):
    def close(self) -> None:
        raise RuntimeError("not yet")


@pytest.mark.parametrize("workers", [0, 1])
def test_what_environments_raise_when_they_are_closed_is_logged(workers: int, caplog: pytest.LogCaptureFixture) -> None:
    parent = os.getpid()  # which makes one to look at
    made: list[Any] = []

    def make() -> CartPoleEnv:
        made.append(1)
        return _Clinging() if len(made) > 1 or os.getpid() != parent else CartPoleEnv()

    env_fns = [make, CartPoleEnv]
    envs = vecbt.SharedMemoryVectorEnv(env_fns, num_workers=workers)
    envs.reset(seed=0)
    with caplog.at_level("WARNING", "vecbt"):
        envs.close()
    assert "raised when it was closed" in caplog.text
    assert "not yet" in caplog.text
