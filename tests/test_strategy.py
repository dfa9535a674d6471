from __future__ import annotations

from typing import Any

import backtrader as bt
import gymnasium
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, make
from vecbt.errors import ConfigError, StrategyError
from vecbt.kernels.layout import Instruction, Reason

BOX = gymnasium.spaces.Box(-1e9, 1e9, (2,), np.float32)
both_modes = pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])


class Hooked(vecbt.Strategy):
    """Indicators, an observation, a reward, an end and infos of its own."""

    params = (("period", 7), ("end_after", None))
    state_shape = {"trend": BOX}  # noqa: RUF012
    info_keys = ("average", "twice")

    def set_datalines(self) -> None:
        self.average = bt.indicators.SMA(self.data.close, period=self.p.period)
        self.above = self.data.close > self.average

    def get_trend_state(self) -> Any:
        return [self.average[0], self.above[0]]

    def get_reward(self) -> float:
        return self.episode.account.value - self.episode.previous.value + 100.0

    def get_done(self) -> bool:
        return self.p.end_after is not None and self.episode.bar - self.episode.start >= self.p.end_after

    def get_info(self) -> dict[str, float]:
        return {"average": self.average[0], "twice": 2.0 * self.episode.step}


@both_modes
@pytest.mark.parametrize("num_workers", [0, 2])
def test_hooks(fast: bool, num_workers: int) -> None:
    envs = make(3, strategy=(Hooked, {"period": 11}), fast=fast, num_workers=num_workers, order_size=4)
    assert isinstance(envs.single_observation_space, gymnasium.spaces.Dict)
    assert set(envs.single_observation_space) == {"market", "trend"}
    observations, infos = envs.reset(seed=0)
    value = infos["value"]
    for step in range(1, 25):
        observations, rewards, _, truncations, infos = envs.step([1, 2, 0])
        reset = infos["bar"] == infos["start"]
        for env in range(3):
            bar = infos["bar"][env]
            average = np.mean(MARKET.close[bar - 10 : bar + 1])
            assert observations["trend"][env, 0] == pytest.approx(average, rel=1e-6)
            assert observations["trend"][env, 1] == float(MARKET.close[bar] > infos["average"][env])
            assert infos["average"][env] == pytest.approx(average, rel=1e-12)
            assert rewards[env] == (0.0 if reset[env] else infos["value"][env] - value[env] + 100.0)
            assert infos["twice"][env] == 2.0 * (step if step <= 20 else step - 21)
        if truncations.all():
            stats = infos["episode_stats"]
            assert stats["r"].tolist() == pytest.approx((infos["value"] - 10_000.0 + 2_000.0).tolist())
        value = infos["value"]
    envs.close()


@both_modes
def test_a_strategy_ends_its_episode(fast: bool) -> None:
    envs = make(2, strategy=(Hooked, {"end_after": 4}), fast=fast, skip_frame=3)
    envs.reset(seed=0)
    _, _, terminations, _, _ = envs.step([0, 0])
    assert not terminations.any()
    _, _, terminations, truncations, infos = envs.step([0, 0])
    assert terminations.all()  # on the first bar of the frame, and the step ends there
    assert not truncations.any()
    assert (infos["bar"] - infos["start"] == 4).all()
    assert infos["episode_stats"]["reason"].tolist() == [Reason.STRATEGY] * 2
    envs.close()


def test_final_observations_of_a_strategy() -> None:
    envs = make(2, strategy=Hooked, autoreset_mode="SameStep", episode_steps=3)
    other = make(2, strategy=Hooked, episode_steps=3)
    envs.reset(seed=0)
    other.reset(seed=0)
    for _ in range(3):
        got, expected = envs.step([1, 0]), other.step([1, 0])
    assert (got[4]["final_obs"]["trend"] == expected[0]["trend"]).all()
    assert (got[4]["final_info"]["average"] == expected[4]["average"]).all()
    envs.close()
    other.close()


@both_modes
def test_indicators_are_warm_at_the_first_observation_and_equal_to_a_long_run(fast: bool) -> None:
    envs = make(4, strategy=(Hooked, {"period": 200}), window=3, fast=fast)
    observations, infos = envs.reset(seed=0)
    assert infos["start"].min() >= 199
    for env in range(4):
        bar = infos["bar"][env]
        assert observations["trend"][env, 0] == pytest.approx(np.mean(MARKET.close[bar - 199 : bar + 1]), rel=1e-6)
    envs.close()


