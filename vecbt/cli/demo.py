"""``vecbt demo``: the main job, on real bars or a made-up market."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vecbt.arrays import FloatArray, IntArray
from vecbt.cli.pictures import check_picture, draw_equity
from vecbt.cli.tables import print_table
from vecbt.config import EnvConfig, percent_of
from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars
from vecbt.data.synthetic import synthetic_market
from vecbt.shm.process import usable_cores
from vecbt.testing.plain import run_plain
from vecbt.vector import TradingVectorEnv, make_vec

__all__ = ["Demo"]

_PLAIN_RUNS = 4
_SHOWN = {
    "total_return": ("return", 100.0, "%"),
    "max_drawdown": ("max drawdown", 1.0, "%"),
    "sharpe": ("Sharpe, annualized", 1.0, ""),
    "trades": ("trades", 1.0, ""),
    "win_rate": ("win rate", 100.0, "%"),
    "exposure": ("bars in the market", 100.0, "%"),
    "costs": ("costs", 1.0, ""),
}


@dataclasses.dataclass(frozen=True)
class Demo:
    """Step a few hundred environments, each a real cerebro.run(), and show what came of it."""

    data: Path | None = None
    """File of bars; without one a market is made up."""

    num_envs: int = 256
    """Environments."""

    num_workers: int | None = None
    """Worker processes; by default one per usable core, 0 for none."""

    steps: int = 1000
    """Steps of an episode; every environment runs one."""

    seed: int = 0
    """Seed of the market, of the episodes and of the actions."""

    picture: Path = Path("equity.png")
    """Where the equity curves are drawn."""

    def run(self) -> None:
        """Run it."""
        check_picture(self.picture)
        bars = synthetic_market(seed=self.seed) if self.data is None else read_bars(self.data)
        settings: dict[str, Any] = {
            "commission": 0.0001,
            "max_exposure": 1.0,
            "order_size": "45%",
            "start_cash": max(10_000.0, 20.0 * float(np.ceil(bars.high.max()))),  # whatever a unit costs
        }
        started = time.perf_counter()
        envs = make_vec(
            bars,
            num_envs=self.num_envs,
            engine="cerebro",
            num_workers=self.num_workers,
            episode_steps=min(self.steps, max(1, len(bars) - 30)),  # too few bars are for make_vec to refuse
            **settings,
        )
        workers = usable_cores() if self.num_workers is None else self.num_workers
        where = f"{workers} worker processes" if workers else "this process"
        print(
            f"{bars.name}: {len(bars):,} bars. {self.num_envs} environments in {where}, ready in "
            f"{time.perf_counter() - started:.1f} s."
        )
        try:
            episodes = _run_episodes(envs, self.seed)
        finally:
            envs.close()
        print(f"\n{episodes.rate:,.0f} env-steps/s, with orders on {episodes.ordered:.0%} of the bars")
        _compare(bars, episodes, EnvConfig(**settings))
        print()
        _print_statistics(episodes.stats)
        draw_equity(self.picture, episodes.values, episodes.stats, bars.name)
        print(f"\nequity curves: {self.picture}")


@dataclasses.dataclass(frozen=True)
class _Episodes:
    """One episode of every environment.

    Attributes:
        values: float64 (steps + 1, N), the account's value at every observation; where an episode has ended before
            the others, its last one.
        actions: int64 (steps, N).
        starts: int64 (N,), rows of the first observations.
        stats: The episodes' statistics by name.
        rate: Environment steps per second.
        ordered: Fraction of the steps with an order.
    """

    values: FloatArray
    actions: IntArray
    starts: IntArray
    stats: dict[str, Any]
    rate: float
    ordered: float


def _run_episodes(envs: TradingVectorEnv, seed: int) -> _Episodes:
    """Random orders on a third of the bars: hold, or one of buy, sell, close."""
    random = np.random.default_rng(seed)
    count = envs.num_envs
    _, infos = envs.reset(seed=seed)
    starts, values, actions = infos["start"], [infos["value"]], []
    seconds, finished = 0.0, np.zeros(count, bool)
    stats: dict[str, Any] = {}
    with tqdm(unit="step", desc="stepping", disable=None) as bar:
        while not finished.all():
            action = np.where(random.random(count) < 2 / 3, 0, random.integers(1, 4, count))
            begun = time.perf_counter()
            _, _, terminations, truncations, infos = envs.step(action)
            seconds += time.perf_counter() - begun
            actions.append(action)
            values.append(np.where(finished, values[-1], infos["value"]))
            # Who has lost everything ends before the others, and has begun another episode when they do.
            ended = (terminations | truncations) & ~finished
            if ended.any():
                for name, column in infos["episode_stats"].items():
                    stats[name] = np.where(ended, column, stats.get(name, column))
                finished |= ended
            bar.update()
    taken = np.array(actions)
    return _Episodes(
        values=np.array(values),
        actions=taken,
        starts=starts,
        stats=stats,
        rate=taken.size / seconds,
        ordered=float((taken != 0).mean()),
    )


def _compare(bars: Bars, episodes: _Episodes, config: EnvConfig) -> None:
    """Run plain Backtrader over the same bars and orders: how fast it is, and whether the accounts are equal."""
    steps, seconds, compared, different = len(episodes.actions), 0.0, 0, 0
    whole = np.flatnonzero(episodes.stats["l"] == steps).tolist()
    if not whole:
        return  # nobody has come to the end
    runs = whole[:_PLAIN_RUNS]
    for env in runs:
        start = int(episodes.starts[env])
        size = np.floor(percent_of(str(config.order_size)) * config.start_cash / bars.close[start])
        run = run_plain(bars.rows(start, start + steps + 1), episodes.actions[:, env].tolist(), float(size), config)
        seconds += run.seconds
        compared += len(run.values)
        different += int((run.values != episodes.values[:, env]).sum())
    print(
        f"{len(runs) * (steps + 1) / seconds:,.0f} bars/s by plain Backtrader in one process, over the bars and "
        f"orders of {len(runs)} of the environments:\n{compared:,} account values compared, {different} different"
    )


def _print_statistics(stats: dict[str, Any]) -> None:
    rows = []
    for name, (title, factor, unit) in _SHOWN.items():
        values = np.asarray(stats[name], dtype=np.float64) * factor
        values = values[np.isfinite(values)]
        if len(values):
            cells = [np.median(values), values.mean(), values.min(), values.max()]
            rows.append((title, *(f"{cell:,.2f}{unit}" for cell in cells)))
    print_table(("episodes", "median", "mean", "lowest", "highest"), rows)
