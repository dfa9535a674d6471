"""Sees to it that every episode finds its generated trial: orders trials ahead, and waits for those that lack."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping

import numpy as np

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.data.generated.filler import Filler
from vecbt.data.generated.slots import CLOSED, FAILED, FILLED, FILLER_ASLEEP, ORDERED, PARENT_ASLEEP, close_words
from vecbt.data.shared import DataTable
from vecbt.errors import ClosedError, WorkerTimeoutError
from vecbt.kernels.layout import Autoreset, Clock, Phase, Section
from vecbt.kernels.orders import are_made, order_trials
from vecbt.messages import REPLIES, decode, raise_error
from vecbt.shm.control import SPINS, patience
from vecbt.shm.process import usable_cores
from vecbt.shm.words import load, post, wait_for

__all__ = ["TrialFeed"]

_ASLEEP = np.array([0, 100_000_000])
"""Seconds and nanoseconds of sleep between two looks whether the other side lives."""


class TrialFeed:
    """The generated trials of a batch.

    Args:
        table: The table with the batch's slots.
        arrays: The batch's arrays.
        autoreset: What follows an episode's end.
        filler: Fills the slots when called, in this process; None where a data server does so on its own.
        check_alive: Raises if nobody fills the slots any more.
        timeout: Seconds to wait for a trial at most; None for ever.
        release: Called at the end.
    """

    def __init__(
        self,
        table: DataTable,
        arrays: Mapping[str, AnyArray],
        autoreset: Autoreset,
        filler: Filler | None,
        check_alive: Callable[[], None],
        timeout: float | None,
        release: Callable[[], None],
    ) -> None:
        slots = table.slots
        self._slots, self._words = slots, slots.words
        self._filler, self._check_alive, self._timeout = filler, check_alive, timeout
        self._autoreset = autoreset
        self._clock, self._choices, self._section = arrays["clock"], arrays["choices"], arrays["section"]
        self._seeds = arrays["seeds"], arrays["next_seeds"]
        own = slots.arena.arrays
        self._keys, self._ordered, self._made = own["keys"].view(np.uint64), own["ordered"], own["made"]
        self._first_trial = table.trials.sections[Section.SOURCE_TRAIN][0]
        self._all = np.arange(len(self._clock))
        self._begun = self._all[:0]  # NEXT_STEP: the environments that begin an episode in the present step
        self._behind = False  # SAME_STEP: whether trials were ordered since all were last seen to be there
        self._yields = patience(2, usable_cores())
        self._release = release
        self._finalizer = weakref.finalize(self, close_words, self._words)

    def order(self, envs: IntArray) -> None:
        """Order the trials of the coming episodes of environments, as their seeds and options now are."""
        before = int(self._words[ORDERED])
        orders = order_trials(
            envs,
            self._clock,
            self._choices,
            *self._seeds,
            self._section,
            self._keys,
            self._ordered,
            self._slots.first_row,
            self._slots.bars,
            self._first_trial,
            before,
        )
        if orders > before:
            self._behind = True
            post(self._words, ORDERED, orders, FILLER_ASLEEP)

    def before_reset(self, mask: BoolArray) -> None:
        """Provide what a reset of these environments reads.

        Raises:
            VecbtError: If a trial cannot be made.
            WorkerDiedError: If who makes them is gone.
        """
        envs = np.flatnonzero(mask)
        self.order(envs)
        self._wait(envs)

    def after_reset(self, mask: BoolArray) -> None:
        """Order what comes after it."""
        self.order(np.flatnonzero(mask))

    def before_step(self, any_ended: bool) -> None:
        """Provide what the resets within a step read.

        Args:
            any_ended: Whether an episode has ended with the last step.

        Raises:
            VecbtError: If a trial cannot be made.
            WorkerDiedError: If who makes them is gone.
        """
        if self._autoreset == Autoreset.NEXT_STEP and any_ended:
            self._begun = np.flatnonzero(self._clock[:, Clock.PHASE] == int(Phase.ENDED))
            self._wait(self._begun)
        elif self._autoreset == Autoreset.SAME_STEP and self._behind:  # any episode may end
            self._wait(self._all)
            self._behind = False

    def after_step(self, ended: BoolArray | None) -> None:
        """Order what comes after the episodes that have begun.

        Args:
            ended: bool (N,), the episodes that have ended with the step; None for none.
        """
        if self._autoreset == Autoreset.SAME_STEP:
            if ended is not None:
                self.order(np.flatnonzero(ended))
        elif len(self._begun):
            self.order(self._begun)
            self._begun = self._all[:0]

    def _wait(self, envs: IntArray) -> None:
        begun = time.monotonic()
        while True:
            seen = load(self._words, FILLED)
            if are_made(envs, self._choices, self._section, self._ordered, self._made, self._first_trial):
                return
            if self._filler is not None:
                self._filler.fill_ordered()
                continue
            if self._words[FAILED]:
                raise_error(decode(self._slots.error(), REPLIES))
            if not wait_for(self._words, FILLED, seen + 1, PARENT_ASLEEP, SPINS, self._yields, _ASLEEP):
                self._check_alive()
                if self._words[CLOSED]:
                    raise ClosedError(
                        "the data server has closed this batch's trials with the connection: make another"
                    )
                if self._timeout is not None and time.monotonic() - begun > self._timeout:
                    raise WorkerTimeoutError(f"the data server has not generated the next trials in {self._timeout} s")

    def close(self) -> None:
        """Let go of the slots; may be called again."""
        self._finalizer()
        self._release()
