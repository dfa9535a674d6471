"""A trial as users see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.data.shared import DataTable
from vecbt.errors import ConfigError, UnknownNameError
from vecbt.kernels.sampling import draw_trial
from vecbt.settings import check_number, check_unsigned

__all__ = ["Sample", "draw_sample"]

_WORD = (1 << 64) - 1


@dataclasses.dataclass(frozen=True)
class Sample:
    """Rows ``first_row`` to ``last_row`` (included) of a data set.

    Attributes:
        type: 0 for training rows, 1 for test rows.
        number: Number of the draw.
        trial: Number of the trial in the domain's list.
        first_row: First row in the data set.
        last_row: Last row.
        stamps: int64 (n,), UTC nanoseconds at which each bar is known.
        ohlc: float64 (n, K, 4), prices of K assets; a read-only view of the shared data.
        volume: float64 (n, K).
    """

    type: int
    number: int
    trial: int
    first_row: int
    last_row: int
    stamps: IntArray
    ohlc: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return self.last_row - self.first_row + 1

    @property
    def metadata(self) -> Mapping[str, int]:
        """Everything but the rows; times in UTC seconds."""
        return {
            "type": self.type,
            "number": self.number,
            "trial": self.trial,
            "first_row": self.first_row,
            "last_row": self.last_row,
            "first_time": int(self.stamps[0]) // 1_000_000_000,
            "last_time": int(self.stamps[-1]) // 1_000_000_000,
        }


def draw_sample(
    table: DataTable,
    number: int,
    *,
    seed: int = 0,
    sample_type: int = 0,
    b_alpha: float | None = None,
    b_beta: float | None = None,
    **unknown: Any,
) -> Sample:
    """Draw a trial.

    Args:
        table: The data.
        number: Number of the draw; with the seed it decides the trial.
        seed: Seed of the draws.
        sample_type: 0 for training rows, 1 for test rows.
        b_alpha: First shape of the Beta distribution; the domain's by default.
        b_beta: Second shape.
        **unknown: Anything else is refused.

    Raises:
        ConfigError: If a value is out of range, or there are no rows of the type.
        UnknownNameError: For an unknown setting.
    """
    if unknown:
        known = ("sample_type", "get_new", "seed", "number", "b_alpha", "b_beta")
        raise UnknownNameError.of("sample setting", next(iter(unknown)), known)
    if isinstance(sample_type, bool) or not isinstance(sample_type, int) or sample_type not in (0, 1):
        raise ConfigError(f"sample_type must be 0 (training rows) or 1 (test rows), got {sample_type!r}")
    first, count = table.trials.sections[sample_type]
    if not count:
        raise ConfigError("there are no test rows: make the domain with a test_period")
    seed = check_unsigned("seed", seed, bits=128)
    number = check_unsigned("number", number, bits=63)
    alpha, beta = table.trials.shapes[:2]
    if b_alpha is not None:
        alpha = check_number("b_alpha", b_alpha, low=0.0, open_low=True)
    if b_beta is not None:
        beta = check_number("b_beta", b_beta, low=0.0, open_low=True)
    trial = draw_trial(np.uint64(seed & _WORD), np.uint64(seed >> 64), number, first, count, alpha, beta)
    arrays = table.bars.arena.arrays
    begin, end, _ = table.trials.arena.arrays["trials"][trial].tolist()
    return Sample(
        sample_type,
        number,
        trial,
        begin,
        end - 1,
        _frozen(arrays["stamps"][begin:end]),
        _frozen(arrays["ohlc"][begin:end]),
        _frozen(arrays["volume"][begin:end]),
    )


def _frozen(view: Any) -> Any:
    view.setflags(write=False)
    return view
