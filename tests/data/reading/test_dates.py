"""Dates in text: every form against the standard library, orders of day and month, epochs."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecbt.data.reading.dateforms import is_clock, is_date, is_day
from vecbt.data.reading.dates import AmbiguousOrderError, Dates, Kind, read_dates

EPOCH = dt.datetime(1970, 1, 1)


def read(*texts: str) -> Dates:
    return read_dates(np.array(texts, "S"))


def ns(moment: dt.datetime) -> int:
    """Nanoseconds since 1970, in exact arithmetic."""
    return (moment.replace(tzinfo=None) - EPOCH) // dt.timedelta(microseconds=1) * 1000


def one(text: str) -> tuple[int, Kind]:
    dates = read(text)
    return int(dates.ns[0]), Kind(int(dates.kind[0]))


# Forms of strftime, and what of a moment they keep.
TO_DAY = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d %Y")
TO_MINUTE = ("%Y-%m-%d %H:%M", "%Y.%m.%d %H:%M", "%Y%m%d %H%M", "%Y%m%d%H%M", "%Y-%m-%d %I:%M %p", "%d-%b-%Y %I:%M%p")
TO_SECOND = (
    "%Y%m%d %H%M%S",
    "%Y%m%d  %H:%M:%S",
    "%Y%m%d-%H%M%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d, %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
    "%b %d, %Y %I:%M:%S %p",
)
TO_MICROSECOND = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S,%f", "%Y%m%d %H%M%S%f")
FORMS = [(form, unit) for unit, forms in enumerate((TO_DAY, TO_MINUTE, TO_SECOND, TO_MICROSECOND)) for form in forms]

moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2099, 12, 31))


def truncate(moment: dt.datetime, unit: int) -> dt.datetime:
    zeros = ({"hour": 0, "minute": 0}, {}, {}, {})[unit]
    if unit < 2:
        zeros = {**zeros, "second": 0}
    return moment.replace(**zeros, **({} if unit == 3 else {"microsecond": 0}))


@pytest.mark.parametrize(("form", "unit"), FORMS)
@given(st.lists(moments, min_size=1, max_size=5))
def test_every_form_reads_as_the_standard_library_writes_it(form: str, unit: int, times: list[dt.datetime]) -> None:
    dates = read(*(time.strftime(form) for time in times))
    assert dates.ns.tolist() == [ns(truncate(time, unit)) for time in times]
    assert dates.kind.tolist() == [Kind.NAIVE] * len(times)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M:%S.000 GMT"])
@given(st.lists(moments, min_size=1, max_size=5), st.integers(-14 * 60, 14 * 60), st.booleans())
def test_offsets(form: str, times: list[dt.datetime], minutes: int, colon: bool) -> None:
    times = [time.replace(microsecond=0, day=28) for time in times]
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    offset = dt.datetime(2000, 1, 1, tzinfo=zone).strftime("%z")
    if colon:
        offset = f"{offset[:3]}:{offset[3:]}"
    dates = read(*(time.strftime(form) + offset for time in times))
    assert dates.ns.tolist() == [ns(time.replace(tzinfo=zone).astimezone(dt.UTC)) for time in times]
    assert set(dates.kind) == {Kind.OFFSET}


@pytest.mark.parametrize("zone", ["Z", " Z", "UTC", " UTC", "GMT", "+00", "-00:00", "+0000"])
def test_utc(zone: str) -> None:
    assert one(f"2017-01-02 02:00{zone}") == (1483322400 * 10**9, Kind.OFFSET)


@pytest.mark.parametrize("area", ["US/Eastern", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_named_zones(area: str) -> None:
    dates = read(f"20170102 02:00:00 {area}")
    assert (dates.ns[0], dates.kind[0], dates.areas) == (1483322400 * 10**9, Kind.AREA, {area})


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1483322400", Kind.SECONDS, 1483322400 * 10**9),
        ("100000000", Kind.SECONDS, 10**17),
        ("1483322400.25", Kind.SECONDS, 1483322400250000000),
        ("1483322400123", Kind.MILLISECONDS, 1483322400123 * 10**6),
        ("999999999999", Kind.MILLISECONDS, 999999999999 * 10**6),
        ("1483322400123.5", Kind.MILLISECONDS, 1483322400123500000),
        ("1483322400123456", Kind.MICROSECONDS, 1483322400123456 * 10**3),
        ("1483322400123456789", Kind.NANOSECONDS, 1483322400123456789),
        ("9223372036854775806", Kind.NANOSECONDS, 2**63 - 2),
    ],
)
def test_epochs_by_magnitude(text: str, kind: Kind, expected: int) -> None:
    assert one(text) == (expected, kind)


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "-", "0", "5", "12345678", "99999999", "9223372036854775807", "9999999999999999999", "20000000000",
        "2017-02-29", "2017-13-01", "2017-00-10", "2017-01-00", "2017-01-32", "2017-04-31", "20170431", "1600-01-01",
        "2262-01-01", "2017-01-02 24:00", "2017-01-02 02:60", "2017-01-02 02:00:60", "2017-01-02 13:00 PM",
        "2017-01-02 00:00 AM", "2017-01-02 02:00+24:00", "2017-01-02 02:00+01:60", "2017-01/02", "2017-01-02 02",
        "2017-01-02T", "02 Foo 2017", "Jan 32, 2017", "1.4833224E9", "170102", "2017-01-02 02:00 EST", "2017",
        "43831", "2017-1", "02:00", "2017-01-02 02:00:00 UTC+1:0", "13/13/2017", "00/01/2017", "nan",
    ],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert read(text).kind.tolist() == [Kind.UNREADABLE]


def test_leap_days() -> None:
    assert read("2016-02-29", "2000-02-29", "1900-02-29", "2100-02-29").kind.tolist() == [1, 1, 0, 0]


def test_a_bad_row_does_not_spoil_the_others() -> None:
    dates = read("2017-01-02 02:00", "2017-01-02 xx:00", "2017-01-02 2:01", "", "2017-01-02 02:02:00")
    assert dates.kind.tolist() == [1, 0, 1, 0, 1]
    assert (dates.ns[[0, 2, 4]] - dates.ns[0]).tolist() == [0, 60 * 10**9, 120 * 10**9]


@pytest.mark.parametrize(
    ("texts", "order", "days"),
    [
        (["01/02/2017", "01/13/2017"], "month/day/year", ["2017-01-02", "2017-01-13"]),
        (["01/02/2017", "13/02/2017"], "day/month/year", ["2017-02-01", "2017-02-13"]),
        (["1.2.2017", "13.12.2017"], "day/month/year", ["2017-02-01", "2017-12-13"]),
        (["1-2-2017", "12-13-2017"], "month/day/year", ["2017-01-02", "2017-12-13"]),
        (["01/02/17", "01/13/69"], "month/day/year", ["2017-01-02", "1969-01-13"]),
        (["01/02/17", "13/02/68"], "day/month/year", ["2017-02-01", "2068-02-13"]),
        (["30/01/28", "30/02/27"], "year/month/day", ["2030-01-28", "2030-02-27"]),
        (["01/01/2017", "02/02/2017"], "month/day/year", ["2017-01-01", "2017-02-02"]),
        (["1/1/17", "2/2/18"], "month/day/year", ["2017-01-01", "2018-02-02"]),
        (["99/99/2017", "01/13/2017"], "month/day/year", [None, "2017-01-13"]),
    ],
)
def test_the_order_that_alone_fits(texts: list[str], order: str, days: list[str | None]) -> None:
    dates = read(*texts)
    found = dates.ns.astype("M8[ns]").astype("M8[D]").astype(str)
    assert dates.order == order
    assert [day if kind else None for day, kind in zip(found, dates.kind, strict=True)] == days


@pytest.mark.parametrize(
    ("texts", "at", "other"),
    [
        (["01/01/2017", "01/02/2017", "01/03/2017"], 1, None),
        (["01/02/17", "03/04/17"], 0, None),
        (["17/12/31", "17/11/30"], 0, None),  # 31 December 2017, or the 17th of 2031
        (["01/13/2017", "01/14/2017", "13/01/2017"], 2, 0),
        (["13/01/2017", "1/14/2017", "14/1/2017"], 1, 0),
    ],
)
def test_an_order_is_never_guessed(texts: list[str], at: int, other: int | None) -> None:
    with pytest.raises(AmbiguousOrderError) as caught:
        read(*texts)
    assert (caught.value.at, caught.value.other) == (at, other)


@given(
    st.lists(st.dates(dt.date(1970, 1, 1), dt.date(2068, 12, 31)), min_size=1, max_size=6),
    st.sampled_from(["%d/%m/%Y", "%m-%d-%Y"]),
)
def test_a_wrong_date_never_comes_of_an_open_order(days: list[dt.date], form: str) -> None:
    try:
        dates = read(*(day.strftime(form) for day in days))
    except AmbiguousOrderError:
        assert any(day.day <= 12 and day.day != day.month for day in days)
    else:
        assert dates.ns.tolist() == [(day - dt.date(1970, 1, 1)).days * 86400 * 10**9 for day in days]


@given(st.lists(st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=30), max_size=8))
def test_any_text_is_read_or_unreadable(texts: list[str]) -> None:
    try:
        dates = read_dates(np.array(texts or [], "S") if texts else np.array([], "S1"))
    except AmbiguousOrderError:
        return
    assert len(dates.ns) == len(texts)
    readable = dates.kind > 0
    assert (np.abs(dates.ns[readable].astype("M8[ns]").astype("M8[Y]").astype(int)) < 300).all()


def test_forms_of_cells() -> None:
    assert all(map(is_day, ("2017-01-02", "20170102", "1/2/2017", "02-Jan-2017")))
    assert not any(map(is_day, ("2017-01-02 02:00", "1.05", "", "2017")))
    assert all(map(is_clock, ("02:00", "2:00:00.5", "02:00 PM", "93000", "0", "020000123")))
    assert not any(map(is_clock, ("2017-01-02", "1.05", "", "1483322400")))
    assert all(map(is_date, ("2017-01-02", "20170102 020000", "1483322400", "201701020200")))
    assert not any(map(is_date, ("1.05", "12345", "", "x" * 10**6, "20170102" * 10**5)))
