"""Strategies that fail, hang or die on demand; importable by worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import Any

import backtrader as bt

import vecbt

HARMLESS = 2
"""Steps that go well before a fault shows."""


class Refusal(Exception):
    """Nothing that vecbt knows of."""


def in_worker() -> bool:
    """Whether this is a worker process, and not the one that makes the batch and probes the strategy."""
    return multiprocessing.parent_process() is not None


def commit(fault: str) -> None:
    """Do what the fault's name says to the process that runs this."""
    if fault == "raise":
        raise Refusal("on purpose")
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "exit":
        os._exit(7)
    elif fault == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif fault == "interrupt":
        parent = multiprocessing.parent_process()
        if parent is not None:
            # Its own share, if it has one, is done then: Backtrader makes strategies under a bare except, in which an
            # interrupt is lost.
            time.sleep(0.2)
        os.kill(os.getpid() if parent is None else parent.pid or 0, signal.SIGINT)
        time.sleep(0.3)  # the parent has been interrupted while this step is still under way
    else:
        raise AssertionError(fault)


class Faulty(vecbt.Strategy):
    """Commits a fault in one of its methods, in one environment and episode, after so many steps where that can be."""

    params = (("fault", "raise"), ("where", "next"), ("env", 2), ("step", HARMLESS), ("episode", 0))

    def _commit(self, where: str) -> None:
        own = self.episode
        if where == self.p.where and own.index == self.p.env and own.number == self.p.episode:
            commit(self.p.fault)

    def start(self) -> None:
        if self.p.where == "start" and in_worker():
            self._commit("start")
        super().start()

    def next(self) -> None:
        if self.p.where == "next" and self.episode.live and self.episode.step > self.p.step:
            self._commit("next")
        super().next()

    def stop(self) -> None:
        self._commit("stop")
        super().stop()

    def act(self, data: Any, instruction: int, amount: float) -> None:
        self._commit("act")
        super().act(data, instruction, amount)


class FaultyReward(Faulty):
    def get_reward(self) -> float:
        if self.episode.step > self.p.step:
            self._commit("get_reward")
        return 0.0


class FaultyDone(Faulty):
    def get_done(self) -> bool:
        if self.episode.step > self.p.step:
            self._commit("get_done")
        return False


class FaultyInit(vecbt.Strategy):
    """Raises while it is made: the first time that is where the strategy is probed, in the calling process."""

    params = (("in_worker", False),)

    def __init__(self) -> None:
        super().__init__()
        if in_worker() or not self.p.in_worker:
            raise Refusal("on purpose")


class FaultyFactory:
    """Makes a Cerebro in the calling process; in a worker, which calls it as it starts, it commits a fault."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def __call__(self) -> bt.Cerebro:
        if in_worker():
            commit(self.fault)
        return bt.Cerebro()
