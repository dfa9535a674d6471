"""Which column is what: spellings, headers, columns=."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecbt.data.reading.columns import Columns, find_columns
from vecbt.data.reading.names import SPELLINGS, is_header, normalize
from vecbt.errors import ColumnError, ConfigError, UnknownNameError

OHLC = ["Open", "High", "Low", "Close"]


def find(
    header: list[str] | None, *rows: list[str], columns: dict[str, object] | None = None, **options: int
) -> Columns:
    head = list(rows) or [["2017-01-02"] + ["1.05"] * (len(header or []) - 1)]
    return find_columns(header, head, columns or {}, "x.csv", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Open", "open"), ("OPEN", "open"), ("<OPEN>", "open"), ("1. open", "open"), ("1a. open", "open"),
        ("1_O", "o"), ("[Open]", "open"), (" open ", "open"), ("Adj Close**", "adj_close"), ("adjClose", "adj_close"),
        ("Close/Last", "close_last"), ("Volume_(BTC)", "volume_btc"), ("Vol.", "vol"), ("openTime", "open_time"),
        ("Gmt time", "gmt_time"), ("Date(UTC)", "date_utc"), ("Change %", "change"), ("200 MA", "_200_ma"),
        ("5_m_return", "_5_m_return"), ("return", "return_"), ("RSI14", "rsi14"), ("Größe", "größe"), ("x²", "x2"),
        ("Unnamed: 0", "unnamed_0"), ("x𐄇y", "x_y"), ("𐄇", ""), ("%", ""), ("", ""),
    ],
)  # fmt: skip
def test_normalize(name: str, expected: str) -> None:
    assert normalize(name) == expected
    assert normalize(expected) == expected


@given(st.text(max_size=12))
def test_a_normal_name_fits_a_feature_expression(name: str) -> None:
    normal = normalize(name)
    assert normalize(normal) == normal
    if normal:
        tree = ast.parse(normal, mode="eval").body
        assert isinstance(tree, ast.Name)
        assert tree.id == normal


@pytest.mark.parametrize("role", [role for role in SPELLINGS if role != "adj_close"])
def test_every_spelling_is_found_in_any_order(role: str) -> None:
    others = [name for name in OHLC if name.lower() != role]
    for spelling in SPELLINGS[role]:
        for written in (spelling, spelling.upper(), f"<{spelling}>", spelling.replace("_", " ").title()):
            found = find(["Date", written, *others])
            assert found.positions[role] == 1
            assert found.time == (0,)
            found = find([*others, "Date", written], ["1"] * len(others) + ["2017-01-02", "1"])
            assert found.positions[role] == len(others) + 1


def test_the_columns_come_in_vecbts_order_with_the_extras_behind() -> None:
    found = find(
        ["Spread", "Close", "Volume", "Low", "Date", "High", "Open", "Adj Close", "RSI 14"],
        ["1"] * 4 + ["2017-01-02"] + ["1"] * 4,
    )
    assert list(found.positions) == ["open", "high", "low", "close", "volume", "adj_close", "spread", "rsi_14"]
    assert found.labels["rsi_14"] == "RSI 14"


def test_the_better_spelling_wins_and_the_other_is_an_extra() -> None:
    found = find(["Date", *OHLC, "Last", "Volume", "Tick Volume", "Adj Close"])
    assert (found.positions["close"], found.positions["last"]) == (4, 5)
    assert (found.positions["volume"], found.positions["tick_volume"]) == (6, 7)
    assert find(["Date", *OHLC[:3], "Last"]).positions["close"] == 4
    assert find(["Date", *OHLC[:3], "Price"]).positions["close"] == 4
    with pytest.raises(ColumnError, match="no column for close among 'Date', 'Open', 'High', 'Low', 'Adj Close'"):
        find(["Date", *OHLC[:3], "Adj Close"])


@pytest.mark.parametrize(
    ("names", "volume", "extra"), [(["Volume BTC", "Volume USDT"], 5, "volume_usdt"), (["Volume_(XBT)", "x"], 5, "x")]
)
def test_volume_in_units(names: list[str], volume: int, extra: str) -> None:
    positions = find(["Date", *OHLC, *names]).positions
    assert (positions["volume"], positions[extra]) == (volume, 6)
    assert "volume" not in find(["Date", *OHLC, "volume_change"]).positions


@pytest.mark.parametrize(
    ("header", "row", "time", "dropped"),
    [
        (["Date"], ["2017-01-02"], (0,), ""),
        (["datetime"], ["2017-01-02 02:00"], (0,), ""),
        (["time"], ["1483322400"], (0,), ""),
        (["Local time"], ["02.01.2017 02:00:00.000 GMT+0100"], (0,), ""),
        (["Date", "Time"], ["2017.01.02", "02:00"], (0, 1), ""),
        (["Time", "Date"], ["02:00", "2017.01.02"], (1, 0), ""),
        (["Date", "Timestamp"], ["20170102", "02:00:00"], (0, 1), ""),
        (["Date", "Time"], ["2017-01-02 02:00", "02:00"], (0,), "'Time'"),
        (["Date", "Time"], ["2017-01-02", "1483322400"], (0,), "'Time'"),
        (["unix", "date"], ["1483322400", "2017-01-02 02:00"], (0,), "'date'"),
        (["date", "unix"], ["2017-01-02 02:00", "1483322400"], (1,), "'date'"),
        (["open_time", "close_time"], ["1483322400000", "1483322459999"], (0,), "'close_time'"),
        (["", "Date"], ["0", "2017-01-02"], (1,), "column 0"),
        (["Unnamed: 0", "Date"], ["0", "2017-01-02"], (1,), "'Unnamed: 0'"),
        ([""], ["2017-01-02"], (0,), ""),
        (["index"], ["2017-01-02"], (0,), ""),
        (["Datum"], ["2017-01-02"], (0,), ""),
        (["Date", "day", "hour"], ["2017-01-02", "2", "9"], (0,), ""),
        (["Date"], ["Monday"], (0,), ""),
    ],
)
def test_the_time_is_told_by_name_and_by_what_cells_hold(
    header: list[str], row: list[str], time: tuple[int, ...], dropped: str
) -> None:
    found = find([*header, *OHLC], row + ["1"] * 4)
    assert found.time == time
    assert any(f"Left out {dropped}." in note for note in found.notes) is bool(dropped)
    assert found.starts is (header[0] == "open_time")


def test_columns_named_like_times_that_hold_none_are_extras() -> None:
    found = find(["Date", *OHLC, "hour", "day", "t"], ["2017-01-02"] + ["1"] * 4 + ["9", "2", "0.5"])
    assert {"hour", "day", "t"} <= found.positions.keys()


@pytest.mark.parametrize(
    ("name", "utc"), [("Gmt time", True), ("time_utc", True), ("Date (UTC)", True), ("Date", False)]
)
def test_a_name_that_says_utc(name: str, utc: bool) -> None:
    assert find([name, *OHLC]).utc is utc


def test_no_time() -> None:
    with pytest.raises(ColumnError, match=r"no time column among 'Open', 'High', 'Low', 'Close'.*columns={'time'"):
        find(OHLC, ["1"] * 4)


def test_two_columns_of_a_name() -> None:
    with pytest.raises(ColumnError, match=r"2 columns are called 'Close' \(positions \[4, 5\]\).*columns={'close': 4}"):
        find(["Date", *OHLC, "Close"])
    found = find(["Date", *OHLC, "Close"], columns={"close": 5})
    assert found.positions["close"] == 5
    assert "Left out 'Close'." in found.notes
    found = find(["Date", *OHLC, "MA", "ma", "MA"])
    assert list(found.positions)[4:] == ["ma", "ma_2", "ma_3"]


def test_columns_by_name_and_position() -> None:
    header = ["When", "Bid Open", "Bid High", "Bid Low", "Bid Close", "Ask-Bid"]
    found = find(
        header, columns={"open": "Bid Open", "high": "bid high", "low": 3, "close": "Bid Close", "spread": "Ask-Bid"}
    )
    assert found.positions == {"open": 1, "high": 2, "low": 3, "close": 4, "spread": 5}
    assert found.time == (0,)
    found = find(["D", "T", *OHLC], ["2017-01-02", "02:00"] + ["1"] * 4, columns={"time": ("D", "T")})
    assert found.time == (0, 1)
    found = find(["Date", "Close"], columns=dict.fromkeys(("open", "high", "low", "close"), "Close"))
    assert found.positions == dict.fromkeys(("open", "high", "low", "close"), 1)


def test_none_leaves_a_column_out() -> None:
    header = ["Date", *OHLC, "Vol", "Symbol"]
    found = find(header, columns={"symbol": None, "volume": None})
    assert list(found.positions) == ["open", "high", "low", "close"]
    assert "Left out 'Vol', 'Symbol'." in found.notes


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"open": "Opn"}, UnknownNameError, "unknown column 'Opn': did you mean 'Open'"),
        ({"opne": None}, UnknownNameError, "did you mean 'open'"),
        ({"open": 9}, ConfigError, "position from 0 to 4, got 9"),
        ({"open": -1}, ConfigError, "position from 0"),
        ({"open": True}, ConfigError, "a column's name, its position or None"),
        ({"open": 1.0}, ConfigError, "a column's name"),
        ({"open": None}, ConfigError, "no bar without it"),
        ({"time": None}, ConfigError, "no bar without it"),
        ({"open": ["Open", "Close"]}, ConfigError, "expected one column"),
        ({"time": ["Date", "Open", "High"]}, ConfigError, "or date and time"),
        ({"Open": "Open"}, ConfigError, "lower snake case"),
        ({5: "Open"}, ConfigError, "lower snake case"),
    ],
)
def test_columns_that_make_no_sense(columns: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        find(["Date", *OHLC], columns=columns)


def test_a_name_given_that_two_columns_have() -> None:
    with pytest.raises(ConfigError, match="2 columns are called 'Close'"):
        find(["Date", *OHLC, "Close"], columns={"close": "Close"})


@pytest.mark.parametrize(
    ("row", "time", "names"),
    [
        (["20170102 020000", "1", "1", "1", "1", "0"], (0,), ["open", "high", "low", "close", "volume"]),
        (["2017-01-02", "1", "1", "1", "1"], (0,), ["open", "high", "low", "close"]),
        (["01/02/2017", "09:30", "1", "1", "1", "1", "5"], (0, 1), ["open", "high", "low", "close", "volume"]),
        (["01/02/2017", "09:30", "1", "1", "1", "1"], (0, 1), ["open", "high", "low", "close"]),
        (["20170102", "1000", "1010", "990", "1005", "77"], (0,), ["open", "high", "low", "close", "volume"]),
        (["20170102", "0930", "1", "1", "1", "1", "5"], (0, 1), ["open", "high", "low", "close", "volume"]),
    ],
)
def test_without_a_header_the_number_of_columns_tells(row: list[str], time: tuple[int, ...], names: list[str]) -> None:
    found = find(None, row)
    assert found.time == time
    assert found.positions == {name: len(time) + i for i, name in enumerate(names)}
    assert found.guessed
    assert not found.starts


def test_binances_twelve_columns() -> None:
    row = ["1499040000000", "1", "1", "1", "1", "5", "1499644799999", "2", "3", "4", "5", "0"]
    found = find(None, row)
    assert found.starts
    assert list(found.positions) == [
        "open",
        "high",
        "low",
        "close",
        "volume",
        "quote_volume",
        "count",
        "taker_buy_volume",
        "taker_buy_quote_volume",
    ]
    assert found.positions["quote_volume"] == 7


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["20170102 020000123", "1.05", "1.06", "0"], "rows of 4 cells, as ticks have"),
        (["20170102 020000", "1.05", "0"], "rows of 3 cells"),
        (["1.05", "1.06", "1.04", "1.05", "2017-01-02"], "does not begin with a time"),
        (["1381095255", "1", "1", "1", "1", "0.1", "1"], r"7 columns, whose meaning .* columns={'time': 0, 'open': 1"),
        ([*["2017-01-02"], *["1"] * 12], "13 columns"),
        (["2017-01-02"], "does not begin"),
    ],
)
def test_without_a_header_the_rest_is_asked_for(row: list[str], words: str) -> None:
    with pytest.raises(ColumnError, match=words):
        find(None, row)


def test_without_a_header_columns_needs_all_positions() -> None:
    row = ["1381095255", "1", "1", "1", "1", "0.1", "1"]
    found = find(None, row, columns={"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "trades": 6})
    assert found.positions == {"open": 1, "high": 2, "low": 3, "close": 4, "trades": 6}
    assert not found.guessed
    with pytest.raises(ConfigError, match="must give all positions, and lacks 'time', 'low', 'close'"):
        find(None, row, columns={"open": 1, "high": 2})
    with pytest.raises(ConfigError, match="has no header: give positions"):
        find(None, row, columns={"open": "Open"})


def test_a_column_known_to_hold_the_time() -> None:
    found = find(["timestamp", *OHLC, ""], ["1483322400", *["1"] * 4, "2017-01-02"], time=5)
    assert found.time == (5,)
    assert "Left out 'timestamp'." in found.notes


def test_is_header() -> None:
    assert is_header(["Date", *OHLC], {})
    assert is_header(["o", "h", "l"], {})
    assert not is_header(["Date", "Open", "Close"], {})
    assert not is_header(["Datum", "Hoch", "Tief", "Schluss"], {})
    assert is_header(["Datum", "Hoch", "Tief", "Schluss"], {"high": "Hoch", "low": "Tief", "close": "Schluss"})
    assert not is_header(["20170102 020000", "1", "1", "1", "1"], {"open": 1})
