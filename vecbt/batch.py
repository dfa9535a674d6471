"""A batch of trading environments on shared buffers, whatever runs it: what the vector and the single env share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.errors import ActionError, ConfigError, EpisodeError
from vecbt.kernels.layout import Autoreset, Clock, Phase, Stat
from vecbt.kernels.take import take_codes, take_weights
from vecbt.plan import Plan
from vecbt.settings import check_unsigned

__all__ = ["Batch", "Runner"]

_WORD = (1 << 64) - 1
_SAMPLE_TYPES = {0: 0, 1: 1, "train": 0, "test": 1}
_INFOS = (
    "cash",
    "value",
    "drawdown",
    "costs",
    "position",
    "position_price",
    "bar",
    "start",
    "timestamp",
    "order_status",
)
_WHOLE_STATS = {Stat.L, Stat.BARS, Stat.TRADES, Stat.REASON, Stat.EPISODE, Stat.START, Stat.END}


class Runner(Protocol):
    """What brings a batch forward: a pool of workers, or a slice in this process."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""

    def reset(self) -> None:
        """Begin episodes in the environments of ``arrays["mask"]``."""

    def step(self) -> None:
        """Step every environment with ``arrays["actions"]``."""

    def settle(self) -> None:
        """Wait for a call that was interrupted and is still under way."""

    def close(self) -> None:
        """Release everything."""


