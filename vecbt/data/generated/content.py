"""What is in a generated trial: a function of a seed and a number, and of nothing else."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.checks import price_faults, volume_faults
from vecbt.data.generators.generator import COLUMNS, BarGenerator
from vecbt.errors import ColumnError
from vecbt.kernels.paths import first_invalid

__all__ = ["TrialMaker"]

# What a counter of Philox is for; the draws of episodes have the purposes below, see `vecbt.kernels.sampling`.
_TRIAL, _REFERENCE = 3, 4
_WORD = (1 << 64) - 1
_REFERENCE_ROWS = 1 << 16


class TrialMaker:
    """Makes trials with a generator.

    Args:
        generator: Makes their bars.
        bars: Bars of a trial.
    """

    def __init__(self, generator: BarGenerator, bars: int) -> None:
        self._generator, self._bars = generator, bars
        self._bits = np.random.Philox(0)
        self._rng = np.random.Generator(self._bits)

    def make(self, seed: int, number: int) -> FloatArray:
        """The trial of an environment's episode.

        Args:
            seed: The environment's seed, of 128 bits.
            number: Number of the episode since it was seeded.

        Returns:
            float64 (bars, 5), see `vecbt.data.generators.BarGenerator.generate`.

        Raises:
            DataError: If the generator makes no valid bars.
        """
        return self._make(_TRIAL, seed, number)

    @property
    def references(self) -> int:
        """How many trials `reference` holds."""
        return min(max(_REFERENCE_ROWS // self._bars, 16), 256)

    @functools.cached_property
    def reference(self) -> list[FloatArray]:
        """Trials that no environment gets: what statistics of the training trials are taken from."""
        return [self._make(_REFERENCE, 0, number) for number in range(self.references)]

    def _make(self, purpose: int, seed: int, number: int) -> FloatArray:
        # A new generator would cost ten times as much as another state. Philox counts in the first word.
        self._bits.state = {
            "bit_generator": "Philox",
            "state": {
                "counter": np.array([0, purpose, number, 0], np.uint64),
                "key": np.array([seed & _WORD, seed >> 64], np.uint64),
            },
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        with np.errstate(all="ignore"):  # what is not finite is looked for
            made: Any = np.asarray(self._generator.generate(self._rng, self._bars))
        name = f"{type(self._generator).__name__}, trial {number} of seed {seed}"
        if made.shape != (self._bars, len(COLUMNS)) or made.dtype.kind not in "fiu":
            raise ColumnError(
                f"generate() must return float64 ({self._bars}, {len(COLUMNS)}), the columns {', '.join(COLUMNS)}, got "
                f"{made.dtype} {made.shape}",
                source=name,
            )
        bars: FloatArray = np.ascontiguousarray(made, np.float64)
        if first_invalid(bars) >= 0:
            _refuse(bars, name)
        return bars


def _refuse(bars: FloatArray, name: str) -> None:
    """Say what is wrong with bars, unless it is within the tolerance of all data."""
    columns = dict(zip(COLUMNS, bars.T, strict=True))
    for fault in (*price_faults(columns), *volume_faults(columns["volume"])):
        if fault.mask.any():
            row = int(np.argmax(fault.mask))
            raise fault.error(
                f"{fault.describe(row)}: mend the generator, or make its parameters less extreme",
                source=name,
                row=row,
                column=fault.column,
            )
