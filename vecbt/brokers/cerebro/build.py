"""Makes the Cerebro of an environment from a configuration."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from typing import Any

import backtrader as bt
import numpy as np
from backtrader.brokers.bbroker import BackBroker

from vecbt.brokers.cerebro.broker import FastBroker
from vecbt.brokers.cerebro.cerebro import FastCerebro
from vecbt.brokers.cerebro.feed import TableFeed, feed_class
from vecbt.config import Commission, EnvConfig, Slippage
from vecbt.data.shared import DataTable
from vecbt.errors import ConfigError
from vecbt.strategy import Strategy

__all__ = ["configure_broker", "feed_columns", "make_cerebro", "strategy_class"]

_DEFAULTS = EnvConfig()


def strategy_class(config: EnvConfig) -> tuple[type[Strategy], dict[str, Any]]:
    """The strategy's class and parameters."""
    if config.strategy is None:
        return Strategy, {}
    return config.strategy if isinstance(config.strategy, tuple) else (config.strategy, {})


def make_cerebro(config: EnvConfig, table: DataTable, episode: Any) -> tuple[Any, list[TableFeed]]:
    """A Cerebro with the feeds, the strategy and the broker of a configuration.

    Args:
        config: The configuration.
        table: The data.
        episode: What the strategy finds as ``cerebro.episode``.

    Returns:
        The Cerebro and its feeds in the order of the assets.
    """
    cerebro = _users_cerebro(config) if config.cerebro is not None else (FastCerebro if config.fast else bt.Cerebro)()
    cerebro.p.stdstats = False  # observers are for those who add them
    cerebro.episode = episode
    configure_broker(cerebro.broker, config, table.bars.assets)
    feeds = []
    for name, line_names in zip(table.bars.assets, table.bars.line_names, strict=True):
        make_feed: Any = feed_class(line_names)
        feed = make_feed(trusted=config.trusted)
        cerebro.adddata(feed, name=name)
        feeds.append(feed)
    cls, parameters = strategy_class(config)
    cerebro.addstrategy(cls, **parameters)
    return cerebro, feeds


def _users_cerebro(config: EnvConfig) -> Any:
    """A Cerebro of the user's for one environment: a copy of the one given, or a new one of the function's."""
    given: Any = config.cerebro
    if isinstance(given, bt.Cerebro):
        cerebro: Any = copy.deepcopy(given)
    else:
        cerebro = given()
        if not isinstance(cerebro, bt.Cerebro):
            raise ConfigError(f"the cerebro function must return a backtrader.Cerebro, got {cerebro!r}")
        if hasattr(cerebro, "episode"):
            raise ConfigError(
                "the cerebro function has returned the same Cerebro a second time: environments run side by side, so "
                "make a new one in every call, or give the Cerebro itself, of which each environment gets a copy"
            )
    _check_users_cerebro(cerebro, config)
    if config.fast and type(cerebro) is bt.Cerebro:
        # Instances of the stock classes have no state that their subclasses lack.
        cerebro.__class__ = FastCerebro
        if type(cerebro.broker) is BackBroker:
            cerebro.broker.__class__ = FastBroker
    return cerebro


def _check_users_cerebro(cerebro: Any, config: EnvConfig) -> None:
    parts = {"data feeds": cerebro.datas, "strategies": cerebro.strats, "signals": cerebro.signals}
    parts["stores"] = cerebro.stores
    taken = [name for name, part in parts.items() if part]
    if taken:
        raise ConfigError(
            f"the Cerebro has {' and '.join(taken)} of its own: leave them to vecbt, they change with every episode. "
            f"Data go into make_vec's first argument, the strategy into its setting strategy"
        )
    if cerebro.p.exactbars or not cerebro.p.preload or cerebro.p.live:
        raise ConfigError("the Cerebro must leave exactbars=False, preload=True and live=False: feeds are preloaded")
    broker = cerebro.broker
    if not isinstance(broker, BackBroker):
        raise ConfigError(
            f"the Cerebro's broker must be a backtrader.brokers.BackBroker or a subclass of it, got {broker!r}"
        )
    if broker.startingcash not in (_DEFAULTS.start_cash, config.start_cash):
        raise ConfigError(
            f"the Cerebro's broker starts with {broker.startingcash:g} in cash, but start_cash is "
            f"{config.start_cash:g}: set start_cash={broker.startingcash:g}, by which rewards and calls are measured"
        )


