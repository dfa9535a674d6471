"""Files as data vendors and programs write them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vecbt.data.reading.read import read_bars
from vecbt.errors import ColumnError, DataError, PriceError, TimestampError

if TYPE_CHECKING:
    from pathlib import Path

    from vecbt.data.bars import Bars


def utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def read(folder: Path, text: str | bytes, **options: object) -> Bars:
    path = folder / "EURUSD.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_bars(path, **options)  # type: ignore[arg-type]


def table(bars: Bars) -> list[list[float]]:
    return [bars.column(name).tolist() for name in ("open", "high", "low", "close", "volume")]


HISTDATA = (
    "20170102 020000;1.051550;1.051970;1.051550;1.051900;0\n20170102 020100;1.052090;1.052090;1.051770;1.051790;0\n"
)


def test_histdata_ascii(tmp_path: Path) -> None:
    bars = read(tmp_path, HISTDATA)
    assert table(bars) == [[1.05155, 1.05209], [1.05197, 1.05209], [1.05155, 1.05177], [1.0519, 1.05179], [0.0, 0.0]]
    assert bars.timestamps.tolist() == [utc("2017-01-02T02:00"), utc("2017-01-02T02:01")]
    assert (bars.name, bars.has_volume, bars.interval) == ("EURUSD", True, 60 * 10**9)
    assert bars.source == str(tmp_path / "EURUSD.csv")
    assert any("tz='Etc/GMT+5'" in note for note in bars.notes)
    winter = read(tmp_path, HISTDATA, tz="Etc/GMT+5", stamp="start")
    assert winter.timestamps[0] == utc("2017-01-02T07:01")


def test_histdata_for_metatrader(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        "2017.01.02,02:00,1.05155,1.05197,1.05155,1.05190,0\n2017.01.02,02:01,1.05209,1.05209,1.05177,1.05179,0\n",
    )
    assert bars.fingerprint() == read(tmp_path, HISTDATA).fingerprint()


@pytest.mark.parametrize("line", ["20170102 020000123,1.05155,1.05160,0\n", "20170102 020000;1.05155;0\n"])
def test_histdata_ticks_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ColumnError, match="as ticks have"):
        read(tmp_path, line * 3)


def test_btgyms_sine(tmp_path: Path) -> None:
    text = (
        "1_O;2_H;3_L;4_C;5_V\n"
        "20170101 000000;1.1;1.1000100000000002;1.09999;1.1000050000000001;0.0\n"
        "20170101 000100;1.100025;1.100035;1.100015;1.10003;0.0\n"
    )
    bars = read(tmp_path, text)
    assert table(bars)[1] == [1.1000100000000002, 1.100035]
    assert bars.timestamps[0] == utc("2017-01-01")
    # A high below the open by the noise of the last digit:
    read(tmp_path, text.replace("1.1000100000000002", "1.1000049999999999"))


def test_metatrader_5(tmp_path: Path) -> None:
    text = (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n"
        "2017.01.02\t02:00:00\t1.05\t1.06\t1.04\t1.05\t33\t7\t2\r\n"
    )
    for data in (
        text.encode(),
        text.encode("utf-16"),
        text.encode("utf-8-sig"),
        b"\xfe\xff" + text.encode("utf-16-be"),
    ):
        bars = read(tmp_path, data)
        assert bars.columns == ("open", "high", "low", "close", "volume", "tickvol", "spread")
        assert (bars.volume[0], bars.column("tickvol")[0]) == (7.0, 33.0)
    daily = read(
        tmp_path, text.replace("\t<TIME>", "").replace("\t02:00:00", "").replace("\t<VOL>", "").replace("\t7", "")
    )
    assert daily.volume[0] == 33.0
    assert daily.timestamps[0] == utc("2017-01-02")


YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2020-01-02,10.0,12.0,9.0,11.0,5.5,100
2020-01-03,null,null,null,null,null,null
2020-01-06,11.0,13.0,10.0,12.0,12.0,200
"""


def test_yahoo(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="the open is missing") as caught:
        read(tmp_path, YAHOO)
    assert caught.value.row == 3
    bars = read(tmp_path, YAHOO, repair="drop")
    assert bars.extras["adj_close"].tolist() == [5.5, 12.0]
    assert "Dropped 1 row, open missing (first: row 3)." in bars.notes


