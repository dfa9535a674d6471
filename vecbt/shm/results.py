"""What the steps and resets of environments have come to, as Gymnasium's batches return it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from vecbt.arrays import AnyArray, BoolArray, FloatArray
from vecbt.shm.env_slice import EnvPlan
from vecbt.shm.infos import Column, InfoReader

__all__ = ["Results"]


class _Group:
    """The environments of a half, or all, with what every step needs of them at hand."""

    def __init__(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> None:
        self.low, self.high = low, high
        self.copy_rewards = arrays["rewards"][low:high].copy
        self.copy_terminations = arrays["terminations"][low:high].copy
        self.copy_truncations = arrays["truncations"][low:high].copy
        self.adder = _Adder(high - low)


class _Adder(VectorEnv[Any, Any, Any]):
    """Lends the way in which Gymnasium puts the infos of environments together."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs


class Results:
    """Reads the shared arrays of a batch, and what its slices have answered.

    Args:
        plan: What the environments are.
        arrays: The shared arrays.
        ranges: First environment of each half (only one where the batch is not cut), and the one after its last.
        copy: Whether observations are the caller's.
        owned: Whether what slices answer is nobody else's, because it has been pickled on its way.

    Attributes:
        observations: The batch of the last observations, overwritten by the next.
        columns: The columns that infos have been given.
    """

    def __init__(
        self,
        plan: EnvPlan,
        arrays: Mapping[str, AnyArray],
        ranges: Sequence[tuple[int, int]],
        *,
        copy: bool,
        owned: bool,
    ) -> None:
        self._plan, self._arrays, self._copy, self._owned = plan, arrays, copy, owned
        n = len(plan.env_fns)
        self._groups = [_Group(arrays, low, high) for low, high in [(0, n), *ranges]]
        self._infos = InfoReader(arrays)
        self.columns: Sequence[Column] = self._infos.columns
        self._elements: list[Any] = [None] * n  # observations that travel as messages
        if plan.observation is not None:
            self.observations: Any = plan.observation.batch(arrays, 0, n, copy=False)
        else:
            self.observations = create_empty_array(plan.observation_space, n=n, fn=np.zeros)

    def of_step(
        self, answers: Sequence[Any], group: int
    ) -> tuple[Any, FloatArray, BoolArray, BoolArray, dict[str, Any], list[Column]]:
        """The results of a step, and columns that are new to the workers.

        Args:
            answers: What the slices have answered.
            group: Number of a half counted from 1, or 0 for the whole batch.
        """
        place = self._groups[group]
        # The infos come first: they may need the last observation of an environment that has a new one.
        infos, new = self._read_infos(answers, place)
        return (
            self._observe(answers, place),
            place.copy_rewards(),
            place.copy_terminations(),
            place.copy_truncations(),
            infos,
            new,
        )

    def of_reset(self, answers: Sequence[Any]) -> tuple[Any, dict[str, Any], list[Column]]:
        """The results of a reset, and columns that are new to the workers."""
        infos, new = self._read_infos(answers, self._groups[0])
        return self._observe(answers, self._groups[0]), infos, new

    def _observe(self, answers: Sequence[Any], group: _Group) -> Any:
        low, high, plan = group.low, group.high, self._plan
        if plan.observation is not None:
            return plan.observation.batch(self._arrays, low, high, self._copy)
        for answer in answers:
            for env, observation in answer["observations"]:
                self._elements[env] = observation if self._owned else deepcopy(observation)
        whole = group is self._groups[0]
        out: Any = self.observations if whole else create_empty_array(plan.observation_space, n=high - low, fn=np.zeros)
        batch = concatenate(plan.observation_space, self._elements[low:high], out)
        if whole:
            self.observations = batch
        return deepcopy(batch) if self._copy else batch

    def _read_infos(self, answers: Sequence[Any], group: _Group) -> tuple[dict[str, Any], list[Column]]:
        """What stands in the columns, final observations, and what has come as messages."""
        low, high, final = group.low, group.high, self._plan.final
        if not answers and final is None:
            return self._infos.read(low, high), []
        add = group.adder._add_info
        told = [(env, info) for answer in answers for env, info in answer["infos"]]
        for env, info in told:
            if "final_obs" in info and info["final_obs"] is None:  # of an environment whose worker has died
                info["final_obs"] = self._elements[env]
        infos: dict[str, Any] = {}
        if any(self._infos.conflicts(info) for _, info in told):
            # The first environment says what type an array has, be it in a column or not.
            rest = dict(told)
            for env in range(low, high):
                infos = add(infos, _merge(self._infos.single(env), rest.get(env, {})), env - low)
        else:
            infos = self._infos.read(low, high)
            for env, info in told:
                infos = add(infos, info, env - low)
        if final is not None:
            mask = self._arrays["final_mask"][low:high]
            if np.count_nonzero(mask):
                for place in np.flatnonzero(mask).tolist():
                    infos = add(infos, {"final_obs": final.element(self._arrays, low + place)}, place)
        return infos, [column for _, info in told for column in self._infos.assign(info)]


def _merge(info: dict[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Put more into nested dicts; only the first is changed."""
    for name, value in further.items():
        inner = info.get(name)
        info[name] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return info
