"""Records the first episode of every environment of a batch while somebody steps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray, BoolArray
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.errors import ConfigError, EpisodeError
from vecbt.runs.recording import Identity, Recording
from vecbt.vector import TradingVectorEnv

__all__ = ["EpisodeRecorder"]

_COLUMNS = ("bar", "cash", "value", "costs", "position", "position_price", "order_status")
_TRIAL_TYPES = ("source", "target")
_SAMPLE_TYPES = ("train", "test")


class EpisodeRecorder:
    """Records the episodes that have just begun, each until it ends.

    Args:
        envs: The batch, in the autoreset mode NEXT_STEP, with all infos, right after a reset of all its
            environments.
        bars: Its data.
        infos: What the reset returned.
        engine: Name of its engine.

    Raises:
        ConfigError: If the batch does not return what there is to record.

    Attributes:
        finished: bool (N,), whose episodes have ended.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(500, seed=0)
        >>> envs = vecbt.make_vec(market, num_envs=2, episode_steps=5)
        >>> _, infos = envs.reset(seed=0)
        >>> recorder = EpisodeRecorder(envs, market, infos, "compiled")
        >>> while not recorder.finished.all():
        ...     recorder.step([1, 0], envs.step([1, 0]))
        >>> first, second = recorder.recordings(["buyer", "flat"], fold=0)
        >>> first.positions[:, 0] > 0
        array([False,  True,  True,  True,  True,  True])
        >>> envs.close()
    """

    def __init__(self, envs: TradingVectorEnv, bars: Bars | AlignedBars, infos: dict[str, Any], engine: str) -> None:
        mode = envs.metadata["autoreset_mode"].value
        if mode != "NextStep" or envs.config.infos != "full":
            raise ConfigError(
                f"episodes are recorded with autoreset_mode='NextStep' and infos='full', got {mode!r} "
                f"and {envs.config.infos!r}"
            )
        if isinstance(envs.single_action_space, spaces.Dict):
            raise ConfigError("actions by the assets' names are not recorded: use actions that are arrays")
        if (infos["bar"] < 0).any():
            raise ConfigError("generated trials are not recorded: their bars are gone when the episode has ended")
        self._envs, self._bars, self._engine = envs, bars, engine
        trials = envs.current_trials()
        self._seeds = envs.np_random_seed
        self._names = {name: trials[name] for name in ("trial_type", "type", "number", "trial")}
        self._columns = {name: [np.array(infos[name])] for name in _COLUMNS}
        self._actions: list[AnyArray] = []
        self._rewards: list[AnyArray] = []
        self._stats: list[dict[str, float]] = [{} for _ in range(envs.num_envs)]
        self._steps = np.zeros(envs.num_envs, np.int64)
        self.finished: BoolArray = np.zeros(envs.num_envs, bool)

    def step(self, actions: Any, results: tuple[Any, AnyArray, BoolArray, BoolArray, dict[str, Any]]) -> None:
        """Record a step.

        Args:
            actions: What ``envs.step`` was given.
            results: What it returned.
        """
        _, rewards, terminations, truncations, infos = results
        for name, kept in self._columns.items():
            kept.append(np.array(infos[name]))
        self._actions.append(np.array(actions))
        self._rewards.append(np.array(rewards))
        self._steps += ~self.finished
        ended = (terminations | truncations) & ~self.finished
        for env in np.flatnonzero(ended).tolist():
            stats = infos["episode_stats"]
            self._stats[env] = {name: float(stats[name][env]) for name in stats if not name.startswith("_")}
        self.finished |= ended

    def identity(self, env: int) -> Identity:
        """What decides the episode of an environment.

        Raises:
            EpisodeError: If a seed was drawn, as nobody has given one.
        """
        names = {name: int(values[env]) for name, values in self._names.items()}
        seed = self._seeds[env]
        if seed is None:
            raise EpisodeError("episodes are recorded with seeds, which are a part of their identity: reset with one")
        return Identity(
            fingerprint=self._bars.fingerprint(),
            seed=seed,
            env=env,
            num_envs=self._envs.num_envs,
            episode=names["number"],
            trial_type=_TRIAL_TYPES[names["trial_type"]],
            sample_type=_SAMPLE_TYPES[names["type"]],
            trial=names["trial"],
            start=int(self._columns["bar"][0][env]),
        )

    def recordings(self, agents: Sequence[str], fold: int) -> list[Recording]:
        """The episodes, once all of them have ended.

        Args:
            agents: Who acted in each environment.
            fold: Number of the fold.

        Raises:
            EpisodeError: If one has not ended.
        """
        if not self.finished.all():
            raise EpisodeError(f"the episode of environment {int(np.argmin(self.finished))} has not ended")
        columns = {name: np.array(kept) for name, kept in self._columns.items()}
        actions, rewards = np.array(self._actions), np.array(self._rewards)
        bars = self._bars
        if isinstance(bars, AlignedBars):
            assets, ohlc = bars.assets, bars.ohlc
        else:
            assets, ohlc = (bars.name,), np.stack([bars.open, bars.high, bars.low, bars.close], axis=1)[:, np.newaxis]
        found = []
        for env, agent in enumerate(agents):
            steps = int(self._steps[env])
            own = {name: column[: steps + 1, env] for name, column in columns.items()}
            per_asset = {
                name: own[name].reshape(steps + 1, len(assets))
                for name in ("position", "position_price", "order_status")
            }
            rows = own["bar"]
            span = slice(int(rows[0]), int(rows[-1]) + 1)
            found.append(
                Recording(
                    identity=self.identity(env),
                    agent=agent,
                    fold=fold,
                    engine=self._engine,
                    assets=assets,
                    rows=rows,
                    timestamps=bars.timestamps[rows],
                    actions=actions[:steps, env],
                    rewards=rewards[:steps, env],
                    cash=own["cash"],
                    values=own["value"],
                    costs=own["costs"],
                    positions=per_asset["position"],
                    position_prices=per_asset["position_price"],
                    statuses=per_asset["order_status"],
                    ohlc=ohlc[span].copy(),
                    bar_timestamps=bars.timestamps[span].copy(),
                    stats=self._stats[env],
                )
            )
        return found
