"""Processes and shared memory as the system sees them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

import vecbt

BOUND = 15.0
"""Seconds, many times what is promised: the machine may be busy with something else."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")

_MARK = "VECBT_TEST_PROCESS"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # a system without /proc, else it has just been reaped


def is_stopped(pid: int) -> bool:
    """Whether a process has been stopped and not continued."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 2 * BOUND) -> None:
    """Wait for something that takes no longer than a moment."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(0.01)


class Script:
    """A script in a process of its own, whose descendants can be told from all other processes.

    Args:
        code: The script; ``vecbt`` and a small market ``bars`` are there already.
        folder: Where the script is put.
        first: What it does before it imports vecbt.
    """

    def __init__(self, code: str, folder: Path, first: str = "") -> None:
        path = folder / "script.py"
        head = "import os, signal, sys, time, vecbt\nbars = vecbt.data.synthetic_market(300, seed=0)\n"
        path.write_text(first + head + code, encoding="utf-8")
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        name, value = self._mark.split("=")
        root = Path(vecbt.__file__).parents[1]
        environment = {**os.environ, name: value, "PYTHONPATH": str(root)}
        self._before = shared_memory()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", path],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def read_line(self) -> str:
        """The next line that the script prints; blocks until it comes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            self.process.wait(2 * BOUND)
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read())
        return line

    def finish(self, seconds: float = 60.0) -> tuple[int, str, str]:
        """Exit code, output and errors of the script.

        What the pipes hold is read only once nobody writes to them any more, so that a process that is left over
        shows here as well.
        """
        output, errors = self.process.communicate(timeout=seconds)
        return self.process.returncode, output, errors

    def descendants(self) -> list[int]:
        """The script's process and all that it has started, and that those have."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if self._mark.encode() in (entry / "environ").read_bytes().split(b"\0") and is_alive(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def assert_nothing_left(self) -> None:
        """Make sure that no process and no shared memory of the script is left."""
        wait_until(lambda: not self.descendants(), "processes of the script")
        wait_until(lambda: shared_memory() <= self._before, "names in /dev/shm")

    def kill(self) -> None:
        """End whatever is left."""
        for pid in self.descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.communicate()


def shared_memory() -> set[str]:
    """Names in /dev/shm."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
