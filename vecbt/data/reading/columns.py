"""Which column of a table is what.

:func:`find_columns` is the only place that guesses, by names and, without a header, by the number of columns; what
it is not sure of is an error that asks for ``columns=``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vecbt.data.checks import OHLC
from vecbt.data.reading.dateforms import is_clock, is_date, is_day
from vecbt.data.reading.given import find_given
from vecbt.data.reading.names import CLOCKS, DAYS, INDEX, SPELLINGS, STARTS, TIMES, WHOLE, ColumnMap, normalize
from vecbt.errors import ColumnError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Columns", "find_columns"]

# Columns of no use: a frame's numbering of its rows, and what Binance's files call by this name.
USELESS = (*INDEX, "ignore")
BINANCE = ("open_time", *OHLC, "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
           "taker_buy_quote_volume", "ignore")  # fmt: skip

_VOLUME_OF = re.compile(r"(?i:volume|vol)[ _(]+[A-Z0-9]{2,10}\)?")
_HISTDATA = re.compile(r"\d{8} \d{6}")


@dataclass(frozen=True)
class Columns:
    """Which column of a table is what.

    Attributes:
        time: Position of the time column, or of the date's and the clock's.
        positions: Positions of the other columns by vecbt's names: open, high, low, close, maybe volume and
            adj_close, then what else there is.
        labels: The table's own names of those columns.
        starts: Whether the time column's name says that it holds the starts of the bars.
        utc: Whether the time column's name says that it is in UTC.
        guessed: Whether the order of the columns was taken from their number, there being no header.
        notes: What to tell about it.
    """

    time: tuple[int, ...]
    positions: dict[str, int]
    labels: dict[str, str]
    starts: bool = False
    utc: bool = False
    guessed: bool = False
    notes: list[str] = field(default_factory=list)


def find_columns(
    header: Sequence[str] | None,
    head: Sequence[Sequence[str]],
    given: ColumnMap,
    source: str,
    *,
    time: int | None = None,
) -> Columns:
    """Say which column is which.

    Args:
        header: The table's names, or None if it has none.
        head: The first rows, as texts, stripped.
        given: What the user said.
        source: What the table is called in errors.
        time: Position of the column that is known to hold the times, if one is.

    Raises:
        ColumnError: If a column is missing or ambiguous.
        ConfigError: If ``given`` names what is not there.
    """
    width = len(header) if header is not None else max((len(row) for row in head), default=0)
    fixed = find_given(given, header, width)
    if time is not None:
        fixed.setdefault("time", (time,))
    if header is None and not {*OHLC, "time"} <= fixed.keys():
        if fixed:
            missing = ", ".join(repr(name) for name in ("time", *OHLC) if name not in fixed)
            raise ConfigError(f"{source} has no header: columns= must give all positions, and lacks {missing}")
        return _by_count(head, width, source)
    names = [normalize(name) for name in header] if header is not None else [""] * width
    labels = list(header) if header is not None else [f"column {i}" for i in range(width)]
    return _by_name(names, labels, head, fixed, source)


def _by_count(head: Sequence[Sequence[str]], width: int, source: str) -> Columns:
    """The columns of a table without a header, as their number tells."""
    first = head[0] if head else ()
    ask = "say which column is which, positions from 0: columns={'time': 0, 'open': 1, 'high': 2, 'low': 3, 'close': 4}"
    if width in (3, 4):
        raise ColumnError(
            f"expected bars (time, open, high, low, close), got rows of {width} cells, as ticks have: {list(first)}; "
            "resample ticks to bars first",
            source=source,
        )
    if width < 3 or not is_date(first[0]):
        raise ColumnError(
            f"no header, and the first row does not begin with a time: {list(first)}; {ask}", source=source
        )
    # Of six cells the second is a clock only if it cannot be a price.
    split = width >= 6 and is_day(first[0]) and is_clock(first[1]) and (width > 6 or ":" in first[1])
    time, rest = ((0, 1), width - 2) if split else ((0,), width - 1)
    names = BINANCE[1:] if width == len(BINANCE) and is_date(first[6]) else (*OHLC, "volume")[:rest]
    if rest != len(names) or rest < len(OHLC):
        message = f"no header, and {width} columns, whose meaning vecbt does not know: {list(first)}; {ask}"
        raise ColumnError(message, source=source)
    positions = {name: len(time) + i for i, name in enumerate(names) if name not in ("close_time", "ignore")}
    notes = [f"No header: {width} columns taken as time, {', '.join(positions)}."]
    if _HISTDATA.fullmatch(first[0]):
        notes.append("HistData's files are in New York's winter time all year, which tz='Etc/GMT+5' says.")
    return Columns(
        time, positions, dict(zip(positions, positions, strict=True)), len(names) > 5, guessed=True, notes=notes
    )


def _by_name(
    names: list[str],
    labels: list[str],
    head: Sequence[Sequence[str]],
    fixed: Mapping[str, tuple[int, ...]],
    source: str,
) -> Columns:
    def label(i: int) -> str:
        return repr(labels[i]) if labels[i] else f"column {i}"

    used = {position for positions in fixed.values() for position in positions}
    left = {i: name for i, name in enumerate(names) if i not in used}
    time = fixed.get("time") or _find_time(left, labels, head, source)
    for i in time:
        left.pop(i, None)
    given = {key: places[0] for key, places in fixed.items() if places and key != "time"}
    unwanted = {i for i, name in left.items() if name in USELESS or name in fixed}
    roles = {}
    for role, spellings in SPELLINGS.items():
        if role in given:
            roles[role] = given.pop(role)
        elif (position := _find_role(role, spellings, left, labels, source)) is not None:
            del left[position]
            if role not in fixed:  # None in columns= leaves it out
                roles[role] = position
            else:
                unwanted.add(position)
    _require_prices(roles, labels, source)
    unwanted |= {i for i in left if names[i] in TIMES and any(is_date(row[i]) or ":" in row[i] for row in head)}
    positions = roles | given | _name_extras({i: name for i, name in left.items() if i not in unwanted}, given)
    origin = [f"time from {' and '.join(map(label, time))}"]
    origin += [f"{name} from {label(i)}" for name, i in roles.items() if normalize(labels[i]) != name]
    notes = [f"Columns: {', '.join(origin)}."]
    if unwanted:
        notes.append(f"Left out {', '.join(map(label, sorted(unwanted)))}.")
    chosen = {names[i] for i in time}
    starts = not chosen.isdisjoint(STARTS)
    utc = any(not {"utc", "gmt"}.isdisjoint(name.split("_")) for name in chosen)
    return Columns(time, positions, {key: labels[i] for key, i in positions.items()}, starts, utc, notes=notes)


def _find_role(
    role: str, spellings: Sequence[str], left: Mapping[int, str], labels: Sequence[str], source: str
) -> int | None:
    for spelling in spellings:
        found = [i for i, name in left.items() if name == spelling]
        if len(found) > 1:
            raise ColumnError(
                f"{len(found)} columns are called {labels[found[0]]!r} (positions {found}), as when a file holds "
                f"several assets: say which to take, columns={{{role!r}: {found[0]}}}",
                source=source,
                column=role,
            )
        if found:
            return found[0]
    if role == "volume":  # "Volume BTC" and "Volume USDT": the first is in units of the asset
        return next((i for i in left if _VOLUME_OF.fullmatch(labels[i].strip())), None)
    return None


def _find_time(
    left: Mapping[int, str], labels: Sequence[str], head: Sequence[Sequence[str]], source: str
) -> tuple[int, ...]:
    first = {i: next((row[i] for row in head if row[i]), "") for i in left}

    def named(names: Iterable[str]) -> int | None:
        return next((i for name in names for i in left if left[i] == name), None)

    whole = (i for name in (*STARTS, *WHOLE) if (i := named([name])) is not None and is_date(first[i]))
    if (position := next(whole, None)) is not None:
        return (position,)
    day, clock = named(DAYS), named(CLOCKS)
    if day is not None and clock is not None and is_day(first[day]) and is_clock(first[clock]):
        return (day, clock)
    dates = [i for i in left if is_date(first[i]) and not first[i].isdigit()]
    for position in (day, clock, named(INDEX), *(dates if len(dates) == 1 else ())):
        if position is not None and is_date(first[position]):
            return (position,)
    # The name says it is the time; that it cannot be read is for the error to say.
    if (position := named((*STARTS, *WHOLE, *DAYS, *CLOCKS))) is not None:
        return (position,)
    raise ColumnError(
        f"found no time column among {', '.join(map(repr, labels))}: name it, columns={{'time': ...}}", source=source
    )


def _require_prices(roles: Mapping[str, int], labels: Sequence[str], source: str) -> None:
    missing = [role for role in OHLC if role not in roles]
    if missing:
        raise ColumnError(
            f"found no column for {', '.join(missing)} among {', '.join(map(repr, labels))}: "
            f"name it, columns={{{missing[0]!r}: ...}}",
            source=source,
            column=missing[0],
        )


def _name_extras(left: Mapping[int, str], taken: Iterable[str]) -> dict[str, int]:
    """Names of the columns that are left; the second of a name gets a number."""
    extras: dict[str, int] = dict.fromkeys(taken, -1)
    for i, name in left.items():
        unique, count = name, 1
        while unique in extras:
            count += 1
            unique = f"{name}_{count}"
        extras[unique] = i
    return {name: i for name, i in extras.items() if i >= 0}
