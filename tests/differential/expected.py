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

__all__ = ["REWARDS", "Account", "Episode", "Record", "Step"]

NONE, DATA_END, STEP_LIMIT, DRAWDOWN_CALL, TARGET_CALL, RUIN = range(6)
REASONS = ("none", "data end", "step limit", "drawdown call", "target call", "ruin")
PRICE_COLUMNS = ("open", "high", "low", "close")


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
    size: float
    price: float
    close: float
    status: float


@dataclasses.dataclass(frozen=True)
class Record:
    """What one environment returns from a reset or a step; `stats` once its episode has ended."""

    observation: dict[str, np.ndarray]
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, float]
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
    nothing = step.terminated or step.after.size == 0.0
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
        self.actions = actions
        self.records: list[Record] = []
        self.end = len(market) - 1 if config.episode_steps is None else start + config.episode_steps * config.skip_frame
        self.bar = start
        self.size = _units(config, market.close[start])
        self.reason = NONE
        self._closing = False
        self._steps = self._bars_in_step = 0
        self._queue: deque[Any] = deque([None] * config.latency)
        self._bars: list[Bar] = []
        self._reward_state: dict[str, float] = {}
        self._own_state = [0.0] * 8
        self._before: Account | None = None
        self._track = _Track(config.start_cash)

    @property
    def rows(self) -> slice:
        """The rows that the episode can have at most."""
        return slice(self.start, self.end + 1)

    def on_bar(self, account: Account) -> tuple[str, float] | None:
        """Enter the close of the next bar.

        Returns:
            An order: ``buy``, ``sell``, ``close``, ``target_size``, ``target_percent`` and its amount; ``hold``; None
            where the episode ends or is left.
        """
        over = not self.records
        if over:
            self._record(account, 0.0, ended=False)
        else:
            self.bar += 1
            self._bars_in_step += 1
            self._track.enter(account)
            self._bars.append(Bar(account.value - self._track.settled, self._track.profit, account.size != 0.0))
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
            self._before = dataclasses.replace(account, status=0.0)
        self._queue.append(decision)
        return self._order(self._queue.popleft())

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
        self._closing = called and config.close_out and not last and account.size != 0.0
        return self.reason != NONE and not self._closing

    def _order(self, decision: Any) -> tuple[str, float]:
        config = self.config
        if self._closing or (config.close_out and self.bar == self.end - 1):
            return "close", 0.0
        if decision is None:
            return "hold", 0.0
        if config.actions == "target_percent":
            return "target_percent", float(decision[0])
        if config.actions == "target_position":
            return "target_size", config.positions[decision] * self.size
        return ("hold", "buy", "sell", "close")[decision], self.size

    def _reward(self, account: Account, ended: bool) -> float:
        assert self._before is not None
        terminated = ended and self.reason >= DRAWDOWN_CALL
        own = self.config.reward
        if callable(own):
            reward = own(dataclasses.astuple(self._before), dataclasses.astuple(account), self._own_state)
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
            "position": account.size,
            "position_price": account.price,
            "bar": self.bar,
            "start": self.start,
            "timestamp": int(self.market.timestamps[self.bar]) // 1_000_000_000,
            "order_status": int(account.status),
        }
        stats = self._stats(account) if ended else None
        row = dataclasses.astuple(account)
        observation = self._observation(account)
        self.records.append(Record(observation, reward, terminated, ended and not terminated, info, row, stats))

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
            "open": account.size != 0.0,
            "reason": self.reason,
            "episode": self.number,
            "start": self.start,
            "end": self.bar,
            "trial": 0,  # all rows are the only one
        }

    def _observation(self, account: Account) -> dict[str, np.ndarray]:
        config = self.config
        market, own = np.zeros(0, np.float32), np.zeros(0, np.float32)
        if config.window:
            rows = slice(self.bar - config.window + 1, self.bar + 1)
            columns = [self.market.column(name)[rows] for name in config.features]
            if config.normalize == "window":
                columns = [
                    _own_scale(name, column, account.close)
                    for name, column in zip(config.features, columns, strict=True)
                ]
            market = np.array(columns, np.float64).T.astype(np.float32)
        if config.account_features:
            own = np.array([self._feature(name, account) for name in config.account_features], np.float64).astype(
                np.float32
            )
        if config.flatten:
            return {"": np.concatenate([market.reshape(-1), own])}
        parts = {"market": market} if config.window else {}
        if config.account_features:
            parts["account"] = own
        return parts if len(parts) > 1 else {"": next(iter(parts.values()))}

    def _feature(self, name: str, account: Account) -> float:
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
            case "exposure":
                return account.size / (cash * account.leverage + 0.01)
            case "drawdown":
                return track.drawdown
            case "pos_direction":
                return float((account.size > 0.0) - (account.size < 0.0))
            case "pos_duration":
                return float(track.duration)
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

    def __init__(self, start_cash: float) -> None:
        self.peak = self.settled = self.highest = self.lowest = self.value = start_cash
        self.drawdown = self.max_drawdown = self.profit = 0.0
        self.reward = self.returns = self.squares = 0.0
        self.bars = self.exposed = self.duration = 0
        self._trades = self._realized = self._side = 0.0

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
        was_open, side = self._side != 0.0, float((account.size > 0.0) - (account.size < 0.0))
        self.duration = 0 if side == 0.0 else self.duration + 1 if side == self._side else 1
        self._side = side
        self.exposed += side != 0.0
        traded = account.trades != self._trades
        self.profit = account.realized - self._realized
        self._trades, self._realized = account.trades, account.realized
        if traded:
            self.settled = value
        if traded or side == 0.0 or not was_open:
            self.highest = self.lowest = value
        else:
            self.highest, self.lowest = max(self.highest, value), min(self.lowest, value)


def _units(config: Any, close: float) -> float:
    """Units of a buy or sell in an episode whose first close this is."""
    size = config.order_size
    if not isinstance(size, str):
        return float(size)
    fraction = float(size.removesuffix("%")) / 100.0
    return math.floor(fraction * config.start_cash / close / config.lot) * config.lot


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
