"""Statistics of rows, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from vecbt.arrays import FloatArray

if TYPE_CHECKING:
    from vecbt.data.shared import BarColumns

__all__ = ["Description", "describe_rows"]

Description: TypeAlias = dict[str, dict[str, float]]
"""For every column its ``count``, ``mean``, ``std``, ``min`` and ``max``."""

_PRICES = ("open", "high", "low", "close")


def describe_rows(bars: BarColumns, rows: tuple[int, int]) -> Description:
    """Statistics of the rows ``rows[0] <= row < rows[1]``, of each column.

    Columns of several assets are named after asset and column, as in ``"EURUSD.close"``. The deviation is that of a
    sample, with one degree of freedom less than rows; 0 of a single row.
    """
    arrays, (first, end) = bars.arena.arrays, rows
    several = len(bars.assets) > 1
    columns = {}
    for number, asset in enumerate(bars.assets):
        prefix = f"{asset}." if several else ""
        for column, name in enumerate(_PRICES):
            columns[prefix + name] = arrays["ohlc"][first:end, number, column]
        columns[prefix + "volume"] = arrays["volume"][first:end, number]
    names = [
        f"{asset}.{name}" if several else name
        for asset, own in zip(bars.assets, bars.line_names, strict=True)
        for name in own
    ]
    columns |= {name: arrays["lines"][number, first:end] for number, name in enumerate(names)}
    return {name: _statistics(values) for name, values in columns.items()}


def _statistics(values: FloatArray) -> dict[str, float]:
    count = len(values)
    return {
        "count": float(count),
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if count > 1 else 0.0,
        "min": float(values.min()),
        "max": float(values.max()),
    }
