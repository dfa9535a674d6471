"""A Backtrader server from inside: its environments, and the threads that listen to clients."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from vecbt.dataserver import DataFeedServer
from vecbt.feed.client import DataFeedClient
from vecbt.messages import error_fields
from vecbt.remote.session import Session
from vecbt.remote.wire import LIMIT, pack, unpack
from vecbt.shm.local_socket import LocalListener, receive_bytes
from vecbt.vector import make_vec

__all__ = ["Host"]

logger = logging.getLogger("vecbt")


@dataclasses.dataclass(frozen=True)
class Host:
    """Serves environments to clients.

    Attributes:
        data: Where the bars come from.
        data_address: Address of a data server instead.
        patience: Seconds to wait for a data server.
        log_level: See `BacktraderServer`.
        task: See `BacktraderServer`.
        settings: Of `make_vec`.
    """

    data: Any
    data_address: str | os.PathLike[str] | None
    patience: float
    log_level: int | str | None
    task: int
    settings: dict[str, Any]

    def serve(self, listener: LocalListener, ready: Callable[[], None], pipe: Connection | None = None) -> None:
        """Make the environments, say so, and answer clients, in turn, until one of them asks for the end.

        All answers are given by the calling thread: episodes of Backtrader cannot move to another.
        """
        if self.log_level is not None:
            logger.setLevel(self.log_level)
            if not logger.hasHandlers():
                logger.addHandler(logging.StreamHandler())
        with self._open_source() as source, contextlib.closing(make_vec(source, **self.settings)) as envs:
            logger.info("Backtrader server %s: %s environments at %s", self.task, envs.num_envs, listener.address)
            session = Session(envs, source)
            requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
            talk = functools.partial(_talk, requests)
            threading.Thread(target=listener.serve, args=[talk], name="vecbt-listener", daemon=True).start()
            if pipe is not None:
                threading.Thread(target=_wait_for_end, args=[pipe, requests], name="vecbt-parent", daemon=True).start()
            ready()
            while not session.stopped and (request := requests.get()) is not None:
                request.answer(session)

    @contextlib.contextmanager
    def _open_source(self) -> Iterator[Any]:
        """The data server: the one that others have started, or one for these environments alone."""
        if isinstance(self.data, DataFeedClient):
            self.data.wait_ready(self.patience)
            yield self.data
            return
        if self.data_address is not None:
            own = DataFeedServer.attach(self.data_address, self.patience)
        else:
            own = DataFeedServer(self.data, task=self.task).start(listen=False)
        with own:
            own.wait_ready(self.patience)
            yield own


class _Request:
    """What a client has sent, and the reply once there is one."""

    def __init__(self, data: bytes) -> None:
        self.data, self.reply = data, b""
        self.answered, self.sent = threading.Event(), threading.Event()

    def answer(self, session: Session) -> None:
        """Let a session answer."""
        try:
            message = session.answer(unpack(self.data))
            self.reply = pack(message)
        except Exception as error:
            self.reply = pack(error_fields(error))
        self.answered.set()
        if session.stopped:
            self.sent.wait(1.0)  # or the process would end first


def _talk(requests: queue.SimpleQueue[_Request | None], connection: Connection) -> None:
    """Pass on what a client says, and the answers to it, until the client leaves."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            request = _Request(receive_bytes(connection, LIMIT))
            requests.put(request)
            request.answered.wait()
            try:
                connection.send_bytes(request.reply)
            finally:
                request.sent.set()


def _wait_for_end(pipe: Connection, requests: queue.SimpleQueue[_Request | None]) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv_bytes(LIMIT)
    requests.put(None)
