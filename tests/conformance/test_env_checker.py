"""Gymnasium's own checker, under warnings that are errors."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env

import vecbt
from tests.envs import MARKET
from vecbt.config import ACCOUNT_FEATURES
from vecbt.spaces import ActionDictSpace

ACCOUNT = {"account_features": ACCOUNT_FEATURES}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "discrete": {"actions": "discrete", "commission": 0.001, "order_size": 3},
    "target position": {"actions": "target_position", "positions": (-2.0, 0.0, 0.5, 1.0)},
    "target percent": {"actions": "target_percent"},
    "named actions": {"actions": ActionDictSpace(["default_asset"], ("hold", "sell", "close"))},
    "named weights": {"actions": ActionDictSpace(["default_asset", "default_cash"])},
    "account alone": {"window": 0, **ACCOUNT},
    "account beside": ACCOUNT,
    "flat": {"flatten": True, **ACCOUNT},
    "flat window": {"flatten": True, "features": ("log_return",)},
    "features": {"features": ("log_return", "rsi(14)", "close / sma(20) - 1"), "normalize": "train"},
    "normalized": {"normalize": "window", "window": 1},
    "frames": {"skip_frame": 4, "latency": 2, "close_out": True},
    "calls": {"drawdown_call": 0.01, "target_call": 0.01, "episode_steps": 50},
    "no end": {"episode_steps": None},
    "short": {"episode_steps": 2},  # Gymnasium refuses environments that end after one
    "no infos": {"infos": "none"},
    "stock classes": {"fast": False},
    "ends only": {"infos": "episode", "episode_steps": 2},
    "views": {"copy": False},
}


class Channel(vecbt.Strategy):
    """Has a part of the observation, an info and a reward of its own."""

    state_shape = {"channel": gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)}  # noqa: RUF012
    info_keys = ("close",)

    def get_channel_state(self) -> Any:
        return np.array([0.5, -0.5])

    def get_info(self) -> dict[str, float]:
        return {"close": self.data.close[0]}

    def get_reward(self) -> float:
        return 0.25


def frame() -> pd.DataFrame:
    columns = {name: MARKET.column(name)[:300] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(MARKET.timestamps[:300].astype("datetime64[ns]")))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_check_env(name: str) -> None:
    env = gymnasium.make("vecbt/Trading-v0", data=MARKET, engine="cerebro", **CONFIGURATIONS[name])
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize(
    "data", [MARKET, frame(), vecbt.RandomDomain(MARKET, test_period=500)], ids=lambda data: type(data).__name__
)
def test_check_env_whatever_the_data_are(data: Any) -> None:
    env = gymnasium.make("vecbt:vecbt/Trading-v0", data=data)
    check_env(env.unwrapped)
    env.close()


def test_check_env_with_a_strategy() -> None:
    env = gymnasium.make("vecbt/Trading-v0", data=MARKET, strategy=Channel)
    assert set(env.observation_space.spaces) == {"market", "channel"}  # type: ignore[attr-defined]
    check_env(env.unwrapped)
    env.close()


def test_check_env_with_a_shared_server() -> None:
    with vecbt.DataFeedServer(MARKET) as server:
        env = gymnasium.make("vecbt/Trading-v0", data=server)
        check_env(env.unwrapped)
        env.close()
