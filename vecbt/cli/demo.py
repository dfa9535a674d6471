"""``vecbt demo``: the main job, by both engines, on real bars or a made-up market."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vecbt.arrays import FloatArray, IntArray
from vecbt.brokers.cerebro.loops import compile_loops
from vecbt.cli.tables import print_table
from vecbt.config import EnvConfig, percent_of
from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars
from vecbt.data.synthetic import synthetic_market
from vecbt.shm.process import behave_as_child, get_context, start_process, usable_cores
from vecbt.testing.agreement import Agreement
from vecbt.vector import TradingVectorEnv, make_vec

__all__ = ["Demo"]

_PLAIN_RUNS = 4
_PLAIN = "plain"
_TITLES = {
    "value": "account value",
    "position_price": "price of the position",
    "order_status": "order status",
    "episode_stats": "statistics of the episode",
}
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
    """Run the same episodes with both engines and with plain Backtrader, compare them, and show what came of them."""

    data: Path | None = None
    """File of bars; without one a market is made up."""

    num_envs: int = 256
    """Environments."""

    num_workers: int | None = None
    """Worker processes, and at most so many threads; by default one per usable core, 0 for none."""

    steps: int = 1000
    """Steps of an episode; every environment runs one."""

    seed: int = 0
    """Seed of the market, of the episodes and of the actions."""

    picture: Path = Path("equity.png")
    """Where the equity curves are drawn."""

    def run(self) -> None:
        """Run it."""
        from vecbt.cli.pictures import check_picture, draw_equity  # matplotlib: no other command has to wait for it

        check_picture(self.picture)
        bars = synthetic_market(seed=self.seed) if self.data is None else read_bars(self.data)
        steps = min(self.steps, max(1, len(bars) - 30))  # too few bars are for make_vec to refuse
        settings: dict[str, Any] = {
            "commission": 0.0001,
            "max_exposure": 1.0,
            "order_size": "45%",
            "start_cash": max(10_000.0, 20.0 * float(np.ceil(bars.high.max()))),  # whatever a unit costs
        }
        shared = {"num_envs": self.num_envs, "num_workers": self.num_workers, "episode_steps": steps, **settings}
        agreement = Agreement()
        # On a new machine both engines have to be compiled: the other one in a process of its own, meanwhile.
        compiling = start_process(get_context(), _compile_cerebro, (), "vecbt-compile")
        compiled, compiled_ready = _make(bars, "compiled", shared)
        compiling.join()
        actions = _draw_actions(steps, self.num_envs, self.seed)
        print(
            f"{bars.name}: {len(bars):,} bars. {self.num_envs} environments, for all engines the same episodes of "
            f"{steps:,} steps and the same actions, orders on {(actions != 0).mean():.0%} of the bars.\n"
        )
        episodes, compiled_rate = _run_episodes(compiled, actions, self.seed)
        cerebro, cerebro_ready = _make(bars, "cerebro", shared)
        try:
            cerebro_rate = _compare_engines(cerebro, compiled, actions, self.seed, agreement)
        finally:
            cerebro.close()
            compiled.close()
        plain_rate, runs = _compare_plain(bars, episodes, actions, EnvConfig(**settings), agreement)
        cores = usable_cores() if self.num_workers is None else self.num_workers
        where = f"{cores} worker process{'es' * (cores != 1)}" if cores else "this process"
        rows = [
            ("compiled engine, in this process", f"{compiled_rate:,.0f}", f"{compiled_ready:.1f} s"),
            (f"Cerebro engine, in {where}", f"{cerebro_rate:,.0f}", f"{cerebro_ready:.1f} s"),
        ]
        if runs:
            rows.append((f"plain Backtrader, in this process, {runs} of the environments", f"{plain_rate:,.0f}", ""))
        print()
        print_table(("", "env-steps/s", "ready in"), rows)
        print()
        _print_agreement(agreement)
        print()
        _print_statistics(episodes.stats)
        draw_equity(self.picture, episodes.values, episodes.stats, bars.name)
        print(f"\nequity curves: {self.picture}")


@dataclasses.dataclass(frozen=True)
class _Episodes:
    """The first episode of every environment.

    Attributes:
        values: float64 (steps + 1, N), the account's value at every observation; from where an episode has ended
            before the others, its last one.
        starts: int64 (N,), rows of the first observations.
        stats: The episodes' statistics by name.
    """

    values: FloatArray
    starts: IntArray
    stats: dict[str, Any]


def _compile_cerebro() -> None:
    behave_as_child()
    compile_loops()


def _draw_actions(steps: int, num_envs: int, seed: int) -> IntArray:
    """Random orders on a third of the bars: hold, or one of buy, sell, close."""
    random = np.random.default_rng(seed)
    shape = (steps, num_envs)
    return np.where(random.random(shape) < 2 / 3, 0, random.integers(1, 4, shape))


def _make(bars: Bars, engine: str, settings: dict[str, Any]) -> tuple[TradingVectorEnv, float]:
    """A batch, and how long it took to make."""
    begun = time.perf_counter()
    envs = make_vec(bars, engine=engine, **settings)
    return envs, time.perf_counter() - begun


def _run_episodes(envs: TradingVectorEnv, actions: IntArray, seed: int) -> tuple[_Episodes, float]:
    """Step through the actions; returns the episodes, and steps per second."""
    _, infos = envs.reset(seed=seed)
    starts, values = infos["start"], [infos["value"]]
    finished = np.zeros(envs.num_envs, bool)
    stats: dict[str, Any] = {}
    seconds = 0.0
    for action in tqdm(actions, unit="step", desc="compiled engine", disable=None):
        begun = time.perf_counter()
        _, _, terminations, truncations, infos = envs.step(action)
        seconds += time.perf_counter() - begun
        values.append(np.where(finished, values[-1], infos["value"]))
        # Who has lost everything ends before the others, and has begun another episode when they do.
        ended = (terminations | truncations) & ~finished
        if ended.any():
            for name, column in infos["episode_stats"].items():
                stats[name] = np.where(ended, column, stats.get(name, column))
            finished |= ended
    return _Episodes(np.array(values), starts, stats), actions.size / seconds


def _compare_engines(
    cerebro: TradingVectorEnv, compiled: TradingVectorEnv, actions: IntArray, seed: int, agreement: Agreement
) -> float:
    """Step through the same actions with both, and compare all that they return; returns Cerebro's steps per second."""
    agreement.compare_reset(compiled.reset(seed=seed), cerebro.reset(seed=seed))
    seconds = 0.0
    for action in tqdm(actions, unit="step", desc="Cerebro engine", disable=None):
        begun = time.perf_counter()
        theirs = cerebro.step(action)
        seconds += time.perf_counter() - begun
        agreement.compare_step(compiled.step(action), theirs)
    return actions.size / seconds


