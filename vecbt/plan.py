"""What a configuration comes to on a data set: spaces, array shapes, and the numbers that kernels read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray, FloatArray, IntArray
from vecbt.config import ACCOUNT_FEATURES, EnvConfig, RewardFunction, percent_of
from vecbt.data.shared import DataTable
from vecbt.errors import ConfigError
from vecbt.kernels.layout import (
    REWARD_STATE,
    ActionKind,
    Autoreset,
    Choice,
    Clock,
    Param,
    RewardKind,
    Section,
    Setting,
    Stat,
    row_width,
    track_width,
)
from vecbt.kernels.observe import account_width
from vecbt.named_actions import space_of_assets
from vecbt.shm.arena import ArraySpec
from vecbt.spaces import ActionDictSpace, DictSpace
from vecbt.states import Path, array_name, checked_spaces, leaves

__all__ = ["Plan", "make_plan"]

_LIMIT = float(np.finfo(np.float32).max)
_BTGYM_CALL = 10.0
"""Percent by which BTGym scales account features; stands in for a call that is not set."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """A configuration made concrete.

    Attributes:
        config: The configuration.
        table: The data.
        autoreset: What follows an episode's end.
        observation_space: Of one environment.
        action_space: Of one environment.
        market_width: float32 numbers of the window (of everything, when flattened).
        account_width: float32 numbers of the account; 0 when flattened.
        state_spaces: Observations that the strategy itself writes.
        info_keys: Numbers that the strategy adds to infos.
        external_reward: Whether the strategy writes the reward.
        params: float64 (len(Param),).
        settings: int64 (len(Setting),).
        account_features: int64 (A',).
        positions: float64 (P,).
        order_size: float64 (K,) units, the negative of a fraction of the starting cash, or NaN for a sizer's.
    """

    config: EnvConfig
    table: DataTable
    autoreset: Autoreset
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    market_width: int
    account_width: int
    state_spaces: dict[str, gymnasium.Space[Any]]
    info_keys: tuple[str, ...]
    external_reward: bool
    params: FloatArray
    settings: IntArray
    account_features: IntArray
    positions: FloatArray
    order_size: FloatArray

    @property
    def assets(self) -> int:
        """Number of assets."""
        return len(self.table.bars.assets)

    @property
    def state_leaves(self) -> dict[Path, Any]:
        """The spaces of the strategy's own observations, taken apart; see `vecbt.states`."""
        return dict(item for key, space in self.state_spaces.items() for item in leaves(space, (key,)))

    @property
    def own_reward(self) -> RewardFunction | None:
        """The user's reward function, unless a strategy's reward goes before it."""
        reward = self.config.reward
        return None if isinstance(reward, str) or self.external_reward else reward

    @property
    def constants(self) -> dict[str, AnyArray]:
        """The arrays that every process makes for itself."""
        return {
            "params": self.params,
            "settings": self.settings,
            "account_features": self.account_features,
            "positions": self.positions,
            "order_size": self.order_size,
        }

    def specs(self, num_envs: int) -> dict[str, ArraySpec]:
        """The arrays of a batch of ``num_envs`` environments that processes share; see `vecbt.kernels.block.FIELDS`."""
        n, k = num_envs, self.assets
        final = n if self.autoreset == Autoreset.SAME_STEP else 0
        width = row_width(k)
        specs = {
            "actions": ArraySpec((n, k), "float64"),
            "mask": ArraySpec((n,), "bool"),
            "section": ArraySpec((n,), "int8"),
            "sections": ArraySpec((len(Section), 3), "int64"),
            "seeds": ArraySpec((n, 2), "uint64"),
            "choices": ArraySpec((n, len(Choice)), "int64"),
            "next_seeds": ArraySpec((n, 2), "uint64"),
            "clock": ArraySpec((n, len(Clock)), "int64"),
            "rows": ArraySpec((n, width), "float64"),
            "previous": ArraySpec((n, width), "float64"),
            "track": ArraySpec((n, track_width(k)), "float64"),
            "reward_state": ArraySpec((n, REWARD_STATE), "float64"),
            "sizes": ArraySpec((n, k), "float64"),
            "queue": ArraySpec((n, self.config.latency, k), "float64"),
            "instructions": ArraySpec((n, k), "int64"),
            "amounts": ArraySpec((n, k), "float64"),
            "stop_requests": ArraySpec((n,), "bool"),
            "rewards": ArraySpec((n,), "float64"),
            "terminations": ArraySpec((n,), "bool"),
            "truncations": ArraySpec((n,), "bool"),
            "restarted": ArraySpec((n,), "bool"),
            "stats": ArraySpec((n, len(Stat)), "float64"),
        }
        for prefix, count in (("", n), ("final_", final)):
            specs[f"{prefix}market"] = ArraySpec((count, self.market_width), "float32")
            specs[f"{prefix}account"] = ArraySpec((count, self.account_width), "float32")
            specs[f"{prefix}info_floats"] = ArraySpec((4 + 2 * k, count), "float64")
            specs[f"{prefix}info_ints"] = ArraySpec((3, count), "int64")
            specs[f"{prefix}order_status"] = ArraySpec((count, k), "int8")
            specs[f"{prefix}strategy_info"] = ArraySpec((len(self.info_keys), count), "float64")
            for path, leaf in self.state_leaves.items():
                specs[prefix + array_name(path)] = ArraySpec((count, *leaf.shape), leaf.dtype.name)
        return specs

    def state_names(self, num_envs: int) -> list[str]:
        """Those of the arrays of `specs` that environments go on from, a row for each of them."""
        others = ("sections", "info_floats", "info_ints", "strategy_info")
        return [name for name in self.specs(num_envs) if name not in others and not name.startswith("final_")]


def make_plan(
    config: EnvConfig,
    table: DataTable,
    autoreset: Autoreset,
    state_spaces: Mapping[str, Any] | None = None,
    info_keys: tuple[str, ...] = (),
    external_reward: bool = False,
) -> Plan:
    """Make a configuration concrete on a data set.

    Raises:
        ConfigError: If settings and data do not go together.
    """
    own_spaces = checked_spaces(state_spaces or {})
    assets = len(table.bars.assets)
    codes = np.array([ACCOUNT_FEATURES.index(name) for name in config.account_features], np.int64)
    columns = len(table.features.names) if config.window else 0
    window_width, width = config.window * columns, account_width(codes, assets)
    plan = Plan(
        config=config,
        table=table,
        autoreset=autoreset,
        observation_space=_observation_space(config, columns, width, own_spaces),
        action_space=_action_space(config, table.bars.assets),
        market_width=window_width + (width if config.flatten else 0),
        account_width=0 if config.flatten else width,
        state_spaces=own_spaces,
        info_keys=info_keys,
        external_reward=external_reward,
        params=_params(config, table),
        settings=_settings(config, table, autoreset, external_reward),
        account_features=codes,
        positions=np.array(config.positions, np.float64),
        order_size=_order_size(config, table.bars.assets),
    )
    config.commissions(table.bars.assets)  # one for each, or it says so
    if config.action_kind != "target_percent" and config.order_size is not None:
        _check_order_size(plan)
    return plan


def _box(*shape: int) -> spaces.Box:
    # Finite bounds: check_env warns of infinite ones.
    return spaces.Box(-_LIMIT, _LIMIT, shape, np.float32)


def _observation_space(
    config: EnvConfig, columns: int, account: int, state_spaces: dict[str, gymnasium.Space[Any]]
) -> gymnasium.Space[Any]:
    if config.flatten:
        if state_spaces:
            raise ConfigError(
                f"flatten=True has no room for the strategy's observations {sorted(state_spaces)}: leave one of the two"
            )
        return _box(config.window * columns + account)
    parts: dict[str, gymnasium.Space[Any]] = {}
    if config.window:
        parts["market"] = _box(config.window, columns)
    if account:
        parts["account"] = _box(account)
    parts |= state_spaces
    if not parts:
        raise ConfigError(
            "window=0 leaves the agent nothing to see: name account_features, or observations of the strategy's own in "
            "its state_shape"
        )
    if len(parts) == 1 and not state_spaces:
        return next(iter(parts.values()))
    return DictSpace(parts)


def _action_space(config: EnvConfig, assets: tuple[str, ...]) -> gymnasium.Space[Any]:
    if isinstance(config.actions, ActionDictSpace):
        return space_of_assets(config.actions, assets)
    if config.actions == "target_percent":
        return spaces.Box(-1.0, 1.0, (len(assets),), np.float32)
    choices = 4 if config.actions == "discrete" else len(config.positions)
    return spaces.Discrete(choices) if len(assets) == 1 else spaces.MultiDiscrete([choices] * len(assets))


def _params(config: EnvConfig, table: DataTable) -> FloatArray:
    params = np.zeros(len(Param), np.float64)
    params[Param.START_CASH] = config.start_cash
    params[Param.DRAWDOWN_CALL] = np.inf if config.drawdown_call is None else config.drawdown_call
    params[Param.TARGET_VALUE] = (
        np.inf if config.target_call is None else config.start_cash * (1.0 + config.target_call / 100.0)
    )
    params[Param.DRAWDOWN_SCALE] = _BTGYM_CALL if config.drawdown_call is None else config.drawdown_call
    params[Param.TARGET_SCALE] = _BTGYM_CALL if config.target_call is None else config.target_call
    params[Param.REWARD_SCALE] = config.reward_scale
    params[Param.GAMMA] = config.gamma
    params[Param.LOT] = config.lot
    params[Param.YEAR] = table.bars_per_year
    params[Param.TRIAL_ALPHA : Param.TRIAL_ALPHA + 4] = table.trials.shapes
    return params


def _settings(config: EnvConfig, table: DataTable, autoreset: Autoreset, external_reward: bool) -> IntArray:
    own_reward = external_reward or not isinstance(config.reward, str)
    actions = {
        "discrete": ActionKind.DISCRETE,
        "target_position": ActionKind.TARGET_POSITION,
        "target_percent": ActionKind.TARGET_PERCENT,
    }
    values = {
        Setting.WINDOW: config.window,
        Setting.ACTIONS: actions[config.action_kind],
        Setting.SKIP: config.skip_frame,
        Setting.LATENCY: config.latency,
        Setting.REWARD: RewardKind.EXTERNAL if own_reward else RewardKind[str(config.reward).upper()],
        Setting.CLOSE_OUT: config.close_out,
        Setting.AUTORESET: autoreset,
        Setting.BARS: table.trials.bars,
        Setting.LOOKBACK: table.trials.lookback,
        Setting.NORMALIZE: config.normalize == "window",
        Setting.SEQUENTIAL: table.trials.order == "sequential",
        Setting.ALIGNED: table.trials.aligned,
        Setting.FLATTEN: config.flatten,
        Setting.STORED: table.slots.stored,
    }
    settings = np.zeros(len(Setting), np.int64)
    for setting, value in values.items():
        settings[setting] = int(value)
    return settings


def _order_size(config: EnvConfig, assets: tuple[str, ...]) -> FloatArray:
    """Units, the negative of a fraction of the starting cash, or NaN where a sizer decides."""
    sizes = [
        np.nan if size is None else -percent_of(size) if isinstance(size, str) else float(size)
        for size in config.order_sizes(assets)
    ]
    return np.array(sizes, np.float64)


def _check_order_size(plan: Plan) -> None:
    """Refuse an order size that comes to nothing, or that the starting cash never pays: no order would be filled."""
    config, table = plan.config, plan.table
    largest = max(max(config.positions), 0.0) if config.actions == "target_position" else 1.0
    for asset, size in enumerate(plan.order_size):
        name, commission = table.bars.assets[asset], config.commissions(table.bars.assets)[asset]
        # Any row may be an episode's first one; rows before the look-back cannot be. Of generated trials, a sample.
        rows = slice(table.trials.lookback, table.slots.first_row)
        closes = table.bars.arena.arrays["ohlc"][rows, asset, 3]
        if size < 0.0:
            units = np.floor(-size * config.start_cash / closes / config.lot) * config.lot
        else:
            units = np.full(closes.shape, size)
        if not units.all():
            close = closes[np.argmin(units)]
            raise ConfigError(
                f"order_size={config.order_size!r} of start_cash={config.start_cash:g} is less than one lot of "
                f"{config.lot:g} at {name}'s price of {close:g}: every order would be for 0 units. Set a smaller lot, "
                f"more start_cash or a larger order_size"
            )
        units = units * largest
        tied_up = units * (commission.margin if commission.margin is not None else closes / config.leverage)
        cost = tied_up + units * commission.rate * (1.0 if commission.per_unit else closes)
        if (cost > config.start_cash).any():
            row = int(np.argmax(cost))
            raise ConfigError(
                f"order_size={config.order_size!r} is {units[row]:g} units and costs {cost[row]:g} at {name}'s price "
                f"of {closes[row]:g}: start_cash={config.start_cash:g} does not pay for one order. Set a smaller "
                f"order_size, more start_cash or leverage"
            )
