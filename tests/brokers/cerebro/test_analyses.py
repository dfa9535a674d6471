from __future__ import annotations

import collections
import datetime
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import numpy as np

from vecbt.brokers.cerebro.analyses import analyses_of, as_plain


class Odd:
    def __repr__(self) -> str:
        return "Odd()"


def test_plain_data() -> None:
    day = datetime.datetime(2020, 1, 2, 3)
    given = collections.OrderedDict(
        {
            day: [np.float64(0.5), np.nan is None],
            (np.int64(1), "b"): {"x": (1, {2})},
            "array": np.arange(4.0).reshape(2, 2),
            "odd": [Odd(), None, True, np.bool_(False), datetime.timedelta(3)],
        }
    )
    plain = as_plain(given)
    assert plain == {
        day: [0.5, False],
        (1, "b"): {"x": [1, [2]]},
        "array": [[0.0, 1.0], [2.0, 3.0]],
        "odd": ["Odd()", None, True, False, datetime.timedelta(3)],
    }
    assert type(plain) is dict
    assert [type(key) for key in list(plain)[1]] == [int, str]
    assert [type(part) for part in plain[day]] == [float, bool]


def test_names_that_are_taken_are_numbered() -> None:
    def analyzer(result: int) -> Any:
        return SimpleNamespace(get_analysis=lambda: result)

    collection = bt.metabase.ItemCollection()
    for result, name in enumerate(("a", "b", "a", "a")):
        collection.append(analyzer(result), name)
    assert analyses_of(SimpleNamespace(analyzers=collection)) == {"a": 0, "b": 1, "a_2": 2, "a_3": 3}