def test_yahoo_adjusted(tmp_path: Path) -> None:
    bars = read(tmp_path, YAHOO, repair="drop", adjust=True)
    assert table(bars) == [[5.0, 11.0], [6.0, 13.0], [4.5, 10.0], [5.5, 12.0], [100.0, 200.0]]
    rounded = read(tmp_path, YAHOO.replace("11.0,5.5", "11.0,1.6"), repair="drop", adjust=True)
    assert rounded.close[0] == 1.6 != 11.0 * (1.6 / 11.0)
    assert "adj_close" not in bars.columns
    with pytest.raises(ColumnError, match="adjust=True needs a column of adjusted closes"):
        read(tmp_path, HISTDATA, adjust=True)
    text = "Date,Open,High,Low,Close,Adj Close\n2020-01-02,1,2,1,2,2\n2020-01-03,1,2,1,2,{}\n"
    for adjusted in ("0", "-1", "inf"):
        with pytest.raises(PriceError, match=r"the adjusted close .* is no price") as caught:
            read(tmp_path, text.format(adjusted), adjust=True)
        assert (caught.value.row, caught.value.column) == (3, "adj_close")
    assert len(read(tmp_path, text.format("0"), adjust=True, repair="drop")) == 1


def test_yfinance_with_offsets(tmp_path: Path) -> None:
    text = (
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2020-03-06 00:00:00-05:00,1,2,1,2,3,0.0,0.0\n"
        "2020-03-09 00:00:00-04:00,1,2,1,2,3,0.5,0.0\n"
    )
    bars = read(tmp_path, text)
    assert bars.timestamps.tolist() == [utc("2020-03-06T05:00"), utc("2020-03-09T04:00")]
    assert bars.extras["dividends"].tolist() == [0.0, 0.5]
    with pytest.raises(TimestampError, match="leave tz out"):
        read(tmp_path, text, tz="America/New_York")


@pytest.mark.parametrize(
    "header",
    [
        "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n",
        ",Close,High,Low,Open,Volume\n,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n",
        "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL\nPrice,Close,High,Low,Open,Volume\nDate,,,,,\n",
        "Price,Close,High,Low,Open,Volume\nDate,,,,,\n",
    ],
)
def test_yfinance_with_several_lines_of_names(tmp_path: Path, header: str) -> None:
    bars = read(tmp_path, f"{header}2020-01-02,72.5,73,71,72,100\n2020-01-03,72.5,73,71,72,100\n")
    assert table(bars) == [[72.0] * 2, [73.0] * 2, [71.0] * 2, [72.5] * 2, [100.0] * 2]
    assert bars.timestamps[0] == utc("2020-01-02")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            "Price,Close,Close,High,High,Low,Low,Open,Open\nTicker,A,B,A,B,A,B,A,B\nDate,,,,,,,,\n",
            r"several assets \(A, B\): write a file for each",
        ),
        (
            "Ticker,A,A,A,A,B,B,B,B\nPrice,Open,High,Low,Close,Open,High,Low,Close\nDate,,,,,,,,\n",
            "2 columns are called 'Open'.*as when a file holds several assets",
        ),
    ],
)
def test_several_assets_in_one_file_are_refused(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(ColumnError, match=words):
        read(tmp_path, f"{header}2020-01-02,1,1,1,1,1,1,1,1\n")


def test_several_assets_one_below_the_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ColumnError, match=r"'Symbol' holds text that varies, 'A' and 'B'.*columns={'symbol': None}"
    ) as caught:
        read(
            tmp_path,
            "Date,Symbol,Open,High,Low,Close\n2020-01-02,A,1,2,1,2\n2020-01-03,A,1,2,1,2\n2020-01-02,B,1,2,1,2\n",
        )
    assert (caught.value.row, caught.value.column) == (4, "symbol")


def test_cryptodatadownload(tmp_path: Path) -> None:
    text = """https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount
1590000120000,2020-05-20 18:42:00,BTC/USDT,3,4,3,4,5,20,3
1590000060000,2020-05-20 18:41:00,BTC/USDT,1,2,1,2,5,10,3
"""
    with pytest.raises(TimestampError, match=r"newest to the oldest.*repair='sort'"):
        read(tmp_path, text)
    bars = read(tmp_path, text, repair="sort")
    assert table(bars)[0] == [1.0, 3.0]
    assert bars.columns[4:] == ("volume", "volume_usdt", "tradecount")
    assert bars.timestamps.tolist() == [1590000060 * 10**9, 1590000120 * 10**9]
    for words in ("Skipped 1 line above", "Left out 'date'", "'symbol', which is 'BTC/USDT'", "Sorted the rows"):
        assert any(words in note for note in bars.notes), words


def test_stooq(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL.US,5,20240102,093000,1,2,1,2,100,0\n"
        "AAPL.US,5,20240102,093500,1,2,1,2,100,0\n",
        tz="America/New_York",
    )
    assert bars.timestamps[0] == utc("2024-01-02T14:30")
    assert bars.columns[5:] == ("per", "openint")


