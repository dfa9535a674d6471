"""The Cerebro engine against plain Backtrader, which is told the same in its own words: bar by bar, bit by bit."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

import vecbt
from tests.differential.brokers import SETTINGS, Setting
from vecbt.data.bars import Bars
from vecbt.data.synthetic import synthetic_market

MARKET = synthetic_market(400, seed=21)
STEPS = 60
ACTIONS = ("discrete", "target_position", "target_percent")


class Plain(bt.Strategy):
    """What the three kinds of actions mean, written down for plain Backtrader."""

    params = (("kind", ""), ("actions", ()), ("size", 0.0), ("log", None))

    def next(self) -> None:
        entry = self.position
        self.p.log.append((self.broker.getcash(), self.broker.getvalue(), float(entry.size), float(entry.price)))
        if len(self) > len(self.p.actions):
            return
        action = self.p.actions[len(self) - 1]
        if self.p.kind == "target_percent":
            self.order_target_percent(target=float(action))
        elif self.p.kind == "target_position":
            self.order_target_size(target=(-1.0, 0.0, 1.0)[action] * self.p.size)
        elif action == 1:
            self.buy(size=self.p.size)
        elif action == 2:
            self.sell(size=self.p.size)
        elif action == 3:
            self.close()


def run_plain(setting: Setting, bars: Bars, kind: str, actions: Any, size: float) -> list[tuple[float, ...]]:
    index = pd.DatetimeIndex(np.asarray(bars.timestamps).astype("datetime64[ns]"))
    frame = pd.DataFrame({name: bars.column(name) for name in ("open", "high", "low", "close", "volume")}, index=index)
    cerebro = bt.Cerebro(stdstats=False)
    setting.apply(cerebro.broker)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    log: list[tuple[float, ...]] = []
    cerebro.addstrategy(Plain, kind=kind, actions=actions, size=size, log=log)
    cerebro.run()
    return log


def cases() -> list[Any]:
    return [
        pytest.param(setting, kind, id=f"{setting.name}, {kind}")
        for setting in SETTINGS
        for kind in ACTIONS
        if kind != "target_percent" or "leverage" not in setting.config
    ]


@pytest.mark.parametrize(("setting", "kind"), cases())
def test_same_account(setting: Setting, kind: str) -> None:
    cash = setting.config.get("start_cash", 10_000.0)
    sizes = (round(0.3 * cash / 100.0), 0.37 * cash / 100.0)
    for number, size in enumerate(sizes):
        envs = vecbt.make_vec(
            MARKET,
            num_envs=3,
            engine="cerebro",
            num_workers=0,
            actions=kind,
            order_size=float(size),
            episode_steps=STEPS,
            window=5,
            **setting.config,
        )
        random = np.random.default_rng(number)
        if kind == "target_percent":
            actions = random.choice([0.0, 0.25, 0.9, 1.0, -0.5, -1.0], (STEPS, 3, 1)).astype(np.float32)
        else:
            actions = random.integers(0, 4 if kind == "discrete" else 3, (STEPS, 3))
        _, infos = envs.reset(seed=number)
        starts = infos["start"]
        accounts = [infos]
        for action in actions:
            accounts.append(envs.step(action)[4])
            if accounts[-1]["value"].min() <= 0.0:
                break  # ruined: the environment ends here, Backtrader goes on
        envs.close()
        for env in range(3):
            bars = MARKET.rows(int(starts[env]), int(starts[env]) + len(accounts))
            taken = actions[: len(accounts) - 1, env].reshape(len(accounts) - 1).tolist()
            expected = run_plain(setting, bars, kind, taken, float(size))
            names = ("cash", "value", "position", "position_price")
            got = [tuple(float(infos[name][env]) for name in names) for infos in accounts]
            assert got == expected