class Batch:
    """Seeds, actions and results of N environments.

    Args:
        plan: What the environments are.
        num_envs: How many.
        runner: Brings them forward.
        arrays: The buffers that the runner reads and writes.
    """

    def __init__(self, plan: Plan, num_envs: int, runner: Runner, arrays: Mapping[str, AnyArray]) -> None:
        self.plan, self.num_envs, self.runner = plan, num_envs, runner
        self.seeds: list[int | None] = [None] * num_envs
        self.arrays = arrays
        self._phase: IntArray = arrays["clock"][:, Clock.PHASE]
        self._all = np.ones(num_envs, bool)
        self._all.setflags(write=False)
        self._broken = False
        self._started = False  # every environment has had its first reset
        self._choices = plan.action_space.n if isinstance(plan.action_space, spaces.Discrete) else 0
        if isinstance(plan.action_space, spaces.MultiDiscrete):
            self._choices = int(plan.action_space.nvec[0])
        self._assets = plan.assets
        self._actions = arrays["actions"].reshape(-1)  # a view
        one_column = self._choices and self._assets == 1
        self._action_shape = (num_envs,) if one_column else (num_envs, self._assets)
        self._mask_names = ["_" + name for name in (*_INFOS, *plan.info_keys)]
        self._parts = self._observation_parts()

    # -- reset ---------------------------------------------------------------------------------------------------------

    def reset(self, seeds: Sequence[int | None], mask: BoolArray | None, sample_type: object) -> None:
        """Begin new episodes.

        Args:
            seeds: A seed for each environment, or None to go on with its own.
            mask: Which environments to reset; None for all.
            sample_type: 0 or ``"train"``, 1 or ``"test"``; None to keep it.

        Raises:
            ConfigError: If a seed or the sample type is invalid.
        """
        chosen = self._all if mask is None else mask
        if (self._broken or not self._started) and not chosen.all():
            raise EpisodeError("environments that are not in reset_mask have no episode to go on with: reset all")
        # Everything is checked before anything is changed: a refused reset leaves the episodes as they are.
        envs = np.flatnonzero(chosen).tolist()
        new = {env: check_unsigned("seed", seed, bits=128) for env in envs if (seed := seeds[env]) is not None}
        kind = self._section(sample_type)
        if self._broken:
            self.runner.settle()
        arrays = self.arrays
        if kind is not None:
            arrays["sample_type"][chosen] = kind
        for env in envs:
            self._seed(env, new.get(env))
        arrays["mask"][:] = chosen
        self._broken = True
        self.runner.reset()
        self._broken = False
        self._started = True

    def _section(self, sample_type: object) -> int | None:
        """The rows that a sample type stands for: 0 training, 1 test; None to keep to those of before."""
        if sample_type is None:
            return None
        kind = _SAMPLE_TYPES.get(sample_type) if isinstance(sample_type, int | str) else None
        if kind is None:
            raise ConfigError(f"sample_type must be 0 or 'train', 1 or 'test', got {sample_type!r}")
        if kind == 1 and not self.plan.table.trials.sections[1][1]:
            raise ConfigError("sample_type 'test' needs test rows: make the domain with a test_period")
        return kind

    def _seed(self, env: int, seed: int | None) -> None:
        clock = self.arrays["clock"]
        if seed is None and self.seeds[env] is not None:
            clock[env, Clock.EPISODE] += 1
            return
        if seed is None:
            seed = secrets.randbits(63)
        self.seeds[env] = seed
        self.arrays["seeds"][env] = seed & _WORD, seed >> 64
        clock[env, Clock.EPISODE] = 0

    # -- step ----------------------------------------------------------------------------------------------------------

    def step(self, actions: Any) -> None:
        """Take a step.

        Raises:
            ActionError: If an action is not in the action space; nothing has moved then.
            EpisodeError: If an environment has not been reset, or has ended and the mode does not reset it.
        """
        self._take_actions(actions)
        if self._broken:
            raise EpisodeError("an error has interrupted the environments in the middle of a call: reset() them all")
        if not self._started:
            raise EpisodeError("step() before reset(): call reset() first")
        if self.plan.autoreset == Autoreset.DISABLED and (self._phase == Phase.ENDED).any():
            ended = np.flatnonzero(self._phase == Phase.ENDED).tolist()
            raise EpisodeError(
                f"step() after the episode's end in environments {_some(ended)}: the autoreset mode is DISABLED, so "
                f'reset them with options={{"reset_mask": ...}}'
            )
        self._broken = True
        self.runner.step()
        self._broken = False

    def _take_actions(self, actions: Any) -> None:
        given = np.asarray(actions)
        size = self.num_envs * self._assets
        if given.shape != self._action_shape and (given.shape != (size, 1) or self._assets > 1):
            raise ActionError(
                f"actions must have the shape {self._action_shape}, one for each environment, got {given.shape}"
            )
        kinds = "iu" if self._choices else "fiu"
        if given.dtype.kind not in kinds:
            expected = f"whole numbers below {self._choices}" if self._choices else "numbers from -1 to 1"
            raise ActionError(f"actions must be {expected}, got dtype {given.dtype}")
        if self._choices:
            wrong = take_codes(given.astype(np.int64, copy=False).reshape(-1), self._actions, self._choices)
        else:
            wrong = take_weights(given.astype(np.float64, copy=False).reshape(-1), self._actions)
        if wrong >= 0:
            allowed = f"0 to {self._choices - 1}" if self._choices else "-1 to 1"
            of = f", asset {wrong % self._assets}" if self._assets > 1 else ""
            value = given.reshape(-1)[wrong].item()
            raise ActionError(f"action {value!r} of environment {wrong // self._assets}{of} is not in {allowed}")

    # -- results -------------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> BoolArray:
        """Which environments have ended their episode with the last step; a copy."""
        return self.arrays["terminations"] | self.arrays["truncations"]

    def observation(self, prefix: str = "") -> Any:
        """The batch of observations, as the configuration's ``copy`` has it.

        Args:
            prefix: ``"final_"`` for those of episodes that have ended where the next one has already begun.
        """
        copy = self.plan.config.copy
        parts = {}
        for key, (name, shape) in self._parts.items():
            array = self.arrays[prefix + name]
            parts[key] = (array.copy() if copy else array).reshape(shape)
        return parts.get("", parts)

    def _observation_parts(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """For each part of an observation the buffer that holds it, and its shape; the key is "" for the only one."""
        plan, n = self.plan, self.num_envs

        def part(key: str, space: Any) -> tuple[str, tuple[int, ...]]:
            name = f"state_{key}" if key in plan.state_spaces else key
            return name, (n, *space.shape)

        if isinstance(plan.observation_space, spaces.Dict):
            return {key: part(key, space) for key, space in plan.observation_space.spaces.items()}
        only = "market" if plan.config.flatten or plan.config.window else "account"
        return {"": part(only, plan.observation_space)}

    def flags(self) -> tuple[AnyArray, BoolArray, BoolArray]:
        """Rewards, terminations and truncations; copies."""
        arrays = self.arrays
        return arrays["rewards"].copy(), arrays["terminations"].copy(), arrays["truncations"].copy()

    def infos(self, mask: BoolArray | None = None) -> dict[str, Any]:
        """The infos of the batch after a step or a reset.

        Args:
            mask: After a partial reset, which environments it was.
        """
        mode = self.plan.config.infos
        if mode == "none":
            return {}
        infos = {} if mode == "episode" else self._columns("", self._all if mask is None else mask)
        if mask is not None:
            return infos
        arrays = self.arrays
        same_step = self.plan.autoreset == Autoreset.SAME_STEP
        # count_nonzero takes a sixth of the time of any()
        if not (np.count_nonzero(arrays["terminations"]) or np.count_nonzero(arrays["truncations"])):
            return infos
        ended = self.ended
        if not same_step:
            return infos | self._episode_stats(ended)
        final = {} if mode == "episode" else self._columns("final_", ended)
        infos["final_info"] = final | self._episode_stats(ended)
        infos["_final_info"] = ended.copy()
        infos["final_obs"] = self.observation("final_")
        infos["_final_obs"] = ended.copy()
        return infos

    def _columns(self, prefix: str, mask: BoolArray) -> dict[str, Any]:
        arrays, copy = self.arrays, self.plan.config.copy
        floats, ints, status = (arrays[prefix + name] for name in ("info_floats", "info_ints", "order_status"))
        if copy:
            floats, ints, status = floats.copy(), ints.copy(), status.copy()
        # The masks come first, from a template: two dozen entries by hand would cost more than the columns.
        infos: dict[str, Any] = dict.fromkeys(self._mask_names, mask)
        infos["cash"], infos["value"], infos["drawdown"], infos["costs"] = floats[:4]
        infos["bar"], infos["start"], infos["timestamp"] = ints
        if self._assets == 1:
            infos["position"], infos["position_price"] = floats[4:]
            infos["order_status"] = status[:, 0]
        else:
            infos["position"], infos["position_price"] = floats[4 : 4 + self._assets].T, floats[4 + self._assets :].T
            infos["order_status"] = status
        if self.plan.info_keys:
            own = arrays[prefix + "strategy_info"]
            infos.update(zip(self.plan.info_keys, own.copy() if copy else own, strict=True))
        return infos

    def _episode_stats(self, ended: BoolArray) -> dict[str, Any]:
        rows = np.where(ended[:, None], self.arrays["stats"], 0.0)
        stats: dict[str, Any] = {}
        for stat in Stat:
            column = rows[:, stat]
            if stat in _WHOLE_STATS:
                column = column.astype(np.int64)
            elif stat == Stat.OPEN:
                column = column.astype(bool)
            name = stat.name.lower()
            stats[name] = np.ascontiguousarray(column)
            stats["_" + name] = ended
        return {"episode_stats": stats, "_episode_stats": ended}


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"
