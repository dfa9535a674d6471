"""Seeds: what a rollout depends on, and what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecbt.arrays import BoolArray
from vecbt.testing.vector_checks.compare import same
from vecbt.testing.vector_checks.probe import Probe, Rollout
from vecbt.testing.vector_checks.rules import shorten, violation

__all__ = ["check_seeding", "compare", "first_end"]

_AFTERWARDS = 20
"""Steps that are compared after a reset in the middle of a rollout."""


def check_seeding(probe: Probe, reference: Rollout) -> None:
    """Repeat the reference in all ways that must give the same.

    Raises:
        ConformanceError: If one of them does not.
    """
    _check_seeds_said(probe)
    if not probe.repeats:
        reason = "the environments' spec says that they are nondeterministic"
        probe.ledger.skip(reason, "seed", "seeds", "infos_repeat", "actions", "reset_after_end", "new_episode")
        return
    again = probe.rollout(probe.seed)
    compare("seed", again, reference)
    probe.ledger.tried("seed")
    if probe.strict:
        _compare_infos(again, reference)
        probe.ledger.tried("infos_repeat")
    compare("actions", probe.rollout(probe.seed, overwrite=True), reference)
    probe.ledger.tried("actions")
    if probe.apart or probe.strict:
        compare("seeds", probe.rollout([probe.seed + env for env in range(probe.num_envs)]), reference)
        probe.ledger.tried("seeds")
    end = first_end(reference)
    if not end:
        probe.ledger.skip(probe.never_ended, "reset_after_end")
        return
    probe.go_to(end)
    compare("reset_after_end", probe.rollout(probe.seed, _AFTERWARDS), reference)
    probe.ledger.tried("reset_after_end")


def _check_seeds_said(probe: Probe) -> None:
    probe.reset(probe.seed)
    said: Any = getattr(probe.envs, "np_random_seed", None)
    probe.apart = isinstance(said, tuple | list)
    if not probe.apart and not probe.strict:
        probe.ledger.skip("np_random_seed is not a tuple with a seed for each environment", "np_random_seed", "seeds")
        return
    expected = tuple(range(probe.seed, probe.seed + probe.num_envs))
    if not probe.apart or tuple(said) != expected:
        raise violation("np_random_seed", shorten(expected), shorten(said), where=f"after reset(seed={probe.seed})")
    probe.ledger.tried("np_random_seed")


def first_end(rollout: Rollout) -> int:
    """The number of the first step that ends an episode; 0 if there is none."""
    return next((number for number, turn in enumerate(rollout.turns, 1) if turn.step.ended.any()), 0)


def compare(rule: str, mine: Rollout, theirs: Rollout, only: BoolArray | None = None, skip: int = 0) -> None:
    """See that rollouts are equal to the last bit, as far as the shorter one goes; infos apart.

    Args:
        rule: The rule that is violated if they are not.
        mine: What came.
        theirs: What was expected.
        only: Environments to look at; all by default.
        skip: Turns of ``theirs`` to leave out.

    Raises:
        ConformanceError: If they differ.
    """
    envs = np.flatnonzero(np.ones(len(mine.reset.rows), bool) if only is None else only).tolist()
    if only is None:
        _compare_parts(
            rule, {"observation": mine.reset.rows}, {"observation": theirs.reset.rows}, envs, "after the reset"
        )
    for number, (turn, other) in enumerate(zip(mine.turns, theirs.turns[skip:], strict=False), 1):
        parts, others = (
            {
                "observation": t.step.rows,
                "reward": t.step.rewards.tolist(),
                "termination": t.step.terminations.tolist(),
                "truncation": t.step.truncations.tolist(),
                "observation after reset_mask": t.rows,
            }
            for t in (turn, other)
        )
        _compare_parts(rule, parts, others, envs, f"step {number}")


def _compare_parts(rule: str, mine: dict[str, Any], theirs: dict[str, Any], envs: list[int], where: str) -> None:
    for name, values in mine.items():
        for env in envs:
            if not same(values[env], theirs[name][env]):
                raise violation(
                    rule, f"the {name} {shorten(theirs[name][env])}", shorten(values[env]), env=env, where=where
                )


def _compare_infos(mine: Rollout, theirs: Rollout) -> None:
    outcomes = [mine.reset, *(turn.step for turn in mine.turns)]
    others = [theirs.reset, *(turn.step for turn in theirs.turns)]
    for number, (outcome, other) in enumerate(zip(outcomes, others, strict=True)):
        for key in sorted({*outcome.infos, *other.infos}):
            values = [infos.get(key) for infos in (other.infos, outcome.infos)]
            if not same(*values):
                raise violation(
                    "infos_repeat", f"infos[{key!r}] {shorten(values[0])}", shorten(values[1]), where=f"step {number}"
                )
