"""Single rows of what Gymnasium's vector environments return for a whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.arrays import IntArray

__all__ = ["take_infos", "take_observation"]


def take_infos(infos: Mapping[str, Any], rows: IntArray) -> list[dict[str, Any]]:
    """The infos of some environments, a dictionary for each, as the environments themselves would give them.

    Args:
        infos: Arrays over the batch, each with its mask ``_key``; what has no mask belongs to no environment.
        rows: Numbers of the environments.

    Returns:
        A dictionary for each of ``rows``, with the keys whose mask is set; numbers are Python's.

    Example:
        >>> infos = {"x": np.array([1.5, 0.0]), "_x": np.array([True, False])}
        >>> take_infos(infos, np.array([1, 0]))
        [{}, {'x': 1.5}]
    """
    taken: list[dict[str, Any]] = [{} for _ in rows]
    for name, values in infos.items():
        mask = infos.get("_" + name)
        if mask is None:  # a mask itself
            continue
        parts = take_infos(values, rows) if isinstance(values, Mapping) else _plain(values[rows])
        for info, part, known in zip(taken, parts, mask[rows].tolist(), strict=True):
            if known:
                info[name] = part
    return taken


def _plain(values: Any) -> Any:
    return values.tolist() if values.ndim == 1 and values.dtype.kind in "biuf" else values


def take_observation(observations: Any, row: int) -> Any:
    """A copy of one environment's part of a batch of observations.

    Args:
        observations: An array, or dictionaries and tuples of arrays; an array of objects holds whole observations.
        row: Number of the environment.
    """
    if isinstance(observations, Mapping):
        return {key: take_observation(part, row) for key, part in observations.items()}
    if isinstance(observations, tuple):
        return tuple(take_observation(part, row) for part in observations)
    part = observations[row]
    return part.copy() if isinstance(part, np.ndarray) else part
