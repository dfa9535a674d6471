"""What a policy comes to on bars that it has not been trained on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from tqdm import tqdm

from vecbt.arrays import FloatArray
from vecbt.dataserver import DataFeedServer
from vecbt.runs.recorder import EpisodeRecorder
from vecbt.runs.recording import Recording
from vecbt.training.baselines import BUY_AND_HOLD, FLAT, POLICY, RANDOM, Agent, make_baseline
from vecbt.training.market import Fold, Market
from vecbt.training.settings import TrainSettings
from vecbt.vector import TradingVectorEnv, make_vec

__all__ = ["Validation", "pass_test_rows", "run_test"]

_PARTS = 32
"""Episodes that the validation rows are divided into, which are stepped together."""
_TEST = {"trial_type": "target", "sample_type": "test"}


class Validation:
    """The policy's result on the validation rows of a fold, by episodes that lie side by side.

    Args:
        server: The run's data server.
        market: The data.
        settings: The run's settings.
        fold: The fold.
    """

    def __init__(self, server: DataFeedServer, market: Market, settings: TrainSettings, fold: Fold) -> None:
        first, end = fold.validation
        parts = max(1, min(_PARTS, (end - first) // 20))
        skip = market.env.get("skip_frame", 1)
        self.steps = max(1, ((end - first) // parts - 1) // skip)
        self._starts = first + np.arange(parts) * ((end - first) // parts)
        self._options = {
            "trial_type": "source",
            "sample_type": "test",
            "trial": market.source_trial(fold),
            "start": self._starts,
        }
        self._seed = settings.seed
        self._envs = make_vec(
            server,
            num_envs=parts,
            engine=settings.engine,
            num_workers=settings.num_workers,
            **{**market.env, "episode_steps": self.steps},
        )

    def measure(self, model: PPO) -> float:
        """The mean return of the episodes under the deterministic policy, as a fraction of the cash at first."""
        observations, infos = self._envs.reset(seed=self._seed, options=self._options)
        ended = np.zeros(self._envs.num_envs, bool)
        returns = np.zeros(self._envs.num_envs)
        while not ended.all():
            actions, _ = model.predict(observations, deterministic=True)
            observations, _, terminations, truncations, infos = self._envs.step(actions)
            now = (terminations | truncations) & ~ended
            if now.any():
                returns[now] = infos["episode_stats"]["total_return"][now]
                ended |= now
        return float(returns.mean())

    def close(self) -> None:
        """Close its environments."""
        self._envs.close()


def run_test(
    model: PPO, server: DataFeedServer, market: Market, settings: TrainSettings, fold: Fold, *, shown: bool
) -> list[Recording]:
    """The policy and those that it is compared with through all test rows of a fold, each in one episode.

    Global time moves to the end of the test rows.

    Args:
        model: The policy, whose actions are the most probable ones.
        server: The run's data server.
        market: The data.
        settings: The run's settings.
        fold: The fold.
        shown: Whether to show how far it has come.
    """
    names = [POLICY, BUY_AND_HOLD, FLAT] + [RANDOM] * settings.random_agents
    envs = _test_envs(server, market, settings, len(names))
    with contextlib.closing(envs):
        agents = [make_baseline(name, envs, settings.seed + place) for place, name in enumerate(names) if place]
        return _record(envs, model, agents, names, market, settings, fold, shown)


def pass_test_rows(server: DataFeedServer, market: Market, settings: TrainSettings) -> None:
    """Let global time pass the next test rows, as a test would."""
    envs = _test_envs(server, market, settings, 1)
    with contextlib.closing(envs):
        agent = make_baseline(FLAT, envs, 0)
        observations, _ = envs.reset(seed=settings.seed, options=_TEST)
        ended = np.zeros(1, bool)
        while not ended.any():
            observations, _, terminations, truncations, _ = envs.step(agent(observations, 1)[np.newaxis])
            ended = terminations | truncations


def _test_envs(server: DataFeedServer, market: Market, settings: TrainSettings, num_envs: int) -> TradingVectorEnv:
    return make_vec(
        server,
        num_envs=num_envs,
        engine=settings.engine,
        num_workers=settings.num_workers,
        **{**market.env, "episode_steps": None},
    )


def _record(
    envs: TradingVectorEnv,
    model: PPO,
    agents: Sequence[Agent],
    names: Sequence[str],
    market: Market,
    settings: TrainSettings,
    fold: Fold,
    shown: bool,
) -> list[Recording]:
    observations, infos = envs.reset(seed=settings.seed, options=_TEST)
    trial = envs.current_trials()["trial"]
    engine = "compiled" if not envs.worker_pids and settings.engine != "cerebro" else "cerebro"
    recorder = EpisodeRecorder(envs, market.bars, infos, engine)
    first, end = fold.test
    with _bar(f"test, fold {fold.number}", (end - first - 1) // market.env.get("skip_frame", 1), shown) as bar:
        step = 0
        while not recorder.finished.all():
            own, _ = model.predict(_first_row(observations), deterministic=True)
            actions = np.array([own[0], *(agent(None, step) for agent in agents)])
            results = envs.step(actions)
            recorder.step(actions, results)
            observations = results[0]
            # Whoever has lost everything begins again in the same trial, beside those who go on: there is no other.
            again = np.flatnonzero(recorder.finished)
            if again.size:
                envs.set_next_reset(options=[{"trial": int(trial[env])} for env in again], envs=again)
            step += 1
            bar.update()
    return recorder.recordings(names, fold.number)


def _first_row(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {name: values[:1] for name, values in observations.items()}
    return observations[:1]


@contextlib.contextmanager
def _bar(title: str, total: int, shown: bool) -> Iterator[tqdm[Any]]:
    with tqdm(total=total, desc=title, unit="bar", disable=None if shown else True, leave=False) as bar:
        yield bar


def mean_return(recordings: Sequence[Recording], agent: str) -> float:
    """The mean return of an agent's episodes, as a fraction of the cash at first."""
    returns: FloatArray = np.array([own.stats["total_return"] for own in recordings if own.agent == agent])
    return float(returns.mean())
