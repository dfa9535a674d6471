"""Actions as messages have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vecbt.errors import ActionError
from vecbt.remote.actions import as_batch

PAIR = ["EURUSD", "GBPUSD"]


@pytest.mark.parametrize(
    ("given", "num_envs", "assets", "expected"),
    [
        ("sell", 1, PAIR[:1], [2]),
        (3, 1, PAIR[:1], [3]),
        (["close"], 1, PAIR[:1], [3]),
        ({"EURUSD": "buy"}, 1, PAIR[:1], [1]),
        ([{"EURUSD": 1}, "hold", 2, np.int64(3)], 4, PAIR[:1], [1, 0, 2, 3]),
        ({"GBPUSD": "buy", "EURUSD": "close"}, 1, PAIR, [[3, 1]]),
        ([["buy", 2]], 1, PAIR, [[1, 2]]),
        ([["buy", 2], {"GBPUSD": 3, "EURUSD": 0}], 2, PAIR, [[1, 2], [0, 3]]),
    ],
)
def test_every_way_to_say_it(given: Any, num_envs: int, assets: list[str], expected: list[Any]) -> None:
    batch = as_batch(given, num_envs, assets, named=True)
    assert batch.tolist() == expected
    assert batch.dtype.kind == "i"


def test_weights_are_numbers() -> None:
    assert as_batch({"EURUSD": 0.5}, 1, PAIR[:1], named=False).tolist() == [0.5]
    with pytest.raises(ActionError, match="environment 0, asset 'EURUSD': expected a number, got 'buy'"):
        as_batch("buy", 1, PAIR[:1], named=False)


def test_arrays_are_the_environments_own_business() -> None:
    given = np.zeros((5, 5))
    assert as_batch(given, 2, PAIR, named=True) is given


@pytest.mark.parametrize(
    ("given", "num_envs", "assets", "words"),
    [
        ("byu", 1, PAIR[:1], "environment 0, asset 'EURUSD': expected one of hold, buy, sell, close, or a number"),
        (True, 1, PAIR[:1], "got True"),
        (None, 1, PAIR[:1], "got None"),
        ([None], 1, PAIR[:1], "got None"),
        ("buy", 2, PAIR[:1], "a list of 2 actions, one for each environment, got 'buy'"),
        (["buy"], 2, PAIR[:1], "a list of 2 actions"),
        (["buy", "buy"], 1, PAIR[:1], "expected an action for each of 1 assets"),
        (["buy", {}], 2, PAIR[:1], "environment 1: there is no action for the asset 'EURUSD'"),
        ({"EURUDS": 1}, 1, PAIR, "environment 0: unknown asset 'EURUDS': did you mean 'EURUSD'"),
        ({"EURUSD": 1}, 1, PAIR, "no action for the asset 'GBPUSD'"),
        ({"EURUSD": [1], "GBPUSD": 1}, 1, PAIR, r"got \[1\]"),
        ("buy", 1, PAIR, "for each of 2 assets"),
    ],
)
def test_what_is_no_action(given: Any, num_envs: int, assets: list[str], words: str) -> None:
    with pytest.raises(ActionError, match=words):
        as_batch(given, num_envs, assets, named=True)
