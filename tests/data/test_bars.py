"""Bars: validation, immutability, columns, slices, fingerprints."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars
from vecbt.errors import ColumnError, ConfigError, DataFileError, PriceError, TimestampError, UnknownNameError

MINUTE = 60_000_000_000
START = 1_483_322_400_000_000_000  # 2017-01-02 02:00 UTC


def arrays(count: int = 5) -> dict[str, np.ndarray]:
    steps = np.arange(count, dtype=np.float64)
    return {
        "timestamps": START + MINUTE * np.arange(count),
        "open": 1.0 + steps,
        "high": 1.75 + steps,
        "low": 0.5 + steps,
        "close": 1.25 + steps,
        "volume": 10.0 * steps,
    }


def make(count: int = 5, **changes: object) -> Bars:
    return Bars.from_arrays(**{**arrays(count), "extras": {"spread": np.arange(count) / 7}, **changes})  # type: ignore[arg-type]


def test_columns_hold_what_was_given() -> None:
    bars = make(name="EURUSD")
    assert bars.columns == ("open", "high", "low", "close", "volume", "spread")
    assert (bars.name, bars.source, bars.notes, len(bars), bars.interval) == ("EURUSD", "EURUSD", (), 5, MINUTE)
    assert bars.timestamps.tolist() == arrays()["timestamps"].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert bars.column(name) is getattr(bars, name)
        assert bars.column(name).tolist() == arrays()[name].tolist()
    assert bars.column("spread") is bars.extras["spread"]
    assert bars.has_volume


def test_arrays_are_float64_contiguous_and_copied() -> None:
    given = np.ones((5, 2), np.float32)
    bars = make(open=given[:, 0], high=[2] * 5, low=given[:, 1], close=given[:, 0])
    given[:] = 7.0
    for name in bars.columns:
        column = bars.column(name)
        assert column.dtype == np.float64
        assert column.flags.c_contiguous
    assert bars.open.tolist() == [1.0] * 5
    assert bars.timestamps.dtype == np.int64


def test_without_volume_there_are_zeros() -> None:
    bars = make(volume=None)
    assert not bars.has_volume
    assert bars.volume.tolist() == [0.0] * 5
    assert "volume" in bars.columns


@pytest.mark.parametrize(
    "how", [lambda bars: bars, lambda bars: pickle.loads(pickle.dumps(bars)), copy.deepcopy, copy.copy]
)
def test_nothing_can_be_written(how) -> None:  # type: ignore[no-untyped-def]
    bars = how(make())
    for array in (bars.timestamps, *(bars.column(name) for name in bars.columns)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        bars.name = "other"
    with pytest.raises(TypeError):
        bars.extras["new"] = bars.open
    assert bars.fingerprint() == make().fingerprint()
    assert (bars.interval, bars.name, list(bars.extras)) == (MINUTE, "arrays", ["spread"])


def test_equality_is_identity() -> None:
    bars = make()
    assert bars == bars
    assert bars != make()
    assert len({bars, make()}) == 2


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown column 'spred': did you mean 'spread'\? Known: close, high"):
        make().column("spred")


def test_rows_are_views_with_the_interval_of_the_whole() -> None:
    stamps = START + MINUTE * np.array([0, 1, 2, 10, 20])
    bars = make(timestamps=stamps)
    part = bars.rows(2, 5)
    assert part.timestamps.tolist() == stamps[2:].tolist()
    assert part.column("spread").tolist() == bars.column("spread")[2:].tolist()
    assert part.interval == MINUTE
    assert np.shares_memory(part.close, bars.close)
    assert not part.close.flags.writeable
    assert (part.name, part.has_volume) == (bars.name, True)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 2), (-1, 2), (0, 6), (5, 6)])
def test_rows_outside_are_refused(first: int, last: int) -> None:
    with pytest.raises(ConfigError, match="0 <= first < last <= 5"):
        make().rows(first, last)


def test_the_fingerprint_covers_stamps_columns_names_and_interval_alone() -> None:
    same = make()
    assert same.fingerprint() == make(name="other").fingerprint()
    assert len(same.fingerprint()) == 64
    changed = arrays()["close"]
    changed[4] = np.nextafter(changed[4], 9.0)
    prints = {
        same.fingerprint(),
        make(close=changed).fingerprint(),
        make(extras={"spread_": np.arange(5) / 7}).fingerprint(),
        make(extras=None).fingerprint(),
        make(timestamps=arrays()["timestamps"] + 1).fingerprint(),
        make(6).rows(0, 5).fingerprint(),
    }
    assert len(prints) == 5  # the slice has the same rows and interval


def test_the_frame_of_bars_reads_as_the_same_bars() -> None:
    bars = make()
    frame = bars.to_frame()
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame.index.name == "time"
    assert list(frame.columns) == list(bars.columns)
    frame.iloc[0, 0] = 9.0  # the frame's own memory
    assert bars.open[0] == 1.0
    assert read_bars(bars.to_frame()).fingerprint() == bars.fingerprint()


@pytest.mark.parametrize(
    "stamps",
    [
        np.array(["2017-01-02T02:00", "2017-01-02T02:01", "2017-01-02T02:02"], "datetime64[m]"),
        pd.date_range("2017-01-02 02:00", periods=3, freq="min"),
        pd.date_range("2017-01-01 21:00", periods=3, freq="min", tz="America/New_York"),
        pd.Series(pd.date_range("2017-01-02 02:00", periods=3, freq="min")),
        list(pd.date_range("2017-01-02 02:00", periods=3, freq="min").to_pydatetime()),
        [START, START + MINUTE, START + 2 * MINUTE],
        np.array([START, START + MINUTE, START + 2 * MINUTE], np.uint64),
        pd.array([START, START + MINUTE, START + 2 * MINUTE], dtype="Int64"),
    ],
)
def test_stamps_of_many_types(stamps: object) -> None:
    assert make(3, timestamps=stamps).timestamps.tolist() == [START, START + MINUTE, START + 2 * MINUTE]


@pytest.mark.parametrize(
    "stamps",
    [
        ["01/02/2017", "01/03/2017", "01/04/2017"],
        [1.0, 2.0, 3.0],
        [True, False, True],
        np.zeros((3, 1), np.int64),
        [[1], [1, 2], [3]],
        np.array(["2017-01-02", "NaT", "2017-01-04"], "datetime64[D]"),
        np.array(["2017-01-02", "2017-01-03", "3017-01-04"], "datetime64[D]"),
        np.array([1, 2, 2**63], np.uint64),
        pd.array([1, 2, None], dtype="Int64"),
        [None, None, None],
        object(),
    ],
)
def test_stamps_that_are_none(stamps: object) -> None:
    with pytest.raises(TimestampError):
        make(3, timestamps=stamps)


def test_the_most_frequent_difference_is_the_interval_and_of_several_the_smallest() -> None:
    assert make(timestamps=START + MINUTE * np.array([0, 5, 10, 11, 16])).interval == 5 * MINUTE
    assert make(timestamps=START + MINUTE * np.array([0, 5, 6, 11, 12])).interval == MINUTE
    assert make(1).interval == 0


def test_stamps_must_increase() -> None:
    with pytest.raises(TimestampError, match="2017-01-02 02:01:00 comes after 2017-01-02 02:03:00") as caught:
        make(timestamps=START + MINUTE * np.array([0, 3, 1, 2, 4]))
    assert (caught.value.row, caught.value.column) == (2, "time")
    with pytest.raises(TimestampError, match="02:01:00 UTC occurs a second time") as caught:
        make(timestamps=START + MINUTE * np.array([0, 1, 1, 2, 4]))
    assert caught.value.row == 2
    with pytest.raises(TimestampError, match="from the newest to the oldest"):
        make(timestamps=START - MINUTE * np.arange(5))
    with pytest.raises(TimestampError, match="292 years"):
        make(2, timestamps=[-(2**63) + 1, 2**63 - 1])


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "missing"),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (0.0, "positive"),
        (-1.0, "positive"),
        (-np.finfo(np.float64).max, "positive"),  # beyond all numbers once a tolerance is added
    ],
)
def test_a_price_that_cannot_be(column: str, value: float, words: str) -> None:
    prices = arrays()[column]
    prices[[1, 3]] = value
    with pytest.raises(PriceError, match=f"the {column} is .*{words}.*2 rows.*repair='drop'") as caught:
        make(**{column: prices})
    assert (caught.value.row, caught.value.column, caught.value.source) == (1, column, "arrays")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("high", 3.0, "high 3.0 is below the open 3.0 or the close 3.25"),
        ("low", 3.1, "low 3.1 is above the open 3.0 or the close 3.25"),
        ("high", 2.0, "high 2.0 is below the low 2.5"),
        ("close", 2.25, "low 2.5 is above the open 3.0 or the close 2.25"),
        ("close", 4.0, "high 3.75 is below the open 3.0 or the close 4.0"),
    ],
)
def test_high_and_low_bound_the_bar(column: str, value: float, words: str) -> None:
    prices = arrays()[column]
    prices[2] = value
    with pytest.raises(PriceError, match=words) as caught:
        make(**{column: prices})
    assert caught.value.row == 2


def test_the_noise_of_the_last_digit_is_tolerated_and_no_more() -> None:
    high, low = arrays()["high"], arrays()["low"]
    high[1], low[1] = 2.25 * (1 - 0.9e-9), 2.0 * (1 + 0.9e-9)
    make(high=high, low=low)
    high[1] = 2.25 * (1 - 1.1e-9)
    with pytest.raises(PriceError, match="below the open"):
        make(high=high)
    low[1] = 2.0 * (1 + 1.1e-9)
    with pytest.raises(PriceError, match="above the open"):
        make(low=low)


def test_the_earliest_row_is_reported_whatever_is_wrong_with_it() -> None:
    open_, high = arrays()["open"], arrays()["high"]
    open_[3], high[1] = np.nan, 0.1
    with pytest.raises(PriceError) as caught:
        make(open=open_, high=high)
    assert caught.value.row == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_an_invalid_volume(value: float) -> None:
    volume = arrays()["volume"]
    volume[4] = value
    with pytest.raises(ColumnError, match="volume") as caught:
        make(volume=volume)
    assert (caught.value.row, caught.value.column) == (4, "volume")


def test_extras_may_begin_late_and_have_no_holes() -> None:
    late = np.array([np.nan, np.nan, -1.0, 0.0, 5.0])
    assert np.isnan(make(extras={"sma": late}).column("sma")[:2]).all()
    for hole in (np.nan, np.inf):
        values = late.copy()
        values[3] = hole
        with pytest.raises(ColumnError, match=r"missing|inf") as caught:
            make(extras={"sma": values})
        assert (caught.value.row, caught.value.column) == (3, "sma")
    with pytest.raises(ColumnError, match="inf") as caught:
        make(extras={"sma": np.array([np.inf, 1, 1, 1, 1])})
    assert caught.value.row == 0


@pytest.mark.parametrize("name", ["Spread", "open", "volume", "open interest", "5m", "class", "", 7])
def test_names_that_features_could_not_use(name: object) -> None:
    with pytest.raises(ColumnError):
        make(extras={name: np.ones(5)})


@pytest.mark.parametrize(
    "values", [["1"] * 5, [True] * 5, [1.0] * 4, [[1.0]] * 5, [None] * 5, np.ones(5) * 1j, 1.0, [[1], [1, 2]]]
)
def test_arrays_of_another_type_or_shape(values: object) -> None:
    with pytest.raises(ColumnError, match="expected") as caught:
        make(close=values)
    assert caught.value.column == "close"


def test_there_must_be_a_bar() -> None:
    with pytest.raises(DataFileError, match="no bar"):
        make(0)


def test_repr_says_what_and_when() -> None:
    assert repr(make(name="X")) == "<Bars X: 5 bars of 1 min, 2017-01-02 02:00:00 to 2017-01-02 02:04:00 UTC>"
    assert repr(make(1, name="X")) == "<Bars X: 1 bar, 2017-01-02 02:00:00 to 2017-01-02 02:00:00 UTC>"