def configure_broker(broker: Any, config: EnvConfig, assets: Sequence[str] = ()) -> None:
    """Apply a configuration's settings to a broker; on a broker of the user's own, those that are not the defaults.

    Args:
        broker: The broker.
        config: The configuration.
        assets: Names of the feeds, where each has a commission scheme of its own.
    """
    own = config.cerebro is not None
    broker.setcash(config.start_cash)
    if not own or config.shortcash != _DEFAULTS.shortcash:
        broker.set_shortcash(config.shortcash)
    if not own or config.checksubmit != _DEFAULTS.checksubmit:
        broker.set_checksubmit(config.checksubmit)
    if not own or config.cheat_on_close != _DEFAULTS.cheat_on_close:
        broker.set_coc(config.cheat_on_close)
    if not own or (config.commission, config.leverage) != (_DEFAULTS.commission, _DEFAULTS.leverage):
        names: Sequence[Any] = assets if isinstance(config.commission, tuple | dict) else (None,)  # for all
        for name, scheme in zip(names, config.commissions(names), strict=True):
            _set_commission(broker, config, scheme, name)
    slippage = config.slippage if isinstance(config.slippage, Slippage) else Slippage(perc=config.slippage)
    options = {
        "slip_open": slippage.open,
        "slip_limit": slippage.limit,
        "slip_match": slippage.match,
        "slip_out": slippage.out,
    }
    if slippage.perc:
        broker.set_slippage_perc(slippage.perc, **options)
    elif slippage.fixed:
        broker.set_slippage_fixed(slippage.fixed, **options)


def _set_commission(broker: Any, config: EnvConfig, scheme: Commission, name: str | None) -> None:
    kind = bt.CommInfoBase.COMM_FIXED if scheme.per_unit else bt.CommInfoBase.COMM_PERC
    settings = {
        "commission": scheme.rate,
        "margin": scheme.margin,
        "mult": scheme.mult,
        "commtype": kind,
        "stocklike": scheme.margin is None,
        "percabs": True,
        "leverage": config.leverage,
    }
    # The default lot is Backtrader's int(); any other one needs a scheme that rounds to it.
    comminfo = bt.CommInfoBase(**settings) if config.lot == 1.0 else _LotCommission(lot=config.lot, **settings)
    broker.addcommissioninfo(comminfo, name=name)


class _LotCommission(bt.CommInfoBase):
    """A scheme that sizes targets in multiples of a lot."""

    params = (("lot", 1.0),)

    def getsize(self, price: float, cash: float) -> float:
        unit = self.p.margin if not self._stocklike else price
        return float(math.floor(self.p.leverage * cash / unit / self.p.lot) * self.p.lot)


def feed_columns(table: DataTable) -> list[tuple[Any, ...]]:
    """For each asset the columns that its feed is filled from, in the order of `vecbt.brokers.cerebro.feed.COLUMNS`."""
    arrays = table.bars.arena.arrays
    zeros = np.broadcast_to(np.float64(0.0), arrays["times"].shape)  # one number, not a column of them
    result = []
    further = iter(arrays["lines"])
    for asset, line_names in enumerate(table.bars.line_names):
        prices = tuple(arrays["ohlc"][:, asset, column] for column in range(4))
        lines = itertools.islice(further, len(line_names))
        result.append((*prices, arrays["volume"][:, asset], zeros, arrays["times"], *lines))
    return result
