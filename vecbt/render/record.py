"""What has happened in the episodes of a batch, step by step, for those who want to see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from vecbt.arrays import AnyArray, BoolArray, FloatArray, IntArray
from vecbt.kernels.layout import Clock, Stat

__all__ = ["Column", "EpisodeRecord", "Recorder"]

_FIRST_CAPACITY = 64


class Column(IntEnum):
    """Columns of a record (float64). After them come the columns of the assets, K for each of `EpisodeRecord`'s."""

    ROW = 0  #: row of the table of bars
    REWARD = 1
    CASH = 2
    VALUE = 3
    DRAWDOWN = 4  #: percent
    COSTS = 5  #: sum of the commission
    ASSETS = 6  #: where the assets' columns begin


@dataclasses.dataclass(frozen=True)
class EpisodeRecord:
    """An episode, or as much of it as there has been.

    Attributes:
        number: Of the episode, since the last seeding.
        trial: Number of its trial.
        columns: float64 (L + 1, C), a row for the first observation and for each step.
        assets: K, number of assets.
    """

    number: int
    trial: int
    columns: FloatArray
    assets: int

    def _of_assets(self, place: int) -> FloatArray:
        first = Column.ASSETS + place * self.assets
        return self.columns[:, first : first + self.assets]

    @property
    def rows(self) -> IntArray:
        """Rows of the table of bars, int64 (L + 1,)."""
        return self.columns[:, Column.ROW].astype(np.int64)

    @property
    def positions(self) -> FloatArray:
        """Units held of each asset, float64 (L + 1, K)."""
        return self._of_assets(0)

    @property
    def closes(self) -> FloatArray:
        """Closing price of each asset, float64 (L + 1, K).

        NaN for the last bar of a generated trial if the next episode has begun in the same step.
        """
        return self._of_assets(1)

    @property
    def statuses(self) -> IntArray:
        """The worst `vecbt.kernels.layout.OrderStatus` of each step and asset, int64 (L + 1, K)."""
        return self._of_assets(2).astype(np.int64)

    @property
    def actions(self) -> FloatArray:
        """What the step was given for each asset, as kernels read it, float64 (L + 1, K); NaN for the first row."""
        return self._of_assets(3)

    @property
    def fills(self) -> FloatArray:
        """Units by which each position has changed with each step, float64 (L + 1, K)."""
        return np.diff(self.positions, axis=0, prepend=0.0)


class Recorder:
    """Records the running and the last episode of each environment: 8 * (6 + 4 * K) bytes for each of their steps.

    Args:
        num_envs: N, environments.
        assets: K, assets.
        ohlc: float64 (T, K, 4), the bars.
    """

    def __init__(self, num_envs: int, assets: int, ohlc: FloatArray) -> None:
        self._assets, self._ohlc = assets, ohlc
        self._columns = np.zeros((num_envs, _FIRST_CAPACITY, Column.ASSETS + 4 * assets))
        self._counts = np.zeros(num_envs, np.int64)
        self._names = np.zeros((num_envs, 2), np.int64)
        self._last: list[EpisodeRecord | None] = [None] * num_envs
        self._all = np.arange(num_envs)

    def running(self, env: int) -> EpisodeRecord:
        """The present episode of an environment, a view; one that has ended stays until the next begins."""
        number, trial = self._names[env].tolist()
        return EpisodeRecord(number, trial, self._columns[env, : self._counts[env]], self._assets)

    def last(self, env: int) -> EpisodeRecord | None:
        """The last episode of an environment that has ended, by itself or by a reset; None if none has."""
        return self._last[env]

    def reset(self, envs: IntArray, arrays: Mapping[str, AnyArray], outputs: Mapping[str, AnyArray]) -> None:
        """Begin the records of episodes that a reset has begun.

        Args:
            envs: int64 (n,), the environments.
            arrays: The batch's arrays.
            outputs: Its outputs.
        """
        for env in envs[self._counts[envs] > 1].tolist():
            self._keep(env)
        self._counts[envs] = 0
        clock = arrays["clock"][envs]
        self._names[envs] = clock[:, [Clock.EPISODE, Clock.TRIAL]]
        self._append(envs, self._values(envs, clock[:, Clock.BAR], arrays, outputs))

    def step(self, arrays: Mapping[str, AnyArray], outputs: Mapping[str, AnyArray], same_step: bool) -> None:
        """Record a step.

        Args:
            arrays: The batch's arrays.
            outputs: Its outputs.
            same_step: Whether episodes that have ended have been followed by others in the same step.
        """
        clock = arrays["clock"]
        ended: BoolArray = outputs["terminations"] | outputs["truncations"]
        # An environment that has taken no step of its episode has begun it in this one.
        begun = clock[:, Clock.STEP] == 0
        on = self._all[~begun]
        self._append(on, self._values(on, clock[on, Clock.BAR], arrays, outputs, arrays["actions"]))
        if same_step and ended.any():
            envs = self._all[ended]
            final = {name: arrays["final_" + name] for name in ("info_floats", "order_status")}
            final["rewards"] = outputs["rewards"]
            rows = self._columns[envs, 0, Column.ROW] + arrays["stats"][envs, Stat.BARS]
            values = self._values(envs, rows.astype(np.int64), arrays, final, arrays["actions"])
            # A generated trial that has been left may be overwritten by now.
            left = arrays["final_info_ints"][0, envs] < 0
            values[left, Column.ASSETS + self._assets : Column.ASSETS + 2 * self._assets] = np.nan
            self._append(envs, values)
        for env in self._all[ended].tolist():
            self._keep(env)
        if begun.any():
            self.reset(self._all[begun], arrays, outputs)

    def _keep(self, env: int) -> None:
        record = self.running(env)
        self._last[env] = dataclasses.replace(record, columns=record.columns.copy())

    def _values(
        self,
        envs: IntArray,
        rows: IntArray,
        arrays: Mapping[str, AnyArray],
        outputs: Mapping[str, AnyArray],
        actions: FloatArray | None = None,
    ) -> FloatArray:
        k, floats = self._assets, outputs["info_floats"]
        values = np.empty((len(envs), self._columns.shape[2]))
        values[:, Column.ROW] = rows
        values[:, Column.REWARD] = 0.0 if actions is None else outputs["rewards"][envs]
        for column, source in ((Column.CASH, 0), (Column.VALUE, 1), (Column.DRAWDOWN, 2), (Column.COSTS, 3)):
            values[:, column] = floats[source, envs]
        own = values[:, Column.ASSETS :]
        own[:, :k] = floats[4 : 4 + k, envs].T
        own[:, k : 2 * k] = self._ohlc[rows, :, 3]
        own[:, 2 * k : 3 * k] = outputs["order_status"][envs]
        own[:, 3 * k :] = np.nan if actions is None else actions[envs]
        return values

    def _append(self, envs: IntArray, values: FloatArray) -> None:
        counts = self._counts[envs]
        capacity = self._columns.shape[1]
        if len(envs) and counts.max() == capacity:
            self._columns = np.concatenate([self._columns, np.zeros_like(self._columns)], axis=1)
        self._columns[envs, counts] = values
        self._counts[envs] += 1
