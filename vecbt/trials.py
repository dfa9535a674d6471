"""Keeps a batch's trials: what global time makes of them, and whether there are any left."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vecbt.arrays import AnyArray, IntArray
from vecbt.data.shared import DataTable
from vecbt.errors import ExhaustedError
from vecbt.kernels.layout import Choice, Clock, Phase, Section, Stat

__all__ = ["TrialKeeper"]


class TrialKeeper:
    """Trials of a batch of environments.

    Args:
        table: The data.
        arrays: The batch's arrays; of them this writes ``sections``.

    Attributes:
        finite: Whether trials may run out: then `look_at_clock` and `require` before a reset and a step.
        moving: Whether global time has a say: then `advance_clock` after a step.
    """

    def __init__(self, table: DataTable, arrays: Mapping[str, AnyArray]) -> None:
        self._supply, self._clock = table.supply, table.clock
        self.moving, self.finite = self._supply.moving, self._supply.finite
        self._order = table.trials.order
        self._stamps = table.bars.arena.arrays["stamps"]
        self._arrays = arrays
        self._tested = table.trials.sections[Section.TARGET_TEST][0]
        self._moment = self._clock.now
        arrays["sections"][:, 2] = [first for first, _ in table.trials.sections]
        arrays["sections"][:, :2] = self._supply.sections(self._moment)

    def place(self, row: int) -> tuple[int, int, int]:
        """Number among those of its type, trial type and sample type of a trial in a row of the table."""
        firsts = self._arrays["sections"][:, 2]
        section = int(np.flatnonzero(firsts <= row)[-1])  # of those that begin with the same row the others are empty
        return int(row - firsts[section]), section // 2, section % 2

    def look_at_clock(self) -> None:
        """Let the coming episodes have the trials of the present moment."""
        now = self._clock.now
        if now != self._moment:
            self._moment = now
            self._arrays["sections"][:, :2] = self._supply.sections(now)

    def advance_clock(self, ended: IntArray) -> None:
        """Move global time to the latest bar that a test episode of a target trial has seen in a step.

        Args:
            ended: int64 (n,), the environments whose episodes have ended with the step.
        """
        clock, stats = self._arrays["clock"], self._arrays["stats"]
        shown = (clock[:, Clock.TRIAL] >= self._tested) & (clock[:, Clock.PHASE] != Phase.IDLE)
        bars = clock[shown, Clock.BAR]
        # Where the next episode has begun in the same step, the last bar of the one before is among its statistics.
        tested = (stats[ended, Stat.TRIAL_TYPE] == 1.0) & (stats[ended, Stat.SAMPLE_TYPE] == 1.0)
        latest = max(bars.max(initial=-1), int(stats[ended, Stat.END][tested].max(initial=-1)))
        if latest >= 0:
            self._clock.advance(int(self._stamps[latest]))

    def require(self, envs: IntArray, numbers: IntArray, sections: IntArray, chosen: IntArray) -> None:
        """Make sure that there is a trial for the next episode of every one of some environments.

        Args:
            envs: int64 (n,), the environments.
            numbers: int64 (n,), the numbers of their next episodes.
            sections: int (n,), the sections of their trials.
            chosen: int64 (n,), their trials counted from 1, 0 where none has been chosen.

        Raises:
            ExhaustedError: If there is none; names the first environment.
        """
        counts = self._arrays["sections"][sections, 1]
        wanted = numbers * len(self._arrays["clock"]) + envs if self._order == "sequential" else np.zeros_like(numbers)
        missing = np.flatnonzero((chosen == 0) & (wanted >= counts))
        if missing.size:
            place = missing[0]
            if self._order == "sequential":
                raise ExhaustedError(
                    f"environment {envs[place]} needs trial {wanted[place]}, and there are {counts[place]}: every "
                    f"trial has had its turn. reset(seed=...) begins again with the first"
                )
            raise ExhaustedError(
                f"environment {envs[place]} needs a target trial after the present global time, and there is none: the "
                f"data are used up. Choose one with options={{'trial': ...}}, or make the environments anew"
            )

    def require_next(self) -> None:
        """Make sure that a step finds a trial for every episode that it begins.

        Raises:
            ExhaustedError: If it does not.
        """
        clock, choices = self._arrays["clock"], self._arrays["choices"]
        ended = np.flatnonzero(clock[:, Clock.PHASE] == Phase.ENDED)
        numbers = np.where(choices[ended, Choice.SEED] != 0, 0, clock[ended, Clock.EPISODE] + 1)
        self.require(ended, numbers, self._arrays["section"][ended], choices[ended, Choice.TRIAL])
