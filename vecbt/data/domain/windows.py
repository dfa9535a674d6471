"""From windows of rows to the table of trials: what the rules admit, and where there is room for episodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vecbt.arrays import BoolArray, IntArray
from vecbt.data.domain.rules import SampleRules, count_rejected
from vecbt.data.domain.tables import Section, TrialTable
from vecbt.errors import ConfigError, SamplingError, TooFewBarsError

if TYPE_CHECKING:
    from vecbt.data.aligned import AlignedBars
    from vecbt.data.bars import Bars

__all__ = ["Windows", "room_of", "tabulate"]


@dataclasses.dataclass(frozen=True)
class Windows:
    """Candidates for the trials of a type: rows ``begin <= row < cut`` for training, ``cut <= row < end`` for test.

    Attributes:
        name: ``"training"`` or ``"test"``, for messages.
        span: Number of rows that the type has.
        begin: int64 (n,).
        cut: int64 (n,); ``begin`` everywhere if there is no training part.
        end: int64 (n,); ``cut`` everywhere if there is no test part.
    """

    name: str
    span: int
    begin: IntArray
    cut: IntArray
    end: IntArray

    @classmethod
    def every(cls, name: str, first: int, end: int, train: int, test: int) -> Windows:
        """All windows of so many training and test rows within ``first <= row < end``."""
        begin = np.arange(first, max(first, end - train - test + 1))
        return cls(name, end - first, begin, begin + train, begin + train + test)

    def parts(self) -> Iterator[tuple[IntArray, IntArray]]:
        """First rows, and rows after the last, of each part that there is."""
        for low, high in ((self.begin, self.cut), (self.cut, self.end)):
            if (high > low).any():
                yield low, high

    def rows_left(self, lookback: int) -> IntArray:
        """int64 (n,): of each window the rows of its smaller part at which an observation may be."""
        left = [high - np.maximum(low, lookback) for low, high in self.parts()]
        return np.min(left, axis=0) if left else np.zeros(len(self.begin), np.int64)

    def chosen(self, mask: BoolArray) -> Windows:
        """Those of the mask."""
        return dataclasses.replace(self, begin=self.begin[mask], cut=self.cut[mask], end=self.end[mask])


def room_of(windows: Sequence[Windows], lookback: int, *, every: bool = False) -> int:
    """The most bars of an episode for which there is a trial of each type; with ``every``, for which all trials do."""
    choose = np.min if every else np.max
    rooms = [int(choose(kind.rows_left(lookback))) - 1 if kind.begin.size else 0 for kind in windows]
    return max(0, min(rooms))


def tabulate(
    bars: Bars | AlignedBars,
    train_rows: tuple[int, int],
    windows: Sequence[Windows],
    rules: Sequence[SampleRules],
    episode: SampleRules,
    lookback: int,
    episode_bars: int | None,
    *,
    every: bool = False,
    order: str = "random",
    aligned: bool = False,
) -> TrialTable:
    """The table of the trials that are admitted.

    Args:
        bars: The data.
        train_rows: See `Domain.train_rows`.
        windows: Candidates for source trials, then for target trials, if there are any.
        rules: Rules for the trials of each.
        episode: Rules for episodes.
        lookback: Rows before an episode's first observation.
        episode_bars: See `Domain.trials`.
        every: Whether all candidates must be admitted.
        order: See `TrialTable`.
        aligned: See `TrialTable`.

    Raises:
        TooFewBarsError: If there is no room for an episode.
        SamplingError: If the rules admit none.
    """
    needed = 1 if episode_bars is None else max(episode_bars, 1) + 1
    for kind in windows:
        _require_room(bars, kind, lookback, needed, every)
    starts, rank = _episode_starts(bars, episode, episode_bars)
    rows: list[IntArray] = []
    sections: list[Section] = []
    for kind, kind_rules in zip(windows, rules, strict=True):
        admitted = _admitted(bars, kind, kind_rules, lookback, needed, rank, every)
        for low, high in ((admitted.begin, admitted.cut), (admitted.cut, admitted.end)):
            part = np.stack([low, high, np.zeros_like(low)], axis=1)[: len(low) if (high > low).any() else 0]
            sections.append((sum(map(len, rows)), len(part)))
            rows.append(part)
    while len(sections) < 4:
        sections.append((sum(map(len, rows)), 0))
    trial = rules[0]
    shapes = (trial.b_alpha, trial.b_beta, episode.b_alpha, episode.b_beta)
    return TrialTable(
        np.concatenate(rows),
        starts,
        rank,
        tuple(sections),  # type: ignore[arg-type]
        tuple(map(float, shapes)),  # type: ignore[arg-type]
        train_rows,
        order,
        aligned,
    )


def _episode_starts(
    bars: Bars | AlignedBars, rules: SampleRules, episode_bars: int | None
) -> tuple[IntArray, IntArray]:
    """Admitted first rows of episodes by the episodes' own rules; empty arrays where there are no rules."""
    empty = np.empty(0, np.int64)
    if episode_bars is None or not rules.any:
        return empty, empty
    if episode_bars == 0:
        raise ConfigError("with episode_steps=None episodes start at their trial's first row: give no rules for it")
    count = len(bars)
    first = np.arange(max(0, count - episode_bars))
    rejected = rules.rejections(bars, first, first + episode_bars)
    admitted = np.zeros(count, bool)
    admitted[: len(first)] = ~np.any(list(rejected.values()), axis=0)
    if not admitted.any():
        raise SamplingError(f"no episode of {episode_bars} bars is admitted: {count_rejected(rejected, len(first))}")
    return np.flatnonzero(admitted), np.concatenate([[0], np.cumsum(admitted)])


