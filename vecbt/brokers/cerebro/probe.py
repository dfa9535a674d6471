"""What a strategy needs and shows, found by starting it once."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.brokers.cerebro.build import feed_columns, make_cerebro
from vecbt.brokers.cerebro.hooks import hook_names
from vecbt.brokers.cerebro.runner import Episode
from vecbt.config import EnvConfig
from vecbt.data.shared import DataTable
from vecbt.errors import ConfigError
from vecbt.kernels.layout import Clock, Param, Row, Setting, Track, row_width, track_width
from vecbt.results import INFOS
from vecbt.settings import check_integer

__all__ = ["Needs", "probe"]

_TAKEN = (*INFOS, "episode_stats", "final_info", "final_obs", "worker_restarted")


@dataclasses.dataclass(frozen=True)
class Needs:
    """What a strategy says of itself once it stands.

    Attributes:
        warmup: Bars until its first ``next()``, that one included: its indicators' minimum period.
        state_shape: The spaces of its own observations.
        info_keys: Names of its own infos.
        rewards: Whether it has a reward of its own.
    """

    warmup: int
    state_shape: dict[str, Any]
    info_keys: tuple[str, ...]
    rewards: bool


class _Started(Exception):  # noqa: N818  (control flow, not an error)
    """Leaves the run once the strategy stands."""


class _Probe(Episode):
    """An episode that is left as soon as the strategy has been started."""

    def started(self, strategy: Any) -> None:
        raise _Started


def probe(config: EnvConfig, table: DataTable) -> Needs:
    """Start a configuration's strategy on the first bars of the data and ask it.

    Raises:
        ConfigError: If it names an observation or an info that it has no method for, or the other way round.
        Exception: Whatever the strategy's constructor raises.
    """
    episode = _Probe(
        0, lambda episode: make_cerebro(config, table, episode), _arrays(config, table), config.max_exposure
    )
    for feed, columns in zip(episode.feeds, feed_columns(table), strict=True):
        feed.select(columns, 0, min(2, len(columns[0])))
    try:
        episode.cerebro.run()
    except _Started:
        return _needs(episode.strategy)
    raise AssertionError("Cerebro ran without starting its strategy")


def _arrays(config: EnvConfig, table: DataTable) -> dict[str, Any]:
    """The arrays of one environment, at the start of the first episode that there can be."""
    assets = len(table.bars.assets)
    arrays = {
        "rows": np.zeros((1, row_width(assets))),
        "previous": np.zeros((1, row_width(assets))),
        "track": np.zeros((1, track_width(assets))),
        "sizes": np.ones((1, assets)),
        "clock": np.zeros((1, len(Clock)), np.int64),
        "seeds": np.zeros((1, 2), np.uint64),
        "instructions": np.zeros((1, assets), np.int64),
        "amounts": np.zeros((1, assets)),
        "stop_requests": np.zeros(1, bool),
        "params": np.zeros(len(Param)),
        "settings": np.full(len(Setting), len(table.bars.arena.arrays["times"])),  # all rows count as stored
        "sections": np.array([[0, 1, 0], [1, 0, 1], [1, 0, 1], [1, 0, 1]]),
    }
    arrays["params"][[Param.START_CASH, Param.DRAWDOWN_SCALE, Param.TARGET_SCALE]] = config.start_cash, 10.0, 10.0
    arrays["rows"][:, [Row.CASH, Row.VALUE]] = config.start_cash
    arrays["previous"][:] = arrays["rows"]
    arrays["track"][:, [Track.PEAK, Track.SETTLED, Track.HIGHEST, Track.LOWEST, Track.VALUE]] = config.start_cash
    arrays["clock"][:, [Clock.BAR, Clock.START]] = table.trials.lookback
    arrays["clock"][:, Clock.END] = len(table.bars.arena.arrays["times"]) - 1
    return arrays


def _needs(strategy: Any) -> Needs:
    cls = type(strategy)
    name = cls.__name__
    rewards, _, informs = hook_names(cls)
    if not isinstance(strategy.state_shape, Mapping):
        raise ConfigError(f"{name}.state_shape must be a dictionary of spaces by key, got {strategy.state_shape!r}")
    for key in strategy.state_shape:
        if not callable(getattr(strategy, f"get_{key}_state", None)):
            raise ConfigError(
                f"{name}.state_shape names {key!r}, but there is no method get_{key}_state() to make it: write it, or "
                f"leave the key out"
            )
    check_integer(f"{name}.lookback", strategy.lookback, low=0)
    keys = strategy.info_keys
    if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
        raise ConfigError(f"{name}.info_keys must be a sequence of names, got {keys!r}")
    for key, count in Counter(keys).items():
        if count > 1 or key in _TAKEN or key.startswith("_"):
            reason = "twice" if count > 1 else "which has a meaning of its own in infos: choose another name"
            raise ConfigError(f"{name}.info_keys names {key!r} {reason}")
    if informs != bool(keys):
        raise ConfigError(
            f"{name} has get_info() but no info_keys: name there the numbers that it returns"
            if informs
            else f"{name}.info_keys names {list(keys)}, but there is no get_info() to return them"
        )
    return Needs(max(strategy._minperiods), dict(strategy.state_shape), tuple(keys), rewards)
