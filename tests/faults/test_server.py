"""A Backtrader server or one of its clients is killed, hangs or talks nonsense: the others say so, or go on."""

from __future__ import annotations

import os
import pickle
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest

import vecbt
from tests.envs import MARKET
from tests.faults.processes import BOUND, Script, is_alive, needs_proc, wait_until
from vecbt.errors import AuthenticationError, VecbtError, WorkerDiedError, WorkerTimeoutError
from vecbt.remote.wire import LIMIT, pack, unpack
from vecbt.shm.local_socket import connect

KILLED = r"the Backtrader server \(process \d+\) was ended by SIGKILL \(exit code -9\)"


@pytest.fixture
def server() -> Iterator[vecbt.BacktraderServer]:
    with vecbt.BacktraderServer(MARKET, engine="compiled", episode_steps=50) as started:
        started.wait_ready()
        yield started


def kill(server: vecbt.BacktraderServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(server.pid or 0), "the Backtrader server")


def test_killed_before_it_is_asked(server: vecbt.BacktraderServer) -> None:
    client = server.connect()
    client.get_info()
    kill(server)
    begun = time.monotonic()
    for _ in range(2):
        with pytest.raises(WorkerDiedError, match=KILLED):
            server.reset()
    with pytest.raises(WorkerDiedError, match=r"the Backtrader server at /.*/socket has ended"):
        client.reset()
    assert time.monotonic() - begun < BOUND
    server.stop()
    client.close()


def test_killed_before_it_is_ready() -> None:
    with vecbt.BacktraderServer(vecbt.data.synthetic_market(300_000)) as server:
        kill(server)
        for _ in range(2):
            with pytest.raises(WorkerDiedError, match=KILLED):
                server.wait_ready()
        with pytest.raises(WorkerDiedError, match=KILLED):
            server.reset()


@pytest.mark.parametrize("own", [True, False], ids=["handle", "client"])
def test_killed_while_a_client_waits(server: vecbt.BacktraderServer, own: bool) -> None:
    assert server.pid is not None
    client = server if own else server.connect()
    client.get_info()
    os.kill(server.pid, signal.SIGSTOP)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            client.get_info()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    os.kill(server.pid, signal.SIGKILL)
    thread.join(BOUND)
    assert not thread.is_alive()
    assert isinstance(raised[0], WorkerDiedError)
    client.close()


