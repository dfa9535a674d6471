"""Memory without a name behind a file descriptor: all of it is provided at once, or an error says why it is not."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vecbt.errors import SharedMemoryError

__all__ = ["anonymous_file", "explain_shortage", "free_memory"]

_SHM = Path("/dev/shm")
_SHORTAGES = (errno.ENOSPC, errno.ENOMEM, errno.EFBIG, errno.EDQUOT)
_PIECE = 16 << 20
"""Bytes reserved by one call: a signal makes a call begin anew, which one for everything might do without end."""


def anonymous_file(size: int) -> int:
    """A descriptor of zeroed memory without a name.

    Every page is provided here. The system would otherwise promise them all, and kill whoever first touches one that
    it does not have.

    Raises:
        SharedMemoryError: If there is not so much memory.
    """
    if hasattr(os, "memfd_create"):
        folder, free = None, free_memory()
        _check_free(size, free, folder)
        descriptor = os.memfd_create("vecbt", os.MFD_CLOEXEC)
    else:
        folder = _SHM if os.access(_SHM, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
        _check_free(size, _free_space(folder), folder)
        # The file is unlinked before anyone else can open it.
        descriptor, path = tempfile.mkstemp(prefix="vecbt-", dir=folder)
        os.unlink(path)  # noqa: PTH108
    try:
        with explain_shortage(size, folder):
            os.ftruncate(descriptor, size)
            if hasattr(os, "posix_fallocate"):  # macOS has none
                for begin in range(0, size, _PIECE):
                    os.posix_fallocate(descriptor, begin, min(_PIECE, size - begin))
    except BaseException:  # Ctrl-C too
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def explain_shortage(size: int, folder: Path | None = None) -> Iterator[None]:
    """Turn a system call's error for want of memory into one that says how to mend it.

    Args:
        size: Bytes that are wanted.
        folder: Folder of the file that holds them; None for anonymous memory.

    Raises:
        SharedMemoryError: If a call within says that there is not so much memory.
    """
    try:
        yield
    except OverflowError:  # more than a file's size can be
        raise _shortage(size, os.strerror(errno.EFBIG), folder) from None
    except OSError as error:
        if error.errno not in _SHORTAGES:
            raise
        raise _shortage(size, os.strerror(error.errno), folder) from error


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process and its control groups can still get, swap included; None where nobody knows.

    Linux would not refuse more: it ends a process instead, this one or another.

    Args:
        root: Folder in which to look for ``proc`` and ``sys``.
    """
    try:
        system = _read_table(root / "proc/meminfo")  # in KiB
        available, swap = system["MemAvailable"] << 10, system["SwapFree"] << 10
    except (OSError, KeyError):
        return None
    limits = [_group_free(group) for group in _groups(root)]
    return min([available, *(limit for limit in limits if limit is not None)]) + swap


def _groups(root: Path) -> Iterator[Path]:
    """Folders of the control groups that limit this process's memory."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        # A container may see paths of its host and its own group at the top.
        group = top / path.lstrip("/")
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top))


def _group_free(group: Path) -> int | None:
    """Bytes that a control group may still take, what it could take back from files included; None without a limit."""
    for limit, usage in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        try:
            most, used = int((group / limit).read_text()), int((group / usage).read_text())
            stat = _read_table(group / "memory.stat")
        except (OSError, ValueError):  # no such file; "max"
            continue
        files = [stat.get(f"total_{name}", stat.get(name, 0)) for name in ("active_file", "inactive_file")]
        return most - used + sum(files)
    return None


def _read_table(path: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number in each line."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {name.rstrip(":"): int(number) for name, number, *_ in lines}


def _free_space(folder: Path) -> int | None:
    """Bytes free in a folder's file system, and in memory if it is there; None if it has no limit."""
    status = os.statvfs(folder)
    space = status.f_bavail * status.f_frsize if status.f_blocks else None  # a tmpfs without a limit counts none
    memory = free_memory() if folder == _SHM else None
    return min((free for free in (space, memory) if free is not None), default=None)


def _check_free(size: int, free: int | None, folder: Path | None) -> None:
    if free is not None and size > free:
        raise _shortage(size, f"{_mebibytes(max(0, free))} are free", folder)


def _shortage(size: int, why: str, folder: Path | None) -> SharedMemoryError:
    where = "anonymous memory" if folder is None else f"a file in {folder}"
    if folder is None:
        more = "the limit of a container is docker run --memory"
    elif folder == _SHM:
        more = "a container's /dev/shm is as large as docker run --shm-size says"
    else:
        more = "TMPDIR names another folder"
    return SharedMemoryError(
        f"{_mebibytes(size)} of shared memory were wanted, as {where}: {why}. Use fewer environments, smaller "
        f"observations (a shorter window) or fewer data, or provide more: {more}"
    )


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
