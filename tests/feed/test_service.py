"""What a data server answers to those who speak its messages and nothing else."""

from __future__ import annotations

import os
import pickle
import random
import struct
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecbt
from tests.envs import MARKET
from tests.faults.processes import BOUND, needs_proc, wait_until
from tests.feed.slow import Slow
from vecbt.errors import ColumnError, MessageError, WorkerTimeoutError
from vecbt.feed.service import DataService
from vecbt.feed.transfer import map_arrays
from vecbt.messages import LIMIT, REPLIES, REQUESTS, decode, encode
from vecbt.shm.local_socket import connect, receive_bytes, receive_descriptor

KINDS = (
    "_get_broadcast_message, _get_data, _get_generated, _get_global_time, _get_info, _get_table, _reset_data, "
    "_set_broadcast_message, _stop, _wait_ready"
)
GET_DATA = {"ctrl": "_get_data", "kwargs": {}}
GET_INFO = {"ctrl": "_get_info"}
TABLE = {"features": [], "normalize": None, "window": 0, "warmup": 1, "steps": None, "skip": 1, "num_envs": 0}
FIRST = int(MARKET.timestamps[0]) // 1_000_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[vecbt.DataFeedServer]:
    with vecbt.DataFeedServer(MARKET) as started:
        started.wait_ready()
        yield started


@pytest.fixture
def wire(server: vecbt.DataFeedServer) -> Iterator[Connection]:
    with connect(server.address or "", BOUND) as connection:
        yield connection


def say(wire: Connection, data: bytes) -> dict[str, Any]:
    wire.send_bytes(data)
    assert wire.poll(BOUND)
    return decode(wire.recv_bytes(), REPLIES)


def ask(wire: Connection, message: dict[str, Any]) -> dict[str, Any]:
    return say(wire, encode(message, REQUESTS))


def receive_trial(wire: Connection, reply: dict[str, Any]) -> dict[str, Any]:
    return map_arrays(reply["specs"], receive_descriptor(wire)).arrays


# -- answers -----------------------------------------------------------------------------------------------------------


def test_a_trial(wire: Connection) -> None:
    ask(wire, {"ctrl": "_reset_data", "kwargs": {}})
    reply = ask(wire, GET_DATA)
    bars = receive_trial(wire, reply)
    assert (reply["ctrl"], reply["origin"], reply["timestamp"]) == ("_data", "data_server", FIRST)
    first, end = reply["metadata"]["first_row"], reply["metadata"]["last_row"] + 1
    for column, name in enumerate(("open", "high", "low", "close")):
        np.testing.assert_array_equal(bars["ohlc"][:, 0, column], MARKET.column(name)[first:end])
    np.testing.assert_array_equal(bars["volume"][:, 0], MARKET.volume[first:end])
    np.testing.assert_array_equal(bars["stamps"], MARKET.timestamps[first:end])


def test_what_a_client_does_to_its_trial_is_its_own(wire: Connection) -> None:
    bars = receive_trial(wire, ask(wire, GET_DATA))
    bars["ohlc"][:] = -1.0
    assert (receive_trial(wire, ask(wire, GET_DATA))["ohlc"] > 0.0).all()


def test_trials_of_clients_are_the_same_one_by_one(server: vecbt.DataFeedServer) -> None:
    domain = vecbt.RandomDomain(MARKET, trial=vecbt.SampleRules(duration=200))
    with vecbt.DataFeedServer(domain) as own:
        own.wait_ready()
        expected = [own.get_data({"number": number}) for number in range(4)]
        with connect(own.address or "", BOUND) as one, connect(own.address or "", BOUND) as other:
            for number in range(4):
                for wire in (one, other):
                    reply = ask(wire, GET_DATA)
                    receive_trial(wire, reply)
                    assert reply["metadata"] == expected[number].metadata  # type: ignore[union-attr]
            again = ask(one, {"ctrl": "_get_data", "kwargs": {"get_new": False}})
            receive_trial(one, again)
            assert again["metadata"]["number"] == 3
            other_seed = ask(one, {"ctrl": "_get_data", "kwargs": {"number": 0, "seed": 9}})
            receive_trial(one, other_seed)
            assert other_seed["metadata"]["first_row"] != expected[0].first_row  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"sample_type": 1}, "ConfigError"),
        ({"sample_type": "x"}, "ConfigError"),
        ({"sample_typ": 0}, "UnknownNameError"),
        ({"seed": -1}, "ConfigError"),
        ({"number": None}, "ConfigError"),
        ({"table": 0}, "UnknownNameError"),
        ({"self": 0}, "UnknownNameError"),
        ({"b_alpha": 0}, "ConfigError"),
    ],
)
def test_trials_that_cannot_be(wire: Connection, settings: dict[str, Any], error: str) -> None:
    assert ask(wire, {"ctrl": "_get_data", "kwargs": settings})["error"] == error
    assert ask(wire, GET_INFO)["bars"] == 3_000


