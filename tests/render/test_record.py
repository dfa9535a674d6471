from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.envs import MARKET, flat, make
from vecbt.kernels.layout import OrderStatus
from vecbt.render.record import Column, EpisodeRecord

FLOATS = {"cash": Column.CASH, "value": Column.VALUE, "drawdown": Column.DRAWDOWN, "costs": Column.COSTS}
MODES = ["NextStep", "SameStep", "Disabled"]


class Kept:
    """What infos have said of the episodes, one list of rows for each environment."""

    def __init__(self, num_envs: int) -> None:
        self.running: list[list[Any]] = [[] for _ in range(num_envs)]
        self.last: list[list[Any]] = [[] for _ in range(num_envs)]

    def begin(self, env: int, infos: Any) -> None:
        if len(self.running[env]) > 1:
            self.last[env] = self.running[env]
        self.running[env] = [row_of(infos, env, 0.0, np.nan)]


def row_of(infos: Any, env: int, reward: float, action: float) -> Any:
    values = [infos[name][env] for name in FLOATS]
    bar = int(infos["bar"][env])
    own = (infos["position"][env], MARKET.close[bar], infos["order_status"][env], action)
    return flat(np.array([bar, reward, *values, *own], np.float64))


def rows_of(record: EpisodeRecord) -> list[Any]:
    return [flat(row) for row in record.columns]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ["cerebro", "compiled"])
@pytest.mark.parametrize("settings", [{}, {"skip_frame": 3, "target_call": 0.3, "close_out": True}], ids=str)
def test_records_are_what_infos_say(engine: str, mode: str, settings: Any) -> None:
    envs: Any = make(
        3, engine=engine, autoreset_mode=mode, render_mode="rgb_array", order_size=90, episode_steps=75, **settings
    )
    recorder, kept = envs._batch.recorder, Kept(3)
    random = np.random.default_rng(1)
    _, infos = envs.reset(seed=2)
    for env in range(3):
        kept.begin(env, infos)
    ended = np.zeros(3, bool)
    for step in range(170):
        if mode == "Disabled" and ended.any():
            _, infos = envs.reset(options={"reset_mask": ended})
            for env in np.flatnonzero(ended):
                kept.begin(env, infos)
        begun = ended if mode == "NextStep" else np.zeros(3, bool)
        actions = random.choice(4, 3, p=[0.7, 0.1, 0.1, 0.1])
        _, rewards, terminations, truncations, infos = envs.step(actions)
        ended = terminations | truncations
        for env in range(3):
            if begun[env]:
                kept.begin(env, infos)
                continue
            final = infos["final_info"] if mode == "SameStep" and ended[env] else infos
            kept.running[env].append(row_of(final, env, rewards[env], actions[env]))
            if ended[env]:
                kept.last[env] = kept.running[env]
                if mode == "SameStep":
                    kept.begin(env, infos)
        if step % 10 == 0 or ended.any():
            for env in range(3):
                assert rows_of(recorder.running(env)) == kept.running[env]
                last = recorder.last(env)
                assert (rows_of(last) if last else []) == kept.last[env]
    assert all(len(rows) > 1 for rows in kept.last)
    assert "skip_frame" in settings or all(len(rows) == 76 for rows in kept.last)  # more than the records begin with
    envs.close()


def test_what_is_read_of_a_record() -> None:
    envs: Any = make(2, render_mode="rgb_array", episode_steps=6, order_size=2, checksubmit=True, engine="compiled")
    envs.reset(seed=0, options={"trial": 0})
    for action in (1, 0, 3, 2, 3, 0):
        envs.step([action, 0])
    record = envs._batch.recorder.last(0)
    assert record.number == 0
    assert record.trial == 0
    assert np.diff(record.rows).tolist() == [1] * 6
    assert record.positions[:, 0].tolist() == [0, 2, 2, 0, -2, 0, 0]
    assert record.fills[:, 0].tolist() == [0, 2, 0, -2, -2, 2, 0]
    done = OrderStatus.COMPLETED
    assert record.statuses[:, 0].tolist() == [0, done, 0, done, done, done, 0]
    assert record.closes[:, 0].tolist() == MARKET.close[record.rows].tolist()
    assert record.actions[1:, 0].tolist() == [1, 0, 3, 2, 3, 0]
    assert np.isnan(record.actions[0, 0])
    assert not envs._batch.recorder.last(1).fills.any()
    envs.close()


def test_an_episode_that_a_reset_has_ended_is_the_last() -> None:
    envs: Any = make(2, render_mode="rgb_array", engine="compiled")
    recorder = envs._batch.recorder
    envs.reset(seed=0)
    envs.reset()
    assert recorder.last(0) is None  # nothing has happened in it
    envs.step([0, 0])
    envs.step([0, 0])
    envs.reset(options={"reset_mask": np.array([True, False])})
    assert len(recorder.last(0).rows) == 3
    assert recorder.last(1) is None
    assert len(recorder.running(0).rows) == 1
    assert len(recorder.running(1).rows) == 3
    assert recorder.running(0).number == recorder.running(1).number + 1
    envs.close()
