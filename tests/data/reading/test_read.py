"""read_bars: sources, packed files, several files, options, and what it says when a file is no good."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import lzma
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from vecbt.data.reading.files import stem
from vecbt.data.reading.read import read_bars
from vecbt.errors import (
    ColumnError,
    ConfigError,
    DataFileError,
    MissingExtraError,
    PriceError,
    TimestampError,
    TooFewBarsError,
    UnknownNameError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecbt.data.bars import Bars

HEADER = "Date,Open,High,Low,Close,Volume\n"
ROWS = ["2020-01-02,1,2,1,2,5\n", "2020-01-03,2,3,2,3,6\n", "2020-01-06,3,4,3,4,7\n"]
TEXT = HEADER + "".join(ROWS)
DAY = 86_400 * 10**9


def write(path: Path, data: str | bytes = TEXT) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def days(bars: Bars) -> list[str]:
    return bars.timestamps.astype("M8[ns]").astype("M8[D]").astype(str).tolist()


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_dot_", ".").replace("_slash_", "/"), text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, lambda data: zipped(a_dot_txt=data.decode())]
)
@pytest.mark.parametrize("name", ["EURUSD.csv", "EURUSD", "EURUSD.parquet"])
def test_the_content_tells_how_a_file_is_packed(tmp_path: Path, pack: Callable[[bytes], bytes], name: str) -> None:
    bars = read_bars(write(tmp_path / name, pack(TEXT.encode())))
    assert bars.close.tolist() == [2.0, 3.0, 4.0]
    assert bars.name == "EURUSD"


def test_paths_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (path, str(path), "x.csv", "~/x.csv"):
        assert len(read_bars(source)) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EURUSD.csv.gz", "EURUSD"),
        ("a.b.csv", "a.b"),
        ("x", "x"),
        ("x.ZIP", "x"),
        ("DAT_M1.csv", "DAT_M1"),
        (".gz", ".gz"),
    ],
)
def test_stem(name: str, expected: str) -> None:
    assert stem(Path("folder.d") / name) == expected


def test_bars_are_returned_as_they_are(tmp_path: Path) -> None:
    bars = read_bars(write(tmp_path / "x.csv"))
    assert read_bars(bars) is bars
    for options in (
        {"tz": "UTC"},
        {"stamp": "end"},
        {"columns": {"open": 1}},
        {"adjust": True},
        {"repair": "sort"},
        {"date_format": "%Y"},
    ):
        with pytest.raises(ConfigError, match="options are for reading"):
            read_bars(bars, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source", [None, 5, b"x.csv", {"EURUSD": "x.csv"}, np.ones((3, 5)), pd.Series([1.0]), io.StringIO(TEXT), [5]]
)
def test_sources_that_are_none(source: object) -> None:
    with pytest.raises(ConfigError, match="expected a path, a pandas DataFrame, or a list of these, got"):
        read_bars(source)  # type: ignore[arg-type]


def test_a_frame_of_another_library_is_told_apart() -> None:
    class DataFrame:
        def to_pandas(self) -> None: ...

    with pytest.raises(ConfigError, match=r"got .*DataFrame: call its to_pandas\(\)"):
        read_bars(DataFrame())  # type: ignore[arg-type]


def test_several_files_one_after_another(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.csv", HEADER + row) for i, row in enumerate(ROWS)]
    for source in (paths, tuple(map(str, paths)), [paths[0], pd.read_csv(paths[1]), paths[2]]):
        bars = read_bars(source)  # type: ignore[arg-type]
        assert bars.fingerprint() == read_bars(write(tmp_path / "all.csv")).fingerprint()
        assert bars.name == "0"
    assert read_bars(paths).source == ", ".join(map(str, paths))
    assert read_bars([paths[0]]).name == "0"
    with pytest.raises(ConfigError, match="an empty list"):
        read_bars([])


def test_several_files_must_fit_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.csv", HEADER + row) for i, row in enumerate(ROWS)]
    with pytest.raises(TimestampError, match="2020-01-02 00:00:00 comes after 2020-01-06") as caught:
        read_bars([paths[1], paths[2], paths[0]])
    assert (caught.value.source, caught.value.row) == (str(paths[0]), 2)
    with pytest.raises(TimestampError, match="occurs a second time") as caught:
        read_bars([paths[0], paths[1], paths[1]])
    assert (caught.value.source, caught.value.row) == (str(paths[1]), 2)
    assert days(read_bars(paths[::-1], repair="sort")) == ["2020-01-02", "2020-01-03", "2020-01-06"]
    bars = read_bars([*paths, paths[0]], repair=["sort", "drop"])
    assert len(bars) == 3
    assert any("row 2 of" in note and "0.csv" in note for note in bars.notes)
    other = write(tmp_path / "other.csv", "Date,Open,High,Low,Close,Spread\n2020-01-07,1,2,1,2,5\n")
    with pytest.raises(ColumnError, match=r"not those of .*0.csv: only one of the two has spread, volume") as caught:
        read_bars([paths[0], other])
    assert caught.value.source == str(other)
    starts = write(tmp_path / "starts.csv", HEADER.replace("Date", "open_time") + "2020-01-07,1,2,1,2,5\n")
    with pytest.raises(TimestampError, match="say which, stamp='start' or 'end'"):
        read_bars([paths[0], starts])
    with pytest.raises(TimestampError, match="say which"):
        read_bars([starts, paths[0]])


def test_notes_of_several_files_name_the_file(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", HEADER + ROWS[0])
    second = write(tmp_path / "b.csv", "banner\n" + HEADER + ROWS[1])
    notes = read_bars([first, second]).notes
    assert f"{second}: Skipped 1 line above, 'banner'." in notes
    assert sum("separated by commas" in note for note in notes) == 1


def test_stamps_that_are_starts(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv")
    assert days(read_bars(path, stamp="start")) == ["2020-01-03", "2020-01-04", "2020-01-07"]
    assert days(read_bars(path)) == days(read_bars(path, stamp="end")) == ["2020-01-02", "2020-01-03", "2020-01-06"]
    assert read_bars(path, stamp="start").interval == DAY
    named = write(tmp_path / "y.csv", TEXT.replace("Date", "Open Time"))
    assert days(read_bars(named)) == days(read_bars(path, stamp="start"))
    assert days(read_bars(named, stamp="end")) == days(read_bars(path))
    assert any("moved by 1 d to the ends" in note for note in read_bars(named).notes)
    with pytest.raises(TooFewBarsError, match="which one bar lacks"):
        read_bars(write(tmp_path / "z.csv", HEADER + ROWS[0]), stamp="start")
    late = pd.DataFrame({"Open": [1, 1], "High": 2, "Low": 1, "Close": 2}, pd.to_datetime(["1970-01-01", "2261-12-31"]))
    with pytest.raises(TimestampError, match="after 2262"):
        read_bars(late, stamp="start")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tz": "Mars"}, ConfigError, "tz: expected a time zone"),
        ({"stamp": "begin"}, UnknownNameError, "unknown stamp 'begin'"),
        ({"repair": "dorp"}, UnknownNameError, "unknown repair 'dorp': did you mean 'drop'"),
        ({"repair": ["sort", "fill"]}, UnknownNameError, "unknown repair 'fill'"),
        ({"columns": ["open"]}, ConfigError, "columns: expected a mapping"),
        ({"date_format": "mixed"}, ConfigError, "date_format"),
    ],
)
def test_invalid_options(tmp_path: Path, options: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_bars(write(tmp_path / "x.csv"), **options)  # type: ignore[arg-type]


def test_missing_files(tmp_path: Path) -> None:
    path = write(tmp_path / "EURUSD.csv")
    with pytest.raises(DataFileError, match=r"no such file: did you mean '.*EURUSD.csv'\?") as caught:
        read_bars(tmp_path / "EURSUD.csv")
    assert caught.value.source == str(tmp_path / "EURSUD.csv")
    with pytest.raises(DataFileError, match=r"no such file$"):
        read_bars(tmp_path / "1234567890")
    with pytest.raises(DataFileError, match=r"no folder '.*nowhere'"):
        read_bars(tmp_path / "nowhere" / "EURUSD.csv")
    with pytest.raises(DataFileError, match="this is a folder: expected a file, or a list of files"):
        read_bars(tmp_path)
    with pytest.raises(DataFileError, match="no regular file"):
        read_bars("/dev/null")
    with pytest.raises(DataFileError):
        read_bars(path / "x")
    with pytest.raises(DataFileError):
        read_bars("x\0.csv")
    with pytest.raises(DataFileError):
        read_bars("x" * 5000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b" \n\r\n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        ("\t\u00a0".encode(), "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (HEADER.encode(), "a header but no rows"),
        (HEADER.encode() + b"# none\n,,,,,\n", "a header but no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "other bytes"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "binary data"),
        (b"Date,Open\xff\xfe", "other bytes"),
        (TEXT.encode("utf-16-le"), "binary data"),
        (b"\xff\xfe\x00", "other bytes"),
        (b"<!DOCTYPE html>\n<html>", "got a web page"),
        (b'{"open": [1, 2]}', "got JSON"),
        (b"hello\nworld\n", "expected rows of time, open, high, low and close; the first line is 'hello'"),
        (b"2017-01-02 02:00 1 2 1 2\n", "the first line is"),
        (b"\x1f\x8b\x08rubbish", "begins as a gzip file, but cannot be unpacked"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-12], "begins as a gzip file"),
        (bz2.compress(TEXT.encode())[:-5], "begins as a bzip2 file"),
        (lzma.compress(TEXT.encode())[:-5], "begins as a xz file"),
        (b"PK\x03\x04rubbish", "begins as a zip archive"),
        (zipped(a_dot_csv=TEXT)[:60], "begins as a zip archive"),
        (zipped(a_dot_csv=TEXT, b_dot_csv=TEXT), "an archive with one CSV file, this one holds a.csv, b.csv"),
        (zipped(a_dot_txt=TEXT, b_dot_txt=TEXT), "holds a.txt, b.txt"),
        (zipped(x_slash_=""), "holds nothing"),
    ],
)  # fmt: skip
def test_files_without_a_table(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(DataFileError, match=words) as caught:
        read_bars(write(tmp_path / "x.csv", data))
    assert caught.value.source == str(tmp_path / "x.csv")


def test_archives(tmp_path: Path) -> None:
    archive = zipped(readme_dot_txt="about", data_slash_x_dot_CSV=TEXT, __MACOSX_slash_x_dot_csv="junk")
    assert len(read_bars(write(tmp_path / "x.zip", archive))) == 3
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as book:
        book.writestr("[Content_Types].xml", "<x/>")
    with pytest.raises(DataFileError, match="Office document: save the sheet as CSV"):
        read_bars(write(tmp_path / "x.xlsx", buffer.getvalue()))


@pytest.mark.parametrize(
    ("row", "error", "words", "column"),
    [
        ("2020-01-07,3,4,3,4\n", ColumnError, "expected 6 cells, as the header has names, got 5", None),
        ("2020-01-07,3,4,3,4,5,6\n", ColumnError, "expected 6 cells.*got 7", None),
        ("2020-01-32,3,4,3,4,5\n", TimestampError, "'2020-01-32' is no date that can be read", "time"),
        (",3,4,3,4,5\n", TimestampError, "the time is missing", "time"),
        ("2020-01-07,3,four,3,4,5\n", ColumnError, "expected a number, got 'four'", "high"),
        ("2020-01-07,3,,3,4,5\n", PriceError, "the high is missing", "high"),
        ("2020-01-07,3,inf,3,4,5\n", PriceError, "the high is inf", "high"),
        ("2020-01-07,3,2,3,4,5\n", PriceError, "the high 2.0 is below the low 3.0", "high"),
        ("2020-01-07,3,4,3,4,-5\n", ColumnError, "the volume -5.0 is not finite and >= 0", "volume"),
        ("2020-01-07,3,4,3,4,\n", ColumnError, "the volume is missing", "volume"),
        ("2020-01-05,3,4,3,4,5\n", TimestampError, "2020-01-05 00:00:00 comes after 2020-01-06", "time"),
        ("2020-01-06,3,4,3,4,5\n", TimestampError, "2020-01-06 00:00:00 UTC occurs a second time", "time"),
        ('2020-01-07,"3,4,3,4,5\n', ColumnError, "quotes do not match", None),
    ],
)
def test_what_is_wrong_with_a_row_and_where(
    tmp_path: Path, row: str, error: type[Exception], words: str, column: str | None
) -> None:
    path = write(tmp_path / "x.csv", f"banner\n\n{TEXT}{row}")
    with pytest.raises(error, match=words) as caught:
        read_bars(path)
    assert (caught.value.source, caught.value.row, caught.value.column) == (str(path), 7, column)  # type: ignore[attr-defined]
    assert str(caught.value).startswith(f"{path}, row 7")


def test_quotes_across_lines_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", TEXT + '2020-01-07,3,4,3,4,"5\n2020-01-08,3,4,3,4,5"\n')
    with pytest.raises(ColumnError, match="quotes do not match") as caught:
        read_bars(path)
    assert caught.value.row == 5
    assert len(read_bars(path, repair="drop")) == 3
    with pytest.raises(ColumnError, match="quotes do not match"):
        read_bars(write(path, TEXT + '2020-01-07,3,4,3" , "4,5\n'))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_parquet(tmp_path: Path) -> None:
    frame = pd.read_csv(io.StringIO(TEXT), parse_dates=["Date"])
    for name, table in (("a.parquet", frame), ("b.csv", frame.set_index("Date"))):
        table.to_parquet(tmp_path / name)
        bars = read_bars(tmp_path / name)
        assert bars.fingerprint() == read_bars(write(tmp_path / "x.csv")).fingerprint()
        assert bars.source == str(tmp_path / name)
    frame["High"] = [2.0, 0.5, 4.0]
    frame.to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(PriceError) as caught:
        read_bars(tmp_path / "bad.parquet")
    assert caught.value.row == 1
    with pytest.raises(DataFileError, match="begins as a Parquet file, but cannot be read"):
        read_bars(write(tmp_path / "cut.parquet", (tmp_path / "a.parquet").read_bytes()[:200]))


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'reading Parquet needs pyarrow, .*pip install "vecbt\[parquet\]"'):
        read_bars(write(tmp_path / "x.parquet", b"PAR1"))


def test_columns_and_extras(tmp_path: Path) -> None:
    text = (
        "Date,Open,High,Low,Close,Spread (pips),Ticker,Empty,Up\n"
        "2020-01-02,1,2,1,2,,EURUSD,,True\n"
        "2020-01-03,1,2,1,2,0.5,EURUSD,,False\n"
    )
    bars = read_bars(write(tmp_path / "x.csv", text))
    assert bars.columns == ("open", "high", "low", "close", "volume", "spread_pips", "up")
    assert not bars.has_volume
    assert bars.extras["up"].tolist() == [1.0, 0.0]
    assert "Left out 'Ticker', which is 'EURUSD' in every row." in bars.notes
    assert "Left out 'Empty', which is empty." in bars.notes
    with pytest.raises(ColumnError, match="with values before it") as caught:
        read_bars(write(tmp_path / "x.csv", text + "2020-01-04,1,2,1,2,,EURUSD,,True\n"))
    assert (caught.value.row, caught.value.column) == (4, "spread_pips")
    bars = read_bars(tmp_path / "x.csv", columns={"spread_pips": None})
    assert bars.columns[5:] == ("up",)
    with pytest.raises(ColumnError, match="expected a number, got 'x'") as caught:
        read_bars(
            write(tmp_path / "x.csv", text + "2020-01-04,1,2,1,2,0.5,EURUSD,,True\n2020-01-05,1,2,1,2,x,EURUSD,,True\n")
        )
    assert (caught.value.row, caught.value.column) == (5, "spread_pips")


def test_an_empty_volume_is_none(tmp_path: Path) -> None:
    bars = read_bars(write(tmp_path / "x.csv", HEADER + "2020-01-02,1,2,1,2,\n2020-01-03,1,2,1,2,\n"))
    assert not bars.has_volume
    assert bars.volume.tolist() == [0.0, 0.0]
    zero = read_bars(write(tmp_path / "x.csv", HEADER + "2020-01-02,1,2,1,2,0\n"))
    assert zero.has_volume
    assert "The volume is 0 in every row." in zero.notes


def test_errors_in_read_files_point_to_the_remedy_that_works(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", HEADER + "2020-01-02,1,2,1,2,5\n2020-01-03,9,2,1,2,5\n2020-01-01,1,2,1,2,5\n")
    with pytest.raises(PriceError, match="repair='drop'"):
        read_bars(path)
    with pytest.raises(TimestampError, match="repair='sort'"):
        read_bars(path, repair="drop")
    assert days(read_bars(path, repair={"drop", "sort"})) == ["2020-01-01", "2020-01-02"]
