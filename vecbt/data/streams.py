"""Streams of bars by name: what names and stamps they must have before they can meet."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Mapping
from typing import Any

from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import CORE, Bars
from vecbt.data.functions import FUNCTIONS
from vecbt.data.reading.read import read_stream
from vecbt.data.timeline import format_interval, format_stamp
from vecbt.errors import ConfigError, TimestampError

__all__ = ["read_streams"]


def read_streams(data: Mapping[str, Any], joins: Collection[str]) -> dict[str, Bars]:
    """Read streams whose times can be compared.

    Args:
        data: Sources or Bars by name.
        joins: Names of the streams that are to be joined as of the others.

    Raises:
        ConfigError: For names that no feature expression could use.
        TimestampError: If nothing says whether stamps are starts or ends of bars where it matters.
        DataError: As `read_bars`; a note says which stream.
    """
    for name in data:
        _check_name(name)
    streams, starts = {}, {}
    for name, source in data.items():
        streams[name], starts[name] = _read(name, source)
    for name in data:
        if name in joins and starts[name] is False:
            raise _unknown_stamps(name, streams[name], "nothing says")
    _check_stamps({name: streams[name] for name in data if name not in joins}, starts)
    return streams


def _check_name(name: object) -> None:
    """Make sure that feature expressions can use the name of a stream."""
    if name in CORE:
        raise ConfigError(
            f"{name!r} is a column: a mapping has streams of bars by name; columns belong into a pandas DataFrame"
        )
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        mended = "".join(char if char.isalnum() else "_" for char in str(name))
        hint = f", such as {mended!r}" if mended.isidentifier() and not keyword.iskeyword(mended) else ""
        raise ConfigError(f"the name of a stream must be an identifier{hint}, for use in features; got {name!r}")
    if name in FUNCTIONS:
        raise ConfigError(f"the name of a stream must differ from all functions of features; got {name!r}")


def _read(name: str, source: Any) -> tuple[Bars, bool | None]:
    """A stream, and whether its source says that its stamps are starts; None for Bars, which others have read."""
    if isinstance(source, Bars):
        return source, None
    if isinstance(source, AlignedBars):
        raise ConfigError(f"{name} has been aligned already: align its streams by name, {', '.join(source.streams)}")
    try:
        return read_stream(source)
    except Exception as error:
        error.add_note(f"This was read for {name!r}.")
        raise


def _check_stamps(assets: Mapping[str, Bars], starts: Mapping[str, bool | None]) -> None:
    """Refuse assets of which some say that their stamps are starts and others say nothing, which may be starts too."""
    silent = [name for name in assets if starts[name] is False]
    said = [name for name in assets if starts[name]]
    if silent and said:
        raise _unknown_stamps(silent[0], assets[silent[0]], f"those of {said[0]} say that they are starts, none says")


def _unknown_stamps(name: str, bars: Bars, nothing_says: str) -> TimestampError:
    """An error for stamps that may be starts: taken for ends, they would show each bar before it has been."""
    return TimestampError(
        f"{nothing_says} whether the stamps of {name} are starts or ends of its bars, the first of which is "
        f"{format_stamp(int(bars.timestamps[0]))} UTC: read them with read_bars(..., stamp='start') or "
        f"read_bars(..., stamp='end'). With the wrong one a bar of {format_interval(bars.interval)} would be known "
        f"before its end, or too late",
        source=bars.source,
        column="time",
    )
