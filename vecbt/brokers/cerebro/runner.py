"""One environment's run of Cerebro, turned inside out: the agent's loop is outside, ``cerebro.run()`` in a greenlet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from greenlet import getcurrent, greenlet

from vecbt.brokers.cerebro.account import Account
from vecbt.brokers.cerebro.analyses import analyses_of
from vecbt.brokers.cerebro.ledger import Ledger
from vecbt.brokers.cerebro.stats import BrokerStats
from vecbt.errors import StrategyError
from vecbt.kernels.layout import Clock, Phase, Section, Setting, Track

if TYPE_CHECKING:
    from vecbt.arrays import FloatArray, IntArray

__all__ = ["STOP", "Episode"]

STOP = -1
"""Handed to an episode instead of an instruction: finish the run."""


class Episode:
    """One environment in a worker: its feeds, its greenlet, and what its strategy may ask about the episode.

    Args:
        index: Index of the environment in the whole batch.
        make_cerebro: Makes its Cerebro and the feeds in it.
        arrays: The batch's arrays.
        max_exposure: See `vecbt.EnvConfig`.
        closes_out: Whether what a strategy's orders have left is closed before an episode ends.

    Attributes:
        index: Index of the environment in the whole batch.
        account: The account at the current bar.
        previous: The account at the observation before.
        broker_stats: BTGym's statistics of the account at the current bar.
        live: Whether the first observation has been reached; no orders before.
        outcome: Of the last episode that has ended here, the seconds that it took and the analyses of its analyzers.
    """

    def __init__(
        self,
        index: int,
        make_cerebro: Callable[[Episode], tuple[Any, list[Any]]],
        arrays: dict[str, Any],
        max_exposure: float | None,
        closes_out: bool = False,
    ) -> None:
        self.index = index
        self._closes_out = closes_out
        self.max_exposure = max_exposure
        self.live = self.fast = False
        self.strategy: Any = None
        self.outcome: tuple[float, dict[str, Any]] | None = None
        self._begun = 0.0
        self.resume: Callable[[int], Any] = _not_started
        self.ledger = Ledger(memoryview(arrays["rows"][index]))
        self.account = Account(self.ledger.row)
        self.previous = Account(memoryview(arrays["previous"][index]))
        self.broker_stats = BrokerStats(arrays["rows"][index], arrays["track"][index], arrays["params"])
        self._clock: IntArray = arrays["clock"][index]
        self._track: FloatArray = arrays["track"][index]
        self._sections: IntArray = arrays["sections"]
        self._stored = int(arrays["settings"][Setting.STORED])
        self._sizes: FloatArray = arrays["sizes"][index]
        self._seed = arrays["seeds"][index]
        self._instructions = memoryview(arrays["instructions"][index])
        self._amounts = memoryview(arrays["amounts"][index])
        self._stop_request = memoryview(arrays["stop_requests"].view(np.uint8))[index : index + 1]
        self._greenlet: greenlet | None = None
        self._random: np.random.Generator | None = None
        self.cerebro, self.feeds = make_cerebro(self)
        self.switch: Callable[[], int] = _not_started

    # -- for strategies ----------------------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Number of the episode since the environment was last seeded."""
        return int(self._clock[Clock.EPISODE])

    @property
    def bar(self) -> int:
        """Row of the current bar in the data set; -1 in a generated trial.

        Within ``next()`` and notifications this is still the bar before: the environment moves on once they are done.
        """
        bar = int(self._clock[Clock.BAR])
        return bar if bar < self._stored else -1

    @property
    def trial(self) -> int:
        """Number of the episode's trial among those of its type; of a generated one the episode's."""
        if self._clock[Clock.START] >= self._stored:
            return self.number
        return int(self._clock[Clock.TRIAL] - self._sections[self._section, 2])

    @property
    def trial_type(self) -> str:
        """``"source"`` or ``"target"``: which part of the domain the trial is of."""
        return "target" if self._section >= Section.TARGET_TRAIN else "source"

    @property
    def sample_type(self) -> str:
        """``"train"`` or ``"test"``: which rows of its trial the episode has."""
        return "test" if self._section % 2 else "train"

    @property
    def _section(self) -> int:
        # Of sections that begin with the same trial all but the last are empty.
        return int(np.searchsorted(self._sections[:, 2], self._clock[Clock.TRIAL], side="right")) - 1

    @property
    def step(self) -> int:
        """Steps taken."""
        return int(self._clock[Clock.STEP])

    @property
    def start(self) -> int:
        """Row of the first observation."""
        return int(self._clock[Clock.START])

    @property
    def end(self) -> int:
        """Row of the last bar."""
        return int(self._clock[Clock.END])

    @property
    def drawdown(self) -> float:
        """Percent below the account's highest value in the episode."""
        return float(self._track[Track.DRAWDOWN])

    @property
    def max_drawdown(self) -> float:
        """The largest drawdown of the episode, percent."""
        return float(self._track[Track.MAX_DRAWDOWN])

    @property
    def order_size(self) -> tuple[float | None, ...]:
        """Units of a buy or sell action, one for each asset; None where a sizer decides."""
        return tuple(None if size != size else size for size in self._sizes.tolist())

    @property
    def np_random(self) -> np.random.Generator:
        """Random numbers for the strategy, which depend on the environment's seed and the episode's number alone."""
        if self._random is None:
            # The last word of the counter keeps these numbers apart from those that draw episodes.
            counter = np.array([0, 0, self.number, 1 << 63], np.uint64)
            self._random = np.random.Generator(np.random.Philox(key=self._seed, counter=counter))
        return self._random

    # -- for the engine ----------------------------------------------------------------------------------------------

    def start_run(self, columns: Sequence[tuple[Any, ...]], first: int, last: int) -> None:
        """Run Cerebro over the rows ``first <= row < last`` up to the first observation.

        Args:
            columns: For each feed its columns; see `TableFeed.select`.
            first: First row of the feed, warm-up included.
            last: Row after the last.
        """
        self.finish_run()
        for feed, feed_columns in zip(self.feeds, columns, strict=True):
            feed.select(feed_columns, first, last)
        self.ledger.clear(self.cerebro.broker.startingcash)
        self.previous.copy(self.account)
        self.live = False
        self._random = None
        self._begun = time.perf_counter()
        self._greenlet = greenlet(self.cerebro.run)
        self.switch = getcurrent().switch
        self.resume = self._greenlet.switch
        self._greenlet.switch()
        if self._greenlet.dead:
            raise StrategyError(
                f"the run ended before its first observation: {type(self.strategy).__name__} stopped Cerebro, or its "
                f"minimum period changes from run to run"
            )

    def finish_run(self) -> None:
        """Let a run that is under way end as any run does, with ``stop()`` of strategies and analyzers."""
        running, self._greenlet = self._greenlet, None
        self.resume = _not_started
        if running is not None and not running.dead:
            running.switch(STOP)

    def conclude(self) -> None:
        """Finish the run of an episode that has ended, and keep what it has come to."""
        if self._greenlet is None:  # it was cut short in another process
            self.outcome = None
            return
        self.finish_run()
        self.outcome = time.perf_counter() - self._begun, analyses_of(self.strategy)

    def abandon_run(self) -> None:
        """Drop a run that is under way; no more code of the strategy is run."""
        running, self._greenlet = self._greenlet, None
        self.resume = _not_started
        if running is not None and not running.dead:
            running.throw()

    def begin(self, strategy: Any) -> None:
        """Called by the strategy before its ``start()``."""
        self.strategy = strategy
        self.ledger.begin(strategy, self.feeds)

    def started(self, strategy: Any) -> None:
        """Called by the strategy after its ``start()``."""

    def exchange(self) -> None:
        """Report the bar to the agent and carry out its decision, in Backtrader's own loops."""
        self.ledger.mark(self.cerebro.broker)
        if self.cerebro._event_stop:
            self.take_stop()
        instruction = self.switch()
        if instruction:
            self.act(instruction)

    def take_stop(self) -> None:
        """The strategy has stopped Cerebro: the episode ends with this bar, at the environment's pace."""
        self.cerebro._event_stop = False
        self._stop_request[0] = 1

    def act(self, instruction: int) -> None:
        """Carry out an instruction in the run's own context."""
        if instruction == STOP:
            self.cerebro.runstop()
        elif self._closes_out and self._is_closing():
            self._close_out()
        elif len(self.feeds) == 1:
            self._act_on(0)
        else:
            self._act_on_all()

    def _is_closing(self) -> bool:
        clock = self._clock
        return bool(clock[Clock.PHASE] == Phase.CLOSING or clock[Clock.BAR] == clock[Clock.END] - 1)

    def _close_out(self) -> None:
        """Close the positions of an episode that ends, and withdraw what could open one after that."""
        broker = self.cerebro.broker
        broker.pending.extend(broker.submitted)  # Backtrader cancels accepted orders alone
        broker.submitted.clear()
        for order in list(broker.pending):
            if order.alive():  # not cancelled with its group
                broker.cancel(order)
        for feed in self.feeds:
            self.strategy.close(feed)

    def _act_on(self, number: int) -> None:
        amount = self._amounts[number]
        # Not a number is what a sizer has to find.
        self.strategy.act(self.feeds[number], self._instructions[number], None if amount != amount else amount)

    def _act_on_all(self) -> None:
        """Orders that reduce a position are sent before those that add, so that they free the cash that these need."""
        late = []
        for number in range(len(self.feeds)):
            if self._instructions[number]:
                if self._reduces(number):
                    self._act_on(number)
                else:
                    late.append(number)
        for number in late:
            self._act_on(number)

    def _reduces(self, number: int) -> bool:
        size = self.account.position(number)
        instruction, amount = self._instructions[number], float(self._amounts[number])
        if size == 0.0:
            return False
        if instruction == 3 or (instruction in (4, 5) and amount == 0.0):
            return True  # it is closed
        if instruction in (1, 2):
            return (instruction == 1) == (size < 0.0)
        held = size
        if instruction == 5:
            held = self.strategy.broker.getvalue(datas=[self.feeds[number]])
            amount = amount * self.account.value
        return amount < held if size > 0.0 else amount > held


def _not_started(*_: Any) -> Any:
    raise RuntimeError("the episode has not been started")
