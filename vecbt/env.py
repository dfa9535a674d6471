"""A single trading environment behind Gymnasium's interface."""

from __future__ import annotations

import operator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from vecbt.choices import as_columns
from vecbt.config import EnvConfig
from vecbt.errors import ActionError, ClosedError, EpisodeError
from vecbt.kernels.layout import Autoreset
from vecbt.render import FRAMES_PER_SECOND, RENDER_MODES, check_render_mode, drawn, open_renderer
from vecbt.results import unbatched
from vecbt.spaces import ActionDictSpace

__all__ = ["TradingEnv"]


class TradingEnv(gymnasium.Env[Any, Any]):
    """One trading environment: the batch of `vecbt.make_vec` with a single member, in the calling process.

    Spaces, rewards, infos and the end of an episode are those of `vecbt.vector.TradingVectorEnv`, without the
    dimension of the batch; infos hold plain numbers. Its observations are copies.

    Args:
        data: See `vecbt.make_vec`.
        engine: See `vecbt.make_vec`.
        render_mode: ``"rgb_array"`` for pictures, see `render`; None for none.
        **env_config: The fields of `vecbt.EnvConfig`.

    Attributes:
        num_trials: See `vecbt.vector.TradingVectorEnv`.

    Example:
        >>> import gymnasium, vecbt
        >>> market = vecbt.data.synthetic_market(2_000, seed=0)
        >>> env = gymnasium.make("vecbt/Trading-v0", data=market, episode_steps=100)
        >>> observation, info = env.reset(seed=3)
        >>> observation, reward, terminated, truncated, info = env.step(1)
        >>> info["position"] > 0
        True
        >>> env.close()
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": FRAMES_PER_SECOND,
    }

    def __init__(self, data: Any, *, engine: str = "auto", render_mode: str | None = None, **env_config: Any) -> None:
        from vecbt.engines import open_batch
        from vecbt.shm.options import WorkerOptions

        check_render_mode(render_mode)
        self.render_mode = render_mode
        env_config["copy"] = True  # observations of two calls must not share memory
        self._batch = open_batch(
            data,
            num_envs=1,
            engine=engine,
            autoreset=Autoreset.DISABLED,
            workers=WorkerOptions(num_workers=0),
            settings=env_config,
        )
        plan = self._batch.plan
        self.config: EnvConfig = plan.config
        self.observation_space = plan.observation_space
        self.action_space = plan.action_space
        self.num_trials = plan.table.num_trials
        self._closed = self._ended = False
        self._renderer = None if render_mode is None else open_renderer(self._batch)
        # Whether infos are the columns of a single asset and nothing else.
        self._shows_columns = self.config.infos == "full" and plan.assets == 1 and not plan.info_keys

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode.

        Args:
            seed: Seed of the draws of episodes; without one the count of episodes goes on.
            options: ``trial_type``, ``sample_type``, ``trial`` and ``start``: which episode it is, see
                `vecbt.vector.TradingVectorEnv.set_next_reset`.

        Returns:
            Observation and info.
        """
        self._check_open()
        asked = as_columns(options, 1) if options else None
        super().reset(seed=seed)
        if seed is None and self._batch.seeds[0] is None:
            seed = self.np_random_seed  # drawn by Gymnasium
        self._batch.reset([seed], None, asked)
        self._ended = False
        results = self._batch.results
        return _first(self.observation_space, results.observation()), unbatched(results.infos(False, np.ones(1, bool)))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            ActionError: If the action is not in the action space.
            EpisodeError: If the environment has not been reset, or its episode has ended.
        """
        self._check_open()
        batch = self._batch
        if self._ended:
            raise EpisodeError("step() after the episode's end: call reset() first")
        if _is_whole(action) and batch.take_choice(operator.index(action)):
            batch.advance()
        elif isinstance(self.action_space, ActionDictSpace):
            batch.step(action)
        else:
            given = np.asarray(action)
            if given.shape != self.action_space.shape:
                raise ActionError(f"an action must have the shape {self.action_space.shape}, got {given.shape}")
            batch.step(given.reshape(1, -1))
        outputs = batch.runner.outputs
        terminated, truncated = outputs["terminations"].item(), outputs["truncations"].item()
        self._ended = terminated or truncated
        observation = _first(self.observation_space, batch.results.observation())
        return observation, outputs["rewards"].item(), terminated, truncated, self._info()

    def _info(self) -> dict[str, Any]:
        batch = self._batch
        if self._ended or not self._shows_columns:
            return unbatched(batch.results.infos(self._ended))
        # Four times as quick as to take the batch's infos apart.
        outputs = batch.runner.outputs
        cash, value, drawdown, costs, position, position_price = outputs["info_floats"][:, 0].tolist()
        bar, start, timestamp = outputs["info_ints"][:, 0].tolist()
        return {
            "cash": cash,
            "value": value,
            "drawdown": drawdown,
            "costs": costs,
            "bar": bar,
            "start": start,
            "timestamp": timestamp,
            "position": position,
            "position_price": position_price,
            "order_status": outputs["order_status"].item(),
        }

    def get_stat(self) -> dict[str, Any] | None:
        """The last episode that has ended; see `vecbt.vector.TradingVectorEnv.get_stat`."""
        self._check_open()
        return self._batch.stat(0)[0]

    def render(self, mode: str = "human") -> Any:
        """Draw the environment, see `vecbt.vector.TradingVectorEnv.render`.

        Wrappers pass no argument on: `gymnasium.Env.unwrapped` takes one.

        Args:
            mode: What to draw.

        Returns:
            uint8 (H, W, 3).

        Raises:
            ConfigError: Without a ``render_mode``.
            UnknownNameError: If there is no such mode.
            EpisodeError: If there is nothing to draw yet.
        """
        self._check_open()
        return drawn(self._renderer, [0], mode)[0]

    def close(self) -> None:
        """Release what the environment holds; may be called again."""
        if not self._closed:
            self._closed = True
            self._batch.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the environment has been closed; make a new one")


def _first(space: gymnasium.Space[Any], observations: Any) -> Any:
    """The observation of the only environment."""
    if type(observations) is dict:
        return {key: _first(space[key], part) for key, part in observations.items()}  # type: ignore[index]
    # A number in a Box is an array without dimensions, in a Discrete a scalar.
    return observations[0] if observations.ndim > 1 or isinstance(space, spaces.Discrete) else observations[0, ...]


_WHOLE = (int, np.integer)


def _is_whole(action: Any) -> bool:
    return isinstance(action, _WHOLE) and not isinstance(action, bool)
