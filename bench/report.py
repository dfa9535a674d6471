"""``python -m bench.report``: write the measured figures into the README."""

from __future__ import annotations

import re
from pathlib import Path

from bench.goals import HEADER, RESULTS, Goal, load

__all__ = ["render", "render_table"]

README = Path(__file__).parents[1] / "README.md"
_HEADLINE = "vecbt over plain Backtrader in 2 processes, orders on 1/3 of the bars"


def render(readme: str, results: Path = RESULTS / "figures.json") -> str:
    """The README with the figures of a JSON file in its marked places."""
    machine, suites = load(results)
    goals = [goal for suite in suites.values() for goal in suite]
    blocks = {"headline": _headline(machine, goals), "table": _tables(machine, suites)}
    for name, text in blocks.items():
        places = re.findall(rf"<!-- figures: {name} -->\n.*?<!-- end -->", readme, re.DOTALL)
        if len(places) != 1:
            raise ValueError(f"the README has {len(places)} places for {name!r}, expected 1")
        readme = readme.replace(places[0], f"<!-- figures: {name} -->\n{text}<!-- end -->")
    return readme


def _headline(machine: str, goals: list[Goal]) -> str:
    by_name = {goal.name: goal.figure for goal in goals}
    rate = by_name["vecbt, orders on 1/3 of the bars"].median
    ratio = by_name[_HEADLINE].median
    asynchronous = by_name["vecbt over AsyncVectorEnv, orders on 1/3 of the bars"].median
    return (
        f"> **{rate:,.0f} env-steps/s** of real Backtrader, 64 environments in 2 worker processes with orders on a "
        f"third of the bars:\n> {ratio:.1f} times stock Backtrader in 2 processes, {asynchronous:.0f} times the same "
        f"environment under Gymnasium's `AsyncVectorEnv`.\n>\n> {machine}. "
        f"[All figures](#how-fast), the losing ones too.\n"
    )


def _tables(machine: str, suites: dict[str, list[Goal]]) -> str:
    return f"{machine}.\n\n" + "\n".join(render_table(goals) for goals in suites.values())


def render_table(goals: list[Goal]) -> str:
    """Figures and goals as a table in Markdown."""
    lines = ["| " + " | ".join(HEADER) + " |", "|:---|---:|---:|---:|---:|:---|"]
    lines += ["| " + " | ".join(goal.cells) + " |" for goal in goals]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the README."""
    README.write_text(render(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(README.name)


if __name__ == "__main__":
    main()