def _compare_plain(
    bars: Bars, episodes: _Episodes, actions: IntArray, config: EnvConfig, agreement: Agreement
) -> tuple[float, int]:
    """Run plain Backtrader over the bars and orders of some environments, and compare the accounts.

    Returns:
        Bars per second, and the number of environments.
    """
    from vecbt.testing.plain import run_plain  # Backtrader is slow to come too

    steps, seconds = len(actions), 0.0
    whole = np.flatnonzero(episodes.stats["l"] == steps).tolist()[:_PLAIN_RUNS]
    for env in tqdm(whole, unit="run", desc="plain Backtrader", disable=None):
        start = int(episodes.starts[env])
        size = np.floor(percent_of(str(config.order_size)) * config.start_cash / bars.close[start])
        run = run_plain(bars.rows(start, start + steps + 1), actions[:, env].tolist(), float(size), config)
        seconds += run.seconds
        agreement.compare(_PLAIN, episodes.values[:, env], run.values)
    return len(whole) * (steps + 1) / seconds if whole else 0.0, len(whole)


def _print_agreement(agreement: Agreement) -> None:
    names = [name for name in agreement.compared if name != _PLAIN]
    rows = [
        (_TITLES.get(name, name), f"{agreement.compared[name]:,}", f"{agreement.different[name]:,}") for name in names
    ]
    print_table(("compiled engine against the Cerebro engine", "compared", "different"), rows)
    compared, different = agreement.compared.total(), agreement.different.total()
    plain, unlike = agreement.compared[_PLAIN], agreement.different[_PLAIN]
    print(f"\n{compared - plain:,} numbers of the two engines compared, {different - unlike:,} different")
    if plain:
        print(f"{plain:,} account values compared with plain Backtrader's, {unlike:,} different")


def _print_statistics(stats: dict[str, Any]) -> None:
    rows = []
    for name, (title, factor, unit) in _SHOWN.items():
        values = np.asarray(stats[name], dtype=np.float64) * factor
        values = values[np.isfinite(values)]
        if len(values):
            cells = [np.median(values), values.mean(), values.min(), values.max()]
            rows.append((title, *(f"{cell:,.2f}{unit}" for cell in cells)))
    print_table(("episodes", "median", "mean", "lowest", "highest"), rows)
