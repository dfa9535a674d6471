"""What an environment should return, written down in plain Python from the documented formulas.

Nothing of the engines or their kernels is used: `Episode` follows an account that somebody else keeps, says what to do
at the close of each bar, and records what a step has to return.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["REWARDS", "Account", "Episode", "Holding", "Record", "Step", "by_asset"]

NONE, DATA_END, STEP_LIMIT, DRAWDOWN_CALL, TARGET_CALL, RUIN = range(6)
REASONS = ("none", "data end", "step limit", "drawdown call", "target call", "ruin")
PRICE_COLUMNS = ("open", "high", "low", "close")


@dataclasses.dataclass(frozen=True)
class Holding:
    """What an account has of one asset, the bar's close, and the worst that has become of an order in the step."""

    size: float
    price: float
    close: float
    status: float


@dataclasses.dataclass(frozen=True)
class Account:
    """An account at the close of a bar; counts and sums are those since the episode's start."""

    cash: float
    value: float
    leverage: float
    costs: float
    fills: float
    trades: float
    wins: float
    realized: float
    gains: float
    holdings: tuple[Holding, ...]

    @property
    def is_flat(self) -> bool:
        """Whether it has a position in no asset."""
        return all(holding.size == 0.0 for holding in self.holdings)

    @property
    def row(self) -> tuple[float, ...]:
        """The columns of an account row."""
        own = [getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "holdings"]
        return (*own, *(number for holding in self.holdings for number in dataclasses.astuple(holding)))


@dataclasses.dataclass(frozen=True)
class Record:
    """What one environment returns from a reset or a step; `stats` once its episode has ended."""

    observation: dict[str, np.ndarray]
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    row: tuple[float, ...] | None
    stats: dict[str, float] | None


@dataclasses.dataclass(frozen=True)
class Bar:
    """What BTGym's rewards know of a bar: the open profit and that of the trades closed on it, in currency."""

    unrealized: float
    realized: float
    is_open: bool


@dataclasses.dataclass
class Step:
    """What a reward may depend on.

    Attributes:
        before: The account at the observation before.
        after: The account now.
        terminated: Whether the episode has been terminated with this step.
        bars: All bars since the first observation.
        config: The configuration, defaults included.
        state: Whatever a reward has to remember; empty at an episode's start.
    """

    before: Account
    after: Account
    terminated: bool
    bars: list[Bar]
    config: Any
    state: dict[str, float]


def log_return(step: Step) -> float:
    return step.config.reward_scale * math.log(max(step.after.value, 1e-8 * step.config.start_cash) / step.before.value)


def pnl(step: Step) -> float:
    return step.config.reward_scale * (step.after.value - step.before.value)


def btgym(step: Step) -> float:
    config, frame = step.config, step.config.skip_frame
    unit = _btgym_unit(config)
    open_profits = [0.0] * 4 + [bar.unrealized / unit for bar in step.bars]
    profits = [0.0] * 4 + [bar.realized / unit for bar in step.bars]
    held = 0
    while held < len(step.bars) and step.bars[-1 - held].is_open:
        held += 1
    shaping = 0.0
    if 0 < held < frame:
        shaping = config.gamma * _mean(open_profits[-held:])
    elif held:
        frame_before = open_profits[-4:][:-frame][-frame:]
        shaping = config.gamma * _mean(open_profits[-frame:]) - _mean(frame_before)
    reward = config.reward_scale * (10.0 * shaping + 10.0 * _total(profits[-frame:]))
    bound = abs(config.reward_scale)
    return min(max(reward, -bound), bound)


def btgym_potential(step: Step) -> float:
    config, unit = step.config, _btgym_unit(step.config)
    before = step.state.get("potential", 0.0)
    nothing = step.terminated or step.after.is_flat
    after = step.state["potential"] = 0.0 if nothing else step.bars[-1].unrealized / unit
    profit = (step.after.realized - step.before.realized) / unit
    return config.reward_scale * (10.0 * (config.gamma * after - before) + 10.0 * profit)


def differential_sharpe(step: Step) -> float:
    a, b = step.state.get("a", 0.0), step.state.get("b", 0.0)
    r = step.after.value / step.before.value - 1.0
    to_a, to_b = r - a, r * r - b
    step.state["a"], step.state["b"] = a + 0.01 * to_a, b + 0.01 * to_b
    variance = b - a * a
    if variance < 1e-12:
        return 0.0 * step.config.reward_scale
    ratio = (b * to_a - 0.5 * a * to_b) / (variance * math.sqrt(variance))
    return step.config.reward_scale * min(max(ratio, -10.0), 10.0)


