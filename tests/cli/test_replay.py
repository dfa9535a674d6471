"""``vecbt replay`` on the folder of a run whose episodes are recorded here, as training's tests record theirs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

import vecbt
from tests.training.markets import small_settings, write_market
from vecbt.cli import run as command
from vecbt.runs import EpisodeRecorder, Run
from vecbt.training import open_market

ENGINES = ["compiled", "cerebro", "stock"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of three folds on 240 bars, of which the second has been tested by two random agents."""
    return make_run(tmp_path)


def make_run(tmp_path: Path, **changes: Any) -> Path:
    settings = small_settings(write_market(tmp_path / "market.csv", 240), walk_forward=3, **changes)
    market = open_market(settings)
    kept = {name: value for name, value in market.env.items() if name != "strategy"}
    run = Run.create(tmp_path / "run", {"settings": settings.as_dict(), "env": kept})
    options = {"trial_type": "target", "sample_type": "test", "trial": 80}  # not the first in global time
    envs = vecbt.make_vec(market.domain, num_envs=2, num_workers=0, **{**market.env, "episode_steps": None})
    envs.action_space.seed(4)
    recorder = EpisodeRecorder(envs, market.bars, envs.reset(seed=4, options=options)[1], "compiled")
    while not recorder.finished.all():
        actions = envs.action_space.sample()
        recorder.step(actions, envs.step(actions))
    envs.close()
    for recording in recorder.recordings(["random", "random"], 1):
        assert recording.identity.start == market.folds[1].test[0]
        run.add(recording)
    run.save()
    return run.path


@pytest.mark.parametrize("engine", ENGINES)
def test_an_episode_is_equal(folder: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    command(["replay", str(folder), "--episode", "1", "--engine", engine])
    printed = capsys.readouterr().out
    assert "0 different: equal to the last bit" in printed
    for title in ("account value", "position", "commission paid", "order status", "cash"):
        assert title in printed
    assert ("reward" in printed) == (engine != "stock")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_episode_that_differs_ends_the_command_with_1(
    folder: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = Run.load(folder).recording(0)
    values = recording.values.copy()
    values[7] = np.nextafter(values[7], 0.0)
    dataclasses.replace(recording, values=values).save(Run.load(folder).recording_path(0))
    with pytest.raises(SystemExit) as ended:
        command(["replay", str(folder), "--episode", "0", "--engine", engine])
    assert ended.value.code == 1
    assert ", 1 different: NOT the episode that was recorded" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["cerebro", "stock"])
def test_a_plot(folder: Path, tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = []
    for episode in (0, 1):
        path = tmp_path / f"{episode}.png"
        command(
            ["replay", str(folder), "--episode", str(episode), "--engine", engine, "--no-fast", "--plot", str(path)]
        )
        assert f"plot of stock Backtrader: {path}" in capsys.readouterr().out
        pictures.append(image.imread(path))
    assert pictures[0].shape == (1200, 1920, 4)
    assert (pictures[0] != pictures[1]).any()  # the same bars, other orders
    colours = {tuple(colour) for colour in (pictures[0][::2, ::2, :3] * 255).astype(int).reshape(-1, 3).tolist()}
    assert {(0, 255, 0), (255, 0, 0)} <= colours  # marks of what was bought and sold


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        command(["replay", *arguments])
    assert isinstance(ended.value.code, str)
    return ended.value.code


def test_data_that_have_changed_are_refused(folder: Path) -> None:
    write_market(folder.parent / "market.csv", 240, changed_from=200)
    assert "the data are not those of the recording" in refused(str(folder), "--episode", "0")


def test_what_is_not_there_is_refused(folder: Path, tmp_path: Path) -> None:
    assert "episodes 0 to 1, got 2" in refused(str(folder), "--episode", "2")
    assert "no folder of a run" in refused(str(tmp_path / "none"), "--episode", "0")
    assert "there is no folder" in refused(str(folder), "--episode", "0", "--plot", str(tmp_path / "no" / "a.png"))


def test_a_strategy_is_plotted_by_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path, strategy="vecbt.strategy:Strategy", engine="cerebro")
    command(["replay", str(folder), "--episode", "0"])
    for more in (["--engine", "stock"], ["--plot", str(tmp_path / "a.png")]):
        assert "strategy=" in refused(str(folder), "--episode", "0", *more)
