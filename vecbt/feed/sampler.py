"""One trial after the other."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Protocol

from vecbt.data.sample import Sample, draw_sample
from vecbt.data.shared import DataTable
from vecbt.data.store import TableRequest
from vecbt.settings import check_integer, check_unsigned

__all__ = ["WHOLE", "Sampler"]

WHOLE = TableRequest(features=(), normalize=None, window=0, warmup=1, steps=0, skip=1)
"""Trials without the needs of an environment."""


class Source(Protocol):
    """A data set here, or a client of the server that has it."""

    def table(self, request: TableRequest) -> DataTable:
        """The data for a request."""

    def generate(self, request: TableRequest, seed: int, number: int) -> DataTable:
        """A generated trial."""


class Sampler:
    """Draws the trials of one client: by itself the next, or the last one again."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew."""
        self._number = 0
        self._last: Sample | None = None

    def draw(self, source: Source, config: Mapping[str, Any]) -> Sample:
        """Draw a trial.

        Args:
            source: Where the data come from.
            config: ``get_new``, ``episode_bars`` and the settings of `vecbt.data.sample.draw_sample`.

        Raises:
            ConfigError: If a setting is invalid.
            ExhaustedError: If there are no trials left.
        """
        settings = dict(config)
        bars = settings.pop("episode_bars", None)
        if bars is not None:
            check_integer("episode_bars", bars, low=1)
            bars = int(bars)
        if settings.pop("get_new", True) or self._last is None:
            request = _request(bars)
            number = settings.pop("number", self._number)
            table = source.table(request)
            if table.slots.bars and settings.get("sample_type", 0) == 0:
                seed = check_unsigned("seed", settings.get("seed", 0), bits=128)
                table = source.generate(request, seed, check_unsigned("number", number, bits=63))
            self._last = draw_sample(table, number, **settings)
            self._number += 1
        return self._last


@functools.lru_cache(maxsize=64)
def _request(bars: int | None) -> TableRequest:
    """Trials with episodes of so many bars."""
    return WHOLE if bars is None else dataclasses.replace(WHOLE, steps=bars)
