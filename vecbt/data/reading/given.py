"""What a user said with ``columns=``: which column of a table is what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vecbt.data.checks import OHLC
from vecbt.data.reading.names import SPELLINGS, ColumnMap, normalize
from vecbt.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["find_given"]


def find_given(given: ColumnMap, header: Sequence[str] | None, width: int) -> dict[str, tuple[int, ...]]:
    """Positions by vecbt's names; none for a column to leave out, two for a time in two columns.

    Args:
        given: The argument ``columns``.
        header: The table's names, or None if it has none.
        width: The number of columns.

    Raises:
        ConfigError: If it names what is not there, or makes no sense.
    """
    found = {key: _positions(key, value, header, width) for key, value in given.items()}
    _check(found, header)
    return found


def _positions(key: str, value: object, header: Sequence[str] | None, width: int) -> tuple[int, ...]:
    """The positions that the user gave for ``key``; empty to leave the column out."""
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(position for part in value for position in _positions(key, part, header, width))
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < width:
            return (value,)
        raise ConfigError(f"columns[{key!r}]: expected a position from 0 to {width - 1}, got {value}")
    if not isinstance(value, str):
        raise ConfigError(f"columns[{key!r}]: expected a column's name, its position or None, got {value!r}")
    if header is None:
        raise ConfigError(f"columns[{key!r}] is {value!r}, but the file has no header: give positions, from 0")
    exact = [i for i, name in enumerate(header) if name == value]
    found = exact or [i for i, name in enumerate(header) if normalize(name) == normalize(value)]
    if not found:
        raise UnknownNameError.of("column", value, header)
    if len(found) > 1:
        raise ConfigError(f"columns[{key!r}]: {len(found)} columns are called {value!r}: give the position, from 0")
    return (found[0],)


def _check(fixed: Mapping[str, tuple[int, ...]], header: Sequence[str] | None) -> None:
    names = {normalize(name) for name in header or ()}
    for key, positions in fixed.items():
        if not isinstance(key, str) or normalize(key) != key:
            raise ConfigError(f"columns: expected names in lower snake case, such as 'open', got {key!r}")
        if len(positions) > (2 if key == "time" else 1):
            raise ConfigError(f"columns[{key!r}]: expected one column{', or date and time' * (key == 'time')}")
        if not positions and key in (*OHLC, "time"):
            raise ConfigError(f"columns[{key!r}] is None, but there is no bar without it")
        if not positions and key not in names and key not in SPELLINGS:
            raise UnknownNameError.of("column", key, names)
