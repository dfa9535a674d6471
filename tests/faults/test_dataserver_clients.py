"""Clients, servers and those who have started servers are killed: who needs them says so, all others go on."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vecbt
from tests.envs import MARKET, make, rollout
from tests.faults.processes import BOUND, Script, is_alive, needs_proc, wait_until
from tests.feed.processes import start
from tests.feed.slow import Slow
from vecbt.errors import ConfigError, WorkerDiedError, WorkerTimeoutError

ENDED = r"the data server at .* has ended: it was stopped or killed"


def read_line(process: Any) -> str:
    line = process.stdout.readline().strip()
    assert line, process.communicate()[1]
    return str(line)


BUSY = """
print("here", flush=True)
client = vecbt.DataFeedServer.attach(sys.argv[1])
while True:
    client.get_info()
    client._tables.clear()
    client.table(vecbt.feed.client.WHOLE)
"""


def test_a_client_that_is_killed_in_the_middle_of_a_request() -> None:
    generator = random.Random(1)
    with vecbt.DataFeedServer(MARKET) as server:
        envs = make(3, data=server, engine="compiled")
        events = rollout(envs, 20)
        for how in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            process = start(BUSY, server.address or "")
            read_line(process)
            time.sleep(0.5 + generator.random() / 5)
            process.send_signal(how)
            assert rollout(envs, 20) == events
            begun = time.monotonic()
            assert server.get_info()["bars"] == 3_000
            assert len(server.get_data() or ()) == 3_000
            assert time.monotonic() - begun < BOUND
            process.kill()
            process.communicate()
        envs.close()


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[BaseException]]:
    """Call in a thread; the errors that it raises."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, raised


@pytest.mark.parametrize("stopped", [False, True], ids=["killed", "stopped by its owner"])
def test_a_server_that_ends_while_clients_wait(tmp_path: Path, stopped: bool) -> None:
    with vecbt.DataFeedServer(Slow(tmp_path / "gate")) as server:
        clients = [vecbt.DataFeedServer.attach(server.address or "") for _ in range(3)]
        calls = [clients[0].wait_ready, clients[1].get_info, lambda: make(2, data=clients[2])]
        waiting = [in_thread(call) for call in calls]
        time.sleep(0.2)
        assert all(thread.is_alive() for thread, _ in waiting)
        if stopped:
            server.stop()
        else:
            os.kill(server.pid or 0, signal.SIGKILL)
        for thread, raised in waiting:
            thread.join(BOUND)
            assert not thread.is_alive()
            with pytest.raises(WorkerDiedError, match=ENDED):
                raise raised[0]
        for client in clients:
            for call in (client.get_info, client.get_global_time, client.reset_data, client.wait_ready):
                begun = time.monotonic()
                with pytest.raises(WorkerDiedError, match=ENDED):
                    call()
                assert time.monotonic() - begun < BOUND
            client.close()


def test_what_a_dead_server_has_shared_lives_on() -> None:
    with vecbt.DataFeedServer(MARKET) as server:
        client = vecbt.DataFeedServer.attach(server.address or "")
        envs = make(3, data=client)
        sample = client.get_data()
        events = rollout(envs, 20)
        os.kill(server.pid or 0, signal.SIGKILL)
        wait_until(lambda: not is_alive(server.pid or 0), "the data server")
        assert rollout(envs, 20) == events
        assert client.get_data({"get_new": False}) is sample
        with pytest.raises(WorkerTimeoutError, match="no server answers"):  # not even the owner's process
            vecbt.DataFeedServer.attach(server.address or "", connect_timeout=0.2)
        with pytest.raises(WorkerDiedError, match=ENDED):
            make(3, data=client, features=("log_return",))
        envs.close()
        client.close()


def test_a_server_that_is_another_one_than_before(tmp_path: Path) -> None:
    address = tmp_path / "x"
    with vecbt.DataFeedServer(MARKET, network_address=address):
        client = vecbt.DataFeedServer.attach(address)
        client.wait_ready()
    with vecbt.DataFeedServer(MARKET, network_address=address):
        for _ in range(2):
            with pytest.raises(WorkerDiedError, match=ENDED):
                client.get_info()
        client._gone = ""  # as if nothing had been noticed
        with pytest.raises(WorkerDiedError, match=r"another data server listens at .* now"):
            client.get_info()
        with vecbt.DataFeedServer.attach(address) as new:
            assert new.get_info()["bars"] == 3_000


OWNER = """
server = vecbt.DataFeedServer(bars, network_address=ADDRESS).start()
server.wait_ready()
print(server.address, server.pid, flush=True)
time.sleep(600)
"""


@needs_proc
@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_owner_that_is_killed(tmp_path: Path, how: signal.Signals, chosen: bool) -> None:
    """The server ends, the clients hear of it, and neither processes nor files are left."""
    first = f"ADDRESS = {str(tmp_path / 'market')!r}\n" if chosen else "ADDRESS = None\n"
    script = Script(OWNER, tmp_path, first)
    address, pid = script.read_line().split()
    client = vecbt.DataFeedServer.attach(address)
    envs = make(2, data=client)
    os.kill(script.process.pid, how)
    wait_until(lambda: not is_alive(int(pid)), "the data server")
    with pytest.raises(WorkerDiedError, match=ENDED):
        client.get_info()
    envs.reset(seed=0)
    envs.close()
    client.close()
    script.finish()
    script.assert_nothing_left()
    assert not Path(address).exists()
    assert not Path(f"{address}.key").exists()
    assert Path(address).parent.exists() == chosen


@needs_proc
def test_what_is_left_when_all_are_killed_harms_nobody(tmp_path: Path) -> None:
    address = tmp_path / "market"
    script = Script(OWNER, tmp_path, f"ADDRESS = {str(address)!r}\n")
    pid = int(script.read_line().split()[1])
    os.kill(pid, signal.SIGSTOP)  # it cannot remove its files
    os.kill(script.process.pid, signal.SIGKILL)
    script.process.wait()
    with pytest.raises(ConfigError, match=r"a server listens at .* already"):
        vecbt.DataFeedServer(MARKET, network_address=address).start()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the data server")
    assert address.exists()
    with pytest.raises(WorkerTimeoutError, match="it has ended, or was never started there"):
        vecbt.DataFeedServer.attach(address, connect_timeout=0.1)
    with vecbt.DataFeedServer(MARKET, network_address=address) as server:
        assert vecbt.DataFeedServer.attach(address).get_info() == server.get_info()
    script.finish()


def test_a_server_that_cannot_be_started_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(vecbt.errors.UnknownNameError):
        vecbt.DataFeedServer(MARKET, network_address=tmp_path / "x", context="thread").start()
    with pytest.raises(ZeroDivisionError):
        vecbt.DataFeedServer(Unpicklable(), network_address=tmp_path / "x").start()
    assert list(tmp_path.iterdir()) == []


class Unpicklable:
    """What cannot be sent to a process."""

    def __reduce__(self) -> Any:
        raise ZeroDivisionError
