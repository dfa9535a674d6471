"""Every example runs as it stands, in a folder that it does not know, and says something."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {"ppo": "torch"}
ARGUMENTS = {"ppo": ["--steps", "3000", "--rollout", "1000", "--num-envs", "16"]}  # which would learn for longer
HEADING = "==== "


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


@pytest.fixture(scope="module")
def printed(warm: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each example prints, one after the other in one process: starting Python takes longer than most of them."""
    code = f"""
import runpy, sys
for path in sys.argv[1:]:
    print({HEADING!r} + path, flush=True)
    runpy.run_path(path, run_name="__main__")
"""
    by_itself = [path for path in EXAMPLES if "sys.argv" in path.read_text(encoding="utf-8")]  # starts itself again
    by_itself = [path for path in by_itself if path.stem not in NEEDS or find_spec(NEEDS[path.stem])]
    groups = [[path] for path in by_itself] + [[path for path in EXAMPLES if path not in by_itself]]
    found = {}
    for group in groups:
        run = subprocess.run(
            [
                *(sys.executable, "-W", "error"),
                *(["-c", code, *group] if len(group) > 1 else [group[0], *ARGUMENTS.get(group[0].stem, [])]),
            ],
            capture_output=True,
            text=True,
            timeout=240,
            cwd=tmp_path_factory.mktemp("examples"),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert not run.stderr
        parts = [part.partition("\n") for part in run.stdout.split(HEADING)[1:]]
        found |= {Path(path).stem: text for path, _, text in parts} if parts else {group[0].stem: run.stdout}
    return found


@pytest.mark.parametrize(
    "example", [path for path in EXAMPLES if find_spec(NEEDS.get(path.stem, "vecbt"))], ids=lambda path: path.stem
)
def test_an_example_runs(example: Path, printed: dict[str, str]) -> None:
    assert printed[example.stem].strip()
