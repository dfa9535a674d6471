"""Recorded episodes of random agents."""

from __future__ import annotations

from typing import Any

import vecbt
from vecbt.data import synthetic_market
from vecbt.runs import EpisodeRecorder, Recording

__all__ = ["record"]

MARKETS = {name: synthetic_market(800, seed=seed) for seed, name in enumerate(("A", "B"))}


def record(seed: int = 0, steps: int = 60, assets: int = 1, **settings: Any) -> Recording:
    """An episode with random actions."""
    given = {"commission": 0.0005, "order_size": "40%", "max_exposure": 1.0, **settings}
    data = MARKETS["A"] if assets == 1 else vecbt.data.align_bars(MARKETS)
    envs = vecbt.make_vec(data, episode_steps=steps, **given)
    envs.action_space.seed(seed)
    _, infos = envs.reset(seed=seed)
    recorder = EpisodeRecorder(envs, data, infos, "compiled")
    while not recorder.finished.all():
        actions = envs.action_space.sample()
        recorder.step(actions, envs.step(actions))
    envs.close()
    return recorder.recordings(["random"], fold=0)[0]
