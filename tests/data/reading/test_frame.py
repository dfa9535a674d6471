"""DataFrames: indexes, types of columns, several levels of names."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from vecbt.data.reading.read import read_bars
from vecbt.errors import ColumnError, DataFileError, PriceError, TimestampError

DAYS = pd.DatetimeIndex(["2020-01-02", "2020-01-03", "2020-01-06"])


def frame(**changes: object) -> pd.DataFrame:
    columns = {
        "Open": [1.0, 2.0, 3.0],
        "High": [2.0, 3.0, 4.0],
        "Low": [1.0, 2.0, 3.0],
        "Close": [2.0, 3.0, 4.0],
        "Volume": [5, 6, 7],
    }
    return pd.DataFrame({**columns, **changes}, index=DAYS)


EXPECTED = read_bars(frame()).fingerprint()


def test_what_is_read_is_a_copy() -> None:
    source = frame()
    bars = read_bars(source)
    source.iloc[:, :] = 9.0
    assert bars.open.tolist() == [1.0, 2.0, 3.0]
    assert bars.open.flags.c_contiguous
    assert (bars.name, bars.source) == ("DataFrame", "DataFrame")
    before = frame()
    read_bars(before, stamp="start", repair=["sort", "drop"])
    pd.testing.assert_frame_equal(before, frame())


@pytest.mark.parametrize(
    "index",
    [
        DAYS,
        DAYS.rename("Date"),
        DAYS.rename("whatever"),
        DAYS.as_unit("s"),
        DAYS.tz_localize("UTC"),
        DAYS.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        pd.Index([day.date() for day in DAYS]),
        pd.Index([str(day.date()) for day in DAYS], name="Date"),
        pd.Index(DAYS.astype("datetime64[s]").astype(np.int64)),
        pd.MultiIndex.from_product([["AAPL"], DAYS], names=["symbol", "timestamp"]),
        pd.MultiIndex.from_product([DAYS, ["AAPL"]]),
    ],
)
def test_the_time_in_the_index(index: pd.Index) -> None:
    assert read_bars(frame().set_index(index)).fingerprint() == EXPECTED


@pytest.mark.parametrize(
    "cells",
    [
        DAYS,
        DAYS.tz_localize("UTC"),
        [str(day) for day in DAYS],
        [day.date() for day in DAYS],
        [20200102, 20200103, 20200106],
        [20200102.0, 20200103.0, 20200106.0],
        pd.array([20200102, 20200103, 20200106], dtype="Int64"),
        [int(day.timestamp()) for day in DAYS],
        [day.timestamp() for day in DAYS],
        pd.Categorical([str(day.date()) for day in DAYS]),
    ],
)
def test_the_time_in_a_column(cells: object) -> None:
    for source in (frame(Date=cells).reset_index(drop=True), frame(Date=cells).set_axis([7, 3, 5])):
        assert read_bars(source).fingerprint() == EXPECTED


def test_date_and_time_of_day_in_columns() -> None:
    columns = {"Date": DAYS[[0, 0, 0]], "Time": [dt.time(9, 30), dt.time(9, 31), dt.time(9, 32)]}
    bars = read_bars(frame(**columns).reset_index(drop=True))
    assert bars.timestamps[0] == pd.Timestamp("2020-01-02 09:30").value
    assert bars.interval == 60 * 10**9


def test_a_datetime_index_goes_before_columns_of_times() -> None:
    bars = read_bars(frame(timestamp=[1, 2, 3], hour=[9, 10, 11], date=DAYS[::-1]))
    assert bars.fingerprint() != EXPECTED
    assert bars.timestamps.tolist() == read_bars(frame()).timestamps.tolist()
    assert bars.columns[5:] == ("timestamp", "hour")


def test_summer_time_in_an_aware_index_is_fine() -> None:
    index = pd.DatetimeIndex(["2020-03-06", "2020-03-09", "2020-03-10"]).tz_localize("America/New_York")
    assert read_bars(frame().set_index(index)).timestamps.tolist() == [stamp.value for stamp in index]


@pytest.mark.parametrize(
    "cells",
    [
        np.array([1, 2, 3], np.int8),
        np.array([1, 2, 3], np.float32),
        np.array([1, 2, 3], ">f8"),
        pd.array([1, 2, 3], dtype="Int64"),
        pd.array([1, 2, 3], dtype="Float64"),
        pd.arrays.SparseArray([1.0, 2.0, 3.0]),
        pd.Categorical([1, 2, 3]),
        [Decimal(1), Decimal(2), Decimal(3)],
        ["1", "2.0", " 3 "],
        np.array([1, 2, 3], object),
    ],
)
def test_numbers_of_any_type(cells: object) -> None:
    assert read_bars(frame(Open=cells)).fingerprint() == EXPECTED


@pytest.mark.skipif(not hasattr(pd, "ArrowDtype"), reason="needs pandas with Arrow types")
def test_arrow_types() -> None:
    pytest.importorskip("pyarrow")
    assert read_bars(frame().convert_dtypes(dtype_backend="pyarrow")).fingerprint() == EXPECTED
    source = (
        frame(Date=[str(day.date()) for day in DAYS]).reset_index(drop=True).convert_dtypes(dtype_backend="pyarrow")
    )
    assert read_bars(source).fingerprint() == EXPECTED


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, "", "null"])
def test_missing_numbers(missing: object) -> None:
    cells = np.array([1.0, missing, 3.0], object)
    with pytest.raises(PriceError, match="the open is missing") as caught:
        read_bars(frame(Open=cells))
    assert (caught.value.row, caught.value.source) == (1, "DataFrame")
    with pytest.raises(PriceError, match="the open is missing"):
        read_bars(frame(Open=pd.array([1, None, 3], dtype="Int64")))


def test_a_missing_time() -> None:
    with pytest.raises(TimestampError, match=r"the time is missing|no date") as caught:
        read_bars(frame().set_index(pd.DatetimeIndex(["2020-01-02", None, "2020-01-06"])))
    assert caught.value.row == 1


@pytest.mark.parametrize(
    "cells",
    [["x", "y", "z"], [[1], [2], [3]], [{1}, {2}, {3}], [1j, 2j, 3j], [b"1", b"2", b"3"], pd.to_timedelta([1, 2, 3])],
)
def test_what_is_no_number(cells: object) -> None:
    with pytest.raises(ColumnError, match="expected a number, got") as caught:
        read_bars(frame(Open=cells))
    assert (caught.value.row, caught.value.column) == (0, "open")
    with pytest.raises(ColumnError, match="text that varies"):
        read_bars(frame(extra=cells))


def test_texts_that_are_the_same_in_every_row_are_left_out() -> None:
    for cells in (["x"] * 3, ["x", None, "x"], pd.Categorical(["x"] * 3), pd.array(["x"] * 3, dtype="string")):
        bars = read_bars(frame(ticker=cells))
        assert bars.fingerprint() == EXPECTED
        assert "Left out 'ticker', which is 'x' in every row." in bars.notes


@pytest.mark.parametrize("levels", [["Price", "Ticker"], ["Ticker", "Price"], [None, None]])
def test_several_levels_of_names(levels: list[str | None]) -> None:
    one = pd.concat({"AAPL": frame()}, axis=1, names=levels[::-1])
    assert read_bars(one).fingerprint() == EXPECTED
    assert read_bars(one.swaplevel(axis=1)).fingerprint() == EXPECTED
    two = pd.concat({"AAPL": frame(), "MSFT": frame()}, axis=1, names=levels[::-1])
    with pytest.raises(
        ColumnError, match=r"several assets \(AAPL, MSFT\): choose one, frame.xs\('AAPL', axis=1, level=0\)"
    ):
        read_bars(two)
    assert read_bars(two.xs("AAPL", axis=1, level=0)).fingerprint() == EXPECTED
    with pytest.raises(ColumnError, match="no level of the frame's columns names the prices"):
        read_bars(pd.concat({"AAPL": pd.DataFrame({"a": [1.0]})}, axis=1))


def test_several_assets_in_the_index_are_refused() -> None:
    index = pd.MultiIndex.from_arrays([["AAPL", "AAPL", "MSFT"], DAYS], names=["symbol", "timestamp"])
    with pytest.raises(ColumnError, match="'symbol' holds text that varies, 'AAPL' and 'MSFT'"):
        read_bars(frame().set_index(index))


def test_columns_by_position_do_not_count_the_index() -> None:
    source = frame().set_axis(range(5), axis=1)
    bars = read_bars(source, columns={"open": 0, "high": 1, "low": 2, "close": 3, "volume": 4})
    assert bars.fingerprint() == EXPECTED
    with pytest.raises(ColumnError, match="no column for open, high, low, close among '0', '1'"):
        read_bars(source)


def test_frames_without_rows_or_columns() -> None:
    with pytest.raises(DataFileError, match="no rows"):
        read_bars(frame().iloc[:0])
    with pytest.raises(ColumnError):
        read_bars(pd.DataFrame(index=DAYS))
    with pytest.raises(DataFileError):
        read_bars(pd.DataFrame())


def test_periods_are_refused() -> None:
    with pytest.raises(TimestampError, match=r"frame.to_timestamp\(\) and stamp='start'"):
        read_bars(frame().set_index(DAYS.to_period("D")).rename_axis("Date"))


def test_an_unsorted_frame() -> None:
    with pytest.raises(TimestampError, match="newest to the oldest"):
        read_bars(frame()[::-1])
    assert read_bars(frame()[::-1], repair="sort").fingerprint() == EXPECTED
