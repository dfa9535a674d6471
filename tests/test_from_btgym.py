"""The page for those who come from BTGym: what it names exists, and each row has a test."""

from __future__ import annotations

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/from-btgym.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "---" not in line
]
HEADER = ["BTGym", "vecbt", "what is different", "test"]
ROWS = [row for row in ROWS if row != HEADER]

# What BTGym's reference lists, class by class.
SEED = re.findall(
    r"\w+",
    """
BTgymDataFeedServer dataset network_address log_level task get_data run
_reset_data _get_data _get_info _get_global_time _set_broadcast_message _get_broadcast_message
BTgymServer cerebro render data_network_address connect_timeout
get_trial get_trial_message get_global_time get_broadcast_message
_reset _getstat _render _stop _done buy sell hold close
DictSpace ActionDictSpace assets base_actions get_initial_action encode decode one_hot_encode one_hot_decode
""",
)


@functools.cache
def _tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: re.sub(r"\W+", "-", row[0]).strip("-")[:60])
def test_a_row_points_to_what_there_is(row: list[str]) -> None:
    assert len(row) == len(HEADER)
    tests = re.findall(r"`(tests/[\w/]+\.py)::(?:Test\w+::)?(test_\w+)`", row[3])
    assert tests, "no test is named"
    for path, name in tests:
        assert name in _tests(path), f"{path} has no {name}"
    for name in re.findall(r"`(vecbt(?:\.\w+)+)", row[1]):
        _resolve(name)


def _resolve(name: str) -> None:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return


@pytest.mark.parametrize("name", SEED)
def test_nothing_is_forgotten(name: str) -> None:
    assert any(re.search(rf"\b{name}\b", row[0]) for row in ROWS)
