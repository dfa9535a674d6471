"""Trials in messages: drawn for a client, those that environments are in, and BTGym's configurations of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, flat
from tests.remote.test_session import refused, tell
from vecbt.remote.session import Session

TRIAL, TEST = 300, 900
DOMAIN = vecbt.RandomDomain(MARKET, trial=vecbt.SampleRules(duration=TRIAL, test_period=100), test_period=TEST)


@pytest.fixture(scope="module")
def source() -> Iterator[Any]:
    with vecbt.DataFeedServer(DOMAIN) as server:
        server.wait_ready()
        yield server


@pytest.fixture
def session(source: Any) -> Iterator[Session]:
    envs = vecbt.make_vec(source, num_envs=2, engine="compiled", autoreset_mode="Disabled", episode_steps=20)
    yield Session(envs, source)
    envs.close()


def trials_of(session: Session) -> dict[str, Any]:
    sample = tell(session, {"ctrl": "_get_data"})["sample"]
    assert isinstance(sample, dict)
    return sample


# -- for a client ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_type", [0, 1])
def test_a_trial_for_a_client(session: Session, source: Any, sample_type: int) -> None:
    reply = tell(session, {"ctrl": "_get_trial", "kwargs": {"sample_type": sample_type, "seed": 3, "number": 4}})
    expected = source.get_data({"sample_type": sample_type, "seed": 3, "number": 4})
    sample = reply["sample"]
    for name in ("ohlc", "volume", "stamps"):
        assert flat(sample.pop(name)) == flat(getattr(expected, name))
    assert sample == expected.metadata
    assert reply["trial_stat"] == expected.describe()
    assert reply["trial_stat"]["close"]["count"] == TRIAL
    assert reply["dataset_stat"]["close"]["count"] == len(MARKET) - TEST
    assert reply["dataset_stat"]["close"]["max"] == MARKET.column("close")[: len(MARKET) - TEST].max()


def test_one_trial_after_the_other(session: Session) -> None:
    rows = [tell(session, {"ctrl": "_get_trial", "seed": 12})["sample"]["first_row"] for _ in range(3)]
    assert len(set(rows)) == 3
    assert tell(session, {"ctrl": "_get_trial", "get_new": False})["sample"]["first_row"] == rows[-1]


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"sampletype": 1}, "UnknownNameError", "did you mean 'sample_type'"),
        ({"sample_type": 2}, "ConfigError", "sample_type must be"),
        ({"interval": [5, 1]}, "ConfigError", "interval must be"),
    ],
)
def test_settings_that_are_none(session: Session, settings: dict[str, Any], kind: str, words: str) -> None:
    got, text = refused(session, {"ctrl": "_get_trial", **settings})
    assert got == kind
    assert words in text


def test_trials_that_are_used_up() -> None:
    domain = vecbt.SequentialDomain(MARKET, trial=vecbt.SampleRules(duration=1_000))
    with (
        vecbt.DataFeedServer(domain) as data,
        vecbt.BacktraderServer(data, engine="compiled", episode_steps=20) as server,
    ):
        rows = [server.get_trial()[0]["first_row"] for _ in range(3)]
        assert rows == [0, 1_000, 2_000]
        with pytest.raises(vecbt.errors.ExhaustedError, match="no such trial any more"):
            server.get_trial()


def test_the_trials_of_environments(session: Session, source: Any) -> None:
    before = tell(session, {"ctrl": "_get_data"})
    assert before["sample"] is None
    assert (before["origin"], before["timestamp"]) == ("master_environment", source.get_global_time())
    tell(session, {"ctrl": "_reset", "seed": 3})
    trials = trials_of(session)
    assert trials["number"].tolist() == [0, 0]
    assert (trials["last_row"] - trials["first_row"] == TRIAL - 1).all()
    stamps = MARKET.timestamps // 10**9
    assert (trials["first_time"] == stamps[trials["first_row"]]).all()
    assert (trials["last_time"] == stamps[trials["last_row"]]).all()


# -- BTGym's configurations --------------------------------------------------------------------------------------------


def test_types(session: Session) -> None:
    for trial in (0, 1):
        for episode in (1, 0):
            config = {"trial_config": {"sample_type": trial}, "episode_config": {"sample_type": episode}}
            info = tell(session, {"ctrl": "_reset", "kwargs": {"seed": 1, **config}})["info"]
            now = trials_of(session)
            assert now["trial_type"].tolist() == [trial] * 2
            assert now["type"].tolist() == [episode] * 2
            assert ((info["start"] > now["last_row"] - 100) == bool(episode)).all()


def test_the_usual_settings_change_nothing(session: Session) -> None:
    usual = {"get_new": True, "sample_type": 0, "b_alpha": 1.0, "b_beta": 1.0, "timestamp": None}
    plain = [tell(session, {"ctrl": "_reset", "seed": 5})["info"]["start"].tolist()]
    plain += [tell(session, {"ctrl": "_reset"})["info"]["start"].tolist() for _ in range(3)]
    configs = {"trial_config": usual, "episode_config": {**usual, "align_left": False}}
    del configs["episode_config"]["timestamp"]
    said = [tell(session, {"ctrl": "_reset", "seed": 5, **configs})["info"]["start"].tolist()]
    said += [tell(session, {"ctrl": "_reset", **configs})["info"]["start"].tolist() for _ in range(3)]
    assert said == plain
    assert trials_of(session)["number"].tolist() == [3, 3]


def test_where_draws_fall(session: Session) -> None:
    late = {"b_alpha": 1_000.0, "b_beta": 1.0}
    info = tell(session, {"ctrl": "_reset", "trial_config": late})["info"]
    now = trials_of(session)
    assert (now["last_row"] > len(MARKET) - TEST - 30).all()
    info = tell(session, {"ctrl": "_reset", "episode_config": late})["info"]
    last = trials_of(session)["last_row"] - 100 - 20
    assert (last - info["start"] < 4).all()
    assert (info["start"] <= last).all()
    info = tell(session, {"ctrl": "_reset", "episode_config": {"align_left": True, "sample_type": 1}})["info"]
    assert (info["start"] == trials_of(session)["last_row"] - 99).all()


def test_the_last_trial_again(session: Session) -> None:
    tell(session, {"ctrl": "_reset", "seed": 2})
    now = trials_of(session)
    starts = []
    for _ in range(4):
        starts.append(tell(session, {"ctrl": "_reset", "trial_config": {"get_new": False}})["info"]["start"].tolist())
        assert (trials_of(session)["trial"] == now["trial"]).all()
    assert len(set(map(tuple, starts))) > 1
    same = {"trial_config": {"get_new": False}, "episode_config": {"get_new": False}}
    for _ in range(2):
        assert tell(session, {"ctrl": "_reset", **same})["info"]["start"].tolist() == starts[-1]
    # Test rows of the same trial, as late as they may begin.
    config = {"trial_config": {"get_new": False}, "episode_config": {"sample_type": 1, "b_alpha": 1e6, "b_beta": 1.0}}
    info = tell(session, {"ctrl": "_reset", **config})["info"]
    assert (trials_of(session)["trial"] == now["trial"]).all()
    assert (info["start"] == now["last_row"] - 20).all()


def test_the_present_moment_of_a_causal_domain() -> None:
    domain = vecbt.CausalDomain(MARKET, trial=vecbt.SampleRules(duration=500, test_period=100))
    with (
        vecbt.DataFeedServer(domain) as data,
        vecbt.BacktraderServer(data, engine="compiled", episode_steps=20) as server,
    ):
        moment = int(MARKET.timestamps[2_000]) // 10**9
        server.reset(trial_config={"sample_type": 1, "timestamp": moment}, episode_config={"sample_type": 1})
        trial = server.current_trials()
        assert trial["last_row"] - 99 == 2_001
        _, info = server.reset(trial_config={"timestamp": moment, "sample_type": 0})
        assert server.current_trials()["last_row"] == 2_000
        assert info["start"] <= 2_000


@pytest.mark.parametrize(
    ("config", "kind", "words"),
    [
        ({"trial_config": {"sampletype": 1}}, "UnknownNameError", "setting of trial_config 'sampletype'"),
        ({"episode_config": {"timestamp": 1}}, "UnknownNameError", "setting of episode_config 'timestamp'"),
        ({"trial_config": {"sample_type": 2}}, "ConfigError", "trial_type must be 0 or 'source'"),
        ({"trial_config": {"get_new": 1}}, "ConfigError", "trial_config: get_new must be True or False"),
        ({"trial_config": {"b_alpha": 0}}, "ConfigError", "b_alpha must be a number of more than 0"),
        ({"episode_config": {"align_left": 3}}, "ConfigError", "align_left must be True or False"),
        ({"trial_config": [1]}, "ConfigError", "trial_config must be an object"),
        ({"trial_config": {"sample_type": [1], "b_alpha": 2}}, "ConfigError", "sample_type must be"),
    ],
)
def test_configurations_that_are_none(session: Session, config: dict[str, Any], kind: str, words: str) -> None:
    tell(session, {"ctrl": "_reset", "seed": 2})
    now = trials_of(session)
    got, text = refused(session, {"ctrl": "_reset", **config})
    assert got == kind
    assert words in text
    assert (trials_of(session)["number"] == now["number"]).all()
    assert session.status.startswith("episode mode")


def test_before_the_first_reset_there_is_nothing_to_repeat(session: Session) -> None:
    assert refused(session, {"ctrl": "_reset", "trial_config": {"get_new": False}})[0] == "EpisodeError"
    tell(session, {"ctrl": "_reset", "trial_config": {"b_alpha": 2.0}})
    assert np.unique(trials_of(session)["trial"]).size == 2
