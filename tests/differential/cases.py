"""Whole cases at random: a market, a configuration, actions, and how the batch is driven.

A case is a function of its number: ``make_case(Seeded(number), number)`` gives it back on any machine.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np

from tests.differential.brokers import SETTINGS, Setting, draw_setting
from tests.differential.choices import Choices, Seeded
from tests.differential.expected import REWARDS
from tests.differential.scripts import PRICES, make_prices, make_times
from vecbt.config import ACCOUNT_FEATURES, Commission
from vecbt.data.align import align_bars
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars

__all__ = ["Case", "make_case", "numbered"]

WEIGHTS = (0.0, 1.0, -1.0, 0.5, -0.5, 0.97, -0.3, 0.1, 1e-4)
POSITIONS = (
    (-1.0, 0.0, 1.0),
    (-1.0, 1.0),
    (0.0, 1.0),
    (-2.0, -1.0, 0.0, 0.7, 1.3, 3.0),
    (-4.507, 1.0),
    (-0.9, 0.0, 0.4, 1.1),
    (-0.71, 1.0, -0.3, 0.37, 0.93),
)
AUTORESETS = ("NextStep", "SameStep", "Disabled")
ASSETS = (1, 1, 1, 2, 2, 4, 8)
LEVELS = (1.0, 0.37, 4.0, 1.7)
"""Factors of the prices of several assets, in turn."""
HABITS = ((5, 2, 2, 1), (1, 4, 4, 1), (6, 3, 1, 1), (2, 8, 1, 1), (2, 1, 8, 1))
"""How often hold, buy, sell and close are chosen; with other actions the first choices."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One case; its repr is all that it takes to run it again.

    Attributes:
        number: Its number, -1 for one that has none.
        prices: Kind of the market, see `make_prices`.
        market_seed: Seed of the market.
        bars: Bars of the market.
        setting: Broker settings.
        config: The rest of the configuration.
        num_envs: Environments.
        autoreset: Mode.
        seed: Seed of the first environment.
        steps: Steps of the batch.
        actions_seed: Seed of the actions, where they are not given.
        habit: How often each action is chosen.
        given: Actions step by step for all environments, to be taken modulo their number.
        assets: Number of assets.
    """

    number: int
    prices: str
    market_seed: int
    bars: int
    setting: Setting
    config: dict[str, Any]
    num_envs: int
    autoreset: str
    seed: int
    steps: int
    actions_seed: int
    habit: tuple[int, ...]
    given: tuple[int, ...] | None = None
    assets: int = 1

    @property
    def whole_config(self) -> dict[str, Any]:
        """Fields of `vecbt.EnvConfig`."""
        return {**self.setting.config, **self.config}

    @cached_property
    def market(self) -> Bars | AlignedBars:
        times = np.array(make_times(self.bars, self.market_seed), "datetime64[ns]").astype(np.int64)
        columns = make_markets(self.prices, self.bars, self.market_seed, self.assets)
        bars = {f"asset{number}": Bars.from_arrays(times, **own) for number, own in enumerate(columns)}
        return align_bars(bars) if self.assets > 1 else bars["asset0"]

    @cached_property
    def actions(self) -> np.ndarray:
        """(steps, num_envs, assets), int64 or, of weights, float32; codes for one asset have two axes."""
        kind = self.config["actions"]
        shape = (self.steps, self.num_envs, self.assets)
        random = np.random.Generator(np.random.Philox(self.actions_seed))
        choices = {"discrete": 4, "target_position": len(self.config["positions"]), "target_percent": len(WEIGHTS)}[
            kind
        ]
        if self.given is not None:
            codes = np.resize(np.array(self.given or (0,), np.int64) % choices, shape)
        else:
            weights = np.resize(np.array(self.habit, np.float64), choices)
            codes = random.choice(choices, shape, p=weights / weights.sum())
        if kind != "target_percent":
            return codes if self.assets > 1 else codes[..., 0]
        sharp = np.array(WEIGHTS, np.float32)[codes]
        if self.given is None:
            blurred = random.random(shape) < 0.3
            sharp[blurred] = random.uniform(-1.0, 1.0, int(blurred.sum())).astype(np.float32)
        return sharp

    @property
    def traits(self) -> set[str]:
        """What it covers, for a count."""
        config = self.config
        given = {
            name for name in ("max_exposure", "drawdown_call", "target_call", "close_out", "normalize", "flatten")
            if config.get(name)
        }  # fmt: skip
        given |= {name for name in ("skip_frame", "latency", "window") if config[name] > (name == "skip_frame")}
        given |= {
            config["actions"],
            getattr(config["reward"], "__name__", config["reward"]),
            self.prices,
            self.autoreset,
        }
        given.add(f"{self.assets} assets" if self.assets > 1 else "one asset")
        given.add("episodes to the end of the data" if config["episode_steps"] is None else "episodes of a length")
        return given | Setting("", self.whole_config).traits


def make_markets(kind: str, bars: int, seed: int, assets: int) -> list[dict[str, np.ndarray]]:
    """Open, high, low, close and volume of each asset."""
    markets = [make_prices(kind, bars, seed + 1_000_003 * number) for number in range(assets)]
    for number, market in enumerate(markets):
        for name in ("open", "high", "low", "close"):
            market[name] = market[name] * LEVELS[number % len(LEVELS)]
    return markets


def _commissions(setting: Setting) -> tuple[Commission, ...]:
    given = setting.config.get("commission", 0.0)
    each = given if isinstance(given, tuple) else (given,)
    return tuple(one if isinstance(one, Commission) else Commission(rate=one) for one in each)


def numbered(number: int) -> Case:
    """The case of a number."""
    return make_case(Seeded(number), number)


def make_case(choices: Choices, number: int = -1, given: tuple[int, ...] | None = None) -> Case:
    """A case whose parts are chosen.

    Args:
        choices: Who chooses.
        number: The number it is to have.
        given: Actions; None for random ones.
    """
    reckless = choices.one((False,) * 9 + (True,))  # all on credit, in a market with gaps: such accounts are ruined
    prices = "gaps" if reckless else choices.one(PRICES)
    skip = choices.one((1, 1, 1, 2, 3))
    window = choices.one((1, 4, 0))
    episode_steps = choices.one((25, 40, 60, 90, None, None, 6, choices.one((1, 2, 13))))
    bars = (episode_steps or choices.one((30, 90))) * skip + choices.one((10, 60))
    assets = choices.one(ASSETS)
    market_seed = choices.seed()
    closes = np.array([own["close"] for own in make_markets(prices, bars, market_seed, assets)])
    price = float(closes.max())
    listed = prices not in ("pennies", "millions") and choices.one((True, False, False))
    setting = choices.one(SETTINGS) if listed else draw_setting(choices, price, assets)
    config: dict[str, Any] = {
        "window": window,
        "features": choices.one((("open", "high", "low", "close"), ("close",), ("close", "volume", "high"))),
        "normalize": choices.one((None, "window")),
        "account_features": _draw_account_features(choices, needed=window == 0),
        "flatten": choices.one((False, False, True)),
        "actions": choices.one(("discrete", "target_position", "target_percent", "target_percent")),
        "skip_frame": skip,
        "latency": choices.one((0, 0, 1, 2)),
        "max_exposure": choices.one((None, None, 1.0, 0.9, 0.6)),
        "reward": choices.one(tuple(REWARDS)),
        "reward_scale": choices.one((1.0, 100.0, 0.3)),
        "gamma": choices.one((0.99, 0.9, 1.0)),
        "drawdown_call": choices.one((None, None, choices.number(0.5, 40.0))),
        "target_call": choices.one((None, None, choices.number(0.1, 30.0))),
        "close_out": choices.one((False, True)),
        "episode_steps": episode_steps,
        "copy": choices.one((True, True, False)),
    }
    if reckless:
        setting = Setting("reckless", {"leverage": 25.0, "shortcash": choices.one((True, False))})
        config.update(max_exposure=None, drawdown_call=None, target_call=None)
    config["positions"] = (-1.0, 0.0, 1.0)
    if config["actions"] == "target_position":
        config["positions"] = choices.one(POSITIONS)
    if config["actions"] == "target_percent" and "leverage" in setting.config:
        config["actions"] = "discrete"  # refused by the configuration
    _draw_sizes(choices, setting, config, float(closes.min()), price)
    if assets > 1 and isinstance(config.get("order_size"), float) and choices.one((False, True)):
        config["order_size"] = tuple(config["order_size"] * choices.one((1.0, 0.5, 0.23)) for _ in range(assets))
    steps = (episode_steps or 60) * choices.one((2, 1, 3))
    return Case(
        number=number,
        prices=prices,
        market_seed=market_seed,
        bars=bars,
        setting=setting,
        config=config,
        num_envs=choices.one((2, 1, 3)),
        autoreset=choices.one(AUTORESETS),
        seed=choices.seed(),
        steps=min(max(steps, 12), 240 // skip),
        actions_seed=choices.seed(),
        habit=choices.one(HABITS),
        given=given,
        assets=assets,
    )


def _draw_account_features(choices: Choices, needed: bool) -> tuple[str, ...]:
    options = (ACCOUNT_FEATURES, ACCOUNT_FEATURES[::-1], (choices.one(ACCOUNT_FEATURES),))
    return choices.one(options if needed else ((), *options))


def _draw_sizes(choices: Choices, setting: Setting, config: dict[str, Any], low: float, price: float) -> None:
    """Cash, lot and order size, such that the cash pays for one order at every price from ``low`` to ``price``."""
    if "start_cash" not in setting.config:
        config["start_cash"] = round(price * choices.one((100.0, 8.0, 1.3, 30.0, 5_000.0)), 2)
    cash = {**setting.config, **config}["start_cash"]
    if config["actions"] == "target_percent":
        config["lot"] = choices.one((1.0, 0.1, 0.01, 0.25, 1e-6))
        return
    cost = max(
        (price / setting.config.get("leverage", 1.0) if commission.margin is None else commission.margin)
        + commission.rate * (1.0 if commission.per_unit else price)
        for commission in _commissions(setting)
    )
    largest = max(*config["positions"], 0.0) or 1.0
    most = cash / (cost * largest)
    share = choices.one((0.3, 0.9, 0.99, choices.number(0.02, 0.99)))
    size = most * share
    kind = choices.one(("whole", "hundredths", "tenths", "raw", "raw", "percent"))
    step = {"whole": 1.0, "tenths": 10.0, "hundredths": 100.0}.get(kind, 1.0)
    highest_percent = 100.0 * most * low / cash  # at lower prices a percentage is more units, and a margin stays
    if kind == "percent" and highest_percent >= 1.0:
        percent = math.floor(share * highest_percent) or 1
        config["order_size"] = f"{percent}%"
        config["lot"] = choices.one((1.0, 0.1, 0.001))
        if math.floor(percent / 100.0 * cash / price / config["lot"]) < 1:
            config["lot"] = 10.0 ** math.floor(math.log10(percent / 100.0 * cash / price))
        return
    if kind != "raw" and size * step >= 1.0:
        size = math.floor(size * step) / step
    config["order_size"] = size
