"""The process that hosts environments and speaks with their agents in messages."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from multiprocessing import util
from multiprocessing.connection import Connection
from typing import Any

from vecbt.errors import AuthenticationError, ClosedError, ConfigError, WorkerDiedError, WorkerTimeoutError
from vecbt.messages import error_fields, raise_error
from vecbt.remote.client import BacktraderClient
from vecbt.remote.host import Host
from vecbt.remote.wire import LIMIT, pack, unpack
from vecbt.settings import check_choice, check_flag, check_integer, check_unsigned
from vecbt.shm.byvalue import ByValue
from vecbt.shm.local_socket import LocalListener, connect
from vecbt.shm.process import behave_as_child, describe_exit, get_context, start_process

__all__ = ["BacktraderServer"]

logger = logging.getLogger("vecbt")


class BacktraderServer(BacktraderClient):
    """Hosts environments in a process of its own, for agents in other processes of the same user on the same machine.

    Agents that live in one process with their environments have no need of it: `vecbt.make_vec` hands over everything
    through shared memory, which is much faster. A server is for those who speak BTGym's protocol, for agents whose life
    is not that of their environments, and for watching the environments of somebody else.

    The object is the first client of its server; `attach` makes others from its ``address``.

    **Messages** are dictionaries, `send` returns the answer. In *control mode* no episode is running:

    * ``{"ctrl": "_reset", "kwargs": {...}}`` begins one in every environment; the answer has the first ``observation``
      and ``info``. Arguments are ``seed`` and ``options``, see `vecbt.vector.TradingVectorEnv.reset`, and BTGym's
      ``trial_config`` (``sample_type``, ``get_new``, ``b_alpha``, ``b_beta``, ``timestamp``) and ``episode_config``
      (``align_left`` in place of ``timestamp``).
    * ``{"ctrl": "_getstat"}``: number, length and run time of the last ended episode, trading statistics, and what
      every analyzer of the Cerebro has found.

    In *episode mode*, until the episodes have ended:

    * ``{"action": ...}``, ``"hold"``, ``"buy"``, ``"sell"``, ``"close"``, a number, a dictionary by asset, or a list
      with one for each of several environments, takes a step; the answer has ``observation``, ``reward``, ``done`` and
      ``info``.
    * ``{"ctrl": "_done"}`` stops the episodes.

    In both ``_render`` with a ``mode``, see `vecbt.vector.TradingVectorEnv.render`; ``_get_trial`` draws a trial for
    the client, see `get_trial`; ``_get_data`` tells of the trials of the environments, see `get_trial_message`;
    ``_get_info``, ``_get_global_time``, ``_get_broadcast_message``; and ``_stop``, which ends the server. All of these
    may stand under ``action`` too. What cannot be done is answered with an error, which `send` raises; the server goes
    on.

    An environment that has ended waits for ``_reset``. With ``autoreset_mode="NextStep"`` or ``"SameStep"`` it begins
    anew by itself instead, and episode mode lasts until ``_done``.

    Args:
        data: See `vecbt.make_vec`; a running `vecbt.DataFeedServer` is shared. None with ``data_network_address``.
        num_envs: Environments.
        cerebro: A `backtrader.Cerebro`, or a function that makes one; see `vecbt.EnvConfig`.
        render: Whether pictures may be asked for; it costs a little of every step.
        network_address: Path of the socket to be made; None for one in a new private folder.
        data_network_address: Address of a data server that somebody else has started.
        connect_timeout: Seconds to wait: of the server for its data server, of clients for the server.
        log_level: Level of the server's messages in the ``vecbt`` logger; None leaves it as it is.
        task: A number that names the server in its messages.
        context: Start method, see `vecbt.make_vec`.
        **settings: ``engine``, ``num_workers`` (of the server's own, 0 by default), ``autoreset_mode``
            (``"Disabled"`` by default), ``on_worker_death`` and ``max_restarts``, see `vecbt.make_vec`; and the fields
            of `vecbt.EnvConfig`.

    Raises:
        ConfigError: If an argument is invalid. What is wrong with the data or with settings, `start` cannot know yet:
            the first call that needs the environments raises it.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(2_000, seed=0)
        >>> with vecbt.BacktraderServer(market, episode_steps=50) as server:
        ...     observation, info = server.reset(seed=0)
        ...     done = False
        ...     while not done:
        ...         observation, reward, done, info = server.step("buy" if info["position"] == 0 else "hold")
        ...     stat = server.get_stat()
        >>> observation.shape, stat["length"], stat["stats"]["r"] == info["episode_stats"]["r"]
        ((30, 4), 50, True)
    """

    def __init__(
        self,
        data: Any = None,
        *,
        num_envs: int = 1,
        cerebro: Any = None,
        render: bool = False,
        network_address: str | os.PathLike[str] | None = None,
        data_network_address: str | os.PathLike[str] | None = None,
        connect_timeout: float = 90.0,
        log_level: int | str | None = None,
        task: int = 0,
        context: str | None = None,
        **settings: Any,
    ) -> None:
        if (data is None) == (data_network_address is None):
            raise ConfigError("a Backtrader server needs either data or the data_network_address of a data server")
        check_integer("num_envs", num_envs, low=1)
        check_flag("render", render)
        check_unsigned("task", task, bits=63)
        if isinstance(log_level, str):
            check_choice("log_level", log_level, tuple(logging.getLevelNamesMapping()))
        elif log_level is not None:
            check_unsigned("log_level", log_level, bits=31)
        self._begin(connect_timeout, None)
        defaults = {"num_workers": 0, "autoreset_mode": "Disabled", "copy": False}  # what is sent is copied
        picture = "rgb_array" if render else None
        self._host = Host(
            data=data,
            data_address=data_network_address,
            patience=self._connect_timeout,
            log_level=log_level,
            task=task,
            settings={**defaults, "num_envs": num_envs, "cerebro": cerebro, "render_mode": picture, **settings},
        )
        self.address = None if network_address is None else os.fspath(network_address)
        self._network_address, self._context_name = network_address, context
        self._process: Any = None
        self._pipe: Connection | None = None
        self._ready = False
        self._failure: dict[str, Any] | None = None  # why there are no environments
        self._finalizer: util.Finalize | None = None

    @classmethod
    def attach(
        cls, address: str | os.PathLike[str], connect_timeout: float = 90.0, timeout: float | None = None
    ) -> BacktraderClient:
        """Come to a server that another process has started, by its ``address``.

        Args:
            address: Path of its socket, of which ``<address>.key`` holds the key.
            connect_timeout: Seconds to wait for it to come, and to take the connection.
            timeout: Seconds to wait for an answer; None for as long as the server lives.

        Raises:
            WorkerTimeoutError: If it does not come in time.
            AuthenticationError: If it is another user's, or does not know the key.
        """
        client = BacktraderClient(address, connect_timeout, timeout)
        client._open()
        return client

    def connect(self, timeout: float | None = None) -> BacktraderClient:
        """Another client of this server, for another thread, say.

        Args:
            timeout: Seconds to wait for an answer; None for as long as the server lives.
        """
        self.wait_ready()
        return self.attach(self.address or "", self._connect_timeout, timeout)

    def start(self) -> BacktraderServer:
        """Start the process; it makes its environments while the caller goes on.

        Raises:
            ConfigError: If it has been started already, or there cannot be such a socket.
        """
        if self._process is not None:
            raise ConfigError("the Backtrader server has been started already")
        context = get_context(self._context_name)
        listener = LocalListener(self._network_address)
        self._pipe, theirs = context.Pipe()
        arguments = ByValue(self._host), listener, theirs
        name = f"vecbt-backtrader-server-{self._host.task}"
        try:
            # No daemon: it has children of its own, a data server and perhaps workers.
            self._process = start_process(context, _run_child, arguments, name, daemon=False)
        except BaseException:
            listener.close()
            raise
        finally:
            theirs.close()
        listener.hand_over()
        self.address = listener.address
        self._closed = self._ready = False
        self._gone, self._failure = "", None
        # As in `WorkerPool`: forgotten or not, it ends before multiprocessing waits for its children at exit.
        self._finalizer = util.Finalize(self, _end, (self._process, self._pipe, listener), exitpriority=9)
        return self

    def run(self) -> None:
        """Serve in the calling process, until a client calls `stop`; `start` does so in a process of its own.

        Raises:
            VecbtError: If the environments cannot be made.
        """
        if self._process is not None:
            raise ConfigError("the Backtrader server has been started already")
        listener = LocalListener(self._network_address)
        self.address = listener.address
        try:
            self._host.serve(listener, lambda: None)
        finally:
            listener.close()

    def __enter__(self) -> BacktraderServer:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id; None before the start."""
        return None if self._process is None else self._process.pid

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the environments have been made.

        Args:
            timeout: Seconds; None for the server's ``connect_timeout``.

        Raises:
            VecbtError: If they cannot be made.
            WorkerDiedError: If the server has ended.
            WorkerTimeoutError: If it takes longer.
        """
        self._check_open()
        assert self._pipe is not None
        if self._failure is not None:
            raise_error(self._failure, "the Backtrader server")
        if self._ready:
            return
        patience = self._connect_timeout if timeout is None else timeout
        if not self._talk(self._pipe.poll, patience):
            raise WorkerTimeoutError(f"{self._name} has not made its environments within {patience} s")
        reply = unpack(self._talk(self._pipe.recv_bytes, LIMIT))
        if reply["ctrl"] == "_error":
            self._failure = reply
            raise_error(reply, "the Backtrader server")
        self._ready = True

    def stop(self) -> None:
        """End the process. May be called again."""
        self.close()
        process, self._process = self._process, None
        if process is not None and self._finalizer is not None:
            self._finalizer()

    def _connect(self) -> Connection:
        self.wait_ready()
        deadline = time.monotonic() + self._connect_timeout
        while True:
            try:
                return connect(self.address or "", min(1.0, self._connect_timeout))
            except (AuthenticationError, WorkerTimeoutError):
                if not self._process.is_alive():  # nobody listens any more, and nobody will
                    raise self._died() from None
                if time.monotonic() >= deadline:
                    raise

    def _check_open(self) -> None:
        if self._process is None:
            raise ClosedError("the Backtrader server is not running: start() it, or make a new one after stop()")

    def _died(self) -> WorkerDiedError:
        self._process.join(0.5)
        return WorkerDiedError(f"{self._name} {describe_exit(self._process.exitcode)}")

    @property
    def _name(self) -> str:
        return f"the Backtrader server (process {self.pid})"


def _run_child(host: ByValue, listener: LocalListener, pipe: Connection) -> None:
    behave_as_child(listener.close)
    try:
        host.load().serve(listener, lambda: pipe.send_bytes(pack({"ctrl": "_ready"})), pipe)
    except Exception as error:
        logger.error("a Backtrader server has failed: %s", error)
        with contextlib.suppress(OSError):
            pipe.send_bytes(pack(error_fields(error)))
    finally:
        listener.close()


def _end(process: Any, pipe: Connection, listener: LocalListener) -> None:
    """End a server: by agreement, else by force."""
    try:
        with contextlib.suppress(OSError):
            pipe.send_bytes(b"stop")
        process.join(2.0)
    finally:
        if process.is_alive():
            process.kill()
            process.join(1.0)
        pipe.close()
        listener.close()