@both_modes
def test_next_runs_on_every_bar_from_the_first_observation_on(fast: bool) -> None:
    calls: list[tuple[str, int]] = []

    class Counting(vecbt.Strategy):
        def set_datalines(self) -> None:
            bt.indicators.SMA(self.data.close, period=5)

        def prenext(self) -> None:
            calls.append(("prenext", len(self)))

        def nextstart(self) -> None:
            calls.append(("nextstart", len(self)))

        def next(self) -> None:
            calls.append(("next", len(self)))

        def stop(self) -> None:
            calls.append(("stop", len(self)))

    envs = make(1, strategy=Counting, episode_steps=4, window=1, fast=fast)
    envs.reset(seed=0)
    for _ in range(4):
        envs.step([0])
    names = [name for name, _ in calls]
    assert names.count("nextstart") == 1
    first = names.index("nextstart")
    assert names[:first] == ["prenext"] * 4
    assert names[first + 1 :] == ["next"] * 4 + ["stop"]
    assert [length for _, length in calls[:-1]] == list(range(1, len(calls)))
    envs.close()


class Bracket(vecbt.Strategy):
    """BUY means an entry with a stop and a target."""

    def act(self, data: Any, instruction: Instruction, amount: float) -> None:
        if instruction == Instruction.BUY and not self.position and not any(order.alive() for order in self.orders):
            close = data.close[0]
            self.orders = self.buy_bracket(
                data, amount, exectype=bt.Order.Market, stopprice=close * 0.9995, limitprice=close * 1.0005
            )
        elif instruction != Instruction.BUY:
            super().act(data, instruction, amount)

    def start(self) -> None:
        self.orders: list[Any] = []
        self.seen: list[str] = []

    def notify_order(self, order: Any) -> None:
        self.seen.append(order.getstatusname())


@both_modes
def test_an_action_may_stand_for_other_orders(fast: bool) -> None:
    envs = make(8, strategy=Bracket, fast=fast, episode_steps=200)
    envs.reset(seed=0)
    for _ in range(200):
        infos = envs.step(np.ones(8, np.int64))[4]
    stats = infos["episode_stats"]
    assert (stats["trades"] > 2).all()
    assert 0.0 < np.nanmean(stats["win_rate"]) < 1.0
    envs.close()


def test_fast_and_stock_classes_agree_on_brackets() -> None:
    envs = [make(4, strategy=Bracket, fast=fast, episode_steps=100) for fast in (True, False)]
    for batch in envs:
        batch.reset(seed=0)
    for _ in range(120):
        first, second = (batch.step([1, 1, 1, 3]) for batch in envs)
        for name in ("cash", "value", "position", "costs", "order_status"):
            assert (first[4][name] == second[4][name]).all()
    for batch in envs:
        batch.close()


@both_modes
def test_a_users_own_cerebro(fast: bool) -> None:
    finished: list[Any] = []

    class Keeping(vecbt.Strategy):
        def stop(self) -> None:
            finished.append(self.analyzers.trades.get_analysis())

    def cerebro() -> bt.Cerebro:
        mine = bt.Cerebro(stdstats=False)
        mine.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        mine.addsizer(bt.sizers.FixedSize, stake=3)
        mine.broker.setcommission(commission=0.002)
        return mine

    envs = make(1, cerebro=cerebro, strategy=Keeping, fast=fast, episode_steps=12, order_size=5)
    envs.reset(seed=0)
    for step in range(12):
        _, _, _, truncations, infos = envs.step([(1, 0, 3, 0)[step % 4]])
    assert truncations.all()
    assert infos["episode_stats"]["trades"][0] == 3
    assert finished[0].total.closed == 3
    assert infos["costs"][0] == pytest.approx(0.002 * 5 * 6 * MARKET.close[infos["bar"][0]], rel=0.05)
    envs.close()


