"""What users are told of compiling."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import numba
import pytest

from vecbt.kernels._jit import Compiled, Native, kernel


def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(Compiled, "announced", False)
    monkeypatch.setattr(Compiled, "names", [])


@pytest.mark.usefixtures("empty_cache")
def test_announced_once_and_never_from_the_cache(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Native(double).address
    told = capfd.readouterr().err
    assert told.startswith("vecbt: compiling")
    assert "vecbt warmup" in told
    assert Compiled.names == [f"{__name__}.double"]

    monkeypatch.setattr(Compiled, "announced", False)
    assert Native(double).address  # in the cache now
    assert not capfd.readouterr().err

    monkeypatch.setattr(Compiled, "announced", True)
    Native(lambda number: 3 * number).address  # noqa: B018
    assert not capfd.readouterr().err


@pytest.mark.usefixtures("empty_cache")
def test_small_kernels_are_not_announced(capfd: pytest.CaptureFixture[str]) -> None:
    assert kernel(double)(2) == 4
    assert not capfd.readouterr().err
    assert Compiled.names == [f"{__name__}.double"]


@pytest.mark.usefixtures("empty_cache")
def test_children_say_nothing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    parent: Any = object()
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    assert Native(double).address
    assert not capfd.readouterr().err
