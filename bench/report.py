"""``python -m bench.report``: write the measured figures into the README."""

from __future__ import annotations

import re
from pathlib import Path

from bench.goals import HEADER, RESULTS, Goal, load
from bench.lockstep import IDEAL
from vecbt.testing.compiled import PLAIN, of_size

__all__ = ["render", "render_table"]

README = Path(__file__).parents[1] / "README.md"
_LARGE = of_size(4096)
_TITLES = {
    "compiled": "The compiled engine, 50,000 bars if nothing else is said, orders on 1/3 of them, at most 2 threads:",
    "cerebro": "The Cerebro engine, 64 environments in 2 worker processes:",
    "lockstep": "`SharedMemoryVectorEnv` beside other vectors, observations float32 (30, 5): the share of what two "
    "processors could do at best, then what has a goal:",
    "sampling": "Drawing trials and episodes of 50,000 stored bars, trials of two days:",
    "sharing": "Two batches on one data server, orders on 1/3 of the bars, 2 worker processes or threads in all:",
    "startup": "Starting, and the Cerebro engine's resets and memory:",
    "spaces": "`vecbt.spaces.ActionDictSpace`:",
    "training": "Learning by PPO, networks of 64 x 64, updates of 16,384 steps in minibatches of 4,096, 4 epochs; "
    "windows of 30 x 2 numbers, costs, one thread of PyTorch:",
}


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
    """What each engine does, as far as it has been measured."""
    found = {goal.name: goal.figure.median for goal in goals}
    parts = []
    if _LARGE in found:
        parts.append(
            f"**{found[_LARGE]:,.0f} env-steps/s** of Backtrader's broker, equal to the last bit: the compiled engine, "
            f"4,096 environments, orders on a third of\n> the bars, {found[f'{_LARGE} over {PLAIN}']:,.0f} times stock "
            f"Backtrader."
        )
    if "vecbt, orders on 1/3 of the bars" in found:
        rate, plain, asynchronous = (
            found[f"vecbt{over}, orders on 1/3 of the bars"]
            for over in ("", " over plain Backtrader in 2 processes", " over AsyncVectorEnv")
        )
        parts.append(
            f"**{rate:,.0f} env-steps/s** of real Backtrader, 64 environments in 2 worker processes with orders on a "
            f"third of the bars:\n> {plain:.1f} times stock Backtrader in 2 processes, {asynchronous:.0f} times the "
            f"same environment under Gymnasium's `AsyncVectorEnv`."
        )
    parts.append(f"{machine}. [All figures](#how-fast), the losing ones too.")
    return "\n>\n".join(f"> {part}" for part in parts) + "\n"


def _tables(machine: str, suites: dict[str, list[Goal]]) -> str:
    tables = [
        f"{_TITLES[name]}\n\n{_lockstep(goals) if name == 'lockstep' else render_table(goals)}"
        for name, goals in suites.items()
    ]
    return f"{machine}.\n\n" + "\n".join(tables)


def _lockstep(goals: list[Goal]) -> str:
    """Every vector's share of the ideal, environments by vectors, and the figures that have a goal."""
    shares: dict[str, dict[str, Goal]] = {}
    for goal in goals:
        vector, found, label = goal.name.partition(IDEAL)
        if found:
            shares.setdefault(label, {})[vector] = goal
    vectors = list(next(iter(shares.values())))
    lines = ["|  | " + " | ".join(vectors) + " |", "|:---|" + "---:|" * len(vectors)]
    lines += [
        f"| {label} | " + " | ".join(f"{row[vector].figure.median:.3g}" for vector in vectors) + " |"
        for label, row in shares.items()
    ]
    return "\n".join(lines) + "\n\n" + render_table([goal for goal in goals if goal.bound is not None])


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
