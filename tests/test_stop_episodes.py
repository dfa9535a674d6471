"""Episodes that are stopped where they stand leave the statistics that they would have had if they had ended there."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import vecbt
from tests.envs import MARKET, flat, rollout
from vecbt.errors import ClosedError, ConfigError, EpisodeError
from vecbt.kernels.layout import Reason

ENGINES: list[dict[str, Any]] = [
    {"engine": "compiled"},
    {"engine": "cerebro", "num_workers": 0},
    {"engine": "cerebro", "num_workers": 2},
]
NAMES = ["compiled", "cerebro", "workers"]
ACTIONS = np.random.default_rng(5).integers(0, 4, (30, 3))


def analyzed() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    return cerebro


def make(engine: dict[str, Any], steps: int, **settings: Any) -> vecbt.TradingVectorEnv:
    if engine["engine"] == "cerebro":
        settings["cerebro"] = analyzed
    return vecbt.make_vec(MARKET, num_envs=3, episode_steps=steps, commission=0.001, order_size=3, **engine, **settings)


def play(envs: vecbt.TradingVectorEnv, steps: int) -> None:
    envs.reset(seed=0, options={"start": [100, 700, 1_500]})
    for step in range(steps):
        envs.step(ACTIONS[step])


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_the_statistics_are_those_of_an_episode_that_ends_there(engine: dict[str, Any]) -> None:
    stopped, short = make(engine, 40), make(engine, 25)
    play(stopped, 25)
    play(short, 25)
    assert stopped.get_stat() == (None, None, None)
    stopped.stop_episodes([2, 0])
    assert stopped.get_stat(1) is None
    stopped.stop_episodes()
    stopped.stop_episodes()  # there is nothing to stop any more
    for one, other in zip(stopped.get_stat(), short.get_stat(), strict=True):
        assert one["length"] == 25
        assert one["stats"].pop("reason") == Reason.STOPPED
        assert other["stats"].pop("reason") == Reason.STEP_LIMIT
        assert repr(one["stats"]) == repr(other["stats"])  # NaN is NaN
        assert one["analyzers"] == other["analyzers"]
    assert engine["engine"] == "compiled" or stopped.get_stat(0)["analyzers"]["trades"]["total"]["total"] > 0
    stopped.close()
    short.close()


@pytest.mark.parametrize("engine", ENGINES[:2], ids=NAMES[:2])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_what_follows(engine: dict[str, Any], mode: AutoresetMode) -> None:
    envs, whole = (make(engine, 40, autoreset_mode=mode) for _ in range(2))
    play(envs, 3)
    envs.stop_episodes([1])
    if mode is AutoresetMode.NEXT_STEP:
        _, rewards, terminations, truncations, infos = envs.step([1, 1, 1])
        assert rewards[1] == 0.0
        assert not (terminations | truncations).any()
        assert infos["cash"][1] == 10_000.0
    else:
        with pytest.raises(EpisodeError, match=r"in environments 1: .*reset them with options="):
            envs.step([1, 1, 1])
        envs.reset(options={"reset_mask": np.array([False, True, False])})
        envs.step([1, 1, 1])
    number = int(envs._batch.arrays["clock"][1, 5])
    assert number == 1
    assert rollout(envs, 35) == rollout(whole, 35)  # nothing of it is left
    envs.close()
    whole.close()


def test_before_the_first_bar_there_is_nothing_to_tell() -> None:
    envs = make(ENGINES[0], 40)
    envs.stop_episodes()
    play(envs, 0)
    envs.stop_episodes()
    assert envs.get_stat() == (None, None, None)
    play(envs, 2)
    envs.stop_episodes()
    stats = envs.get_stat()
    envs.reset()
    envs.stop_episodes()
    assert flat(envs.get_stat()[0]["stats"]) == flat(stats[0]["stats"])
    with pytest.raises(ConfigError, match="envs must be indices"):
        envs.stop_episodes([3])
    envs.close()
    with pytest.raises(ClosedError):
        envs.stop_episodes()
