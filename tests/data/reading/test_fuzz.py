"""Anything at all is read as valid bars or refused with an error that names it: nothing else, not even a warning."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import lzma
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars
from vecbt.errors import ConfigError, DataError, TimestampError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = [
    "20170102 020000;1.051550;1.051970;1.051550;1.051900;0\n20170102 020100;1.052090;1.052090;1.051770;1.051790;0\n",
    "1_O;2_H;3_L;4_C;5_V\n20170101 000000;1.1;1.2;1.0;1.1;0.0\n20170101 000100;1.1;1.2;1.0;1.1;0.0\n",
    "Date,Open,High,Low,Close,Adj Close,Volume\n"
    "2020-01-02,10,12,9,11,5.5,100\n2020-01-03,null,null,null,null,null,null\n",
    "Price,Close,High,Low,Open\nTicker,A,A,A,A\nDate,,,,\n2020-01-02,72.5,73,71,72\n2020-01-03,72.5,73,71,72\n",
    "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n2017.01.02\t02:00:00\t1.05\t1.06\t1.04\t1.05\t33\n",
    "https://x\nunix,date,symbol,open,high,low,close,Volume BTC\n"
    "1590000120000,2020-05-20 18:42:00,A,1,2,1,2,5\n1590000060000,2020-05-20 18:41:00,A,1,2,1,2,5\n",
    "1499040000000,1,2,1,2,50,1499040059999,99.5,308,17.5,28.5,0\n"
    "1499040060000,1,2,1,2,50,1499040119999,99.5,308,17.5,28.5,0\n",
    '"Date","Price","Open","High","Low","Vol.","Change %"\n'
    '"Jan 02, 2020","1,117.2","1,121.3","1,122.5","1,116.3","152.3K","-0.37%"\n',
    "Datum;Open;High;Low;Close;Volume\n"
    "13.01.2020 09:30;1,05;1,06;1,04;1,05;1.000\n14.01.2020 9:30;1,05;1,06;1,04;1,05;1.000\n",
    "01/12/2009,09:30,1,2,1,2,100\n01/13/2009,09:31,1,2,1,2,100\n",
    "date,open,high,low,close\n20231003 09:30:00 US/Eastern,1,2,1,2\n20231003 09:31:00 US/Eastern,1,2,1,2\n",
    "Date,Open,High,Low,Close\n2020-03-06 00:00:00-05:00,1,2,1,2\n2020-03-09 00:00:00-04:00,1,2,1,2\n",
]
# What files are made of, and what has broken readers of files.
PIECES = st.sampled_from(
    [",", ";", "\t", "|", "\n", "\r\n", "\r", '"', '""', "#", " ", "\u00a0", ".", ":", "-", "+", "Z", "T", "%", "$",
     "K", "0", "1.05", "-1", "1,234", "1e400", "nan", "null", "inf", "NaT", "9" * 25, "9" * 400, "20170102", "020000",
     "2020-01-02", "29/02/2019", "24:00", "2262-01-01", "1677-09-21", "1483322400", "Date", "Open", "high", "<LOW>",
     "Close", "Adj Close", "Volume", "Time", "open_time", "Ticker", "\x00", "\x1a", "é", "\ud7ff", "\u2028", "\x85",
     "\U0001f642", "\ufeff"]
)  # fmt: skip
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tz": st.sampled_from([None, "America/New_York", "UTC"]),
        "stamp": st.sampled_from([None, "start", "end"]),
        "repair": st.sampled_from([None, "drop", "sort", ("drop", "sort")]),
        "adjust": st.booleans(),
        "date_format": st.sampled_from([None, "%d/%m/%Y", "%Y%m%d %H%M%S", "%d.%m.%Y %H:%M"]),
        "columns": st.sampled_from(
            [None, {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4}, {"volume": None}, {"close": "Close"}]
        ),
    },
)
many = settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def assert_valid(bars: Bars) -> None:
    again = Bars.from_arrays(bars.timestamps, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.extras)
    assert len(bars) > 0
    assert again.timestamps.tolist() == bars.timestamps.tolist()
    assert all(isinstance(note, str) for note in bars.notes)
    assert repr(bars)


def read(source: Any, label: str, **options: Any) -> Bars | None:
    """Read bars; None if they are refused, which only an option or the data at ``label`` may be."""
    try:
        bars = read_bars(source, **options)
    except DataError as error:
        refused = error
    except ConfigError:
        assert options
        return None
    else:
        assert_valid(bars)
        assert bars.source == label
        return bars
    assert refused.source == label, refused
    assert str(refused).startswith(label)
    return None


def read_file(folder: Path, data: bytes, name: str = "x", **options: Any) -> Bars | None:
    path = folder / name
    path.write_bytes(data)
    return read(path, str(path), **options)


@many
@given(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"\xef\xbb\xbf"]
    ),
    st.sampled_from(["x.csv", "x.csv.gz", "x.parquet"]),
    OPTIONS,
)
def test_any_bytes(tmp_path: Path, data: bytes, magic: bytes, name: str, options: dict[str, Any]) -> None:
    read_file(tmp_path, magic + data, name, **options)


@many
@given(st.lists(PIECES, max_size=60).map("".join), OPTIONS)
def test_any_text_of_what_files_are_made_of(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    read_file(tmp_path, text.encode(), **options)


BYTES = st.binary(min_size=1, max_size=3) | PIECES.map(str.encode)
CODECS = st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "utf-7", "cp500", "latin-1"])
MARKS = st.sampled_from([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file in which bytes or lines are lost, doubled, moved, put in or written over; or in another encoding."""
    data = draw(st.sampled_from(FILES)).encode()
    for _ in range(draw(st.integers(1, 4))):
        lines = draw(st.booleans())
        parts: list[bytes] = data.splitlines(keepends=True) if lines else [data[i : i + 1] for i in range(len(data))]
        first, to = draw(st.integers(0, len(parts))), draw(st.integers(0, len(parts)))
        end = first + draw(st.integers(0, 2 if lines else 10))
        piece = parts[first:end]
        match draw(st.sampled_from(["lose", "double", "move", "write over", "put in", "cut off"])):
            case "lose":
                del parts[first:end]
            case "double":
                parts[to:to] = piece
            case "move":
                del parts[first:end]
                parts[to:to] = piece
            case "write over":
                parts[first:end] = [draw(BYTES)]
            case "put in":
                parts[to:to] = [draw(BYTES) * draw(st.sampled_from([1, 1, 500, 20_000]))]
            case "cut off":
                del parts[first:]
        data = b"".join(parts)
    match draw(st.sampled_from(["as it is", "as it is", "as it is", "encode", "mark"])):
        case "encode":
            return data.decode(errors="replace").encode(draw(CODECS), errors="replace")
        case "mark":
            return draw(MARKS) + data
    return data


