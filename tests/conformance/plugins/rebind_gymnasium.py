"""Pytest plugin: the tests of Gymnasium find vecbt's class where they look for ``AsyncVectorEnv``.

``gymnasium.make_vec(..., vectorization_mode="async")`` looks it up in ``gymnasium.vector`` too.
"""

from __future__ import annotations

import gymnasium.vector.async_vector_env
import pytest
from gymnasium.vector import AsyncVectorEnv

import vecbt

gymnasium.vector.AsyncVectorEnv = vecbt.SharedMemoryVectorEnv
gymnasium.vector.async_vector_env.AsyncVectorEnv = vecbt.SharedMemoryVectorEnv


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        theirs = [name for name, value in vars(item.module).items() if value is AsyncVectorEnv]  # type: ignore[attr-defined]
        assert not theirs, item.nodeid
