"""The client's side: what can be asked of a data server, and what its tables are once they have been mapped here."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

from vecbt.data.sample import Sample
from vecbt.data.shared import DataTable
from vecbt.data.store import TableRequest
from vecbt.errors import ClosedError, ExhaustedError, MessageError, WorkerDiedError, WorkerTimeoutError
from vecbt.feed.sampler import Sampler
from vecbt.feed.transfer import PARTS, close_all, map_table
from vecbt.messages import LIMIT, REPLIES, REQUESTS, decode, encode, raise_error
from vecbt.settings import check_number
from vecbt.shm.local_socket import connect, receive_bytes, receive_descriptor

__all__ = ["Broadcast", "DataFeedClient"]

_T = TypeVar("_T")


class Broadcast(NamedTuple):
    """What a data server was told last.

    Attributes:
        timestamp: Global time, POSIX seconds.
        broadcast_message: The message; empty if there has been none.
    """

    timestamp: int
    broadcast_message: dict[str, Any]


class DataFeedClient:
    """A data server's client, which `make_vec` takes as it takes the server; made by `DataFeedServer.attach`.

    A copy, an unpickled one and one in a forked process connect anew. Calls from several threads come one after the
    other.

    Args:
        address: Path of the server's socket.
        connect_timeout: Seconds within which the server has to take the connection.

    Attributes:
        address: Path of the server's socket.
    """

    address: str | None

    def __init__(self, address: str | os.PathLike[str], connect_timeout: float = 90.0) -> None:
        self.address = os.fspath(address)
        self._connect_timeout = check_number("connect_timeout", connect_timeout, low=0.0, open_low=True)
        self._begin()

    def _begin(self) -> None:
        self._tables: dict[TableRequest, DataTable] = {}
        self._sampler = Sampler()
        self._failure: dict[str, Any] | None = None  # why there are no data
        self._token = ""  # tells a server from another at the same address
        self._gone = ""  # how the server ended
        self._closed = False
        self._begin_process()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._ready = False

    def __reduce__(self) -> tuple[Any, ...]:
        return DataFeedClient, (self.address, self._connect_timeout)

    def __deepcopy__(self, memo: dict[int, Any]) -> DataFeedClient:
        # Gymnasium copies the arguments of an environment with its specification; the copy means the same server.
        return self

    def __enter__(self) -> DataFeedClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what can be asked ---------------------------------------------------------------------------------------------

    def is_ready(self, timeout: float | None = 0.0) -> bool:
        """Whether the data have been loaded.

        Args:
            timeout: Seconds to wait for it; None for as long as it takes.

        Raises:
            DataError: If they cannot be loaded.
            WorkerDiedError: If the server has ended.
        """
        with self._guard():
            if self._failure is not None:
                raise_error(self._failure)
            if self._ready:
                return True
            connection = self._open()
            if not connection.poll(timeout):
                return False
            reply, _ = self._receive(connection, "_ready", 0)
            if reply["ctrl"] == "_error":
                self._failure = reply
                raise_error(reply)
            if self._token not in ("", reply["server"]):
                raise self._died(f"another data server listens at {self.address} now")
            self._token, self._ready = reply["server"], True
            return True

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the data have been loaded.

        Raises:
            DataError: If they cannot be loaded.
            WorkerDiedError: If the server has ended.
            WorkerTimeoutError: If it takes longer than ``timeout`` seconds.
        """
        if not self.is_ready(timeout):
            raise WorkerTimeoutError(f"{self._name} has not loaded its data within {timeout} s")

    def table(self, request: TableRequest) -> DataTable:
        """The shared arrays for a kind of environment; the same ones for the same request.

        Raises:
            VecbtError: If the data do not have what is asked for.
            WorkerDiedError: If the server has ended.
        """
        return self.open(request, 0)[0]

    def open(self, request: TableRequest, num_envs: int) -> tuple[DataTable, None]:
        """The shared arrays for a batch: where trials are generated, with slots of its own that the server fills.

        Raises:
            VecbtError: If the data do not have what is asked for.
            WorkerDiedError: If the server has ended.
        """
        with self._guard():
            table = self._tables.get(request)
            if table is None or (num_envs and table.slots.bars):
                fields = {**dataclasses.asdict(request), "num_envs": num_envs}
                table = map_table(*self._exchange("_table", "_get_table", len(PARTS), **fields))
                if not table.slots.count:
                    self._tables[request] = table
            return table, None

    def generate(self, request: TableRequest, seed: int, number: int) -> DataTable:
        """A generated trial as a data set of its own, see `vecbt.data.store.DataStore.generate`.

        Raises:
            VecbtError: If the domain's trials are stored, or the trial cannot be made.
            WorkerDiedError: If the server has ended.
        """
        fields = {**dataclasses.asdict(request), "seed": f"{seed:x}"}
        with self._guard():
            return map_table(*self._exchange("_table", "_get_generated", len(PARTS), **fields, number=number))

    def get_data(self, sample_config: Mapping[str, Any] | None = None) -> Sample | None:
        """A trial.

        Args:
            sample_config: ``sample_type`` (0 a source trial, of training rows, 1 a target trial, of test rows);
                ``get_new`` (False repeats the last one); ``seed`` and ``number`` to choose a certain one; ``b_alpha``,
                ``b_beta``, ``timestamp`` and ``interval``, see `vecbt.data.sample.draw_sample`; ``episode_bars``, the
                length of the episodes that `vecbt.data.Sample.sample` draws of it, None for all of the trial's part.
                By default the next source trial. Clients draw independently of each other: those that are to get
                different trials take different seeds.

        Returns:
            The sample, or None when the data are not ready yet, or when a sequential or causal domain has no trial
            left.
        """
        if not self.is_ready():
            return None
        try:
            return self._sampler.draw(self, sample_config or {})
        except ExhaustedError:
            return None

    def get_info(self) -> dict[str, Any]:
        """Facts about the data and the server.

        Returns:
            ``name``, ``columns``, ``bars`` (their number), ``interval`` (ns), ``first_time``, ``last_time`` (POSIX
            seconds), ``fingerprint``, ``train_rows`` (the first, and the one after the last) and ``stat``, of each
            column the ``count``, ``mean``, ``std``, ``min`` and ``max`` in these rows; ``task`` and ``pid``.
        """
        return self._ask("_info", "_get_info")

    def reset_data(self, timestamp: int | None = None) -> int:
        """Begin anew: global time goes back to its start, for everybody, and this client's trials to the first.

        Args:
            timestamp: Where global time begins, POSIX seconds; None for where the domain has it.

        Returns:
            The global time.
        """
        settings = {} if timestamp is None else {"timestamp": timestamp}
        reply = self._ask("_global_time", "_reset_data", kwargs=settings)
        self._sampler.restart()
        return int(reply["timestamp"])

    def get_global_time(self) -> int:
        """Global time, POSIX seconds: the moment up to which the episodes of a causal domain have seen its data."""
        return int(self._ask("_global_time", "_get_global_time")["timestamp"])

    def set_broadcast_message(
        self,
        timestamp: int,
        broadcast_message: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Advance global time, and leave a message for everybody.

        Args:
            timestamp: POSIX seconds, not before the present global time.
            broadcast_message: What JSON can hold.
            metadata: Of the episode that speaks; None when it is not an episode that does. Only test episodes of target
                trials may.

        Returns:
            The global time.

        Raises:
            ConfigError: If ``timestamp`` lies back in time.
            EpisodeError: If an episode speaks that may not.
        """
        message = dict(broadcast_message or {})
        spoken = {"timestamp": timestamp, "broadcast_message": message, "metadata": metadata and dict(metadata)}
        return int(self._ask("_global_time", "_set_broadcast_message", **spoken)["timestamp"])

    def get_broadcast_message(self) -> Broadcast:
        """Global time, and the last message."""
        reply = self._ask("_broadcast_message", "_get_broadcast_message")
        return Broadcast(reply["timestamp"], reply["broadcast_message"])

    def check_alive(self) -> None:
        """Make sure that the server goes on.

        Raises:
            WorkerDiedError: If it has ended.
            ClosedError: If the client has been closed.
        """
        with self._guard():
            connection = self._open()
            if self.is_ready() and connection.poll():  # nothing has been asked
                self._receive(connection, "_ready", 0)

    def stop(self) -> None:
        """End the server, for all its clients; what it has shared lives on with those who map it."""
        self._check_open()
        with connect(self.address or "", self._connect_timeout) as connection:
            self._talk(connection.send_bytes, encode({"ctrl": "_stop"}, REQUESTS))
            self._talk(receive_bytes, connection, LIMIT)
        self.close()

    def close(self) -> None:
        """Leave the server, which goes on for others; what it has shared stays usable. May be called again."""
        with self._guard():
            self._closed = True
            self._abandon()

    # -- the conversation ----------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"the data server at {self.address}"

    def _guard(self) -> threading.RLock:  # type: ignore[valid-type]
        """The lock; in a forked process one of its own, and a connection too."""
        if self._pid != os.getpid():
            self._begin_process()
        return self._lock

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the client of {self._name} has been closed")
        if self._gone:
            raise WorkerDiedError(self._gone)

    def _open(self) -> Connection:
        if self._connection is None:
            self._check_open()
            self._connection = self._connect()
            self._ready = False
            self._talk(self._connection.send_bytes, encode({"ctrl": "_wait_ready"}, REQUESTS))
        return self._connection

    def _connect(self) -> Connection:
        return connect(self.address or "", self._connect_timeout)

    def _abandon(self) -> None:
        """Speak no more over this connection: nobody knows what comes next on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, expected: str, kind: str, **fields: Any) -> dict[str, Any]:
        with self._guard():
            return self._exchange(expected, kind, 0, **fields)[0]

    def _exchange(self, expected: str, kind: str, files: int, **fields: Any) -> tuple[dict[str, Any], list[int]]:
        message = encode({"ctrl": kind, **fields}, REQUESTS)
        connection = self._open()
        self.wait_ready()
        self._talk(connection.send_bytes, message)
        reply, descriptors = self._receive(connection, expected, files)
        if reply.pop("ctrl") == "_error":
            raise_error(reply)
        return reply, descriptors

    def _receive(self, connection: Connection, expected: str, files: int) -> tuple[dict[str, Any], list[int]]:
        """A reply, the expected one or an error, and the open files behind it."""
        descriptors: list[int] = []
        try:
            reply = decode(self._talk(receive_bytes, connection, LIMIT), REPLIES)
            if reply["ctrl"] not in (expected, "_error"):
                raise MessageError(f"expected {expected} from {self._name}, got {reply['ctrl']}")
            if reply["ctrl"] == expected:
                for _ in range(files):
                    descriptors.append(self._talk(receive_descriptor, connection))  # noqa: PERF401  (for the case below)
        except BaseException:  # Ctrl-C too
            close_all(descriptors)
            self._abandon()
            raise
        return reply, descriptors

    def _talk(self, call: Callable[..., _T], *arguments: Any) -> _T:
        """Use the connection; where that fails, the server is gone."""
        try:
            return call(*arguments)
        except (EOFError, OSError):
            self._abandon()
            raise self._died(f"{self._name} has ended: it was stopped or killed") from None

    def _died(self, message: str) -> WorkerDiedError:
        self._abandon()
        self._gone = message
        return WorkerDiedError(message)
