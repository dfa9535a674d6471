"""Pytest plugin: the tests of Stable-Baselines3 find vecbt's class where they look for ``SubprocVecEnv``."""

from __future__ import annotations

import pytest
import stable_baselines3.common.vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv

from vecbt.integrations.sb3 import SB3VecEnv

stable_baselines3.common.vec_env.SubprocVecEnv = SB3VecEnv


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        theirs = [name for name, value in vars(item.module).items() if value is SubprocVecEnv]  # type: ignore[attr-defined]
        assert not theirs, item.nodeid
