"""Numbers in text: separators, decimal marks, units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecbt.data.reading.numbers import MISSING, Style, is_number, parse_numbers, possible_styles


def cells(*values: object) -> np.ndarray:
    column = np.empty(len(values), object)
    column[:] = values
    return column


def parse(*values: object, style: Style = Style.POINT) -> list[float]:
    numbers, junk = parse_numbers(cells(*values), style)
    assert not junk.any(), "a cell was refused"
    return numbers.tolist()


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_plain_numbers_are_exact(numbers: list[float]) -> None:
    assert parse(*map(repr, numbers)) == numbers
    commas = [repr(number).replace(".", ",") for number in numbers]
    assert parse(*commas, style=Style.COMMA) == numbers


@given(st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=4), min_size=1))
def test_grouped_numbers_are_exact(numbers: list[Decimal]) -> None:
    expected = [float(number) for number in numbers]
    assert parse(*(f"{number:,}" for number in numbers)) == expected
    assert parse(*(f"{number:,}".replace(",", " ") for number in numbers)) == expected
    swapped = [f"{number:,}".translate(str.maketrans(",.", ".,")) for number in numbers]
    assert parse(*swapped, style=Style.COMMA) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5), (" 1.5 ", 1.5), ("+1.5", 1.5), ("-1.5", -1.5), ("5.", 5.0), (".5", 0.5), ("1e3", 1000.0),
        ("1.5E-3", 0.0015), ("$77.90", 77.9), ("-$5", -5.0), ("€ 5", 5.0), ("152.3K", 152300.0), ("1.5M", 1.5e6),
        ("2B", 2e9), ("0.15%", 0.0015), ("1,234,567.5", 1234567.5), ("1 234", 1234.0), ("1'234.5", 1234.5),
        ("1\u00a0234", 1234.0), ("1\u202f234", 1234.0), ("inf", float("inf")), ("-Infinity", float("-inf")),
    ],
)  # fmt: skip
def test_a_number_in_its_dress(text: str, number: float) -> None:
    assert parse(text) == [number]


@pytest.mark.parametrize(
    "text",
    ["abc", "1.2.3", "1,23", "1,2345", "12,34,567", "1,234 567", "1_000", "0x10", "1e", "e5", "1.5KK", "K", "$", "%",
     "+-1", "1-", ",", ".,", "1 2", "१२", "1" * 100, "2017-01-02", "True", "'"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    numbers, junk = parse_numbers(cells("1", text), Style.POINT)
    assert junk.tolist() == [False, True]
    assert np.isnan(numbers[1])


@pytest.mark.parametrize("text", ["1.5", "1,234.5", "1.23", "1.2345", "1,2,3"])
def test_what_is_no_number_where_commas_are_decimal(text: str) -> None:
    assert parse_numbers(cells(text), Style.COMMA)[1].tolist() == [True]


def test_numbers_of_other_types() -> None:
    values = [1, 2.5, Decimal("1.1"), Fraction(1, 4), np.float32(0.5), np.int8(3), True]
    assert parse(*values) == [1.0, 2.5, 1.1, 0.25, 0.5, 3.0, 1.0]
    _, junk = parse_numbers(cells([1], {}, b"1", 10**400, Decimal("sNaN"), 1j, pd.Timestamp(0)), Style.POINT)
    assert junk.all()


def test_missing_cells() -> None:
    values = [*sorted(MISSING), None, float("nan"), pd.NA, pd.NaT, Decimal("NaN"), " null "]
    numbers, junk = parse_numbers(cells(*values), Style.POINT)
    assert np.isnan(numbers).all()
    assert not junk.any()


@pytest.mark.parametrize(
    ("texts", "styles"),
    [
        (["1.5", "abc", ""], {Style.POINT}),
        (["1.234"], {Style.POINT}),  # a point alone is a decimal point
        (["1,5"], {Style.COMMA}),
        (["1.234,5"], {Style.COMMA}),
        (["1,234.5"], {Style.POINT}),
        (["1,234,567"], {Style.POINT}),
        (["1,234"], {Style.POINT, Style.COMMA}),
        (["1,234", "1.5"], {Style.POINT}),
        (["1,234", "1.500"], {Style.POINT, Style.COMMA}),
        (["1,234", "12,5"], {Style.COMMA}),
        (["1234,567"], {Style.COMMA}),
        (["1,5", "1.5"], set()),
        (["1 234", "5"], {Style.POINT}),
        (["a,b", "2017-01-02"], {Style.POINT}),
    ],
)
def test_how_a_file_writes_numbers(texts: list[str], styles: set[Style]) -> None:
    assert possible_styles([cells(*texts)]) == styles
    assert possible_styles([cells(text, None, 1.5) for text in texts]) == styles


def test_is_number() -> None:
    assert all(map(is_number, ("1", "1.05", "1,05", "1,234.5", "$5", "1e5")))
    assert not any(map(is_number, ("", "-", "abc", "2017-01-02", "02:00", ",", " " * 10**6, "1" + " " * 10**5 + "x")))
