"""What the rules are called and say, which of them have been tried, and how a violation reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecbt.errors import ConformanceError

__all__ = ["RULES", "STRICT", "Ledger", "shorten", "violation"]

RULES = {
    "attributes": "num_envs is a whole number of 1 or more, the four spaces are Gymnasium spaces, and a batch of "
    "actions is one action for each environment",
    "autoreset_mode": "metadata['autoreset_mode'] is a gymnasium.vector.AutoresetMode",
    "calls": "reset and step return where they are called as Gymnasium has it",
    "returns": "reset returns (observations, infos); step returns (observations, rewards, terminations, truncations, "
    "infos): rewards a floating array (num_envs,), flags bool arrays (num_envs,), infos a dict",
    "float64": "rewards are float64",
    "observations": "a batch of observations is in observation_space and has a row for each environment",
    "infos": "each key of infos comes with its mask, '_' + key, a bool array (num_envs,), and is an array with a row "
    "for each environment or a dict of such arrays",
    "nested_masks": "the keys of dicts within infos come with their masks too",
    "memory": "what a call returns is the caller's: it shares no memory with the result of another call",
    "actions": "step leaves the caller's actions as they are, and keeps no reference to them",
    "options": "reset leaves the caller's options as they are",
    "seed": "reset(seed=s) and the same actions give the same rollout again",
    "infos_repeat": "reset(seed=s) and the same actions give the same infos again",
    "np_random_seed": "after reset(seed=s) np_random_seed is (s, s + 1, ...)",
    "seeds": "reset(seed=s) is reset(seed=[s, s + 1, ...])",
    "next_step": "NEXT_STEP: the step after an episode's end has the reward 0 and no flag",
    "same_step": "SAME_STEP: the step that ends an episode has final_obs and final_info for exactly the environments "
    "that have ended",
    "disabled": "DISABLED: reset(options={'reset_mask': ended}) leaves all other environments as they are",
    "ended_step": "DISABLED: a step of an environment that has ended and was not reset raises",
    "new_episode": "the observation after an episode's end is the one that a reset gives",
    "reset_after_end": "reset(seed=s) just after an episode's end gives the rollout that it always gives",
    "partial_reset": "reset(options={'reset_mask': mask}) begins new episodes where the mask is True, and leaves all "
    "other environments as they are",
    "wrong_masks": "a reset_mask of a wrong shape or dtype, or without any True, raises",
    "close": "close() may be called again",
    "closed": "after close() the attribute closed is True, and step and reset raise",
}
"""What each rule says, by its name."""

STRICT = ("float64", "nested_masks", "options", "infos_repeat", "ended_step", "wrong_masks", "closed")
"""Rules that Gymnasium's documentation leaves open, and some of its own environments break; tried on request."""


class Ledger:
    """Which rules have been tried, and why the others have not."""

    def __init__(self) -> None:
        self._tried: set[str] = set()
        self._reasons: dict[str, str] = {}

    def tried(self, *rules: str) -> None:
        """Note that rules have been tried."""
        self._tried.update(rules)

    def skip(self, reason: str, *rules: str) -> None:
        """Note why rules cannot be tried."""
        for rule in rules:
            self._reasons.setdefault(rule, reason)

    @property
    def names(self) -> tuple[str, ...]:
        """Rules that have been tried."""
        return tuple(rule for rule in RULES if rule in self._tried)

    @property
    def untried(self) -> dict[str, str]:
        """Why the other rules have not been tried."""
        return {rule: self._reasons[rule] for rule in RULES if rule not in self._tried}


def violation(rule: str, expected: str, got: str, *, env: int | None = None, where: str = "") -> ConformanceError:
    """The error that says which rule is violated, and where."""
    places = [f"environment {env}"] if env is not None else []
    places += [where] if where else []
    at = f" ({', '.join(places)})" if places else ""
    return ConformanceError(f"{rule}: expected {expected}, got {got}{at}. The rule: {RULES[rule]}.")


def shorten(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"{value.dtype} {value.shape} {value.reshape(-1)[:4].tolist()}..."
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else text[:117] + "..."