def test_kibot(tmp_path: Path) -> None:
    bars = read(
        tmp_path, "01/12/2009,09:30,1,2,1,2,100\n01/13/2009,09:30,1,2,1,2,100\n", tz="US/Eastern", stamp="start"
    )
    assert bars.timestamps[0] == utc("2009-01-13T14:30")
    with pytest.raises(TimestampError, match="date_format="):
        read(tmp_path, "01/02/2009,09:30,1,2,1,2,100\n")
    bars = read(tmp_path, "01/02/2009,09:30,1,2,1,2,100\n", date_format="%m/%d/%Y %H:%M")
    assert bars.timestamps[0] == utc("2009-01-02T09:30")


def test_dukascopy(tmp_path: Path) -> None:
    text = (
        "{} time,Open,High,Low,Close,Volume\n31.12.2016 23:59:00.000{},1,2,1,2,3\n01.01.2017 00:00:00.000{},1,2,1,2,3\n"
    )
    assert read(tmp_path, text.format("Gmt", "", "")).timestamps[0] == utc("2016-12-31T23:59")
    assert read(tmp_path, text.format("Local", " GMT+0100", " GMT+0100")).timestamps[0] == utc("2016-12-31T22:59")


BINANCE = """1499040000000,1,2,1,2,50,1499040059999,99.5,308,17.5,28.5,0
1499040060000,1,2,1,2,50,1499040119999,99.5,308,17.5,28.5,0
"""


def test_binance(tmp_path: Path) -> None:
    names = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume"
    names += ",ignore\n"
    bars = read(tmp_path, BINANCE)
    assert bars.timestamps.tolist() == [utc("2017-07-03T00:01"), utc("2017-07-03T00:02")]
    assert bars.fingerprint() == read(tmp_path, names + BINANCE).fingerprint()
    assert read(tmp_path, names + BINANCE, stamp="end").timestamps[0] == utc("2017-07-03T00:00")
    micro = BINANCE.replace("0000,1,", "0000000,1,").replace("9999,99.5", "9999999,99.5")
    assert bars.fingerprint() == read(tmp_path, micro).fingerprint()


def test_nasdaq(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        "Date,Close/Last,Volume,Open,High,Low\n"
        '01/14/2020,$78.0,"121,456",$77.9,$1078.8,$77.3\n'
        '01/15/2020,$77.5,"1,121,000",$77.9,"$1,078.8",$77.3\n',
    )
    assert table(bars) == [[77.9, 77.9], [1078.8, 1078.8], [77.3, 77.3], [78.0, 77.5], [121456.0, 1121000.0]]


def test_investing(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Jan 02, 2020","1.1172","1.1213","1.1225","1.1163","152.3K","-0.37%"\n'
        '"Jan 03, 2020","1.1172","1.1213","1.1225","1.1163","1.5M","0.37%"\n',
    )
    assert table(bars)[3:] == [[1.1172] * 2, [152300.0, 1500000.0]]
    assert bars.extras["change"].tolist() == [-0.0037, 0.0037]


def test_alpha_vantage_and_tradingview(tmp_path: Path) -> None:
    bars = read(tmp_path, "timestamp,1. open,2. high,3. low,4. close,5. volume\n2020-01-02,1,2,1,2,3\n")
    assert bars.columns == ("open", "high", "low", "close", "volume")
    bars = read(
        tmp_path, "time,open,high,low,close,MA,MA,Volume\n1577923200,1,2,1,2,NaN,,3\n1577923260,1,2,1,2,1.5,1.5,3\n"
    )
    assert bars.columns[5:] == ("ma", "ma_2")
    assert np.isnan(bars.extras["ma"][0])


def test_interactive_brokers(tmp_path: Path) -> None:
    bars = read(
        tmp_path, "date,open,high,low,close,volume,average,barCount\n20231003 09:30:00 US/Eastern,1,2,1,2,3,1.5,7\n"
    )
    assert bars.timestamps[0] == utc("2023-10-03T13:30")
    assert bars.columns[5:] == ("average", "bar_count")
    assert read(tmp_path, "date,open,high,low,close\n20231003  09:30:00,1,2,1,2\n").timestamps[0] == utc(
        "2023-10-03T09:30"
    )


@pytest.mark.parametrize("volume", ["1.000", "1000", "1000,0"])
def test_decimal_commas(tmp_path: Path, volume: str) -> None:
    bars = read(
        tmp_path,
        f"Date;Open;High;Low;Close;Volume\n2020-01-02;1,05;1,06;1,04;1,05;{volume}\n2020-01-03;1,05;1,06;1,04;1,05;{volume}\n",
    )
    assert table(bars) == [[1.05] * 2, [1.06] * 2, [1.04] * 2, [1.05] * 2, [1000.0] * 2]
    assert "Numbers have decimal commas." in bars.notes


