"""Time columns: kinds of cells, time zones, formats."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pytest

from vecbt.data.reading.stamps import Stamps, read_stamps
from vecbt.data.reading.zones import check_zone, localize, zone_of
from vecbt.data.rows import Rows
from vecbt.errors import ConfigError, TimestampError

SECOND = 10**9
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def read(*columns: object, **options: object) -> Stamps:
    values = [column if isinstance(column, pd.DatetimeIndex) else np.array(column, object) for column in columns]
    return read_stamps(values, Rows.of("x.csv", 2 + np.arange(len(values[0]))), **options)  # type: ignore[arg-type]


def seconds(stamps: Stamps) -> list[float]:
    return [int(ns) / SECOND for ns in stamps.ns]


def bad(stamps: Stamps) -> list[str]:
    return [fault.label for fault in stamps.faults if fault.mask.any()]


@pytest.mark.parametrize(
    "cells",
    [
        ["2017-01-02 02:00"],
        [" 2017-01-02 02:00 "],
        [dt.datetime(2017, 1, 2, 2)],
        [pd.Timestamp("2017-01-02 02:00")],
        [np.datetime64("2017-01-02T02:00")],
        [201701020200],
        [1483322400],
        [np.int64(1483322400)],
        [1483322400.0],
        [1483322400000.0],
        [np.float64(1483322400)],
        [dt.datetime(2017, 1, 2, 2, tzinfo=dt.UTC)],
        [pd.Timestamp("2017-01-01 21:00", tz="America/New_York")],
        pd.DatetimeIndex(["2017-01-02 02:00"]),
        pd.DatetimeIndex(["2017-01-01 21:00"]).tz_localize("America/New_York"),
        pd.DatetimeIndex(["2017-01-02 02:00"]).as_unit("s"),
    ],
)
def test_cells_of_many_types(cells: object) -> None:
    stamps = read(cells)
    assert seconds(stamps) == [1483322400]
    assert bad(stamps) == []


def test_a_date_is_its_midnight() -> None:
    assert seconds(read([dt.date(2017, 1, 2), "2017-01-02", 20170102, 20170102.0])) == [1483315200] * 4


@pytest.mark.parametrize("cell", [None, float("nan"), pd.NaT, pd.NA, ""])
def test_a_missing_time(cell: object) -> None:
    stamps = read(["2017-01-02", cell])
    (fault,) = stamps.faults
    assert fault.mask.tolist() == [False, True]
    assert fault.describe(1) == "the time is missing"
    fault = read(pd.DatetimeIndex(["2017-01-02", None])).faults[0]
    assert fault.mask.tolist() == [False, True]


@pytest.mark.parametrize(
    "cell", ["2017-02-30", "x" * 1000, "\uff12017-01-02", [1], np.array([1, 2]), b"2017-01-02", pd.Timedelta(1)]
)
def test_an_unreadable_time(cell: object) -> None:
    column = np.empty(2, object)
    column[:] = ["2017-01-02", cell] if not isinstance(cell, list | np.ndarray) else ["2017-01-02", None]
    if isinstance(cell, list | np.ndarray):
        column[1] = cell
    stamps = read_stamps([column], Rows.of("x.csv", np.arange(2)))
    assert stamps.faults[0].mask.tolist() == [False, True]
    assert len(stamps.faults[0].describe(1)) < 100


def test_years_that_nanoseconds_cannot_count() -> None:
    assert bad(read(pd.DatetimeIndex(np.array(["2017-01-02", "3017-01-02"], "M8[s]")))) != []
    assert bad(read([dt.datetime(2017, 1, 2), dt.datetime(3017, 1, 2)])) != []


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        (["02:00", "02:01"], [7200, 7260]),
        (["2:00 AM", "2:01 PM"], [7200, 50460]),
        (["020000", "020100"], [7200, 7260]),
        (["93000", "100000"], [34200, 36000]),
        ([0, 500, 93000], [0, 300, 34200]),
        ([930, 1600], [34200, 57600]),
        (["0", "0"], [0, 0]),
        ([dt.time(2), dt.time(2, 0, 1)], [7200, 7201]),
    ],
)
def test_time_of_day_in_its_own_column(clocks: list[object], expected: list[int]) -> None:
    for days in (
        ["2017.01.02"] * len(clocks),
        [20170102] * len(clocks),
        pd.DatetimeIndex(["2017-01-02"] * len(clocks)),
    ):
        assert [s - 1483315200 for s in seconds(read(days, clocks))] == expected


def test_naive_stamps_count_as_utc_unless_told() -> None:
    assert seconds(read(["2017-01-02 02:00"])) == [1483322400]
    assert seconds(read(["2017-01-02 02:00"], tz=NEW_YORK)) == [1483322400 + 5 * 3600]
    assert seconds(read(["2017-07-02 02:00"], tz=NEW_YORK)) == [1498960800 + 4 * 3600]
    assert "count as UTC" in read(["2017-01-02"]).notes[0]
    assert "America/New_York" in read(["2017-01-02"], tz=NEW_YORK).notes[0]


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        (["2017-01-02 02:00Z"], {}, "offset from UTC"),
        ([1483322400], {}, "epoch seconds"),
        (["2017-01-02 02:00 US/Eastern"], {}, "US/Eastern"),
        (["2017-01-02 02:00"], {"utc": True}, "UTC by its name"),
        (pd.DatetimeIndex(["2017-01-02"]).tz_localize("UTC"), {}, "offset from UTC"),
    ],
)
def test_tz_is_refused_where_stamps_have_a_zone(cells: object, options: dict[str, bool], words: str) -> None:
    read(cells, **options)
    with pytest.raises(TimestampError, match=f"tz='America/New_York' was given, but .*{words}.*: leave tz out"):
        read(cells, tz=NEW_YORK, **options)


def test_offsets_that_change_with_summer_time_are_fine() -> None:
    stamps = read(["2017-03-11 00:00:00-05:00", "2017-03-13 00:00:00-04:00"])
    assert seconds(stamps) == [1489208400, 1489377600]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ["2017-01-02 02:00", "2017-01-02 02:00", "2017-01-02 02:01Z"],
            "expected no time zone, as in .*row 2.*got .*offset",
        ),
        ([1483322400, 1483322460, 1483322520000], "expected epoch seconds, .*epoch milliseconds"),
        (["2017-01-02 02:00", "2017-01-02 02:00", 1483322400], "epoch seconds"),
        (["2017-01-02 02:00", "bad", "2017-01-02 02:00 US/Eastern"], "the name of a time zone"),
    ],
)
def test_rows_that_differ_in_kind(cells: list[object], words: str) -> None:
    with pytest.raises(TimestampError, match=words) as caught:
        read(cells)
    assert (caught.value.row, caught.value.column, caught.value.source) == (4, "time", "x.csv")


def test_several_or_unknown_zones() -> None:
    with pytest.raises(TimestampError, match="several time zones: Asia/Tokyo, US/Eastern"):
        read(["2017-01-02 02:00 US/Eastern", "2017-01-02 02:00 Asia/Tokyo"])
    with pytest.raises(TimestampError, match="not known: Middle/Earth"):
        read(["2017-01-02 02:00 Middle/Earth"])


def test_an_open_order_of_day_and_month_is_an_error_in_words() -> None:
    with pytest.raises(TimestampError, match=r"'01/02/2017' cannot be told: .*date_format='%d/%m/%Y'") as caught:
        read(["01/01/2017", "01/02/2017"])
    assert caught.value.row == 3
    with pytest.raises(TimestampError, match=r"in '13/01/2017' is not that of '01/13/2017' \(row 2\)"):
        read(["01/13/2017", "01/14/2017", "13/01/2017"])
    assert "month/day/year" in read(["01/13/2017"]).notes[0]


def test_date_format() -> None:
    assert seconds(read(["02/01/2017 02:00"], date_format="%d/%m/%Y %H:%M")) == [1483322400]
    assert seconds(read(["01/02/2017"], ["0200"], date_format="%m/%d/%Y %H%M")) == [1483322400]
    assert seconds(read(["2017-01-02 02h00"], date_format="%Y-%m-%d %Hh%M", tz=NEW_YORK)) == [1483340400]
    offsets = read(
        ["02.01.17 03:00 +0100", "02.01.17 03:01 +0100", "02.01.17 02:02 +0000"], date_format="%d.%m.%y %H:%M %z"
    )
    assert seconds(offsets) == [1483322400, 1483322460, 1483322520]
    fault = read(["02/01/2017", "2017-01-02"], date_format="%d/%m/%Y").faults[0]
    assert fault.mask.tolist() == [False, True]
    assert fault.describe(1) == "'2017-01-02' is no date of the form '%d/%m/%Y'"
    assert bad(read(["02/01/3017"], date_format="%d/%m/%Y")) != []


@pytest.mark.parametrize("form", ["mixed", "ISO8601", "", "%Q", "%d %d", 7])
def test_a_format_that_is_none(form: object) -> None:
    with pytest.raises(ConfigError, match="date_format: expected a format"):
        read(["2017-01-02"], date_format=form)


def test_a_format_for_what_is_no_text() -> None:
    with pytest.raises(ConfigError, match="datetimes already"):
        read(pd.DatetimeIndex(["2017-01-02"]), date_format="%Y")


@pytest.mark.parametrize(
    "name", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+5", "Asia/Kolkata"]
)
@pytest.mark.parametrize("year", [1965, 2023])
def test_localize_is_the_standard_librarys(name: str, year: int) -> None:
    zone = zone_of(name)
    assert zone is not None
    half_hours = [dt.datetime(year, 1, 1) + dt.timedelta(minutes=30 * i) for i in range(366 * 48)]
    local = np.array(half_hours, "M8[ns]").view(np.int64)
    found, faults = localize(local, np.ones(len(local), np.bool_), zone)
    masks = {fault.label: fault.mask for fault in faults}
    none = np.zeros(len(local), np.bool_)
    twice, never = masks.get("time ambiguous", none), masks.get("time nonexistent", none)
    for i, moment in enumerate(half_hours):
        early, late = (moment.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
        exists = early.astimezone(zone).replace(tzinfo=None) == moment
        assert twice[i] == (early != late and exists)
        assert never[i] == (not exists)
        if early == late:
            assert found[i] == (early - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000


def test_times_that_clocks_show_twice_or_never_are_named() -> None:
    stamps = read(["2023-11-05 00:59", "2023-11-05 01:30", "2023-03-12 02:30"], tz=NEW_YORK)
    assert bad(stamps) == ["time ambiguous", "time nonexistent"]
    words = [fault.describe(int(np.argmax(fault.mask))) for fault in stamps.faults[1:]]
    assert words == [
        "2023-11-05 01:30:00 occurs twice in America/New_York, as the clocks go back",
        "2023-03-12 02:30:00 is skipped in America/New_York, as the clocks go forward",
    ]


def test_check_zone() -> None:
    assert check_zone(None) is None
    assert check_zone("America/New_York") == NEW_YORK
    assert check_zone(dt.UTC) is dt.UTC
    assert seconds(read(["2017-01-02 02:00"], tz=dt.timezone(dt.timedelta(hours=1)))) == [1483322400 - 3600]
    with pytest.raises(ConfigError, match="got 'America/NewYork'; did you mean 'America/New_York'"):
        check_zone("America/NewYork")
    for junk in ("", "/etc/passwd", "..", "\0", 5):
        with pytest.raises(ConfigError, match="tz: expected a time zone"):
            check_zone(junk)  # type: ignore[arg-type]
