"""What it takes to draw trials and episodes: of a data server, in a reset, in the throughput of short episodes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import vecbt
from bench.goals import Goal
from vecbt.data import synthetic_market
from vecbt.data.domain import CausalDomain, Domain, RandomDomain, SampleRules, SequentialDomain
from vecbt.testing import interleave
from vecbt.testing.compiled import compiled_rate

__all__ = ["measure"]

_LARGE = 4096
_SHORT, _LONG = 100, 10_000
_DRAWS, _RESETS = 2_000, 50
_MARKET = synthetic_market(50_000)
_TRIAL = SampleRules(duration={"days": 2}, test_period={"hours": 6})
_DOMAINS: dict[str, Domain] = {
    "random": RandomDomain(_MARKET, trial=_TRIAL, test_period={"days": 7}),
    "random, by Beta distributions and weekdays": RandomDomain(
        _MARKET,
        trial=SampleRules(duration={"days": 2}, test_period={"hours": 6}, b_alpha=3.0),
        episode=SampleRules(b_alpha=2.0, b_beta=3.0, start_weekdays=[0, 1, 2]),
    ),
    "sequential": SequentialDomain(_MARKET, trial=_TRIAL, stride=5),
    "causal": CausalDomain(_MARKET, trial=_TRIAL, expanding=True),
}


def measure(repeats: int) -> list[Goal]:
    """50,000 bars, trials of two days."""
    return [*_samples(repeats), *_resets(repeats), *_short_episodes(repeats)]


def _samples(repeats: int) -> list[Goal]:
    """A trial of a started server, and an episode of it."""
    names = {f"a trial and an episode through get_data, {name} domain": name for name in _DOMAINS}
    servers = {name: vecbt.DataFeedServer(_DOMAINS[domain]).start() for name, domain in names.items()}
    try:
        for server in servers.values():
            server.wait_ready()
        found = interleave({name: _draws(server) for name, server in servers.items()}, repeats, progress="get_data")
    finally:
        for server in servers.values():
            server.stop()
    return [Goal(name, figure, "us", 20.0, "at most") for name, figure in found.items()]


def _draws(server: vecbt.DataFeedServer) -> Callable[[], float]:
    def measure() -> float:
        begun = time.perf_counter()
        for number in range(_DRAWS):
            sample = server.get_data({"episode_bars": _SHORT, "number": number})
            assert sample is not None
            sample.sample()
        return (time.perf_counter() - begun) / _DRAWS * 1e6

    return measure


def _resets(repeats: int) -> list[Goal]:
    """All that begins an episode in the compiled engine, on one thread, with four numbers of an account to show."""
    names = {f"a reset within the compiled engine, {name} domain": name for name in _DOMAINS}
    found = interleave({name: _reset(_DOMAINS[domain]) for name, domain in names.items()}, repeats, progress="resets")
    return [Goal(name, figure, "us", 0.5, "at most") for name, figure in found.items()]


def _reset(domain: Domain) -> Callable[[], float]:
    envs = vecbt.make_vec(
        domain,
        num_envs=_LARGE,
        engine="compiled",
        num_workers=1,
        window=0,
        account_features=("cash", "value", "exposure", "drawdown"),
        episode_steps=_SHORT,
    )
    runner = envs._batch.runner
    seeds = itertools.count()
    envs.reset(seed=0)

    def measure() -> float:
        spent = 0.0
        for _ in range(_RESETS):
            envs.reset(seed=next(seeds))  # a sequential domain begins anew
            begun = time.perf_counter()
            runner.reset()
            spent += time.perf_counter() - begun
        return spent / _RESETS / _LARGE * 1e6

    return measure


def _short_episodes(repeats: int) -> list[Goal]:
    rates = {
        steps: compiled_rate(_MARKET, _LARGE, episode_steps=steps, num_workers=1, order_size=1.0)
        for steps in (_SHORT, _LONG)
    }
    cases = {f"{_LARGE:,} environments, episodes of {steps:,} bars": rate for steps, rate in rates.items()}
    found = interleave(cases, repeats, progress="short episodes")
    short, long = found.values()
    share = Goal(
        f"episodes of {_SHORT} bars over episodes of {_LONG:,}: {_LARGE:,} environments", short / long, "", 0.9
    )
    return [share, *(Goal(name, figure, "per second") for name, figure in found.items())]
