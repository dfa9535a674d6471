from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
def test_nothing_is_left_behind() -> None:
    names = set(os.listdir("/dev/shm"))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        np.copyto(Arena(SPECS).arrays["a"], 1.0)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    assert set(os.listdir("/dev/shm")) == names
