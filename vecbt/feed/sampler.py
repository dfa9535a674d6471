"""One trial after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vecbt.data.sample import Sample, draw_sample
from vecbt.data.shared import DataTable
from vecbt.data.store import TableRequest

__all__ = ["WHOLE", "Sampler"]

WHOLE = TableRequest(features=(), normalize=None, window=0, warmup=1, steps=None, skip=1)
"""Trials without the needs of an environment."""


class Sampler:
    """Draws the trials of one client: by itself the next, or the last one again."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew."""
        self._number = 0
        self._last: Sample | None = None

    def draw(self, table: DataTable, config: Mapping[str, Any]) -> Sample:
        """Draw a trial.

        Args:
            table: The data.
            config: ``get_new``, and the settings of `vecbt.data.sample.draw_sample`.

        Raises:
            ConfigError: If a setting is invalid.
        """
        settings = dict(config)
        if settings.pop("get_new", True) or self._last is None:
            self._last = draw_sample(table, settings.pop("number", self._number), **settings)
            self._number += 1
        return self._last