def test_a_comma_that_could_be_either_is_refused(tmp_path: Path) -> None:
    text = "Date;Open;High;Low;Close;Volume\n2020-01-02;1,050;1,060;1,040;1,050;{}\n"
    with pytest.raises(
        ColumnError, match="'1,050' may be a number with a thousands separator or with a decimal comma"
    ) as caught:
        read(tmp_path, text.format("1000"))
    assert (caught.value.row, caught.value.column) == (2, "open")
    assert read(tmp_path, text.format("10.5")).open[0] == 1050.0
    assert read(tmp_path, text.format("10,5")).open[0] == 1.05
    with pytest.raises(ColumnError, match="expected a number, got '1,05'"):
        read(tmp_path, "Date;Open;High;Low;Close\n2020-01-02;1.05;1.06;1.04;1.05\n2020-01-03;1,05;1,06;1,04;1,05\n")
    with pytest.raises(ColumnError, match=r"expected a number, got '1.5'") as caught:
        read(tmp_path, text.replace("1,050", "1,05").format("1.5"))
    assert caught.value.column == "volume"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_separators_and_line_ends(tmp_path: Path, separator: str, end: str, last: bool) -> None:
    lines = ["Date,Open,High,Low,Close,Volume", "2020-01-02,1.5,2,1,1.5,7", "2020-01-03,1.5,2,1,1.5,8"]
    text = end.join(line.replace(",", separator) for line in lines) + end * last
    assert table(read(tmp_path, text)) == [[1.5] * 2, [2.0] * 2, [1.0] * 2, [1.5] * 2, [7.0, 8.0]]


def test_what_lies_around_the_rows(tmp_path: Path) -> None:
    text = """

# a comment
Some Exchange, Inc.
 Date , Open ,High, Low,Close ,Volume,

2020-01-02 , 1.5,2 ,1, 1.5,7,
# another
   \t
,,,,,,
2020-01-03, "1.5",2,1,1.5 ,8,
"""
    bars = read(tmp_path, text)
    assert table(bars) == [[1.5] * 2, [2.0] * 2, [1.0] * 2, [1.5] * 2, [7.0, 8.0]]
    with pytest.raises(ColumnError, match="got 'x'") as caught:
        read(tmp_path, text.replace("8,", "x,"))
    assert caught.value.row == 11
    commented = read(tmp_path, "# Date Open\n#Date,Open,High,Low,Close\n2020-01-02,1,2,1,2\n")
    assert len(commented) == 1


def test_every_row_may_end_with_a_separator(tmp_path: Path) -> None:
    rows = "2020-01-02;1;2;1;2;7;\n2020-01-03;1;2;1;2;8;\n"
    for header in ("", "Date;Open;High;Low;Close;Volume\n", "Date;Open;High;Low;Close;Volume;\n"):
        assert table(read(tmp_path, header + rows))[4] == [7.0, 8.0]
    assert read(tmp_path, "Date;Open;High;Low;Close;\n2020-01-02;1;2;1;2\n").columns[:4] == (
        "open",
        "high",
        "low",
        "close",
    )


def test_foreign_names_are_asked_for(tmp_path: Path) -> None:
    text = "Datum;Hoch;Tief;Erster;Schluss\n2020-01-02;2;1;1;2\n"
    with pytest.raises(ColumnError, match="no column for open, high, low, close among 'Datum', 'Hoch'"):
        read(tmp_path, text)
    names = {"open": "Erster", "high": "Hoch", "low": "Tief", "close": "Schluss"}
    assert table(read(tmp_path, text, columns=names))[:4] == [[1.0], [2.0], [1.0], [2.0]]
    assert (
        read(tmp_path, text, columns={"open": 3, "high": 1, "low": 2, "close": 4}).fingerprint()
        == read(tmp_path, text, columns=names).fingerprint()
    )


@pytest.mark.parametrize("order", [(1, 4, 2, 3), (1, 3, 2, 4), (4, 2, 3, 1)])
def test_without_a_header_the_order_must_fit_the_prices(tmp_path: Path, order: tuple[int, ...]) -> None:
    rows = [[1.0, 1.6, 0.9, 1.5], [1.5, 1.7, 1.1, 1.2], [1.2, 1.2, 1.2, 1.2], [1.2, 1.3, 1.1, 1.1]]
    text = "".join(
        f"2020-01-{i + 2:02},{','.join(str(row[place - 1]) for place in order)}\n" for i, row in enumerate(rows)
    )
    if order[1:3] == (2, 3):
        assert len(read(tmp_path, text)) == 4  # open and close cannot be told apart
    else:
        with pytest.raises(ColumnError, match=r"does not fit the prices.*columns="):
            read(tmp_path, text)
        with pytest.raises(ColumnError, match="does not fit the prices"):
            read(tmp_path, text, repair="drop")


