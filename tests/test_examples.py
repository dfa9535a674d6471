"""Every example runs as it stands, in a folder that it does not know, and says something."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything is compiled, so that no example says that it has to wait."""
    # The compiled engine's loop over several assets is not among what is compiled ahead.
    code = """
import vecbt
from vecbt.warmup import warm_up
warm_up()
bars = vecbt.data.synthetic_market(100)
envs = vecbt.make_vec({"A": bars, "B": bars}, engine="compiled", order_size=1.0, episode_steps=10)
envs.reset(seed=0)
envs.close()
"""
    command = [sys.executable, "-c", code]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=tmp_path_factory.mktemp("warm"), capture_output=True, env=path)


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows(example: Path) -> None:
    assert ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", example],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    assert run.stdout.strip()
