from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs.recordings import make_recording
from vecbt.errors import ConfigError, DataFileError
from vecbt.runs import Run


def test_a_run_reads_back(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"settings": {"seed": 3}, "state": "training"})
    assert run.add(make_recording()) == 0
    assert run.add(make_recording(agent="flat", fold=1)) == 1
    run.facts["state"] = "finished"
    run.save()
    read = Run.load(tmp_path / "run")
    assert read.facts == {"settings": {"seed": 3}, "state": "finished"}
    assert [(own["agent"], own["fold"], own["steps"]) for own in read.episodes] == [("policy", 0, 4), ("flat", 1, 4)]
    assert read.recording(1).agent == "flat"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["episodes", "run.json"]


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    Run.create(tmp_path, {})
    with pytest.raises(ConfigError, match="holds a run"):
        Run.create(tmp_path, {})


def test_an_episode_that_is_not_there(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.add(make_recording())
    for number in (-1, 1):
        with pytest.raises(ConfigError, match=f"episodes 0 to 0, got {number}"):
            run.recording(number)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataFileError, match=r"run\.json: the run "):
        Run.load(tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no folder of a run"):
        Run.load(tmp_path)


def test_a_write_that_fails_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {"state": "training"})
    run.facts["state"] = object()
    with pytest.raises(TypeError):
        run.save()
    assert json.loads((tmp_path / "run.json").read_text())["facts"] == {"state": "training"}


def test_curves_are_numbers_with_holes(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    assert run.curves(0) == {}
    run.fold_path(0).mkdir(parents=True)
    (run.fold_path(0) / "progress.csv").write_text("time/total_timesteps,rollout/ep_rew_mean\n100,\n200,0.5\n")
    curves = run.curves(0)
    assert curves["time/total_timesteps"].tolist() == [100.0, 200.0]
    assert np.isnan(curves["rollout/ep_rew_mean"][0])
    assert curves["rollout/ep_rew_mean"][1] == 0.5
