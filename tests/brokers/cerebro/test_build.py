"""The user's whole Cerebro: what is taken over from it, what is refused, and that environments do not share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest

import vecbt
from tests.envs import MARKET, flat, make, rollout
from vecbt.errors import ConfigError

both_modes = pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])


def watched() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addanalyzer(bt.analyzers.DrawDown)
    cerebro.addanalyzer(bt.analyzers.TimeReturn, timeframe=bt.TimeFrame.NoTimeFrame)
    cerebro.addobserver(bt.observers.DrawDown)
    cerebro.broker.setcommission(commission=0.002)
    cerebro.broker.set_slippage_perc(0.001)
    return cerebro


@both_modes
@pytest.mark.parametrize("own", [watched, watched()], ids=["function", "instance"])
def test_settings_of_a_cerebro_are_those_of_the_configuration(own: Any, fast: bool) -> None:
    expected = rollout(make(3, commission=0.002, slippage=0.001), 45)
    assert rollout(make(3, cerebro=own, fast=fast), 45) == expected


def test_settings_that_are_given_go_before_those_of_the_cerebro() -> None:
    envs = make(2, cerebro=watched(), commission=0.004, start_cash=5_000.0)
    assert rollout(envs, 30) == rollout(make(2, commission=0.004, slippage=0.001, start_cash=5_000.0), 30)


class Averaged(vecbt.Strategy):
    info_keys = ("average",)

    def set_datalines(self) -> None:
        self.average = bt.indicators.SMA(self.data, period=5)

    def get_info(self) -> dict[str, float]:
        return {"average": self.average[0]}


@pytest.fixture(scope="module")
def averaged() -> list[Any]:
    return rollout(make(2, order_size=5, strategy=Averaged), 45)


@both_modes
@pytest.mark.parametrize(
    "parameters",
    [
        {"runonce": False},
        {"tradehistory": True},
        {"quicknotify": True},
        {"oldsync": True},
        {"oldtrades": True},
        {"cheat_on_open": True},
        {"objcache": True},
    ],
    ids=str,
)
def test_parameters_of_a_cerebro_that_change_no_result(parameters: Any, fast: bool, averaged: list[Any]) -> None:
    envs = make(2, order_size=5, strategy=Averaged, cerebro=bt.Cerebro(**parameters), fast=fast)
    assert rollout(envs, 45) == averaged


def test_a_look_ahead_of_the_cerebro_is_refused() -> None:
    with pytest.raises(vecbt.errors.LookAheadError, match="lookahead"):
        make(1, cerebro=bt.Cerebro(lookahead=3)).reset(seed=0)


def test_orders_before_the_open() -> None:
    class Early(vecbt.Strategy):
        def next_open(self) -> None:
            if self.episode.live and not self.position:
                self.buy(size=3, coo=True)

    batches = [make(2, strategy=Early, cerebro=bt.Cerebro(cheat_on_open=True), fast=fast) for fast in (True, False)]
    first, second = (rollout(envs, 30) for envs in batches)
    assert first == second
    envs = batches[0]
    envs.reset(seed=0)
    infos = envs.step([0, 0])[4]
    assert infos["position"].tolist() == [3.0, 3.0]
    assert (infos["position_price"] == MARKET.open[infos["bar"]]).all()
    assert (envs.step([3, 0])[4]["position"] == [0.0, 3.0]).all()


def test_a_timer_of_the_cerebro() -> None:
    class Punctual(vecbt.Strategy):
        def start(self) -> None:
            self.rings = 0
            self.add_timer(bt.timer.SESSION_START)

        def notify_timer(self, timer: Any, when: Any, *args: Any, **kwargs: Any) -> None:
            self.rings += 1

        info_keys = ("rings",)

        def get_info(self) -> dict[str, float]:
            return {"rings": self.rings}

    batches = [make(2, strategy=Punctual, fast=fast) for fast in (True, False)]
    assert rollout(batches[0], 30) == rollout(batches[1], 30)
    assert (batches[0].reset(seed=0)[1]["rings"] == 1).all()


def test_a_cerebro_that_is_given_stays_as_it_was() -> None:
    own = watched()
    rollout(make(2, cerebro=own), 30)
    assert not own.datas
    assert not own.strats
    assert type(own) is bt.Cerebro
    assert own.p.stdstats
    assert own.broker.getcash() == 10_000.0


def test_only_the_users_observers_run() -> None:
    seen: list[list[str]] = []

    class Watching(vecbt.Strategy):
        def stop(self) -> None:
            seen.append([type(observer).__name__ for observer in self.observers])

    envs = make(1, cerebro=watched, strategy=Watching, episode_steps=3)
    rollout(envs, 3)
    assert seen == [["DrawDown"]]


def with_data() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.adddata(bt.feeds.GenericCSVData(dataname="x.csv"))
    return cerebro


def with_strategy() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.addstrategy(bt.Strategy)
    cerebro.add_signal(bt.SIGNAL_LONG, bt.indicators.SMA)
    return cerebro


def with_cash() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.broker.setcash(500.0)
    return cerebro


def with_broker() -> bt.Cerebro:
    cerebro = bt.Cerebro()
    cerebro.broker = bt.BrokerBase()
    return cerebro


def always_the_same() -> Callable[[], bt.Cerebro]:
    only = bt.Cerebro()
    return lambda: only


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (lambda: 5, "must return a backtrader.Cerebro, got 5"),
        (with_data, "has data feeds of its own: leave them to vecbt"),
        (with_data(), "has data feeds of its own"),
        (with_strategy, "has strategies and signals of its own"),
        (lambda: bt.Cerebro(preload=False), "preload=True"),
        (bt.Cerebro(exactbars=1), "exactbars=False"),
        (bt.Cerebro(live=True), "live=False"),
        (with_cash, "starts with 500 in cash, but start_cash is 10000: set start_cash=500"),
        (with_broker, "must be a backtrader.brokers.BackBroker or a subclass"),
        (always_the_same(), "the same Cerebro a second time"),
    ],
)
def test_what_a_cerebro_may_not_have(own: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(2, cerebro=own)


def test_cash_of_the_cerebro_that_is_the_configurations() -> None:
    envs = make(1, cerebro=with_cash, start_cash=500.0, order_size=1)
    assert envs.reset(seed=0)[1]["cash"].tolist() == [500.0]
    envs.close()


# -- get_stat ----------------------------------------------------------------------------------------------------------


def play(envs: Any, steps: int) -> None:
    envs.reset(seed=5)
    for step in range(steps):
        envs.step([(1, 0, 3, 0)[(step + env) % 4] for env in range(envs.num_envs)])


@both_modes
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_analyses_of_the_last_episode(fast: bool, num_workers: int, mode: str) -> None:
    envs = make(3, cerebro=watched(), fast=fast, num_workers=num_workers, episode_steps=12, autoreset_mode=mode)
    assert envs.get_stat() == (None, None, None)
    play(envs, 12)
    stats = envs.get_stat()
    for env, stat in enumerate(stats):
        assert stat["episode"] == 0
        assert stat["length"] == stat["stats"]["l"] == 12
        assert 0.0 < stat["runtime"] < 100.0
        assert list(stat["analyzers"]) == ["trades", "drawdown", "timereturn"]
        assert stat["analyzers"]["trades"]["total"]["closed"] == stat["stats"]["trades"] >= 2
        assert stat["analyzers"]["drawdown"]["max"]["drawdown"] == stat["stats"]["max_drawdown"]
        assert list(stat["analyzers"]["timereturn"].values()) == [stat["stats"]["total_return"]]
        assert envs.get_stat(env) == stat
    envs.close()


def test_analyses_are_equal_whatever_runs_them() -> None:
    batches = [
        make(4, cerebro=watched, fast=fast, num_workers=workers, episode_steps=8)
        for fast, workers in ((True, 0), (False, 0), (True, 2))
    ]
    analyses = []
    for envs in batches:
        play(envs, 20)
        analyses.append([(stat["episode"], stat["stats"], repr(stat["analyzers"])) for stat in envs.get_stat()])
        envs.close()
    assert analyses[0][0][0] == 1
    assert analyses[0] == analyses[1] == analyses[2]


def test_the_stats_are_those_of_the_infos_with_both_engines() -> None:
    for engine in ("cerebro", "compiled"):
        envs = make(3, engine=engine, episode_steps=5)
        envs.reset(seed=1)
        for _ in range(5):
            infos = envs.step([1, 2, 0])[4]
        stats = infos["episode_stats"]
        for env in range(3):
            stat = envs.get_stat(env)
            assert stat["analyzers"] == {}
            assert (stat["runtime"] is None) == (engine == "compiled")
            assert flat(stat["stats"]) == flat({name: stats[name][env] for name in stat["stats"]})
        envs.close()


def test_a_reset_within_an_episode_is_no_end() -> None:
    envs = make(2, cerebro=watched, episode_steps=5)
    play(envs, 5)
    before = repr(envs.get_stat())
    envs.reset()
    envs.step([1, 1])
    envs.reset()
    assert repr(envs.get_stat()) == before
    envs.close()


def test_the_single_environment_has_them_too() -> None:
    env = vecbt.TradingEnv(MARKET, cerebro=watched(), episode_steps=3)
    env.reset(seed=0)
    assert env.get_stat() is None
    for _ in range(3):
        env.step(1)
    stat = env.get_stat()
    assert stat is not None
    assert stat["analyzers"]["trades"]["total"]["open"] == 1
    env.close()


@pytest.mark.parametrize("env", [-1, 2, 0.0, True, [0]])
def test_there_has_to_be_such_an_environment(env: Any) -> None:
    envs = make(2)
    with pytest.raises(ConfigError, match="env must be an index from 0 to 1, or None for all"):
        envs.get_stat(env)
    envs.close()
