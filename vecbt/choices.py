"""What the next reset of each environment is given instead of drawing it: a seed, the rows, a trial, the first row."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.data.shared import TrialColumns
from vecbt.errors import ConfigError, UnknownNameError
from vecbt.kernels.layout import Choice

__all__ = ["EPISODE_OPTIONS", "Choices", "as_columns", "as_seeds"]

EPISODE_OPTIONS = ("trial_type", "sample_type", "trial", "start")
"""Options of a reset that say which episode it begins."""

_TRIAL_TYPE, _SAMPLE_TYPE, _TRIAL, _START = range(4)
_KEPT = np.iinfo(np.int64).min  # nothing is said: what has been chosen before stays
_DRAWN = _KEPT + 1
_TYPES = {"trial_type": ("source", "target"), "sample_type": ("train", "test")}
_WORD = (1 << 64) - 1


def as_columns(options: Mapping[str, Any] | Sequence[Mapping[str, Any] | None], count: int) -> IntArray:
    """The options of so many environments as numbers.

    Args:
        options: One mapping for all, with a number or one for each of them; or one mapping for each.
        count: Environments.

    Returns:
        int64 (4, count): trial type, sample type, trial and start, of the right kind but not yet compared with the
        data.

    Raises:
        ConfigError: If a value is of the wrong kind.
        UnknownNameError: For an unknown option.
    """
    if isinstance(options, Mapping):
        for name in options:
            if name not in EPISODE_OPTIONS:
                raise UnknownNameError.of("reset option", name, EPISODE_OPTIONS)
        return np.stack([_column(name, options, count) for name in EPISODE_OPTIONS])
    given: Any = options
    if (
        not isinstance(given, Sequence)
        or len(given) != count
        or not all(own is None or isinstance(own, Mapping) for own in given)
    ):
        raise ConfigError(f"options must be a dict, or one for each of {count} environments, got {given!r}")
    columns = np.full((len(EPISODE_OPTIONS), count), _KEPT)
    for place, own in enumerate(options):
        if own:
            try:
                columns[:, place] = as_columns(own, 1)[:, 0]
            except ConfigError as error:
                error.add_note(f"in the dict number {place} of options")
                raise
    return columns


def as_seeds(seed: int | Sequence[int | None] | None, envs: Sequence[int]) -> Sequence[int | None]:
    """A seed for each of some environments.

    Args:
        seed: A number *s*, which gives environment *i* the seed *s + i*, one for each of them, or None.
        envs: Their indices.

    Raises:
        ConfigError: If it is none of these.
    """
    if seed is None:
        return [None] * len(envs)
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        return [int(seed) + env for env in envs]
    if not isinstance(seed, Sequence | np.ndarray) or len(seed) != len(envs):
        raise ConfigError(f"seed must be a whole number or one for each of {len(envs)} environments, got {seed!r}")
    return list(seed)


def _column(name: str, options: Mapping[str, Any], count: int) -> IntArray:
    if name not in options:
        return np.full(count, _KEPT)
    value = options[name]
    if name in _TYPES:
        return np.full(count, _KEPT if value is None else _type_of(name, value))
    given = np.asarray(value)
    if given.dtype == object and given.shape in ((), (count,)):
        given = np.array([_DRAWN if number is None else number for number in given.reshape(-1)]).reshape(given.shape)
    if given.shape not in ((), (count,)) or given.dtype.kind not in "iu" or given.dtype == np.uint64:
        raise ConfigError(
            f"{name} must be a whole number or one for each of {count} environments, None to have it drawn, got "
            f"{value!r}"
        )
    return np.array(np.broadcast_to(given, count), np.int64)


def _type_of(name: str, value: object) -> int:
    first, second = _TYPES[name]
    known: dict[object, int] = {0: 0, 1: 1, first: 0, second: 1}
    kind = known.get(value) if isinstance(value, numbers.Integral | str) else None
    if kind is None:
        raise ConfigError(f"{name} must be 0 or {first!r}, 1 or {second!r}, got {value!r}")
    return kind


class Choices:
    """What the coming episodes of N environments are given; the reset that begins one takes it.

    Args:
        trials: The trials to choose from.
        arrays: The batch's arrays; of them this writes ``choices``, ``next_seeds`` and ``section``.
        generated: Whether source trials are generated, so that there is nothing to choose.
    """

    def __init__(self, trials: TrialColumns, arrays: Mapping[str, AnyArray], generated: bool = False) -> None:
        self._trials, self._generated = trials, generated
        self._sections = np.array(trials.sections)
        self._choices, self._section = arrays["choices"], arrays["section"]
        self._next_seeds = arrays["next_seeds"]

    @property
    def has_seed(self) -> BoolArray:
        """Where a seed waits for the next reset."""
        return np.asarray(self._choices[:, Choice.SEED] != 0)

    def put_seeds(self, seeds: Mapping[int, int]) -> None:
        """Let the next reset of these environments take up a seed."""
        for env, seed in seeds.items():
            self._next_seeds[env] = seed & _WORD, seed >> 64
            self._choices[env, Choice.SEED] = 1

    def put_options(self, envs: IntArray, columns: IntArray) -> None:
        """Choose for environments, as `check_options` has found it."""
        self._section[envs], self._choices[envs, Choice.TRIAL], self._choices[envs, Choice.START] = columns

    def check_options(self, envs: IntArray, asked: IntArray) -> IntArray:
        """Compare what is asked for with the data and with what has been chosen before; nothing is changed.

        What is said of trial type or sample type alone may be had in one way only, or with what has been said of the
        other before. A change of either drops a trial and a start that have been chosen, another trial drops a start.

        Args:
            envs: int64 (n,), environments.
            asked: int64 (4, n), their options, see `as_columns`.

        Returns:
            int64 (3, n) for `put_options`: section, trial and start, these counted from 1 and 0 for none.

        Raises:
            ConfigError: If there is no such trial, or no room for an episode; names the first environment.
        """
        before = self._section[envs].astype(np.int64)
        section = self._sections_of(envs, before, asked)
        first, count = self._sections[section].T
        trial, start = asked[_TRIAL], asked[_START]
        said = trial > _DRAWN
        for place in np.flatnonzero(self._generated & (section == 0) & (said | (start > _DRAWN)))[:1].tolist():
            raise ConfigError(
                f"environment {envs[place]} cannot be given a trial or a start: its trials are generated, each by the "
                f"environment's seed and the number of the episode"
            )
        for place in np.flatnonzero(said & ((trial < 0) | (trial >= count)))[:1].tolist():
            raise ConfigError(
                f"trial {trial[place]} of environment {envs[place]} is not in 0 to {count[place] - 1}: there are "
                f"{count[place]} {self._name(section[place])} trials"
            )
        kept = (trial == _KEPT) & (section == before)
        chosen = self._choices[envs]
        trials = np.where(said, first + trial + 1, np.where(kept, chosen[:, Choice.TRIAL], 0))
        starts = np.where(kept & (start == _KEPT), chosen[:, Choice.START], 0)
        said = start > _DRAWN
        self._check_starts(envs, said, start, np.where(trials > 0, trials - 1, first), (trials > 0) | (count == 1))
        return np.stack([section, trials, np.where(said, start + 1, starts)])

    def _sections_of(self, envs: IntArray, before: IntArray, asked: IntArray) -> IntArray:
        """The section that trial type and sample type mean."""
        says_trial, says_sample = asked[_TRIAL_TYPE] != _KEPT, asked[_SAMPLE_TYPE] != _KEPT
        trial = np.where(says_trial, asked[_TRIAL_TYPE], before // 2)
        sample = np.where(says_sample, asked[_SAMPLE_TYPE], before % 2)
        # Where one of them is said and there is nothing of that kind, the other may differ.
        empty = self._sections[2 * trial + sample, 1] == 0
        trial = np.where(empty & ~says_trial, 1 - trial, trial)
        sample = np.where(empty & ~says_sample, 1 - sample, sample)
        section = 2 * trial + sample
        for place in np.flatnonzero(self._sections[section, 1] == 0)[:1].tolist():
            said = [
                f"{name} {_TYPES[name][asked[column, place]]!r}"
                for name, column, says in (
                    ("trial_type", _TRIAL_TYPE, says_trial),
                    ("sample_type", _SAMPLE_TYPE, says_sample),
                )
                if says[place]
            ]
            raise ConfigError(
                f"environment {envs[place]}: there are no rows for {' and '.join(said)}: make the domain with a "
                f"test_period, for target trials, or its trials, for test rows of their own"
            )
        return np.asarray(section)

    def _name(self, section: int) -> str:
        """What the trials of a section are called."""
        return {"train": "training"}.get(name := list(self._trials.counts)[section // 2], name)

    def _check_starts(
        self, envs: IntArray, said: BoolArray, start: IntArray, trials: IntArray, known: BoolArray
    ) -> None:
        for place in np.flatnonzero(said & ~known)[:1].tolist():
            raise ConfigError(
                f"start {start[place]} of environment {envs[place]} needs a trial, as there are several: "
                f'{{"trial": ..., "start": {start[place]}}}'
            )
        table = self._trials
        begin, after, history = table.arena.arrays["trials"][trials].T
        low = np.maximum(begin, history + table.lookback)
        high = after - 1 - max(table.bars, 1)
        for place in np.flatnonzero(said & ((start < low) | (start > high)))[:1].tolist():
            raise ConfigError(
                f"start {start[place]} of environment {envs[place]} is not in {low[place]} to {high[place]}: in rows "
                f"{begin[place]} to {after[place] - 1} of the trial an episode needs {table.lookback} rows before its "
                f"first and {max(table.bars, 1)} after it"
            )
