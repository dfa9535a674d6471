"""What happens at the end of an episode, in each of the three modes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from vecbt.arrays import BoolArray
from vecbt.testing.vector_checks.compare import rows_of, same
from vecbt.testing.vector_checks.probe import Outcome, Probe, Rollout
from vecbt.testing.vector_checks.rules import shorten, violation
from vecbt.testing.vector_checks.seeding import first_end

__all__ = ["check_autoreset", "check_begun", "check_others_stay"]

_RULES = {
    AutoresetMode.NEXT_STEP: "next_step",
    AutoresetMode.SAME_STEP: "same_step",
    AutoresetMode.DISABLED: "disabled",
}


def check_autoreset(probe: Probe, reference: Rollout) -> None:
    """Look at the ends of episodes in the reference, and at what a reset gives in their place.

    Raises:
        ConformanceError: If they are not what the mode says.
    """
    ledger, rule = probe.ledger, _RULES[probe.mode]
    others = [name for mode, name in _RULES.items() if mode is not probe.mode]
    others += ["ended_step"] if rule != "disabled" else []
    ledger.skip(f"the autoreset mode is {probe.mode.name}", *others)
    end = first_end(reference)
    # What comes after an end has to be there too.
    if not end or (probe.mode is AutoresetMode.NEXT_STEP and end == len(reference.turns)):
        ledger.skip(probe.never_ended, rule, "ended_step", "new_episode")
        if probe.mode is AutoresetMode.SAME_STEP:
            _check_same_step(probe, reference)
        return
    match probe.mode:
        case AutoresetMode.NEXT_STEP:
            _check_next_step(reference)
            _check_new_episode(probe, end, reference.turns[end - 1].step.ended, reference.turns[end].step)
        case AutoresetMode.SAME_STEP:
            _check_same_step(probe, reference)
            _check_final_is_not_first(probe, reference)
        case AutoresetMode.DISABLED:
            _check_disabled(reference)
            turn = reference.turns[end - 1]
            _check_new_episode(probe, end, turn.step.ended, turn.reset or turn.step)
            if probe.strict:
                _check_ended_step(probe, end)
    ledger.tried(rule)


def _check_next_step(rollout: Rollout) -> None:
    for number, (turn, following) in enumerate(zip(rollout.turns, rollout.turns[1:], strict=False), 2):
        for env in np.flatnonzero(turn.step.ended).tolist():
            step = following.step
            got = float(step.rewards[env]), bool(step.terminations[env]), bool(step.truncations[env])
            if got != (0.0, False, False):
                raise violation(
                    "next_step",
                    "reward 0.0, termination False, truncation False",
                    "reward {}, termination {}, truncation {}".format(*got),
                    env=env,
                    where=f"step {number}, the one after the end",
                )


def _check_same_step(probe: Probe, rollout: Rollout) -> None:
    for number, turn in enumerate(rollout.turns, 1):
        infos, ended, where = turn.step.infos, turn.step.ended, f"step {number}"
        for key in ("final_obs", "final_info"):
            mask = infos.get(f"_{key}", np.zeros_like(ended))
            if not same(mask, ended):
                raise violation("same_step", f"_{key} {ended.tolist()}", shorten(mask), where=where)
            if ended.any() and key not in infos:
                raise violation("same_step", f"{key} in infos", f"only {sorted(infos)}", where=where)
        if not ended.any():
            continue
        if not isinstance(infos["final_info"], dict):
            raise violation("same_step", "final_info to be a dict", shorten(infos["final_info"]), where=where)
        single = probe.envs.single_observation_space
        if probe.envs.observation_space == batch_space(single, probe.num_envs):
            for env, row in _final_rows(probe, turn.step).items():
                if not single.contains(row):
                    raise violation("same_step", f"final_obs in {single}", shorten(row), env=env, where=where)


def _final_rows(probe: Probe, step: Outcome) -> dict[int, Any]:
    """The last observations of episodes: from an array of objects, as Gymnasium makes it, or from a batch."""
    final = step.infos["final_obs"]
    objects = isinstance(final, np.ndarray) and final.dtype == object
    rows = list(final) if objects else rows_of(probe.envs.observation_space, final)
    return {env: rows[env] for env in np.flatnonzero(step.ended).tolist()}


def _check_final_is_not_first(probe: Probe, rollout: Rollout) -> None:
    """One observation in both places would be a wrong one; once it may be chance, always it is not."""
    pairs = [
        (env, last, turn.step.rows[env])
        for turn in rollout.turns
        if turn.step.ended.any()
        for env, last in _final_rows(probe, turn.step).items()
    ]
    if len(pairs) < 2:
        probe.ledger.skip("only one episode has ended: raise steps", "new_episode")
        return
    # Where every episode begins with the same observation, one may well end with it.
    if all(same(last, first) and not same(first, rollout.reset.rows[env]) for env, last, first in pairs):
        env, last, _ = pairs[0]
        expected = "final_obs of the episode that has ended and the observation of a new one"
        raise violation("new_episode", expected, f"{shorten(last)} for both, at every end", env=env)
    probe.ledger.tried("new_episode")


def _check_disabled(rollout: Rollout) -> None:
    for number, turn in enumerate(rollout.turns, 1):
        if turn.reset is not None:
            check_others_stay("disabled", turn.step.rows, turn.reset.rows, turn.step.ended, f"step {number}")


def check_others_stay(rule: str, before: list[Any], after: list[Any], mask: BoolArray, where: str) -> None:
    """See that the environments that are not in the mask show the same observations as before.

    Raises:
        ConformanceError: If one does not.
    """
    for env in np.flatnonzero(~mask).tolist():
        if not same(before[env], after[env]):
            expected = f"the observation to stay {shorten(before[env])}"
            raise violation(rule, expected, shorten(after[env]), env=env, where=f"reset_mask after {where}")


def _check_new_episode(probe: Probe, end: int, ended: BoolArray, outcome: Outcome) -> None:
    if not probe.repeats:
        return  # which has been noted
    if not probe.apart:
        probe.ledger.skip("np_random_seed is not a tuple: environments may share their draws", "new_episode")
        return
    probe.go_to(end)
    check_begun("new_episode", probe, outcome.rows, ended, f"after the episode's end at step {end}")
    probe.ledger.tried("new_episode")


def check_begun(rule: str, probe: Probe, rows: list[Any], mask: BoolArray, where: str) -> None:
    """See that the environments in the mask have begun the episode that a reset of all begins at this point.

    Raises:
        ConformanceError: If one has not.
    """
    expected = probe.reset().rows
    for env in np.flatnonzero(mask).tolist():
        if not same(rows[env], expected[env]):
            text = f"the observation of reset() at this point, {shorten(expected[env])}"
            raise violation(rule, text, shorten(rows[env]), env=env, where=where)


def _check_ended_step(probe: Probe, end: int) -> None:
    if not probe.go_to(end).ended.any():
        probe.ledger.skip("the environments have not ended at the same step again", "ended_step")
        return
    try:
        probe.envs.step(probe.actions[0])
    except Exception:
        probe.ledger.tried("ended_step")
        return
    raise violation("ended_step", "an error", "none", where=f"a step after the episode's end at step {end}")
