"""The data server is killed or hangs: who needs it says so, who has what it needs goes on."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import pickle
import random
import signal
import struct
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest

import vecbt
from tests.envs import MARKET, make, rollout
from tests.faults.processes import BOUND, is_alive, needs_proc, wait_until
from vecbt.data.store import DataStore
from vecbt.errors import ClosedError, ColumnError, MessageError, SharedMemoryError, WorkerDiedError, WorkerTimeoutError
from vecbt.feed.sampler import WHOLE
from vecbt.messages import LIMIT, REPLIES, REQUESTS, decode, encode
from vecbt.shm.local_socket import receive_bytes

KILLED = r"the data server \(process \d+\) was ended by SIGKILL \(exit code -9\)"


@pytest.fixture
def server() -> Iterator[vecbt.DataFeedServer]:
    with vecbt.DataFeedServer(MARKET) as started:
        started.wait_ready()
        yield started


def kill(server: vecbt.DataFeedServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(server.pid or 0), "the data server")


@pytest.mark.parametrize(
    "ask",
    [
        lambda server: server.get_info(),
        lambda server: server.get_data(),
        lambda server: make(2, data=server),
        lambda server: make(2, data=server, num_workers=1),
    ],
    ids=["info", "data", "batch", "workers"],
)
def test_killed_before_it_is_asked(server: vecbt.DataFeedServer, ask: Any) -> None:
    kill(server)
    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(WorkerDiedError, match=KILLED):
            ask(server)
        assert time.monotonic() - begun < BOUND
    server.stop()
    with pytest.raises(ClosedError, match="not running"):
        ask(server)


def test_killed_before_it_is_ready() -> None:
    with vecbt.DataFeedServer(vecbt.data.synthetic_market(300_000)) as server:
        kill(server)
        for ask in (server.is_ready, server.wait_ready, server.get_info):
            with pytest.raises(WorkerDiedError, match=KILLED):
                ask()


def test_stopped_before_it_is_ready() -> None:
    with vecbt.DataFeedServer(MARKET) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        assert not server.is_ready()
        assert server.get_data() is None
        with pytest.raises(WorkerTimeoutError, match=r"within 0\.1 s"):
            server.wait_ready(0.1)
        os.kill(server.pid, signal.SIGCONT)
        server.wait_ready()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_killed_after_it_has_shared_its_tables(server: vecbt.DataFeedServer, num_workers: int) -> None:
    envs = make(3, data=server, num_workers=num_workers)
    events = rollout(envs, 25)
    sample = server.get_data()
    kill(server)
    assert rollout(envs, 25) == events  # the memory lives on
    again = make(3, data=server, num_workers=num_workers)  # the same table as before
    assert rollout(again, 25) == events
    assert sample is not None
    assert server.get_data({"get_new": False}) is sample
    with pytest.raises(WorkerDiedError, match=KILLED):
        make(3, data=server, features=("log_return",))
    envs.close()
    again.close()


def test_a_batch_goes_on_without_its_own_server() -> None:
    envs = make(3, num_workers=2)
    events = rollout(envs, 25)
    kill(envs._batch.runner.source)
    assert rollout(envs, 25) == events
    begun = time.monotonic()
    envs.close()
    assert time.monotonic() - begun < BOUND


def test_a_request_that_fails_does_not_end_it(server: vecbt.DataFeedServer) -> None:
    with pytest.raises(vecbt.errors.UnknownNameError, match="did you mean 'close'"):
        make(2, data=server, features=("closs",))
    envs = make(2, data=server)
    envs.reset(seed=0)
    envs.close()
    assert server.get_info()["bars"] == 3_000


INFO = encode({"ctrl": "_get_info"}, REQUESTS)


def converse(server: vecbt.DataFeedServer, data: bytes) -> dict[str, Any]:
    """Send bytes as they are; the reply."""
    pipe = server._open()
    pipe.send_bytes(data)
    assert pipe.poll(BOUND)
    return decode(pipe.recv_bytes(), REPLIES)


def test_bytes_that_are_no_message_do_not_end_it(server: vecbt.DataFeedServer) -> None:
    generator = random.Random(5)
    junk = [generator.randbytes(generator.randrange(200)) for _ in range(200)]
    junk += [b"", b"null", b"[]", b"{}", b'{"ctrl": []}', b'{"ctrl": "_get_table"}', b'{"ctrl": "_ready"}']
    junk += [b"[" * 200_000, b"9" * 200_000, b" " * (LIMIT + 1), pickle.dumps({"ctrl": "_stop"})]
    for _ in range(200):
        changed = bytearray(INFO)
        changed[generator.randrange(len(INFO))] ^= 1 << generator.randrange(8)
        junk.append(bytes(changed))
    for data in junk:
        assert converse(server, data)["error"] == "MessageError", data[:100]
    assert converse(server, INFO)["bars"] == 3_000
    envs = make(2, data=server)
    envs.reset(seed=0)
    envs.close()


def test_a_message_that_is_much_too_long_closes_the_connection(server: vecbt.DataFeedServer) -> None:
    os.write(server._open().fileno(), struct.pack("!i", 2 * LIMIT + 1))
    reply = decode(receive_bytes(server._open(), LIMIT), REPLIES)
    assert reply["message"] == "the connection is closed: bad message length"
    with pytest.raises(WorkerDiedError, match=r"the data server \(process \d+\) has closed the connection"):
        server.get_info()


def test_requests_that_cannot_be_met_do_not_end_it(server: vecbt.DataFeedServer) -> None:
    large = (1 << 63) - 1
    whole = {
        "ctrl": "_get_table",
        "features": [],
        "normalize": None,
        "window": 0,
        "warmup": 1,
        "steps": None,
        "skip": 1,
        "num_envs": 2,
    }
    for change in (
        {"window": large},
        {"warmup": large},
        {"steps": large, "skip": large},
        {"window": 1, "features": ["\udcff"]},
        {"window": 1, "features": ["(" * 5000 + "close" + ")" * 5000]},
        {"window": 1, "features": [f"sma({large})"]},
    ):
        assert converse(server, encode(whole | change, REQUESTS))["ctrl"] == "_error", change
    assert server.get_info()["bars"] == 3_000


def test_a_reply_that_is_none_of_the_expected(server: vecbt.DataFeedServer) -> None:
    server._open().send_bytes(INFO)
    with pytest.raises(MessageError, match=r"expected _table from the data server .*, got _info"):
        server.table(WHOLE)


def test_an_error_in_the_data_comes_as_it_is(tmp_path: Path) -> None:
    data = tmp_path / "x.csv"
    data.write_text("date,open,high,low,close\n2024-01-02,1,2,1,abc\n", encoding="utf-8")
    with vecbt.DataFeedServer(str(data)) as server, pytest.raises(ColumnError, match="expected a number") as caught:
        server.wait_ready()
    assert (caught.value.source, caught.value.row, caught.value.column) == (str(data), 2, "close")


@needs_proc
def test_tables_that_cannot_be_mapped(server: vecbt.DataFeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(mmap, "mmap", refuse)
        with pytest.raises(SharedMemoryError, match=os.strerror(errno.ENOMEM)):
            server.table(WHOLE)
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(server.get_data() or ()) == 3_000


def test_nothing_is_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something is pickled")

    def session(server: vecbt.DataFeedServer) -> None:
        assert server.get_info()["bars"] == 3_000
        assert len(server.get_data() or ()) == 3_000
        make(2, data=server).close()
        with pytest.raises(vecbt.errors.UnknownNameError):
            make(2, data=server, features=("closs",))

    # What has been compiled comes from a cache on disk, which is pickled: all of it has to be in this process before.
    DataStore(MARKET).table(WHOLE)
    with vecbt.DataFeedServer(MARKET, context="fork") as server:
        server.wait_ready()
        session(server)
    for module, names in {
        pickle: ("load", "loads", "Unpickler", "dump", "dumps", "Pickler"),
        ForkingPickler: ("loads", "dumps", "dump"),
        Connection: ("recv", "send"),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, refuse)
    # A forked process inherits all of this.
    with vecbt.DataFeedServer(MARKET, context="fork") as server:
        server.wait_ready()
        session(server)


@needs_proc
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("forget", [False, True])
def test_the_end_of_a_server(stopped: bool, forget: bool) -> None:
    server = vecbt.DataFeedServer(MARKET, context="fork").start()
    server.wait_ready()
    pid = server.pid
    assert pid is not None
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    if forget:
        del server
        gc.collect()
    else:
        server.stop()
        server.stop()
        with pytest.raises(ClosedError):
            server.get_info()
    assert time.monotonic() - begun < BOUND
    wait_until(lambda: not is_alive(pid), "the data server")
