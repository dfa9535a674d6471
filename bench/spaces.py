"""Codes of actions by the names of assets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gymnasium.vector.utils import batch_space

from bench.goals import Goal
from vecbt.spaces import ActionDictSpace
from vecbt.testing import interleave

__all__ = ["measure"]

_CALLS = 1000
_ENVS = 1024


def measure(repeats: int) -> list[Goal]:
    """Figures of codes of 20 assets with 4 base actions, of one action and of a batch."""
    space = ActionDictSpace([f"asset {number:02}" for number in range(20)], ("hold", "buy", "sell", "close"))
    many = batch_space(space, _ENVS)
    action, actions = space.sample(), many.sample()
    code, codes = space.encode(action), space.encode(actions)
    one = {
        "encode, 20 assets, 4 base actions": _timed(space.encode, action, _CALLS),
        "decode, 20 assets, 4 base actions": _timed(space.decode, code, _CALLS),
    }
    batch = {
        f"encode, a batch of {_ENVS:,}, per action": _timed(space.encode, actions, 10, _ENVS),
        f"decode, a batch of {_ENVS:,}, per action": _timed(space.decode, codes, 10, _ENVS),
    }
    found = interleave({**one, **batch}, 5 * repeats, progress="codes")
    return [Goal(name, found[name], "us", 10.0, "at most") for name in one] + [
        Goal(name, found[name], "us") for name in batch
    ]


def _timed(function: Callable[[Any], Any], argument: Any, calls: int, actions: int = 1) -> Callable[[], float]:
    """Measures the microseconds per action of a call."""

    def run() -> float:
        begun = time.perf_counter()
        for _ in range(calls):
            function(argument)
        return (time.perf_counter() - begun) / calls / actions * 1e6

    return run
