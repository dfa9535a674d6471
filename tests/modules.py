"""The modules of the package."""

from __future__ import annotations

import pkgutil
from importlib.util import find_spec

import vecbt

_NEEDS = {
    "vecbt.integrations.sb3": "stable_baselines3",
    **dict.fromkeys(
        [f"vecbt.training.{name}" for name in ("curves", "evaluate", "files", "learner", "progress", "run")],
        "tensorboard",
    ),
}


def importable() -> list[str]:
    """Names of all modules but ``__main__`` and those whose optional library is not installed."""
    names = [info.name for info in pkgutil.walk_packages(vecbt.__path__, "vecbt.")]
    return sorted(
        name
        for name in names
        if not name.endswith(".__main__") and (name not in _NEEDS or find_spec(_NEEDS[name]) is not None)
    )
