"""Starting processes, and how a child of ours behaves: it ends with its parent and keeps to one thread."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from multiprocessing import connection, forkserver
from multiprocessing.context import BaseContext
from typing import Any

from vecbt.errors import ConfigError, UnknownNameError

__all__ = ["behave_as_child", "describe_exit", "get_context", "start_process", "usable_cores"]

_PRELOAD = "vecbt.shm.preload"
_MAIN_LOCK = threading.Lock()
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def usable_cores() -> int:
    """Cores that this process may run on, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_context(method: str | None = None) -> Any:
    """The multiprocessing context for a start method.

    Args:
        method: ``"forkserver"``, ``"spawn"`` or ``"fork"``; None for forkserver on Linux and spawn elsewhere. Forked
            children start faster still, but a process with threads (torch has them) must not be forked.

    Raises:
        UnknownNameError: If there is no such method.
        ConfigError: If the platform has no processes that can share memory without a name.
    """
    known = multiprocessing.get_all_start_methods()
    if os.name != "posix":
        raise ConfigError("worker processes need Linux or macOS; num_workers=0 runs everything in the parent")
    if method is None:
        method = "forkserver" if sys.platform == "linux" else "spawn"
    if method not in known:
        # multiprocessing's own words, by which callers know it
        raise UnknownNameError(f"cannot find context for {method!r}: the start methods here are {', '.join(known)}")
    context: BaseContext = multiprocessing.get_context(method)
    if method == "forkserver":
        _preload()
    return context


def _preload() -> None:
    """Let the fork server import what workers need, unless it runs already and it is too late."""
    server: Any = forkserver._forkserver
    if server._forkserver_pid is None and _PRELOAD not in server._preload_modules:
        # The user's script is left out: workers do not import it (see start_process).
        wanted = [name for name in server._preload_modules if name != "__main__"]
        forkserver.set_forkserver_preload([*wanted, _PRELOAD])


def start_process(
    context: Any, target: Callable[..., None], args: tuple[Any, ...], name: str, daemon: bool = True
) -> Any:
    """Start a process.

    The child does not import the caller's ``__main__``, as multiprocessing would have it: scripts need no
    ``if __name__ == "__main__"`` guard. What the child is to run it gets by value.
    """
    process = context.Process(target=target, args=args, name=name, daemon=daemon)
    # A forked child has __main__ already and needs it, to report errors of classes that the script defines.
    with contextlib.nullcontext() if context.get_start_method() == "fork" else _without_main():
        process.start()
    return process


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Show multiprocessing an empty ``__main__``, as it finds it in an interactive session."""
    with _MAIN_LOCK:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def behave_as_child(last_act: Callable[[], None] = lambda: None) -> None:
    """Set up the calling process as a child: no interrupts, one thread, and no life after the parent.

    Args:
        last_act: Called, in another thread, before this process ends because its parent has.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked child has inherited the parent's handler
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"  # for libraries that are still to be loaded
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)  # for those that are loaded
    threading.Thread(target=_watch_parent, args=[last_act], name="vecbt-watchdog", daemon=True).start()


def _watch_parent(last_act: Callable[[], None]) -> None:
    """End this process when the parent ends, however that happens."""
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return
    watched: list[Any] = [parent.sentinel]
    if hasattr(os, "pidfd_open"):
        # Siblings may have inherited the other end of the sentinel; the kernel's own view of the parent is exact.
        try:
            watched.append(os.pidfd_open(parent.pid))
        except ProcessLookupError:
            watched = []
        except OSError:
            pass  # not to be had here (an old kernel, a sandbox): the sentinel alone then
    try:
        if watched:
            connection.wait(watched)
        last_act()
    finally:
        os._exit(1)


def describe_exit(code: int | None) -> str:
    """An exit code in words, with its likely cause."""
    if code is None:
        return "is still running"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    causes = {
        "SIGKILL": "killed from outside, probably for want of memory",
        "SIGSEGV": "a crash in compiled code",
        "SIGBUS": "memory that could not be provided",
        "SIGABRT": "a library called abort()",
        "SIGTERM": "terminated from outside",
    }
    cause = causes.get(name)
    return f"was ended by {name} (exit code {code})" + (f": {cause}" if cause else "")
