"""Environments that follow others: evaluation on the trials that a master trains on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from vecbt.arrays import IntArray
from vecbt.choices import EPISODE_OPTIONS, as_columns
from vecbt.data.shared import DataTable
from vecbt.errors import ConfigError, EpisodeError
from vecbt.kernels.layout import Autoreset, Clock, Phase, Section

if TYPE_CHECKING:
    from vecbt.batch import Batch
    from vecbt.remote.client import BacktraderClient

__all__ = ["CurrentTrials", "Follower", "Master", "current_trials"]

CurrentTrials: TypeAlias = Mapping[str, Any]
"""What `vecbt.vector.TradingVectorEnv.current_trials` returns."""

_SECOND = 1_000_000_000


class Master(Protocol):
    """Whose trials are followed."""

    def current_trials(self) -> CurrentTrials:
        """The trials that its environments are in."""


def current_trials(table: DataTable, clock: IntArray) -> dict[str, Any]:
    """See `vecbt.vector.TradingVectorEnv.current_trials`.

    Args:
        table: The data.
        clock: int64 (N, len(Clock)).
    """
    if (clock[:, Clock.PHASE] == Phase.IDLE).any():
        raise EpisodeError("the environments are in no trial before their first reset")
    row, section = clock[:, Clock.TRIAL], np.zeros(len(clock), np.int64)
    firsts = np.array([first for first, _ in table.trials.sections])
    for number, (first, count) in enumerate(table.trials.sections):
        section[(first <= row) & (row < first + count)] = number
    trial_type, trial = section // 2, row - firsts[section]
    spans = np.empty((len(clock), 2), np.int64)
    for kind in set(trial_type.tolist()):
        own = trial_type == kind
        spans[own] = _spans(table, kind, trial[own])
    seconds = table.bars.arena.arrays["stamps"][spans] // _SECOND
    return {
        "trial_type": trial_type,
        "type": section % 2,
        "number": clock[:, Clock.EPISODE].copy(),
        "trial": trial,
        "first_row": spans[:, 0],
        "last_row": spans[:, 1],
        "first_time": seconds[:, 0],
        "last_time": seconds[:, 1],
        "fingerprint": table.bars.fingerprint,
    }


def _spans(table: DataTable, trial_type: int, trials: IntArray) -> IntArray:
    """int64 (n, 2), first and last row of trials of a type, their two parts together."""
    firsts = [first for first, count in table.trials.sections[2 * trial_type : 2 * trial_type + 2] if count]
    rows = table.trials.arena.arrays["trials"]
    return np.stack([rows[firsts[0] + trials, 0], rows[firsts[-1] + trials, 1] - 1], axis=1)


class Follower:
    """Gives the coming episodes of a batch the trials that a master's environments are in when they begin.

    Environment *i* takes the trial of the master's environment *i mod M*, and of that its test part, if it has one.

    Args:
        batch: The environments that follow.
        master: Whom they follow, or the address of a Backtrader server.

    Raises:
        ConfigError: If the master is none.
    """

    def __init__(self, batch: Batch, master: Master | str | os.PathLike[str]) -> None:
        self._batch, self._table = batch, batch.plan.table
        table = self._table
        self._own: BacktraderClient | None = None
        if isinstance(master, str | os.PathLike):
            from vecbt.server import BacktraderServer

            master = self._own = BacktraderServer.attach(master)
        if not callable(getattr(master, "current_trials", None)):
            raise ConfigError(
                f"expected vector environments to follow, a client of a BacktraderServer or its address, got {master!r}"
            )
        self._master = master
        self._keys, self._order = [], []
        for kind, sections in enumerate((table.trials.sections[:2], table.trials.sections[2:])):
            count = max(count for _, count in sections)
            keys = _keys(_spans(table, kind, np.arange(count))) if count else np.empty(0, np.int64)
            self._keys.append(keys)
            self._order.append(np.argsort(keys))
        tests = (Section.SOURCE_TEST, Section.TARGET_TEST)
        self._sample_type = np.array([int(table.trials.sections[test][1] > 0) for test in tests])

    def before_step(self) -> None:
        """Choose for the environments that a step may reset."""
        phase = self._batch.arrays["clock"][:, Clock.PHASE]
        if self._batch.plan.autoreset == Autoreset.NEXT_STEP:
            envs = np.flatnonzero(phase == Phase.ENDED)
        elif self._batch.plan.autoreset == Autoreset.SAME_STEP:
            envs = np.arange(len(phase))
        else:
            return
        if envs.size:
            self._batch.set_next_reset(envs, [None] * len(envs), self.choose(envs))

    def end(self) -> None:
        """Follow no more; what has been chosen and not used is taken back."""
        if self._own is not None:
            self._own.close()
        if not self._batch.interrupted:
            envs = np.arange(self._batch.num_envs)
            self._batch.set_next_reset(envs, [None] * len(envs), as_columns({"trial": None}, len(envs)))

    def choose(self, envs: IntArray) -> IntArray:
        """The options of environments whose next episodes are about to begin.

        Returns:
            int64 (len(EPISODE_OPTIONS), n), see `vecbt.choices.as_columns`.

        Raises:
            ConfigError: If the data are not the master's, or have no such trial.
            EpisodeError: If the master has not been reset yet.
        """
        trials = self._master.current_trials()
        if trials["fingerprint"] != self._table.bars.fingerprint:
            raise ConfigError(
                "the master's data are not those of the environments that follow it: make both of one data server, or "
                "of one domain"
            )
        place = envs % len(trials["trial"])
        kind, spans = trials["trial_type"][place], np.stack([trials["first_row"], trials["last_row"]], axis=1)[place]
        columns = as_columns({}, len(envs))
        trial_type, sample_type, trial, _ = range(len(EPISODE_OPTIONS))
        columns[trial_type], columns[sample_type] = kind, self._sample_type[kind]
        columns[trial] = [self._find(each, span) for each, span in zip(kind.tolist(), spans, strict=True)]
        return columns

    def _find(self, kind: int, span: IntArray) -> int:
        """Number of the trial with such a first and last row: other settings leave other trials room for episodes."""
        keys, order = self._keys[kind], self._order[kind]
        key = _keys(span[np.newaxis])[0]
        rank = int(np.searchsorted(keys, key, sorter=order))
        if rank == len(keys) or keys[order[rank]] != key:
            name = ("source", "target")[kind]
            raise ConfigError(
                f"the master is in the {name} trial of rows {span[0]} to {span[1]}, which the data of the environments "
                f"that follow it do not admit: its rules leave them no room there. Make them with a window and "
                f"episode_steps that are no longer than the master's"
            )
        return int(order[rank])


def _keys(spans: IntArray) -> IntArray:
    """One number for each pair of rows."""
    return np.asarray((spans[:, 0] << 31) + (spans[:, 1] - spans[:, 0]))
