"""Aligning: several streams of bars on one clock, by the times at which their bars are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from vecbt.arrays import IntArray
from vecbt.data.aligned import AlignedBars, last_known
from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars
from vecbt.data.streams import read_streams
from vecbt.data.timeline import format_duration, format_interval, format_stamp
from vecbt.errors import ConfigError, TimestampError, UnknownNameError

__all__ = ["align_bars", "read_data"]


def read_data(data: Any) -> Bars | AlignedBars:
    """The bars of whatever a user may give as data.

    Args:
        data: Anything that `read_bars` reads; a mapping of such by name, which `align_bars` aligns; or bars of either
            kind, which are returned as they are.

    Raises:
        VecbtError: As `read_bars` and `align_bars`.
    """
    if isinstance(data, AlignedBars):
        return data
    return align_bars(data) if isinstance(data, Mapping) else read_bars(data)


def align_bars(data: Mapping[str, Any], *, asof: Collection[str] = ()) -> AlignedBars:
    """Align streams of bars.

    Bars meet by the time at which they are known, which is their end, so that no row shows what only a later one can
    know. The streams are of two kinds:

    * **Assets**, which are traded. A row has the bars of all of them that end at the same time; bars that lack a
      partner are left out. Each bar is therefore a real one, and an order fills at an open that exists. A repeated bar
      would sell what nobody has offered: at a price of the past, known to the agent when it decides.
    * Streams joined **as of** the assets' stamps, such as daily bars beside minutes. A row knows the last of their
      bars that has ended, up to that very time. They are columns for features (``"DAILY.close"``,
      ``"close / DAILY.sma(20)"``) and for strategies, never traded. Indicators of a joined stream count its own bars:
      ``"DAILY.sma(20)"`` is the average of 20 days.

    Rows before the first known bar of every joined stream are dropped.

    Args:
        data: The streams by name: anything that `read_bars` reads, or Bars. Names are identifiers, by which feature
            expressions know the streams. The order is that of the assets in actions, observations and infos. Sources
            of which only some say that their stamps are starts are to be read by ``read_bars(..., stamp=...)``.
        asof: Names of the streams that are joined; all others are assets. Unless such a source says by itself that
            its stamps are starts, read it with ``read_bars(..., stamp=...)``: a wrong guess would show the future.

    Returns:
        The aligned bars; ``notes`` says what was left out, and how old a joined bar may be.

    Raises:
        ConfigError: For names that no expression could use, and if there is no asset.
        UnknownNameError: For a name in ``asof`` that is not in ``data``.
        TimestampError: If assets have no bar in common or bars of different lengths, a joined stream has shorter bars
            than the assets or none before their last, or nothing says what stamps are where it matters.
        DataError: As `read_bars`; a note says which stream.

    Example:
        >>> import vecbt
        >>> minutes = vecbt.data.synthetic_market(6_000, seed=0)
        >>> frame = minutes.to_frame()
        >>> every_hour = {"open": "first", "high": "max", "low": "min", "close": "last"}
        >>> hours = frame.resample("1h", closed="right", label="right").agg(every_hour)
        >>> bars = align_bars({"SYNTH": minutes, "HOUR": read_bars(hours, stamp="end")}, asof=["HOUR"])
        >>> bars
        <AlignedBars SYNTH: 5941 bars of 1 min, 2024-01-01 01:00:00 to 2024-01-05 04:00:00 UTC, beside them HOUR>
        >>> for note in bars.notes[-2:]:
        ...     print(note)
        HOUR: joined as of the time at which a bar is known, at most 59 min before a row.
        Dropped the first 59 rows, before the first bar of HOUR was known.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"expected a mapping from names to streams of bars, got {type(data).__qualname__}")
    if not data:
        raise ConfigError("expected at least one stream of bars, got an empty mapping")
    joins = _check_asof(data, asof)
    streams = read_streams(data, joins)
    assets = {name: bars for name, bars in streams.items() if name not in joins}
    joined = {name: bars for name, bars in streams.items() if name in joins}
    if not assets:
        raise ConfigError("all streams are joined as of another, of which there is none: leave one out of asof")
    notes = [f"{name}: {note}" for name, bars in streams.items() for note in bars.notes]
    assets = _intersect(assets, notes)
    if joined:
        assets, joined = _join(assets, joined, notes)
    return AlignedBars(by_asset=assets, joined=joined, notes=tuple(notes))


def _check_asof(data: Mapping[str, Any], asof: Collection[str]) -> frozenset[str]:
    if isinstance(asof, str):
        raise ConfigError(f"asof must be a collection of names, got the string {asof!r}: write [{asof!r}]")
    for name in asof:
        if name not in data:
            raise UnknownNameError.of("stream in asof", name, map(str, data))
    return frozenset(asof)


