"""What the compiled broker remembers: rules, commission schemes, positions, trades and orders, as arrays.

Cash, value and positions themselves are in the account rows (`vecbt.kernels.layout.Row`), where every engine has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from vecbt.arrays import AnyArray, FloatArray
from vecbt.config import Commission, EnvConfig, Slippage
from vecbt.kernels.aligned import aligned_zeros
from vecbt.kernels.block import Block, Fields, field

__all__ = ["Book", "Held", "Queue", "Rule", "Scheme", "Slot"]


class Rule(IntEnum):
    """The broker's settings (float64); those that are yes or no are 1 or 0."""

    SHORTCASH = 0
    CHECKSUBMIT = 1
    CHEAT_ON_CLOSE = 2
    SLIP_PERC = 3  #: 0 where orders do not slip, at the open for instance
    SLIP_FIXED = 4
    SLIP_MATCH = 5
    SLIP_OUT = 6
    MAX_EXPOSURE = 7  #: inf for no limit
    LOT = 8  #: 1: sizes are rounded as Backtrader does


class Scheme(IntEnum):
    """An asset's commission scheme (float64)."""

    RATE = 0
    PER_UNIT = 1
    STOCKLIKE = 2
    MULT = 3
    MARGIN = 4
    LEVERAGE = 5


class Held(IntEnum):
    """What goes with the position in an asset (float64)."""

    ADJBASE = 0  #: price at which a future was last settled
    TRADE_SIZE = 1  #: the trade from flat to flat, as Backtrader books it
    TRADE_PRICE = 2
    TRADE_COMMISSION = 3
    TRADE_PNL = 4
    TRADE_CLOSED = 5
    CHECK_SIZE = 6  #: the position as it would be, while orders are made or checked
    ORDER = 7  #: units of an order that waits for its turn, while orders are made


class Slot(IntEnum):
    """An order that waits for its execution (float64)."""

    ASSET = 0
    ORDERED = 1  #: units that it was made for, negative for a sale
    SIZE = 2  #: units that remain; what rounding leaves of a reversal may have the other sign
    PRICE = 3  #: close of the bar on which it was made


class Queue(IntEnum):
    """How many orders of an environment stand where (int64); slots hold the pending ones first, then the submitted."""

    PENDING = 0  #: accepted, to be matched
    SUBMITTED = 1  #: to be checked against the cash


_FIELDS: Fields = {}

rules = field("rules", "float64", 1, _FIELDS)  # (len(Rule),)
schemes = field("schemes", "float64", 2, _FIELDS)  # (K, len(Scheme))
held = field("held", "float64", 3, _FIELDS)  # (N, K, len(Held))
orders = field("orders", "float64", 3, _FIELDS)  # (N, S, len(Slot)), S slots
counts = field("counts", "int64", 2, _FIELDS)  # (N, len(Queue))
entries = field("entries", "int64", 2, _FIELDS)  # (N, K) assets in the order of their first use, then -1

_SLOTS = 8


class Book:
    """The arrays of N environments with K assets, and the number that stands for them in kernels.

    Args:
        config: Says what the broker's settings are.
        num_envs: N.
        assets: Names of the K assets.
        orders_per_step: Most orders that an environment can make in one step.

    Attributes:
        address: What kernels are given; another one after `make_room`.
    """

    def __init__(self, config: EnvConfig, num_envs: int, assets: Sequence[str], orders_per_step: int) -> None:
        self._margin = orders_per_step
        self._arrays: dict[str, AnyArray] = {
            "rules": _rules(config),
            "schemes": np.array([_scheme(scheme, config.leverage) for scheme in config.commissions(assets)]),
            "held": aligned_zeros((num_envs, len(assets), len(Held)), "float64"),
            "orders": aligned_zeros((num_envs, max(_SLOTS, 2 * orders_per_step), len(Slot)), "float64"),
            "counts": np.zeros((num_envs, len(Queue)), np.int64),
            "entries": np.full((num_envs, len(assets)), -1, np.int64),
        }
        self._block = Block(self._arrays, _FIELDS)
        self.address = self._block.address

    def make_room(self, longest: int) -> None:
        """Grow the slots before the next step could need more than there are.

        Orders that slip beyond their bar and are not matched there wait for ever, so that no number is enough.

        Args:
            longest: The most orders that wait in any environment.
        """
        orders = self._arrays["orders"]
        if longest + self._margin <= orders.shape[1]:
            return
        grown = aligned_zeros((orders.shape[0], 2 * orders.shape[1], orders.shape[2]), "float64")
        grown[:, : orders.shape[1]] = orders
        self._arrays["orders"] = grown
        self._block = Block(self._arrays, _FIELDS)
        self.address = self._block.address


def _rules(config: EnvConfig) -> FloatArray:
    slippage = config.slippage if isinstance(config.slippage, Slippage) else Slippage(perc=config.slippage)
    values = {
        Rule.SHORTCASH: config.shortcash,
        Rule.CHECKSUBMIT: config.checksubmit,
        Rule.CHEAT_ON_CLOSE: config.cheat_on_close,
        # All orders are market orders, which fill at the open.
        Rule.SLIP_PERC: slippage.perc if slippage.open else 0.0,
        Rule.SLIP_FIXED: slippage.fixed if slippage.open else 0.0,
        Rule.SLIP_MATCH: slippage.match,
        Rule.SLIP_OUT: slippage.out,
        Rule.MAX_EXPOSURE: np.inf if config.max_exposure is None else config.max_exposure,
        Rule.LOT: config.lot,
    }
    return np.array([float(values[rule]) for rule in Rule])


def _scheme(commission: Commission, leverage: float) -> list[float]:
    values = {
        Scheme.RATE: commission.rate,
        Scheme.PER_UNIT: commission.per_unit,
        Scheme.STOCKLIKE: commission.margin is None,
        Scheme.MULT: commission.mult,
        Scheme.MARGIN: 0.0 if commission.margin is None else commission.margin,
        Scheme.LEVERAGE: leverage,
    }
    return [float(values[column]) for column in Scheme]