REWARDS: dict[str, Callable[[Step], float]] = {
    "log_return": log_return,
    "pnl": pnl,
    "btgym": btgym,
    "btgym_potential": btgym_potential,
    "differential_sharpe": differential_sharpe,
}
"""Rewards by name."""


def _btgym_unit(config: Any) -> float:
    low = 10.0 if config.drawdown_call is None else config.drawdown_call
    high = 10.0 if config.target_call is None else config.target_call
    return config.start_cash * (low + high) / 100.0


def _total(numbers: list[float]) -> float:
    total = 0.0
    for number in numbers:  # not sum(), which compensates from Python 3.12 on
        total += number
    return total


def _mean(numbers: list[float]) -> float:
    return _total(numbers) / len(numbers)


class Episode:
    """One episode of one environment.

    Args:
        config: A `vecbt.EnvConfig`.
        market: The bars.
        start: Row of the first observation.
        number: Number of the episode since the seeding.
        actions: The agent's actions from here on; the episode is left where they run out.
    """

    def __init__(self, config: Any, market: Any, start: int, number: int, actions: Iterator[Any]) -> None:
        self.config, self.market, self.start, self.number = config, market, start, number
        self.assets = by_asset(market)
        self.actions = actions
        self.records: list[Record] = []
        self.end = len(market) - 1 if config.episode_steps is None else start + config.episode_steps * config.skip_frame
        self.bar = start
        self.sizes = _units(config, [bars.close[start] for bars in self.assets.values()])
        self.reason = NONE
        self._closing = False
        self._steps = self._bars_in_step = 0
        self._queue: deque[Any] = deque([None] * config.latency)
        self._bars: list[Bar] = []
        self._reward_state: dict[str, float] = {}
        self._own_state = [0.0] * 8
        self._before: Account | None = None
        self._track = _Track(config.start_cash, len(self.assets))

    @property
    def rows(self) -> slice:
        """The rows that the episode can have at most."""
        return slice(self.start, self.end + 1)

    def on_bar(self, account: Account) -> list[tuple[str, float]] | None:
        """Enter the close of the next bar.

        Returns:
            An order for each asset: ``buy``, ``sell``, ``close``, ``target_size``, ``target_percent`` and its amount,
            or ``hold``; None where the episode ends or is left.
        """
        over = not self.records
        if over:
            self._record(account, 0.0, ended=False)
        else:
            self.bar += 1
            self._bars_in_step += 1
            self._track.enter(account)
            self._bars.append(Bar(account.value - self._track.settled, self._track.profit, not account.is_flat))
            ended = self._ends(account)
            if ended or (self._bars_in_step == self.config.skip_frame and not self._closing):
                over = True
                self._record(account, self._reward(account, ended), ended)
            if ended:
                return None
        decision = None
        if over:
            decision = next(self.actions, None)
            if decision is None:
                return None
            self._steps += 1
            self._bars_in_step = 0
            self._before = dataclasses.replace(
                account, holdings=tuple(dataclasses.replace(one, status=0.0) for one in account.holdings)
            )
        self._queue.append(decision)
        return self._orders(self._queue.popleft())

    @property
    def step_begins(self) -> bool:
        """Whether a step has begun with the last bar that was entered."""
        return self._bars_in_step == 0

    def _ends(self, account: Account) -> bool:
        if self._closing:
            return True
        config, last = self.config, self.bar == self.end
        if not account.value > 0.0:
            self.reason = RUIN
        elif config.drawdown_call is not None and self._track.drawdown >= config.drawdown_call:
            self.reason = DRAWDOWN_CALL
        elif config.target_call is not None and account.value > config.start_cash * (1.0 + config.target_call / 100.0):
            self.reason = TARGET_CALL
        elif last:
            self.reason = DATA_END if config.episode_steps is None else STEP_LIMIT
        called = self.reason in (DRAWDOWN_CALL, TARGET_CALL)
        self._closing = called and config.close_out and not last and not account.is_flat
        return self.reason != NONE and not self._closing

    def _orders(self, decision: Any) -> list[tuple[str, float]]:
        config = self.config
        if self._closing or (config.close_out and self.bar == self.end - 1):
            return [("close", 0.0)] * len(self.sizes)
        if decision is None:
            return [("hold", 0.0)] * len(self.sizes)
        decisions = np.reshape(decision, len(self.sizes)).tolist()
        if config.actions == "target_percent":
            scale = max(_total([abs(weight) for weight in decisions]), 1.0)
            return [("target_percent", weight / scale) for weight in decisions]
        if config.actions == "target_position":
            return [
                ("target_size", config.positions[code] * size) for code, size in zip(decisions, self.sizes, strict=True)
            ]
        names = ("hold", "buy", "sell", "close")
        return [(names[code], size) for code, size in zip(decisions, self.sizes, strict=True)]

    def _reward(self, account: Account, ended: bool) -> float:
        assert self._before is not None
        terminated = ended and self.reason >= DRAWDOWN_CALL
        own = self.config.reward
        if callable(own):
            reward = own(self._before.row, account.row, self._own_state)
        else:
            reward = REWARDS[own](Step(self._before, account, terminated, self._bars, self.config, self._reward_state))
        self._track.reward += reward
        return reward

    def _record(self, account: Account, reward: float, ended: bool) -> None:
        terminated = ended and self.reason >= DRAWDOWN_CALL
        info = {
            "cash": account.cash,
            "value": account.value,
            "drawdown": self._track.drawdown,
            "costs": account.costs,
            "position": self._columns([one.size for one in account.holdings]),
            "position_price": self._columns([one.price for one in account.holdings]),
            "bar": self.bar,
            "start": self.start,
            "timestamp": int(self.market.timestamps[self.bar]) // 1_000_000_000,
            "order_status": self._columns([int(one.status) for one in account.holdings], np.int8),
        }
        stats = self._stats(account) if ended else None
        observation = self._observation(account)
        self.records.append(Record(observation, reward, terminated, ended and not terminated, info, account.row, stats))

    @staticmethod
    def _columns(numbers: list[Any], dtype: type = np.float64) -> Any:
        """A number for each asset; of one asset the number itself."""
        return numbers[0] if len(numbers) == 1 else np.array(numbers, dtype)

    def _stats(self, account: Account) -> dict[str, float]:
        track, config = self._track, self.config
        bars = float(track.bars)
        mean = track.returns / bars
        sharpe = 0.0
        if track.bars > 1:
            variance = (track.squares - bars * mean * mean) / (bars - 1.0)
            if variance > 0.0:
                stamps = self.market.timestamps
                seconds = float(stamps[-1] - stamps[0]) / 1e9
                per_year = (len(stamps) - 1) * (365.25 * 86_400.0) / seconds
                sharpe = mean / math.sqrt(variance) * math.sqrt(per_year)
        losses = account.gains - account.realized
        profit_factor = math.inf if account.gains > 0.0 else math.nan
        if losses > 0.0:
            profit_factor = account.gains / losses
        return {
            "r": track.reward,
            "l": self._steps,
            "bars": track.bars,
            "value": account.value,
            "total_return": account.value / config.start_cash - 1.0,
            "max_drawdown": track.max_drawdown,
            "sharpe": sharpe,
            "trades": int(account.trades),
            "win_rate": account.wins / account.trades if account.trades else math.nan,
            "profit_factor": profit_factor,
            "exposure": track.exposed / bars,
            "costs": account.costs,
            "open": not account.is_flat,
            "reason": self.reason,
            "episode": self.number,
            "start": self.start,
            "end": self.bar,
            "trial": 0,  # all rows are the only one, and all are for training
            "trial_type": 0,
            "sample_type": 0,
        }

    def _observation(self, account: Account) -> dict[str, np.ndarray]:
        config = self.config
        market, own = np.zeros(0, np.float32), np.zeros(0, np.float32)
        if config.window:
            rows = slice(self.bar - config.window + 1, self.bar + 1)
            columns = []
            for name in config.features:
                for bars, holding in zip(self.assets.values(), account.holdings, strict=True):
                    column = bars.column(name)[rows]
                    columns.append(_own_scale(name, column, holding.close) if config.normalize == "window" else column)
            market = np.array(columns, np.float64).T.astype(np.float32)
        if config.account_features:
            numbers = [number for name in config.account_features for number in self._feature(name, account)]
            own = np.array(numbers, np.float64).astype(np.float32)
        if config.flatten:
            return {"": np.concatenate([market.reshape(-1), own])}
        parts = {"market": market} if config.window else {}
        if config.account_features:
            parts["account"] = own
        return parts if len(parts) > 1 else {"": next(iter(parts.values()))}

    def _feature(self, name: str, account: Account) -> list[float]:
        """The columns of an account feature: one for each asset of what belongs to a position."""
        sizes = [holding.size for holding in account.holdings]
        match name:
            case "exposure":
                return [size / (self.config.start_cash * account.leverage + 0.01) for size in sizes]
            case "pos_direction":
                return [_sign(size) for size in sizes]
            case "pos_duration":
                return [float(duration) for duration in self._track.durations]
        return [self._feature_of_all(name, account)]

    def _feature_of_all(self, name: str, account: Account) -> float:
        config, track = self.config, self._track
        cash = config.start_cash
        low = 10.0 if config.drawdown_call is None else config.drawdown_call
        high = 10.0 if config.target_call is None else config.target_call
        unit = _btgym_unit(config)
        match name:
            case "cash":
                return _on_scale(account.cash, 99.0, high, cash)
            case "value":
                return _on_scale(account.value, low, high, cash)
            case "drawdown":
                return track.drawdown
            case "realized_pnl":
                return track.profit / unit
            case "unrealized_pnl":
                return (account.value - track.settled) / unit
            case "min_unrealized_pnl":
                return (track.lowest - track.settled) / unit
            case "max_unrealized_pnl":
                return (track.highest - track.settled) / unit
        raise NotImplementedError(name)


