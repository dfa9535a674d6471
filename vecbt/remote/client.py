"""The client's side of a Backtrader server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from vecbt.errors import ClosedError, EpisodeError, WorkerDiedError, WorkerTimeoutError
from vecbt.messages import raise_error
from vecbt.remote.wire import LIMIT, pack, unpack
from vecbt.settings import check_number
from vecbt.shm.local_socket import connect

__all__ = ["BacktraderClient"]

T = TypeVar("T")


class BacktraderClient:
    """A client of a `vecbt.BacktraderServer`; made by its `connect` and `attach`.

    A server answers its clients in turn: one may step the environments while others watch. Calls from several threads
    come one after the other. After a call that has timed out or was interrupted the client connects anew; what it had
    asked for may still happen.

    Args:
        address: Path of the server's socket.
        connect_timeout: Seconds to wait for the server to come and to take a connection.
        timeout: Seconds to wait for an answer; None for as long as the server lives.

    Attributes:
        address: Path of the server's socket.
    """

    address: str | None

    def __init__(
        self, address: str | os.PathLike[str], connect_timeout: float = 90.0, timeout: float | None = None
    ) -> None:
        self.address = os.fspath(address)
        self._begin(connect_timeout, timeout)

    def _begin(self, connect_timeout: float, timeout: float | None) -> None:
        self._connect_timeout = check_number("connect_timeout", connect_timeout, low=0.0, open_low=True)
        self._timeout = None if timeout is None else check_number("timeout", timeout, low=0.0, open_low=True)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False
        self._gone = ""  # how the server has ended

    def __enter__(self) -> BacktraderClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- messages ------------------------------------------------------------------------------------------------------

    def send(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Args:
            message: ``{"ctrl": "_reset", "kwargs": {...}}``, ``{"action": "buy"}`` and so on, see
                `vecbt.BacktraderServer`.

        Returns:
            The answer, with ``ctrl``.

        Raises:
            VecbtError: What the server answers that it cannot do; it goes on.
            MessageError: If it is no message.
            WorkerDiedError: If the server has ended.
            WorkerTimeoutError: If there is no answer in time.
            ClosedError: If this client has been closed.
        """
        data = pack(message)
        with self._lock:
            reply = self._exchange(data)
        if reply.get("ctrl") == "_error":
            raise_error(reply, "the Backtrader server")
        return reply

    def _exchange(self, data: bytes) -> dict[str, Any]:
        connection = self._open()
        try:
            self._talk(connection.send_bytes, data)
            if not self._talk(connection.poll, self._timeout):
                raise WorkerTimeoutError(f"{self._name} has not answered within {self._timeout} s")
            return unpack(self._talk(connection.recv_bytes, LIMIT))
        except BaseException:  # Ctrl-C too: nobody knows what comes next on this connection
            self._abandon()
            raise

    def _talk(self, call: Callable[..., T], *arguments: Any) -> T:
        """Use the connection; where that fails, the server is gone."""
        try:
            return call(*arguments)
        except (EOFError, OSError):
            self._gone = str(self._died())
            raise WorkerDiedError(self._gone) from None

    def _open(self) -> Connection:
        self._check_open()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        return connect(self.address or "", self._connect_timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the client of {self._name} has been closed; attach() another")
        if self._gone:
            raise WorkerDiedError(self._gone)

    def _died(self) -> WorkerDiedError:
        return WorkerDiedError(f"{self._name} has ended: it was stopped or killed")

    @property
    def _name(self) -> str:
        return f"the Backtrader server at {self.address}"

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Leave the server, which goes on for others. May be called again."""
        self._closed = True
        self._abandon()

    # -- episodes ------------------------------------------------------------------------------------------------------

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes.

        Args:
            **kwargs: ``seed`` and ``options``, see `vecbt.vector.TradingVectorEnv.reset`; ``trial_config`` and
                ``episode_config``, see `vecbt.BacktraderServer`.

        Returns:
            Observation and info.
        """
        reply = self.send({"ctrl": "_reset", "kwargs": kwargs})
        return reply["observation"], reply["info"]

    def step(self, action: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
        """Take a step.

        Args:
            action: Of one environment ``"hold"``, ``"buy"``, ``"sell"`` or ``"close"``, a number, or a dictionary of
                these by asset; of several a list, or an array.

        Returns:
            Observation, reward, done, and info, in which ``terminated`` and ``truncated`` are.
        """
        reply = self.send({"action": action})
        return reply["observation"], reply["reward"], reply["done"], reply["info"]

    def done(self) -> None:
        """Stop the running episodes."""
        self.send({"ctrl": "_done"})

    def get_stat(self) -> Any:
        """What the last ended episode has come to, see `vecbt.vector.TradingVectorEnv.get_stat`.

        Returns:
            A dictionary, or a list of one for each of several environments; None where no episode has ended yet. Dates
            are strings in it, and so are all keys.
        """
        return self.send({"ctrl": "_getstat"})["stat"]

    def render(self, mode: str = "human") -> Any:
        """Draw the environments.

        Args:
            mode: ``"human"``, ``"episode"``, ``"observation"`` or a key of observations, see
                `vecbt.vector.TradingVectorEnv.render`.

        Returns:
            uint8 (H, W, 3), or a list of one for each of several environments.
        """
        return self.send({"ctrl": "_render", "mode": mode})["images"]

    # -- data ----------------------------------------------------------------------------------------------------------

    def get_trial(self, **reset_kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """A trial of the data set, drawn for the caller; the environments go on untouched.

        Args:
            **reset_kwargs: Settings of the draw, see `vecbt.DataFeedServer.get_data`.

        Returns:
            The trial, statistics of its rows, and of all training rows of the data set. The trial has its metadata and
            ``stamps``, ``ohlc`` and ``volume``, see `vecbt.data.Sample`.

        Raises:
            ExhaustedError: If there is no such trial any more.
        """
        reply = self.send({"ctrl": "_get_trial", "kwargs": reset_kwargs})
        return reply["sample"], reply["trial_stat"], reply["dataset_stat"]

    def get_trial_message(self) -> dict[str, Any]:
        """The trials that the environments are in, as a data server would tell of one.

        Returns:
            ``sample``: arrays over the environments, see `vecbt.vector.TradingVectorEnv.current_trials`, or None before
            the first reset; ``stat``: statistics of the data set's training rows; ``origin``:
            ``"master_environment"``; ``timestamp``: global time, POSIX seconds.
        """
        return self.send({"ctrl": "_get_data"})

    def current_trials(self) -> dict[str, Any]:
        """The trials that the environments are in, see `vecbt.vector.TradingVectorEnv.current_trials`.

        Raises:
            EpisodeError: Before the first reset.
        """
        sample = self.get_trial_message()["sample"]
        if sample is None:
            raise EpisodeError(f"the environments of {self._name} are in no trial before their first reset")
        return dict(sample)

    def get_info(self) -> dict[str, Any]:
        """Facts about the server: number of environments, assets, spaces, and of its data."""
        return self.send({"ctrl": "_get_info"})

    def get_global_time(self) -> int:
        """Global time of the data set, POSIX seconds."""
        return int(self.send({"ctrl": "_get_global_time"})["timestamp"])

    def get_broadcast_message(self) -> tuple[int, dict[str, Any]]:
        """Global time of the data set, POSIX seconds, and the last message that was broadcast."""
        reply = self.send({"ctrl": "_get_broadcast_message"})
        return int(reply["timestamp"]), reply["broadcast_message"]

    def stop(self) -> None:
        """End the server, for all its clients."""
        self.send({"ctrl": "_stop"})
        self.close()
