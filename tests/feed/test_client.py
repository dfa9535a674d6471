"""Clients of one data server: this process, others, threads, copies."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, make, rollout
from tests.faults.processes import BOUND
from tests.feed.processes import finish, run, start
from vecbt.errors import ClosedError, ConfigError, EpisodeError, MessageError, UnknownNameError, WorkerTimeoutError
from vecbt.feed.client import DataFeedClient
from vecbt.feed.sampler import WHOLE

FIRST = int(MARKET.timestamps[0]) // 1_000_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[vecbt.DataFeedServer]:
    with vecbt.DataFeedServer(MARKET, task=4) as started:
        started.wait_ready()
        yield started


@pytest.fixture
def client(server: vecbt.DataFeedServer) -> Iterator[DataFeedClient]:
    server.reset_data()
    with vecbt.DataFeedServer.attach(server.address or "", connect_timeout=BOUND) as attached:
        yield attached


# -- what can be asked -------------------------------------------------------------------------------------------------


def test_both_are_told_the_same(server: vecbt.DataFeedServer, client: DataFeedClient) -> None:
    info = server.get_info()
    assert client.get_info() == info
    assert (info["task"], info["pid"], info["bars"]) == (4, server.pid, 3_000)
    one, other = server.table(WHOLE), client.table(WHOLE)
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])
    assert client.table(WHOLE) is other


def test_the_memory_is_the_same(server: vecbt.DataFeedServer, client: DataFeedClient) -> None:
    one, other = server.table(WHOLE).clock, client.table(WHOLE).clock
    one.advance(one.now + 10**9)
    assert other.now == one.now
    assert client.get_global_time() == one.now // 10**9


def test_trials(server: vecbt.DataFeedServer, client: DataFeedClient) -> None:
    assert client.is_ready(BOUND)
    mine, theirs = client.get_data(), server.get_data({"number": 0})
    assert mine is not None
    assert theirs is not None
    assert mine.metadata == theirs.metadata
    assert client.get_data({"get_new": False}) is mine
    assert [client.get_data().number for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]
    client.reset_data()
    assert client.get_data().number == 0  # type: ignore[union-attr]
    with pytest.raises(UnknownNameError, match="did you mean 'sample_type'"):
        client.get_data({"sampletype": 0})


def test_global_time_and_messages(server: vecbt.DataFeedServer, client: DataFeedClient) -> None:
    assert client.get_broadcast_message() == (FIRST, {})
    assert client.set_broadcast_message(FIRST + 60, {"text": "é", "values": [1, 2.5]}) == FIRST + 60
    assert server.get_global_time() == FIRST + 60
    assert server.get_broadcast_message() == (FIRST + 60, {"text": "é", "values": [1, 2.5]})
    assert server.set_broadcast_message(FIRST + 60) == FIRST + 60  # the same moment again
    assert client.get_broadcast_message().broadcast_message == {}
    with pytest.raises(ConfigError, match=f"must not go back in time: it is {FIRST + 60} "):
        client.set_broadcast_message(FIRST + 59, {"text": "late"})
    assert client.get_broadcast_message() == (FIRST + 60, {})
    assert client.reset_data() == FIRST
    assert server.get_broadcast_message() == (FIRST, {})
    assert server.reset_data(FIRST + 5) == client.get_global_time() == FIRST + 5


def causal(**settings: Any) -> vecbt.data.CausalDomain:
    return vecbt.data.CausalDomain(MARKET, trial=vecbt.SampleRules(duration=600, test_period=100), **settings)


def seconds(row: int) -> int:
    return int(MARKET.timestamps[row]) // 1_000_000_000


def test_global_time_is_everybodys() -> None:
    """What one batch has lived through, another client's trials are behind; what is said, and by whom, counts too."""
    with vecbt.DataFeedServer(causal()) as server, vecbt.DataFeedServer.attach(server.address or "") as client:
        begun = client.get_global_time()
        target = {"trial_type": "target", "sample_type": "test"}
        envs = make(2, data=client, episode_steps=40)
        _, infos = envs.reset(seed=0, options=target)
        assert client.get_global_time() == begun == infos["timestamp"].max() - 60
        for _ in range(40):
            infos = envs.step(np.zeros(2, np.int64))[-1]
        now = server.get_global_time()
        assert now == infos["timestamp"].max() == begun + 41 * 60
        envs.close()
        target_trial, source_trial = server.get_data({"sample_type": 1}), server.get_data()
        assert target_trial is not None
        assert source_trial is not None
        assert source_trial.metadata["last_time"] <= now
        episode = target_trial.sample(sample_type=1)
        assert episode.metadata["first_time"] == now + 60
        with pytest.raises(ConfigError, match="back in time"):
            client.set_broadcast_message(now - 60, {}, episode.metadata)
        client.set_broadcast_message(now + 6_000, {"text": "far"}, episode.metadata)
        with pytest.raises(EpisodeError, match="only test episodes of target trials"):
            client.set_broadcast_message(now + 9_000, {}, source_trial.metadata)
        assert server.get_broadcast_message() == (now + 6_000, {"text": "far"})
        later = server.get_data({"sample_type": 1})
        assert later is not None
        assert later.sample(sample_type=1).metadata["first_time"] > now + 6_000
        assert server.reset_data() == begun
        assert client.get_broadcast_message() == (begun, {})


