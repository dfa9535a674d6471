"""Who makes the trials is killed, stuck or fails: who waits for one is told, and nobody waits for ever."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import vecbt
from tests.faults.processes import BOUND, is_alive, wait_until
from vecbt.data import GeneratedDomain, GeometricBrownianMotion
from vecbt.data.generated.content import TrialMaker
from vecbt.data.store import DataStore, TableRequest
from vecbt.errors import ClosedError, FeatureError, PriceError, WorkerDiedError, WorkerTimeoutError

MOTION = GeometricBrownianMotion(volatility=0.01)
SETTINGS: dict[str, Any] = {"window": 3, "episode_steps": 5, "features": ("close",), "num_workers": 1}


class Slow:
    """Takes longer with every trial after a number of them."""

    def __init__(self, seconds: float, quick: int = 0) -> None:
        self.seconds, self.left = seconds, 16 + quick  # the first ones are for statistics

    def generate(self, rng: np.random.Generator, bars: int) -> Any:
        self.left -= 1
        if self.left < 0:
            time.sleep(self.seconds)
        return MOTION.generate(rng, bars)


class Failing:
    """Makes a trial that cannot be where the first close is too high, which no trial for statistics has."""

    def __init__(self, bars: int) -> None:
        self.limit = max(trial[0, 3] / trial[0, 0] for trial in TrialMaker(MOTION, bars).reference)

    def generate(self, rng: np.random.Generator, bars: int) -> Any:
        made = MOTION.generate(rng, bars)
        if made[0, 3] / made[0, 0] > self.limit:
            made[2, 3] = np.nan
        return made


def make(generator: Any, engine: str = "compiled", **settings: Any) -> vecbt.TradingVectorEnv:
    data = GeneratedDomain(generator, bars=10_000)
    return vecbt.make_vec(data, num_envs=3, engine=engine, **{**SETTINGS, **settings})


def step_on(envs: vecbt.TradingVectorEnv, steps: int, count: list[int]) -> None:
    for _ in range(steps):
        envs.step(np.zeros(3, int))
        count[0] += 1


def server_of(envs: vecbt.TradingVectorEnv) -> Any:
    feed = envs._batch._feed
    assert feed is not None
    return feed._release.__self__  # type: ignore[attr-defined]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the data server")


@pytest.mark.parametrize("engine", ["compiled", "cerebro"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_the_server_is_killed(engine: str, mode: str) -> None:
    envs = make(MOTION, engine, autoreset_mode=mode)
    envs.reset(seed=0)
    envs.step(np.zeros(3, int))
    kill(server_of(envs).pid)
    begun = time.monotonic()
    with pytest.raises(WorkerDiedError, match="the data server"):
        step_on(envs, 30, [0])
    with pytest.raises(WorkerDiedError, match="the data server"):
        envs.reset(seed=1)
    envs.close()
    assert time.monotonic() - begun < BOUND


def test_the_server_is_killed_while_it_is_waited_for() -> None:
    envs = make(Slow(3600.0))
    threading.Timer(0.5, kill, [server_of(envs).pid]).start()
    begun = time.monotonic()
    with pytest.raises(WorkerDiedError, match="the data server"):
        envs.reset(seed=0)
    envs.close()
    assert time.monotonic() - begun < BOUND


def test_a_trial_that_takes_too_long() -> None:
    envs = make(Slow(3600.0), timeout=0.3)
    begun = time.monotonic()
    with pytest.raises(WorkerTimeoutError, match=r"has not generated the next trials in 0\.3 s"):
        envs.reset(seed=0)
    envs.close()
    assert time.monotonic() - begun < BOUND


def test_slow_trials_are_waited_for() -> None:
    quick, slow = make(MOTION), make(Slow(0.02))
    for envs in (quick, slow):
        envs.reset(seed=0)
    for _ in range(20):
        assert (quick.step(np.ones(3, int))[0] == slow.step(np.ones(3, int))[0]).all()
    quick.close()
    slow.close()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_trial_that_cannot_be_made(num_workers: int) -> None:
    seen = []
    for _ in range(2):
        data = GeneratedDomain(Failing(20), bars=20)
        envs = vecbt.make_vec(data, num_envs=3, **{**SETTINGS, "num_workers": num_workers})
        envs.reset(seed=0)
        count = [0]
        with pytest.raises(
            PriceError, match=r"Failing, trial \d+ of seed \d+, row 2, column 'close': the close is mis"
        ):
            step_on(envs, 20_000, count)
        with pytest.raises(PriceError, match="Failing, trial"):
            step_on(envs, 30, [0])  # at the latest when the trial itself is needed
        seen += count
        envs.close()
    assert seen[0] == seen[1]


def test_a_feature_that_cannot_be_computed() -> None:
    class Flat:
        def __init__(self) -> None:
            self.left = 256

        def generate(self, rng: np.random.Generator, bars: int) -> Any:
            self.left -= 1
            return MOTION.generate(rng, bars) if self.left >= 0 else np.ones((bars, 5))

    data = GeneratedDomain(Flat(), bars=30)
    envs = vecbt.make_vec(data, num_envs=3, **{**SETTINGS, "features": ("close/(close-open)",)})
    with pytest.raises(FeatureError, match="division by zero"):
        envs.reset(seed=0)
    envs.close()


def test_a_shared_server_goes_on_when_a_batch_has_failed() -> None:
    with vecbt.DataFeedServer(GeneratedDomain(MOTION, bars=50)) as server:
        first, second = (vecbt.make_vec(server, num_envs=3, **SETTINGS) for _ in range(2))
        first.reset(seed=0)
        first.close()
        observations, _ = second.reset(seed=0)
        for _ in range(20):
            second.step(np.zeros(3, int))
        third = vecbt.make_vec(server, num_envs=3, **SETTINGS)
        assert (third.reset(seed=0)[0] == observations).all()
        second.close()
        third.close()


def test_batches_from_other_processes_attach() -> None:
    with vecbt.DataFeedServer(GeneratedDomain(MOTION, bars=50)) as server:
        assert server.address is not None
        client = vecbt.DataFeedServer.attach(server.address)
        own, attached = (vecbt.make_vec(source, num_envs=3, **SETTINGS) for source in (server, client))
        assert (own.reset(seed=0)[0] == attached.reset(seed=0)[0]).all()
        for _ in range(20):
            assert (own.step(np.ones(3, int))[0] == attached.step(np.ones(3, int))[0]).all()
        client.close()
        begun = time.monotonic()
        with pytest.raises(ClosedError):
            step_on(attached, 20, [0])
        assert time.monotonic() - begun < BOUND
        own.step(np.ones(3, int))
        own.close()
        attached.close()


def fillers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "vecbt-filler"]


def test_a_filler_ends_with_its_batch() -> None:
    store = DataStore(GeneratedDomain(MOTION, bars=50))
    request = TableRequest(features=("close",), normalize=None, window=3, warmup=1, steps=5, skip=1)
    table, filler = store.open(request, 2)
    assert filler is not None
    filler.start()
    assert len(fillers()) == 1
    table.slots.close()
    wait_until(lambda: not fillers(), "the filler's end")
    assert filler.closed


def test_a_batch_that_cannot_be_made_lets_go_of_its_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    before = vecbt.feed.client.DataFeedClient.open  # type: ignore[attr-defined]

    def watched(self: Any, *arguments: Any) -> Any:
        opened.append(before(self, *arguments))
        return opened[-1]

    with vecbt.DataFeedServer(GeneratedDomain(MOTION, bars=50)) as server:
        monkeypatch.setattr(type(server), "open", watched)
        with pytest.raises(vecbt.errors.ConfigError, match="less than one lot"):
            vecbt.make_vec(server, num_envs=3, **SETTINGS, start_cash=1.0)
    assert opened[-1][0].slots.words[2] == 1
