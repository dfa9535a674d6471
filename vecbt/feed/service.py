"""The server's side: what is answered to any number of clients, each in a thread of its own."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from vecbt.data.generated.filler import Filler
from vecbt.data.store import DataStore, TableRequest
from vecbt.errors import ConfigError, EpisodeError, MessageError, UnknownNameError
from vecbt.feed.sampler import WHOLE, Sampler
from vecbt.feed.transfer import describe_sample, describe_table
from vecbt.messages import LIMIT, REPLIES, REQUESTS, decode, encode, encode_error
from vecbt.shm.arena import Arena
from vecbt.shm.local_socket import receive_bytes, send_descriptor

__all__ = ["DataService"]

logger = logging.getLogger("vecbt")

_SECOND = 1_000_000_000
_LAST = ((1 << 63) - 1) // _SECOND
_TARGET_TEST = {"trial_type": 1, "type": 1}
"""What the metadata of an episode say that may broadcast."""

_Answer = tuple[dict[str, Any], Sequence[Arena]]
"""A reply, and memory that is sent behind it."""


class _Visit:
    """What is kept for a client until it leaves."""

    def __init__(self) -> None:
        self.sampler = Sampler()
        self.fillers: list[Filler] = []

    def start(self, filler: Filler) -> None:
        """Fill the slots of one more batch of the client, and forget those that it has closed."""
        self.fillers = [*(each for each in self.fillers if not each.closed), filler]
        filler.start()

    def close(self) -> None:
        """Fill slots for the client no more."""
        for filler in self.fillers:
            filler.stop()


class DataService:
    """A data set, its global time, and the message that episodes broadcast.

    A request that fails is answered with its error, whatever it was; other clients notice nothing.

    Args:
        task: Number of the server.

    Attributes:
        stopped: Set once a client has asked for the end.
    """

    def __init__(self, task: int = 0) -> None:
        self.stopped = threading.Event()
        self._task = task
        self._token = secrets.token_hex(8)
        self._settled = threading.Event()  # loaded, or failed to
        self._failure: Exception | None = None
        self._lock = threading.Lock()  # one request at a time
        self._store: Any = None
        self._broadcast: dict[str, Any] = {}
        self._broadcast_time = -(1 << 63)

    def load(self, get_dataset: Callable[[], Any]) -> Exception | None:
        """Load the data; what fails is returned, and told to those who ask for them."""
        begun = time.perf_counter()
        try:
            self._store = DataStore(get_dataset())
            bars = len(self._store.bars)
            logger.info("data server %s: %s bars in %.2f s", self._task, bars, time.perf_counter() - begun)
        except Exception as error:
            logger.error("data server %s: the data cannot be loaded: %s", self._task, error)
            self._failure = error
        finally:
            self._settled.set()
        return self._failure

    def talk(self, connection: Connection) -> None:
        """Answer a client until it leaves, then close the connection."""
        visit = _Visit()
        with connection, contextlib.closing(visit):
            try:
                while True:
                    data = receive_bytes(connection, 2 * LIMIT)  # what is a little too long is answered
                    if self.stopped.is_set():
                        return
                    if self._answer(connection, data, visit) == "_stop":
                        self.stopped.set()
            except (EOFError, OSError) as error:
                with contextlib.suppress(OSError):  # mostly it is gone; who says too much may be there
                    connection.send_bytes(encode_error(MessageError(f"the connection is closed: {error}")))

    def _answer(self, connection: Connection, data: bytes, visit: _Visit) -> str:
        """Answer a message; returns its kind."""
        kind = ""
        try:
            request = decode(data, REQUESTS)
            kind = request.pop("ctrl")
            message, arenas = self._reply(kind, request, visit)
            reply = encode(message, REPLIES)
        except Exception as error:
            arenas, reply = (), encode_error(error)
        connection.send_bytes(reply)
        for arena in arenas:
            send_descriptor(connection, arena.descriptor)
        return kind

    def _reply(self, kind: str, request: dict[str, Any], visit: _Visit) -> _Answer:
        if kind == "_stop":
            return {"ctrl": "_done"}, ()
        if kind == "_wait_ready":
            self._settled.wait()
        elif not self._settled.is_set():
            return {"ctrl": "_not_ready"}, ()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        with self._lock:
            match kind:
                case "_wait_ready":
                    return {"ctrl": "_ready", "server": self._token}, ()
                case "_get_table":
                    num_envs = request.pop("num_envs")
                    table, filler = self._store.open(TableRequest.from_json(request), num_envs)
                    if filler is not None and num_envs:
                        visit.start(filler)
                    description, arenas = describe_table(table)
                    return {"ctrl": "_table", **description}, arenas
                case "_get_generated":
                    seed, number = int(request.pop("seed"), 16), request.pop("number")
                    table = self._store.generate(TableRequest.from_json(request), seed, number)
                    description, arenas = describe_table(table)
                    return {"ctrl": "_table", **description}, arenas
                case "_get_data":
                    sample = visit.sampler.draw(self._store, request["kwargs"])
                    description, arenas = describe_sample(sample)
                    reply = {"ctrl": "_data", "origin": "data_server", "stat": self._statistics, **self._time()}
                    return {**reply, **description}, arenas
                case "_get_info":
                    about = {"task": self._task, "pid": os.getpid(), "stat": self._statistics}
                    return {"ctrl": "_info", **about, **self._store.info()}, ()
                case "_reset_data":
                    self._reset(request["kwargs"])
                    visit.sampler.restart()
                case "_set_broadcast_message":
                    self._set_broadcast(**request)
                case "_get_broadcast_message":
                    return {"ctrl": "_broadcast_message", "broadcast_message": self._broadcast, **self._time()}, ()
            return {"ctrl": "_global_time", **self._time()}, ()

    def _time(self) -> dict[str, int]:
        return {"timestamp": self._store.clock.now // _SECOND}

    @functools.cached_property
    def _statistics(self) -> dict[str, dict[str, float | None]]:
        """Of the training rows, by column; None in place of what is no number, which JSON cannot say."""
        return {
            column: {name: value if math.isfinite(value) else None for name, value in found.items()}
            for column, found in self._store.table(WHOLE).describe().items()
        }

    def _reset(self, settings: Mapping[str, Any]) -> None:
        if unknown := settings.keys() - {"timestamp"}:
            raise UnknownNameError.of("setting of reset_data()", min(unknown), ["timestamp"])
        timestamp = settings.get("timestamp")
        if timestamp is not None and self._store.clock.frozen:
            raise ConfigError(
                "global time is frozen by the domain's frozen_time_split: reset_data() takes no timestamp"
            )
        self._store.restart(None if timestamp is None else _moment(timestamp))
        self._broadcast, self._broadcast_time = {}, -(1 << 63)

    def _set_broadcast(
        self, timestamp: int, broadcast_message: dict[str, Any], metadata: Mapping[str, Any] | None
    ) -> None:
        if metadata is not None and any(metadata.get(name) != value for name, value in _TARGET_TEST.items()):
            is_of = ", ".join(f"{name} {metadata.get(name)}" for name in _TARGET_TEST)
            raise EpisodeError(
                f"only test episodes of target trials may broadcast (trial_type 1, type 1), this is of {is_of}"
            )
        # In seconds, as clients know the time: what they read they may write.
        now = max(self._store.clock.now // _SECOND, self._broadcast_time)
        if timestamp < now:
            raise ConfigError(f"a broadcast must not go back in time: it is {now} (UTC seconds), got {timestamp}")
        self._store.clock.advance(_moment(timestamp))
        self._broadcast, self._broadcast_time = broadcast_message, timestamp


def _moment(timestamp: Any) -> int:
    """Nanoseconds of a time in seconds."""
    if type(timestamp) is not int or abs(timestamp) > _LAST:
        raise ConfigError(f"timestamp must be POSIX seconds, a whole number of at most {_LAST}, got {timestamp!r:.80}")
    return timestamp * _SECOND
