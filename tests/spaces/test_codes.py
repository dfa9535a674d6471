from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecbt.spaces.codes import DigitCode


@pytest.mark.parametrize(("base", "length"), [(1, 1), (1, 3), (2, 1), (2, 5), (3, 3), (4, 3), (7, 2)])
def test_numbers_are_rows_of_the_lexicographic_product(base: int, length: int) -> None:
    code = DigitCode(base, length)
    table = list(itertools.product(range(base), repeat=length))
    assert code.cardinality == len(table)
    assert code.row(np.array(table)).tolist() == list(range(len(table)))
    for row, digits in enumerate(table):
        assert code.row(np.array(digits)) == row
        bits = code.bits(np.asarray(row))
        assert bits.dtype == np.float32
        assert "".join(str(int(bit)) for bit in bits) == (format(row, "b").zfill(code.depth) if code.depth else "")
        assert tuple(code.digits(np.asarray(row))) == digits


@given(st.data(), st.integers(2, 11), st.integers(1, 60))
def test_numbers_of_any_size(data: st.DataObject, base: int, length: int) -> None:
    code = DigitCode(base, length)
    digits = data.draw(st.lists(st.lists(st.integers(0, base - 1), min_size=length, max_size=length), max_size=4))
    array = np.array(digits, np.int64).reshape(-1, length)
    rows = code.row(array)
    assert rows.tolist() == [sum(d * base ** (length - 1 - i) for i, d in enumerate(each)) for each in digits]
    bits = code.bits(rows)
    assert bits.shape == (len(digits), code.depth)
    assert code.row_of_bits(bits == 1).tolist() == rows.tolist()
    found = code.digits(rows)
    assert found.dtype == np.int64
    assert found.tolist() == array.tolist()
