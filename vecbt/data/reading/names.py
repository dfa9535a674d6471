"""The names of columns: how they are written down, and which spellings mean which column."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence

from vecbt.data.checks import OHLC

__all__ = ["CLOCKS", "DAYS", "INDEX", "SPELLINGS", "STARTS", "TIMES", "WHOLE", "ColumnMap", "is_header", "normalize"]

ColumnMap = Mapping[str, str | int | Sequence[str | int] | None]
"""The argument ``columns`` of :func:`vecbt.data.reading.read.read_bars`."""

# Spellings in lower snake case. The first that a table has is taken: what has both "close" and "last" gets an extra
# column "last". A name may be in two of the lists of times; what the cells hold then decides.
SPELLINGS = {
    "open": ("open", "o", "open_price", "price_open", "px_open", "opening_price"),
    "high": ("high", "h", "high_price", "price_high", "px_high", "highest_price"),
    "low": ("low", "l", "low_price", "price_low", "px_low", "lowest_price"),
    "close": ("close", "c", "close_price", "price_close", "px_last", "closing_price", "close_last", "last", "price"),
    "volume": ("volume", "vol", "v", "px_volume", "real_volume", "base_volume", "total_volume", "volume_traded",
               "tick_volume", "tickvolume", "tick_vol", "tickvol"),
    "adj_close": ("adj_close", "adjclose", "adjusted_close", "close_adj", "close_adjusted"),
}  # fmt: skip
STARTS = ("open_time", "time_open", "window_start", "bar_start", "time_period_start", "start_time", "open_timestamp")
WHOLE = ("unix", "unix_timestamp", "unix_time", "unix_ms", "timestamp_unix", "timestamp_ms", "epoch", "datetime_utc",
         "timestamp_utc", "date_utc", "time_utc", "utc_time", "utc", "gmt_time", "date_gmt", "datetime", "date_time",
         "timestamp", "timestamps", "time_stamp", "local_time", "ts", "dt", "t", "bar_time", "end_time", "time_close",
         "close_time", "close_timestamp", "time_period_end")  # fmt: skip
DAYS = ("date", "day", "trade_date", "trading_date", "trading_day", "dtyyyymmdd", "yyyymmdd")
CLOCKS = ("time", "hhmm", "hhmmss", "time_of_day", "timestamp")
INDEX = ("", "unnamed_0", "index", "level_0")
TIMES = frozenset((*STARTS, *WHOLE, *DAYS, *CLOCKS))

_NUMBERING = re.compile(r"^\s*\d+[a-z]?\s*[._)]\s*(?=[A-Za-z])")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ROLE_OF = {spelling: role for role, spellings in SPELLINGS.items() for spelling in spellings}


def normalize(name: str) -> str:
    """A column's name in lower snake case, fit for feature expressions; empty if nothing is left of it.

    Example:
        >>> [normalize(name) for name in ("<OPEN>", "Adj Close", "1. open", "1_O", "openTime", "Vol.", "200 MA", "")]
        ['open', 'adj_close', 'open', 'o', 'open_time', 'vol', '_200_ma', '']
    """
    bare = _snake(_NUMBERING.sub("", name))
    # The numbering of "1. open" is no part of the name; the digits of "5 m return" are.
    snake = bare if bare in _ROLE_OF or bare in TIMES else _snake(name)
    if snake and not snake.isidentifier():  # it begins with what only follows in a name, a digit for instance
        snake = f"_{snake}"
    return f"{snake}_" if keyword.iskeyword(snake) else snake


def _snake(name: str) -> str:
    # NFKC, because Python's parser, and so a feature expression, applies it to every name.
    words = re.sub(r"\W", "_", unicodedata.normalize("NFKC", _HUMP.sub("_", name.strip())).lower())
    # \w takes every numeral, of any script; the parser takes digits and letters.
    fit = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in words)
    return re.sub(r"_+", "_", fit).strip("_")


def is_header(names: Sequence[str], given: ColumnMap) -> bool:
    """Whether names are a header: three at least of open, high, low and close are among them."""
    normal = {normalize(name) for name in names}
    found = {_ROLE_OF[name] for name in normal if name in _ROLE_OF}
    found |= {role for role, name in given.items() if isinstance(name, str) and normalize(name) in normal}
    return len(found & set(OHLC)) >= 3
