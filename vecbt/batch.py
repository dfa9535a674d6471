"""A batch of trading environments on shared buffers, whatever runs it: what the vector and the single env share."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.choices import Choices
from vecbt.data.generated.feed import TrialFeed
from vecbt.errors import ActionError, EpisodeError
from vecbt.kernels.account import summarize
from vecbt.kernels.layout import Autoreset, Choice, Clock, Phase, Reason, Stat
from vecbt.kernels.take import take_codes, take_weights
from vecbt.named_actions import NamedActions
from vecbt.plan import Plan
from vecbt.render.record import Recorder
from vecbt.results import Results
from vecbt.runner import Runner
from vecbt.settings import check_unsigned
from vecbt.spaces import ActionDictSpace
from vecbt.trials import TrialKeeper

__all__ = ["Batch"]

_STAT_CLOCKS = {
    Stat.L: Clock.STEP,
    Stat.EPISODE: Clock.EPISODE,
    Stat.START: Clock.START,
    Stat.END: Clock.BAR,
}


class Batch:
    """Seeds and actions of N environments, and what keeps calls in their order.

    Args:
        plan: What the environments are.
        num_envs: How many.
        runner: Brings them forward.
        arrays: The buffers that the runner reads and writes.
        feed: Provides the trials where they are generated.

    Attributes:
        results: What the last call has come to.
        any_ended: Whether an episode has ended with the last step, or been stopped after it.
        recorder: Records the episodes for pictures of them; None where nobody draws.
    """

    def __init__(
        self,
        plan: Plan,
        num_envs: int,
        runner: Runner,
        arrays: Mapping[str, AnyArray],
        feed: TrialFeed | None = None,
    ) -> None:
        self.plan, self.num_envs, self.runner = plan, num_envs, runner
        self.arrays = arrays
        self._feed = feed
        self._trials = TrialKeeper(plan.table, arrays)
        self._next = Choices(plan.table.trials, arrays, generated=feed is not None)
        self._phase: IntArray = arrays["clock"][:, Clock.PHASE]
        self._all = np.ones(num_envs, bool)
        self._all.setflags(write=False)
        self._broken = False
        self._seeded = False  # every environment has a seed, or one that waits for its first reset
        self._started = False  # every environment has had its first reset
        self._stopped = False  # some may have ended without a step that has shown it
        self.any_ended = False
        self._choices = plan.action_space.n if isinstance(plan.action_space, spaces.Discrete) else 0
        if isinstance(plan.action_space, spaces.MultiDiscrete):
            self._choices = int(plan.action_space.nvec[0])
        space = plan.action_space
        assets = plan.table.bars.assets
        self._named = NamedActions(space, assets) if isinstance(space, ActionDictSpace) else None
        self._assets = plan.assets
        self._actions = arrays["actions"].reshape(-1)  # a view
        one_column = self._choices and self._assets == 1
        self._action_shape = (num_envs,) if one_column else (num_envs, self._assets)
        self.results = Results(plan, num_envs, runner, arrays)
        self.recorder: Recorder | None = None

    @property
    def started(self) -> bool:
        """Whether every environment has had its first reset, and no error has interrupted a call since the last one."""
        return self._started and not self._broken

    # -- reset ---------------------------------------------------------------------------------------------------------

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each environment's present episode; None before the first reset."""
        if not self._started:
            return (None,) * self.num_envs
        return tuple(low | high << 64 for low, high in self.arrays["seeds"].tolist())

    @property
    def interrupted(self) -> bool:
        """Whether an error has left the environments in the middle of a call, so that all have to be reset."""
        return self._broken

    def set_next_reset(self, envs: IntArray, seeds: Sequence[int | None], asked: IntArray) -> None:
        """Say what the next reset of some environments is given, whatever brings it about.

        Args:
            envs: int64 (n,), the environments.
            seeds: A seed for each of them, or None to leave it at what has been said before.
            asked: int64 (4, n), their options, see `vecbt.choices.as_columns`.

        Raises:
            ConfigError: If a seed or an option is invalid.
            EpisodeError: If an error has interrupted the environments.
        """
        self._check_whole()
        new = _checked((env, seed) for env, seed in zip(envs.tolist(), seeds, strict=True) if seed is not None)
        self._next.put_options(envs, self._next.check_options(envs, asked))
        self._next.put_seeds(new)
        if self._feed is not None:
            self._feed.order(envs)

    def reset(self, seeds: Sequence[int | None], mask: BoolArray | None, asked: IntArray | None) -> None:
        """Begin new episodes.

        Args:
            seeds: A seed for each environment, or None to go on with its own.
            mask: Which environments to reset; None for all.
            asked: int64 (4, N), the options of each, see `vecbt.choices.as_columns`; None for none.

        Raises:
            ConfigError: If a seed or an option is invalid.
            ExhaustedError: If there are no trials left.
        """
        chosen = self._all if mask is None else mask
        if (self._broken or not self._started) and not chosen.all():
            raise EpisodeError("environments that are not in reset_mask have no episode to go on with: reset all")
        # Everything is checked before anything is changed: a refused reset leaves the episodes as they are.
        new = _checked((env, seed) for env, seed in enumerate(seeds) if seed is not None and chosen[env])
        if self._broken:
            self.runner.settle()
        envs = np.flatnonzero(chosen)
        options = None if asked is None else self._next.check_options(envs, asked[:, envs])
        if self._trials.finite:
            self._require_trials(envs, set(new), options)
        if options is not None:
            self._next.put_options(envs, options)
        self._next.put_seeds(new)
        if not self._seeded:
            unseeded = np.flatnonzero(~self._next.has_seed).tolist()
            self._next.put_seeds({env: secrets.randbits(63) for env in unseeded})
            self._seeded = True
        if self._feed is not None:
            self._feed.before_reset(chosen)
        self.arrays["mask"][:] = chosen
        self._broken = True
        self.runner.reset()
        self._broken = False
        self._started = True
        if self.recorder is not None:
            self.recorder.reset(np.flatnonzero(chosen), self.arrays, self.runner.outputs)
        if self._feed is not None:
            self._feed.after_reset(chosen)

    def stop(self, envs: IntArray) -> None:
        """End the episodes of environments where they stand.

        Args:
            envs: int64 (n,), the environments; those without a running episode stay as they are.

        Raises:
            EpisodeError: If an error has interrupted the environments.
        """
        self._check_whole()
        running = envs[np.isin(self._phase[envs], (Phase.RUNNING, Phase.CLOSING))]
        self._phase[running] = int(Phase.ENDED)
        moved = running[self.arrays["clock"][running, Clock.STEP] > 0]  # of no bar there are no statistics
        for env in moved.tolist():
            self._summarize(env)
        self.runner.conclude(moved)
        self._stopped = self.plan.autoreset != Autoreset.NEXT_STEP
        self.any_ended |= bool(running.size)

    def _summarize(self, env: int) -> None:
        stat, clock = self.arrays["stats"][env], self.arrays["clock"][env]
        in_python: Any = summarize.py_func  # type: ignore[attr-defined]  # too rare to be compiled for
        in_python(stat, self.arrays["rows"][env], self.arrays["track"][env], self.plan.params, self._assets)
        stat[Stat.REASON] = clock[Clock.REASON] = Reason.STOPPED
        for column, source in _STAT_CLOCKS.items():
            stat[column] = clock[source]
        stat[Stat.TRIAL], stat[Stat.TRIAL_TYPE], stat[Stat.SAMPLE_TYPE] = self._trials.place(clock[Clock.TRIAL])
        if clock[Clock.BAR] >= self.plan.table.slots.stored:
            stat[Stat.START] = stat[Stat.END] = -1
            stat[Stat.TRIAL] = clock[Clock.EPISODE]

    def _require_trials(self, envs: IntArray, seeded: set[int], options: IntArray | None) -> None:
        """Make sure that there is a trial for each of these environments, which are to be reset."""
        self._trials.look_at_clock()
        begins_anew = self._next.has_seed[envs] | np.isin(envs, list(seeded)) | (not self._seeded)
        numbers = np.where(begins_anew, 0, self.arrays["clock"][envs, Clock.EPISODE] + 1)
        if options is None:
            sections, chosen = self.arrays["section"][envs], self.arrays["choices"][envs, Choice.TRIAL]
        else:
            sections, chosen = options[0], options[1]
        self._trials.require(envs, numbers, sections, chosen)

    def _check_whole(self) -> None:
        if self._broken:
            raise EpisodeError("an error has interrupted the environments in the middle of a call: reset() them all")

    def stat(self, env: int | None) -> list[dict[str, Any] | None]:
        """The last ended episodes; see `vecbt.vector.TradingVectorEnv.get_stat`.

        Raises:
            EpisodeError: If an error has interrupted the environments.
        """
        self._check_whole()
        return self.results.stat(env)

    # -- step ----------------------------------------------------------------------------------------------------------

    def step(self, actions: Any) -> None:
        """Take a step.

        Raises:
            ActionError: If an action is not in the action space; nothing has moved then.
            EpisodeError: If an environment has not been reset, or has ended and the mode does not reset it.
            ExhaustedError: If there are no trials left for an episode that begins with this step.
        """
        self._take_actions(actions)
        self.advance()

    def take_choice(self, choice: int) -> bool:
        """Take the only environment's action, a whole number; False if it is none of its action space."""
        if 0 <= choice < self._choices:
            self._actions[0] = choice
            return True
        return False

    def advance(self) -> None:
        """Take a step with the actions that have been taken."""
        self._check_whole()
        if not self._started:
            raise EpisodeError("step() before reset(): call reset() first")
        if self._stopped or (self.any_ended and self.plan.autoreset == Autoreset.DISABLED):
            self._refuse_ended()
        if self._trials.finite:
            self._trials.look_at_clock()
            if self.plan.autoreset != Autoreset.DISABLED:
                self._trials.require_next()
        if self._feed is not None:
            self._feed.before_step(self.any_ended)
        self._broken = True
        self.runner.step()
        self._broken = False
        outputs = self.runner.outputs
        # count_nonzero takes a sixth of the time of any()
        self.any_ended = bool(np.count_nonzero(outputs["terminations"]) or np.count_nonzero(outputs["truncations"]))
        if self._trials.moving:
            self._trials.advance_clock(np.flatnonzero(outputs["terminations"] | outputs["truncations"]))
        if self.recorder is not None:
            self.recorder.step(self.arrays, outputs, self.plan.autoreset == Autoreset.SAME_STEP)
        if self._feed is not None:  # after the recorder, which may look at bars of ended episodes
            ended = outputs["terminations"] | outputs["truncations"] if self.any_ended else None
            self._feed.after_step(ended)

    def close(self) -> None:
        """Release everything; may be called again."""
        try:
            self.runner.close()
        finally:
            if self._feed is not None:
                self._feed.close()

    def _refuse_ended(self) -> None:
        ended = np.flatnonzero(self._phase == int(Phase.ENDED)).tolist()
        if ended:
            why = "they have been stopped" if self._stopped else "the autoreset mode is DISABLED"
            raise EpisodeError(
                f"step() after the episode's end in environments {_some(ended)}: {why}, so reset them with "
                f'options={{"reset_mask": ...}}'
            )
        self._stopped = False

    def _take_actions(self, actions: Any) -> None:
        if self._named is not None:
            self._named.take(actions, self.arrays["actions"])
            return
        given = np.asarray(actions)
        size = self.num_envs * self._assets
        if given.shape != self._action_shape and (given.shape != (size, 1) or self._assets > 1):
            raise ActionError(
                f"actions must have the shape {self._action_shape}, one for each environment, got {given.shape}"
            )
        kinds = "iu" if self._choices else "fiu"
        if given.dtype.kind not in kinds:
            expected = f"whole numbers below {self._choices}" if self._choices else "numbers from -1 to 1"
            raise ActionError(f"actions must be {expected}, got dtype {given.dtype}")
        if self._choices:
            wrong = take_codes(given.astype(np.int64, copy=False).reshape(-1), self._actions, self._choices)
        else:
            wrong = take_weights(given.astype(np.float64, copy=False).reshape(-1), self._actions)
        if wrong >= 0:
            allowed = f"0 to {self._choices - 1}" if self._choices else "-1 to 1"
            of = f", asset {wrong % self._assets}" if self._assets > 1 else ""
            value = given.reshape(-1)[wrong].item()
            raise ActionError(f"action {value!r} of environment {wrong // self._assets}{of} is not in {allowed}")


def _checked(seeds: Iterable[tuple[int, int]]) -> dict[int, int]:
    return {env: check_unsigned(f"environment {env}'s seed", seed, bits=128) for env, seed in seeds}


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"
