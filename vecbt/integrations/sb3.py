"""Stable-Baselines3 on batches of environments: ``pip install "vecbt[sb3]"``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

import vecbt
from vecbt.arrays import AnyArray, BoolArray
from vecbt.errors import ConfigError, MissingExtraError
from vecbt.integrations.infos import take_infos, take_observation

try:
    from stable_baselines3.common.env_util import is_wrapped
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import VecEnv
except ModuleNotFoundError as error:
    raise MissingExtraError.of("vecbt.integrations.sb3", "stable-baselines3", "sb3") from error

__all__ = ["SB3VecEnv"]

_ARRAYS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_FINAL = ("final_obs", "final_info")


class SB3VecEnv(VecEnv):
    """A `stable_baselines3.common.vec_env.VecEnv` that steps a vector environment of Gymnasium's interface.

    Args:
        envs: A batch in the autoreset mode SAME_STEP, such as `vecbt.make_vec` makes; or functions that make one
            environment each, which then run in the processes of a `vecbt.SharedMemoryVectorEnv`: with these it takes
            the place of ``SubprocVecEnv``.
        start_method: Start method of those processes; None for the one that suits the system.

    Raises:
        ConfigError: If the batch is in another mode, or does not return what Stable-Baselines3 needs.

    **Infos.** On the step that ends an episode the environment's info holds ``terminal_observation`` and
    ``TimeLimit.truncated``; ``reset_infos`` has the infos of the last resets. Beyond that:

    * With functions, every environment has its own info in every step.
    * With a batch of `vecbt.make_vec`, the environments whose episodes go on share one empty dictionary, new in every
      step, which is not to be written to: thousands of dictionaries would cost more than the step. The last info of an
      episode holds the info columns, ``episode_stats``, and ``episode``, the return, length and seconds that
      Stable-Baselines3 logs and evaluates by; so ``env_is_wrapped(Monitor)`` is true of such a batch, and a
      ``VecMonitor`` around it is superfluous. The columns of all environments are in ``batch_infos``.

    **Single environments.** `get_attr`, `set_attr`, `env_method` and `env_is_wrapped` reach environments that were
    made by functions. The rows of any other batch are no objects of their own: `get_attr` gives the batch's attribute
    for each of them, `set_attr` and `env_method` raise.

    Attributes:
        vector_env: The batch.
        batch_infos: Infos of the last step or reset, as the batch gave them.

    Example:
        >>> import vecbt
        >>> from vecbt.integrations.sb3 import SB3VecEnv
        >>> market = vecbt.data.synthetic_market(3_000, seed=0)
        >>> envs = vecbt.make_vec(market, num_envs=64, flatten=True, autoreset_mode="SameStep")
        >>> vec_env = SB3VecEnv(envs)
        >>> vec_env.seed(0)[:3]
        [0, 1, 2]
        >>> vec_env.reset().shape
        (64, 120)
        >>> observations, rewards, dones, infos = vec_env.step([1] * 64)
        >>> rewards.dtype, dones.dtype, len(infos)
        (dtype('float32'), dtype('bool'), 64)
        >>> vec_env.close()
    """

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any] | Sequence[Callable[[], gymnasium.Env[Any, Any]]],
        start_method: str | None = None,
    ) -> None:
        if isinstance(envs, VectorEnv):
            if start_method is not None:
                raise ConfigError(
                    f"start_method goes with functions that make environments, got {start_method!r} with a "
                    f"{type(envs).__name__}, which has been started: leave it out"
                )
            _check(envs)
            self.vector_env: Any = envs
        else:
            self.vector_env = vecbt.SharedMemoryVectorEnv(
                list(envs), context=start_method, autoreset_mode=AutoresetMode.SAME_STEP
            )
        self.batch_infos: dict[str, Any] = {}
        inner = self.vector_env.unwrapped
        self._is_trading = isinstance(inner, vecbt.TradingVectorEnv)
        self._tells_episodes = isinstance(inner, vecbt.TradingVectorEnv) and inner.config.infos != "none"
        self._call_on: Callable[..., tuple[Any, ...]] | None = getattr(self.vector_env.unwrapped, "call_on", None)
        self._is_async = hasattr(self.vector_env, "step_async")  # not with a wrapper, which takes part in step() alone
        self._started = False
        self._actions: Any = None
        self._made = time.monotonic()
        observation_space, action_space = self.vector_env.single_observation_space, self.vector_env.single_action_space
        super().__init__(self.vector_env.num_envs, observation_space, action_space)

    # -- reset and step ------------------------------------------------------------------------------------------------

    def reset(self) -> Any:
        """Begin new episodes everywhere, with the seeds and options set before; these are used once.

        Returns:
            Observations.
        """
        seeds = None if all(seed is None for seed in self._seeds) else list(self._seeds)
        first = self._options[0]
        if all(options == first for options in self._options):
            observations, self.batch_infos = self.vector_env.reset(seed=seeds, options=dict(first) or None)
            self.reset_infos = take_infos(self.batch_infos, np.arange(self.num_envs))
        else:
            if not (self._started or self._call_on):
                self.vector_env.reset(seed=seeds)  # rows of a batch cannot wait for their first episode
            observations = self._reset_by_options(seeds)
        self._started = True
        self._reset_seeds()
        self._reset_options()
        return observations

    def _reset_by_options(self, seeds: list[int | None] | None) -> Any:
        """Reset those together that have the same options; all others stay as they are meanwhile."""
        observations = None
        waiting = np.ones(self.num_envs, bool)
        while waiting.any():
            options = self._options[int(waiting.argmax())]
            chosen = np.array([other == options for other in self._options])
            observations, self.batch_infos = self.vector_env.reset(
                seed=seeds, options={**options, "reset_mask": chosen}
            )
            rows = np.flatnonzero(chosen)
            for row, info in zip(rows.tolist(), take_infos(self.batch_infos, rows), strict=True):
                self.reset_infos[row] = info
            waiting &= ~chosen
        return observations

    def step_async(self, actions: Any) -> None:
        """Begin a step.

        Args:
            actions: One for each environment.
        """
        space = self.action_space
        if isinstance(space, _ARRAYS):
            actions = np.asarray(actions)
        else:
            together: Any = create_empty_array(space, self.num_envs)
            actions = concatenate(space, actions, together)
        if self._is_async:
            self.vector_env.step_async(actions)
        else:
            self._actions = actions

    def step_wait(self) -> tuple[Any, AnyArray, BoolArray, list[dict[str, Any]]]:
        """Finish the step.

        Returns:
            Observations, rewards (float32), whether episodes have ended (bool), and infos.
        """
        envs = self.vector_env
        results = envs.step_wait() if self._is_async else envs.step(self._actions)
        observations, rewards, terminations, truncations, self.batch_infos = results
        dones = terminations | truncations
        infos = self._going_on()
        if dones.any():
            self._add_ends(infos, np.flatnonzero(dones), truncations & ~terminations)
        return observations, rewards.astype(np.float32), dones, infos

    def _going_on(self) -> list[dict[str, Any]]:
        if self._is_trading:
            return [{}] * self.num_envs
        infos = take_infos(self._without_finals(), np.arange(self.num_envs))
        for info in infos:
            info["TimeLimit.truncated"] = False
        return infos

    def _without_finals(self) -> dict[str, Any]:
        """The infos of steps, and where an episode has ended, of the reset that followed."""
        return {name: values for name, values in self.batch_infos.items() if name not in _FINAL}

    def _add_ends(self, infos: list[dict[str, Any]], ended: Any, truncated: BoolArray) -> None:
        """Put in the infos of episodes that have ended."""
        resets = take_infos(self._without_finals(), ended)
        finals = take_infos(self.batch_infos["final_info"], ended)
        observations = self.batch_infos["final_obs"]
        seconds = time.monotonic() - self._made
        for row, reset, final in zip(ended.tolist(), resets, finals, strict=True):
            final["terminal_observation"] = take_observation(observations, row)
            final["TimeLimit.truncated"] = bool(truncated[row])
            if self._tells_episodes:
                stats = final["episode_stats"]
                final["episode"] = {"r": stats["r"], "l": stats["l"], "t": seconds}
            infos[row] = final
            self.reset_infos[row] = reset

    def close(self) -> None:
        """Close the batch; may be called again."""
        self.vector_env.close()

    # -- single environments -------------------------------------------------------------------------------------------

    def get_images(self) -> Sequence[AnyArray | None]:
        """A picture of each environment; a warning and Nones if the render mode is another than ``"rgb_array"``."""
        if self.render_mode != "rgb_array":
            warnings.warn(f"pictures need the render mode 'rgb_array', got {self.render_mode!r}", stacklevel=2)
            return [None] * self.num_envs
        return list(self.vector_env.render() or ())

    def has_attr(self, attr_name: str) -> bool:
        """Whether every environment has an attribute."""
        if self._call_on:
            return all(self._call_on(self._rows(None), "has_wrapper_attr", attr_name))
        return hasattr(self.vector_env, attr_name)

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """An attribute of each environment.

        Raises:
            AttributeError: If there is none of that name.
        """
        rows = self._rows(indices)
        if self._call_on:
            return list(self._call_on(rows, "get_wrapper_attr", attr_name))
        return [getattr(self.vector_env, attr_name)] * len(rows)

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Set an attribute of each environment, of its outermost wrapper.

        Raises:
            AttributeError: If the batch has no environments of their own.
        """
        self._reach(f"attribute {attr_name!r} to set")(self._rows(indices), setattr, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: int | Iterable[int] | None = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each environment.

        Raises:
            AttributeError: If there is none of that name, or the batch has no environments of their own.
        """
        call_on = self._reach(f"method {method_name!r} to call")
        return list(call_on(self._rows(indices), method_name, *method_args, **method_kwargs))

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """Whether each environment has a wrapper of a class; of a batch of `vecbt.make_vec` it is true of ``Monitor``.

        Of any other batch whose environments cannot be reached it is not true.
        """
        rows = self._rows(indices)
        if self._call_on:
            return list(self._call_on(rows, is_wrapped, wrapper_class))
        return [self._tells_episodes and wrapper_class is Monitor] * len(rows)

    def _rows(self, indices: int | Iterable[int] | None) -> list[int]:
        """Numbers of the environments that are meant, negative ones counted from the end."""
        every = range(self.num_envs)
        if indices is None:
            return list(every)
        return [every[index] for index in ([indices] if isinstance(indices, int | np.integer) else indices)]

    def _reach(self, what: str) -> Callable[..., tuple[Any, ...]]:
        if self._call_on is None:
            raise AttributeError(
                f"the environments of a {type(self.vector_env).__name__} have no {what}: they are rows of a batch. "
                f"Environments that can be reached are made by SB3VecEnv([function, ...])"
            )
        return self._call_on


def _check(envs: VectorEnv[Any, Any, Any]) -> None:
    """Refuse a batch whose results Stable-Baselines3 would take for something else."""
    name = type(envs).__name__
    mode = envs.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.SAME_STEP:
        raise ConfigError(
            f"Stable-Baselines3 needs a batch in the autoreset mode SAME_STEP, got a {name} in "
            f"{getattr(mode, 'name', mode)}: make it with autoreset_mode='SameStep'"
        )
    inner = envs.unwrapped
    config = getattr(inner, "config", None)
    if not getattr(config, "copy", True) or not getattr(inner, "copy", True):
        raise ConfigError(
            f"Stable-Baselines3 reads observations after the next step, got a {name} that overwrites them: make it "
            f"with copy=True"
        )
