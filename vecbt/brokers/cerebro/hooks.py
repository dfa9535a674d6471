"""Where a strategy's own columns (observations, reward, end, infos) enter the buffers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray
from vecbt.brokers.cerebro.build import strategy_class
from vecbt.errors import StrategyError
from vecbt.kernels.layout import Phase
from vecbt.plan import Plan
from vecbt.states import Path, array_name
from vecbt.strategy import Strategy

if TYPE_CHECKING:
    from vecbt.brokers.cerebro.runner import Episode

__all__ = ["Hooks", "hook_names"]

_TRUTHS = (bool, int, float, np.generic)
_WHOLE = "iub"


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
        self._states = {key: f"{cls.__name__}.get_{key}_state()" for key in plan.state_spaces}
        self._columns: dict[str, list[_Column]] = {key: [] for key in plan.state_spaces}
        self._pairs = [(arrays["strategy_info"].T, arrays["final_strategy_info"].T)]
        for path, leaf in plan.state_leaves.items():
            name = array_name(path)
            self._columns[path[0]].append(_Column(self._states[path[0]], path, leaf, arrays[name]))
            self._pairs.append((arrays[name], arrays["final_" + name]))
        self.any = bool(self._reward or self._states or self._keys)

    def after_bar(self, episode: Episode, phase: int) -> None:
        """Ask whether the episode ends with this bar."""
        if phase == Phase.RUNNING:
            done = episode.strategy.get_done()
            if not isinstance(done, _TRUTHS):
                raise StrategyError(f"{self._name}.get_done() returned {done!r}; it is to say True or False")
            if done:
                self._stops[episode.index] = True

    def after_step(self, episode: Episode, phase: int) -> None:
        """Reward, observations and infos of a step."""
        if self._reward:
            self._rewards[episode.index] = self._number("get_reward()", episode.strategy.get_reward())
        self.after_reset(episode)

    def after_reset(self, episode: Episode) -> None:
        """Observations and infos of a first bar."""
        for key, columns in self._columns.items():
            value = getattr(episode.strategy, f"get_{key}_state")()
            for column in columns:
                column.write(value, episode.index)
        if self._keys:
            self._write_infos(episode.strategy.get_info(), episode.index)

    def _write_infos(self, values: Any, env: int) -> None:
        if not isinstance(values, Mapping):
            raise StrategyError(f"{self._name}.get_info() returned {values!r}; it is to return a dictionary of numbers")
        for number, key in enumerate(self._keys):
            if key not in values:
                raise StrategyError(
                    f"{self._name}.get_info() returned no {key!r}, which info_keys names; it has {sorted(values)}"
                )
            try:
                self._infos[number, env] = float(values[key])
            except (TypeError, ValueError):
                raise StrategyError(
                    f"{self._name}.get_info() returned {values[key]!r} for {key!r}; it is to be a number"
                ) from None

    def _number(self, method: str, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise StrategyError(f"{self._name}.{method} returned {value!r}; a reward is a finite number")
        return number

    def keep_final(self, ended: list[int]) -> None:
        """Keep what ended environments have shown, before their next episode begins in the same step."""
        for columns, final in self._pairs:
            final[ended] = columns[ended]


class _Column:
    """One array of an observation that the strategy makes.

    Args:
        method: The method that makes it, as messages name it.
        path: Where in the observation it is found.
        space: What it may hold.
        array: Where it goes, a row for each environment.
    """

    def __init__(self, method: str, path: Path, space: Any, array: AnyArray) -> None:
        self._method, self._path, self._space, self._array = method, path, space, array
        self._shape, self._dtype = array.shape[1:], array.dtype
        # Whole numbers would wrap round without notice; real ones are looked at once, which finds a wrong scale.
        self._whole, self._seen = array.dtype.kind in _WHOLE, False
        self._where = f"state_shape[{']['.join(map(repr, path))}]"

    def write(self, value: Any, env: int) -> None:
        for key in self._path[1:]:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                raise StrategyError(
                    f"{self._method} returned nothing for {key!r}, which {self._where} names, but {value!r}"
                ) from None
        try:
            given = np.asarray(value)
        except ValueError as error:  # lists of different lengths
            raise StrategyError(f"{self._method} returned no array: {error}") from None
        if given.shape != self._shape:
            raise StrategyError(
                f"{self._method} returned an array of shape {given.shape}; {self._where} says {self._shape}"
            )
        whole = self._whole and given.dtype.kind in _WHOLE
        if given.dtype != self._dtype and not whole and not np.can_cast(given.dtype, self._dtype, "same_kind"):
            raise StrategyError(f"{self._method} returned {given.dtype} numbers; {self._where} says {self._dtype}")
        if self._whole or not self._seen:
            self._check(given)
        self._array[env] = given

    def _check(self, given: AnyArray) -> None:
        kept = given.astype(self._dtype)
        self._seen = True
        element = kept[()] if isinstance(self._space, spaces.Discrete) else kept
        if self._space.contains(element) and not (self._whole and (kept != given).any()):
            return
        low, high = given.min(), given.max()
        numbers = str(low) if low == high else f"numbers from {low} to {high}"
        raise StrategyError(f"{self._method} returned {numbers}; {self._where} is {self._space}")
