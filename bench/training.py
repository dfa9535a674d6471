"""PPO on vecbt beside environments that cost nothing, other trading environments, and the Cerebro engine."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np

import vecbt
from bench.free import FreeVectorEnv
from bench.goals import Goal
from vecbt.errors import MissingExtraError
from vecbt.testing import interleave

try:
    import torch
    from stable_baselines3.common.vec_env import DummyVecEnv
except ModuleNotFoundError as error:
    raise MissingExtraError.of("the suite `training`", "stable-baselines3", "train") from error

from vecbt.integrations.sb3 import SB3VecEnv
from vecbt.training import make_ppo

__all__ = ["measure"]

_BARS = 50_000
_UPDATE = 16_384
_SIZES = (64, 256, 1024)
_PEER_ENVS = 64
"""Environments of systems that have no batch: more of them make a step no cheaper."""
_WINDOW = 30
_ENV: dict[str, Any] = {
    "window": _WINDOW,
    "features": ("log_return", "close / sma(20) - 1"),
    "flatten": True,
    "actions": "target_position",
    "commission": 0.0001,
    "max_exposure": 1.0,
    "episode_steps": 500,
}
_SAID = {
    "anytrading": "gym-anytrading, stocks-v0",
    "trading_env": "Gym-Trading-Env",
}


def measure(repeats: int) -> list[Goal]:
    """Steps per second of learning, updates of 16,384 steps, networks of 64 x 64, minibatches of 4,096, 4 epochs."""
    bars = vecbt.data.synthetic_market(_BARS, seed=0)
    with contextlib.ExitStack() as stack:
        # A second thread of PyTorch waits in a loop, and slows learning many times where anybody else wants its core.
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        cases = _loops(bars, stack) | _sb3(bars, stack)
        found = interleave(cases, repeats, progress="training")
    goals = [
        Goal(
            f"the example's PPO on vecbt over costless environments, {size:,} environments",
            found[f"example, vecbt, {size}"] / found[f"example, costless, {size}"],
            bound=0.93,
        )
        for size in _SIZES
    ]
    mine = found["vecbt"]
    goals.append(Goal("SB3 PPO on vecbt over a costless batch, 256 environments", mine / found["costless"], bound=0.9))
    goals.append(
        Goal(
            "SB3 PPO on the Cerebro engine, 2 workers, over the compiled one, 256 environments",
            found["cerebro"] / mine,
            bound=0.4,
        )
    )
    for name, bound in (("anytrading", 1.4), ("trading_env", 3.0)):
        if name in found:
            goals.append(Goal(f"SB3 PPO on vecbt over {_SAID[name]}", mine / found[name], bound=bound))
        else:
            sys.stderr.write(f"{_SAID[name]} is not installed (extra `peers`): no figure\n")
    titles = {
        "vecbt": "vecbt, compiled, 256 environments",
        "costless": "a costless batch, 256 environments",
        "cerebro": "vecbt, Cerebro, 256 environments, 2 workers",
    }
    titles |= {name: f"{title}, {_PEER_ENVS} environments in a DummyVecEnv" for name, title in _SAID.items()}
    goals += [Goal(f"SB3 PPO on {titles[name]}", found[name], "per second") for name in titles if name in found]
    goals += [
        Goal(f"the example's PPO on vecbt, {size:,} environments", found[f"example, vecbt, {size}"], "per second")
        for size in _SIZES
    ]
    return goals


# -- the example's loop ------------------------------------------------------------------------------------------------


def _loops(bars: vecbt.data.Bars, stack: contextlib.ExitStack) -> dict[str, Callable[[], float]]:
    example = _load_example()
    cases = {}
    for size in _SIZES:
        envs = vecbt.make_vec(bars, num_envs=size, infos="none", **_ENV)
        stack.callback(envs.close)
        for name, batch in (("vecbt", envs), ("costless", FreeVectorEnv(envs))):
            cases[f"example, {name}, {size}"] = _timed_loop(example, batch)
    return cases


def _timed_loop(example: ModuleType, envs: Any) -> Callable[[], float]:
    settings = example.Settings(steps=2 * _UPDATE, rollout=_UPDATE)

    def run() -> float:
        begun = time.perf_counter()
        example.learn(envs, settings)
        return float(settings.steps / (time.perf_counter() - begun))

    return run


def _load_example() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "ppo.py"
    spec = importlib.util.spec_from_file_location("ppo", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ppo"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


# -- Stable-Baselines3 -------------------------------------------------------------------------------------------------


def _sb3(bars: vecbt.data.Bars, stack: contextlib.ExitStack) -> dict[str, Callable[[], float]]:
    compiled = vecbt.make_vec(bars, num_envs=256, infos="episode", autoreset_mode="SameStep", **_ENV)
    cerebro = vecbt.make_vec(
        bars, num_envs=256, infos="episode", autoreset_mode="SameStep", engine="cerebro", num_workers=2, **_ENV
    )
    vec_envs = {
        "vecbt": SB3VecEnv(compiled),
        "costless": SB3VecEnv(FreeVectorEnv(compiled)),
        "cerebro": SB3VecEnv(cerebro),
    }
    for name, make in (("anytrading", _anytrading), ("trading_env", _trading_env)):
        with contextlib.suppress(ModuleNotFoundError):
            vec_envs[name] = DummyVecEnv([make(bars)] * _PEER_ENVS)
    cases = {}
    for name, vec_env in vec_envs.items():
        stack.callback(vec_env.close)
        cases[name] = _timed_model(vec_env)
    return cases


def _timed_model(vec_env: Any) -> Callable[[], float]:
    model = make_ppo(vec_env, update_steps=_UPDATE)

    def run() -> float:
        before = model.num_timesteps
        begun = time.perf_counter()
        model.learn(_UPDATE, reset_num_timesteps=False)
        return float((model.num_timesteps - before) / (time.perf_counter() - begun))

    return run


def _anytrading(bars: vecbt.data.Bars) -> Callable[[], gymnasium.Env[Any, Any]]:
    from gym_anytrading.envs import StocksEnv

    frame = bars.to_frame().iloc[:10_000].rename(columns=str.capitalize)
    return lambda: StocksEnv(frame, window_size=_WINDOW, frame_bound=(_WINDOW, len(frame)))


def _trading_env(bars: vecbt.data.Bars) -> Callable[[], gymnasium.Env[Any, Any]]:
    from gym_trading_env.environments import TradingEnv

    frame = bars.to_frame().iloc[:10_000].tz_localize(None)
    frame["feature_return"] = np.log(frame["close"]).diff().fillna(0.0)
    frame["feature_average"] = (frame["close"] / frame["close"].rolling(20).mean() - 1.0).fillna(0.0)

    def make() -> gymnasium.Env[Any, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made: gymnasium.Env[Any, Any] = TradingEnv(
                frame, positions=[-1, 0, 1], windows=_WINDOW, trading_fees=0.0001, max_episode_duration=500, verbose=0
            )
        return made

    return make
