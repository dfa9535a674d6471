"""What a step or a reset returns, made of the buffers that an engine has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.kernels.layout import Autoreset, Reason, Stat
from vecbt.plan import Plan
from vecbt.runner import Runner
from vecbt.states import array_name, leaves, nested

__all__ = ["INFOS", "Results", "unbatched"]

INFOS = (
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
"""Names of the columns of infos."""
_WHOLE_STATS = [
    int(stat)
    for stat in (
        Stat.L,
        Stat.BARS,
        Stat.TRADES,
        Stat.REASON,
        Stat.EPISODE,
        Stat.START,
        Stat.END,
        Stat.TRIAL,
        Stat.TRIAL_TYPE,
        Stat.SAMPLE_TYPE,
    )
]
_STAT_MASKS = ["_" + stat.name.lower() for stat in Stat]


class Results:
    """Observations, flags and infos of N environments as the caller gets them.

    Args:
        plan: What the environments are.
        num_envs: How many.
        runner: Holds the outputs of its last call.
        arrays: The batch's other arrays.
    """

    def __init__(self, plan: Plan, num_envs: int, runner: Runner, arrays: Mapping[str, AnyArray]) -> None:
        self._plan, self._num_envs, self._runner, self._arrays = plan, num_envs, runner, arrays
        self._assets = plan.assets
        self._copies = plan.config.copy and not runner.fresh
        self._all = np.ones(num_envs, bool)
        self._all.setflags(write=False)
        self._mask_names = ["_" + name for name in (*INFOS, *plan.info_keys)]
        self._parts, self._nest = self._observation_parts()

    def observation(self) -> Any:
        """The batch of observations, as the configuration's ``copy`` has it."""
        sets = self._runner.sets
        if self._copies or not sets:
            views = self._observation_views(self._runner.outputs, self._copies)
        else:
            views = sets[0].views or sets[0].keep(self._observation_views(sets[0].arrays, copy=False))
            views = views.copy()  # the dictionary, which is the caller's
        return views.get("", views)

    def _observation_views(self, arrays: Mapping[str, AnyArray], copy: bool) -> dict[str, Any]:
        views = {}
        for key, (name, shape) in self._parts.items():
            array = arrays[name]
            views[key] = (array.copy() if copy else array).reshape(shape)
        return nested(views) if self._nest else views

    def _final_observation(self, ended: IntArray) -> Any:
        """Observations of episodes that have ended where the next one has already begun; zeros in all other rows."""
        parts = {
            key: _only_rows(self._arrays["final_" + name], ended).reshape(shape)
            for key, (name, shape) in self._parts.items()
        }
        return nested(parts) if self._nest else parts.get("", parts)

    def _observation_parts(self) -> tuple[dict[Any, tuple[str, tuple[int, ...]]], bool]:
        """For each part of an observation the buffer that holds it, and its shape.

        Returns:
            The parts by their keys, which is "" for the only one, or by their paths, and whether it is by their paths.
        """
        plan, n, space = self._plan, self._num_envs, self._plan.observation_space
        if not isinstance(space, spaces.Dict):
            only = "market" if plan.config.flatten or plan.config.window else "account"
            return {"": (only, (n, *(space.shape or ())))}, False
        parts = {
            path: (array_name(path) if path[0] in plan.state_spaces else path[0], (n, *leaf.shape))
            for path, leaf in leaves(space, ())
        }
        if any(len(path) > 1 for path in parts):
            return parts, True
        return {path[0]: part for path, part in parts.items()}, False

    def flags(self) -> tuple[AnyArray, BoolArray, BoolArray]:
        """Rewards, terminations and truncations; the caller's."""
        outputs = self._runner.outputs
        rewards, terminations, truncations = outputs["rewards"], outputs["terminations"], outputs["truncations"]
        if self._runner.fresh:
            return rewards, terminations, truncations
        return rewards.copy(), terminations.copy(), truncations.copy()

    def infos(self, any_ended: bool, mask: BoolArray | None = None) -> dict[str, Any]:
        """The infos of the batch after a step or a reset.

        Args:
            any_ended: Whether an episode has ended with the step.
            mask: After a reset, which environments it was.
        """
        mode = self._plan.config.infos
        outputs, sets = self._runner.outputs, self._runner.sets
        # The masks come first, from a template: two dozen entries by hand would cost more than the columns.
        infos: dict[str, Any] = {}
        if mode == "full":
            infos = dict.fromkeys(self._mask_names, self._all if mask is None else mask)
            if self._copies or not sets:
                infos.update(self._info_views(outputs, "", self._copies))
            else:
                infos.update(sets[1].views or sets[1].keep(self._info_views(sets[1].arrays, "", copy=False)))
        restarted = self._runner.take_restarted()
        if restarted is not None:
            infos["worker_restarted"], infos["_worker_restarted"] = restarted, restarted.copy()
        if mask is not None or not any_ended:
            return infos
        ended = outputs["terminations"] | outputs["truncations"]
        rows = np.flatnonzero(ended)
        stats = self._episode_stats(ended, rows) if mode != "none" else {}
        if self._plan.autoreset != Autoreset.SAME_STEP:
            return infos | stats
        final: dict[str, Any] = {}
        if mode == "full":
            columns = {
                "final_" + name: _only_columns(self._arrays["final_" + name], rows)
                for name in ("info_floats", "info_ints", "strategy_info")
            }
            columns["final_order_status"] = _only_rows(self._arrays["final_order_status"], rows)
            final = dict.fromkeys(self._mask_names, ended) | self._info_views(columns, "final_", copy=False)
        infos["final_info"] = final | stats
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
        views = dict(zip(INFOS, (*floats[:4], *ints), strict=False))
        if k == 1:
            views["position"], views["position_price"], views["order_status"] = *floats[4:], status[:, 0]
        else:
            views["position"], views["position_price"] = floats[4 : 4 + k].T, floats[4 + k :].T
            views["order_status"] = status[:]
        if self._plan.info_keys:
            own = arrays[prefix + "strategy_info"]
            views.update(zip(self._plan.info_keys, own.copy() if copy else own, strict=True))
        return views

    def stat(self, env: int | None) -> list[dict[str, Any] | None]:
        """The last ended episode of one environment, or of each; see `vecbt.vector.TradingVectorEnv.get_stat`."""
        stats = self._arrays["stats"] if env is None else self._arrays["stats"][env : env + 1]
        return [
            None if numbers[Stat.REASON] == Reason.NONE else _stat(numbers.tolist(), outcome)
            for numbers, outcome in zip(stats, self._runner.outcomes(env), strict=True)
        ]

    def _episode_stats(self, ended: BoolArray, rows: IntArray) -> dict[str, Any]:
        # Zeroed memory that nobody has touched costs nothing; an episode or two of thousands end in a step.
        floats = np.zeros((len(Stat), self._num_envs))
        floats[:, rows] = self._arrays["stats"][rows].T
        whole = np.zeros((len(_WHOLE_STATS), self._num_envs), np.int64)
        whole[:, rows] = self._arrays["stats"][rows][:, _WHOLE_STATS].T
        stats: dict[str, Any] = {}
        for stat in Stat:
            stats[stat.name.lower()] = floats[stat]
        for number, column in enumerate(_WHOLE_STATS):
            stats[Stat(column).name.lower()] = whole[number]
        stats["open"] = floats[Stat.OPEN] != 0.0
        stats.update(dict.fromkeys(_STAT_MASKS, ended))
        return {"episode_stats": stats, "_episode_stats": ended}


