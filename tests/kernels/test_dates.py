from __future__ import annotations

import datetime

import numpy as np
from backtrader import date2num
from hypothesis import given
from hypothesis import strategies as st

from vecbt.kernels.dates import date_numbers

EPOCH = datetime.datetime(1970, 1, 1)
FIRST, LAST = -2_000_000_000_000_000_000, 8_000_000_000_000_000_000


def expected(stamp: int) -> float:
    return float(date2num(EPOCH + datetime.timedelta(microseconds=stamp // 1000)))


@given(st.lists(st.integers(FIRST, LAST), min_size=1, max_size=50))
def test_date_numbers_are_backtraders(stamps: list[int]) -> None:
    assert date_numbers(np.array(stamps)).tolist() == [expected(stamp) for stamp in stamps]


def test_every_second_of_some_days() -> None:
    stamps = np.arange(3 * 86_400, dtype=np.int64) * 1_000_000_000 + 1_483_228_800_000_000_000
    assert date_numbers(stamps).tolist() == [expected(int(stamp)) for stamp in stamps]
