"""Sockets between processes of one user on one machine, at a path.

Who may connect is settled three times over. The socket and the key beside it, ``<address>.key``, have the mode 0600,
and lie in a folder of mode 0700 unless the user has chosen another place. The kernel says whose process the other end
is. And both ends prove that they know the key, 32 random bytes that are made anew for every listener.

Connections carry bytes and file descriptors; nothing is unpickled. They are `multiprocessing.connection.Connection`
objects, of which only the methods for bytes are used.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import secrets
import socket
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vecbt.errors import AuthenticationError, ConfigError, WorkerTimeoutError

__all__ = ["LocalListener", "connect", "receive_bytes", "receive_descriptor", "send_descriptor"]

logger = logging.getLogger("vecbt")

_HELLO = b"vecbt socket 1\n"
_SIZE = 32
"""Bytes of a key, of a challenge and of a proof."""
_HANDSHAKE_SECONDS = 5.0
_STALL_SECONDS = 30
"""How long a message that has begun may stand still."""
_RETRY_SECONDS = 0.02


class LocalListener:
    """Listens for clients, in this process or in one that it is handed to.

    The files are removed by `close`. Where nobody lives to call it they stay behind, and harm nothing: the key opens a
    socket at which nobody listens, and a new listener at the same address replaces both.

    Args:
        address: Path of the socket; None for one in a new private folder.

    Attributes:
        address: Path of the socket.

    Raises:
        ConfigError: If there cannot be a socket: another listener lives there, something else is in its place, the
            folder is missing, or the path is longer than the system allows.

    Example:
        >>> listener = LocalListener()
        >>> threading.Thread(target=listener.serve, args=[lambda client: client.send_bytes(b"welcome")]).start()
        >>> with connect(listener.address, timeout=5.0) as connection:
        ...     receive_bytes(connection, 100)
        b'welcome'
        >>> listener.close()
    """

    def __init__(self, address: str | os.PathLike[str] | None = None) -> None:
        self._folder: Path | None = None
        if address is None:
            self._folder = Path(tempfile.mkdtemp(prefix="vecbt-"))
            address = self._folder / "socket"
        path = _path_of(address)
        self.address = str(path)
        try:
            self._lock = _take_key_file(path)
        except BaseException:
            self._remove_folder()
            raise
        try:
            self._key = secrets.token_bytes(_SIZE)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, self._key, 0)
            self._socket = _bind(path)
        except BaseException:
            self._remove_files()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        # For a process that is being started.
        descriptors = reduction.DupFd(self._socket.fileno()), reduction.DupFd(self._lock)
        return _rebuild, (self.address, self._folder, self._key, *descriptors)

    def hand_over(self) -> None:
        """Leave listening to the process that has been given this listener; `close` removes the files all the same."""
        self._socket.close()

    def serve(self, handle: Callable[[Connection], None]) -> None:
        """Accept clients until `close`, each in a thread of its own.

        Args:
            handle: Talks to a client; the connection is closed when it returns.
        """
        while True:
            try:
                channel, _ = self._socket.accept()
            except OSError as error:
                if self._lock < 0:
                    return
                logger.warning("no client can be accepted at %s: %s", self.address, error)
                time.sleep(_RETRY_SECONDS)  # too many files are open; some will be closed
                continue
            # Who says nothing keeps nobody else waiting.
            threading.Thread(target=self._admit, args=(channel, handle), name="vecbt-client", daemon=True).start()

    def _admit(self, channel: socket.socket, handle: Callable[[Connection], None]) -> None:
        try:
            connection = _as_connection(channel, self._key, time.monotonic() + _HANDSHAKE_SECONDS, _admit)
        except (AuthenticationError, EOFError, OSError) as error:
            logger.warning("a client at %s was refused: %s", self.address, error or type(error).__name__)
            return
        with connection:
            handle(connection)

    def close(self) -> None:
        """Listen no more and remove the files; clients that are connected stay so. May be called again."""
        if self._lock < 0:
            return
        self._remove_files()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes `serve`, which closing alone does not
        self._socket.close()

    def _remove_files(self) -> None:
        path = Path(self.address)
        if self._folder or _is_at(self._lock, _key_path(path)):  # else they are another listener's by now
            if path.is_socket():
                path.unlink(missing_ok=True)
            _key_path(path).unlink(missing_ok=True)
        lock, self._lock = self._lock, -1
        os.close(lock)
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.rmdir()


def connect(address: str | os.PathLike[str], timeout: float) -> Connection:
    """Connect to a listener; waits for one to come.

    Args:
        address: Path of its socket.
        timeout: Seconds for everything.

    Raises:
        WorkerTimeoutError: If nobody listens there, or does not answer, until then.
        AuthenticationError: If either side does not accept the other.
        ConfigError: If it cannot be the path of a socket.
    """
    path, deadline = _path_of(address), time.monotonic() + timeout
    while True:
        channel = _reach(path, timeout, deadline)
        try:
            with channel:
                # Whoever listens has written the key before.
                return _as_connection(channel, _read_key(path), deadline, _introduce)
        except TimeoutError:
            raise WorkerTimeoutError(f"the server at {path} has not answered within {timeout} s") from None
        except ConnectionRefusedError:
            time.sleep(_RETRY_SECONDS)  # it was about to end; there may be another
        except (EOFError, OSError) as error:
            raise AuthenticationError(
                f"the server at {path} has ended, or does not accept the key in {_key_path(path)}: {error!r}"
            ) from error


def receive_bytes(connection: Connection, limit: int) -> bytes:
    """The next message, however long it takes to come; once begun, it must not stand still.

    Raises:
        EOFError: If the other end is closed.
        OSError: If there is an error, or a message is longer than ``limit`` bytes.
    """
    connection.poll(None)
    return connection.recv_bytes(limit)


def send_descriptor(connection: Connection, descriptor: int) -> None:
    """Send an open file."""
    with _borrowed(connection) as channel:
        socket.send_fds(channel, [b"."], [descriptor])


def receive_descriptor(connection: Connection) -> int:
    """Receive an open file, as a descriptor of the caller's.

    Raises:
        EOFError: If none comes.
    """
    connection.poll(None)
    with _borrowed(connection) as channel:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        raise EOFError("expected an open file")
    return descriptors[0]


# -- files -------------------------------------------------------------------------------------------------------------


def _path_of(address: str | os.PathLike[str]) -> Path:
    if "://" in os.fspath(address):
        raise ConfigError(
            f"expected the path of a socket, got {address!r}: servers are for this machine alone, and have no ports"
        )
    return Path(address).absolute()


def _key_path(path: Path) -> Path:
    return path.with_name(path.name + ".key")


def _take_key_file(path: Path) -> int:
    """Open the key's file, and lock it for as long as the listener lives: of a dead one the system unlocks it."""
    import fcntl

    key = _key_path(path)
    while True:
        try:
            descriptor = os.open(key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigError(f"there can be no socket at {path}: {key}: {error.strerror}") from error
        try:
            _check_private(descriptor, key)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError(f"a server listens at {path} already: stop it, or choose another address") from None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(descriptor, key):
            return descriptor
        os.close(descriptor)  # it was removed before it was locked


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _check_private(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077 or not stat.S_ISREG(status.st_mode):
        raise AuthenticationError(
            f"{path} must be a file of this user's, of mode 0600, so that nobody else knows the key"
        )


def _read_key(path: Path) -> bytes:
    key = _key_path(path)
    descriptor = os.open(key, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        _check_private(descriptor, key)
        return os.pread(descriptor, _SIZE, 0)
    finally:
        os.close(descriptor)


def _bind(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()  # left behind by one that was killed
        channel.bind(str(path))
        path.chmod(0o600)
        channel.listen()  # nobody can connect before
    except OSError as error:
        channel.close()
        raise ConfigError(f"there can be no socket at {path} ({len(os.fsencode(path))} bytes): {error}") from error
    except BaseException:
        channel.close()
        raise
    return channel


def _rebuild(address: str, folder: Path | None, key: bytes, channel: Any, lock: Any) -> LocalListener:
    listener = LocalListener.__new__(LocalListener)
    listener.address, listener._folder, listener._key = address, folder, key
    listener._socket, listener._lock = socket.socket(fileno=channel.detach()), lock.detach()
    return listener


# -- the handshake -----------------------------------------------------------------------------------------------------


def _reach(path: Path, timeout: float, deadline: float) -> socket.socket:
    while True:
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            channel.settimeout(_left(deadline))
            channel.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError, TimeoutError) as error:
            channel.close()
            if time.monotonic() + _RETRY_SECONDS >= deadline:
                raise WorkerTimeoutError(
                    f"no server answers at {path} within {timeout} s: it has ended, or was never started there"
                ) from error
            time.sleep(_RETRY_SECONDS)
        except OSError as error:
            channel.close()
            raise ConfigError(f"{path} is no socket that can be reached: {error}") from error
        else:
            return channel


def _as_connection(
    channel: socket.socket, key: bytes, deadline: float, greet: Callable[[socket.socket, bytes, float], None]
) -> Connection:
    """A connection over a socket, once both ends have shown who they are; the socket itself is closed."""
    with channel:
        _check_user(channel)
        greet(channel, key, deadline)
        channel.settimeout(None)
        stall = struct.pack("@ll", _STALL_SECONDS, 0)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, stall)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, stall)
        return Connection(channel.detach())


def _check_user(channel: socket.socket) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        return  # the modes of the files and the key have to do
    form = struct.Struct("3i")
    _, user, _ = form.unpack(channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    if user != os.geteuid():
        raise AuthenticationError(f"the process at the other end is of user {user}, this one of user {os.geteuid()}")


def _admit(channel: socket.socket, key: bytes, deadline: float) -> None:
    """The listener's part."""
    mine = secrets.token_bytes(_SIZE)
    _send(channel, _HELLO + mine, deadline)
    answer = _receive(channel, 2 * _SIZE, deadline)
    theirs, proof = answer[:_SIZE], answer[_SIZE:]
    if not hmac.compare_digest(proof, _prove(key, b"client", mine, theirs)):
        raise AuthenticationError("it does not know the key")
    _send(channel, _prove(key, b"server", theirs, mine), deadline)


def _introduce(channel: socket.socket, key: bytes, deadline: float) -> None:
    """The client's part."""
    try:
        hello = _receive(channel, len(_HELLO) + _SIZE, deadline)
    except (EOFError, ConnectionError) as error:
        raise ConnectionRefusedError from error
    theirs, mine = hello[len(_HELLO) :], secrets.token_bytes(_SIZE)
    if not hello.startswith(_HELLO):
        raise AuthenticationError(f"expected a server of this version of vecbt, got {hello[: len(_HELLO)]!r}")
    _send(channel, mine + _prove(key, b"client", theirs, mine), deadline)
    if not hmac.compare_digest(_receive(channel, _SIZE, deadline), _prove(key, b"server", mine, theirs)):
        raise AuthenticationError("the server does not know the key")


def _prove(key: bytes, role: bytes, *challenges: bytes) -> bytes:
    # The role keeps one end from sending the other's words back.
    return hmac.digest(key, role + b"".join(challenges), "sha256")


def _send(channel: socket.socket, data: bytes, deadline: float) -> None:
    channel.settimeout(_left(deadline))
    channel.sendall(data)


def _receive(channel: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        channel.settimeout(_left(deadline))
        piece = channel.recv(size - len(data))
        if not piece:
            raise EOFError("the connection has been closed")
        data += piece
    return data


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError("the time is over")
    return left


@contextlib.contextmanager
def _borrowed(connection: Connection) -> Any:
    """The socket under a connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as channel:
        channel.settimeout(None)  # whatever the default: the flag is the connection's too
        yield channel
