"""Small markets and settings for tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vecbt.data import synthetic_market
from vecbt.training import TrainSettings

__all__ = ["small_settings", "write_market"]

_ENV = {"window": 4, "features": ("log_return", "close / sma(5) - 1"), "episode_steps": 20}


def write_market(path: Path, bars: int = 600, *, changed_from: int | None = None) -> str:
    """A file of bars; from a row on other prices than it would have."""
    frame = synthetic_market(bars, seed=1).to_frame()
    if changed_from is not None:
        random = np.random.default_rng(0)
        prices = ["open", "high", "low", "close"]
        frame.iloc[changed_from:, [frame.columns.get_loc(name) for name in prices]] *= random.uniform(
            0.5, 2.0, (bars - changed_from, 1)
        )
    frame.to_csv(path)
    return str(path)


def small_settings(data: str, **changes: Any) -> TrainSettings:
    """Settings with which training takes a second."""
    given: dict[str, Any] = {
        "data": (data,),
        "steps": 1_000,
        "num_envs": 8,
        "update_steps": 400,
        "batch_size": 200,
        "epochs": 1,
        "network": (8,),
        "evaluations": 2,
        "random_agents": 1,
        "num_workers": 0,
        **changes,
    }
    given["env"] = {**_ENV, **given.get("env", {})}
    return TrainSettings(**given)
