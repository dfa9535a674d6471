"""Orders by sizers, orders of a strategy's own, of several assets too, and what becomes of them at an episode's end."""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, make, rollout
from vecbt.errors import ConfigError
from vecbt.kernels.layout import Instruction

both_modes = pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])

PAIR = {"A": MARKET.rows(0, 1_500), "B": vecbt.data.synthetic_market(1_500, seed=12, name="B")}


def sized(sizer: Any, **parameters: Any) -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.addsizer(sizer, **parameters)
    return cerebro


# -- sizes -------------------------------------------------------------------------------------------------------------


@both_modes
def test_a_fixed_sizer_is_an_order_size(fast: bool) -> None:
    envs = make(3, cerebro=sized(bt.sizers.FixedSize, stake=7), order_size=None, fast=fast)
    assert rollout(envs, 45) == rollout(make(3, order_size=7), 45)


def test_a_sizer_decides_with_every_order() -> None:
    class Cash(bt.Sizer):
        def _getsizing(self, comminfo: Any, cash: float, data: Any, isbuy: bool) -> float:
            return math.floor(0.2 * cash / data.close[0]) if isbuy else 3

    envs = make(1, cerebro=lambda: sized(Cash), order_size=None)
    _, infos = envs.reset(seed=0)
    for action in (1, 1, 2, 1, 2):
        size = math.floor(0.2 * infos["cash"][0] / MARKET.close[infos["bar"][0]]) if action == 1 else -3
        before = infos["position"][0]
        infos = envs.step([action])[4]
        assert infos["position"][0] == before + size
    envs.close()


def test_without_a_sizer_it_is_backtraders_one_unit() -> None:
    class Asking(vecbt.Strategy):
        def next(self) -> None:
            assert self.episode.order_size == (None,)

    envs = make(1, strategy=Asking, order_size=None)
    envs.reset(seed=0)
    assert envs.step([1])[4]["position"].tolist() == [1.0]
    assert envs.step([3])[4]["position"].tolist() == [0.0]
    envs.close()


def test_a_strategys_own_sizer() -> None:
    class Sized(vecbt.Strategy):
        def start(self) -> None:
            self.setsizer(bt.sizers.FixedSize(stake=4))

        def act(self, data: Any, instruction: Instruction, amount: float | None) -> None:
            assert amount is None or instruction == Instruction.CLOSE
            super().act(data, instruction, amount)

    envs = make(1, strategy=Sized, order_size=None)
    envs.reset(seed=0)
    assert [envs.step([action])[4]["position"].item() for action in (1, 1, 2, 3)] == [4.0, 8.0, 4.0, 0.0]
    envs.close()


def test_sizers_are_the_cerebro_engines() -> None:
    assert make(1, engine="auto", order_size=None).worker_pids == ()
    with pytest.raises(ConfigError, match="order_size=None asks a sizer of Backtrader's: give a size"):
        make(1, engine="compiled", order_size=None)


@both_modes
def test_sizes_by_the_names_of_assets(fast: bool) -> None:
    envs = make(2, data=PAIR, order_size={"B": 5, "A": "20%"}, fast=fast)
    _, infos = envs.reset(seed=0)
    units = [math.floor(0.2 * 10_000.0 / PAIR["A"].close[bar]) for bar in infos["start"]]
    infos = envs.step([[1, 1], [1, 2]])[4]
    assert infos["position"].tolist() == [[units[0], 5.0], [units[1], -5.0]]
    envs.close()


@both_modes
def test_schemes_and_sizers_of_a_cerebro_for_each_asset(fast: bool) -> None:
    def cerebro() -> bt.Cerebro:
        mine = sized(bt.sizers.FixedSize, stake=2)
        mine.broker.setcommission(commission=0.5, commtype=bt.CommInfoBase.COMM_FIXED, stocklike=True, name="A")
        mine.broker.setcommission(commission=0.01, name="B")
        return mine

    envs = make(1, data=PAIR, cerebro=cerebro, order_size=None, fast=fast)
    envs.reset(seed=0)
    infos = envs.step([[1, 0]])[4]
    assert infos["costs"].tolist() == [1.0]
    infos = envs.step([[0, 1]])[4]
    assert infos["costs"][0] == 1.0 + 2.0 * 0.01 * PAIR["B"].open[infos["bar"][0]]
    envs.close()