def _require_room(bars: Bars | AlignedBars, windows: Windows, lookback: int, needed: int, every: bool) -> None:
    """Raise if no rule could be the reason that there is no episode."""
    enough = windows.rows_left(lookback) >= needed
    if enough.all() if every and enough.size else enough.any():
        return
    span = windows.span
    trial = f"a trial has {_length(windows)}" if enough.size else f"a trial has {span}"
    if every and enough.size:
        number = int(np.argmin(enough))
        first, end = windows.begin[number], windows.end[number]
        trial = f"trial {number} has {end - first}, rows {first} to {end - 1}"
    raise TooFewBarsError(
        f"the {windows.name} rows are {span} bars and {trial}; an episode needs {needed} and {lookback} before them. "
        f"Use more data, or a smaller window, episode_steps or trial",
        source=bars.name,
    )


def _length(windows: Windows) -> str:
    train, test = windows.cut[0] - windows.begin[0], windows.end[0] - windows.cut[0]
    return f"{train} for training and {test} for test" if train and test else f"{train + test}"


def _admitted(
    bars: Bars | AlignedBars,
    windows: Windows,
    rules: SampleRules,
    lookback: int,
    needed: int,
    rank: IntArray,
    every: bool,
) -> Windows:
    """The windows that the rules admit and that have an episode in each of their parts."""
    count = len(windows.begin)
    rejected = rules.rejections(bars, windows.begin, windows.end - 1)
    rejected["room for the look-back and an episode"] = windows.rows_left(lookback) < needed
    without = np.zeros(count, bool)
    for low, high in windows.parts() if rank.size else ():
        earliest = np.maximum(low, lookback)  # the data's first row may be looked back to
        usable = np.clip(high - needed + 1, 0, len(rank) - 1)
        without |= rank[usable] - rank[np.minimum(earliest, usable)] < 1
    rejected["rules of episodes"] = without
    admitted = ~np.any(list(rejected.values()), axis=0)
    if not (admitted.all() if every else admitted.any()):
        length = windows.end[0] - windows.begin[0]
        which = f"not every {windows.name} trial" if every else f"no {windows.name} trial of {length} bars"
        raise SamplingError(f"{which} is admitted: {count_rejected(rejected, count)}")
    return windows.chosen(admitted)
