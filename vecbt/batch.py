"""A batch of trading environments on shared buffers, whatever runs it: what the vector and the single env share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.brokers.compiled.outputs import OutputSet
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
    "bar",
    "start",
    "timestamp",
    "position",
    "position_price",
    "order_status",
)
_WHOLE_STATS = [int(stat) for stat in (Stat.L, Stat.BARS, Stat.TRADES, Stat.REASON, Stat.EPISODE, Stat.START, Stat.END)]
_STAT_MASKS = ["_" + stat.name.lower() for stat in Stat]


class Runner(Protocol):
    """What brings a batch forward: a pool of workers, or the compiled engine in this process.

    Attributes:
        fresh: Whether `outputs` are the caller's to keep, so that there is nothing to copy.
        sets: Where the results' arrays take turns, those of observations and those of everything else; empty where
            they are always the same.
    """

    fresh: bool

    @property
    def sets(self) -> Sequence[OutputSet]:
        """See above."""

    @property
    def outputs(self) -> Mapping[str, AnyArray]:
        """The arrays that the last call has written its results to."""

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
        self._copies = plan.config.copy and not runner.fresh
        self._broken = False
        self._started = False  # every environment has had its first reset
        self._any_ended = False  # an episode has ended with the last step
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
        new = {
            env: check_unsigned("seed", seed, bits=128)
            for env, seed in enumerate(seeds)
            if seed is not None and chosen[env]
        }
        kind = self._section(sample_type)
        if self._broken:
            self.runner.settle()
        arrays = self.arrays
        if kind is not None:
            arrays["sample_type"][chosen] = kind
        self._count_on(chosen, new)
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

    def _count_on(self, chosen: BoolArray, new: dict[int, int]) -> None:
        """Number the coming episodes; a seed starts the count again, and the first one is drawn where none is given."""
        arrays = self.arrays
        if not self._started:
            for env in np.flatnonzero(chosen).tolist():
                if self.seeds[env] is None and env not in new:
                    new[env] = secrets.randbits(63)
        arrays["clock"][chosen, Clock.EPISODE] += 1
        for env, seed in new.items():
            self.seeds[env] = seed
            arrays["seeds"][env] = seed & _WORD, seed >> 64
            arrays["clock"][env, Clock.EPISODE] = 0

    # -- step ----------------------------------------------------------------------------------------------------------

    def step(self, actions: Any) -> None:
        """Take a step.

        Raises:
            ActionError: If an action is not in the action space; nothing has moved then.
            EpisodeError: If an environment has not been reset, or has ended and the mode does not reset it.
        """
        self._take_actions(actions)
        self.advance()

    def take_choice(self, choice: int) -> bool:
        """Take the only environment's action, a whole number; False if it is none of its action space."""
        if 0 <= choice < self._choices:
            self._actions[0] = choice
            return True
        return False

    def advance(self) -> None:
        """Take a step with the actions that have been taken."""
        if self._broken:
            raise EpisodeError("an error has interrupted the environments in the middle of a call: reset() them all")
        if not self._started:
            raise EpisodeError("step() before reset(): call reset() first")
        if self._any_ended and self.plan.autoreset == Autoreset.DISABLED:
            self._refuse_ended()
        self._broken = True
        self.runner.step()
        self._broken = False
        outputs = self.runner.outputs
        # count_nonzero takes a sixth of the time of any()
        self._any_ended = bool(np.count_nonzero(outputs["terminations"]) or np.count_nonzero(outputs["truncations"]))

    def _refuse_ended(self) -> None:
        ended = np.flatnonzero(self._phase == int(Phase.ENDED)).tolist()
        if ended:
            raise EpisodeError(
                f"step() after the episode's end in environments {_some(ended)}: the autoreset mode is DISABLED, so "
                f'reset them with options={{"reset_mask": ...}}'
            )

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

    def observation(self) -> Any:
        """The batch of observations, as the configuration's ``copy`` has it."""
        sets = self.runner.sets
        if self._copies or not sets:
            views = self._observation_views(self.runner.outputs, self._copies)
        else:
            views = sets[0].views or sets[0].keep(self._observation_views(sets[0].arrays, copy=False))
            views = views.copy()  # the dictionary, which is the caller's
        return views.get("", views)

    def _observation_views(self, arrays: Mapping[str, AnyArray], copy: bool) -> dict[str, AnyArray]:
        views = {}
        for key, (name, shape) in self._parts.items():
            array = arrays[name]
            views[key] = (array.copy() if copy else array).reshape(shape)
        return views

    def _final_observation(self, ended: IntArray) -> Any:
        """Observations of episodes that have ended where the next one has already begun; zeros in all other rows."""
        parts = {
            key: _only_rows(self.arrays["final_" + name], ended).reshape(shape)
            for key, (name, shape) in self._parts.items()
        }
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
        """Rewards, terminations and truncations; the caller's."""
        outputs = self.runner.outputs
        rewards, terminations, truncations = outputs["rewards"], outputs["terminations"], outputs["truncations"]
        if self.runner.fresh:
            return rewards, terminations, truncations
        return rewards.copy(), terminations.copy(), truncations.copy()

    def infos(self, mask: BoolArray | None = None) -> dict[str, Any]:
        """The infos of the batch after a step or a reset.

        Args:
            mask: After a partial reset, which environments it was.
        """
        mode = self.plan.config.infos
        if mode == "none":
            return {}
        outputs, sets = self.runner.outputs, self.runner.sets
        # The masks come first, from a template: two dozen entries by hand would cost more than the columns.
        infos: dict[str, Any] = {}
        if mode == "full":
            infos = dict.fromkeys(self._mask_names, self._all if mask is None else mask)
            if self._copies or not sets:
                infos.update(self._info_views(outputs, "", self._copies))
            else:
                infos.update(sets[1].views or sets[1].keep(self._info_views(sets[1].arrays, "", copy=False)))
        if mask is not None or not self._any_ended:
            return infos
        ended = outputs["terminations"] | outputs["truncations"]
        rows = np.flatnonzero(ended)
        if self.plan.autoreset != Autoreset.SAME_STEP:
            return infos | self._episode_stats(ended, rows)
        final: dict[str, Any] = {}
        if mode == "full":
            columns = {
                "final_" + name: _only_columns(self.arrays["final_" + name], rows)
                for name in ("info_floats", "info_ints", "strategy_info")
            }
            columns["final_order_status"] = _only_rows(self.arrays["final_order_status"], rows)
            final = dict.fromkeys(self._mask_names, ended) | self._info_views(columns, "final_", copy=False)
        infos["final_info"] = final | self._episode_stats(ended, rows)
        infos["_final_info"] = ended.copy()
        infos["final_obs"] = self._final_observation(rows)
        infos["_final_obs"] = ended.copy()
        return infos

    def _info_views(self, arrays: Mapping[str, AnyArray], prefix: str, copy: bool) -> dict[str, AnyArray]:
        """The columns of the infos by name."""
        floats, ints, status = (arrays[prefix + name] for name in ("info_floats", "info_ints", "order_status"))
        if copy:
            floats, ints, status = floats.copy(), ints.copy(), status.copy()
        k = self._assets
        views = dict(zip(_INFOS, (*floats[:4], *ints), strict=False))
        if k == 1:
            views["position"], views["position_price"], views["order_status"] = *floats[4:], status[:, 0]
        else:
            views["position"], views["position_price"] = floats[4 : 4 + k].T, floats[4 + k :].T
            views["order_status"] = status[:]
        if self.plan.info_keys:
            own = arrays[prefix + "strategy_info"]
            views.update(zip(self.plan.info_keys, own.copy() if copy else own, strict=True))
        return views

    def _episode_stats(self, ended: BoolArray, rows: IntArray) -> dict[str, Any]:
        # Zeroed memory that nobody has touched costs nothing; an episode or two of thousands end in a step.
        floats = np.zeros((len(Stat), self.num_envs))
        floats[:, rows] = self.arrays["stats"][rows].T
        whole = np.zeros((len(_WHOLE_STATS), self.num_envs), np.int64)
        whole[:, rows] = self.arrays["stats"][rows][:, _WHOLE_STATS].T
        stats: dict[str, Any] = {}
        for stat in Stat:
            stats[stat.name.lower()] = floats[stat]
        for number, column in enumerate(_WHOLE_STATS):
            stats[Stat(column).name.lower()] = whole[number]
        stats["open"] = floats[Stat.OPEN] != 0.0
        stats.update(dict.fromkeys(_STAT_MASKS, ended))
        return {"episode_stats": stats, "_episode_stats": ended}


def _only_rows(array: AnyArray, rows: IntArray) -> AnyArray:
    """A copy with zeros in all other rows."""
    copy = np.zeros_like(array)
    copy[rows] = array[rows]
    return copy


def _only_columns(array: AnyArray, columns: IntArray) -> AnyArray:
    copy = np.zeros_like(array)
    copy[:, columns] = array[:, columns]
    return copy


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"