# -- a strategy's own orders -------------------------------------------------------------------------------------------


class Brackets(vecbt.Strategy):
    """BUY means an entry with a stop and a target, of whichever asset; a trailing stop guards what is short."""

    def start(self) -> None:
        self.alive: dict[Any, list[Any]] = {data: [] for data in self.datas}

    def next(self) -> None:
        for data in self.datas:
            if self.getposition(data).size < 0 and not any(order.alive() for order in self.alive[data]):
                self.alive[data] = [self.buy(data, size=1, exectype=bt.Order.StopTrail, trailpercent=0.0004)]

    def act(self, data: Any, instruction: Instruction, amount: float | None) -> None:
        if instruction == Instruction.BUY and not any(order.alive() for order in self.alive[data]):
            close = data.close[0]
            self.alive[data] = self.buy_bracket(
                data, amount, exectype=bt.Order.Market, stopprice=close * 0.9995, limitprice=close * 1.0005
            )
        elif instruction != Instruction.BUY:
            super().act(data, instruction, amount)


@pytest.mark.parametrize("close_out", [False, True])
def test_fast_and_stock_classes_agree_on_orders_of_two_assets(close_out: bool) -> None:
    settings = {"data": PAIR, "strategy": Brackets, "episode_steps": 60, "commission": 0.0005, "order_size": 5}
    batches = [make(4, fast=fast, close_out=close_out, **settings) for fast in (True, False)]
    random = np.random.default_rng(0)
    for envs in batches:
        envs.reset(seed=0)
    trades = 0
    for _ in range(125):
        actions = random.integers(0, 4, (4, 2))
        first, second = (envs.step(actions) for envs in batches)
        assert (first[1] == second[1]).all()
        for name in ("cash", "value", "position", "position_price", "costs", "order_status"):
            assert (first[4][name] == second[4][name]).all()
        if "episode_stats" in first[4]:
            trades += first[4]["episode_stats"]["trades"].sum()
            if close_out:
                assert not first[4]["position"].any()
                assert not first[4]["episode_stats"]["open"].any()
    assert trades > 100
    for envs in batches:
        envs.close()


class Grid(vecbt.Strategy):
    """Leaves limit and stop orders behind on every bar, many of which wait for long."""

    def next(self) -> None:
        for data in self.datas:
            close = data.close[0]
            self.buy(data, size=1, exectype=bt.Order.Limit, price=close * 0.9999)
            self.sell(data, size=1, exectype=bt.Order.Stop, price=close * 0.9998)
            self.buy(data, size=2)


class Calls(Grid):
    def get_done(self) -> bool:
        return self.episode.step == 7


@both_modes
@pytest.mark.parametrize("data", [MARKET, PAIR], ids=["one", "two"])
@pytest.mark.parametrize("strategy", [Grid, Calls])
def test_nothing_is_left_of_them_when_an_episode_is_closed_out(strategy: Any, data: Any, fast: bool) -> None:
    envs = make(3, data=data, strategy=strategy, fast=fast, episode_steps=15, close_out=True)
    envs.reset(seed=0)
    held = ends = 0
    for _ in range(50):
        *_, infos = envs.step(np.zeros(envs.action_space.shape, np.int64))
        ended = infos.get("_episode_stats", np.zeros(3, bool))
        held += np.count_nonzero(infos["position"])
        ends += np.count_nonzero(ended)
        assert not infos["position"][ended].any()
        assert (infos["value"][ended] == infos["cash"][ended]).all()
        if ended.any():
            assert not infos["episode_stats"]["open"].any()
    assert held
    assert ends >= 9
    envs.close()


def test_a_close_out_does_not_ask_what_closing_means() -> None:
    class Stubborn(vecbt.Strategy):
        def act(self, data: Any, instruction: Instruction, amount: float | None) -> None:
            if instruction != Instruction.CLOSE:
                super().act(data, instruction, amount)

    envs = make(1, strategy=Stubborn, close_out=True, episode_steps=4)
    envs.reset(seed=0)
    assert [envs.step([action])[4]["position"].item() > 0.0 for action in (1, 3, 3, 0)] == [True, True, True, False]
    envs.close()