def test_frozen_time_stands_still() -> None:
    frozen = causal(frozen_time_split=str(MARKET.timestamps[1_500].astype("datetime64[ns]")))
    with vecbt.DataFeedServer(frozen) as server:
        now = seconds(1_500)
        assert server.get_global_time() == now
        assert server.set_broadcast_message(now + 600, {"text": "x"}) == now
        with pytest.raises(ConfigError, match=f"back in time: it is {now + 600} "):
            server.set_broadcast_message(now + 540)
        assert server.get_broadcast_message() == (now, {"text": "x"})
        with pytest.raises(ConfigError, match="frozen"):
            server.reset_data(now - 600)
        assert server.reset_data() == now
        assert server.get_broadcast_message() == (now, {})


@pytest.mark.parametrize(("trial_type", "sample_type"), [(0, 0), (0, 1), (1, 0)])
def test_who_may_not_speak(client: DataFeedClient, trial_type: int, sample_type: int) -> None:
    metadata = {"trial_type": trial_type, "type": sample_type}
    with pytest.raises(EpisodeError, match=f"this is of trial_type {trial_type}, type {sample_type}"):
        client.set_broadcast_message(FIRST + 60, {"text": "x"}, metadata)
    assert client.get_broadcast_message() == (FIRST, {})


def test_who_may(client: DataFeedClient) -> None:
    client.set_broadcast_message(FIRST + 60, {"text": "x"}, {"trial_type": 1, "type": 1, "number": 3})
    assert client.get_broadcast_message() == (FIRST + 60, {"text": "x"})


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda client: client.set_broadcast_message("now"), MessageError, "timestamp must be a whole number"),
        (lambda client: client.set_broadcast_message(FIRST + 0.5), MessageError, "timestamp must be a whole number"),
        (lambda client: client.set_broadcast_message(1 << 62, {}), ConfigError, "at most"),
        (lambda client: client.set_broadcast_message(FIRST, {"x": object()}), MessageError, "that JSON can hold"),
        (lambda client: client.set_broadcast_message(FIRST, {"x": "x" * (1 << 20)}), MessageError, "at most"),
        (lambda client: client.reset_data("now"), ConfigError, "timestamp"),
        (lambda client: client.reset_data(1 << 62), ConfigError, "timestamp"),
    ],
)
def test_what_is_refused_changes_nothing(client: DataFeedClient, call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        call(client)
    assert client.get_broadcast_message() == (FIRST, {})


def test_names_that_are_unknown(server: vecbt.DataFeedServer) -> None:
    with pytest.raises(UnknownNameError, match="log_level"):
        vecbt.DataFeedServer(MARKET, log_level="LOUD")
    for wrong in ({"log_level": 2.5}, {"log_level": True}, {"task": -1}, {"task": "one"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            vecbt.DataFeedServer(MARKET, **wrong)  # type: ignore[arg-type]
    for timeout in (0, -1, "soon"):
        with pytest.raises(ConfigError, match="connect_timeout"):
            vecbt.DataFeedServer.attach(server.address or "", timeout)  # type: ignore[arg-type]


# -- batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"num_workers": 2}, {"engine": "compiled"}], ids=str)
def test_batches_of_a_client(client: DataFeedClient, settings: dict[str, Any]) -> None:
    mine = make(4, data=client, **settings)
    alone = make(4, **settings)
    assert rollout(mine, 30) == rollout(alone, 30)
    mine.close()
    alone.close()


def test_a_single_environment_of_a_client(client: DataFeedClient) -> None:
    env = vecbt.TradingEnv(client, episode_steps=5)
    env.reset(seed=0)
    env.close()


@pytest.mark.parametrize("engine", ["compiled", "cerebro"])
def test_batches_that_step_at_once_are_as_if_alone(server: vecbt.DataFeedServer, engine: str) -> None:
    settings: dict[str, Any] = {"engine": engine, "num_workers": 1}
    alone = []
    for seed in (1, 2):
        envs = make(4, **settings)
        alone.append(rollout(envs, 60, seed))
        envs.close()
    together: list[Any] = [None, None]

    def work(number: int) -> None:
        with vecbt.DataFeedServer.attach(server.address or "") as own:
            envs = make(4, data=own, **settings)
            together[number] = rollout(envs, 60, number + 1)
            envs.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


ROLLOUT = """
import hashlib
sys.path.insert(0, ".")
from tests.envs import make, rollout
seed, address = int(sys.argv[1]), sys.argv[2]
with vecbt.DataFeedServer.attach(address) as client:
    envs = make(4, data=client, num_workers=1)
    print("here", flush=True)
    sys.stdin.readline()
    print(hashlib.sha256(repr(rollout(envs, 60, seed)).encode()).hexdigest())
    envs.close()
"""


def test_independent_processes(server: vecbt.DataFeedServer) -> None:
    """Two batches step at the same time, in processes that know nothing but the address."""
    import hashlib

    processes = [start(ROLLOUT, str(seed), server.address or "") for seed in (1, 2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    envs = make(4, data=server)
    found = [finish(process) for process in processes]
    expected = [hashlib.sha256(repr(rollout(envs, 60, seed)).encode()).hexdigest() for seed in (1, 2)]
    envs.close()
    assert found == expected


# -- places ------------------------------------------------------------------------------------------------------------


def test_an_address_of_ones_own(tmp_path: Path) -> None:
    with vecbt.DataFeedServer(MARKET, network_address=tmp_path / "market") as server:
        assert server.address == str(tmp_path / "market")
        bars = run("print(vecbt.DataFeedServer.attach(sys.argv[1]).get_info()['bars'])", server.address)
        assert bars == "3000"
        with pytest.raises(ConfigError, match=r"a server listens at .* already"):
            vecbt.DataFeedServer(MARKET, network_address=tmp_path / "market").start()
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_comes_before_its_server(tmp_path: Path) -> None:
    process = start("print(vecbt.DataFeedServer.attach(sys.argv[1]).get_info()['bars'])", str(tmp_path / "market"))
    with vecbt.DataFeedServer(MARKET, network_address=tmp_path / "market"):
        assert finish(process) == "3000"


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(WorkerTimeoutError, match=r"no server answers at .* within 0\.1 s"):
        vecbt.DataFeedServer.attach(tmp_path / "market", connect_timeout=0.1)


def test_a_server_in_the_foreground(tmp_path: Path) -> None:
    code = """
import logging
market = vecbt.data.synthetic_market(400, seed=0)
vecbt.DataFeedServer(market, network_address=sys.argv[1], log_level="INFO", task=7).run()
print("over")
"""
    process = start(code, str(tmp_path / "market"))
    client = vecbt.DataFeedServer.attach(tmp_path / "market")
    assert client.get_info()["task"] == 7
    assert client.get_info()["pid"] == process.pid
    client.stop()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "over\n")
    assert "data server 7: 400 bars in " in errors
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ClosedError, match="has been closed"):
        client.get_info()


def test_a_server_in_the_foreground_without_data(tmp_path: Path) -> None:
    code = "vecbt.DataFeedServer(sys.argv[1], network_address=sys.argv[2]).run()"
    process = start(code, str(tmp_path / "none.csv"), str(tmp_path / "market"))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "DataFileError" in errors
    assert list(tmp_path.iterdir()) == []


# -- copies ------------------------------------------------------------------------------------------------------------


def test_copies_are_the_same_server(server: vecbt.DataFeedServer, client: DataFeedClient) -> None:
    assert copy.deepcopy(client) is client
    assert copy.deepcopy(server) is server
    for original in (server, client):
        twin = pickle.loads(pickle.dumps(original))
        assert twin.get_info() == original.get_info()
        twin.close()
    assert client.get_info() == server.get_info()


def test_a_server_that_has_not_been_started_is_remade(tmp_path: Path) -> None:
    server = vecbt.DataFeedServer(MARKET, network_address=tmp_path / "x", log_level="INFO", task=2, context="fork")
    twin = pickle.loads(pickle.dumps(server))
    assert twin.__dict__.keys() == server.__dict__.keys()
    assert (twin.address, twin.log_level, twin.task) == (server.address, server.log_level, server.task)


def _ask(client: Any, pipe: Any) -> None:
    pipe.send([client.get_info()["bars"] for _ in range(50)])


@pytest.mark.parametrize("which", ["server", "client"])
def test_forked_processes_have_connections_of_their_own(request: pytest.FixtureRequest, which: str) -> None:
    asked = request.getfixturevalue(which)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    processes = [context.Process(target=_ask, args=(asked, theirs)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [asked.get_info()["bars"] for _ in range(50)] == [3_000] * 50
    for process in processes:
        assert ours.poll(2 * BOUND)
        assert ours.recv() == [3_000] * 50
        process.join()
        assert process.exitcode == 0


def test_threads_may_ask_at_once(client: DataFeedClient) -> None:
    answers: list[Any] = []

    def ask() -> None:
        answers.extend((client.get_info()["bars"], client.get_global_time()) for _ in range(100))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(3_000, FIRST)] * 400


def test_a_closed_client(client: DataFeedClient, server: vecbt.DataFeedServer) -> None:
    envs = make(2, data=client)
    client.close()
    client.close()
    for ask in (client.get_info, client.get_global_time, client.stop, client.reset_data):
        with pytest.raises(ClosedError, match="has been closed"):
            ask()
    envs.reset(seed=0)  # the memory lives on
    envs.close()
    assert server.get_info()["bars"] == 3_000


def test_an_interrupted_call_leaves_the_client_usable(
    client: DataFeedClient, server: vecbt.DataFeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    for asked in (client, server):
        asked.wait_ready()
        with monkeypatch.context() as patch:
            patch.setattr("vecbt.feed.client.receive_bytes", interrupt)
            with pytest.raises(KeyboardInterrupt):
                asked.get_info()
        for _ in range(2):
            assert asked.get_global_time() == FIRST  # not the answer to what was asked before
    assert os.getpid() == asked._pid