@pytest.mark.parametrize("settings", [{"timestam": 0}, {"self": 0}, {"timestamp": 1.5}, {"timestamp": True}], ids=str)
def test_resets_that_cannot_be(wire: Connection, settings: dict[str, Any]) -> None:
    reply = ask(wire, {"ctrl": "_reset_data", "kwargs": settings})
    assert reply["error"] in ("UnknownNameError", "ConfigError")
    assert "timestamp" in reply["message"]


def test_statistics_are_of_training_rows() -> None:
    domain = vecbt.RandomDomain(MARKET, test_period=1_000)
    with vecbt.DataFeedServer(domain) as server, connect(server.address or "", BOUND) as wire:
        info = server.get_info()
        close = MARKET.column("close")[slice(*info["train_rows"])]
        assert info["train_rows"] == [0, 2_000]
        assert info["stat"]["close"] == {
            "count": 2_000.0,
            "mean": float(close.mean()),
            "std": float(close.std(ddof=1)),
            "min": float(close.min()),
            "max": float(close.max()),
        }
        reply = ask(wire, {"ctrl": "_get_data", "kwargs": {"sample_type": 1}})
        receive_trial(wire, reply)
        assert reply["stat"] == info["stat"]
        assert reply["metadata"]["first_row"] >= 2_000


def test_trials_one_after_the_other_until_there_are_none() -> None:
    domain = vecbt.data.SequentialDomain(MARKET, trial=vecbt.SampleRules(duration=1_000))
    with vecbt.DataFeedServer(domain) as server, connect(server.address or "", BOUND) as wire:
        server.wait_ready()
        for _ in range(2):
            firsts = []
            for _ in range(3):
                reply = ask(wire, GET_DATA)
                receive_trial(wire, reply)
                firsts.append(reply["metadata"]["first_row"])
                assert server.get_data().first_row == firsts[-1]  # type: ignore[union-attr]
            assert firsts == [0, 1_000, 2_000]
            for _ in range(2):
                assert ask(wire, GET_DATA)["error"] == "ExhaustedError"
                assert server.get_data() is None
            assert ask(wire, {"ctrl": "_reset_data", "kwargs": {}})["ctrl"] == "_global_time"
            server.reset_data()


def test_unknown_kinds_are_told_the_known_ones(wire: Connection) -> None:
    for data in (b'{"ctrl": "ping!"}', b'{"ctrl": "_reset"}', b'{"ctrl": "_ready"}'):
        reply = say(wire, data)
        assert reply["error"] == "MessageError"
        assert reply["message"].endswith(f"Known: {KINDS}")


def test_an_answer_before_the_data_are_there(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with vecbt.DataFeedServer(Slow(gate)) as server, connect(server.address or "", BOUND) as wire:
        for message in (GET_DATA, GET_INFO, {"ctrl": "_get_table", **TABLE}, {"ctrl": "_get_global_time"}):
            assert ask(wire, message) == {"ctrl": "_not_ready"}
        assert not server.is_ready()
        assert server.get_data() is None
        with vecbt.DataFeedServer.attach(server.address or "") as client:
            assert client.get_data() is None
            with pytest.raises(WorkerTimeoutError, match=r"has not loaded its data within 0\.05 s"):
                client.wait_ready(0.05)
            gate.touch()
            client.wait_ready(BOUND)
            assert len(client.get_data() or ()) == 3_000
        assert ask(wire, {"ctrl": "_wait_ready"})["ctrl"] == "_ready"
        receive_trial(wire, ask(wire, GET_DATA))


def test_data_that_cannot_be_loaded(tmp_path: Path) -> None:
    data = tmp_path / "x.csv"
    data.write_text("date,open,high,low,close\n2024-01-02,1,2,1,abc\n", encoding="utf-8")
    with vecbt.DataFeedServer(str(data)) as server, vecbt.DataFeedServer.attach(server.address or "") as client:
        for asked in (server, client):
            for call in (asked.wait_ready, asked.is_ready, asked.get_data, asked.get_info, asked.wait_ready):
                with pytest.raises(ColumnError, match="expected a number") as caught:
                    call()
                assert (caught.value.source, caught.value.row, caught.value.column) == (str(data), 2, "close")


def test_the_end_is_asked_for(tmp_path: Path) -> None:
    server = vecbt.DataFeedServer(MARKET, network_address=tmp_path / "x").start()
    with connect(server.address or "", BOUND) as wire:
        assert ask(wire, {"ctrl": "_stop"}) == {"ctrl": "_done"}
    wait_until(lambda: server._process.exitcode == 0, "the end of the server")
    with pytest.raises(vecbt.errors.WorkerDiedError, match="ended with exit code 0"):
        server.get_info()
    server.stop()
    assert list(tmp_path.iterdir()) == []


# -- anything ----------------------------------------------------------------------------------------------------------


def junk() -> list[bytes]:
    generator = random.Random(5)
    found = [generator.randbytes(generator.randrange(200)) for _ in range(100)]
    found += [b"", b"null", b"[]", b"{}", b'{"ctrl": []}', b'{"ctrl": "_get_table"}', b'{"ctrl": "_ready"}']
    found += [b"[" * 200_000, b"9" * 200_000, b" " * (LIMIT + 1), pickle.dumps({"ctrl": "_stop"})]
    for message in (GET_DATA, GET_INFO, {"ctrl": "_get_table", **TABLE}):
        whole = encode(message, REQUESTS)
        for _ in range(60):
            changed = bytearray(whole)
            changed[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
            found.append(bytes(changed))
        found += [whole[:cut] for cut in range(1, len(whole), 7)]
    return found


def test_bytes_that_are_no_message(wire: Connection) -> None:
    for data in junk():
        reply = say(wire, data)
        if reply["ctrl"] != "_error":  # a digit was changed for another
            for _ in range({"_table": 4, "_data": 1}.get(reply["ctrl"], 0)):
                os.close(receive_descriptor(wire))
    assert ask(wire, GET_INFO)["bars"] == 3_000


def test_a_message_that_is_much_too_long_costs_its_sender_the_connection(server: vecbt.DataFeedServer) -> None:
    with connect(server.address or "", BOUND) as wire, connect(server.address or "", BOUND) as other:
        wire.send_bytes(b" " * (LIMIT + 5))
        assert decode(receive_bytes(wire, LIMIT), REPLIES)["error"] == "MessageError"
        os.write(wire.fileno(), struct.pack("!i", 2 * LIMIT + 1))
        assert "bad message length" in decode(receive_bytes(wire, LIMIT), REPLIES)["message"]
        with pytest.raises((EOFError, OSError)):
            receive_bytes(wire, LIMIT)
        assert ask(other, GET_INFO)["bars"] == 3_000


@needs_proc
def test_half_messages_keep_nobody_waiting(server: vecbt.DataFeedServer) -> None:
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    whole = struct.pack("!i", len(encode(GET_INFO, REQUESTS))) + encode(GET_INFO, REQUESTS)
    halves = []
    for cut in range(1, len(whole)):
        wire = connect(server.address or "", BOUND)
        os.write(wire.fileno(), whole[:cut])
        halves.append(wire)
        assert server.get_info()["bars"] == 3_000
    for wire in halves:
        wire.close()
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) <= before, "descriptors of clients")


