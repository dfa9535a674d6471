"""The slice of a batch whose broker is Backtrader itself."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.brokers.cerebro import loops
from vecbt.brokers.cerebro.analyses import as_plain
from vecbt.brokers.cerebro.build import feed_columns, make_cerebro
from vecbt.brokers.cerebro.hooks import Hooks
from vecbt.brokers.cerebro.runner import Episode
from vecbt.errors import StrategyError
from vecbt.kernels.block import Block
from vecbt.kernels.layout import Autoreset, Clock, Phase
from vecbt.kernels.own_reward import OwnReward
from vecbt.plan import Plan

__all__ = ["CerebroSlice", "MakeCerebroSlice"]

_COLLECT_EVERY = 64
"""Episodes between two collections of garbage where the slice has a process to itself."""


@dataclasses.dataclass(frozen=True)
class MakeCerebroSlice:
    """Makes a `CerebroSlice` in whatever process it is called.

    Attributes:
        plan: What to run.
        warmup: Bars that the strategy's indicators need, the current one included.
        own_process: Whether the slice may arrange the process to its liking.
    """

    plan: Plan
    warmup: int
    own_process: bool

    def __call__(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> CerebroSlice:
        return CerebroSlice(self.plan, self.warmup, arrays, low, high, self.own_process)


class CerebroSlice:
    """Environments ``low <= index < high`` of a batch, each a ``cerebro.run()`` in a greenlet of its own.

    See `vecbt.shm.slices.Slice`.
    """

    def __init__(
        self, plan: Plan, warmup: int, arrays: Mapping[str, AnyArray], low: int, high: int, own_process: bool
    ) -> None:
        self.low, self.high = low, high
        self.current = -1
        self._skip, self._same_step = plan.config.skip_frame, plan.autoreset == Autoreset.SAME_STEP
        self._warmup = warmup
        self._arrays = {**arrays, **plan.table.arrays, **plan.constants}
        self._phase = self._arrays["clock"][low:high, Clock.PHASE]
        self._kept = Block(self._arrays)
        self._block = self._kept.address
        self._codes = np.full(high - low, -1, np.int64)
        self._columns = feed_columns(plan.table)
        self._hooks = Hooks(plan, self._arrays)
        self._own_reward = None if plan.own_reward is None else OwnReward(plan.own_reward)
        self._episodes: list[Episode] = []
        for index in range(low, high):
            self.current = index
            self._episodes.append(
                Episode(
                    index,
                    lambda episode: make_cerebro(plan.config, plan.table, episode),
                    self._arrays,
                    plan.config.max_exposure,
                    plan.config.close_out and plan.config.strategy is not None,
                )
            )
        self.current = -1
        self._resume: list[Any] = [episode.resume for episode in self._episodes]
        # A run leaves cycles behind, and its bars make many objects that live for a bar: at its own pace the
        # collector takes 5 to 10 % of the time. In a process of the slice's own it runs between episodes instead.
        self._uncollected = 0 if own_process else None
        if own_process:
            gc.disable()

    def reset(self, argument: Any = None) -> None:
        """Begin episodes in the environments of the mask."""
        mask = self._arrays["mask"][self.low : self.high]
        self._phase[mask] = Phase.RESETTING
        self._start_opened()
        loops.publish(self._block, self.low, self.high, True)

    def step(self, argument: Any = None) -> None:
        """Step every environment; those whose episode has ended begin a new one, as the autoreset mode has it."""
        block, low, high = self._block, self.low, self.high
        if loops.begin_step(block, low, high):
            self._start_opened()
        closing = 0
        for number in range(self._skip):
            closing = self._run_bar(first=number == 0, closing_only=False)
        if closing:
            # Episodes that a call has ended on the step's last bar close their positions on one bar more.
            self._run_bar(first=False, closing_only=True)
        if self._hooks.any:
            self._call_hooks(self._hooks.after_step)
        if self._own_reward is not None:
            self._own_reward.write(block, self._arrays["rewards"], low, high)
        if loops.publish(block, low, high, False):
            self._end_episodes()

    def _run_bar(self, first: bool, closing_only: bool) -> int:
        """Run the environments that take part for one bar; returns how many need another to close their positions."""
        block, low, high, codes = self._block, self.low, self.high, self._codes
        loops.begin_bar(block, low, high, first, closing_only, codes)
        resume = self._resume
        place = 0
        try:
            for place, code in enumerate(codes.tolist()):
                if code >= 0 and resume[place](code):
                    raise StrategyError(
                        "the run of Cerebro has ended within an episode: the strategy has stopped it before the bar "
                        "was complete. Return True from get_done() to end an episode"
                    )
        except BaseException:
            self.current = low + place
            raise
        if not self._hooks.asks_done:
            return loops.end_bar(block, low, high, codes, True, True)
        loops.end_bar(block, low, high, codes, True, False)
        self._call_hooks(self._hooks.after_bar)
        return loops.end_bar(block, low, high, codes, False, True)

    def _call_hooks(self, hook: Any) -> None:
        for place, (episode, phase) in enumerate(zip(self._episodes, self._phase.tolist(), strict=True)):
            if phase not in (Phase.RESETTING, Phase.CUT):
                self.current = self.low + place
                hook(episode, phase)
        self.current = -1

    def _start_opened(self) -> None:
        """Run Cerebro up to the first observation in the environments whose episode has just been drawn."""
        loops.open_episodes(self._block, self.low, self.high)
        clock = self._arrays["clock"]
        for place in np.flatnonzero(self._phase == Phase.RESETTING).tolist():
            self.current = index = self.low + place
            episode = self._episodes[place]
            first = int(clock[index, Clock.START]) - self._warmup + 1
            episode.start_run(self._columns, first, int(clock[index, Clock.END]) + 1)
            self._resume[place] = episode.resume
            self._hooks.after_reset(episode)
        self.current = -1
        if self._uncollected is not None:
            self._uncollected += 1
            if self._uncollected >= _COLLECT_EVERY:
                self._uncollected = 0
                gc.collect()

    def _end_episodes(self) -> None:
        ended = np.flatnonzero(self._phase == Phase.ENDED).tolist()
        for place in ended:
            self.current = self.low + place
            self._episodes[place].conclude()
        self.current = -1
        if self._same_step:
            self._hooks.keep_final([self.low + place for place in ended])
            loops.reopen(self._block, self.low, self.high)
            self._start_opened()
            loops.publish(self._block, self.low, self.high, True)

    def recover(self, argument: Any) -> None:
        """Show with the next step that the running episodes have been cut short; see `vecbt.shm.slices.Slice`."""
        phase = self._phase
        phase[(phase == Phase.RUNNING) | (phase == Phase.CLOSING)] = Phase.CUT
        self._arrays["restarted"][self.low : self.high] = True

    def call(self, name: str, argument: Any) -> Any:
        """Requests outside the lockstep.

        Args:
            name: ``"outcomes"``: of the last episodes that have ended, of all environments or of the one in
                ``argument``. ``"conclude"``: the runs of the environments in ``argument``, whose episodes have been
                stopped.
            argument: See above.

        Returns:
            For each outcome the seconds it took and what its analyzers say, as plain data; None for none.
        """
        if name == "conclude":
            for index in argument:
                if self.low <= index < self.high:
                    self.current = index
                    self._episodes[index - self.low].conclude()
            self.current = -1
            return None
        if name != "outcomes":
            raise NotImplementedError(name)
        chosen = [episode for episode in self._episodes if argument is None or argument == episode.index]
        return [as_plain(episode.outcome) for episode in chosen]

    def close(self) -> None:
        """Drop the runs that are under way."""
        for episode in self._episodes:
            episode.abandon_run()
