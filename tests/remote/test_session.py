"""What a server answers: control mode, episode mode, and everything that is wrong."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from tests.envs import MARKET, flat
from tests.remote.test_wire import same
from vecbt.remote.session import Session
from vecbt.remote.wire import pack, unpack

STEPS = 6
ENGINES: list[dict[str, Any]] = [{"engine": "compiled"}, {"engine": "cerebro", "num_workers": 0}]


@pytest.fixture(scope="module")
def source() -> Iterator[Any]:
    with vecbt.DataFeedServer(MARKET) as server:
        server.wait_ready()
        yield server


@pytest.fixture
def open_session(source: Any) -> Iterator[Any]:
    made = []

    def open_session(num_envs: int = 1, **given: Any) -> Session:
        defaults = {"engine": "compiled", "autoreset_mode": "Disabled", "episode_steps": STEPS, "copy": False}
        envs = vecbt.make_vec(source, num_envs=num_envs, **{**defaults, **given})
        made.append(envs)
        return Session(envs, source)

    yield open_session
    for envs in made:
        envs.close()


def tell(session: Session, message: dict[str, Any]) -> dict[str, Any]:
    """A reply that is no error, as it arrives."""
    reply = unpack(pack(session.answer(unpack(pack(message)))))
    assert reply["ctrl"] != "_error", reply
    return reply


def refused(session: Session, message: dict[str, Any]) -> tuple[str, str]:
    reply = session.answer(message)
    assert reply["ctrl"] == "_error"
    return reply["error"], reply["message"]


@pytest.mark.parametrize("engine", ENGINES, ids=["compiled", "cerebro"])
def test_an_episode_is_that_of_the_single_environment(open_session: Any, engine: dict[str, Any]) -> None:
    session = open_session(**engine, commission=0.001)
    env = vecbt.TradingEnv(MARKET, engine=engine["engine"], episode_steps=STEPS, commission=0.001)
    observation, info = env.reset(seed=5)
    assert session.status == "control mode: no episode is running"
    reply = tell(session, {"ctrl": "_reset", "kwargs": {"seed": 5}})
    assert reply["status"] == session.status == "episode mode: 1 of 1 environments run"
    assert flat(reply["observation"]) == flat(observation)
    assert same(reply["info"], info)
    for action, name in enumerate(["hold", "buy", "sell", "close", "buy", "hold"]):
        observation, reward, terminated, truncated, info = env.step(action if action < 4 else 5 - action)
        reply = tell(session, {"action": name})
        assert reply["ctrl"] == "_step"
        assert flat(reply["observation"]) == flat(observation)
        assert (reply["reward"], reply["done"]) == (reward, terminated or truncated)
        flags = reply["info"].pop("terminated"), reply["info"].pop("truncated")
        assert flags == (terminated, truncated)
        assert flat(reply["info"]) == flat(info)
    assert reply["done"] is True
    assert session.status.startswith("control mode")
    stat = tell(session, {"ctrl": "_getstat"})["stat"]
    assert repr(stat["stats"]) == repr(info["episode_stats"])
    assert (stat["episode"], stat["length"]) == (0, STEPS)
    assert stat["runtime"] > 0.0
    env.close()


@pytest.mark.parametrize("key", ["ctrl", "action"])
def test_control_messages_under_either_name(open_session: Any, key: str) -> None:
    session = open_session()
    assert tell(session, {key: "_getstat"})["stat"] is None
    assert tell(session, {key: "_reset", "kwargs": {"seed": 1}})["info"]["cash"] == 10_000.0
    tell(session, {"action": "buy"})
    tell(session, {"action": 0})
    assert tell(session, {key: "_done"})["status"].startswith("control mode")
    stat = tell(session, {key: "_getstat"})["stat"]
    assert (stat["length"], stat["stats"]["reason"], stat["stats"]["open"]) == (2, 8, True)
    assert tell(session, {key: "_get_info"})["num_envs"] == 1
    assert not session.stopped
    tell(session, {key: "_stop"})
    assert session.stopped


def test_several_environments(open_session: Any) -> None:
    session = open_session(3)
    envs = vecbt.make_vec(MARKET, num_envs=3, engine="compiled", episode_steps=STEPS, autoreset_mode="Disabled")
    observations, infos = envs.reset(seed=2)
    reply = tell(session, {"ctrl": "_reset", "seed": 2})
    assert flat(reply["observation"]) == flat(observations)
    assert flat(reply["info"]) == flat(infos)
    for _ in range(STEPS):
        results = envs.step([1, 2, 0])
        reply = tell(session, {"action": ["buy", {"SYNTH": "sell"}, 0]})
        assert flat(reply["observation"]) == flat(results[0])
        assert flat(reply["reward"]) == flat(results[1])
    assert reply["done"].tolist() == [True] * 3
    assert [stat["length"] for stat in tell(session, {"ctrl": "_getstat"})["stat"]] == [STEPS] * 3
    envs.close()


def test_some_of_several_environments_are_reset(open_session: Any) -> None:
    session = open_session(2, episode_steps=3)
    tell(session, {"ctrl": "_reset"})
    tell(session, {"action": [0, 0]})
    tell(session, {"ctrl": "_reset", "options": {"reset_mask": np.array([False, True])}})
    for _ in range(2):
        reply = tell(session, {"action": [0, 0]})
    assert reply["done"].tolist() == [True, False]
    assert session.status == "episode mode: 1 of 2 environments run"
    kind, text = refused(session, {"action": [0, 0]})
    assert kind == "EpisodeError"
    assert "in environments 0" in text
    tell(session, {"ctrl": "_reset", "options": {"reset_mask": np.array([True, False])}})
    assert tell(session, {"action": [0, 0]})["done"].tolist() == [False, True]


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_environments_that_begin_anew_by_themselves(open_session: Any, mode: AutoresetMode) -> None:
    session = open_session(2, autoreset_mode=mode)
    tell(session, {"ctrl": "_reset", "kwargs": {"seed": 0}})
    ended = 0
    for _ in range(3 * STEPS):
        ended += tell(session, {"action": np.array([1, 3])})["done"].sum()
    assert ended > 2
    assert session.status.startswith("episode mode: 2 of 2")
    tell(session, {"ctrl": "_done"})
    assert refused(session, {"action": [0, 0]})[0] == "EpisodeError"
    tell(session, {"ctrl": "_reset"})
    tell(session, {"action": [0, 0]})


def test_actions_in_control_mode(open_session: Any) -> None:
    session = open_session()
    for _ in range(2):
        kind, text = refused(session, {"action": "buy"})
        assert kind == "EpisodeError"
        assert text == "no episode is running: send {'ctrl': '_reset'} first; the action was 'buy'"
    tell(session, {"ctrl": "_reset"})
    for _ in range(STEPS):
        tell(session, {"action": "hold"})
    assert refused(session, {"action": "hold"})[0] == "EpisodeError"
    tell(session, {"ctrl": "_reset"})
    assert tell(session, {"action": "hold"})["done"] is False


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ({}, "MessageError", "either ctrl, such as '_reset', or action"),
        ({"ctrl": None, "action": None}, "MessageError", "either ctrl"),
        ({"ctrl": "_reset", "action": "buy"}, "MessageError", "either ctrl"),
        ({"ctrl": "_rest"}, "MessageError", "unknown ctrl '_rest': did you mean '_reset'? Known: _done, _get"),
        ({"action": "_rest"}, "MessageError", "unknown ctrl '_rest'"),
        ({"ctrl": "ping!"}, "MessageError", "unknown ctrl 'ping!'"),
        ({"ctrl": ["_reset"]}, "MessageError", "unknown ctrl"),
        ({"ctrl": "x" * 10_000}, "MessageError", "unknown ctrl"),
        ({"ctrl": "_reset", "kwargs": []}, "ConfigError", ""),
        ({"ctrl": "_reset", "kwargs": [1]}, "MessageError", "_reset: kwargs must be an object"),
        ({"ctrl": "_reset", "seed": 1, "kwargs": {"seed": 1}}, "MessageError", "'seed' is given twice"),
        ({"ctrl": "_reset", "sede": 1}, "UnknownNameError", "unknown argument of _reset 'sede': did you mean 'seed'"),
        ({"ctrl": "_reset", "seed": -1}, "ConfigError", "environment 0's seed"),
        ({"ctrl": "_reset", "options": 5}, "ConfigError", "_reset: options must be an object"),
        ({"ctrl": "_reset", "options": {"trail": 1}}, "UnknownNameError", "unknown reset option 'trail'"),
        ({"ctrl": "_done", "kwargs": {"now": True}}, "UnknownNameError", "unknown argument of _done 'now'"),
        ({"action": "byu"}, "ActionError", "one of hold, buy, sell, close, or a number, got 'byu'"),
        ({"action": 4}, "ActionError", "action 4 of environment 0 is not in 0 to 3"),
        ({"action": 0.5}, "ActionError", "whole numbers below 4"),
        ({"action": {"EURUSD": 1}}, "ActionError", "unknown asset 'EURUSD'"),
        ({"action": np.zeros((2, 2))}, "ActionError", "shape"),
    ],
)
def test_what_cannot_be_done(open_session: Any, message: dict[str, Any], kind: str, words: str) -> None:
    session = open_session()
    tell(session, {"ctrl": "_reset", "seed": 0})
    if not words:  # nothing at all is as good as no arguments
        tell(session, message)
        return
    got, text = refused(session, message)
    assert got == kind
    assert words in text
    assert len(text) < 1_000
    assert session.status.startswith("episode mode")
    info = tell(session, {"action": "buy"})["info"]
    assert info["bar"] == info["start"] + 1  # nothing has moved before


class Failing(vecbt.Strategy):
    def get_reward(self) -> float:
        if self.episode.step == 3:
            raise ZeroDivisionError("the third step")
        return 0.0


def test_a_strategy_that_raises(open_session: Any) -> None:
    session = open_session(engine="cerebro", num_workers=0, strategy=Failing)
    for _ in range(2):
        tell(session, {"ctrl": "_reset"})
        tell(session, {"action": "hold"})
        tell(session, {"action": "hold"})
        kind, text = refused(session, {"action": "hold"})
        assert kind == "ZeroDivisionError"
        assert "the third step" in text
        assert session.status.startswith("control mode")
        assert refused(session, {"action": "hold"})[0] == "EpisodeError"


def analyzed() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addanalyzer(bt.analyzers.TimeReturn, _name="returns", timeframe=bt.TimeFrame.Minutes)
    return cerebro


def test_analyses(open_session: Any) -> None:
    session = open_session(cerebro=analyzed, engine="cerebro", num_workers=0)
    tell(session, {"ctrl": "_reset", "seed": 1})
    for action in ("buy", "hold", "close", "hold"):
        tell(session, {"action": action})
    tell(session, {"ctrl": "_done"})
    analyzers = tell(session, {"ctrl": "_getstat"})["stat"]["analyzers"]
    assert analyzers["trades"]["total"] == {"total": 1, "open": 0, "closed": 1}
    assert len(analyzers["returns"]) >= 4
    for key, value in analyzers["returns"].items():
        assert datetime.datetime.fromisoformat(key).year == 2024
        assert isinstance(value, float)


def test_data(open_session: Any, source: Any) -> None:
    session = open_session()
    info = tell(session, {"ctrl": "_get_info"})
    assert info["dataset"] == source.get_info()
    assert info["assets"] == ["SYNTH"]
    assert tell(session, {"ctrl": "_get_global_time"})["timestamp"] == source.get_global_time()
    source.set_broadcast_message(source.get_global_time(), {"word": [1, None]})
    reply = tell(session, {"ctrl": "_get_broadcast_message"})
    assert (reply["timestamp"], reply["broadcast_message"]) == source.get_broadcast_message()
    assert reply["broadcast_message"] == {"word": [1, None]}


names = st.sampled_from(["_reset", "_done", "_getstat", "_get_info", "_get_global_time", "_render", "buy", "x", 1])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
fields = st.sampled_from(["kwargs", "seed", "options", "mode", "trial_config", "episode_config", "x"])
any_message = st.builds(
    lambda kind, value, others: {kind: value, **others},
    st.sampled_from(["ctrl", "action"]),
    names | plain,
    st.dictionaries(fields, plain, max_size=2),
)


@pytest.fixture(scope="module")
def lasting(source: Any) -> Iterator[Session]:
    envs = vecbt.make_vec(source, num_envs=1, engine="compiled", autoreset_mode="Disabled", episode_steps=STEPS)
    yield Session(envs, source)
    envs.close()


@settings(max_examples=200)
@given(messages=st.lists(any_message, max_size=6))
def test_any_message_is_answered(lasting: Session, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        reply = unpack(pack(lasting.answer(message)))
        assert isinstance(reply["ctrl"], str)
        if reply["ctrl"] == "_error":
            assert reply["error"] in vecbt.errors.__all__, reply
    tell(lasting, {"ctrl": "_reset", "seed": 4})
    assert tell(lasting, {"action": "buy"})["done"] is False
