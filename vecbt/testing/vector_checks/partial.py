"""Resets of some environments among others."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from vecbt.arrays import BoolArray
from vecbt.testing.vector_checks.autoreset import check_begun, check_others_stay
from vecbt.testing.vector_checks.probe import Probe, Rollout
from vecbt.testing.vector_checks.rules import violation
from vecbt.testing.vector_checks.seeding import compare

__all__ = ["check_partial_reset"]

_EARLIEST, _AFTERWARDS = 2, 20


def check_partial_reset(probe: Probe, reference: Rollout) -> None:
    """Reset every other environment in the middle of episodes; then try masks that are none.

    Raises:
        ConformanceError: If the others do not stay as they are, or a wrong mask is taken.
    """
    if probe.mode is not AutoresetMode.DISABLED and not probe.strict:
        reason = "Gymnasium asks for reset_mask in the mode DISABLED alone: strict=True tries it in the others"
        probe.ledger.skip(reason, "partial_reset")
        return
    _check_others(probe, reference)
    if probe.strict:
        _check_wrong_masks(probe)


def _check_others(probe: Probe, reference: Rollout) -> None:
    turns = reference.turns
    middle = next((n for n in range(_EARLIEST, len(turns)) if not turns[n - 1].step.ended.any()), None)
    if middle is None:
        probe.ledger.skip("an episode ends with every step, or steps is too low", "partial_reset", "options")
        return
    last = probe.go_to(middle)
    mask = (np.arange(probe.num_envs) % 2 == 0) | last.ended  # ended: only where rollouts do not repeat
    outcome = probe.reset(mask=mask)
    check_others_stay("partial_reset", last.rows, outcome.rows, mask, f"step {middle}")
    if probe.apart and probe.repeats:
        _check_goes_on(probe, reference, middle, mask, outcome.rows)
    probe.ledger.tried("partial_reset")


def _check_goes_on(probe: Probe, reference: Rollout, middle: int, mask: BoolArray, fresh: list[Any]) -> None:
    """The others go on as if nothing had happened, and the reset ones are where a reset of all would put them."""
    last = min(len(reference.turns), middle + _AFTERWARDS)
    turns = [probe.turn(number) for number in range(middle, last)]
    compare("partial_reset", Rollout(reference.reset, turns), reference, only=~mask, skip=middle)
    probe.go_to(middle)
    check_begun("partial_reset", probe, fresh, mask, f"reset_mask after step {middle}")


def _check_wrong_masks(probe: Probe) -> None:
    count = probe.num_envs
    for what, mask in {
        f"the shape ({count + 1},)": np.ones(count + 1, bool),
        "the dtype int64": np.ones(count, np.int64),
        "no True": np.zeros(count, bool),
    }.items():
        probe.reset(probe.seed)
        try:
            probe.envs.reset(options={"reset_mask": mask})
        except Exception:
            continue
        raise violation("wrong_masks", "an error", f"none for a reset_mask with {what}")
    probe.ledger.tried("wrong_masks")
