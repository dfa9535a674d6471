"""Where a strategy's own columns (observations, reward, end, infos) enter the buffers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.brokers.cerebro.build import strategy_class
from vecbt.errors import StrategyError
from vecbt.kernels.layout import Phase
from vecbt.plan import Plan
from vecbt.strategy import Strategy

if TYPE_CHECKING:
    from vecbt.brokers.cerebro.runner import Episode

__all__ = ["Hooks", "hook_names"]


def hook_names(cls: type[Strategy]) -> tuple[bool, bool, bool]:
    """Whether a strategy class has its own reward, end and infos."""
    own = [getattr(cls, name) is not getattr(Strategy, name) for name in ("get_reward", "get_done", "get_info")]
    return own[0], own[1], own[2]


class Hooks:
    """Calls the methods that a strategy overrides and checks and stores what they return.

    Attributes:
        any: Whether there is anything to call after a step.
        asks_done: Whether the strategy can end an episode.
    """

    def __init__(self, plan: Plan, arrays: Mapping[str, AnyArray]) -> None:
        cls, _ = strategy_class(plan.config)
        self._name = cls.__name__
        self._reward, self.asks_done, self._info = hook_names(cls)
        self._rewards, self._stops = arrays["rewards"], arrays["stop_requests"]
        self._infos, self._keys = arrays["strategy_info"], plan.info_keys
        self._states = {key: arrays[f"state_{key}"] for key in plan.state_spaces}
        self._pairs = [(states, arrays[f"final_state_{key}"]) for key, states in self._states.items()]
        self._final_infos = arrays["final_strategy_info"]
        self.any = bool(self._reward or self._states or self._keys)

    def after_bar(self, episode: Episode, phase: int) -> None:
        """Ask whether the episode ends with this bar."""
        if phase == Phase.RUNNING and episode.strategy.get_done():
            self._stops[episode.index] = True

    def after_step(self, episode: Episode, phase: int) -> None:
        """Reward, observations and infos of a step."""
        if self._reward:
            reward = float(episode.strategy.get_reward())
            if not math.isfinite(reward):
                raise StrategyError(f"{self._name}.get_reward() returned {reward}; a reward is a finite number")
            self._rewards[episode.index] = reward
        self.after_reset(episode)

    def after_reset(self, episode: Episode) -> None:
        """Observations and infos of a first bar."""
        for key, states in self._states.items():
            value = np.asarray(getattr(episode.strategy, f"get_{key}_state")(), np.float32)
            if value.shape != states.shape[1:]:
                raise StrategyError(
                    f"{self._name}.get_{key}_state() returned an array of shape {value.shape}; state_shape[{key!r}] "
                    f"says {states.shape[1:]}"
                )
            states[episode.index] = value
        if self._keys:
            values = episode.strategy.get_info()
            for number, key in enumerate(self._keys):
                try:
                    self._infos[number, episode.index] = values[key]
                except KeyError:
                    raise StrategyError(
                        f"{self._name}.get_info() returned no {key!r}, which info_keys names; it has {sorted(values)}"
                    ) from None

    def keep_final(self, ended: list[int]) -> None:
        """Keep what ended environments have shown, before their next episode begins in the same step."""
        for states, final in self._pairs:
            final[ended] = states[ended]
        self._final_infos[:, ended] = self._infos[:, ended]