class _Track:
    """What is remembered of the bars of an episode."""

    def __init__(self, start_cash: float, assets: int) -> None:
        self.peak = self.settled = self.highest = self.lowest = self.value = start_cash
        self.drawdown = self.max_drawdown = self.profit = 0.0
        self.reward = self.returns = self.squares = 0.0
        self.bars = self.exposed = 0
        self.durations = [0] * assets
        self._sides = [0.0] * assets
        self._trades = self._realized = 0.0

    def enter(self, account: Account) -> None:
        value = account.value
        change = value / self.value - 1.0
        self.returns += change
        self.squares += change * change
        self.value = value
        self.bars += 1
        self.peak = max(self.peak, value)
        self.drawdown = 100.0 * (self.peak - value) / self.peak
        self.max_drawdown = max(self.max_drawdown, self.drawdown)
        was_open, sides = any(self._sides), [_sign(holding.size) for holding in account.holdings]
        self.durations = [
            0 if side == 0.0 else duration + 1 if side == before else 1
            for duration, side, before in zip(self.durations, sides, self._sides, strict=True)
        ]
        self._sides = sides
        self.exposed += any(sides)
        traded = account.trades != self._trades
        self.profit = account.realized - self._realized
        self._trades, self._realized = account.trades, account.realized
        if traded:
            self.settled = value
        if traded or not any(sides) or not was_open:
            self.highest = self.lowest = value
        else:
            self.highest, self.lowest = max(self.highest, value), min(self.lowest, value)


