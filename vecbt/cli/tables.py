"""Tables in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["print_table"]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header: the first column to the left, all others to the right.

    Example:
        >>> print_table(("engine", "steps/s"), [("cerebro", "150,000")])
        engine   steps/s
        cerebro  150,000
    """
    lines = [row for row in [header, *rows] if any(row)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
