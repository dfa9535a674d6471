"""The page on reliability has a row for every case, with figures for every start method."""

from __future__ import annotations

import re

from tests.faults.cases import CASES, METHODS, POLICIES, Case
from tests.faults.scenario import Outcome
from tests.faults.table import PAGE, key, page

FIGURES = re.compile(r"\d+\.\d\d, (-|\d+\.\d\d), \d+\.\d\d")


def test_every_case_has_its_place() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows: dict[tuple[str, ...], list[str]] = {}
    policy = ""
    for line in text.splitlines():
        if line.startswith("### "):
            policy = line.split('"')[1]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and policy and cells[0] != "when" and cells[0] != ":---":
            assert (policy, *cells[:2]) not in rows
            rows[policy, *cells[:2]] = cells[2:]
    assert set(rows) == {(case.policy, *key(case)) for case in CASES}
    for seen, *figures in rows.values():
        assert seen
        assert len(figures) == len(METHODS)
        assert all(map(FIGURES.fullmatch, figures))


def test_the_rest_of_the_page_is_what_would_be_written() -> None:
    def without_rows(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("| ")]

    outcomes: dict[Case, Outcome] = {case: Outcome("nothing", 0.0, None, 0.0) for case in CASES}
    assert without_rows(page(outcomes)) == without_rows(PAGE.read_text(encoding="utf-8"))
    assert len(POLICIES) == page(outcomes).count("### ")
