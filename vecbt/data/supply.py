"""Which of a domain's trials there are for the next episode: all of them, or those that global time allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vecbt.arrays import IntArray
from vecbt.kernels.layout import Section

if TYPE_CHECKING:
    from vecbt.data.shared import DataTable

__all__ = ["TrialSupply"]


class TrialSupply:
    """The sections of a table's trials as they are at a moment.

    Args:
        table: The data.

    Attributes:
        moving: Whether they change with global time.
        finite: Whether there may come an episode for which there is no trial.
    """

    def __init__(self, table: DataTable) -> None:
        trials = table.trials
        self._all = self._now = np.array(trials.sections)
        self._moment: int | None = None
        self._stamps = table.bars.arena.arrays["stamps"]
        self._expanding = trials.order == "expanding"
        self.moving = trials.order in ("causal", "expanding")
        self.finite = self.moving or trials.order == "sequential"
        if self.moving:
            rows = trials.arena.arrays["trials"]
            (test, tests), (train, trains) = trials.sections[Section.SOURCE_TEST], trials.sections[Section.TARGET_TRAIN]
            # In memory of their own, as a search is quick in contiguous arrays alone.
            self._source_ends = rows[test : test + tests, 1].copy()
            self._target_cuts = rows[train : train + trains, 1].copy()

    def sections(self, moment: int) -> IntArray:
        """First trial and number of trials of each `vecbt.kernels.layout.Section`, int64 (4, 2).

        Args:
            moment: Global time, UTC nanoseconds.
        """
        if self.moving and moment != self._moment:
            self._moment, self._now = moment, self._at(moment)
        return self._now

    def _at(self, moment: int) -> IntArray:
        known = int(np.searchsorted(self._stamps, moment, "right"))  # rows
        # Before there are trials of both types it is the first moment at which there are.
        known = max(known, int(self._source_ends[0]), int(self._target_cuts[0]))
        past = int(np.searchsorted(self._source_ends, known, "right"))
        coming = int(np.searchsorted(self._target_cuts, known, "left"))
        sections = self._all.copy()
        if self._expanding:
            sections[: Section.TARGET_TRAIN, 1] = past
        else:
            sections[: Section.TARGET_TRAIN, 0] += past - 1
            sections[: Section.TARGET_TRAIN, 1] = 1
        sections[Section.TARGET_TRAIN :, 0] += coming
        sections[Section.TARGET_TRAIN :, 1] = coming < len(self._target_cuts)
        return sections
