"""What callers of a vector environment pass to it, checked and in one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vecbt.arrays import BoolArray
from vecbt.errors import ConfigError

__all__ = ["check_mask", "env_indices", "limit_processes", "plain_seeds", "seed_list"]


def limit_processes(processes: int, max_concurrency: int | None, parent_share: bool) -> int:
    """Processes of which no more environments run at a time than are allowed to."""
    if max_concurrency is None:
        return processes
    if not isinstance(max_concurrency, int | np.integer) or isinstance(max_concurrency, bool) or max_concurrency < 1:
        raise ConfigError(f"`max_concurrency` must be a positive integer or None, got {max_concurrency!r}.")
    least = 1 if processes and not parent_share else 0
    return max(least, min(processes, int(max_concurrency) - parent_share))


def seed_list(seed: int | Sequence[int | None] | None, num_envs: int) -> list[int | None]:
    """A seed for each environment."""
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        return [int(seed) + env for env in range(num_envs)]
    if len(seed) != num_envs:
        raise ConfigError(
            f"If seeds are passed as a list the length must match num_envs={num_envs} but got length={len(seed)}."
        )
    return plain_seeds(seed)


def plain_seeds(seeds: Sequence[int | None]) -> list[int | None]:
    """Seeds as environments take them: not as numpy's numbers."""
    return [int(seed) if isinstance(seed, np.integer) else seed for seed in seeds]


def check_mask(mask: Any, num_envs: int) -> BoolArray:
    """The ``reset_mask`` of a reset's options."""
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"`options['reset_mask']` must be a numpy array, got {type(mask)}")
    if mask.shape != (num_envs,):
        raise ConfigError(f"`options['reset_mask']` must have shape `({num_envs},)`, got {mask.shape}")
    if mask.dtype != np.bool_:
        raise TypeError(f"`options['reset_mask']` must have `dtype=np.bool_`, got {mask.dtype}")
    if not mask.any():
        raise ConfigError(
            f"`options['reset_mask']` must contain a boolean array with at least one True value, got reset_mask={mask}"
        )
    return mask


def env_indices(envs: Any, num_envs: int) -> list[int]:
    """Indices of environments, given as such, as a mask or as None."""
    if envs is None:
        return list(range(num_envs))
    given = np.asarray(envs)
    if given.shape == (0,):
        return []
    if given.dtype == np.bool_ and given.shape == (num_envs,):
        return np.flatnonzero(given).tolist()
    if given.ndim != 1 or given.dtype.kind not in "iu" or not ((given >= -num_envs) & (given < num_envs)).all():
        raise ConfigError(
            f"envs must be indices below {num_envs}, a bool mask of length {num_envs} or None, got {envs!r}"
        )
    return [int(env) % num_envs for env in given]
