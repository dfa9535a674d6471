"""What a Backtrader server answers to each message, in control mode and within episodes."""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from vecbt.errors import ConfigError, EpisodeError, MessageError, UnknownNameError
from vecbt.messages import error_fields
from vecbt.remote.actions import ActionReader
from vecbt.remote.plain import as_json
from vecbt.remote.trials import describe_trial, episode_options, next_draws
from vecbt.results import unbatched
from vecbt.vector import TradingVectorEnv

__all__ = ["Session"]

logger = logging.getLogger("vecbt")


class Session:
    """The environments of a server, and what is answered to whom.

    In *control mode* no episode is running; ``_reset`` begins one in each environment. In *episode mode* actions bring
    them forward, until they have ended, or ``_done`` stops them. Whatever a message brings about, it is answered, with
    an ``_error`` if it has failed, and the next one too.

    Args:
        envs: The environments.
        source: The data server that their data come from.

    Attributes:
        stopped: Whether ``_stop`` has come.
    """

    def __init__(self, envs: TradingVectorEnv, source: Any) -> None:
        self._envs, self._source = envs, source
        self._actions = ActionReader(envs._batch.plan, envs.num_envs)
        self._running = np.zeros(envs.num_envs, bool)
        self._resets_itself = envs.metadata["autoreset_mode"] is not AutoresetMode.DISABLED
        self._begun = np.zeros(envs.num_envs)  # seconds on a clock that only goes forward
        self._runtimes = np.zeros(envs.num_envs)
        self._has_begun = False  # all environments have been reset once
        self._stat = envs._batch.plan.table.describe()
        self.stopped = False
        self._answers: dict[str, Callable[..., dict[str, Any]]] = {
            "_reset": self._reset,
            "_done": self._done,
            "_getstat": self._getstat,
            "_render": self._render,
            "_get_trial": self._get_trial,
            "_get_data": self._get_data,
            "_get_info": self._get_info,
            "_get_global_time": self._get_global_time,
            "_get_broadcast_message": self._get_broadcast_message,
            "_stop": self._stop,
        }

    @property
    def status(self) -> str:
        """Where the environments stand, in words."""
        running = int(self._running.sum())
        if not running:
            return "control mode: no episode is running"
        return f"episode mode: {running} of {len(self._running)} environments run"

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a message."""
        try:
            return self._answer(message)
        except Exception as error:
            logger.debug("a request has failed", exc_info=True)
            return error_fields(error)

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        kind, action = message.get("ctrl"), message.get("action")
        if kind is None and isinstance(action, str) and action.startswith("_"):
            kind, action = action, None  # as BTGym's documentation has it; its code has ctrl
        if (kind is None) == (action is None):
            raise MessageError("expected a message with either ctrl, such as '_reset', or action, such as 'buy'")
        if kind is None:
            return {"ctrl": "_step", **self._step(action)}
        if not isinstance(kind, str) or kind not in self._answers:
            raise MessageError(str(UnknownNameError.of("ctrl", f"{kind}"[:80], self._answers)))
        answer = self._answers[kind]
        return {"ctrl": kind, **answer(**_arguments(message, kind, answer))}

    # -- episodes ------------------------------------------------------------------------------------------------------

    def _reset(
        self,
        seed: Any = None,
        options: Mapping[str, Any] | None = None,
        trial_config: Mapping[str, Any] | None = None,
        episode_config: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        chosen = dict(options or {})
        if trial_config or episode_config:
            seed, seeds, numbers = next_draws(self._envs, seed)
            config = episode_options(self._envs, trial_config or {}, episode_config or {}, seeds, numbers)
            chosen = config | chosen
        with self._care():
            observation, infos = self._envs.reset(seed=seed, options=chosen)
        self._has_begun = True
        begun = np.asarray(chosen.get("reset_mask", np.ones_like(self._running)))
        self._running |= begun
        self._begun[begun] = time.perf_counter()
        return {"status": self.status, "observation": self._own(observation), "info": self._own_infos(infos)}

    def _step(self, action: Any) -> dict[str, Any]:
        if not self._running.any():
            raise EpisodeError(
                f"no episode is running: send {{'ctrl': '_reset'}} first; the action was {str(action)[:80]!r}"
            )
        actions = self._actions.read(action)
        with self._care():
            observation, rewards, terminations, truncations, infos = self._envs.step(actions)
        done = terminations | truncations
        if done.any():
            self._mark_ended(done)
        info = self._own_infos(infos)
        info["terminated"], info["truncated"] = self._own(terminations), self._own(truncations)
        return {
            "observation": self._own(observation),
            "reward": self._own(rewards),
            "done": self._own(done),
            "info": info,
        }

    def _done(self) -> dict[str, Any]:
        with self._care():
            self._envs.stop_episodes(self._running)
        self._mark_ended(self._running.copy())
        self._running[:] = False
        return {"status": self.status}

    def _getstat(self) -> dict[str, Any]:
        stats = list(self._envs.get_stat())
        for stat, runtime in zip(stats, self._runtimes.tolist(), strict=True):
            if stat is not None and stat["runtime"] is None:
                stat["runtime"] = runtime
        return {"stat": as_json(stats if len(stats) > 1 else stats[0])}

    def _render(self, mode: Any = "human") -> dict[str, Any]:
        images = list(self._envs.render(mode))
        return {"images": images if len(images) > 1 else images[0]}

    def _mark_ended(self, ended: Any) -> None:
        now = time.perf_counter()
        self._runtimes[ended] = now - self._begun[ended]
        self._begun[ended] = now
        if not self._resets_itself:
            self._running &= ~ended

    @contextlib.contextmanager
    def _care(self) -> Iterator[None]:
        """Note when an error has interrupted the environments: none of their episodes goes on then."""
        try:
            yield
        finally:
            if self._envs._batch.interrupted:
                self._running[:] = False

    def _own(self, value: Any) -> Any:
        """A result without the dimension of the batch where there is one environment."""
        if self._envs.num_envs > 1:
            return value
        if isinstance(value, dict):
            return {key: self._own(part) for key, part in value.items()}
        return value[0] if value[0].ndim else value[0].item()

    def _own_infos(self, infos: dict[str, Any]) -> dict[str, Any]:
        return infos if self._envs.num_envs > 1 else unbatched(infos)

    # -- data ----------------------------------------------------------------------------------------------------------

    def _get_trial(self, **sample_config: Any) -> dict[str, Any]:
        return describe_trial(self._source, sample_config)

    def _get_data(self) -> dict[str, Any]:
        return {
            "sample": self._envs.current_trials() if self._has_begun else None,
            "stat": self._stat,
            "origin": "master_environment",
            "timestamp": self._source.get_global_time(),
        }

    def _get_info(self) -> dict[str, Any]:
        batch = self._envs._batch
        return {
            "status": self.status,
            "num_envs": self._envs.num_envs,
            "assets": list(batch.plan.table.bars.assets),
            "actions": str(batch.plan.action_space),
            "observations": str(batch.plan.observation_space),
            "dataset": self._source.get_info(),
        }

    def _get_global_time(self) -> dict[str, Any]:
        return {"timestamp": self._source.get_global_time()}

    def _get_broadcast_message(self) -> dict[str, Any]:
        timestamp, message = self._source.get_broadcast_message()
        return {"timestamp": timestamp, "broadcast_message": message}

    def _stop(self) -> dict[str, Any]:
        self.stopped = True
        return {"status": "the server stops"}


def _arguments(message: Mapping[str, Any], kind: str, answer: Callable[..., Any]) -> dict[str, Any]:
    """The fields of a message, and those that it has under ``kwargs``, if the answer can take them."""
    nested = message.get("kwargs") or {}
    if not isinstance(nested, Mapping):
        raise MessageError(f"{kind}: kwargs must be an object, got {str(nested)[:80]!r}")
    arguments = {name: value for name, value in message.items() if name not in ("ctrl", "action", "kwargs")}
    if twice := arguments.keys() & nested.keys():
        raise MessageError(f"{kind}: {min(twice)!r} is given twice, in kwargs and beside it")
    arguments |= nested
    parameters = inspect.signature(answer).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return arguments
    for name, value in arguments.items():
        if name not in parameters:
            raise UnknownNameError.of(f"argument of {kind}", name[:80], parameters)
        annotation = str(parameters[name].annotation)
        if annotation.startswith("Mapping") and not (value is None or isinstance(value, Mapping)):
            raise ConfigError(f"{kind}: {name} must be an object, got {str(value)[:80]!r}")
    return arguments
