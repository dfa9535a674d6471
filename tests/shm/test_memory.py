"""Memory that can be had is provided at once; of memory that cannot, an error says so, and nothing is left open."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import vecbt
from vecbt.errors import SharedMemoryError
from vecbt.shm import memory
from vecbt.shm.memory import anonymous_file, free_memory

KIB, MIB = 1 << 10, 1 << 20
DESCRIPTORS = Path("/proc/self/fd")
needs_descriptors = pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors in /proc")
needs_shm = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs /dev/shm")
needs_fallocate = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No descriptor more than before, and no name in /dev/shm."""
    names, before = set(os.listdir("/dev/shm")), len(os.listdir(DESCRIPTORS))
    yield
    assert len(os.listdir(DESCRIPTORS)) == before
    assert set(os.listdir("/dev/shm")) == names


@pytest.fixture(params=[True, False], ids=["memfd", "file"])
def memfd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways to memory without a name, whatever the system has."""
    if not request.param:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    elif not hasattr(os, "memfd_create"):
        pytest.skip("needs memfd_create")
    return bool(request.param)


# -- what is provided --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("memfd")
@needs_fallocate
@pytest.mark.parametrize("size", [64, 5000, memory._PIECE, memory._PIECE + 4096])
def test_all_of_it_is_there_before_it_is_touched(size: int) -> None:
    descriptor = anonymous_file(size)
    try:
        status = os.fstat(descriptor)
        assert status.st_size == size
        assert status.st_nlink == 0
        assert status.st_blocks * 512 >= size
        assert os.pread(descriptor, size + 1, 0) == bytes(size)
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


@needs_shm
@needs_descriptors
@pytest.mark.usefixtures("nothing_left")
def test_without_memfd_it_is_a_file_in_shm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    descriptor = anonymous_file(5000)
    try:
        link = str((DESCRIPTORS / str(descriptor)).readlink())
    finally:
        os.close(descriptor)
    assert link.startswith("/dev/shm/vecbt-")
    assert link.endswith(" (deleted)")


@needs_descriptors
def test_without_memfd_and_shm_it_is_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(memory, "_SHM", tmp_path / "nowhere")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    descriptor = anonymous_file(5000)
    try:
        assert (DESCRIPTORS / str(descriptor)).readlink().is_relative_to(tmp_path)
    finally:
        os.close(descriptor)
    assert not list(tmp_path.iterdir())


# -- what is refused ---------------------------------------------------------------------------------------------------


@needs_shm
@needs_descriptors
@pytest.mark.usefixtures("nothing_left")
def test_more_memory_than_is_free(memfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 3 * MIB)
    os.close(anonymous_file(3 * MIB))
    with pytest.raises(SharedMemoryError) as caught:
        anonymous_file(5 * MIB + MIB // 2)
    where = "anonymous memory" if memfd else "a file in /dev/shm"
    assert f"5.5 MiB of shared memory were wanted, as {where}: 3.0 MiB are free" in str(caught.value)
    assert "fewer environments" in str(caught.value)
    assert ("--memory" if memfd else "--shm-size") in str(caught.value)


@needs_shm
@needs_descriptors
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("blocks", "refused"), [(1000, True), (0, False)])  # a tmpfs of no limit has no blocks
def test_more_memory_than_the_folder_has(monkeypatch: pytest.MonkeyPatch, blocks: int, refused: bool) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    status = SimpleNamespace(f_bavail=blocks // 4, f_frsize=4 * KIB, f_blocks=blocks)
    monkeypatch.setattr(os, "statvfs", lambda folder: status)
    if refused:
        with pytest.raises(SharedMemoryError, match=r"2\.0 MiB .* a file in /dev/shm: 1\.0 MiB are free.*--shm-size"):
            anonymous_file(2 * MIB)
    else:
        os.close(anonymous_file(2 * MIB))


@needs_shm
@needs_descriptors
@pytest.mark.usefixtures("nothing_left")
def test_more_memory_than_a_temporary_folder_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(memory, "_SHM", tmp_path / "nowhere")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SharedMemoryError, match=rf"a file in {tmp_path}: .* are free.*TMPDIR"):
        anonymous_file(1 << 60)


@needs_shm
@needs_descriptors
@needs_fallocate
@pytest.mark.usefixtures("nothing_left", "memfd")
@pytest.mark.parametrize("call", ["ftruncate", "posix_fallocate"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.ENOMEM, errno.EFBIG, errno.EDQUOT, errno.EIO])
def test_the_system_refuses(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, refuse)
    shortage = code != errno.EIO
    with pytest.raises(SharedMemoryError if shortage else OSError, match=os.strerror(code)) as caught:
        anonymous_file(5000)
    assert isinstance(caught.value, MemoryError) == shortage


@needs_shm
@needs_descriptors
@needs_fallocate
@pytest.mark.usefixtures("nothing_left", "memfd")
def test_an_interrupt_meanwhile_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_fallocate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        anonymous_file(5000)


@needs_shm
@needs_descriptors
@pytest.mark.usefixtures("nothing_left", "memfd")
@pytest.mark.parametrize("known", [True, False])
def test_more_than_any_file_can_be(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    if not known:
        status = SimpleNamespace(f_bavail=0, f_frsize=1, f_blocks=0)
        monkeypatch.setattr(os, "statvfs", lambda folder: status)
        monkeypatch.setattr(memory, "free_memory", lambda: None)
    with pytest.raises(SharedMemoryError, match="free" if known else os.strerror(errno.EFBIG)):
        anonymous_file(1 << 70)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process as Linux has them")
@pytest.mark.parametrize(
    ("limit", "code"), [("RLIMIT_FSIZE", errno.EFBIG), ("RLIMIT_AS", errno.ENOMEM)], ids=["file", "addresses"]
)
@pytest.mark.parametrize("memfd", ["", "del os.memfd_create"], ids=["memfd", "file"])
def test_limits_of_the_process(limit: str, code: int, memfd: str) -> None:
    script = f"""