def by_asset(market: Any) -> dict[str, Any]:
    """The bars of each asset by its name."""
    return dict(getattr(market, "by_asset", None) or {market.name: market})


def _units(config: Any, closes: list[float]) -> list[float]:
    """Units of a buy or sell of each asset in an episode whose first closes these are."""
    sizes = config.order_size if isinstance(config.order_size, tuple) else (config.order_size,) * len(closes)
    return [_units_of(config, size, close) for size, close in zip(sizes, closes, strict=True)]


def _units_of(config: Any, size: float | str, close: float) -> float:
    if not isinstance(size, str):
        return float(size)
    fraction = float(size.removesuffix("%")) / 100.0
    return math.floor(fraction * config.start_cash / close / config.lot) * config.lot


def _sign(number: float) -> float:
    return float((number > 0.0) - (number < 0.0))


def _on_scale(amount: float, low: float, high: float, start_cash: float) -> float:
    place = ((amount / start_cash - 1.0) * 100.0 - high) / (low + high) + 1.0
    return 2.0 * min(max(place, 1e-8), 1.0 - 1e-8) - 1.0


def _own_scale(name: str, column: np.ndarray, close: float) -> list[float]:
    values = column.tolist()
    if name in PRICE_COLUMNS:
        return [value / close - 1.0 for value in values]
    mean = _mean(values)
    deviation = math.sqrt(_mean([(value - mean) * (value - mean) for value in values]))
    return [(value - mean) / deviation if deviation > 0.0 else 0.0 for value in values]
