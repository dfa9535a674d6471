"""A Backtrader server: a process with environments, its handle, and its clients."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, flat
from vecbt.errors import ClosedError, ConfigError, EpisodeError, MessageError, UnknownNameError, WorkerTimeoutError
from vecbt.remote.client import BacktraderClient

STEPS = 5


@pytest.fixture
def server() -> Iterator[vecbt.BacktraderServer]:
    with vecbt.BacktraderServer(MARKET, engine="compiled", episode_steps=STEPS) as started:
        yield started


def play(client: BacktraderClient, seed: int | None = None) -> list[Any]:
    """Everything that an episode returns."""
    observation, info = client.reset(seed=seed)
    events, done, step = [flat(observation), flat(info)], False, 0
    while not done:
        observation, reward, done, info = client.step(("buy", "hold", "close")[step % 3])
        events += [flat(observation), reward, done, flat(info)]
        step += 1
    return events


def test_episodes(server: vecbt.BacktraderServer) -> None:
    events = play(server, seed=3)
    assert len(events) == 2 + 4 * STEPS
    assert play(server) != events
    assert play(server, seed=3) == events
    stat = server.get_stat()
    assert (stat["episode"], stat["length"]) == (0, STEPS)
    assert server.get_info()["dataset"]["bars"] == len(MARKET)
    assert server.get_global_time() == server.get_broadcast_message()[0] == MARKET.timestamps[0] // 10**9
    server.reset()
    server.step(1)
    server.done()
    with pytest.raises(EpisodeError, match="no episode is running"):
        server.step(1)
    assert server.get_stat()["length"] == 1


def test_the_engines_are_the_same_behind_it() -> None:
    everything = []
    for engine in ("compiled", "cerebro"):
        with vecbt.BacktraderServer(MARKET, engine=engine, episode_steps=STEPS, commission=0.001) as server:
            everything.append(play(server, seed=1))
    assert everything[0] == everything[1]


def test_several_environments_in_workers() -> None:
    settings: dict[str, Any] = {"num_envs": 3, "engine": "cerebro", "num_workers": 2, "episode_steps": STEPS}
    with vecbt.BacktraderServer(MARKET, autoreset_mode="NextStep", **settings) as server:
        observations, _ = server.reset(seed=1)
        results = [server.step([1, "sell", {"SYNTH": 0}]) for _ in range(2 * STEPS)]
    envs = vecbt.make_vec(MARKET, **settings)
    expected, _ = envs.reset(seed=1)
    assert flat(observations) == flat(expected)
    for observation, reward, done, info in results:
        expected, rewards, terminations, truncations, _ = envs.step([1, 2, 0])
        assert flat(observation) == flat(expected)
        assert reward.tolist() == rewards.tolist()
        assert done.tolist() == (terminations | truncations).tolist()
        assert info["truncated"].tolist() == truncations.tolist()
    envs.close()


class Counting(bt.Analyzer):
    def start(self) -> None:
        self.bars = 0

    def next(self) -> None:
        self.bars += 1

    def get_analysis(self) -> dict[str, Any]:
        return {"bars": self.bars, "nested": {3: [1.5, None]}}


def test_a_cerebro_of_the_users() -> None:
    cerebro = bt.Cerebro()
    cerebro.addanalyzer(Counting, _name="counting")
    with vecbt.BacktraderServer(MARKET, cerebro=cerebro, episode_steps=STEPS) as server:
        play(server, seed=0)
        stat = server.get_stat()
        assert stat["analyzers"]["counting"]["bars"] >= STEPS
        assert stat["analyzers"]["counting"]["nested"] == {"3": [1.5, None]}
        assert stat["runtime"] > 0.0


def test_pictures() -> None:
    with vecbt.BacktraderServer(MARKET, render=True, engine="compiled", episode_steps=STEPS) as server:
        with pytest.raises(EpisodeError):
            server.render()
        play(server, seed=0)
        pictures = [server.render(mode) for mode in ("human", "episode", "observation")]
    env = vecbt.TradingEnv(MARKET, render_mode="rgb_array", episode_steps=STEPS)
    env.reset(seed=0)
    for step in range(STEPS):
        env.step((1, 0, 3)[step % 3])
    assert flat(pictures[0]) == flat(env.render())
    assert [picture.dtype for picture in pictures] == [np.uint8] * 3
    env.close()


def test_no_pictures(server: vecbt.BacktraderServer) -> None:
    server.reset()
    with pytest.raises(ConfigError, match="render_mode"):
        server.render()


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["object", "address", "client"])
def test_a_data_server_that_is_shared(how: str) -> None:
    with vecbt.DataFeedServer(MARKET) as data:
        given: dict[str, Any] = {"data_network_address": data.address}
        if how != "address":
            given = {"data": data if how == "object" else vecbt.DataFeedServer.attach(data.address or "")}
        with vecbt.BacktraderServer(**given, episode_steps=STEPS) as server:
            assert server.get_info()["dataset"]["pid"] == data.pid
            now = server.get_global_time() + 600
            data.set_broadcast_message(now, {"regime": "calm"})
            assert server.get_broadcast_message() == (now, {"regime": "calm"})
            assert server.get_global_time() == now
            play(server)
        assert data.get_info()["bars"] == len(MARKET)  # it goes on


def test_a_data_server_that_does_not_come(tmp_path: Path) -> None:
    server = vecbt.BacktraderServer(data_network_address=tmp_path / "nobody", connect_timeout=0.5).start()
    with pytest.raises(WorkerTimeoutError, match=r"no server answers at .*/nobody within 0\.5 s"):
        server.wait_ready(30.0)
    server.stop()


# -- clients -----------------------------------------------------------------------------------------------------------


def test_two_clients_of_the_same_environments(server: vecbt.BacktraderServer) -> None:
    with server.connect() as second, vecbt.BacktraderServer.attach(server.address or "") as third:
        _, first_info = server.reset(seed=0)
        _, _, _, info = second.step("hold")
        assert info["bar"] == first_info["bar"] + 1
        for _ in range(STEPS - 1):
            third.step("hold")
        with pytest.raises(EpisodeError):
            third.step("hold")
        assert server.get_stat()["length"] == STEPS
    with pytest.raises(ClosedError, match="has been closed"):
        second.get_info()
    server.reset()


def test_clients_in_threads(server: vecbt.BacktraderServer) -> None:
    failures: list[BaseException] = []
    client = server.connect()

    def ask(own: BacktraderClient | None) -> None:
        try:
            with own or server.connect() as used:
                for _ in range(20):
                    assert used.get_info()["num_envs"] == 1
                    assert used.get_stat() is None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=[own]) for own in (None, None, client)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        server.reset(seed=1)
        server.step("buy")
    for thread in threads:
        thread.join(60.0)
    assert not failures


def test_messages_by_hand(server: vecbt.BacktraderServer) -> None:
    reply = server.send({"action": "_reset", "kwargs": {"seed": 2, "options": {"start": 500}}})
    assert reply["ctrl"] == "_reset"
    assert reply["info"]["start"] == 500
    assert reply["observation"].dtype == np.float32
    assert server.send({"action": 1})["ctrl"] == "_step"
    with pytest.raises(MessageError, match="unknown ctrl '_getsat': did you mean '_getstat'"):
        server.send({"ctrl": "_getsat"})
    with pytest.raises(MessageError, match="a message cannot hold"):
        server.send({"action": object()})
    with pytest.raises(UnknownNameError, match="unknown argument of _reset 'sede'"):
        server.reset(sede=1)


def test_a_client_ends_the_server(server: vecbt.BacktraderServer) -> None:
    client = server.connect()
    client.stop()
    server._process.join(10.0)
    assert server._process.exitcode == 0


# -- the life of a server ----------------------------------------------------------------------------------------------


def test_its_address(tmp_path: Path) -> None:
    server = vecbt.BacktraderServer(MARKET, network_address=tmp_path / "envs", episode_steps=STEPS)
    assert server.address == str(tmp_path / "envs")
    assert server.pid is None
    with pytest.raises(ClosedError, match=r"not running: start\(\) it"):
        server.reset()
    with server:
        for name in ("envs", "envs.key"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        with pytest.raises(ConfigError, match="started already"):
            server.start()
        with pytest.raises(ConfigError, match="started already"):
            server.run()
        with vecbt.BacktraderServer.attach(tmp_path / "envs", connect_timeout=60.0) as client:
            assert client.get_info()["num_envs"] == 1
        with vecbt.BacktraderServer(MARKET) as other:
            assert other.address != server.address
    assert not list(tmp_path.iterdir())
    server.stop()
    with pytest.raises(ClosedError, match="not running"):
        server.get_info()
    with server:  # it may be started again
        assert server.get_info()["num_envs"] == 1


def test_in_the_calling_process(tmp_path: Path) -> None:
    server = vecbt.BacktraderServer(MARKET, network_address=tmp_path / "envs", engine="compiled", episode_steps=STEPS)
    thread = threading.Thread(target=server.run)
    thread.start()
    with vecbt.BacktraderServer.attach(tmp_path / "envs", connect_timeout=60.0) as client:
        events = play(client, seed=3)
        client.stop()
    thread.join(30.0)
    assert not thread.is_alive()
    assert not list(tmp_path.iterdir())
    with vecbt.BacktraderServer(MARKET, engine="compiled", episode_steps=STEPS) as process:
        assert play(process, seed=3) == events


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "either data or the data_network_address"),
        ({"data": MARKET, "data_network_address": "x"}, "either data or the data_network_address"),
        ({"data": MARKET, "num_envs": 0}, "num_envs must be a whole number of at least 1"),
        ({"data": MARKET, "task": -1}, "task must be"),
        ({"data": MARKET, "connect_timeout": 0}, "connect_timeout must be a number of more than 0"),
        ({"data": MARKET, "log_level": "LOUD"}, "unknown log_level 'LOUD'"),
    ],
)
def test_arguments(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        vecbt.BacktraderServer(**given)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"windw": 3}, UnknownNameError, "did you mean 'window'"),
        ({"engine": "fast"}, UnknownNameError, "unknown engine 'fast'"),
        ({"episode_steps": 10**6}, vecbt.errors.TooFewBarsError, "an episode needs"),
    ],
)
def test_environments_that_cannot_be_made(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with vecbt.BacktraderServer(MARKET, **settings) as server:
        for _ in range(2):
            with pytest.raises(error, match=words):
                server.reset()


def test_defaults_are_the_seeds() -> None:
    server = vecbt.BacktraderServer(MARKET)
    assert server._connect_timeout == 90.0
    assert server._host.task == 0


def test_log_level(tmp_path: Path) -> None:
    before = logging.getLogger("vecbt").level
    with vecbt.BacktraderServer(MARKET, log_level="DEBUG", task=7) as server:
        server.wait_ready()
    assert logging.getLogger("vecbt").level == before  # it is the other process's


def test_only_its_user_can_reach_it(server: vecbt.BacktraderServer) -> None:
    folder = Path(server.address or "").parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.geteuid()