@many
@given(mutated(), st.sampled_from([bytes, bytes, gzip.compress, bz2.compress, lzma.compress]), OPTIONS)
def test_good_files_with_something_changed(
    tmp_path: Path, data: bytes, pack: Callable[[bytes], bytes], options: dict[str, Any]
) -> None:
    read_file(tmp_path, pack(data), "x.csv", **options)


@many
@given(st.sampled_from(FILES), st.lists(st.integers(0, 40), max_size=8), OPTIONS)
def test_good_files_with_lines_moved_lost_and_doubled(
    tmp_path: Path, text: str, order: list[int], options: dict[str, Any]
) -> None:
    lines = text.splitlines(keepends=True)
    read_file(tmp_path, "".join(lines[i % len(lines)] for i in order).encode(), **options)


CHANGES = st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 255)), min_size=1, max_size=3)


def with_changes(data: bytes, changes: list[tuple[int, int]], keep: int = 0) -> bytes:
    """Bytes with some of them changed, but for the first ones."""
    changed = bytearray(data)
    for at, byte in changes:
        changed[keep + at % (len(data) - keep)] = byte
    return bytes(changed)


@many
@given(st.sampled_from(FILES), st.sampled_from([gzip.compress, bz2.compress, lzma.compress]), CHANGES)
def test_packed_files_with_bytes_changed(
    tmp_path: Path, text: str, pack: Callable[[bytes], bytes], changes: list[tuple[int, int]]
) -> None:
    read_file(tmp_path, with_changes(pack(text.encode()), changes), "x.csv.gz")


