"""The slice of a batch whose environments are Gymnasium's, of whatever kind."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import Env, Space
from gymnasium.spaces.utils import is_space_dtype_shape_equiv
from gymnasium.vector import AutoresetMode

from vecbt.arrays import AnyArray
from vecbt.errors import EpisodeError, SpaceMismatchError
from vecbt.shm.actions import ActionLayout
from vecbt.shm.infos import InfoWriter
from vecbt.shm.report import SliceError
from vecbt.shm.spaces import Layout, Write

__all__ = ["EnvPlan", "EnvSlice", "EnvState", "MakeEnvSlice"]

_NOT_BY_CALL = ("reset", "step", "close", "_setattr", "_check_spaces")


@dataclasses.dataclass(frozen=True)
class EnvPlan:
    """What the slices of a batch have in common.

    Attributes:
        env_fns: Make the environments of the whole batch.
        observation_space: Of one environment.
        action_space: Of one environment.
        same: Whether all observation spaces must be equal, or only of equal shapes and dtypes.
        autoreset: What happens when an episode ends.
        observation: How observations lie in the shared arrays; None if they travel as messages.
        final: How those of ended episodes do where the next one begins in the same step; None likewise.
        action: How actions do; None likewise.
    """

    env_fns: Sequence[Callable[[], Env[Any, Any]]]
    observation_space: Space[Any]
    action_space: Space[Any]
    same: bool
    autoreset: AutoresetMode
    observation: Layout | None
    final: Layout | None
    action: ActionLayout | None


@dataclasses.dataclass(frozen=True)
class MakeEnvSlice:
    """Makes a slice in whatever process it is called.

    Attributes:
        plan: What to run.
        kind: `EnvSlice`, or a class derived from it.
    """

    plan: EnvPlan
    kind: Callable[[EnvPlan, Mapping[str, AnyArray], int, int], EnvSlice]

    def __call__(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> EnvSlice:  # noqa: D102
        return self.kind(self.plan, arrays, low, high)


class EnvState:
    """What the next step does with an environment: step it, or one of these things.

    Attributes:
        RUNNING: Step it.
        ENDED: Reset it, or refuse in the mode DISABLED.
        CUT: Say that its episode was cut short, as its process has died.
        FAILED: Refuse, as it has raised and been closed.
    """

    RUNNING, ENDED, CUT, FAILED = range(4)


class EnvSlice:
    """Environments ``low <= index < high`` of a batch; see `vecbt.shm.slices.Slice`.

    An environment that raises is closed, and made anew by the next reset.

    Args:
        plan: What to run.
        arrays: The shared arrays of the batch.
        low: First environment.
        high: Environment after the last.

    Attributes:
        envs: The environments.
    """

    current = -1  # every error names its environment

    def __init__(self, plan: EnvPlan, arrays: Mapping[str, AnyArray], low: int, high: int) -> None:
        self.plan, self.low, self.high = plan, low, high
        self.envs: list[Env[Any, Any]] = []
        self._arrays = arrays
        # Memoryviews take a number in a third of the time that numpy takes.
        self._rewards: Any = arrays["rewards"].data[low:high]
        self._terminated, self._truncated = arrays["terminations"][low:high], arrays["truncations"][low:high]
        self._terminations: Any = self._terminated.data
        self._truncations: Any = self._truncated.data
        self._episodes: Any = arrays["episodes"].data[low:high]
        self._states: Any = arrays["states"].data[low:high]
        self._waiting: Any = arrays["choice_waits"].data[low:high]
        self._final_mask = arrays["final_mask"][low:high]
        self._actions = plan.action.bind(arrays, low, high) if plan.action is not None else None
        self._infos = InfoWriter(arrays, low, high)
        self._restarted: set[int] = set()
        self._choices: dict[int, Mapping[str, Any]] = {}
        self._seeds: dict[int, int | None] = {}  # for environments that take the place of those of a dead process
        # What a call has to say beyond the shared arrays.
        self._observations: list[tuple[int, Any]] = []
        self._rest: list[tuple[int, dict[str, Any]]] = []
        self._errors: list[tuple[int, Exception]] = []
        if plan.observation is not None:
            self._writers = plan.observation.writers(arrays, low, high)
        else:
            self._writers = [self._sender(place) for place in range(high - low)]
        self._final_writers = plan.final.writers(arrays, low, high) if plan.final is not None else []
        try:
            for place in range(high - low):
                self.envs.append(self._make(place))
        except Exception as error:
            with contextlib.suppress(Exception):
                self.close()
            raise SliceError([(low + len(self.envs), error)]) from None
        self._steps = [env.step for env in self.envs]

    def _make(self, place: int) -> Env[Any, Any]:
        env = self.plan.env_fns[self.low + place]()
        expected, given = self.plan.observation_space, env.observation_space
        if not (expected == given if self.plan.same else is_space_dtype_shape_equiv(expected, given)):
            if self.plan.same:
                raise SpaceMismatchError(
                    f"observation_mode='same', and the sub-environments observation spaces are not equivalent. "
                    f"Expected {expected}, got {given}. If this is intentional, use `observation_mode='different'` "
                    f"instead."
                )
            raise SpaceMismatchError(
                f"the sub-environment's observation spaces do not share a common shape and dtype: expected those of "
                f"{expected}, got {given}"
            )
        if env.action_space != self.plan.action_space:
            raise SpaceMismatchError(
                f"expected the action space {self.plan.action_space} of the others, got {env.action_space}: actions "
                f"could not be batched"
            )
        return env

    def _sender(self, place: int) -> Write:
        return lambda observation: self._observations.append((self.low + place, observation))

    # -- the lockstep --------------------------------------------------------------------------------------------------

    def reset(self, argument: Mapping[str, Any]) -> Any:
        """Begin an episode in the environments of ``mask`` with their ``seeds`` and the ``options``."""
        self._begin(argument)
        mask, seeds, options = argument["mask"], argument["seeds"], argument["options"]
        for place in range(self.high - self.low):
            env = self.low + place
            if mask is not None and not mask[env]:
                continue
            try:
                if self._states[place] == EnvState.FAILED:
                    self.envs[place] = self._make(place)
                    self._steps[place] = self.envs[place].step
                given = {"seed": seeds[env], "options": options}
                if self._waiting[place]:
                    chosen = self._take_choice(place)
                    # Of options that hold nothing but a mask, nothing is left.
                    given = {name: chosen[name] if value in (None, {}) else value for name, value in given.items()}
                observation, info = self._reset(place, **given)
                self._writers[place](observation)
                if info:
                    self._tell(place, info)
            except Exception as error:
                self._fail(place, error)
        return self._end()

    def step(self, argument: Mapping[str, Any] | None) -> Any:
        """Step every environment, or reset those whose episode has ended, as the autoreset mode has it."""
        self._begin(argument)
        if argument is not None and argument.get("actions") is not None:
            actions = argument["actions"][self.low - argument["first"] : self.high - argument["first"]]
        else:
            assert self._actions is not None
            actions = self._actions.read()
        self._terminated[:] = False
        self._truncated[:] = False
        rewards, states, place = self._rewards, self._states, -1
        # A few dozen nanoseconds for each of thousands of environments: everything rare is elsewhere.
        for step, action, write in zip(self._steps, actions, self._writers, strict=True):
            place += 1
            try:
                if states[place]:
                    self._step_otherwise(place)
                    continue
                observation, reward, terminated, truncated, info = step(action)
                if terminated or truncated:
                    self._terminations[place] = terminated
                    self._truncations[place] = truncated
                    observation, info = self._end_episode(place, observation, info)
                write(observation)
                rewards[place] = reward
                if info:
                    self._tell(place, info)
            except Exception as error:
                self._fail(place, error)
        return self._end()

    def _step_otherwise(self, place: int) -> None:
        """What a step does with an environment that is not running."""
        if self._states[place] == EnvState.FAILED:
            raise EpisodeError("the environment has raised and has been closed: reset it")
        info: dict[str, Any] = {}
        restarted = place in self._restarted
        cut = self._states[place] == EnvState.CUT
        if not cut:
            observation, info = self._reset(place)
            self._writers[place](observation)
        elif self.plan.autoreset == AutoresetMode.SAME_STEP:
            # The last observation is still in the row; it ends the episode.
            last = self._last_observation(place)
            observation, info = self._end_episode(place, last, {})
            self._writers[place](observation)
        else:
            self._states[place] = EnvState.ENDED
        self._rewards[place] = 0.0
        self._truncations[place] = cut
        if restarted:
            self._restarted.discard(place)
            info = {**info, "worker_restarted": True}
        if info:
            self._tell(place, info)

    def _last_observation(self, place: int) -> Any:
        layout = self.plan.observation
        return None if layout is None else layout.element(self._arrays, self.low + place)

    def _end_episode(self, place: int, observation: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What the step that ends an episode returns."""
        if self.plan.autoreset != AutoresetMode.SAME_STEP:
            self._states[place] = EnvState.ENDED
            return observation, info
        final: dict[str, Any] = {"final_info": info}
        if self.plan.final is not None and self.plan.final.holds(observation):
            self._final_writers[place](observation)
            self._final_mask[place] = True
        else:
            final["final_obs"] = observation
        observation, info = self._reset(place)
        return observation, {**final, **info}

    def _reset(self, place: int, **given: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with nothing given, as it was chosen or else as the environment likes."""
        if not given and self._waiting[place]:
            given = dict(self._take_choice(place))
        number = self._episodes[place] + 1
        if given.get("seed") is not None:
            number = 0
            self._seeds.pop(place, None)
        elif place in self._seeds:
            # A new process goes on from the seed and the number of the episode, whatever has become of the old one.
            seed = self._seeds.pop(place)
            if seed is not None:
                words = np.random.SeedSequence((seed, number)).generate_state(2)
                given = {**given, "seed": int(words[0]) << 31 ^ int(words[1])}
        self._restarted.discard(place)
        observation, info = self.envs[place].reset(**given)
        self._episodes[place] = number
        self._states[place] = EnvState.RUNNING
        return observation, info

    def _take_choice(self, place: int) -> Mapping[str, Any]:
        self._waiting[place] = False
        return self._choices.pop(place)

    def _tell(self, place: int, info: dict[str, Any]) -> None:
        rest = self._infos.write(self.low + place, info)
        if rest:
            self._rest.append((self.low + place, rest))

    def _fail(self, place: int, error: Exception) -> None:
        self._errors.append((self.low + place, error))
        if self._states[place] != EnvState.FAILED:
            self._states[place] = EnvState.FAILED
            with contextlib.suppress(Exception):
                self.envs[place].close()

    def _begin(self, argument: Mapping[str, Any] | None) -> None:
        self._infos.clear()
        if self._final_writers:
            self._final_mask[:] = False
        if argument is None:
            return
        self._infos.learn(argument.get("columns", ()))
        for env, choice in argument.get("choices", {}).items():
            if self.low <= env < self.high:
                self._choices[env - self.low] = choice
                self._waiting[env - self.low] = True

    def _end(self) -> Any:
        """What there is to say; None for nothing."""
        if self._errors:
            errors, self._errors = self._errors, []
            self._observations, self._rest = [], []
            raise SliceError(errors)
        if not self._observations and not self._rest:
            return None
        answer = {"observations": self._observations, "infos": self._rest}
        self._observations, self._rest = [], []
        return answer

    # -- everything else -----------------------------------------------------------------------------------------------

    def recover(self, argument: Mapping[str, Any]) -> None:
        """Show with the next step that the running episodes have been cut short; see `vecbt.shm.slices.Slice`."""
        self._infos.learn(argument["columns"])
        for place in range(self.high - self.low):
            if self._states[place] == EnvState.RUNNING:
                self._states[place] = EnvState.CUT
            self._restarted.add(place)
            self._seeds[place] = argument["seeds"][self.low + place]
            if self._waiting[place]:
                self._choices[place] = argument["choices"][self.low + place]

    def call(self, name: str, argument: Any) -> list[tuple[int, Any]]:
        """Call or read an attribute of environments (``"call"``), or set one (``"set"``).

        Args:
            name: Which of both.
            argument: Environments (None for all), and the name or function, positional and keyword arguments; or the
                name and a value for each environment of the batch.

        Returns:
            The environment and the answer of each.
        """
        if name == "set":
            attribute, values = argument
            return self._each(None, lambda env, index: env.set_wrapper_attr(attribute, values[index]))
        indices, what, args, kwargs = argument
        if what in _NOT_BY_CALL:
            raise ValueError(f"Trying to call function `{what}` with `call`, use `{what}` directly instead.")
        if callable(what):
            return self._each(indices, lambda env, index: what(env, *args, **kwargs))

        def ask(env: Env[Any, Any], index: int) -> Any:
            attribute = env.get_wrapper_attr(what)
            return attribute(*args, **kwargs) if callable(attribute) else attribute

        return self._each(indices, ask)

    def _each(self, indices: Sequence[int] | None, ask: Callable[[Env[Any, Any], int], Any]) -> list[tuple[int, Any]]:
        answers, errors = [], []
        for index, env in enumerate(self.envs, self.low):
            if indices is None or index in indices:
                try:
                    answers.append((index, ask(env, index)))
                except Exception as error:
                    errors.append((index, error))
        if errors:
            raise SliceError(errors)
        return answers

    def close(self) -> None:
        """Close the environments."""
        errors = []
        for place, env in enumerate(self.envs):
            if self._states[place] != EnvState.FAILED:
                try:
                    env.close()
                except Exception as error:
                    errors.append((self.low + place, error))
        if errors:
            raise SliceError(errors)
