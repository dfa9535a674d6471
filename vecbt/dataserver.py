"""The process that loads a data set, lays it out in shared memory, and samples trials from it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import socket
import time
from multiprocessing import util
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from vecbt.data.sample import Sample, draw_sample
from vecbt.data.shared import BarColumns, DataTable, FeatureColumns, TrialColumns
from vecbt.data.store import DataStore, TableRequest
from vecbt.errors import ClosedError, ConfigError, MessageError, WorkerDiedError, WorkerTimeoutError
from vecbt.messages import REPLIES, REQUESTS, decode, encode, encode_error, raise_error
from vecbt.shm.arena import Arena, ArraySpec
from vecbt.shm.byvalue import ByValue
from vecbt.shm.process import behave_as_child, describe_exit, get_context, start_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DataFeedServer"]

logger = logging.getLogger("vecbt")

_T = TypeVar("_T")

_PARTS: tuple[tuple[str, type[Any]], ...] = (
    ("bars", BarColumns),
    ("features", FeatureColumns),
    ("trials", TrialColumns),
)


class DataFeedServer:
    """Loads a data set in a process of its own and shares it: bars, features, and every trial that the domain admits.

    `make_vec` starts one for itself. Start one by hand to share a data set between several batches, which then map
    the same memory.

    Args:
        dataset: A `Domain`, or anything that `make_vec` takes for data.
        log_level: Level of the server's messages in the ``vecbt`` logger; None leaves it as it is.
        task: A number that names the server in its messages.
        context: Start method, see `make_vec`.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(5_000, seed=0)
        >>> with vecbt.DataFeedServer(market) as server:
        ...     train = vecbt.make_vec(server, num_envs=4, num_workers=0)
        ...     sample = server.get_data({"sample_type": 0})
        >>> len(sample)
        5000
        >>> train.close()
    """

    def __init__(
        self, dataset: Any, *, log_level: int | str | None = None, task: int = 0, context: str | None = None
    ) -> None:
        self.dataset, self.log_level, self.task = dataset, log_level, task
        self._context_name = context
        self._process: Any = None
        self._finalizer: util.Finalize | None = None
        self._pipe: Connection | None = None
        self._tables: dict[TableRequest, DataTable] = {}
        self._ready = False
        self._number = 0
        self._last: Sample | None = None

    # -- the parent's side ---------------------------------------------------------------------------------------------

    def start(self) -> DataFeedServer:
        """Start the process; it loads the data while the caller goes on."""
        if self._process is not None:
            raise ConfigError("the data server has been started already")
        context = get_context(self._context_name)
        self._pipe, theirs = context.Pipe()
        self._process = start_process(context, _serve, (ByValue(self), theirs), f"vecbt-data-server-{self.task}")
        theirs.close()
        # As in `WorkerPool`: forgotten or not, it ends before multiprocessing waits for its children at exit. The
        # priority is below that of workers, which may be asking.
        self._finalizer = util.Finalize(self, _end, (self._process, self._pipe), exitpriority=9)
        return self

    def __getstate__(self) -> dict[str, Any]:
        # What the new process needs; it makes everything else itself.
        return {"dataset": self.dataset, "log_level": self.log_level, "task": self.task}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> DataFeedServer:
        # Gymnasium copies the arguments of an environment with its specification; the copy means the same process.
        return self

    def __enter__(self) -> DataFeedServer:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id; None before the start."""
        return None if self._process is None else self._process.pid

    def is_ready(self, timeout: float | None = 0.0) -> bool:
        """Whether the data have been loaded.

        Args:
            timeout: Seconds to wait for it; None for as long as it takes.

        Raises:
            DataError: If they cannot be loaded.
            WorkerDiedError: If the server has ended.
        """
        if not self._ready:
            pipe = self._open_pipe()
            if pipe.poll(timeout):
                self._receive(pipe, "_ready")
                self._ready = True
        return self._ready

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the data have been loaded.

        Raises:
            DataError: If they cannot be loaded.
            WorkerDiedError: If the server has ended.
            WorkerTimeoutError: If it takes longer than ``timeout`` seconds.
        """
        if not self.is_ready(timeout):
            raise WorkerTimeoutError(f"the data server has not loaded its data within {timeout} s")

    def table(self, request: TableRequest) -> DataTable:
        """The shared arrays for a kind of environment; the same ones for the same request.

        Raises:
            VecbtError: If the data do not have what is asked for.
            WorkerDiedError: If the server has ended.
        """
        if request not in self._tables:
            self.wait_ready()
            pipe = self._open_pipe()
            reply = self._ask(pipe, "_table", {"ctrl": "_get_table", **dataclasses.asdict(request)})
            descriptors = {name: self._talk(_receive_descriptor, pipe) for name, _ in _PARTS}
            try:
                parts = {name: _map_part(cls, descriptors.pop(name), reply[name]) for name, cls in _PARTS}
            except BaseException:
                for descriptor in descriptors.values():
                    os.close(descriptor)
                raise
            self._tables[request] = DataTable(**parts)
        return self._tables[request]

    def get_data(self, sample_config: Mapping[str, Any] | None = None) -> Sample | None:
        """A trial.

        Args:
            sample_config: ``sample_type`` (0 train, 1 test), ``get_new`` (False repeats the last one), ``seed`` and
                ``number`` to choose a certain one; by default the next one of the training section.

        Returns:
            The sample, or None when the data are not ready yet.
        """
        if not self.is_ready():
            return None
        config = dict(sample_config or {})
        if not config.pop("get_new", True) and self._last is not None:
            return self._last
        table = self.table(_WHOLE)
        self._last = draw_sample(table, number=config.pop("number", self._number), **config)
        self._number += 1
        return self._last

    def get_info(self) -> dict[str, Any]:
        """Facts about the data: name, columns, number of bars, first and last time, interval, training rows."""
        self.wait_ready()
        return self._ask(self._open_pipe(), "_info", {"ctrl": "_get_info"})

    def stop(self) -> None:
        """End the process; what it has shared lives on with those who map it. May be called again."""
        process, self._process = self._process, None
        if process is not None and self._finalizer is not None:
            self._finalizer()

    def _open_pipe(self) -> Connection:
        if self._process is None or self._pipe is None:
            raise ClosedError("the data server is not running: start() it, or make a new one after stop()")
        return self._pipe

    def _ask(self, pipe: Connection, expected: str, message: Mapping[str, Any]) -> dict[str, Any]:
        self._talk(pipe.send_bytes, encode(message, REQUESTS))
        return self._receive(pipe, expected)

    def _receive(self, pipe: Connection, expected: str) -> dict[str, Any]:
        """What a reply says; raises what an error reply tells of."""
        reply = decode(self._talk(pipe.recv_bytes), REPLIES)
        kind = reply.pop("ctrl")
        if kind == "_error":
            raise_error(reply)
        if kind != expected:
            raise MessageError(f"expected {expected} from the data server, got {kind}")
        return reply

    def _talk(self, call: Callable[..., _T], *arguments: Any) -> _T:
        """Use the connection; where that fails, the server is gone."""
        try:
            return call(*arguments)
        except (EOFError, OSError):
            self._process.join(0.5)
            raise WorkerDiedError(
                f"the data server (process {self.pid}) {describe_exit(self._process.exitcode)}"
            ) from None

    # -- the server's side ---------------------------------------------------------------------------------------------

    def run(self, pipe: Connection) -> None:
        """Body of the process: load the data, say so, answer requests until told to stop.

        A request that fails is answered with its error; the server goes on.
        """
        if self.log_level is not None:
            logger.setLevel(self.log_level)
        begun = time.perf_counter()
        try:
            store = DataStore(self.dataset)
        except Exception as error:
            pipe.send_bytes(encode_error(error))
            return
        logger.info("data server %s: %s bars in %.2f s", self.task, len(store.bars), time.perf_counter() - begun)
        _reply(pipe, {"ctrl": "_ready"})
        while True:
            try:
                data = pipe.recv_bytes()
            except (EOFError, OSError):
                return
            try:
                request = decode(data, REQUESTS)
                control = request.pop("ctrl")
                if control == "_stop":
                    return
                if control == "_get_info":
                    _reply(pipe, {"ctrl": "_info", **store.info()})
                else:
                    _reply_table(pipe, store.table(TableRequest.from_json(request)))
            except Exception as error:
                pipe.send_bytes(encode_error(error))


_WHOLE = TableRequest(features=(), normalize=None, window=0, warmup=1, steps=None, skip=1)
"""Trials without the needs of an environment."""


def _serve(server: ByValue, pipe: Connection) -> None:
    behave_as_child()
    server.load().run(pipe)


def _reply(pipe: Connection, message: Mapping[str, Any]) -> None:
    pipe.send_bytes(encode(message, REPLIES))


def _reply_table(pipe: Connection, table: DataTable) -> None:
    _reply(pipe, {"ctrl": "_table", **{name: _describe_part(getattr(table, name)) for name, _ in _PARTS}})
    for name, _ in _PARTS:
        _send_descriptor(pipe, getattr(table, name).arena)


def _end(process: Any, pipe: Connection) -> None:
    """End a server: by agreement, else by force."""
    try:
        with contextlib.suppress(OSError):
            pipe.send_bytes(encode({"ctrl": "_stop"}, REQUESTS))
        process.join(0.5)
    finally:
        if process.is_alive():
            process.kill()
            process.join(1.0)
        pipe.close()


def _describe_part(part: Any) -> dict[str, Any]:
    """A part of a table without its memory."""
    fields = {field.name: getattr(part, field.name) for field in dataclasses.fields(part) if field.name != "arena"}
    return {"fields": fields, "specs": {name: list(spec) for name, spec in part.arena.specs.items()}}


def _send_descriptor(pipe: Connection, arena: Arena) -> None:
    with socket.socket(fileno=os.dup(pipe.fileno())) as channel:
        socket.send_fds(channel, [b"."], [arena.descriptor])


def _receive_descriptor(pipe: Connection) -> int:
    with socket.socket(fileno=os.dup(pipe.fileno())) as channel:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        raise EOFError
    return descriptors[0]


def _map_part(cls: type[Any], descriptor: int, description: dict[str, Any]) -> Any:
    specs = {name: ArraySpec(tuple(shape), dtype) for name, (shape, dtype) in description["specs"].items()}
    fields = {name: _tuples(value) for name, value in description["fields"].items()}
    return cls(arena=Arena.from_descriptor(descriptor, specs), **fields)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
