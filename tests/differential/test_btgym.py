"""``preset="btgym"`` against a strategy of plain Backtrader that is timed and rewarded as BTGym's are.

BTGym turns what the agent has decided on a bar into an order on the next bar, which Backtrader fills on the one after
that. It keeps the open profit and that of closed trades of the last four bars, and makes its reward of them. What
differs is on purpose: a call closes the position instead of placing the order that is due on its bar, so that the
episode ends one bar after it, not two, and a drawdown is known on its own bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import backtrader as bt
import numpy as np
import pytest

import vecbt
from tests.differential.stock import COLUMNS, ListFeed
from tests.envs import MARKET
from vecbt.data.bars import Bars
from vecbt.kernels.layout import Reason

CASH, COMMISSION, SIZE = 10_000.0, 0.0005, 30
BUFFER = 4
"""Bars of which BTGym keeps its statistics."""


class Reference(bt.Strategy):
    """Follows actions as BTGym does, and writes down what every reply to the agent holds."""

    params = (("frame", 1), ("actions", None), ("size", 1.0), ("last", 0), ("calls", (10.0, 10.0)), ("scale", 1.0))

    def __init__(self) -> None:
        self.replies: list[tuple[float, float, float]] = []
        self.open_profits: deque[float] = deque([0.0] * BUFFER, BUFFER)
        self.profits: deque[float] = deque([0.0] * BUFFER, BUFFER)
        self.held = 0
        self.settled = self.peak = CASH
        self.realized = self.realized_before = 0.0  # an account's profit so far, whose last bits differ from a trade's
        self.closed = False
        self.decided = "hold"
        self.ending: int | None = None
        self.reason = Reason.STEP_LIMIT

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.closed = True
            self.realized += trade.pnlcomm

    def next(self) -> None:
        bar = len(self) - 1
        value = self.broker.getvalue()
        self.keep_statistics(value)
        if self.ending is None:
            self.look_for_calls(bar, value)
        if bar == self.p.last - 1 or self.ending == bar + 1:
            self.close()
        elif self.ending is None:
            self.order()
        at_frame = bar % self.p.frame == 0 and self.ending is None  # a step goes on to the bar that closes
        if at_frame or bar in (self.ending, self.p.last):
            self.replies.append((self.reward(), value, self.position.size))
            self.decided = next(self.p.actions)
        if bar in (self.ending, self.p.last):
            self.env.runstop()

    def order(self) -> None:
        if self.decided == "buy":
            self.buy(size=self.p.size)
        elif self.decided == "sell":
            self.sell(size=self.p.size)
        elif self.decided == "close":
            self.close()
        self.decided = "hold"

    def keep_statistics(self, value: float) -> None:
        unit = CASH * sum(self.p.calls) / 100.0
        if self.closed:
            self.settled = value
        self.open_profits.append((value - self.settled) / unit)
        self.profits.append((self.realized - self.realized_before) / unit)
        self.closed, self.realized_before = False, self.realized
        self.held = self.held + 1 if self.position.size else 0

    def look_for_calls(self, bar: int, value: float) -> None:
        drawdown_call, target_call = self.p.calls
        self.peak = max(self.peak, value)
        if 100.0 * (self.peak - value) / self.peak >= drawdown_call:
            self.reason = Reason.DRAWDOWN_CALL
        elif value > CASH * (1.0 + target_call / 100.0):
            self.reason = Reason.TARGET_CALL
        else:
            return
        self.ending = bar + 1 if self.position.size and bar < self.p.last else bar

    def reward(self) -> float:
        u, p = np.array(self.open_profits), np.array(self.profits)
        n, d, gamma, scale = self.p.frame, self.held, 0.99, self.p.scale
        shaping = 0.0
        if 0 < d < n:
            shaping = gamma * np.mean(u[-d:])
        elif n <= d < 2 * n:
            shaping = gamma * np.mean(u[-n:]) - np.mean(u[-(n + d) : -n])
        elif d >= 2 * n:
            shaping = gamma * np.mean(u[-n:]) - np.mean(u[-2 * n : -n])
        return float(np.clip(scale * (10.0 * shaping + 10.0 * np.sum(p[-n:])), -scale, scale))


def run_reference(bars: Bars, start: int, actions: Iterator[str], **parameters: Any) -> Reference:
    rows = slice(start, start + parameters["last"] + 1)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=COMMISSION)
    cerebro.broker.set_shortcash(False)
    times = bars.timestamps[rows].astype("datetime64[ns]").astype("datetime64[us]").tolist()
    cerebro.adddata(ListFeed(columns={name: bars.column(name)[rows].tolist() for name in COLUMNS}, times=times))
    cerebro.addstrategy(Reference, actions=actions, **parameters)
    (strategy,) = cerebro.run()
    return strategy


NAMES = ("hold", "buy", "sell", "close")


def wild(rows: int = 400) -> Bars:
    """Bars that move by some percent each, so that calls come soon."""
    random = np.random.default_rng(4)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.03, rows)))
    opens = close * np.exp(random.normal(0.0, 0.01, rows))
    high, low = np.maximum(opens, close) * 1.002, np.minimum(opens, close) * 0.998
    return Bars.from_arrays(MARKET.timestamps[:rows], opens, high, low, close, name="WILD")


@pytest.mark.parametrize("engine", ["cerebro", "compiled"])
@pytest.mark.parametrize("frame", [1, 2, 3])
@pytest.mark.parametrize(("bars", "scale"), [(MARKET, 1.0), (wild(), 0.3)], ids=["calm", "calls"])
def test_the_preset_is_btgyms_timing_and_reward(engine: str, frame: int, bars: Bars, scale: float) -> None:
    steps, num_envs = 25, 6
    envs = vecbt.make_vec(
        bars,
        num_envs=num_envs,
        engine=engine,
        num_workers=0,
        preset="btgym",
        skip_frame=frame,
        episode_steps=steps,
        order_size=SIZE,
        commission=COMMISSION,
        reward_scale=scale,
    )
    actions = np.random.default_rng(frame).choice(4, (steps + 1, num_envs), p=(0.5, 0.2, 0.2, 0.1))
    _, infos = envs.reset(seed=frame)
    expected = [
        run_reference(
            bars,
            int(infos["start"][env]),
            iter([NAMES[action] for action in actions[:, env]] + ["hold"]),
            frame=frame,
            size=SIZE,
            last=steps * frame,
            scale=scale,
        )
        for env in range(num_envs)
    ]
    over = np.zeros(num_envs, bool)
    kinds: set[int] = set()
    rewards: list[float] = []
    for step in range(1, steps + 1):
        _, got, terminations, truncations, infos = envs.step(actions[step - 1])
        for env in np.flatnonzero(~over):
            reward, value, position = expected[env].replies[step]
            assert got[env] == reward
            assert infos["value"][env] == value
            assert infos["position"][env] == position
            rewards.append(reward)
        ended = (terminations | truncations) & ~over
        for env in np.flatnonzero(ended):
            assert step == len(expected[env].replies) - 1
            assert infos["episode_stats"]["reason"][env] == expected[env].reason
            assert infos["position"][env] == 0.0
            kinds.add(int(expected[env].reason))
        over |= ended
    envs.close()
    assert over.all()
    assert len({reward for reward in rewards if reward}) > 20
    if bars is not MARKET:
        assert {scale, -scale} <= set(rewards)  # clipped
        assert {Reason.DRAWDOWN_CALL, Reason.TARGET_CALL} & kinds
