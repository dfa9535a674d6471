"""Orders straight into the compiled broker, any number of them on a bar, and the same orders in stock Backtrader.

The broker is run as numba compiles it, or as plain Python, in which a change of its source costs no compilation.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import types
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import backtrader as bt
import numpy as np

from tests.differential.brokers import SETTINGS, Setting, draw_setting
from tests.differential.choices import Seeded
from tests.differential.scripts import PRICES, make_prices, make_times
from tests.differential.stock import COLUMNS, Follow, ListFeed
from tests.kernels.batches import Arrays
from vecbt.brokers.compiled.book import Book, Held
from vecbt.brokers.compiled.broker import next_bar, open_book
from vecbt.brokers.compiled.intake import place
from vecbt.config import Commission, EnvConfig, Slippage
from vecbt.kernels import block as b
from vecbt.kernels._jit import kernel
from vecbt.kernels.block import Block
from vecbt.kernels.layout import Asset, Instruction, Row, row_width

__all__ = [
    "EDGES",
    "MODULES",
    "Orders",
    "draw_orders",
    "plain_broker",
    "run_compiled",
    "run_stock",
    "source_of",
    "written_down",
    "written_down_for",
]

MODULES = ("money", "trades", "entries", "intake", "broker")
"""Modules of `vecbt.brokers.compiled` that hold the broker's arithmetic; each uses only those before it."""

BUY, SELL, CLOSE, TARGET_SIZE, TARGET_PERCENT = (int(what) for what in Instruction if what)
NAMES = {int(what): what.name.lower() if what else "hold" for what in Instruction}


Round: TypeAlias = tuple[tuple[int, float], ...]
"""For each asset an `Instruction`, or 0 for none, and its amount."""


@dataclasses.dataclass(frozen=True)
class Orders:
    """Markets, a broker and what is ordered at the close of each bar.

    Attributes:
        setting: The broker.
        markets: Open, high, low, close and volume of each asset.
        by_bar: For each bar what is asked for, in turn.
    """

    setting: Setting
    markets: tuple[dict[str, np.ndarray], ...]
    by_bar: tuple[tuple[Round, ...], ...]

    @property
    def config(self) -> EnvConfig:
        # The data with which the arrays are made are not these: no size may be too large for them.
        return EnvConfig.of({**self.setting.config, "order_size": 1e-9})

    @property
    def prices(self) -> dict[str, np.ndarray]:
        """Of the first asset."""
        return self.markets[0]