needs_pyarrow = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")


@needs_pyarrow
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(CHANGES, st.integers(0, 200))
def test_parquet_files_with_bytes_changed(tmp_path: Path, changes: list[tuple[int, int]], lost: int) -> None:
    good = pd.DataFrame({"Open": [1.0], "High": [2.0], "Low": [1.0], "Close": [2.0]}, pd.DatetimeIndex(["2020-01-02"]))
    file = io.BytesIO()
    good.to_parquet(file)
    data = with_changes(file.getvalue(), changes, keep=4)
    read_file(tmp_path, data[: len(data) - lost], "x.parquet")


CELLS = st.one_of(
    st.floats(), st.integers(-(10**20), 10**20), st.text(max_size=8), st.none(), st.booleans(), st.datetimes(),
    st.dates(), st.timedeltas(), st.decimals(), st.complex_numbers(), st.binary(max_size=4), st.just(pd.NaT),
    st.just(pd.NA), st.lists(st.integers(), max_size=2), st.sampled_from([1.0, 1.5, "1,5", "2020-01-02", 1577923200]),
)  # fmt: skip
NAMES = st.sampled_from(
    ["Open", "High", "Low", "Close", "Volume", "Adj Close", "Date", "time", "open_time", "x", "", "return", 0, 1, None,
     ("a", "b")]
)  # fmt: skip


@many
@given(st.data(), st.integers(0, 4), OPTIONS)
def test_any_frame(data: st.DataObject, rows: int, options: dict[str, Any]) -> None:
    names = data.draw(st.lists(NAMES, max_size=8)) + data.draw(st.sampled_from([[], ["Open", "High", "Low", "Close"]]))
    columns = []
    for _ in names:
        column = np.empty(rows, object)
        for i in range(rows):
            column[i] = data.draw(CELLS)
        columns.append(pd.Series(column, dtype=object))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(rows))
    frame.columns = pd.Index(names, tupleize_cols=False)
    if data.draw(st.booleans()):
        frame.index = pd.date_range("2020-01-02", periods=len(frame), tz=data.draw(st.sampled_from([None, "UTC"])))
    read(frame, "DataFrame", **options)


COLUMNS: dict[str, Callable[[int], Any]] = {
    "float32": lambda rows: np.ones(rows, np.float32),
    "int8": lambda rows: np.ones(rows, np.int8),
    "uint64": lambda rows: np.full(rows, (1 << 64) - 1, np.uint64),
    "bool": lambda rows: np.ones(rows, np.bool_),
    "complex": lambda rows: np.ones(rows, np.complex128),
    "longdouble": lambda rows: np.ones(rows, np.longdouble),
    "Int64": lambda rows: pd.array([1, None, 2, 3][:rows], dtype="Int64"),
    "boolean": lambda rows: pd.array([True, None, False, True][:rows], dtype="boolean"),
    "string": lambda rows: pd.array(["1.5", None, "2020-01-02", "x"][:rows], dtype="string"),
    "category": lambda rows: pd.Categorical(["1.5", "2.5", None, "x"][:rows]),
    "seconds": lambda rows: np.array(["2020-01-02", "9999-12-31", "1500-01-01", "NaT"][:rows], "M8[s]"),
    "nanoseconds": lambda rows: pd.date_range("2020-01-02", periods=rows),
    "zone": lambda rows: pd.date_range("2020-01-02", periods=rows, tz="America/New_York"),
    "timedelta": lambda rows: pd.timedelta_range("1h", periods=rows),
    "period": lambda rows: pd.period_range("2020-01", periods=rows, freq="M"),
    "interval": lambda rows: pd.interval_range(0, rows),
    "sparse": lambda rows: pd.arrays.SparseArray(np.ones(rows)),
}