def _stat(numbers: list[float], outcome: Sequence[Any] | None) -> dict[str, Any]:
    stats: dict[str, Any] = {stat.name.lower(): numbers[stat] for stat in Stat}
    for column in _WHOLE_STATS:
        stats[Stat(column).name.lower()] = int(numbers[column])
    stats["open"] = numbers[Stat.OPEN] != 0.0
    runtime, analyzers = (None, {}) if outcome is None else outcome
    return {
        "episode": stats["episode"],
        "length": stats["l"],
        "runtime": runtime,
        "stats": stats,
        "analyzers": analyzers,
    }


def _only_rows(array: AnyArray, rows: IntArray) -> AnyArray:
    """A copy with zeros in all other rows."""
    copy = np.zeros_like(array)
    copy[rows] = array[rows]
    return copy


def _only_columns(array: AnyArray, columns: IntArray) -> AnyArray:
    copy = np.zeros_like(array)
    copy[:, columns] = array[:, columns]
    return copy


def unbatched(infos: dict[str, Any]) -> dict[str, Any]:
    """The infos of the only environment, as plain numbers where they are numbers."""
    plain: dict[str, Any] = {}
    for name, value in infos.items():
        if name.startswith("_"):
            continue
        if isinstance(value, dict):
            plain[name] = unbatched(value)
        else:
            plain[name] = value[0] if value[0].ndim else value[0].item()
    return plain
