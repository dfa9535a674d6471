"""Training agents: PPO on either engine, and what it comes to on rows that it has not seen.

What learns needs ``pip install "vecbt[train]"``; settings and data of a run do not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecbt.training.learner import make_ppo
    from vecbt.training.market import Fold, Market, open_market
    from vecbt.training.run import go_on, train
    from vecbt.training.settings import TrainSettings

__all__ = ["Fold", "Market", "TrainSettings", "go_on", "make_ppo", "open_market", "train"]

_HOMES = {
    "Fold": "market",
    "Market": "market",
    "TrainSettings": "settings",
    "go_on": "run",
    "make_ppo": "learner",
    "open_market": "market",
    "train": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vecbt.training' has no attribute {name!r}")
    if _HOMES[name] == "run":
        importlib.import_module("vecbt.training.learner")  # which says what to install
    return getattr(importlib.import_module(f"vecbt.training.{_HOMES[name]}"), name)
