from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import VectorEnv

from vecbt.integrations.infos import take_infos, take_observation

INFOS: list[dict[str, Any]] = [
    {"count": 3, "value": 0.5, "flag": True, "name": "a", "row": np.array([1, 2])},
    {},
    {"count": 4, "nested": {"r": 1.5, "deep": {"l": 2}}, "_own": 7},
    {"name": None, "nested": {"r": 2.5}, "row": np.array([3, 4])},
]


def batched(infos: list[dict[str, Any]]) -> dict[str, Any]:
    """As Gymnasium's vector environments put infos together."""
    envs: VectorEnv[Any, Any, Any] = VectorEnv()
    envs.num_envs = len(infos)
    together: dict[str, Any] = {}
    for env, info in enumerate(infos):
        together = envs._add_info(together, info, env)
    return together


def plain(info: dict[str, Any]) -> dict[str, Any]:
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in info.items()}


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [2], [3, 0], []])
def test_infos_come_out_as_they_went_in(rows: list[int]) -> None:
    taken = take_infos(batched(INFOS), np.array(rows, np.int64))
    assert [plain(info) for info in taken] == [plain(INFOS[row]) for row in rows]


def test_numbers_are_pythons() -> None:
    (info,) = take_infos(batched(INFOS), np.array([0]))
    assert [type(info[key]) for key in ("count", "value", "flag")] == [int, float, bool]


def test_a_row_of_an_observation_is_a_copy() -> None:
    batch = {"a": np.zeros((2, 3)), "b": (np.ones(2, np.int64), np.ones((2, 1)))}
    row = take_observation(batch, 1)
    batch["a"][:] = 5.0
    assert row["a"].tolist() == [0.0, 0.0, 0.0]
    assert row["b"][0] == 1
    assert row["b"][1].tolist() == [1.0]


def test_a_row_of_an_array_of_objects_is_the_object() -> None:
    space = gymnasium.spaces.Dict({"a": gymnasium.spaces.Discrete(3)})
    observations = np.array([None, space.sample()], dtype=object)
    assert take_observation(observations, 1) is observations[1]
    assert take_observation(observations, 0) is None
