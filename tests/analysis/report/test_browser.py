"""The page in a browser: `pip install ".[browser]"`, Chromium on the path, `python -m pytest -m browser`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.report.runs import make_run
from vecbt.analysis import fills_of, trades_of, write_report
from vecbt.runs import Run

pytestmark = pytest.mark.browser
CHART = """(id) => document.getElementById(id).data.map(
    (trace) => ({...trace, x: [...(trace.x ?? [])], y: [...(trace.y ?? [])]})
)"""

DRAWN = """(id) => [...document.querySelectorAll(`#${id} .cartesianlayer .trace path`)].some(
    (path) => path.getBoundingClientRect().width > 1
)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    own = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=own, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page without a network, on which nothing may go wrong."""
    context = browser.new_context(offline=True, viewport={"width": 1300, "height": 1000})
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []


def show(page: Any, path: Path) -> None:
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("body[data-drawn=true]", timeout=60_000)


def fills_shown(page: Any) -> list[tuple[float, float, str]]:
    traces = [trace for trace in page.evaluate(CHART, "market") if trace["name"] in ("buy", "sell")]
    return sorted((x, y, trace["name"]) for trace in traces for x, y in zip(trace["x"], trace["y"], strict=True))


def expected(run: Run, number: int, asset: int = 0) -> list[tuple[float, float, str]]:
    fills = [fill for fill in fills_of(run.recording(number)) if fill.asset == asset]
    return sorted((float(fill.bar), fill.price, "buy" if fill.size > 0 else "sell") for fill in fills)


def test_charts_are_drawn_and_fills_are_where_the_trades_are(page: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    show(page, write_report(run))
    market = page.evaluate(CHART, "market")
    assert len(market[0]["x"]) == len(run.recording(0).ohlc)
    assert fills_shown(page) == expected(run, 0)
    assert {trace["name"] for trace in market} >= {"policy", "buy and hold", "random", "position", "drawdown", "reward"}
    for chart in ("market", "actions", "profits", "learning"):
        # Something with a size is to be seen.
        page.wait_for_function(DRAWN, arg=chart, timeout=20_000)
    assert page.locator("#trades tbody tr").count() == len(trades_of(run.recording(0)))
    assert page.locator("#statistics tbody tr").count() == 14
    assert "seed 3" in page.locator("#about").inner_text()


def test_another_agent_can_be_chosen(page: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    show(page, write_report(run))
    page.select_option("#agent", label="random")
    assert fills_shown(page) == expected(run, 2)


def test_assets_and_folds_can_be_chosen(page: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", folds=2, assets=2)
    show(page, write_report(run))
    page.select_option("#asset", label="B")
    assert fills_shown(page) == expected(run, 0, asset=1)
    page.locator("#folds tbody tr").nth(1).click()
    assert fills_shown(page) == expected(run, 4, asset=1)
    assert page.locator("#test-title").inner_text() == "Test of fold 1"


def test_many_bars_are_gathered_until_one_looks_closer(page: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", steps=700)
    show(page, write_report(run))
    whole = page.evaluate(CHART, "market")
    recording = run.recording(0)
    assert len(whole[0]["x"]) <= 500 < len(recording.ohlc)
    assert max(whole[0]["high"]) == recording.ohlc[:, 0, 1].max()
    assert min(whole[0]["low"]) == recording.ohlc[:, 0, 2].min()
    page.evaluate("() => Plotly.relayout('market', {'xaxis.range[0]': 100, 'xaxis.range[1]': 200})")
    page.wait_for_function("() => document.getElementById('zoom-note').textContent.startsWith('every bar')")
    near = page.evaluate(CHART, "market")[0]
    assert near["x"][0] == 100
    assert near["open"] == recording.ohlc[100:201, 0, 0].tolist()


def test_a_trade_can_be_looked_at(page: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", steps=700)
    show(page, write_report(run))
    trade = trades_of(run.recording(0))[3]
    page.locator("#trades tbody tr").nth(3).click()
    left, right = page.evaluate("() => document.getElementById('market').layout.xaxis.range")
    assert left < trade.entry_bar <= trade.exit_bar < right
