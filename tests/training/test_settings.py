from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vecbt.errors import ConfigError, UnknownNameError
from vecbt.training import TrainSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"num_envs": True}, "num_envs must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**31}, r"seed must be less than 2\*\*31"),
        ({"num_workers": -1}, "num_workers must be"),
        ({"patience": 0}, "patience must be"),
        ({"gamma": 1.5}, "gamma must be a number of at least 0 and at most 1"),
        ({"learning_rate": 0.0}, "learning_rate must be a number of more than 0"),
        ({"entropy": -0.1}, "entropy must be"),
        ({"test": 0.95}, "test must be"),
        ({"network": ()}, "at least one layer"),
        ({"network": (8, 0)}, "network must be"),
        ({"data": (3,)}, "data must be paths"),
        ({"env": [1]}, "env must be settings by name"),
        ({"env": {"episode_steps": None}}, "give a number"),
        ({"env": {"strategy": "x"}}, "'strategy' is not for training's settings to say"),
        ({"strategy": "Class"}, "strategy must be package.module:Class"),
        ({"strategy": "m:C", "engine": "compiled"}, "needs engine='cerebro'"),
    ],
)
def test_invalid_values(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainSettings(**changes)


def test_an_unknown_engine() -> None:
    with pytest.raises(UnknownNameError, match="compiled"):
        TrainSettings(engine="compield")


def test_names_are_known_or_suggested() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gamma'"):
        TrainSettings.of({"gama": 0.9})


def test_json_and_back() -> None:
    settings = TrainSettings(data=("a.csv",), network=(32,), env={"commission": 0.1}, test=0.3)
    assert TrainSettings.of(json.loads(json.dumps(settings.as_dict()))) == settings


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('data = "bars.csv"\nsteps = 5\nnetwork = [16, 16]\n\n[env]\ncommission = 0.0002\n')
    expected = TrainSettings(data=("bars.csv",), steps=5, network=(16, 16), env={"commission": 0.0002})
    assert TrainSettings.read(path) == expected


@pytest.mark.parametrize("text", ["steps = ", "stepz = 3", "steps = 0"])
def test_a_file_that_will_not_do_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.toml: "):
        TrainSettings.read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        TrainSettings.read(tmp_path / "none.toml")


def test_share_of_test_bars() -> None:
    assert TrainSettings().test_share == 0.2
    assert TrainSettings(walk_forward=3).test_share == 0.5
    assert TrainSettings(walk_forward=3, test=0.1).test_share == 0.1
