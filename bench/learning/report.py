"""The page on learning, with the results as they have been measured."""

from __future__ import annotations

import re
from pathlib import Path

from bench.goals import RESULTS
from bench.learning.measure import load
from bench.learning.verdicts import SINE, WALK

__all__ = ["PAGE", "render"]

PAGE = Path(__file__).parents[2] / "docs" / "learning.md"


def render(page: str, results: Path = RESULTS) -> str:
    """The page with the tables of the results in its marked places.

    Raises:
        ValueError: If it does not have exactly one place for each.
    """
    for name, goal in (("sine", SINE), ("walk", WALK)):
        places = re.findall(rf"<!-- results: {name} -->\n.*?<!-- end -->", page, re.DOTALL)
        if len(places) != 1:
            raise ValueError(f"the page has {len(places)} places for {name!r}, expected 1")
        lines = ["| " + " | ".join(goal.header) + " |", "|:---|" + "---:|" * (len(goal.header) - 2) + ":---|"]
        lines += ["| " + " | ".join(row) + " |" for row in goal.table(load(results / f"learning-{name}.json"))]
        text = "\n".join([f"<!-- results: {name} -->", "", *lines, "", "<!-- end -->"])
        page = page.replace(places[0], text)
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE.name)


if __name__ == "__main__":
    main()
