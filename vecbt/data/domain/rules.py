"""Which samples a domain admits."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vecbt.arrays import BoolArray, IntArray
from vecbt.data.domain.durations import DAY, Duration, nanoseconds_of, own
from vecbt.errors import ConfigError
from vecbt.settings import check_flag, check_number

if TYPE_CHECKING:
    from vecbt.data.aligned import AlignedBars
    from vecbt.data.bars import Bars

__all__ = ["SampleRules", "count_rejected"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleRules:
    """Which samples (trials, or episodes) are admitted, and how their starts are distributed.

    Attributes:
        duration: Length of a sample; None for as long as there is room (of a trial: all rows of its section).
        test_period: Of a trial: its last part, which is for test, counted within its duration; None for none.
        start_weekdays: Weekdays of a sample's first bar, 0 is Monday, in UTC; None for all.
        start_00: Whether a sample's first bar must be the first of its day, in UTC.
        time_gap: Longest hole without bars that a sample may contain, beyond the usual step from bar to bar; None for
            any.
        b_alpha: First shape of the Beta distribution of starts over the admitted ones, from the earliest to the
            latest; 1 and 1 is uniform, larger than ``b_beta`` favours the recent.
        b_beta: Second shape.
    """

    duration: Duration | None = None
    test_period: Duration | None = None
    start_weekdays: Sequence[int] | None = None
    start_00: bool = False
    time_gap: str | datetime.timedelta | Mapping[str, float] | None = None
    b_alpha: float = 1.0
    b_beta: float = 1.0

    def __post_init__(self) -> None:
        for name in ("b_alpha", "b_beta"):
            check_number(name, getattr(self, name), low=0.0, open_low=True)
        check_flag("start_00", self.start_00)
        if self.start_weekdays is not None:
            given: Any = self.start_weekdays
            days = tuple(given) if isinstance(given, Iterable) else (given,)
            if not isinstance(given, Iterable) or not days or not set(days) <= set(range(7)):
                raise ConfigError(f"start_weekdays must be numbers from 0 (Monday) to 6 (Sunday), got {days!r}")
            object.__setattr__(self, "start_weekdays", days)
        if self.time_gap is not None and nanoseconds_of(self.time_gap, "time_gap") < 0:
            raise ConfigError(f"time_gap must not be negative, got {self.time_gap!r}")
        for name in ("duration", "test_period", "time_gap"):
            object.__setattr__(self, name, own(getattr(self, name)))

    @property
    def any(self) -> bool:
        """Whether there is a rule that could reject a sample."""
        return self.start_weekdays is not None or self.start_00 or self.time_gap is not None

    def rejections(self, bars: Bars | AlignedBars, first: IntArray, last: IntArray) -> dict[str, BoolArray]:
        """What each rule rejects of the samples from rows ``first`` to rows ``last``, both included."""
        rejected = {}
        days = bars.timestamps // DAY
        if self.start_weekdays is not None:
            weekday = (days[first] + 3) % 7  # 1 January 1970 was a Thursday
            rejected[f"start_weekdays={self.start_weekdays}"] = ~np.isin(weekday, self.start_weekdays)
        if self.start_00:
            rejected["start_00=True"] = ~np.diff(days, prepend=days[0] - 1).astype(bool)[first]
        if self.time_gap is not None:
            limit = nanoseconds_of(self.time_gap, "time_gap")
            holes = np.diff(bars.timestamps) - bars.interval > limit
            before = np.concatenate([[0], np.cumsum(holes)])  # holes before each row
            rejected[f"time_gap={self.time_gap!r}"] = before[last] > before[first]
        return rejected


def count_rejected(rejected: Mapping[str, BoolArray], candidates: int) -> str:
    """How many candidates each rule rejects, in words."""
    parts = ", ".join(f"{rule} rejects {int(mask.sum())}" for rule, mask in rejected.items() if mask.any())
    return f"of {candidates} candidates {parts}"
