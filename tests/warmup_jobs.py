"""Warms up, then does a bit of everything, and says what was compiled only then: ``python -m tests.warmup_jobs``."""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

import vecbt
from vecbt.kernels._jit import _PackageCache
from vecbt.warmup import warm_up

FEATURES = (
    *("close", "rsi", "close / sma(50) - 1", "ema(atr(5), 3)", "lowest(-close, 4)", "wma(macd().signal, 2)"),
    *("stochastic", "williams_r", "bollinger", "log_return"),
)
INNER = {"vecbt.kernels.sampling.gamma_variate", "vecbt.kernels.sampling.beta_variate"}
"""Called by other kernels alone, which come from the cache with these inside."""


def compiled() -> dict[str, list[str]]:
    """The kernels of the package, and for which arguments each has been compiled."""
    kernels = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return {
        f"{each.py_func.__module__}.{each.py_func.__qualname__}": [str(one) for one in each.signatures]
        for each in kernels
        if isinstance(each._cache, _PackageCache)
    }


def do_everything(folder: Path) -> None:
    """Reading, features, sampling, and both engines with all kinds of actions."""
    path = folder / "bars.csv"
    rows = [f"2024-01-01 00:{minute:02},1,2,0.5,1.5,3" for minute in range(60)]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]), encoding="utf-8")
    assert len(vecbt.read_bars(path)) == 60

    bars = vecbt.data.synthetic_market(1_500, seed=1)
    rules = vecbt.SampleRules(duration={"hours": 4})
    domain = vecbt.RandomDomain(bars, trial=rules, test_period={"hours": 5})
    pair = vecbt.RandomDomain({name: vecbt.data.synthetic_market(1_500) for name in ("A", "B")}, test_period=300)
    for engine, num_envs in (("compiled", 128), ("cerebro", 4)):
        for num_workers in (0, 2):
            for actions in ("discrete", "target_position", "target_percent"):
                mode = "SameStep" if num_workers else "NextStep"
                step_everything(domain, engine, num_envs, num_workers, mode, actions)
                step_everything(pair, engine, num_envs, num_workers, mode, actions, order_size=1.0)
    env = vecbt.TradingEnv(bars)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.step(1)
    with vecbt.DataFeedServer(domain) as server:
        server.get_data()


def step_everything(
    domain: vecbt.Domain, engine: str, num_envs: int, num_workers: int, mode: str, actions: str, **settings: Any
) -> None:
    """A few calls, with actions in every form that an array can have."""
    envs = vecbt.make_vec(
        domain,
        num_envs=num_envs,
        engine=engine,
        num_workers=num_workers,
        autoreset_mode=mode,
        actions=actions,
        features=FEATURES,
        account_features=("cash", "pos_direction"),
        episode_steps=50,
        **settings,
    )
    envs.reset(seed=0)
    action = envs.action_space.sample()
    envs.step(action)
    action.setflags(write=False)
    envs.step(action)
    envs.step(np.repeat(action, 2, axis=0)[::2])
    envs.step(action.tolist())
    envs.reset(options={"sample_type": "test"})
    envs.close()


def main() -> str | None:
    """Returns what was left to compile, or None."""
    warm_up()
    before = compiled()
    with tempfile.TemporaryDirectory() as folder:
        do_everything(Path(folder))
    late = {name: sorted({*found} - {*before.get(name, ())}) for name, found in compiled().items()}
    late = {name: found for name, found in late.items() if found}
    never = [name for name, found in before.items() if not found and name not in INNER]
    return f"compiled late: {late}; never compiled: {never}" if late or never else None


if __name__ == "__main__":
    sys.exit(main())
