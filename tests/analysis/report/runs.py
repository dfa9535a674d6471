"""Runs to be reported on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.analysis.episodes import record
from vecbt.runs import Run

__all__ = ["make_run"]

CURVES = "time/total_timesteps,rollout/step_reward,validation/mean_return\n100,,\n200,0.5,0.01\n300,0.75,\n"


def make_run(folder: Path, *, folds: int = 1, name: str = "SYNTH", **settings: Any) -> Run:
    """A run of random agents under the names of others."""
    facts: dict[str, Any] = {
        "settings": {"seed": 3, "gamma": 0.99, "data": []},
        "data": {"name": name, "bars": 800, "first_time": "2024-01-01", "last_time": "2024-01-02"},
        "folds": [{"train": [0, 100], "test": [100, 160], "steps": 300, "best": None} for _ in range(folds)],
        "state": "finished",
    }
    run = Run.create(folder, facts)
    for fold in range(folds):
        for place, agent in enumerate(("policy", "buy and hold", "random", "random")):
            recording = record(10 * fold + place, **settings)
            run.add(type(recording)(**{**recording.__dict__, "agent": agent, "fold": fold}))
        run.fold_path(fold).mkdir(parents=True)
        (run.fold_path(fold) / "progress.csv").write_text(CURVES)
    run.save()
    return run
