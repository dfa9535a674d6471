"""Loads a data set and answers what engines and users ask of it."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from vecbt.data.bars import Bars
from vecbt.data.domain import Domain, RandomDomain
from vecbt.data.features import FeatureTable, compile_features
from vecbt.data.generated.domain import GeneratedDomain
from vecbt.data.generated.filler import Filler
from vecbt.data.generated.slots import SlotColumns
from vecbt.data.generated.table import open_slots
from vecbt.data.shared import BarColumns, DataTable, FeatureColumns, TrialColumns
from vecbt.errors import ConfigError, TooFewBarsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AUTO_STEPS", "DataStore", "TableRequest"]

AUTO_STEPS = 1000
"""Steps of an episode with ``episode_steps="auto"``, where the data have so many."""


@dataclasses.dataclass(frozen=True)
class TableRequest:
    """What an environment needs of the data.

    Attributes:
        features: Columns and expressions of the window.
        normalize: None, ``"train"`` or ``"window"``.
        window: Bars of an observation.
        warmup: Bars that a strategy's indicators need, the current one included.
        steps: ``"auto"``, None or a number; 0 for trials alone, of which no episodes will be drawn.
        skip: Bars of a step.
    """

    features: tuple[str, ...]
    normalize: str | None
    window: int
    warmup: int
    steps: int | str | None
    skip: int

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TableRequest:
        """The request that `dataclasses.asdict` and JSON have carried."""
        return cls(**{**values, "features": tuple(values["features"])})


class DataStore:
    """A data set in shared memory.

    Args:
        data: A `Domain`, or anything that `vecbt.data.align.read_data` reads.

    Attributes:
        clock: Global time.
    """

    def __init__(self, data: Any) -> None:
        self.domain: Domain = data if isinstance(data, Domain) else RandomDomain(data)
        self.bars = self.domain.bars
        self.clock = self.domain.make_clock()
        self._start = self.clock.now
        self._no_slots = SlotColumns.of(0, len(self.bars), len(self.bars), 0)
        if not isinstance(self.domain, GeneratedDomain):
            self._bar_columns = BarColumns.of(self.bars)
        # Environments that ask for the same share the memory.
        self._features = functools.lru_cache(maxsize=None)(self._make_features)
        self._trials = functools.lru_cache(maxsize=None)(self._make_trials)

    def table(self, request: TableRequest) -> DataTable:
        """The arrays for a kind of environment, the same ones for the same request; of generated trials none.

        Raises: as `open`.
        """
        return self.open(request, 0)[0]

    def open(self, request: TableRequest, num_envs: int) -> tuple[DataTable, Filler | None]:
        """The arrays for a batch of environments, and what fills its slots where trials are generated.

        Raises:
            FeatureError: If a feature cannot be computed.
            TooFewBarsError: If there is no room for an episode.
            SamplingError: If the rules of the domain admit none.
        """
        if request.window > len(self.bars):
            raise TooFewBarsError(
                f"a window of {request.window} bars is longer than the data, which have {len(self.bars)}",
                source=self.bars.name,
            )
        features = request.features if request.window else ()
        if isinstance(self.domain, GeneratedDomain):
            trials = functools.partial(self._trials_of, request, slots=2 * num_envs)
            return open_slots(self.domain, features, request.normalize, num_envs, trials, self.clock)
        columns, first_valid = self._features(features, request.normalize)
        trial_columns = self._trials_of(request, first_valid)
        return DataTable(self._bar_columns, columns, trial_columns, self.clock, self._no_slots), None

    def generate(self, request: TableRequest, seed: int, number: int) -> DataTable:
        """A generated trial as a data set of its own.

        Args:
            request: What is needed of it.
            seed: Seed of an environment, of 128 bits.
            number: Number of its episode.

        Raises:
            ConfigError: If the domain's trials are stored.
            DataError: If the trial cannot be made.
        """
        if not isinstance(self.domain, GeneratedDomain):
            raise ConfigError("the trials of this domain are stored: none are generated")
        trial = self.domain.maker.make(seed, number)
        return DataStore(Bars.from_arrays(self.domain.timestamps(), *trial.T, name=self.bars.name)).table(request)

    def info(self) -> dict[str, Any]:
        """Facts about the data, as plain numbers and strings."""
        bars = self.bars
        return {
            "name": bars.name,
            "bars": len(bars),
            "columns": list(bars.columns),
            "interval": bars.interval,
            "first_time": int(bars.timestamps[0]) // 1_000_000_000,
            "last_time": int(bars.timestamps[-1]) // 1_000_000_000,
            "train_rows": list(self.domain.train_rows),
            "fingerprint": bars.fingerprint(),
        }

    def restart(self, moment: int | None = None) -> None:
        """Set global time to a moment, in UTC nanoseconds; by default to where it began."""
        self.clock.restart(self._start if moment is None else moment)

    def stop(self) -> None:
        """Nothing to stop: the counterpart of a data server's, for callers that have either."""

    def check_alive(self) -> None:
        """Nothing to look after, likewise."""

    def _episode_bars(self, request: TableRequest, lookback: int) -> int | None:
        if request.steps == 0:
            return None
        if request.steps is None:
            return 0
        if request.steps == "auto":
            steps = min(AUTO_STEPS, self.domain.room(lookback) // request.skip)
            return max(1, steps) * request.skip  # no room at all is for the domain to complain about
        return int(request.steps) * request.skip

    def _make_features(self, names: Sequence[str], normalize: str | None) -> tuple[FeatureColumns, int]:
        nothing = FeatureTable((), np.empty((len(self.bars), 0)), 0, ())  # for account features alone
        table = compile_features(names, self.bars) if names else nothing
        return FeatureColumns.of(table, normalize, self.domain.train_rows), table.first_valid

    def _trials_of(self, request: TableRequest, first_valid: int, slots: int = 0) -> TrialColumns:
        lookback = max(first_valid + request.window - 1, request.warmup - 1, 0)
        bars = self._episode_bars(request, lookback)
        if isinstance(self.domain, GeneratedDomain):
            return TrialColumns.of(self.domain.trials(lookback, bars, slots), lookback, bars or 0)
        return self._trials(lookback, bars)

    def _make_trials(self, lookback: int, bars: int | None) -> TrialColumns:
        return TrialColumns.of(self.domain.trials(lookback, bars), lookback, bars or 0)
