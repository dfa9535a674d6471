"""Every example that the documentation shows, run as it stands."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.modules import importable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [name for name in importable() if name != "vecbt.shm.preload"]
PAGES = {
    str(page.relative_to(ROOT)): re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
"""The examples of every page, in the order in which they stand."""

_NEEDS = {"stable_baselines3": "stable_baselines3", "vecbt.training": "tensorboard"}
OPTIONAL = [name for name, library in _NEEDS.items() if find_spec(library) is None]
"""Libraries that are not installed here: examples of their use are left out."""

RUN = """
import runpy, sys
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="__main__")
"""
"""Runs scripts one after the other, each with names of its own: starting Python takes longer than most of them."""


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failures == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(tests) > 20
    assert sum(map(len, PAGES.values())) > 20


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything is compiled, so that no example says that it has to wait.

    In a process that is started as the examples are: an installed package has a cache of its own.
    """
    command = [sys.executable, "-c", "from vecbt.warmup import warm_up; warm_up()"]
    subprocess.run(command, check=True, cwd=tmp_path_factory.mktemp("warm"), capture_output=True)


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", [name for name, blocks in PAGES.items() if blocks])
def test_pages(name: str, tmp_path: Path) -> None:
    blocks = [block for block in PAGES[name] if not any(library in block for library in OPTIONAL)]
    scripts = [tmp_path / f"example{number}.py" for number in range(len(blocks))]
    for script, block in zip(scripts, blocks, strict=True):
        script.write_text(block, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", RUN, *scripts]
    # Threads of a learner that wait for each other on a busy machine take long.
    path = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path, env=path, check=False)
    assert run.returncode == 0, run.stderr
    assert not run.stderr


def test_the_readme_shows_the_measured_figures() -> None:
    from bench.report import render

    assert render(README) == README