def draw_orders(seed: int, bars: int = 50, assets: int = 1) -> Orders:
    """Orders at random; listed settings take turns with drawn ones."""
    choices = Seeded(seed)
    kind = choices.one(PRICES)
    markets = tuple(make_prices(kind, bars, seed + 1_000_003 * asset) for asset in range(assets))
    price = float(markets[0]["close"][0])
    setting = SETTINGS[seed // 2 % len(SETTINGS)] if seed % 2 else draw_setting(choices, price, assets)
    config = {"lot": choices.one((1.0, 1.0, 0.1, 0.001)), **setting.config}
    if choices.one((False, False, False, True)):
        config["max_exposure"] = choices.one((0.5, 1.0, 2.0))
    cash = price * choices.one((20.0, 4.0, 1_000.0))
    if seed % 2 == 0 or kind in ("pennies", "millions"):
        config["start_cash"] = cash
    cash = config.get("start_cash", 10_000.0)
    whole = cash / price > 10.0 and choices.one((False, True))
    random = np.random.default_rng(seed)

    def size() -> float:
        units = cash / price * float(random.choice([0.1, 0.3, 0.9, 1.5])) * (1.0 + random.random())
        return float(int(units) or 1) if whole else units

    def order() -> tuple[int, float]:
        if assets > 1 and random.random() < 0.4:
            return 0, 0.0
        what = int(random.choice([BUY, SELL, CLOSE, TARGET_SIZE, TARGET_PERCENT]))
        if what == TARGET_SIZE:
            return what, float(random.choice([-1.0, 0.0, 1.0, 1.0])) * size()
        if what == TARGET_PERCENT:
            return what, float(random.choice([0.0, 1.0, -1.0, 0.97, random.uniform(-1.5, 1.5)]))
        return what, 0.0 if what == CLOSE else size()

    counts = random.choice([0, 1, 2, 3], bars, p=[0.4, 0.35, 0.15, 0.1])
    by_bar = tuple(tuple(tuple(order() for _ in range(assets)) for _ in range(count)) for count in counts)
    return Orders(Setting(f"{seed}", config), markets, by_bar)


def written_down(config: dict[str, Any], closes: list[float], *by_bar: list[tuple[int, float]]) -> Orders:
    """Orders by hand, in a market that opens where it closes, half a point below its high and above its low."""
    return written_down_for(config, [closes], *([(order,) for order in orders] for orders in by_bar))


def written_down_for(config: dict[str, Any], closes: list[list[float]], *by_bar: list[Round]) -> Orders:
    """The same of several assets."""
    markets = []
    for prices in closes:
        close = np.array(prices)
        volume = np.ones(len(close))
        markets.append({"open": close, "high": close + 0.5, "low": close - 0.5, "close": close, "volume": volume})
    by_bar = (*by_bar, *((),) * (len(closes[0]) - len(by_bar)))  # type: ignore[assignment]
    return Orders(Setting("edge", config), tuple(markets), tuple(map(tuple, by_bar)))


# Where a random number never is: comparisons that hold with equality, and roundings that turn them.
EDGES: dict[str, Orders] = {
    "an exposure of exactly the limit": written_down(
        {"max_exposure": 1.0, "start_cash": 1_000.0}, [100.0] * 4, [(BUY, 10.0)]
    ),
    "a reversal to the same exposure": written_down(
        {"max_exposure": 0.95, "start_cash": 1_000.0}, [100.0, 100.0, 105.0, 105.0], [(SELL, 9.0)], [], [(BUY, 18.0)]
    ),
    "an exposure that rounds to the limit": written_down(
        {
            "max_exposure": 3 * 100.1 * 0.1 / 100.0,
            "start_cash": 100.0,
            "commission": Commission(margin=1.0, mult=0.1),
        },
        [100.1] * 4,
        [(BUY, 3.0)],
    ),
    "a price of exactly the high or low": written_down(
        {"slippage": Slippage(fixed=0.5, match=False)}, [100.0] * 5, [(BUY, 3.0)], [(SELL, 5.0)], [(BUY, 2.0)]
    ),
    "one unit sold for the cash to buy another": written_down(
        {"start_cash": 150.0}, [100.0] * 4, [(BUY, 1.0)], [(SELL, 1.0), (BUY, 1.0)]
    ),
    "one unit bought back before others are bought": written_down(
        {"start_cash": 150.0}, [100.0, 100.0, 60.0, 60.0], [(SELL, 1.0)], [(BUY, 1.0), (BUY, 2.0)]
    ),
    "cash that rounding takes before a cheaper open": written_down(
        {"start_cash": 100.20009999999999, "commission": 0.001}, [100.1, 90.0, 90.0], [(BUY, 1.0)]
    ),
    "one contract": written_down({"commission": Commission(margin=50.0)}, [100.0, 101.0, 103.0], [(BUY, 1.0)]),
    "nothing left of what was tied up": written_down({"leverage": 2.0}, [100.0, 100.0, 50.0], [(BUY, 1.0)]),
    "cash that rounding leaves after a sale": written_down(
        {"start_cash": 597.3888, "commission": 0.001}, [99.3] * 4, [(BUY, 5.0)], [(SELL, 5.0), (BUY, 6.0)]
    ),
    "sizes with a sign, which says nothing": written_down({}, [100.0] * 4, [(BUY, -3.0)], [(SELL, -2.0)]),
    "lots that rounding decides": written_down(
        {"leverage": 0.7, "lot": 0.1, "start_cash": 700.0}, [7.0] * 4, [(TARGET_PERCENT, 1.0)]
    ),
}


# -- stock -------------------------------------------------------------------------------------------------------------


def names_of(assets: int) -> list[str]:
    return [f"asset{number}" for number in range(assets)]


class Scripted(Follow):
    """Orders what it is told to, and keeps an account row for each bar."""

    params = (("orders", None), ("rows", None))

    def next(self) -> None:
        account = self.account()
        self._count_bar(account)
        self.p.rows.append(account.row)
        self.forget_status()
        for orders in self.p.orders.by_bar[len(self) - 1]:
            self.place_all([(NAMES[what], amount) for what, amount in orders])


def run_stock(orders: Orders, outcomes: Counter[str] | None = None) -> list[tuple[float, ...]]:
    """The account row of each bar in stock Backtrader.

    Args:
        orders: What is ordered.
        outcomes: Counts what becomes of it.
    """
    cerebro = bt.Cerebro(stdstats=False)
    names = names_of(len(orders.markets))
    orders.setting.apply(cerebro.broker, names)
    for name, prices in zip(names, orders.markets, strict=True):
        columns = {column: prices[column].tolist() for column in COLUMNS}
        cerebro.adddata(ListFeed(columns=columns, times=make_times(len(orders.by_bar), 0)), name=name)
    rows: list[tuple[float, ...]] = []
    counts: Counter[str] = Counter() if outcomes is None else outcomes
    # All that the driver asks of an episode is how much exposure it allows.
    episode = types.SimpleNamespace(config=orders.config)
    cerebro.addstrategy(Scripted, orders=orders, rows=rows, episode=episode, outcomes=counts)
    cerebro.run()
    return rows


# -- vecbt -------------------------------------------------------------------------------------------------------------


@kernel
def run(block, book, instructions, amounts, rows):  # type: ignore[no-untyped-def]
    open_book(block, book, 0)
    row = b.rows(block)[0]
    for bar in range(instructions.shape[0]):
        if bar > 0:
            next_bar(block, book, 0, bar)
        for asset in range(instructions.shape[2]):
            row[Row.ASSETS + asset * 4 + Asset.CLOSE] = b.ohlc(block)[bar, asset, 3]
        for column in range(row.shape[0]):
            rows[bar, column] = row[column]
        for asset in range(instructions.shape[2]):
            row[Row.ASSETS + asset * 4 + Asset.STATUS] = 0.0
        for number in range(instructions.shape[1]):
            for asset in range(instructions.shape[2]):
                b.instructions(block)[0, asset] = instructions[bar, number, asset]
                b.amounts(block)[0, asset] = amounts[bar, number, asset]
            place(block, book, 0)


@cache
def _arrays() -> dict[str, Any]:
    return Arrays(1).by_name


def _prepare(orders: Orders) -> tuple[dict[str, Any], Book, tuple[np.ndarray, ...]]:
    """The batch's arrays, the broker's book, and what the loop is given besides."""
    bars, most, assets = len(orders.by_bar), max(map(len, orders.by_bar)), len(orders.markets)
    instructions, amounts = np.zeros((bars, most, assets), np.int64), np.zeros((bars, most, assets))
    for bar, asked in enumerate(orders.by_bar):
        for number, round_ in enumerate(asked):
            for asset, (what, amount) in enumerate(round_):
                instructions[bar, number, asset], amounts[bar, number, asset] = what, amount
    ohlc = np.array([[prices[name] for name in ("open", "high", "low", "close")] for prices in orders.markets])
    arrays = dict(
        _arrays(),
        ohlc=np.ascontiguousarray(ohlc.transpose(2, 0, 1)),
        params=_arrays()["params"].copy(),
        rows=np.zeros((1, row_width(assets))),
        instructions=np.zeros((1, assets), np.int64),
        amounts=np.zeros((1, assets)),
    )
    arrays["params"][0] = orders.config.start_cash
    # Orders that find no price wait for ever; the loop does not make room for them.
    book = Book(orders.config, 1, names_of(assets), bars * most * assets)
    # An episode before this one has left something everywhere.
    for array in (arrays["rows"], *(book._arrays[name] for name in ("held", "orders", "counts", "entries"))):
        array[:] = 2
    book._arrays["held"][..., Held.TRADE_CLOSED] = 0.0
    return arrays, book, (instructions, amounts, np.zeros((bars, row_width(assets))))


def run_compiled(orders: Orders) -> list[tuple[float, ...]]:
    """The account row of each bar with the compiled broker."""
    arrays, book, rest = _prepare(orders)
    block = Block(arrays)
    run(block.address, book.address, *rest)
    return [tuple(row) for row in rest[-1].tolist()]


class _Views:
    """In place of the functions that make an array from an address: the arrays are at hand here."""

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        return lambda arrays: arrays[name]


def source_of(module: str) -> str:
    """Source of a module of the compiled broker."""
    spec = importlib.util.find_spec(f"vecbt.brokers.compiled.{module}")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def plain_broker(changed: str = "", tree: ast.Module | None = None) -> Callable[[Orders], list[tuple[float, ...]]]:
    """`run_compiled` without a compiler.

    Args:
        changed: Module of `MODULES` that is not to be what it is.
        tree: What it is to be instead.
    """
    known: dict[str, Any] = {}
    for module in MODULES:
        names: dict[str, Any] = {"__name__": f"plain_{module}"}
        exec(_code(module) if module != changed else compile(tree, module, "exec"), names)
        plain = {name: value.py_func for name, value in names.items() if hasattr(value, "py_func")}
        own = {name: value for name, value in plain.items() if value.__globals__ is names}
        names.update(own)
        # What it has imported from the modules before it is to be theirs as they are here.
        names.update({name: known[name] for name in plain.keys() & known.keys() if name not in own})
        names.update(b=_Views(), k=_Views())
        known.update(own)
    loop = types.FunctionType(run.py_func.__code__, {**globals(), **known, "b": _Views()})

    def run_plain(orders: Orders) -> list[tuple[float, ...]]:
        arrays, book, rest = _prepare(orders)
        loop(arrays, book._arrays, *rest)
        return [tuple(row) for row in rest[-1].tolist()]

    return run_plain


@cache
def _code(module: str) -> types.CodeType:
    return compile(source_of(module), module, "exec")
