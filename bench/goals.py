"""Figures beside the goals that the project has set itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vecbt.cli.tables import print_table
from vecbt.testing import Figure

__all__ = ["RESULTS", "Goal", "load", "print_goals", "save"]

RESULTS = Path(__file__).parent / "results"
"""Where the figures are kept that the README shows."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """A figure, and what it should be.

    Attributes:
        name: What is measured.
        figure: The measurements.
        unit: Their unit; empty for ratios.
        bound: The goal; None where there is none.
        sense: Whether more is better, or less.
    """

    name: str
    figure: Figure
    unit: str = ""
    bound: float | None = None
    sense: Literal["at least", "at most"] = "at least"

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        if self.bound is None:
            return True
        return self.figure.median >= self.bound if self.sense == "at least" else self.figure.median <= self.bound

    @property
    def cells(self) -> tuple[str, ...]:
        """Name, median, lowest, highest, goal and verdict as text."""
        unit = f" {self.unit}" if self.unit else ""
        goal = "" if self.bound is None else f"{self.sense} {_text(self.bound)}{unit}"
        verdict = "" if self.bound is None else "met" if self.met else "MISSED"
        figure = self.figure
        return (self.name, _text(figure.median) + unit, _text(figure.low), _text(figure.high), goal, verdict)


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


HEADER = ("", "median", "lowest", "highest", "goal", "")


def print_goals(title: str, goals: Iterable[Goal]) -> None:
    """Print figures and goals as a table."""
    print(f"\n{title}")
    print_table(HEADER, [goal.cells for goal in goals])


def save(path: Path, machine: str, suites: Mapping[str, Sequence[Goal]]) -> None:
    """Write figures to a JSON file."""
    data = {
        "machine": machine,
        "suites": {
            suite: [{**dataclasses.asdict(goal), "figure": goal.figure.values} for goal in goals]
            for suite, goals in suites.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> tuple[str, dict[str, list[Goal]]]:
    """Read what `save` has written: the machine, and the figures by suite."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    suites = {
        suite: [Goal(**{**goal, "figure": Figure(goal["figure"])}) for goal in goals]
        for suite, goals in data["suites"].items()
    }
    return data["machine"], suites
