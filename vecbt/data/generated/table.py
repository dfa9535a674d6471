"""Lays out the table of a domain with generated trials: the stored rows, and the slots behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vecbt.data.features import FeatureTable, compile_features
from vecbt.data.generated.content import TrialMaker
from vecbt.data.generated.filler import Filler, trial_features
from vecbt.data.generated.slots import SlotColumns
from vecbt.data.shared import BarColumns, DataTable, FeatureColumns, Standard, TrialColumns
from vecbt.errors import SharedMemoryError
from vecbt.kernels.dates import date_numbers

if TYPE_CHECKING:
    from vecbt.data.clock import GlobalTime
    from vecbt.data.generated.domain import GeneratedDomain

__all__ = ["open_slots"]


def open_slots(
    domain: GeneratedDomain,
    features: tuple[str, ...],
    normalize: str | None,
    num_envs: int,
    trials: Callable[[int], TrialColumns],
    clock: GlobalTime,
) -> tuple[DataTable, Filler]:
    """Make the table of a batch.

    Args:
        domain: The domain.
        features: The features of a window.
        normalize: None, ``"train"`` or ``"window"``.
        num_envs: Environments; each has two slots.
        trials: Makes the trials, given the first row in which every feature has a value.
        clock: Global time.

    Returns:
        The table, and what fills its slots.

    Raises:
        FeatureError: If a feature cannot be computed.
        SharedMemoryError: If there is not so much memory.
    """
    bars, length, reference = domain.bars, domain.trial_bars, domain.maker.reference
    stored = compile_features(features, bars) if features else FeatureTable((), np.empty((len(bars), 0)), 0, ())
    made = [trial_features(features, trial, bars.name) for trial in reference] if features else []
    standard = None
    if normalize == "train" and features:
        standard = Standard.of(np.concatenate([values[stored.first_valid :] for values in made]), stored.names)
    first_row = len(bars) + length * len(reference)
    free = first_row - len(bars) + length * 2 * num_envs
    try:
        slots = SlotColumns.of(2 * num_envs, len(bars), first_row, length)
        bar_columns = BarColumns.of(bars, free)
        feature_columns = FeatureColumns.reserve(stored, len(bars) + free, own=normalize == "window")
    except SharedMemoryError as error:
        raise SharedMemoryError(
            f"for two trials of {length:,} bars for each of {num_envs:,} environments: {error}"
        ) from error
    if standard is not None:
        feature_columns.write(0, standard.apply(stored.values), stored.first_valid)
    else:
        feature_columns.write(0, stored.values, stored.first_valid)
    table = DataTable(bar_columns, feature_columns, trials(stored.first_valid), clock, slots)
    arrays, stamps = table.bars.arena.arrays, domain.timestamps()
    for name, times in (("stamps", stamps), ("times", date_numbers(stamps))):
        arrays[name][len(bars) :].reshape(-1, length)[...] = times
    # One for each thread: its random generator is set to each trial's own state.
    filler = Filler(TrialMaker(domain.generator, length), table, features, stored.first_valid, standard)
    for number, trial in enumerate(reference):
        filler.write(len(bars) + number * length, trial)
    return table, filler
