"""The arrays of the compiled broker, and orders that wait for ever in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.envs import make, rollout
from vecbt.brokers.compiled.book import Book, Held, Queue, Rule, Scheme, Slot
from vecbt.config import Commission, EnvConfig, Slippage
from vecbt.data.bars import Bars

MINUTE = 60_000_000_000


def narrow_market(wide: int) -> Bars:
    """Bars too narrow for an order that slips by half a point, but for every ``wide``-th."""
    count = 200
    random = np.random.default_rng(2)
    close = 100.0 + np.cumsum(random.normal(0.0, 0.05, count))
    open_ = np.concatenate([close[:1], close[:-1]])
    reach = np.where(np.arange(count) % wide == 0, 2.0, 0.1)
    high, low = np.maximum(open_, close) + reach, np.minimum(open_, close) - reach
    return Bars.from_arrays((np.arange(count) + 1) * MINUTE, open_, high, low, close, np.ones(count))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"skip_frame": 3, "latency": 1},
        {"checksubmit": False, "start_cash": 1_000.0},
        {"close_out": True, "cheat_on_close": True},
        {"actions": "target_position", "positions": (-1.0, 0.4, 2.0)},
    ],
    ids=["plain", "frames", "no check", "closed out", "positions"],
)
def test_as_many_orders_wait_as_there_are(settings: dict[str, Any]) -> None:
    common = {
        "data": narrow_market(wide=60),
        "window": 2,
        "slippage": Slippage(fixed=0.5, match=False),
        "order_size": 1,
        "episode_steps": 130 // settings.get("skip_frame", 1),
        **settings,
    }
    batches = [make(3, engine=engine, **common) for engine in ("cerebro", "compiled")]
    expected, got = (rollout(envs, 150) for envs in batches)
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        assert one == other, f"call {number}"
    runner: Any = batches[1]._batch.runner
    assert runner._book._arrays["orders"].shape[1] > 24
    for envs in batches:
        envs.close()


def test_growing_keeps_what_waits() -> None:
    book = Book(EnvConfig(), 3, ("A",), 2)
    orders, address = book._arrays["orders"], book.address
    room = orders.shape[1]
    orders[:] = np.arange(orders.size).reshape(orders.shape)
    book.make_room(room - 2)
    assert book.address == address
    assert book._arrays["orders"] is orders
    book.make_room(room - 1)
    grown = book._arrays["orders"]
    assert book.address != address
    assert grown.shape == (3, 2 * room, len(Slot))
    assert (grown[:, :room] == orders).all()
    assert not grown[:, room:].any()


def test_settings() -> None:
    config = EnvConfig(
        shortcash=False,
        cheat_on_close=True,
        slippage=Slippage(perc=0.01, match=False, out=True),
        commission=Commission(rate=0.3, per_unit=True, margin=70.0, mult=5.0),
        leverage=3.0,
        lot=0.1,
        max_exposure=2.0,
    )
    book = Book(config, 2, ("A",), 2)
    rules = dict(zip(Rule, book._arrays["rules"].tolist(), strict=True))
    assert rules == {
        Rule.SHORTCASH: 0.0,
        Rule.CHECKSUBMIT: 1.0,
        Rule.CHEAT_ON_CLOSE: 1.0,
        Rule.SLIP_PERC: 0.01,
        Rule.SLIP_FIXED: 0.0,
        Rule.SLIP_MATCH: 0.0,
        Rule.SLIP_OUT: 1.0,
        Rule.MAX_EXPOSURE: 2.0,
        Rule.LOT: 0.1,
    }
    scheme = dict(zip(Scheme, book._arrays["schemes"][0].tolist(), strict=True))
    assert scheme == {
        Scheme.RATE: 0.3,
        Scheme.PER_UNIT: 1.0,
        Scheme.STOCKLIKE: 0.0,
        Scheme.MULT: 5.0,
        Scheme.MARGIN: 70.0,
        Scheme.LEVERAGE: 3.0,
    }
    assert book._arrays["held"].shape == (2, 1, len(Held))
    assert book._arrays["counts"].shape == (2, len(Queue))


def test_one_scheme_is_for_all_assets_or_each_has_its_own() -> None:
    future = Commission(margin=50.0)
    rates = [
        Book(EnvConfig(commission=commission), 1, "ABC", 2)._arrays["schemes"][:, [Scheme.RATE, Scheme.MARGIN]].tolist()
        for commission in (0.01, (0.01, 0.02, future), {"C": future, "A": 0.01, "B": 0.02})
    ]
    assert rates == [[[0.01, 0.0]] * 3, *[[[0.01, 0.0], [0.02, 0.0], [0.0, 50.0]]] * 2]


def test_defaults_are_backtraders() -> None:
    arrays = Book(EnvConfig(slippage=Slippage(fixed=0.2, open=False)), 1, ("A",), 2)._arrays
    assert arrays["rules"][[Rule.SHORTCASH, Rule.CHECKSUBMIT, Rule.CHEAT_ON_CLOSE]].tolist() == [1.0, 1.0, 0.0]
    assert arrays["rules"][[Rule.SLIP_PERC, Rule.SLIP_FIXED]].tolist() == [0.0, 0.0]  # no order slips at the open
    assert arrays["rules"][Rule.MAX_EXPOSURE] == np.inf
    assert arrays["schemes"][0].tolist() == [0.0, 0.0, 1.0, 1.0, 0.0, 1.0]
