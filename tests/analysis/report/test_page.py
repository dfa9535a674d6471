from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis.report.runs import make_run
from vecbt.analysis import fills_of, measure, write_report
from vecbt.errors import MissingExtraError


def content(page: Path) -> dict[str, Any]:
    text = page.read_text("utf-8")
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    held: dict[str, Any] = json.loads(found[1])
    return held


def column(text: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.frombuffer(base64.b64decode(text), "<f8")


def test_the_page_holds_what_was_recorded(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", folds=2)
    page = write_report(run)
    assert page == tmp_path / "run" / "report.html"
    held = content(page)
    assert [list(fold["test"]["agents"]) for fold in held["folds"]] == [["policy", "buy and hold", "random"]] * 2
    recording = run.recording(4)
    test = held["folds"][1]["test"]
    agent = test["agents"]["policy"]
    assert (column(agent["values"]) == recording.values).all()
    assert (column(test["ohlc"][0][2]) == recording.ohlc[:, 0, 2]).all()
    assert column(agent["fills"]["price"]).tolist() == [fill.price for fill in fills_of(recording)]
    assert agent["statistics"]["total_return"] == measure(recording).total_return
    both = [measure(run.recording(number)).total_return for number in (6, 7)]
    assert test["agents"]["random"]["statistics"]["total_return"] == sum(both) / 2
    assert held["folds"][0]["curves"]["rollout/step_reward"] == [None, 0.5, 0.75]


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert (
        write_report(run, tmp_path / "a" / "1.html").read_bytes() == write_report(run, tmp_path / "2.html").read_bytes()
    )


def test_it_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    text = write_report(make_run(tmp_path / "run")).read_text("utf-8")
    text = re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)  # plotly itself
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", text)
    assert "<!-- " not in text


def test_names_cannot_become_a_part_of_the_page(tmp_path: Path) -> None:
    page = write_report(make_run(tmp_path / "run", name="</script><script>alert(1)</script><!--"))
    assert "<script>alert" not in page.read_text("utf-8")
    assert content(page)["facts"]["data"]["name"] == "</script><script>alert(1)</script><!--"


def test_a_fold_that_has_not_been_tested(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.facts["folds"].append({"test": [160, 200], "steps": 0})
    assert content(write_report(run))["folds"][1]["test"] is None


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingExtraError, match=r"vecbt\[report\]"):
        write_report(run)
