"""Makes the trials that are ordered and writes them into their slots."""

from __future__ import annotations

import threading

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.features import compile_features
from vecbt.data.generated.content import TrialMaker
from vecbt.data.generated.slots import CLOSED, FAILED, FILLED, FILLER_ASLEEP, ORDERED, PARENT_ASLEEP
from vecbt.data.generators.generator import COLUMNS
from vecbt.data.shared import DataTable, Standard
from vecbt.errors import VecbtError
from vecbt.messages import encode_error
from vecbt.shm.control import SPINS, patience
from vecbt.shm.process import usable_cores
from vecbt.shm.words import load, post, store, wait_for

__all__ = ["Filler", "TrialBars", "trial_features"]


class TrialBars:
    """Generated bars as features are computed from; see `vecbt.data.features.FeatureSource`."""

    columns = COLUMNS

    def __init__(self, bars: FloatArray, name: str) -> None:
        self._bars, self.name = bars, name

    def column(self, name: str) -> FloatArray:
        """A column."""
        return self._bars[:, COLUMNS.index(name)]

    def __len__(self) -> int:
        return len(self._bars)


def trial_features(features: tuple[str, ...], bars: FloatArray, name: str) -> FloatArray:
    """The features of a trial, float64 (T, F); NaN before the first valid row.

    Raises:
        FeatureError: If one cannot be computed.
    """
    if set(features) <= set(COLUMNS):  # the usual case, for a tenth of the time
        return bars[:, [COLUMNS.index(feature) for feature in features]]
    return compile_features(features, TrialBars(bars, name)).values


class Filler:
    """Fills the slots of a table.

    Args:
        maker: Makes the trials.
        table: The table with the slots.
        features: The features of a window.
        first_valid: First row of a trial in which every feature has a value.
        standard: How they are normalized; None for not at all.
    """

    def __init__(
        self,
        maker: TrialMaker,
        table: DataTable,
        features: tuple[str, ...],
        first_valid: int,
        standard: Standard | None,
    ) -> None:
        self._maker, self._table = maker, table
        self._features, self._first_valid, self._standard = features, first_valid, standard
        self._filled = 0

    def write(self, row: int, bars: FloatArray) -> None:
        """Write a trial, its first bar into a row."""
        table = self._table
        arrays, end = table.bars.arena.arrays, row + len(bars)
        arrays["ohlc"][row:end, 0] = bars[:, :4]
        arrays["volume"][row:end, 0] = bars[:, 4]
        if self._features:
            values = trial_features(self._features, bars, table.bars.assets[0])
            if self._standard is not None:
                values = self._standard.apply(values)
            table.features.write(row, values, self._first_valid)

    def fill_ordered(self) -> None:
        """Fill every slot whose trial has been ordered and not yet made, in the order of the orders.

        Raises:
            VecbtError: If a trial cannot be made.
        """
        arrays, words = self._table.slots.arena.arrays, self._table.slots.words
        keys, ordered, made = arrays["keys"].view(np.uint64), arrays["ordered"], arrays["made"]
        waiting = np.flatnonzero(ordered != made)
        for slot in waiting[np.argsort(ordered[waiting], kind="stable")].tolist():
            if words[CLOSED]:
                return
            # The number first: an order that comes while this trial is made leaves the two apart.
            number = load(ordered, slot)
            low, high, episode = keys[slot].tolist()
            self.write(self._table.slots.row(slot), self._maker.make(low | high << 64, episode))
            store(made, slot, number)
            self._filled += 1
            post(words, FILLED, self._filled, PARENT_ASLEEP)

    @property
    def closed(self) -> bool:
        """Whether nobody orders trials any more."""
        return bool(self._table.slots.words[CLOSED])

    def start(self) -> None:
        """Fill slots in a thread until the table is closed; an error is left in the slots' memory."""
        threading.Thread(target=self._run, name="vecbt-filler", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end, when whoever orders is gone and cannot say so."""
        self._table.slots.close()

    def _run(self) -> None:
        slots, seen = self._table.slots, 0
        words, limit, yields = slots.words, np.array([1, 0]), patience(2, usable_cores())
        try:
            while not words[CLOSED]:
                if wait_for(words, ORDERED, seen + 1, FILLER_ASLEEP, SPINS, yields, limit):
                    seen = load(words, ORDERED)
                    self.fill_ordered()
        except Exception as error:
            reply = encode_error(error)
            if len(reply) > slots.longest_error:
                reply = encode_error(VecbtError(f"{str(error)[:1000]} ..."))
            slots.put_error(reply)
            words[FAILED] = 1
            post(words, FILLED, self._filled + 1, PARENT_ASLEEP)
