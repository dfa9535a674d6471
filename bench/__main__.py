"""``python -m bench``: measure the figures that the project quotes, beside their goals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tyro

from bench import cerebro, compiled, lockstep, sampling, sharing, spaces, startup
from bench.goals import RESULTS, Goal, print_goals, save
from vecbt.testing.throughput import describe_machine


def _training(repeats: int) -> list[Goal]:
    from bench import training  # torch: no other suite has to wait for it, or to have it

    return training.measure(repeats)


_SUITES = {
    "compiled": compiled.measure,
    "cerebro": cerebro.measure,
    "lockstep": lockstep.measure,
    "sampling": sampling.measure,
    "sharing": sharing.measure,
    "startup": startup.measure,
    "spaces": spaces.measure,
    "training": _training,
}


@dataclasses.dataclass(frozen=True)
class Measure:
    """Measure everything in turn, several times; medians and spreads."""

    suites: tyro.conf.Positional[tuple[str, ...]] = tuple(_SUITES)
    """Which suites to run."""

    repeats: int = 7
    """Rounds."""

    json: Path = RESULTS / "figures.json"
    """Where to write the figures."""


def main() -> None:
    """Run the suites that the command line names."""
    options = tyro.cli(Measure, description=__doc__)
    machine = describe_machine()
    print(machine)
    found = {name: _SUITES[name](options.repeats) for name in options.suites}
    for name, goals in found.items():
        print_goals(name, goals)
    save(options.json, machine, found)
    print(f"\n{options.json}")


if __name__ == "__main__":
    main()
