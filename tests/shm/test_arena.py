from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from vecbt.errors import SharedMemoryError
from vecbt.shm import memory
from vecbt.shm.arena import Arena, ArraySpec

SPECS = {"a": ArraySpec((3, 5), "float32"), "b": ArraySpec((7,), "bool"), "c": ArraySpec((0, 4), "int64")}


def test_arrays_have_the_asked_shapes_and_begin_as_zeros() -> None:
    arena = Arena(SPECS)
    for name, spec in SPECS.items():
        array = arena.arrays[name]
        assert array.shape == spec.shape
        assert array.dtype == spec.dtype
        assert not array.any()


def test_every_array_begins_on_a_cache_line() -> None:
    arena = Arena(SPECS)
    assert all(array.ctypes.data % 64 == 0 for name, array in arena.arrays.items() if array.size)


def test_arrays_do_not_overlap() -> None:
    arena = Arena(SPECS)
    arena.arrays["a"][:] = 1.0
    assert not arena.arrays["b"].any()
    arena.arrays["b"][:] = True
    assert (arena.arrays["a"] == 1.0).all()


def test_a_descriptor_maps_the_same_memory() -> None:
    arena = Arena(SPECS)
    twin = Arena.from_descriptor(os.dup(arena.descriptor), arena.specs)
    twin.arrays["a"][1, 2] = 5.0
    assert arena.arrays["a"][1, 2] == 5.0


def test_arrays_outlive_their_arena() -> None:
    arena = Arena(SPECS)
    array = arena.arrays["a"]
    del arena
    gc.collect()
    array[:] = 2.0
    assert array.sum() == 30.0


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def ours() -> set[str]:
    """Names in /dev/shm, but for those of semaphores, which other processes may be making."""
    return {name for name in os.listdir("/dev/shm") if not name.startswith("sem.")}


needs_descriptors = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")


@needs_descriptors
@pytest.mark.parametrize("memfd", [True, False], ids=["memfd", "file"])
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, memfd: bool) -> None:
    if not memfd:
        monkeypatch.delattr(os, "memfd_create")
    names = ours()
    before = descriptors()
    for _ in range(20):
        np.copyto(Arena(SPECS).arrays["a"], 1.0)
    assert descriptors() == before
    assert ours() == names


@pytest.mark.parametrize("shape", [(1 << 50,), (1 << 40, 1 << 40)], ids=["much", "more than 64 bits count"])
def test_arrays_too_large_for_the_system(shape: tuple[int, ...]) -> None:
    with pytest.raises(SharedMemoryError, match=r"MiB of shared memory were wanted.*fewer environments"):
        Arena({"a": ArraySpec(shape, "float64")})


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_memory_is_provided_at_once() -> None:
    arena = Arena({"a": ArraySpec((1000, 1000), "float64")})
    assert os.fstat(arena.descriptor).st_blocks * 512 >= arena.nbytes


@needs_descriptors
def test_an_arena_that_cannot_be_made_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    with pytest.raises(ValueError, match="mmap length"):  # more arrays than the memory has room for
        Arena.from_descriptor(memory.anonymous_file(64), SPECS | {"d": ArraySpec((1000,), "float64")})
    assert descriptors() == before
    monkeypatch.setattr(memory, "free_memory", lambda: 10)
    with pytest.raises(SharedMemoryError):
        Arena(SPECS)
    assert descriptors() == before