@st.composite
def typed_frames(draw: st.DrawFn) -> pd.DataFrame:
    """A frame whose columns and whose index are of some of the many types that pandas has."""
    rows = draw(st.integers(1, 4))
    types = st.sampled_from(sorted(COLUMNS))
    columns: dict[str, Any] = dict.fromkeys(("Open", "High", "Low", "Close"), np.ones(rows))
    for name in draw(st.lists(st.sampled_from(["Open", "Close", "Volume", "Date", "x"]), max_size=3)):
        columns[name] = COLUMNS[draw(types)](rows)
    frame = pd.DataFrame(columns, index=range(rows))
    if draw(st.booleans()):
        frame.index = pd.Index(COLUMNS[draw(types)](rows), name=draw(st.sampled_from([None, "Date", "x"])))
    return frame


@many
@given(typed_frames(), OPTIONS)
def test_frames_of_many_types(frame: pd.DataFrame, options: dict[str, Any]) -> None:
    read(frame, "DataFrame", **options)


@needs_pyarrow
@settings(parent=many, max_examples=100)
@given(typed_frames(), OPTIONS)
def test_parquet_files_of_many_types(tmp_path: Path, frame: pd.DataFrame, options: dict[str, Any]) -> None:
    try:
        frame.to_parquet(tmp_path / "x.parquet")
    except Exception:
        return  # a type that Parquet does not have
    read(tmp_path / "x.parquet", str(tmp_path / "x.parquet"), **options)


@many
@given(st.lists(st.sampled_from(FILES), min_size=1, max_size=3), OPTIONS)
def test_any_files_together(tmp_path: Path, texts: list[str], options: dict[str, Any]) -> None:
    paths = []
    for i, text in enumerate(texts):
        paths.append(tmp_path / f"{i}.csv")
        paths[-1].write_text(text)
    names = [str(path) for path in paths]
    try:
        bars = read_bars(paths, **options)
    except DataError as error:
        refused = error
    except ConfigError:
        assert options
        return
    else:
        assert_valid(bars)
        assert bars.source == ", ".join(names)
        return
    assert refused.source in {*names, ", ".join(names)}


def test_an_error_about_periods_says_where_they_are() -> None:
    frame = pd.DataFrame({name: [1.0] for name in ("Open", "High", "Low", "Close")})
    frame["Date"] = COLUMNS["period"](1)
    with pytest.raises(TimestampError, match=r"^DataFrame, column 'time': periods are no times"):
        read_bars(frame)


@pytest.mark.parametrize("text", FILES)
def test_the_files_are_good(tmp_path: Path, text: str) -> None:
    assert read_file(tmp_path, text.encode(), repair=("drop", "sort")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Date,Open,High,Low,Close\n2020-01-02,1,2,1," + "9" * 10**6 + "\n",
        "Date,Open,High,Low,Close\n" + " " * 10**6 + "2020-01-02,1,2,1,2\n",
        "Date,Open,High,Low,Close\n2020-01-02,1,2,1,-" + " " * 10**5 + "x\n",
        "," * 10**5 + "\n",
        '"' * 10**5 + "\n",
        "\n" * 10**6,
        "#" * 10**6,
        "Date,Open,High,Low,Close\n" + "\n".join(f"{'x' * (i % 40)}{i},1,2,1,2" for i in range(20_000)) + "\n",
        "Date,Open,High,Low,Close\n"
        + "\n".join(f"2020-01-02,{i},2,1,2,{'7,' * (i % 50)}" for i in range(20_000))
        + "\n",
    ],
)
def test_what_could_take_forever_does_not(tmp_path: Path, text: str) -> None:
    read_file(tmp_path, text.encode())
    read_file(tmp_path, text.encode(), repair=("drop", "sort"))
