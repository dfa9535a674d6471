"""One expression of the compiled broker computed in another order is found by the random cases.

`tests.brokers.compiled.test_mutants` tries every change, in plain Python. These few are compiled and go through the
whole engine, so as to see that nothing between the two is lost.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vecbt

CASES = 40
TESTS = Path(__file__).resolve().parents[2]

SCRIPT = f"""
import vecbt
from tests.differential.cases import numbered
from tests.differential.compare import compare_with_stock, drive

print(vecbt.__file__)
bars = 0
for number in range({CASES}):
    case = numbered(number)
    result = compare_with_stock(case, drive(case, "compiled"), "compiled")
    bars += result.bars
    if result.difference:
        print("difference in", result.difference.field)
        break
else:
    print("no difference in", bars, "bars")
"""

# What is written in the module, and what could as well be there if numbers were not rounded.
MUTATIONS = {
    "commission": ("money", "cost = cost * price", "cost = abs(size) * price * scheme[Scheme.RATE]"),
    "slippage": ("broker", "(price * (1.0 + perc) if", "(price + price * perc if"),
    "value": (
        "broker",
        "value -= gain\n            capital += value / scheme[Scheme.LEVERAGE]\n            capital += gain",
        "capital += (value + gain * (scheme[Scheme.LEVERAGE] - 1.0)) / scheme[Scheme.LEVERAGE]",
    ),
}


def run_copy(folder: Path, module: str = "", old: str = "", new: str = "") -> str:
    """Run the cases with a copy of the package; returns what was found.

    Args:
        folder: Where the copy is to be.
        module: Module of the compiled broker that is to be another one.
        old: What is replaced in it.
        new: By what.
    """
    package = folder / "vecbt"
    shutil.copytree(Path(vecbt.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    if module:
        path = package / "brokers" / "compiled" / f"{module}.py"
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1
        path.write_text(source.replace(old, new), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(TESTS)]),
        "NUMBA_CACHE_DIR": str(folder / "cache"),
    }
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    file, found = done.stdout.splitlines()
    assert Path(file).is_relative_to(folder.resolve())
    return found


@pytest.mark.slow
def test_the_copy_itself_is_equal(tmp_path: Path) -> None:
    assert run_copy(tmp_path).startswith("no difference")


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_another_order_of_operations_is_found(name: str, tmp_path: Path) -> None:
    assert run_copy(tmp_path, *MUTATIONS[name]).startswith("difference in ")