import os, resource
{memfd}
from vecbt.errors import SharedMemoryError
from vecbt.shm.arena import Arena, ArraySpec
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
most = 1 << 20 if {limit!r} == "RLIMIT_FSIZE" else used + (64 << 20)
resource.setrlimit(resource.{limit}, (most, most))
before = len(os.listdir("/proc/self/fd"))
try:
    Arena({{"a": ArraySpec((100 << 20,), "uint8")}})
except SharedMemoryError as error:
    print(error)
print(len(os.listdir("/proc/self/fd")) - before)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(vecbt.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    message, left = done.stdout.splitlines()
    assert message.startswith("100.0 MiB of shared memory were wanted")
    assert os.strerror(code) in message
    assert left == "0"


# -- how much is free --------------------------------------------------------------------------------------------------

MEMINFO = "MemTotal: 9000 kB\nMemFree: 1000 kB\nMemAvailable: 4000 kB\nSwapFree: 500 kB\nHugePages_Total: 0\n"


def system(root: Path, **files: str) -> Path:
    """A folder that looks like the root of a Linux system; ``__`` in a name is a slash, ``proc`` is always there."""
    for name, text in {"proc__meminfo": MEMINFO, **files}.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def second(limit: int | str, used: int, stat: str = "anon 5\nactive_file 0\ninactive_file 0\n") -> dict[str, str]:
    """Files of a control group, version 2."""
    return {"memory.max": f"{limit}\n", "memory.current": f"{used}\n", "memory.stat": stat}


def first(limit: int, used: int, stat: str) -> dict[str, str]:
    """Files of a control group, version 1."""
    return {"memory.limit_in_bytes": f"{limit}\n", "memory.usage_in_bytes": f"{used}\n", "memory.stat": stat}


def inside(group: str, files: dict[str, str]) -> dict[str, str]:
    return {f"sys__fs__cgroup__{group}{name}": text for name, text in files.items()}


SWAP = 500 * KIB


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 4000 * KIB),
        ({"proc__self__cgroup": "0::/\n"}, 4000 * KIB),
        ({"proc__self__cgroup": "0::/\n", **inside("", second(900_000, 100_000))}, 800_000),
        ({"proc__self__cgroup": "0::/\n", **inside("", second("max", 100_000))}, 4000 * KIB),
        ({"proc__self__cgroup": "0::/\n", **inside("", second(900 * MIB, 0))}, 4000 * KIB),
        # What is cached of files can be taken back.
        (
            {
                "proc__self__cgroup": "0::/a/b\n",
                **inside("a__b__", second(900_000, 600_000, "active_file 20000\ninactive_file 100000\n")),
            },
            420_000,
        ),
        # A group above may be tighter.
        (
            {
                "proc__self__cgroup": "0::/a/b\n",
                **inside("a__b__", second(900_000, 100_000)),
                **inside("a__", second(500_000, 200_000)),
            },
            300_000,
        ),
        # A container sees its host's path, and at the top its own group.
        ({"proc__self__cgroup": "0::/docker/abc\n", **inside("", second(900_000, 100_000))}, 800_000),
        (
            {
                "proc__self__cgroup": "12:cpu,cpuacct:/x\n9:memory:/docker/abc\n1:name=systemd:/\n",
                **inside("memory__", first(900_000, 600_000, "inactive_file 7\ntotal_inactive_file 50000\n")),
            },
            350_000,
        ),
        (
            {
                "proc__self__cgroup": "9:memory:/a\n0::/\n",
                **inside("memory__a__", first(900_000, 600_000, "")),
                **inside("memory__", first(9223372036854771712, 600_000, "")),
            },
            300_000,
        ),
        # Unreadable accounts say nothing.
        (
            {"proc__self__cgroup": "0::/\n", **inside("", {"memory.max": "900000", "memory.current": "1"})},
            4000 * KIB,
        ),
    ],
)
def test_free_memory(tmp_path: Path, files: dict[str, str], free: int) -> None:
    assert free_memory(system(tmp_path, **files)) == free + SWAP


def test_free_memory_where_nobody_knows(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None
    assert free_memory(system(tmp_path, proc__meminfo="MemTotal: 9000 kB\n")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux tells")
def test_free_memory_of_this_machine() -> None:
    free = free_memory()
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free is not None
    assert 0 < free <= total + memory._read_table(Path("/proc/meminfo"))["SwapTotal"] * KIB
