"""Workers of the Cerebro engine that die and are started again."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest

import vecbt
from tests.envs import flat, make
from tests.faults.strategies import HARMLESS, Faulty
from vecbt.errors import WorkerDiedError
from vecbt.kernels.layout import Reason

KILLS = (7, 23)
MODES = ("NextStep", "SameStep", "Disabled")


def run(kills: tuple[int, ...] = (), *, steps: int = 40, victim: int = 1, **settings: Any) -> list[Any]:
    """A rollout in which a worker is killed before certain steps."""
    defaults = {"num_workers": 2, "episode_steps": 9, "account_features": ("pos_direction", "unrealized_pnl")}
    envs = make(6, **(defaults | settings))
    random = np.random.default_rng(0)
    results: list[Any] = [envs.reset(seed=5)]
    for step in range(steps):
        if step in kills:
            os.kill(envs.worker_pids[victim], signal.SIGKILL)
        results.append(envs.step(random.integers(0, 4, 6)))
        ended = results[-1][2] | results[-1][3]
        if settings.get("autoreset_mode") == "Disabled" and ended.any():
            envs.reset(options={"reset_mask": ended})
    envs.close()
    return results


def rows(result: Any, which: slice) -> Any:
    """What a step has returned to some environments, but for what is there only because of others."""
    observation, rewards, terminations, truncations, infos = result
    columns = {key: infos[key][which] for key in ("cash", "value", "position", "bar", "start", "order_status")}
    parts = {key: part[which] for key, part in observation.items()}
    return flat({**columns, **parts, "r": rewards[which], "t": terminations[which], "u": truncations[which]})


@pytest.mark.parametrize("mode", MODES)
def test_the_others_go_on_untouched(mode: str) -> None:
    settings: dict[str, Any] = {"autoreset_mode": mode}
    without, killed = run(**settings), run(KILLS, on_worker_death="restart", **settings)
    for before, after in zip(without[1:], killed[1:], strict=True):
        assert rows(before, slice(3)) == rows(after, slice(3))
    again = run(KILLS, on_worker_death="restart", **settings)
    assert list(map(flat_result, killed)) == list(map(flat_result, again))


def flat_result(result: Any) -> Any:
    return [flat(part) for part in result]


@pytest.mark.parametrize("mode", MODES)
def test_its_own_episodes_are_cut_where_they_stand(mode: str) -> None:
    results = run(KILLS, on_worker_death="restart", autoreset_mode=mode)
    for step, (_, rewards, terminations, truncations, infos) in enumerate(results[1:]):
        if step not in KILLS:
            assert "worker_restarted" not in infos
            continue
        assert infos["worker_restarted"].tolist() == [False] * 3 + [True] * 3
        assert truncations[3:].all()
        assert not terminations[3:].any()
        assert not rewards[3:].any()
        final = infos["final_info"] if mode == "SameStep" else infos
        stats = final["episode_stats"]
        assert (stats["reason"][3:] == Reason.WORKER_DEATH).all()
        previous = results[step]  # the result before: `results` begins with the reset
        assert (stats["end"][3:] == previous[-1]["bar"][3:]).all()
        shown = infos["final_obs"] if mode == "SameStep" else results[step + 1][0]
        for key, part in shown.items():
            assert (part[3:] == previous[0][key][3:]).all()


def test_ended_episodes_are_not_cut_again() -> None:
    """A worker that dies between an episode's end and the next one's beginning has cut nothing."""
    expected = run(episode_steps=6, steps=20)
    # All environments end with step 6 and are reset by the seventh, before which the worker is killed.
    killed = run((6,), episode_steps=6, steps=20, on_worker_death="restart")
    assert list(map(rows, expected[1:], [slice(None)] * 20)) == list(map(rows, killed[1:], [slice(None)] * 20))
    assert killed[7][-1]["worker_restarted"].tolist() == [False] * 3 + [True] * 3


def test_dead_in_the_middle_of_a_step_and_in_a_reset() -> None:
    strategy = (Faulty, {"fault": "kill", "episode": 1})
    envs = make(4, num_workers=2, episode_steps=5, on_worker_death="restart", strategy=strategy)
    envs.reset(seed=0)
    envs.reset()
    for _ in range(HARMLESS):
        assert "worker_restarted" not in envs.step([0] * 4)[-1]
    assert envs.step([0] * 4)[-1]["worker_restarted"].tolist() == [False, False, True, True]
    for _ in range(20):
        envs.step([1, 2, 1, 2])
    envs.close()


def test_it_gives_up_in_the_end() -> None:
    envs = make(4, num_workers=2, on_worker_death="restart", max_restarts=2)
    envs.reset(seed=0)
    for _ in range(2):
        os.kill(envs.worker_pids[0], signal.SIGKILL)
        assert envs.step([0] * 4)[-1]["worker_restarted"].any()
    os.kill(envs.worker_pids[0], signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match=r"worker 0 .*SIGKILL.*, after 2 deaths that have been made good"):
        envs.step([0] * 4)
    envs.close()


@pytest.mark.parametrize("settings", [{"on_worker_death": "resume"}, {"max_restarts": 0}, {"max_restarts": 1.5}])
def test_bad_settings(settings: Any) -> None:
    with pytest.raises(vecbt.errors.ConfigError):
        make(2, **settings)
