"""What a process holds: descriptors, threads, processes, names in /dev/shm, memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tests.faults.processes import shared_memory

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Resources(NamedTuple):
    """What is counted."""

    descriptors: int
    threads: int
    processes: frozenset[int]
    names: frozenset[str]

    @classmethod
    def now(cls) -> Resources:
        """Of this process as it stands; processes are all its descendants that run."""
        return cls(
            len(os.listdir("/proc/self/fd")),
            len(os.listdir("/proc/self/task")),
            frozenset(descendants(os.getpid())),
            frozenset(shared_memory()),
        )

    def is_within(self, other: Resources) -> bool:
        """Whether there is nothing that was not there before."""
        return (
            self.descriptors <= other.descriptors
            and self.threads <= other.threads
            and self.processes <= other.processes
            and self.names <= other.names
        )


def descendants(pid: int) -> set[int]:
    """All processes that one has started, and that those have, but for those that have ended."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.name))
    found: set[int] = set()
    left = [pid]
    while left:
        more = children.get(left.pop(), [])
        found.update(more)
        left.extend(more)
    return found


def resident(pid: int | str = "self") -> float:
    """MiB of memory of a process that are in use and its own."""
    size, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    return (size - shared) * _PAGE / (1 << 20)
