"""What a strategy needs, found by starting it once."""

from __future__ import annotations

from typing import Any

from vecbt.brokers.cerebro.build import feed_columns, make_cerebro
from vecbt.config import EnvConfig
from vecbt.data.shared import DataTable

__all__ = ["find_warmup"]


class _Started(Exception):  # noqa: N818  (control flow, not an error)
    """Leaves the run once the strategy stands."""


class _Probe:
    """Stands where an `Episode` does until the strategy has been started."""

    max_exposure = None
    live = fast = False

    def begin(self, broker: Any, strategy: Any) -> None:
        """Nothing to set up."""

    def started(self, strategy: Any) -> None:
        """Leave."""
        raise _Started(max(strategy._minperiods))


def find_warmup(config: EnvConfig, table: DataTable) -> int:
    """Bars until the strategy's first ``next()``, that one included: its indicators' minimum period.

    Raises:
        Exception: Whatever the strategy's constructor raises.
    """
    cerebro, feeds = make_cerebro(config, table, _Probe())
    for feed, columns in zip(feeds, feed_columns(table), strict=True):
        feed.select(columns, 0, min(2, len(columns[0])))
    try:
        cerebro.run()
    except _Started as started:
        return int(started.args[0])
    raise AssertionError("Cerebro ran without starting its strategy")
