"""Calls of an environment, each checked for what holds of all of them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from vecbt.arrays import AnyArray, BoolArray
from vecbt.testing.vector_checks.compare import leaves, rows_of, same
from vecbt.testing.vector_checks.memory import Watch, shared
from vecbt.testing.vector_checks.returned import Form
from vecbt.testing.vector_checks.rules import Ledger, shorten, violation

__all__ = ["Outcome", "Probe", "Rollout", "Turn"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A copy of what a call has returned.

    Attributes:
        rows: The observation of each environment.
        infos: The infos.
        rewards: The rewards; zeros after a reset.
        terminations: The first flags.
        truncations: The second flags.
    """

    rows: list[Any]
    infos: dict[str, Any]
    rewards: AnyArray
    terminations: BoolArray
    truncations: BoolArray

    @property
    def ended(self) -> BoolArray:
        """Which episodes have ended."""
        return self.terminations | self.truncations


@dataclasses.dataclass(frozen=True)
class Turn:
    """A step, and the reset of ended environments that it calls for in the mode DISABLED."""

    step: Outcome
    reset: Outcome | None = None

    @property
    def rows(self) -> list[Any]:
        """The observations to act on."""
        return (self.reset or self.step).rows


@dataclasses.dataclass(frozen=True)
class Rollout:
    """A reset and the turns after it."""

    reset: Outcome
    turns: list[Turn]


class Probe:
    """An environment under examination.

    Args:
        envs: The environments.
        seed: Of every rollout.
        actions: Batches of actions for the longest rollout.
        copies: Whether observations and infos are to be the caller's.
        strict: Whether to try the rules that Gymnasium leaves open.
        ledger: Gets the rules that have been tried.
    """

    def __init__(
        self, envs: Any, *, seed: int, actions: Sequence[Any], copies: bool, strict: bool, ledger: Ledger
    ) -> None:
        self.envs, self.seed, self.actions, self.strict, self.ledger = envs, seed, actions, strict, ledger
        self.num_envs = int(envs.num_envs)
        self.mode: AutoresetMode = envs.metadata["autoreset_mode"]
        self.copies = copies
        self.repeats = not getattr(envs.spec, "nondeterministic", False)
        self.apart = False  # whether each environment has a seed of its own: found by the first rule on seeds
        self._form, self._watch = Form(envs, strict, ledger), Watch(copies)
        self._where, self._steps = "", 0

    @property
    def never_ended(self) -> str:
        """Why rules about ends cannot be tried where there are none."""
        return f"no episode has ended before the last of {len(self.actions)} steps of random actions: raise steps"

    # -- calls ---------------------------------------------------------------------------------------------------------

    def reset(self, seed: Any = None, mask: BoolArray | None = None) -> Outcome:
        """Call reset."""
        self._steps = 0
        given = ["" if seed is None else f"seed={seed}", "" if mask is None else f"reset_mask={mask.tolist()}"]
        self._where = f"reset({', '.join(filter(None, given))})"
        options = None if mask is None else {"reset_mask": mask.copy()}
        result = self._try(lambda: self.envs.reset(seed=seed, options=options))
        if self.strict and mask is not None:
            if not same(options, {"reset_mask": mask}):
                raise violation("options", shorten({"reset_mask": mask}), shorten(options), where=self._where)
            self.ledger.tried("options")
        return self._take("reset", result)

    def step(self, number: int, *, overwrite: bool = False) -> Outcome:
        """Call step with the actions of this number; overwrite them afterwards, as a caller may."""
        self._steps += 1
        where = f"step {self._steps} after {self._where}"
        given = copy.deepcopy(self.actions[number])
        result = self._try(lambda: self.envs.step(given), where)
        if not same(given, self.actions[number]):
            raise violation("actions", shorten(self.actions[number]), f"{shorten(given)} after the call", where=where)
        outcome = self._take("step", result, where)
        arrays = list(leaves(given, "actions"))
        if self.copies:
            pair = shared(list(leaves(result, "result")), arrays)
            if pair:
                raise violation("actions", f"{pair[0]} in memory of its own", "that of the actions", where=where)
        if overwrite:
            others = leaves(self.actions[(number + 1) % len(self.actions)])
            for (_, array), (_, other) in zip(arrays, others, strict=False):
                if array.shape == other.shape:  # graphs and the like have as many parts as they please
                    array[...] = other
        return outcome

    def _try(self, call: Callable[[], Any], where: str = "") -> Any:
        try:
            return call()
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            raise violation("calls", "the call to return", got, where=where or self._where) from error

    def _take(self, method: str, result: Any, where: str = "") -> Outcome:
        parts = self._form.check(method, result, where or self._where)
        self._watch.see(where or self._where, parts)
        self.ledger.tried("calls")
        nothing = np.zeros(self.num_envs, bool)
        parts = {"rewards": nothing.astype(float), "terminations": nothing, "truncations": nothing} | parts
        # Copies: whether the environment changes them later is a rule of its own.
        parts = copy.deepcopy(parts)
        return Outcome(rows_of(self.envs.observation_space, parts.pop("observations")), **parts)

    # -- rollouts ------------------------------------------------------------------------------------------------------

    def turn(self, number: int, *, overwrite: bool = False) -> Turn:
        """A step and what it calls for."""
        outcome = self.step(number, overwrite=overwrite)
        if self.mode is AutoresetMode.DISABLED and outcome.ended.any():
            steps, where = self._steps, self._where
            turn = Turn(outcome, self.reset(mask=outcome.ended))
            self._steps, self._where = steps, where
            return turn
        return Turn(outcome)

    def rollout(self, seed: Any, steps: int | None = None, *, overwrite: bool = False) -> Rollout:
        """A seeded reset and so many turns, all there are actions for by default."""
        first = self.reset(seed)
        count = len(self.actions) if steps is None else min(steps, len(self.actions))
        rollout = Rollout(first, [self.turn(number, overwrite=overwrite) for number in range(count)])
        self.settle()
        return rollout

    def settle(self) -> None:
        """See that no result has changed since it was returned."""
        self._watch.settle()
        self.ledger.tried("memory")

    def go_to(self, step: int) -> Outcome:
        """Bring the rollout up to a step, of 1 or more, without the reset that this one may call for."""
        self.reset(self.seed)
        for number in range(step - 1):
            self.turn(number)
        return self.step(step - 1)
