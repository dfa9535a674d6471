"""Environments that follow a master: evaluation beside training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import vecbt
from tests.envs import MARKET, flat, rollout
from vecbt.errors import ClosedError, ConfigError, EpisodeError, WorkerDiedError

RULES = vecbt.SampleRules(duration=400, test_period=120)
DOMAIN = vecbt.RandomDomain(MARKET, trial=RULES, test_period=900)
WHOLE = vecbt.RandomDomain(MARKET, trial=vecbt.SampleRules(duration=300), test_period=900)
ENGINES: list[dict[str, Any]] = [{"engine": "compiled"}, {"engine": "cerebro", "num_workers": 0}]
COMPILED = ENGINES[0]
MODES = list(AutoresetMode)


def make(num_envs: int, data: Any = DOMAIN, **settings: Any) -> vecbt.TradingVectorEnv:
    return vecbt.make_vec(data, num_envs=num_envs, **{"episode_steps": 7, "window": 4, **settings})


def spans(envs: vecbt.TradingVectorEnv) -> list[tuple[int, int]]:
    trials = envs.current_trials()
    return list(zip(trials["first_row"].tolist(), trials["last_row"].tolist(), strict=True))


@pytest.mark.parametrize("engine", ENGINES, ids=["compiled", "cerebro"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["source", "target"])
def test_every_episode_is_of_the_masters_trial(engine: dict[str, Any], mode: AutoresetMode, kind: str) -> None:
    # Another window, length and number of environments: the numbers of trials differ, their rows do not.
    master = make(3, engine="compiled", window=9, episode_steps=11)
    beside = make(5, autoreset_mode=mode, **engine)
    beside.follow(master)
    master.reset(seed=1, options={"trial_type": kind})
    _, infos = beside.reset(seed=1)
    now = beside.current_trials()
    of = np.arange(5) % 3
    assert (now["trial_type"] == (kind == "target")).all()
    assert now["type"].tolist() == [1] * 5
    assert spans(beside) == [spans(master)[place] for place in of]
    assert (infos["start"] > now["last_row"] - 120).all()  # in the trial's test rows
    numbers = now["number"]
    begun = 0
    expected = spans(beside)
    for step in range(40):
        before = [spans(master)[place] for place in of]
        _, _, terminations, truncations, _ = beside.step(np.full(5, 1))
        ended = terminations | truncations
        if mode is AutoresetMode.DISABLED and ended.any():
            beside.reset(options={"reset_mask": ended})
        now = beside.current_trials()
        for env in np.flatnonzero(now["number"] != numbers).tolist():
            expected[env] = before[env]
            begun += 1
        numbers = now["number"]
        assert spans(beside) == expected
        assert now["type"].tolist() == [1] * 5
        master.step(np.full(3, step % 4))
    assert begun > 10
    master.close()
    beside.close()


def test_a_trial_without_test_rows_is_followed_as_it_is() -> None:
    master, beside = (make(2, WHOLE, **COMPILED) for _ in range(2))
    beside.follow(master)
    master.reset(seed=1)
    beside.reset(seed=5)
    assert spans(beside) == spans(master)
    assert beside.current_trials()["type"].tolist() == [0, 0]
    master.reset(options={"sample_type": "test"})
    beside.reset()
    assert spans(beside) == spans(master)
    assert beside.current_trials()["type"].tolist() == [1, 1]
    assert beside.current_trials()["trial_type"].tolist() == [1, 1]
    master.close()
    beside.close()


def beside_a_master(engine: dict[str, Any], **settings: Any) -> list[Any]:
    master, beside = make(2, **COMPILED), make(3, **engine, **settings)
    beside.follow(master)
    master.reset(seed=0)
    events = [[flat(part) for part in beside.reset(seed=2)]]
    for step in range(30):
        master.step(np.array([step % 4, 1]))
        events.append([flat(part) for part in beside.step(np.array([1, 3, step % 4]))])
    master.close()
    beside.close()
    return events


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_it_is_the_same_every_time_and_in_every_engine(mode: AutoresetMode) -> None:
    events = beside_a_master(COMPILED, autoreset_mode=mode)
    assert events == beside_a_master(COMPILED, autoreset_mode=mode)
    for num_workers in (0, 1):
        cerebro = {"engine": "cerebro", "num_workers": num_workers}
        assert beside_a_master(cerebro, autoreset_mode=mode) == events


def test_a_master_does_not_notice() -> None:
    alone, master, beside = (make(2, **COMPILED) for _ in range(3))
    master.reset(seed=9)
    beside.follow(master)
    beside.reset(seed=0)
    for _ in range(10):
        beside.step([0, 0])
    assert rollout(master, 30) == rollout(alone, 30)
    for envs in (alone, master, beside):
        envs.close()


def test_following_ends() -> None:
    master, beside, alone = (make(2, autoreset_mode="SameStep", **COMPILED) for _ in range(3))
    master.reset(seed=0)
    beside.follow(master)
    beside.reset(seed=0)
    beside.step([0, 0])
    beside.follow(None)
    beside.follow(None)
    alone.reset(seed=0, options={"sample_type": "test"})
    alone.step([0, 0])
    for _ in range(6):
        beside.step([0, 0])
        alone.step([0, 0])
    assert beside.current_trials()["number"].tolist() == [1, 1]
    assert spans(beside) == spans(alone)  # what a draw gives
    beside.reset(options={"trial": 3})
    for envs in (alone, master, beside):
        envs.close()
    with pytest.raises(ClosedError):
        beside.follow(master)


def test_what_cannot_be_followed() -> None:
    master, beside = make(2, **COMPILED), make(2, **COMPILED)
    for wrong in (3, object(), vecbt.TradingEnv):
        with pytest.raises(ConfigError, match="expected vector environments to follow"):
            beside.follow(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot follow themselves"):
        beside.follow(beside)
    beside.follow(master)
    with pytest.raises(EpisodeError, match="in no trial before their first reset"):
        beside.reset()
    master.reset(seed=0)
    beside.reset(seed=0)
    for choose in (beside.reset, beside.set_next_reset):
        with pytest.raises(ConfigError, match=r"follow\(None\) before you choose"):
            choose(options={"trial": 1})
    beside.set_next_reset(seed=4)
    beside.reset()
    assert beside.np_random_seed == (4, 5)

    others = make(2, vecbt.data.synthetic_market(3_000, seed=99), **COMPILED)
    others.follow(master)
    with pytest.raises(ConfigError, match="the master's data are not those"):
        others.reset()
    others.close()
    long = make(2, episode_steps=110, window=1, **COMPILED)
    short = make(2, WHOLE, episode_steps=110, **COMPILED)
    short.follow(master)
    with pytest.raises(ConfigError, match=r"in the source trial of rows \d+ to \d+, which the data"):
        short.reset()
    for envs in (master, beside, long, short):
        envs.close()


def test_a_step_that_cannot_follow_moves_nothing() -> None:
    master, beside = make(2, **COMPILED), make(2, **COMPILED)
    master.reset(seed=0)
    beside.follow(master)
    beside.reset(seed=0)
    for _ in range(7):
        beside.step([1, 1])
    master.close()
    bars = beside._batch.arrays["clock"].copy()
    with pytest.raises(ClosedError):
        beside.step([1, 1])
    assert (beside._batch.arrays["clock"] == bars).all()
    beside.follow(None)
    beside.step([1, 1])
    beside.close()


@pytest.mark.parametrize("how", ["client", "address"])
def test_a_master_in_another_process(how: str) -> None:
    with vecbt.DataFeedServer(DOMAIN) as data:
        settings: dict[str, Any] = {"engine": "compiled", "episode_steps": 7, "autoreset_mode": "NextStep"}
        server = vecbt.BacktraderServer(data, num_envs=2, **settings).start()
        beside = make(3, data, **COMPILED)
        beside.follow(server if how == "client" else server.address)
        with pytest.raises(EpisodeError, match="in no trial before their first reset"):
            beside.reset()
        assert server.get_trial_message()["sample"] is None
        server.reset(seed=3)
        beside.reset(seed=3)
        for step in range(20):
            message = server.get_trial_message()
            assert message["origin"] == "master_environment"
            assert message["timestamp"] == server.get_global_time()
            assert message["stat"]["close"]["count"] == 3_000 - 900
            now = beside.current_trials()["number"]
            beside.step([0, 1, 2])
            after = beside.current_trials()
            for env in np.flatnonzero(after["number"] != now).tolist():
                assert after["first_row"][env] == message["sample"]["first_row"][env % 2]
                assert after["type"][env] == 1
            server.step([step % 4, 0])
        server.stop()
        with pytest.raises((WorkerDiedError, ClosedError)):
            beside.reset()
        beside.close()