@needs_proc
def test_who_asks_and_does_not_listen_keeps_nobody_waiting(server: vecbt.DataFeedServer) -> None:
    with connect(server.address or "", BOUND) as wire:  # the server keeps a table that it has made once
        ask(wire, {"ctrl": "_get_table", **TABLE})
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    with connect(server.address or "", BOUND) as deaf:
        os.set_blocking(deaf.fileno(), False)
        table = encode({"ctrl": "_get_table", **TABLE}, REQUESTS)
        with pytest.raises(BlockingIOError):
            fill(deaf, table)
        begun = time.monotonic()
        for _ in range(20):
            assert server.get_info()["bars"] == 3_000
        assert time.monotonic() - begun < BOUND
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) <= before, "descriptors of clients")


def fill(wire: Connection, data: bytes) -> None:
    while True:
        wire.send_bytes(data)


@needs_proc
def test_clients_that_leave_at_any_moment(server: vecbt.DataFeedServer) -> None:
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    generator = random.Random(2)
    messages = [GET_DATA, GET_INFO, {"ctrl": "_get_table", **TABLE}, {"ctrl": "_wait_ready"}]
    for _ in range(100):
        with connect(server.address or "", BOUND) as wire:
            for _ in range(generator.randrange(4)):
                wire.send_bytes(encode(generator.choice(messages), REQUESTS))
            if generator.random() < 0.5:
                receive_bytes(wire, LIMIT) if wire.poll(0.01) else None
    assert server.get_info()["bars"] == 3_000
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) <= before, "descriptors of clients")


def test_requests_at_once_are_all_answered() -> None:
    """In one process, where two threads could meet in the middle of an answer."""
    service = DataService()
    service.load(lambda: MARKET)
    replies: list[Any] = []

    def converse(kind: dict[str, Any]) -> None:
        from multiprocessing import Pipe

        ours, theirs = Pipe()
        threading.Thread(target=service.talk, args=[theirs], daemon=True).start()
        replies.extend(ask(ours, kind)["ctrl"] for _ in range(100))
        ours.close()

    kinds = [
        GET_INFO,
        {"ctrl": "_reset_data", "kwargs": {}},
        {"ctrl": "_set_broadcast_message", "timestamp": FIRST + 5, "broadcast_message": {}, "metadata": None},
        {"ctrl": "_get_broadcast_message"},
    ]
    threads = [threading.Thread(target=converse, args=[kind]) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(replies)) == ["_broadcast_message", "_global_time", "_info"]
    assert len(replies) == 400


def test_a_client_of_something_else(tmp_path: Path) -> None:
    """A listener that answers, and not as a data server does."""
    from vecbt.shm.local_socket import LocalListener

    def answer(wire: Connection) -> None:
        receive_bytes(wire, LIMIT)
        wire.send_bytes(b'{"ctrl": "_done"}')

    listener = LocalListener(tmp_path / "x")
    threading.Thread(target=listener.serve, args=[answer], daemon=True).start()
    with vecbt.DataFeedServer.attach(tmp_path / "x") as client, pytest.raises(MessageError, match="expected _ready"):
        client.get_info()
    listener.close()