def test_a_bad_row_without_a_header_is_a_bad_row(tmp_path: Path) -> None:
    rows = ["2020-01-02,1,2,1,2", "2020-01-03,1,2,1,2", "2020-01-04,1,2,1,2", "2020-01-05,1,0.5,1,2"]
    with pytest.raises(PriceError, match=r"high 0.5 is below") as caught:
        read(tmp_path, "\n".join(rows))
    assert caught.value.row == 4


@pytest.mark.parametrize("mark", [".", ","])
def test_numbers_are_read_exactly(tmp_path: Path, mark: str) -> None:
    random = np.random.default_rng(0)
    closes = [*map(repr, random.uniform(1, 2, 500).tolist()), *(f"{x:.6f}" for x in random.uniform(1, 1e5, 500))]
    start = dt.datetime(2020, 1, 1)
    rows = [f"{start + dt.timedelta(minutes=i)};1.5;100000.5;0.5;{close}" for i, close in enumerate(closes)]
    bars = read(tmp_path, "\n".join(["Date;Open;High;Low;Close", *rows]).replace(".", mark))
    assert bars.close.tolist() == [float(close) for close in closes]


def test_nothing_here_is_read_wrongly_with_a_cell_changed(tmp_path: Path) -> None:
    """Whatever one cell of a good file becomes, the other cells stay what they are or the file is refused."""
    good = read(tmp_path, HISTDATA)
    for junk in ("", "x", "1,5", "-1", "0", "inf", "1e400", '"', "#", ";", "\n", "9" * 400, "NaN", "1.05.1"):
        for place in range(1, 6):
            cells = HISTDATA.splitlines()[1].split(";")
            cells[place] = junk
            text = HISTDATA.splitlines()[0] + "\n" + ";".join(cells) + "\n"
            try:
                bars = read(tmp_path, text)
            except DataError:
                continue
            assert table(bars)[place - 1][0] == table(good)[place - 1][0]
            assert len(bars) == 2


STAMPS = ["%Y%m%d %H%M%S", "%Y-%m-%dT%H:%M:%SZ", "%d-%b-%Y %H:%M:%S", "%Y.%m.%d %I:%M:%S %p", "%Y/%m/%d %H:%M:%S+0000"]
PRICES = st.decimals(min_value="0.0001", max_value=10**6, places=5)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    moments=st.lists(
        st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2060, 1, 1)), min_size=1, max_size=8, unique=True
    ),
    data=st.data(),
    stamp=st.sampled_from(STAMPS),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(["", '"']),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([".", ","]),
    names=st.permutations(["Date", "<OPEN>", "2. high", "LOW", "Last", "Vol.", "Adj Close"]),
)
def test_however_bars_are_written_the_same_bars_are_read(
    tmp_path: Path,
    moments: list[dt.datetime],
    data: st.DataObject,
    stamp: str,
    separator: str,
    quote: str,
    end: str,
    mark: str,
    names: list[str],
) -> None:
    moments = sorted({moment.replace(microsecond=0) for moment in moments})
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for moment in moments:
        low, *between, high = sorted(data.draw(st.lists(PRICES, min_size=4, max_size=4)))
        columns["Date"].append(moment.strftime(stamp))
        for name, price in zip(
            ("LOW", "<OPEN>", "Last", "2. high", "Adj Close"), (low, *between, high, low), strict=True
        ):
            columns[name].append(price)
        columns["Vol."].append(data.draw(st.integers(0, 10**12)))
    decimal = mark if separator != "," else "."
    lines = [names, *zip(*columns.values(), strict=True)]
    text = end.join(
        separator.join(
            f"{quote}{str(cell) if isinstance(cell, str) else str(cell).replace('.', decimal)}{quote}" for cell in line
        )
        for line in lines
    )
    bars = read(tmp_path, text)
    assert bars.timestamps.tolist() == [
        (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1) * 10**9 for moment in moments
    ]
    assert bars.columns == ("open", "high", "low", "close", "volume", "adj_close")
    for name, label in zip(bars.columns, ("<OPEN>", "2. high", "LOW", "Last", "Vol.", "Adj Close"), strict=True):
        assert bars.column(name).tolist() == [float(value) for value in columns[label]]
