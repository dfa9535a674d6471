"""What the compiled engine takes on, and what it says of everything else."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest

import vecbt
from tests.envs import MARKET, make
from vecbt.brokers.compiled.runner import CompiledRunner
from vecbt.brokers.compiled.subset import outside_subset
from vecbt.config import Commission, EnvConfig, Slippage
from vecbt.errors import ConfigError


class Still(vecbt.Strategy):
    """Does nothing."""


OUTSIDE: dict[str, tuple[dict[str, Any], str]] = {
    "strategy": ({"strategy": Still}, "strategy is Python code .*: leave it out"),
    "cerebro": ({"cerebro": bt.Cerebro}, "cerebro makes .*: leave it out and set the broker by fields"),
    "fast": ({"fast": False}, "fast=False asks .*: leave it True"),
}
INSIDE: dict[str, dict[str, Any]] = {
    "defaults": {},
    "broker": {
        "leverage": 2.0,
        "shortcash": False,
        "checksubmit": False,
        "cheat_on_close": True,
        "commission": Commission(rate=1.0, per_unit=True, margin=50.0, mult=5.0),
        "slippage": Slippage(fixed=0.1, open=False, match=False, limit=False, out=True),
        "max_exposure": 3.0,
        "order_size": 2.5,
    },
    "steps": {"skip_frame": 3, "latency": 2, "reward": "btgym", "close_out": True, "drawdown_call": 10.0},
    "weights": {"actions": "target_percent", "lot": 0.01},
    "positions": {"actions": "target_position", "positions": (-2.0, 0.5), "order_size": 1},
    "observations": {"features": ("rsi(5)", "close"), "normalize": "window", "account_features": ("value",)},
    "trusted": {"trusted": True},
}


@pytest.mark.parametrize("names", [["strategy"], ["cerebro"], ["fast"], ["strategy", "fast"], [*OUTSIDE]])
def test_one_error_names_all_that_is_outside_and_how_to_mend_it(names: list[str]) -> None:
    settings: dict[str, Any] = {}
    for name in names:
        settings |= OUTSIDE[name][0]
    with pytest.raises(ConfigError, match=r"^engine='compiled' .* take engine='cerebro', or change: ") as caught:
        make(2, engine="compiled", **settings)
    for name, (_, message) in OUTSIDE.items():
        reasons = [part for part in str(caught.value).split("change: ")[1].split("; ") if part.startswith(name)]
        assert len(reasons) == (name in names)
        if reasons:
            assert pytest.raises(ConfigError, match=message).matches(caught.value)
    with pytest.raises(ConfigError, match="engine='compiled' cannot"):
        vecbt.TradingEnv(MARKET, engine="compiled", **settings)


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_the_engine_is_cerebro(name: str) -> None:
    settings = OUTSIDE[name][0]
    assert len(outside_subset(EnvConfig.of(settings))) == 1
    envs = make(2, engine="auto", num_workers=1, **settings)
    assert len(envs.worker_pids) == 1
    envs.close()


@pytest.mark.parametrize("engine", ["auto", "compiled"])
@pytest.mark.parametrize("name", INSIDE)
def test_inside_it_is_compiled_and_has_no_workers(name: str, engine: str) -> None:
    settings = INSIDE[name]
    assert outside_subset(EnvConfig.of(settings)) == []
    envs = make(2, engine=engine, num_workers=2, **settings)
    assert envs.worker_pids == ()
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    envs.close()


def test_cerebro_may_still_be_asked_for() -> None:
    envs = make(2, engine="cerebro", num_workers=1)
    assert len(envs.worker_pids) == 1
    envs.close()


def test_several_assets_are_inside() -> None:
    markets = {"EURUSD": MARKET, "GBPUSD": MARKET}
    envs = vecbt.make_vec(markets, num_envs=2, order_size=5, window=3, episode_steps=20)
    assert isinstance(envs._batch.runner, CompiledRunner)
    envs.reset(seed=0)
    infos = envs.step(np.array([[1, 2], [0, 3]]))[-1]
    assert infos["position"].tolist() == [[5.0, -5.0], [0.0, 0.0]]
    envs.close()