def test_no_answer_in_time(server: vecbt.BacktraderServer) -> None:
    assert server.pid is not None
    with server.connect(timeout=0.2) as client:
        client.reset(seed=0)
        os.kill(server.pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(WorkerTimeoutError, match=r"the Backtrader server at .* has not answered within 0\.2 s"):
            client.step("hold")
        assert time.monotonic() - begun < BOUND
        os.kill(server.pid, signal.SIGCONT)
        assert server.get_info()["num_envs"] == 1
        client._timeout = None
        # What was asked for has happened all the same, and the client's next answer is that to its next question.
        _, _, _, info = client.step("hold")
        assert info["bar"] == info["start"] + 2


def test_the_time_to_connect(server: vecbt.BacktraderServer, tmp_path: Path) -> None:
    assert server.pid is not None
    begun = time.monotonic()
    with pytest.raises(WorkerTimeoutError, match=r"no server answers at .*/nobody within 0\.3 s"):
        vecbt.BacktraderServer.attach(tmp_path / "nobody", connect_timeout=0.3)
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(WorkerTimeoutError, match=r"has not answered within 0\.3 s"):
        vecbt.BacktraderServer.attach(server.address or "", connect_timeout=0.3)
    assert time.monotonic() - begun < BOUND
    os.kill(server.pid, signal.SIGCONT)
    vecbt.BacktraderServer.attach(server.address or "").close()


def test_not_ready_in_time() -> None:
    with vecbt.BacktraderServer(MARKET) as server:
        assert server.pid is not None
        server._connect_timeout = 0.1
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(WorkerTimeoutError, match=r"has not made its environments within 0\.1 s"):
            server.reset()
        os.kill(server.pid, signal.SIGCONT)
        server.wait_ready(60.0)
        server._connect_timeout = 60.0
        server.reset()


@pytest.mark.parametrize("moment", ["stepping", "waiting"])
def test_a_client_is_killed(server: vecbt.BacktraderServer, tmp_path: Path, moment: str) -> None:
    code = f"""
client = vecbt.BacktraderServer.attach({server.address!r})
print("here", flush=True)
while True:
    client.reset()
    {'client.step("buy")' if moment == "stepping" else "time.sleep(0.01)"}
"""
    script = Script(code, tmp_path)
    assert script.read_line() == "here"
    assert server.pid is not None
    if moment == "waiting":
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(0.1)
    script.kill()
    os.kill(server.pid, signal.SIGCONT)
    server.reset(seed=0)
    assert server.step("hold")[3]["bar"] > 0


def test_a_killed_client_leaves_episodes_to_the_next(server: vecbt.BacktraderServer, tmp_path: Path) -> None:
    code = f"""
client = vecbt.BacktraderServer.attach({server.address!r})
client.reset(seed=0)
print(client.step("buy")[3]["bar"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    script = Script(code, tmp_path)
    bar = int(script.read_line())
    assert script.finish()[0] == -9
    assert server.step("hold")[3]["bar"] == bar + 1


@needs_proc
@pytest.mark.parametrize("num_workers", [0, 1])
def test_its_parent_is_killed(tmp_path: Path, num_workers: int) -> None:
    code = f"""
server = vecbt.BacktraderServer(bars, engine="cerebro", num_workers={num_workers}, episode_steps=20).start()
server.reset()
print(server.address, flush=True)
time.sleep(100)
"""
    script = Script(code, tmp_path)
    client = vecbt.BacktraderServer.attach(script.read_line())
    assert client.get_info()["num_envs"] == 1
    os.kill(script.process.pid, signal.SIGKILL)
    script.assert_nothing_left()
    with pytest.raises(WorkerDiedError, match="has ended"):
        client.get_info()
    client.close()
    script.process.communicate()


@needs_proc
@pytest.mark.parametrize(
    "end",
    [
        "server.stop()",
        *(pytest.param(end, marks=pytest.mark.slow) for end in ("del server", "pass", "raise SystemExit(0)")),
    ],
)
def test_nothing_is_left_of_it(tmp_path: Path, end: str) -> None:
    code = f"""
server = vecbt.BacktraderServer(bars, engine="cerebro", num_workers=1, episode_steps=20).start()
server.reset()
server.step("buy")
print(server.address, flush=True)
{end}
"""
    script = Script(code, tmp_path)
    address = Path(script.read_line())
    assert script.finish()[:2] == (0, "")
    script.assert_nothing_left()
    assert not address.exists()
    assert not address.parent.exists()


@needs_proc
@pytest.mark.parametrize("stopped", [False, True])
def test_the_end_of_a_server(stopped: bool) -> None:
    server = vecbt.BacktraderServer(MARKET, episode_steps=20).start()
    server.wait_ready()
    pid = server.pid
    assert pid is not None
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < BOUND
    assert not is_alive(pid)


def junk() -> Iterator[bytes]:
    generator = random.Random(3)
    whole = pack({"ctrl": "_reset", "kwargs": {"seed": 3}})
    for _ in range(100):
        yield generator.randbytes(generator.randrange(100))
        changed = bytearray(whole)
        changed[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        yield bytes(changed)
        yield whole[: generator.randrange(len(whole))]
    yield pickle.dumps({"ctrl": "_stop"})
    yield b"[" * 200_000


def test_bytes_that_are_no_message(server: vecbt.BacktraderServer) -> None:
    server.reset(seed=0)
    with connect(server.address or "", BOUND) as connection:
        for data in junk():
            connection.send_bytes(data)
            assert connection.poll(BOUND), data[:100]
            reply = unpack(connection.recv_bytes(LIMIT))
            # A bit may have made another seed of it.
            assert reply["ctrl"] == "_reset" or reply["error"] in vecbt.errors.__all__, reply
    server.reset(seed=0)
    server.step("hold")


def test_half_a_message(server: vecbt.BacktraderServer) -> None:
    half = connect(server.address or "", BOUND)
    os.write(half.fileno(), b"\0\0\1\0half")
    silent = connect(server.address or "", BOUND)
    long = connect(server.address or "", BOUND)
    os.write(long.fileno(), b"\xff\xff\xff\xff" + b"\x7f" * 8)  # as many bytes as there are in no machine
    server.reset(seed=0)
    server.step("hold")
    for connection in (half, silent, long):
        connection.close()
    server.step("hold")


def test_nobody_without_the_key(server: vecbt.BacktraderServer, tmp_path: Path) -> None:
    key = Path(f"{server.address}.key")
    true = key.read_bytes()
    try:
        key.write_bytes(bytes(32))
        with pytest.raises(AuthenticationError):
            vecbt.BacktraderServer.attach(server.address or "", connect_timeout=BOUND)
    finally:
        key.write_bytes(true)
    server.reset()


def test_nothing_is_unpickled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something is pickled")

    server = vecbt.BacktraderServer(MARKET, network_address=tmp_path / "envs", engine="compiled", episode_steps=20)
    thread = threading.Thread(target=server.run)
    thread.start()
    with vecbt.BacktraderServer.attach(tmp_path / "envs", 60.0) as client:
        client.reset()
        client.step("buy")
        with monkeypatch.context() as patch:
            for module, names in {
                pickle: ("load", "loads", "Unpickler", "dump", "dumps", "Pickler"),
                ForkingPickler: ("loads", "dumps", "dump"),
                Connection: ("recv", "send"),
            }.items():
                for name in names:
                    patch.setattr(module, name, refuse)
            client.reset(seed=1, options={"start": 100})
            client.step({"SYNTH": "buy"})
            client.done()
            for ask in (client.get_stat, client.get_info, client.get_broadcast_message):
                ask()
            with pytest.raises(VecbtError):
                client.step("hold")
        client.stop()
    thread.join(30.0)
    assert not thread.is_alive()


def test_an_interrupted_call(server: vecbt.BacktraderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.reset(seed=0)
    poll: Callable[..., bool] = Connection.poll

    def interrupt(self: Connection, timeout: float | None = 0.0) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "poll", interrupt)
        with pytest.raises(KeyboardInterrupt):
            server.step("hold")
    assert Connection.poll is poll
    info = server.step("hold")[3]
    assert info["bar"] == info["start"] + 2
