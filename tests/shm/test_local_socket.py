"""Only who may, connects; whoever else comes, and whatever they say, keeps nobody from it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.processes import BOUND, needs_proc, wait_until
from vecbt.errors import AuthenticationError, ConfigError, WorkerTimeoutError
from vecbt.shm import local_socket
from vecbt.shm.local_socket import LocalListener, connect, receive_bytes, receive_descriptor, send_descriptor
from vecbt.shm.process import get_context, start_process

HELLO = local_socket._HELLO
FIRST = len(HELLO) + 32


def echo(client: Connection) -> None:
    """Say what is said, until the other end has gone."""
    try:
        while True:
            client.send_bytes(receive_bytes(client, 1000))
    except (EOFError, OSError):
        return


def serve(listener: LocalListener, handle: Callable[[Connection], None] = echo) -> threading.Thread:
    thread = threading.Thread(target=listener.serve, args=[handle], daemon=True)
    thread.start()
    return thread


@pytest.fixture
def listener() -> Iterator[LocalListener]:
    made = LocalListener()
    thread = serve(made)
    yield made
    made.close()
    thread.join(BOUND)
    assert not thread.is_alive()


def say(address: str, text: bytes = b"hello") -> None:
    with connect(address, BOUND) as connection:
        connection.send_bytes(text)
        assert receive_bytes(connection, 1000) == text


def raw(address: str) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(BOUND)
    channel.connect(address)
    return channel


def read_all(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := channel.recv(size - len(data))):
        data += piece
    return data


# -- who may -----------------------------------------------------------------------------------------------------------


def test_bytes_go_both_ways(listener: LocalListener) -> None:
    say(listener.address)
    with connect(listener.address, BOUND) as one, connect(listener.address, BOUND) as other:
        one.send_bytes(b"1")
        other.send_bytes(b"2")
        assert (receive_bytes(other, 10), receive_bytes(one, 10)) == (b"2", b"1")


def test_open_files_travel(listener: LocalListener, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("text")

    def send(client: Connection) -> None:
        with (tmp_path / "x").open() as file:
            send_descriptor(client, file.fileno())

    giver = LocalListener()
    serve(giver, send)
    with connect(giver.address, BOUND) as connection:
        descriptor = receive_descriptor(connection)
        assert os.read(descriptor, 10) == b"text"
        os.close(descriptor)
        with pytest.raises(EOFError):
            receive_descriptor(connection)
    giver.close()


def test_the_files_are_private(listener: LocalListener) -> None:
    path = Path(listener.address)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path, Path(f"{path}.key"))]
    assert modes == [0o700, 0o600, 0o600]
    assert sorted(each.name for each in path.parent.iterdir()) == ["socket", "socket.key"]


def test_every_listener_has_its_own_place_and_key() -> None:
    listeners = [LocalListener() for _ in range(3)]
    assert len({listener.address for listener in listeners}) == 3
    assert len({listener._key for listener in listeners}) == 3
    for listener in listeners:
        listener.close()


def test_nothing_is_left_of_a_listener(tmp_path: Path) -> None:
    chosen, given = LocalListener(), LocalListener(tmp_path / "x")
    thread = serve(given)
    for listener in (chosen, given):
        listener.close()
        listener.close()
    assert not Path(chosen.address).parent.exists()
    assert list(tmp_path.iterdir()) == []
    thread.join(BOUND)
    assert not thread.is_alive()
    begun = time.monotonic()
    with pytest.raises(WorkerTimeoutError, match=r"no server answers at .* within 0\.1 s: it has ended"):
        connect(given.address, 0.1)
    assert time.monotonic() - begun < BOUND


def test_a_client_waits_for_the_server(tmp_path: Path) -> None:
    answers = []

    def ask() -> None:
        with connect(tmp_path / "x", BOUND) as connection:
            connection.send_bytes(b"early")
            answers.append(receive_bytes(connection, 10))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.1)
    listener = LocalListener(tmp_path / "x")
    serve(listener)
    thread.join(BOUND)
    listener.close()
    assert answers == [b"early"]


def test_a_client_stays_connected_when_its_listener_is_closed(listener: LocalListener) -> None:
    with connect(listener.address, BOUND) as connection:
        connection.send_bytes(b"1")
        assert receive_bytes(connection, 10) == b"1"
        listener.close()
        connection.send_bytes(b"2")
        assert receive_bytes(connection, 10) == b"2"


# -- places ------------------------------------------------------------------------------------------------------------


def test_two_listeners_do_not_share_an_address(tmp_path: Path) -> None:
    first = LocalListener(tmp_path / "x")
    serve(first)
    with pytest.raises(ConfigError, match=r"a server listens at .*x already"):
        LocalListener(tmp_path / "x")
    say(first.address)
    first.close()
    LocalListener(tmp_path / "x").close()


def test_what_is_at_the_address_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("precious")
    with pytest.raises(ConfigError, match=r"there can be no socket at .*in use"):
        LocalListener(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "precious"


@pytest.mark.parametrize(
    ("address", "text"), [("missing/x", "No such file or directory"), ("x" * 120, r"\(\d+ bytes\): .*too long")]
)
def test_places_where_no_socket_can_be(tmp_path: Path, address: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"there can be no socket at .*{text}"):
        LocalListener(tmp_path / address)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [LocalListener, lambda address: connect(address, 1.0)])
def test_there_are_no_ports(call: Callable[[str], Any]) -> None:
    with pytest.raises(ConfigError, match=r"expected the path of a socket, got .tcp://127\.0\.0\.1:5000"):
        call("tcp://127.0.0.1:5000")


def test_a_path_that_is_too_long_to_connect_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no socket that can be reached: .*too long"):
        connect(tmp_path / ("x" * 120), 1.0)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_may_know_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "x.key").touch(mode=0o600)
    (tmp_path / "x.key").chmod(mode)
    with pytest.raises(AuthenticationError, match="of mode 0600"):
        LocalListener(tmp_path / "x")
    (tmp_path / "x.key").unlink()
    listener = LocalListener(tmp_path / "x")
    serve(listener)
    (tmp_path / "x.key").chmod(mode)
    with pytest.raises(AuthenticationError, match="of mode 0600"):
        connect(listener.address, BOUND)
    listener.close()


def test_a_key_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "target").touch(mode=0o600)
    (tmp_path / "x.key").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigError, match="there can be no socket"):
        LocalListener(tmp_path / "x")
    assert (tmp_path / "target").read_bytes() == b""


def _listen(listener: LocalListener) -> None:
    listener.serve(echo)


@needs_proc
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_listener_that_another_process_is_handed(tmp_path: Path, method: str) -> None:
    address = tmp_path / "x"
    for _ in range(2):
        listener = LocalListener(address)
        process = start_process(get_context(method), _listen, (listener,), "listener")
        listener.hand_over()
        say(str(address))
        process.kill()
        process.join()
        with pytest.raises(WorkerTimeoutError):
            connect(address, 0.1)
        listener.close()
        assert list(tmp_path.iterdir()) == []


def _listen_and_die(address: Path) -> None:
    LocalListener(address)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_listener_leaves_is_replaced(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_listen_and_die, args=(tmp_path / "x",))
    process.start()
    process.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.key"]
    old = (tmp_path / "x.key").read_bytes()
    with pytest.raises(WorkerTimeoutError, match="it has ended"):
        connect(tmp_path / "x", 0.1)
    listener = LocalListener(tmp_path / "x")
    serve(listener)
    assert (tmp_path / "x.key").read_bytes() != old
    say(listener.address)
    listener.close()
    assert list(tmp_path.iterdir()) == []


def test_a_listener_removes_only_its_own(tmp_path: Path) -> None:
    listener = LocalListener(tmp_path / "x")
    for path in (tmp_path / "x", tmp_path / "x.key"):
        path.unlink()
    other = LocalListener(tmp_path / "x")
    listener.close()
    serve(other)
    say(other.address)
    other.close()
    assert list(tmp_path.iterdir()) == []


# -- who may not -------------------------------------------------------------------------------------------------------


def test_a_client_with_another_key(listener: LocalListener, tmp_path: Path) -> None:
    key = Path(f"{listener.address}.key")
    right = key.read_bytes()
    for wrong in (bytes(32), right[:-1], b"", bytes([right[0] ^ 1]) + right[1:]):
        key.write_bytes(wrong)
        with pytest.raises(AuthenticationError, match="has ended, or does not accept the key"):
            connect(listener.address, BOUND)
    key.write_bytes(right)
    say(listener.address)
    key.unlink()
    with pytest.raises(AuthenticationError, match="FileNotFoundError"):
        connect(listener.address, BOUND)


def imposter(tmp_path: Path, answer: Callable[[socket.socket], None]) -> socket.socket:
    """Something that listens, and has no key."""
    channel = socket.socket(socket.AF_UNIX)
    channel.bind(str(tmp_path / "x"))
    channel.listen()
    (tmp_path / "x.key").touch(mode=0o600)
    (tmp_path / "x.key").write_bytes(b"k" * 32)

    def serve() -> None:
        client, _ = channel.accept()
        with client, contextlib.suppress(OSError):  # the client may have had enough
            client.settimeout(BOUND)
            answer(client)

    threading.Thread(target=serve, daemon=True).start()
    return channel


def reflect(client: socket.socket) -> None:
    """Give back what the client says."""
    client.sendall(HELLO + b"c" * 32)
    client.sendall(read_all(client, 64)[32:])


def pretend(client: socket.socket) -> None:
    """Say what a server would, the key apart."""
    client.sendall(HELLO + b"c" * 32)
    read_all(client, 64)
    client.sendall(bytes(32))


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (lambda client: client.sendall(bytes(FIRST)), AuthenticationError, "expected a server of this version"),
        (pretend, AuthenticationError, "does not know the key"),
        (lambda client: client.sendall(HELLO + b"c" * 32), AuthenticationError, "has ended, or does not accept"),
        (lambda client: client.sendall(HELLO), WorkerTimeoutError, r"has not answered within 0\.5 s"),
        (lambda client: None, WorkerTimeoutError, r"has not answered within 0\.5 s"),
        (reflect, AuthenticationError, "does not know the key"),
        (lambda client: time.sleep(2.0), WorkerTimeoutError, r"has not answered within 0\.5 s"),
    ],
    ids=["zeros", "wrong", "challenge", "half", "nothing", "reflected", "silent"],
)
def test_a_server_without_the_key(tmp_path: Path, answer: Any, error: Any, text: str) -> None:
    with imposter(tmp_path, answer), pytest.raises(error, match=text):
        connect(tmp_path / "x", 0.5)


def test_a_server_that_drips(tmp_path: Path) -> None:
    def drip(client: socket.socket) -> None:
        for byte in HELLO:
            client.sendall(bytes([byte]))
            time.sleep(0.1)

    begun = time.monotonic()
    with imposter(tmp_path, drip), pytest.raises(WorkerTimeoutError, match="has not answered"):
        connect(tmp_path / "x", 0.3)
    assert time.monotonic() - begun < BOUND


def test_another_user(listener: LocalListener, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        return
    key = Path(f"{listener.address}.key")
    with monkeypatch.context() as patch:
        patch.setattr(local_socket, "_check_private", lambda *_: None)
        patch.setattr(os, "geteuid", lambda: key.stat().st_uid + 1)
        with pytest.raises(AuthenticationError, match=r"of user \d+, this one of user \d+"):
            connect(listener.address, BOUND)
    say(listener.address)


def test_who_says_nothing_keeps_nobody_waiting(listener: LocalListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "_HANDSHAKE_SECONDS", 0.3)
    silent = [raw(listener.address) for _ in range(20)]
    say(listener.address)
    for channel in silent:
        read_all(channel, FIRST)
        assert channel.recv(1) == b""  # shown out
        channel.close()


def drip_for_ever(channel: socket.socket) -> None:
    while True:
        channel.sendall(b"x")
        time.sleep(0.05)


def test_who_drips_is_shown_out(listener: LocalListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "_HANDSHAKE_SECONDS", 0.3)
    with raw(listener.address) as channel:
        read_all(channel, FIRST)
        begun = time.monotonic()
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            drip_for_ever(channel)
        assert time.monotonic() - begun < BOUND
    say(listener.address)


def test_a_message_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "_STALL_SECONDS", 1)
    ended = threading.Event()

    def handle(client: Connection) -> None:
        echo(client)
        ended.set()

    listener = LocalListener()
    serve(listener, handle)
    with connect(listener.address, BOUND) as connection:
        time.sleep(1.5)  # between messages there is time
        connection.send_bytes(b"1")
        assert receive_bytes(connection, 10) == b"1"
        os.write(connection.fileno(), struct.pack("!i", 100) + b"half")
        assert ended.wait(BOUND)
    listener.close()


def test_a_message_that_is_too_long_ends_its_connection(listener: LocalListener) -> None:
    with connect(listener.address, BOUND) as connection:
        connection.send_bytes(bytes(1001))
        with pytest.raises((EOFError, OSError)):
            receive_bytes(connection, 10)
    say(listener.address)


@settings(max_examples=100)
@given(data=st.binary(max_size=100), close=st.booleans())
def test_any_bytes_in_place_of_a_handshake(shared: LocalListener, data: bytes, close: bool) -> None:
    with raw(shared.address) as channel:
        channel.sendall(data)
        if close or len(data) < 64:
            channel.shutdown(socket.SHUT_WR)
        assert len(read_all(channel, 200)) == FIRST  # a challenge, and no proof
    say(shared.address)


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalListener]:
    made = LocalListener()
    serve(made)
    yield made
    made.close()


def test_an_overheard_handshake_is_worth_nothing(listener: LocalListener) -> None:
    """Everything that a client has said is said again, by one who does not know the key."""
    heard = []

    class Tapped(socket.socket):
        def sendall(self, data: Any, *flags: int) -> None:
            heard.append(bytes(data))
            super().sendall(data, *flags)

    with Tapped(fileno=raw(listener.address).detach()) as channel:
        local_socket._introduce(channel, listener._key, time.monotonic() + BOUND)
    with raw(listener.address) as channel:
        read_all(channel, FIRST)
        for data in heard:
            channel.sendall(data)
        assert channel.recv(1) == b""


def test_clients_that_come_and_go(listener: LocalListener) -> None:
    generator = random.Random(0)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(100):
        channel = raw(listener.address)
        if generator.random() < 0.5:
            channel.sendall(generator.randbytes(generator.randrange(64)))
        channel.close()
    say(listener.address)
    if before:
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before, "descriptors of clients")
