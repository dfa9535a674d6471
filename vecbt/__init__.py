"""Vectorized reinforcement-learning environments on Backtrader, in shared memory.

Importing the package is quick: it registers ``vecbt/Trading-v0`` with Gymnasium and loads everything else (numba,
pandas, Backtrader) when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import gymnasium

from vecbt._version import __version__

if TYPE_CHECKING:
    from vecbt import data, errors, spaces
    from vecbt.config import Commission, EnvConfig, Slippage
    from vecbt.data.domain import CausalDomain, Domain, RandomDomain, SampleRules, SequentialDomain, WalkForward
    from vecbt.data.reading.read import read_bars
    from vecbt.dataserver import DataFeedServer
    from vecbt.env import TradingEnv
    from vecbt.kernels.layout import Asset, Row
    from vecbt.server import BacktraderServer
    from vecbt.shm.vector_env import SharedMemoryVectorEnv
    from vecbt.strategy import Strategy
    from vecbt.testing.vector_checker import check_vector_env
    from vecbt.vector import TradingVectorEnv, make_vec

__all__ = [
    # environments
    "make_vec",
    "TradingVectorEnv",
    "TradingEnv",
    "Strategy",
    "SharedMemoryVectorEnv",
    # configuration
    "EnvConfig",
    "Commission",
    "Slippage",
    # what a reward function reads
    "Row",
    "Asset",
    # data
    "data",
    "read_bars",
    "Domain",
    "RandomDomain",
    "SequentialDomain",
    "WalkForward",
    "CausalDomain",
    "SampleRules",
    "DataFeedServer",
    "BacktraderServer",
    # everything else
    "spaces",
    "check_vector_env",
    "errors",
    "__version__",
]

_HOMES = {
    "Asset": "vecbt.kernels.layout",
    "CausalDomain": "vecbt.data.domain",
    "Commission": "vecbt.config",
    "BacktraderServer": "vecbt.server",
    "DataFeedServer": "vecbt.dataserver",
    "Domain": "vecbt.data.domain",
    "EnvConfig": "vecbt.config",
    "RandomDomain": "vecbt.data.domain",
    "Row": "vecbt.kernels.layout",
    "SampleRules": "vecbt.data.domain",
    "SequentialDomain": "vecbt.data.domain",
    "SharedMemoryVectorEnv": "vecbt.shm.vector_env",
    "Slippage": "vecbt.config",
    "Strategy": "vecbt.strategy",
    "TradingEnv": "vecbt.env",
    "TradingVectorEnv": "vecbt.vector",
    "WalkForward": "vecbt.data.domain",
    "check_vector_env": "vecbt.testing.vector_checker",
    "make_vec": "vecbt.vector",
    "read_bars": "vecbt.data.reading.read",
}


def __getattr__(name: str) -> Any:
    if name in ("data", "errors", "spaces"):
        return importlib.import_module(f"vecbt.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value  # found at once from now on
        return value
    raise AttributeError(f"module 'vecbt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


gymnasium.register(
    id="vecbt/Trading-v0",
    entry_point="vecbt.env:TradingEnv",
    vector_entry_point="vecbt.vector:make_vec",
)