def _intersect(assets: Mapping[str, Bars], notes: list[str]) -> dict[str, Bars]:
    """The bars that end together."""
    _check_lengths(assets)
    common = _common_stamps(assets)
    aligned = {}
    for name, bars in assets.items():
        if missing := len(bars) - len(common):
            notes.append(
                f"{name}: left out {missing} of {len(bars)} bars ({missing / len(bars):.1%}), which end when another "
                f"asset has no bar."
            )
            bars = _take(bars, common)
        aligned[name] = dataclasses.replace(bars, name=name)
    return aligned


def _common_stamps(assets: Mapping[str, Bars]) -> IntArray:
    """The stamps that all assets have."""
    (first, bars), *others = assets.items()
    common, before = bars.timestamps, [first]
    for name, bars in others:
        both = np.intersect1d(common, bars.timestamps, assume_unique=True)
        if not len(both):
            raise TimestampError(
                f"no bar of {name} ({_span(bars.timestamps)}) ends when one of {', '.join(before)} ({_span(common)}) "
                f"does: check their time zones and whether their stamps are starts or ends (read_bars has tz and "
                f"stamp), or join {name} as of the others (align_bars has asof)",
                source=bars.source,
            )
        common = both
        before.append(name)
    return common


def _take(bars: Bars, stamps: IntArray) -> Bars:
    """The bars with these stamps, all of which are there."""
    rows = np.searchsorted(bars.timestamps, stamps)
    columns = {name: bars.column(name)[rows] for name in bars.columns if name != "volume" or bars.has_volume}
    return Bars.trusted(stamps, columns, name=bars.name, source=bars.source, notes=bars.notes)


def _check_lengths(assets: Mapping[str, Bars]) -> None:
    """Refuse to pair bars of different lengths: those of minutes would stand for hours, with most minutes gone.

    What is missing makes steps longer, never shorter. So the shortest step of a stream bounds the length of its bars.
    """
    with_steps = {name: bars for name, bars in assets.items() if bars.interval}
    if not with_steps:
        return
    quick = min(with_steps, key=lambda name: with_steps[name].interval)
    interval = with_steps[quick].interval
    for name, bars in with_steps.items():
        if int(np.diff(bars.timestamps).min()) > interval:
            raise TimestampError(
                f"{name} has bars of {format_interval(bars.interval)}, {quick} of {format_interval(interval)}: "
                f"resample {quick} if both are traded, or join {name} as of {quick} (align_bars has asof)",
                source=bars.source,
            )


def _join(
    assets: dict[str, Bars], joined: dict[str, Bars], notes: list[str]
) -> tuple[dict[str, Bars], dict[str, Bars]]:
    """Assets from where all joined streams are known, and what is known of these."""
    first = next(iter(assets.values()))
    begins = {name: _first_row(name, bars, first) for name, bars in joined.items()}
    latest = max(begins, key=begins.__getitem__)
    start = begins[latest]
    stamps = first.timestamps[start:]
    kept = {}
    for name, bars in joined.items():
        known = last_known(bars.timestamps, stamps)
        oldest = int((stamps - bars.timestamps[known]).max())
        notes.append(
            f"{name}: joined as of the time at which a bar is known, at most {format_duration(oldest)} before a row."
        )
        for column in bars.columns:
            if f"{name}_{column}" in first.extras:
                raise ConfigError(
                    f"a strategy would know both {name}.{column} and a column of {first.name} as "
                    f"{name}_{column}: give {name} another name"
                )
        kept[name] = dataclasses.replace(bars.rows(0, int(known[-1]) + 1), name=name)
    if start:
        notes.append(f"Dropped the first {start} rows, before the first bar of {latest} was known.")
    return {name: bars.rows(start, len(bars)) for name, bars in assets.items()}, kept


def _first_row(name: str, bars: Bars, asset: Bars) -> int:
    """The first row at which a bar of a joined stream is known."""
    if bars.interval and bars.interval < asset.interval:
        raise TimestampError(
            f"{name} has bars of {format_interval(bars.interval)}, shorter than those of "
            f"{format_interval(asset.interval)} that it is to be joined to, and most would never be seen: resample it",
            source=bars.source,
        )
    row = int(np.searchsorted(asset.timestamps, bars.timestamps[0]))
    if row == len(asset):
        raise TimestampError(
            f"no bar of {name} ({_span(bars.timestamps)}) is known at any row ({_span(asset.timestamps)})",
            source=bars.source,
        )
    return row


def _span(stamps: IntArray) -> str:
    return f"{format_stamp(int(stamps[0]))} to {format_stamp(int(stamps[-1]))} UTC"
