"""What the figures of the compiled engine are taken with, once and untimed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import compiled, compiled_costs, sharing, spaces
from bench.goals import Goal, save
from bench.report import render
from vecbt.data import Bars
from vecbt.testing import Figure
from vecbt.testing.compiled import PLAIN, of_size


def test_shares_and_threads(market: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_STEPS", 12)
    monkeypatch.setattr(compiled, "_SPLIT", (2, 128))
    goals = [*compiled._python_share(market, 1), *compiled._threads(market, 1), *compiled._against_copying(market, 1)]
    assert all(goal.figure.low > 0.0 for goal in goals)
    assert [goal.bound for goal in goals if "threads" in goal.name] == [None, 1.0]


def test_memory_counts_the_arrays() -> None:
    per_environment = (compiled_costs._allocated(512) - compiled_costs._allocated(256)) / 256
    assert 100.0 < per_environment < 10_000.0


def test_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_CALLS", 2)
    goals = spaces.measure(1)
    assert all(goal.figure.low > 0.0 for goal in goals)
    assert [goal.bound for goal in goals] == [10.0, 10.0, None, None]


def test_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_SIZES", {"compiled": 128, "cerebro": 4})
    monkeypatch.setattr(sharing, "_SECONDS", 0.05)
    goals = sharing.measure(1)
    assert all(goal.figure.low > 0.0 for goal in goals)
    assert [goal.bound for goal in goals] == 2 * [0.9, None, None, None, None]


def test_report_of_some_suites(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    name = of_size(4096)
    goals = [Goal(name, Figure([2e7]), "per second", 1e7), Goal(f"{name} over {PLAIN}", Figure([2e3]))]
    save(path, "a machine", {"compiled": goals})
    blank = "<!-- figures: {} -->\n<!-- end -->\n"
    text = render(blank.format("headline") + blank.format("table"), path)
    assert "**20,000,000 env-steps/s**" in text
    assert "2,000 times stock" in text
    assert f"| {name} | 20,000,000 per second |" in text