def test_random_numbers_of_a_strategy_belong_to_its_episode() -> None:
    class Noisy(vecbt.Strategy):
        def get_reward(self) -> float:
            return float(self.episode.np_random.random())

    first, second = make(3, strategy=Noisy, episode_steps=5), make(3, strategy=Noisy, episode_steps=5, num_workers=2)
    draws = []
    for envs in (first, second):
        envs.reset(seed=1)
        draws.append([envs.step([0, 0, 0])[1].tolist() for _ in range(12)])
        envs.close()
    assert draws[0] == draws[1]
    rewards = np.array([row for row in draws[0] if any(row)])
    assert len(np.unique(rewards)) == rewards.size


class Failing(vecbt.Strategy):
    def next(self) -> None:
        if self.episode.index == 2 and self.episode.step == 3:
            raise ZeroDivisionError("in next()")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_exception_of_a_strategy_names_its_environment(num_workers: int) -> None:
    envs = make(4, strategy=Failing, num_workers=num_workers)
    envs.reset(seed=0)
    envs.step([0] * 4)
    envs.step([0] * 4)
    with pytest.raises(ZeroDivisionError, match=r"in next\(\)") as caught:
        envs.step([0] * 4)
    assert "environment 2" in caught.value.__notes__[0]
    with pytest.raises(vecbt.errors.EpisodeError, match="reset"):
        envs.step([0] * 4)
    envs.reset(seed=0)
    envs.step([0] * 4)
    envs.close()


class WrongShape(vecbt.Strategy):
    state_shape = {"trend": BOX}  # noqa: RUF012

    def get_trend_state(self) -> Any:
        return [1.0, 2.0, 3.0]


class NanReward(vecbt.Strategy):
    def get_reward(self) -> float:
        return float("nan")


class MissingInfo(vecbt.Strategy):
    info_keys = ("a", "b")

    def get_info(self) -> dict[str, float]:
        return {"a": 1.0}


class EarlyOrder(vecbt.Strategy):
    def set_datalines(self) -> None:
        bt.indicators.SMA(self.data.close, period=4)

    def prenext(self) -> None:
        self.buy(size=1)


class Stopping(vecbt.Strategy):
    def start(self) -> None:
        self.env.runstop()


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (WrongShape, r"returned an array of shape \(3,\); state_shape\['trend'\] says \(2,\)"),
        (NanReward, r"NanReward.get_reward\(\) returned nan"),
        (MissingInfo, "returned no 'b', which info_keys names"),
        (EarlyOrder, "before the episode's first observation"),
    ],
)
def test_what_a_strategy_may_not_do(strategy: type[vecbt.Strategy], message: str) -> None:
    envs = make(2, strategy=strategy)
    with pytest.raises(StrategyError, match=message):
        run(envs)
    envs.close()


def run(envs: Any) -> None:
    envs.reset(seed=0)
    envs.step([0, 0])


@both_modes
def test_stopping_cerebro_ends_the_episode(fast: bool) -> None:
    class Stops(vecbt.Strategy):
        def next(self) -> None:
            if self.episode.step == 3:
                self.env.runstop()

    envs = make(1, strategy=Stops, fast=fast)
    envs.reset(seed=0)
    ends = [bool(envs.step([0])[2][0]) for _ in range(3)]
    assert ends == [False, False, True]
    assert not envs.step([0])[2][0]
    envs.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": bt.Strategy}, "subclass of vecbt.Strategy"),
        ({"strategy": (Hooked, 3)}, "a class and its parameters"),
        ({"strategy": Hooked, "flatten": True}, "no room for the strategy's observations"),
    ],
)
def test_bad_strategies(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(1, **settings)


def test_lines_of_further_columns() -> None:
    rows = len(MARKET)
    extra = np.arange(rows) * 0.5
    bars = vecbt.data.Bars.from_arrays(
        MARKET.timestamps, MARKET.open, MARKET.high, MARKET.low, MARKET.close, extras={"spread": extra}, name="X"
    )

    class Reading(vecbt.Strategy):
        info_keys = ("spread",)

        def get_info(self) -> dict[str, float]:
            return {"spread": self.data.spread[0]}

    envs = make(2, data=bars, strategy=Reading)
    _, infos = envs.reset(seed=0)
    assert (infos["spread"] == infos["bar"] * 0.5).all()
    envs.close()
