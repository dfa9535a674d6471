from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.runs.recordings import make_recording
from vecbt.errors import DataFileError
from vecbt.runs import Recording


def test_a_recording_reads_back_to_the_bit(tmp_path: Path) -> None:
    rewards = np.array([0.1, np.nextafter(0.2, 1.0), -0.0, np.nan])
    recording = make_recording(rewards=rewards)
    recording.save(tmp_path / "deep" / "0.npz")
    read = Recording.load(tmp_path / "deep" / "0.npz")
    for field in dataclasses.fields(Recording):
        ours, theirs = getattr(recording, field.name), getattr(read, field.name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert ours.tobytes() == theirs.tobytes(), field.name
        elif field.name != "stats":
            assert ours == theirs
    assert read.stats["total_return"] == 0.04
    assert np.isnan(read.stats["sharpe"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a zip", b"text"])
def test_what_is_no_recording_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "0.npz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"0\.npz: this is no recording"):
        Recording.load(path)


def test_another_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=np.zeros(3))
    with pytest.raises(DataFileError, match="no recording"):
        Recording.load(tmp_path / "0.npz")


def test_a_missing_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no such recording"):
        Recording.load(tmp_path / "0.npz")
