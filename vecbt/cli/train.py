"""``vecbt train``: an agent trained on bars, tested on those behind them, and a report on both."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from vecbt.cli.tables import print_table
from vecbt.errors import ConfigError
from vecbt.training.settings import TrainSettings

if TYPE_CHECKING:
    from vecbt.runs import Run

__all__ = ["Train", "parse_train"]

_INTERRUPTED = 130
_COLUMNS = {
    "total_return": ("return", 100.0, "%"),
    "sharpe": ("Sharpe", 1.0, ""),
    "max_drawdown": ("max drawdown", 1.0, "%"),
    "trades": ("trades", 1.0, ""),
    "exposure": ("in the market", 100.0, "%"),
    "costs": ("costs", 1.0, ""),
}


@dataclasses.dataclass(frozen=True)
class Train:
    """Train an agent by PPO, test it on later bars beside agents that need no training, and write a report."""

    settings: tyro.conf.OmitArgPrefixes[Annotated[TrainSettings, tyro.conf.arg(name="")]] = dataclasses.field(
        default_factory=TrainSettings
    )

    config: Path | None = None
    """TOML file of these settings, with a table [env] of vecbt.EnvConfig's fields; flags go before it."""

    changes: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = ()
    """Settings of the environment, as NAME=VALUE in TOML's spelling: commission=0.0002 'features=["log_return"]'."""

    out: Path | None = None
    """Folder of the run; by default a new one in runs/."""

    resume: Path | None = None
    """Folder of a run that has been interrupted, to go on with; it has all settings."""

    def run(self) -> None:
        """Run it; exits with 130 if it was interrupted, after the report."""
        from vecbt.analysis.report import write_report
        from vecbt.training import go_on, train  # torch: no other command has to wait for it

        if self.resume is not None:
            if self.settings != TrainSettings() or self.changes or self.out is not None:
                raise ConfigError("--resume goes on with the settings of the run: give no others")
            run = go_on(self.resume)
        else:
            settings = dataclasses.replace(self.settings, env={**self.settings.env, **_parse(self.changes)})
            run = train(settings, self.out or _new_folder())
        _print_results(run)
        print(f"\nreport: {write_report(run)}")
        if run.facts["state"] == "interrupted":
            print(f"interrupted; to go on: vecbt train --resume {run.path}", file=sys.stderr)
            sys.exit(_INTERRUPTED)


def parse_train(arguments: list[str]) -> Train:
    """The command of a command line, whose flags go before what a file of settings says."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    config = parser.parse_known_args(arguments)[0].config
    default = Train() if config is None else Train(settings=TrainSettings.read(config))
    return tyro.cli(Train, default=default, prog="vecbt train", args=arguments)


def _parse(texts: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("there is no '='")
            found.update(tomllib.loads(f"{name} = {value}"))
        except ValueError as error:
            raise ConfigError(f"--set {text!r}: expected NAME=VALUE with a TOML value: {error}") from error
    return found


def _new_folder() -> Path:
    return Path("runs") / datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")


def _print_results(run: Run) -> None:
    folds = run.facts["folds"]
    seconds, steps = sum(fold["seconds"] for fold in folds), sum(fold["steps"] for fold in folds)
    print(f"\n{steps:,} steps of training in {seconds:,.0f} s, {steps / max(seconds, 1e-9):,.0f} steps/s")
    recordings = [run.recording(number) for number in range(len(run.episodes))]
    for number in range(len(folds)):
        own = [recording for recording in recordings if recording.fold == number]
        if not own:
            continue
        first, last = (np.datetime64(int(stamp), "ns").astype("datetime64[m]") for stamp in own[0].timestamps[[0, -1]])
        rows = []
        for agent in dict.fromkeys(recording.agent for recording in own):
            stats = [recording.stats for recording in own if recording.agent == agent]
            name = agent if len(stats) == 1 else f"{agent}, mean of {len(stats)}"
            means = [np.mean([each[column] for each in stats]) * factor for column, (_, factor, _) in _COLUMNS.items()]
            units = [unit for _, _, unit in _COLUMNS.values()]
            rows.append((name, *(f"{mean:,.2f}{unit}" for mean, unit in zip(means, units, strict=True))))
        title = f"test bars, {first} to {last}" if len(folds) == 1 else f"fold {number}, {first} to {last}"
        print()
        print_table((title, *(name for name, _, _ in _COLUMNS.values())), rows)
