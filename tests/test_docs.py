"""Every example that the documentation shows, run as it stands."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.modules import importable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [name for name in importable() if name != "vecbt.shm.preload"]
BLOCKS = {
    f"{page.stem} {number}": block
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
}
"""The examples of every page, in the order in which they stand."""


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failures == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(tests) > 20
    assert len(BLOCKS) >= 4


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything is compiled, so that no example says that it has to wait.

    In a process that is started as the examples are: an installed package has a cache of its own.
    """
    command = [sys.executable, "-c", "from vecbt.warmup import warm_up; warm_up()"]
    subprocess.run(command, check=True, cwd=tmp_path_factory.mktemp("warm"), capture_output=True)


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", BLOCKS)
def test_pages(name: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(BLOCKS[name], encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr


def test_the_readme_shows_the_measured_figures() -> None:
    from bench.report import render

    assert render(README) == README
