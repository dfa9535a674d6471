"""The process that loads a data set, lays it out in shared memory, and samples trials from it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from multiprocessing import util
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from vecbt.errors import ClosedError, ConfigError, WorkerDiedError
from vecbt.feed.client import DataFeedClient
from vecbt.feed.service import DataService
from vecbt.messages import REQUESTS, encode
from vecbt.settings import check_choice, check_unsigned
from vecbt.shm.byvalue import ByValue
from vecbt.shm.local_socket import LocalListener
from vecbt.shm.process import behave_as_child, describe_exit, get_context, start_process

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DataFeedServer"]

logger = logging.getLogger("vecbt")


class DataFeedServer(DataFeedClient):
    """Loads a data set in a process of its own and shares it: bars, features, and every trial that the domain admits.

    `make_vec` starts one for itself. Start one by hand to share a data set between several batches, which then map
    the same memory: in this process, or in any other of the same user on the same machine, which comes to it with
    `attach`. All clients are answered at the same time; none has to wait for another that has failed or hangs.

    Args:
        dataset: A `Domain`, or anything that `make_vec` takes for data.
        network_address: Path of the socket at which others may attach; None for one in a private folder among the
            system's temporary files.
        log_level: Level of the server's messages in the ``vecbt`` logger, which go to standard error if nobody has
            said where; None leaves it as it is.
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

        From another process, to which the address has been told:

        >>> with vecbt.DataFeedServer(market) as server:
        ...     with vecbt.DataFeedServer.attach(server.address) as client:
        ...         envs = vecbt.make_vec(client, num_envs=4, num_workers=0)
        ...         client.get_info()["bars"]
        5000
        >>> envs.close()
    """

    def __init__(
        self,
        dataset: Any,
        *,
        network_address: str | os.PathLike[str] | None = None,
        log_level: int | str | None = None,
        task: int = 0,
        context: str | None = None,
    ) -> None:
        if isinstance(log_level, str):
            check_choice("log_level", log_level, tuple(logging.getLevelNamesMapping()))
        elif log_level is not None:
            check_unsigned("log_level", log_level, bits=31)
        self.dataset, self.log_level, self.task = dataset, log_level, check_unsigned("task", task, bits=63)
        self.address = None if network_address is None else os.fspath(network_address)
        self._network_address, self._context_name = network_address, context
        self._connect_timeout = 90.0
        self._process: Any = None
        self._parent = os.getpid()
        self._finalizer: util.Finalize | None = None
        self._begin()

    @classmethod
    def attach(cls, address: str | os.PathLike[str], connect_timeout: float = 90.0) -> DataFeedClient:
        """Come to a server that another process has started, by its `address`.

        Args:
            address: Path of its socket, of which ``<address>.key`` holds the key.
            connect_timeout: Seconds to wait for it to come, and to take the connection.

        Raises:
            WorkerTimeoutError: If it does not do so in time.
            AuthenticationError: If it is another user's, or does not know the key.
        """
        client = DataFeedClient(address, connect_timeout)
        client._open()
        return client

    def start(self, *, listen: bool = True) -> DataFeedServer:
        """Start the process; it loads the data while the caller goes on.

        Args:
            listen: Whether others may attach.

        Raises:
            ConfigError: If it has been started already, or cannot listen.
        """
        if self._process is not None:
            raise ConfigError("the data server has been started already")
        context = get_context(self._context_name)
        listener = LocalListener(self._network_address) if listen else None
        pipe, theirs = context.Pipe()
        arguments = ByValue(self.dataset), self.log_level, self.task, theirs, listener
        try:
            self._process = start_process(context, _run_child, arguments, f"vecbt-data-server-{self.task}")
        except BaseException:
            pipe.close()
            if listener is not None:
                listener.close()
            raise
        finally:
            theirs.close()
        if listener is not None:
            listener.hand_over()
            self.address = listener.address
        self._begin()
        self._pipe, self._met = pipe, False
        # As in `WorkerPool`: forgotten or not, it ends before multiprocessing waits for its children at exit. The
        # priority is below that of workers, which may be asking.
        self._finalizer = util.Finalize(self, _end, (self._process, pipe, listener), exitpriority=9)
        self._open()
        return self

    def run(self) -> None:
        """Serve in the calling process, until a client calls `stop`; `start` does so in a process of its own.

        Raises:
            ConfigError: If it has been started already, or cannot listen.
            DataError: If the data cannot be loaded.
        """
        if self._process is not None:
            raise ConfigError("the data server has been started already")
        listener = LocalListener(self._network_address)
        self.address = listener.address
        try:
            _serve(DataService(self.task), lambda: self.dataset, self.log_level, listener, None)
        finally:
            listener.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._process is not None:
            return super().__reduce__()
        settings = (self.dataset, self._network_address, self.log_level, self.task, self._context_name)
        return _remake, settings

    def __enter__(self) -> DataFeedServer:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id; None before the start."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End the process; what it has shared lives on with those who map it. May be called again."""
        process, self._process = self._process, None
        if process is not None and self._finalizer is not None:
            self._abandon()
            self._finalizer()

    close = stop

    # -- the conversation ----------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"the data server (process {self.pid})"

    def _check_open(self) -> None:
        if self._process is None:
            raise ClosedError("the data server is not running: start() it, or make a new one after stop()")
        super()._check_open()

    def _connect(self) -> Connection:
        if self._pid == self._parent and not self._met:
            self._met = True
            # A connection that has to be abandoned leaves the pipe itself open, which is still good to say goodbye.
            return Connection(os.dup(self._pipe.fileno()))
        if self.address is None:
            raise ClosedError(f"a call to {self._name} was interrupted, or comes from a forked process: start another")
        return super()._connect()

    def _died(self, message: str) -> WorkerDiedError:
        if self._pid == self._parent:
            self._process.join(0.5)
            code = self._process.exitcode
            message = f"{self._name} {'has closed the connection' if code is None else describe_exit(code)}"
        return super()._died(message)


def _run_child(
    dataset: ByValue, log_level: int | str | None, task: int, pipe: Connection, listener: LocalListener | None
) -> None:
    behave_as_child(listener.close if listener is not None else lambda: None)
    _serve(DataService(task), dataset.load, log_level, listener, pipe)


def _serve(
    service: DataService,
    get_dataset: Callable[[], Any],
    log_level: int | str | None,
    listener: LocalListener | None,
    pipe: Connection | None,
) -> None:
    """Body of a server's process: answer from the beginning, load the data meanwhile, and end when told to."""
    if log_level is not None:
        logger.setLevel(log_level)
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
    if listener is not None:
        threading.Thread(target=listener.serve, args=[service.talk], name="vecbt-listener", daemon=True).start()
    if pipe is not None:
        threading.Thread(target=service.talk, args=[pipe], name="vecbt-parent", daemon=True).start()
    failure = service.load(get_dataset)
    if failure is not None and pipe is None:
        raise failure
    service.stopped.wait()


def _end(process: Any, pipe: Connection, listener: LocalListener | None) -> None:
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
        if listener is not None:
            listener.close()


def _remake(
    dataset: Any, network_address: Any, log_level: int | str | None, task: int, context: str | None
) -> DataFeedServer:
    return DataFeedServer(dataset, network_address=network_address, log_level=log_level, task=task, context=context)
