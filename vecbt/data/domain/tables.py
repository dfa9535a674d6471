"""What a domain is, and the tables into which it writes the trials and episodes that it admits."""

from __future__ import annotations

import abc
import dataclasses
import functools
from typing import TYPE_CHECKING, Any, TypeAlias

from vecbt.arrays import IntArray
from vecbt.data.clock import GlobalTime

if TYPE_CHECKING:
    from vecbt.data.aligned import AlignedBars
    from vecbt.data.bars import Bars

__all__ = ["ORDERS", "Domain", "Section", "TrialTable"]

Section: TypeAlias = tuple[int, int]
"""First row in the table of trials, and number of rows."""

ORDERS = ("random", "sequential", "causal", "expanding")
"""How a trial is chosen for the next episode: drawn among all, the next one, the one at global time, or drawn among
those up to global time."""


@dataclasses.dataclass(frozen=True)
class TrialTable:
    """All trials and episode starts that a domain admits.

    A trial of the training rows is a *source* trial, one of the test rows a *target* trial. Its own rows are for
    training first and for test then; either part may be missing.

    Attributes:
        rows: int64 (M, 3), of each part of a trial the first row, the row after the last, and the first row that may
            be looked back to.
        starts: int64 (S,), rows at which an episode may start, ascending; empty when all may.
        rank: int64 (T + 1,), number of such rows before each row; empty when all may.
        sections: The parts of source trials for training and for test, then those of target trials. Trial number *i*
            of a type is number *i* in both of its sections.
        shapes: Shapes of the Beta distributions of trials, then of episodes.
        train_rows: See `Domain.train_rows`.
        order: One of `ORDERS`.
        aligned: Whether test episodes of target trials start as early as they may.
    """

    rows: IntArray
    starts: IntArray
    rank: IntArray
    sections: tuple[Section, Section, Section, Section]
    shapes: tuple[float, float, float, float]
    train_rows: tuple[int, int]
    order: str = "random"
    aligned: bool = False


class Domain(abc.ABC):
    """A data set with rules for drawing trials and episodes.

    Attributes:
        data: Where the bars come from.
    """

    data: Any

    @functools.cached_property
    def bars(self) -> Bars | AlignedBars:
        """The data set; read when it is first needed, which is in the data server where there is one."""
        from vecbt.data.align import read_data

        return read_data(self.data)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "bars"}

    @property
    @abc.abstractmethod
    def train_rows(self) -> tuple[int, int]:
        """First training row and the row after the last."""

    @abc.abstractmethod
    def room(self, lookback: int) -> int:
        """The most bars, the first observation not counted, that an episode can have in every trial."""

    @abc.abstractmethod
    def trials(self, lookback: int, bars: int | None) -> TrialTable:
        """The tables for episodes of so many bars with so many rows before them.

        Args:
            lookback: Rows before the first observation.
            bars: Bars of an episode; 0 for all to the end of its part of the trial; None where no episodes will be
                drawn.

        Raises:
            TooFewBarsError: If there is no room for an episode.
            SamplingError: If the rules admit none.
        """

    def make_clock(self) -> GlobalTime:
        """Global time as it is at first: the time of the first bar."""
        return GlobalTime.starting_at(int(self.bars.timestamps[0]))
