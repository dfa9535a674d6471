"""What an environment says that it is, and the form of what each call returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from vecbt.testing.vector_checks.compare import rows_of
from vecbt.testing.vector_checks.rules import Ledger, shorten, violation

__all__ = ["Form", "check_attributes"]

_SPACES = ("single_observation_space", "observation_space", "single_action_space", "action_space")


def check_attributes(envs: Any) -> None:
    """Check what is known before the first call.

    Raises:
        ConformanceError: If an attribute is missing or wrong.
    """
    num_envs = getattr(envs, "num_envs", None)
    if isinstance(num_envs, bool) or not isinstance(num_envs, int | np.integer) or num_envs < 1:
        raise violation("attributes", "num_envs to be a whole number of 1 or more", shorten(num_envs))
    for name in _SPACES:
        space = getattr(envs, name, None)
        if not isinstance(space, Space):
            raise violation("attributes", f"{name} to be a space", shorten(space))
    batch, single = envs.action_space, envs.single_action_space
    if batch != batch_space(single, int(num_envs)):
        rows = rows_of(batch, batch.sample())
        if len(rows) != num_envs or not all(single.contains(row) for row in rows):
            raise violation("attributes", f"action_space to be a batch of {num_envs} {single}", shorten(batch))
    mode = getattr(envs, "metadata", {}).get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        raise violation("autoreset_mode", "an AutoresetMode in the metadata", shorten(mode))


class Form:
    """The form of everything that an environment returns.

    Args:
        envs: The environments.
        strict: Whether to try the rules that Gymnasium leaves open.
        ledger: Gets the rules that have been tried.
    """

    def __init__(self, envs: Any, strict: bool, ledger: Ledger) -> None:
        self._space, self._num_envs, self._strict, self._ledger = envs.observation_space, envs.num_envs, strict, ledger

    def check(self, method: str, result: Any, where: str) -> dict[str, Any]:
        """The parts of a result by name.

        Args:
            method: ``"reset"`` or ``"step"``.
            result: What it has returned.
            where: Says which call it was.

        Raises:
            ConformanceError: If the form is not what it should be.
        """
        names = ["observations", "infos"]
        names[1:1] = ["rewards", "terminations", "truncations"] if method == "step" else []
        if not isinstance(result, tuple) or len(result) != len(names):
            length = f" of {len(result)}" if isinstance(result, tuple) else ""
            raise violation("returns", f"a tuple of {len(names)}", f"a {type(result).__name__}{length}", where=where)
        parts = dict(zip(names, result, strict=True))
        if method == "step":
            self._check_step(parts, where)
        if not isinstance(parts["infos"], dict):
            raise violation("returns", "infos to be a dict", shorten(parts["infos"]), where=where)
        self._check_observations(parts["observations"], where)
        self._check_infos(parts["infos"], "infos", where)
        self._ledger.tried("returns", "observations")
        if parts["infos"]:
            self._ledger.tried("infos")
        return parts

    def _check_step(self, parts: dict[str, Any], where: str) -> None:
        shape = (self._num_envs,)
        for name in ("rewards", "terminations", "truncations"):
            array, kind = parts[name], "floating" if name == "rewards" else "bool"
            dtype = np.floating if name == "rewards" else np.bool_
            if not isinstance(array, np.ndarray) or array.shape != shape or not np.issubdtype(array.dtype, dtype):
                raise violation("returns", f"{name} to be a {kind} array {shape}", _form(array), where=where)
        if self._strict:
            if parts["rewards"].dtype != np.float64:
                raise violation("float64", "float64", str(parts["rewards"].dtype), where=where)
            self._ledger.tried("float64")

    def _check_observations(self, batch: Any, where: str) -> None:
        if not self._space.contains(batch):
            raise violation("observations", f"a member of {self._space}", shorten(batch), where=where)
        count = len(rows_of(self._space, batch))
        if count != self._num_envs:
            raise violation("observations", f"{self._num_envs} rows", f"{count}", where=where)

    def _check_infos(self, infos: Mapping[str, Any], name: str, where: str) -> None:
        nested = name != "infos"
        rule = "nested_masks" if nested else "infos"
        for key, value in infos.items():
            if isinstance(key, str) and key.startswith("_") and key[1:] in infos:
                continue  # the mask of another
            mask = infos.get(f"_{key}")
            at = f"{name}[{f'_{key}'!r}]"
            if mask is None and nested and not self._strict:
                pass  # Gymnasium's own wrappers leave these out
            elif not isinstance(mask, np.ndarray) or mask.shape != (self._num_envs,) or mask.dtype != np.bool_:
                raise violation(rule, f"{at} to be a bool array ({self._num_envs},)", _form(mask), where=where)
            if nested and self._strict:
                self._ledger.tried("nested_masks")
            if key == "final_obs":
                continue  # an observation, whose form depends on the space
            at = f"{name}[{key!r}]"
            if isinstance(value, Mapping):
                self._check_infos(value, at, where)
            elif not isinstance(value, np.ndarray) or value.shape[:1] != (self._num_envs,):
                expected = f"{at} to be an array with {self._num_envs} rows, or a dict of such"
                raise violation("infos", expected, _form(value), where=where)


def _form(value: Any) -> str:
    """Type and shape of an array, in words; other values as they are."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else shorten(value)
