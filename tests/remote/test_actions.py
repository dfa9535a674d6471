"""Actions as messages have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecbt
from tests.envs import MARKET
from vecbt.data.store import DataStore, TableRequest
from vecbt.errors import ActionError
from vecbt.kernels.layout import Autoreset
from vecbt.named_actions import NamedActions
from vecbt.plan import make_plan
from vecbt.remote.actions import _DISCRETE, ActionReader, _rows
from vecbt.spaces import ActionDictSpace

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
    rows = _rows(given, num_envs, assets, _DISCRETE)
    assert rows == [row if isinstance(row, list) else [row] for row in expected]


def test_weights_are_numbers() -> None:
    assert _rows({"EURUSD": 0.5}, 1, PAIR[:1], ()) == [[0.5]]
    with pytest.raises(ActionError, match="environment 0, asset 'EURUSD': expected a number, got 'buy'"):
        _rows("buy", 1, PAIR[:1], ())


ASSETS = ("EURUSD", "GBPUSD")


@pytest.mark.parametrize("num_envs", [1, 2])
@pytest.mark.parametrize(
    "actions",
    [
        ActionDictSpace(ASSETS, ("hold", "close", "buy")),
        ActionDictSpace((*ASSETS, "default_cash")),
    ],
    ids=["discrete", "continuous"],
)
def test_dictionaries_of_spaces(num_envs: int, actions: ActionDictSpace) -> None:
    table = DataStore(dict.fromkeys(ASSETS, MARKET)).table(TableRequest(("EURUSD.close",), None, 1, 1, 10, 1))
    plan = make_plan(vecbt.EnvConfig(actions=actions, features=("EURUSD.close",), window=1), table, Autoreset.DISABLED)
    reader = ActionReader(plan, num_envs)
    own: dict[str, Any] = (
        {"EURUSD": "buy", "GBPUSD": 1} if actions.is_discrete else {"default_cash": 0.25, "GBPUSD": 0.75, "EURUSD": 0}
    )
    batch = reader.read([own] * num_envs if num_envs > 1 else own)
    expected = {name: {"buy": 2}.get(value, value) for name, value in own.items()}
    assert {name: column.reshape(-1).tolist() for name, column in batch.items()} == {
        name: [value] * num_envs for name, value in expected.items()
    }
    assert reader.read(batch) is batch  # as step takes them
    NamedActions(actions, ASSETS).take(batch, np.zeros((num_envs, 2)))


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
        _rows(given, num_envs, assets, _DISCRETE)
