"""``python -m bench.learning``: PPO on a market that can be foreseen, or on one that cannot; 1 if a goal is missed."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import tyro

from bench.goals import RESULTS
from bench.learning import markets, verdicts
from bench.learning.curves import draw_curves
from bench.learning.markets import Task
from bench.learning.measure import measure, save
from bench.learning.verdicts import Goal
from vecbt.cli.tables import print_table
from vecbt.testing.throughput import describe_machine

PICTURES = Path(__file__).parents[2] / "docs" / "assets"


@dataclasses.dataclass(frozen=True)
class Sine:
    """BTGym's sine: at least 80 % of the best profit on phases that training has never seen."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds, each trained and judged by itself."""

    json: Path = RESULTS / "learning-sine.json"
    """Where to write the results."""

    picture: Path = PICTURES / "learning-sine.png"
    """Where to draw the curves."""

    def run(self) -> bool:
        """Run it; returns whether every seed has reached the goal."""
        return _run("BTGym's sine", markets.SINE, verdicts.SINE, self, of_best=True)


@dataclasses.dataclass(frozen=True)
class Walk:
    """A random walk with costs: nothing is earned, and nothing but to stay flat is learned; more is a look-ahead."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds, each trained and judged by itself."""

    json: Path = RESULTS / "learning-walk.json"
    """Where to write the results."""

    picture: Path = PICTURES / "learning-walk.png"
    """Where to draw the curves."""

    def run(self) -> bool:
        """Run it; returns whether every seed has reached the goal."""
        return _run("random walk", markets.WALK, verdicts.WALK, self, of_best=False)


def _run(title: str, task: Task, goal: Goal, options: Sine | Walk, *, of_best: bool) -> bool:
    seeds = [measure(task, seed) for seed in options.seeds]
    print(f"{title}, held out: {goal.text}\n")
    print_table(goal.header, goal.table(seeds))
    save(options.json, describe_machine(), seeds)
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw_curves(options.picture, f"{title}: held-out episodes", seeds, of_best=of_best)
    print(f"\n{options.json}\n{options.picture}")
    return all(goal.met(seed) for seed in seeds)


def main() -> None:
    """Run what the command line names."""
    commands = tyro.cli(
        Annotated[Sine, tyro.conf.subcommand("sine")] | Annotated[Walk, tyro.conf.subcommand("walk")],  # type: ignore[arg-type]
        description=__doc__,
    )
    if not commands.run():
        sys.exit(1)


if __name__ == "__main__":
    main()
