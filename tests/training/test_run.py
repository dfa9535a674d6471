"""Whole runs, small ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from tests.training.markets import small_settings, write_market
from vecbt.errors import ConfigError
from vecbt.runs import Run
from vecbt.training import go_on, train
from vecbt.training.progress import FoldProgress


def parameters(run: Run, fold: int, file: str = "model.zip") -> dict[str, torch.Tensor]:
    return dict(PPO.load(run.fold_path(fold) / file, device="cpu").policy.state_dict())


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_market(tmp_path_factory.mktemp("bars") / "bars.csv")


@pytest.fixture(scope="module")
def finished(bars: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.set_num_threads(1)
    return train(small_settings(bars), tmp_path_factory.mktemp("runs") / "run", shown=False)


def test_what_a_run_leaves(finished: Run) -> None:
    run = Run.load(finished.path)
    assert run.facts["state"] == "finished"
    (fold,) = run.facts["folds"]
    assert fold["steps"] >= 1_000
    assert fold["best_step"] <= fold["steps"]
    assert [own["agent"] for own in run.episodes] == ["policy", "buy and hold", "flat", "random"]
    curves = run.curves(0)
    assert curves["time/total_timesteps"].tolist() == [400.0, 800.0, 1_200.0]
    assert np.isfinite(curves["train/value_loss"]).any()
    assert np.isfinite(curves["rollout/step_reward"]).all()
    assert list((run.fold_path(0) / "tensorboard").iterdir())
    assert list((run.fold_path(0) / "checkpoints").iterdir())


def test_the_test_is_of_all_test_rows_in_one_episode(finished: Run) -> None:
    first, end = finished.facts["folds"][0]["test"]
    for number in range(len(finished.episodes)):
        recording = finished.recording(number)
        assert (recording.rows == np.arange(first, end)).all()
        assert recording.identity.sample_type == "test"
    flat = finished.recording(2)
    assert (flat.values == flat.values[0]).all()


def test_the_same_again_and_another_future(finished: Run, bars: str, tmp_path: Path) -> None:
    again = train(small_settings(bars), tmp_path / "again", shown=False)
    assert same(parameters(again, 0), parameters(finished, 0))
    assert again.facts["folds"][0]["best"] == finished.facts["folds"][0]["best"]
    other = train(small_settings(bars, seed=1), tmp_path / "other", shown=False)
    assert not same(parameters(other, 0), parameters(finished, 0))
    # Other prices in the test rows, and nothing of what was learned or chosen is another.
    changed = write_market(tmp_path / "bars.csv", changed_from=finished.facts["folds"][0]["test"][0])
    future = train(small_settings(changed), tmp_path / "future", shown=False)
    assert same(parameters(future, 0), parameters(finished, 0))
    assert future.facts["folds"][0]["best"] == finished.facts["folds"][0]["best"]
    assert future.recording(1).values[-1] != finished.recording(1).values[-1]


def test_walk_forward(bars: str, tmp_path: Path) -> None:
    run = train(small_settings(bars, walk_forward=2, test=0.4, steps=400, evaluations=1), tmp_path / "run", shown=False)
    assert [(own["agent"], own["fold"]) for own in run.episodes] == [
        (agent, fold) for fold in (0, 1) for agent in ("policy", "buy and hold", "flat", "random")
    ]
    assert [tuple(run.recording(number).rows[[0, -1]]) for number in (0, 4)] == [(360, 479), (480, 599)]
    # The second fold's bars are of no account to the first.
    changed = write_market(tmp_path / "bars.csv", changed_from=480)
    other = train(
        small_settings(changed, walk_forward=2, test=0.4, steps=400, evaluations=1), tmp_path / "other", shown=False
    )
    assert same(parameters(other, 0), parameters(run, 0))
    assert same(parameters(other, 1), parameters(run, 1))  # trained on what was known before they came
    assert (other.recording(0).values == run.recording(0).values).all()
    assert other.recording(5).values[-1] != run.recording(5).values[-1]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """As if somebody had pressed Ctrl-C when so many steps have been taken."""
    original = FoldProgress._on_step

    def on_step(self: Any) -> bool:
        if self.num_timesteps >= step:
            self._interrupt.asked = True
        return original(self)

    monkeypatch.setattr(FoldProgress, "_on_step", on_step)


def test_interrupted_and_gone_on_with(bars: str, tmp_path: Path) -> None:
    settings = small_settings(bars, walk_forward=2, test=0.4, steps=1_200, evaluations=3)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 900)
        run = train(settings, tmp_path / "run", shown=False)
    assert run.facts["state"] == "interrupted"
    assert [own["fold"] for own in run.episodes] == [0] * 4  # tested, with what had been learned
    kept = max((run.fold_path(0) / "checkpoints").iterdir())
    assert 800 <= int(kept.stem) <= 908
    done = go_on(run.path, shown=False)
    assert done.facts["state"] == "finished"
    assert [own["fold"] for own in done.episodes] == [0] * 4 + [1] * 4
    assert done.facts["folds"][0]["starts"] == 2
    steps = done.curves(0)["time/total_timesteps"]
    assert (np.diff(steps) > 0).all()
    assert steps[-1] >= 1_200
    with pytest.raises(ConfigError, match="has been finished"):
        go_on(run.path)


def test_other_data_are_not_gone_on_with(tmp_path: Path) -> None:
    settings = small_settings(write_market(tmp_path / "bars.csv"), steps=400)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 1)
        train(settings, tmp_path / "run", shown=False)
    write_market(tmp_path / "bars.csv", changed_from=599)
    with pytest.raises(ConfigError, match=r"data of the run .* have changed"):
        go_on(tmp_path / "run")


def test_patience(bars: str, tmp_path: Path) -> None:
    # Nothing is learned, and no evaluation is better than the first.
    settings = small_settings(bars, steps=40_000, evaluations=100, patience=2, learning_rate=1e-12)
    run = train(settings, tmp_path / "run", shown=False)
    (fold,) = run.facts["folds"]
    assert fold["stopped"] == "patience"
    assert fold["waited"] == 2
    assert fold["steps"] < 3_000


def test_an_account_that_is_ruined_ends_beside_the_others(bars: str, tmp_path: Path) -> None:
    env = {"drawdown_call": 0.05}
    run = train(small_settings(bars, steps=400, evaluations=1, env=env), tmp_path / "run", shown=False)
    steps = [own["steps"] for own in run.episodes]
    assert steps[2] == 119  # flat
    assert min(steps) < 119


def test_the_cerebro_engine_learns_the_same(bars: str, tmp_path: Path) -> None:
    settings = small_settings(bars, steps=400, evaluations=1)
    compiled = train(settings, tmp_path / "compiled", shown=False)
    cerebro = train(dataclasses.replace(settings, engine="cerebro"), tmp_path / "cerebro", shown=False)
    assert same(parameters(compiled, 0), parameters(cerebro, 0))
    for number in range(4):
        ours, theirs = compiled.recording(number), cerebro.recording(number)
        assert (ours.values == theirs.values).all()
        assert (ours.engine, theirs.engine) == ("compiled", "cerebro")
