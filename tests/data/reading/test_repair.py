"""Repairs: what they do, in which order, and what they say about it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from vecbt.data.reading.read import read_bars
from vecbt.data.rows import Fault, Rows, settle
from vecbt.errors import ColumnError, DataFileError, PriceError, TimestampError

if TYPE_CHECKING:
    from pathlib import Path

    from vecbt.data.bars import Bars

HEADER = "Date,Open,High,Low,Close,Volume,Spread\n"
GOOD = [f"2020-01-{day:02},{day},{day + 2},{day - 1},{day + 1},5,0.5\n" for day in range(2, 10)]


def read(folder: Path, lines: list[str], **options: object) -> Bars:
    path = folder / "x.csv"
    path.write_text(HEADER + "".join(lines))
    return read_bars(path, **options)  # type: ignore[arg-type]


def days(bars: Bars) -> list[int]:
    return (bars.timestamps // (86_400 * 10**9) - 18262 + 1).tolist()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("2020-01-04,x,6,3,5,5,0.5\n", "open no number"),
        ("2020-01-04,,6,3,5,5,0.5\n", "open missing"),
        ("2020-01-04,inf,6,3,5,5,0.5\n", "open infinite"),
        ("2020-01-04,0,6,3,5,5,0.5\n", "open not positive"),
        ("2020-01-04,4,2,3,3,5,0.5\n", "high below low"),
        ("2020-01-04,4,4.5,3,5,5,0.5\n", "high below open or close"),
        ("2020-01-04,4,6,4.5,5,5,0.5\n", "low above open or close"),
        ("2020-01-04,4,6,3,5,,0.5\n", "volume missing or invalid"),
        ("2020-01-04,4,6,3,5,-1,0.5\n", "volume missing or invalid"),
        ("2020-01-04,4,6,3,5,5,\n", "spread missing or infinite"),
        ("2020-01-04,4,6,3,5,5,x\n", "spread no number"),
        ("2020-01-99,4,6,3,5,5,0.5\n", "time missing or unreadable"),
        (",4,6,3,5,5,0.5\n", "time missing or unreadable"),
        ("2020-01-03,4,6,3,5,5,0.5\n", "duplicate time"),
        ("2020-01-04,4,6,3,5\n", "too many or too few cells"),
    ],
)
def test_drop_leaves_out_the_row_and_says_why(tmp_path: Path, bad: str, reason: str) -> None:
    lines = [*GOOD[:2], bad, *GOOD[3:]]
    with pytest.raises((ColumnError, PriceError, TimestampError)) as caught:
        read(tmp_path, lines)
    assert caught.value.row == 4
    bars = read(tmp_path, lines, repair="drop")
    assert days(bars) == [2, 3, 5, 6, 7, 8, 9]
    assert bars.open.tolist() == [2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert [note for note in bars.notes if note.startswith("Dropped")] == [f"Dropped 1 row, {reason} (first: row 4)."]


def test_a_row_is_counted_once(tmp_path: Path) -> None:
    bars = read(tmp_path, [GOOD[0], "2020-01-03,x,y,,z,-1,inf\n", "2020-01-04,x,1,1,1,1,1\n", *GOOD[3:]], repair="drop")
    assert [note for note in bars.notes if note.startswith("Dropped")] == [
        "Dropped 2 rows, open no number (first: row 3)."
    ]


def test_sort_keeps_the_order_of_equal_times_so_that_the_first_of_them_stays(tmp_path: Path) -> None:
    lines = [GOOD[2], GOOD[0], "2020-01-04,7,9,6,8,5,0.5\n", GOOD[1]]
    with pytest.raises(TimestampError, match="2020-01-04 00:00:00 UTC occurs a second time") as caught:
        read(tmp_path, lines, repair="sort")
    assert caught.value.row == 4
    bars = read(tmp_path, lines, repair=("sort", "drop"))
    assert days(bars) == [2, 3, 4]
    assert bars.open.tolist() == [2.0, 3.0, 4.0]
    assert bars.notes[-2:] == (
        "Sorted the rows by time (first out of order: row 3).",
        "Dropped 1 row, duplicate time (first: row 4).",
    )


def test_drop_alone_does_not_sort(tmp_path: Path) -> None:
    with pytest.raises(TimestampError, match=r"comes after.*repair='sort'"):
        read(tmp_path, [GOOD[1], GOOD[0], GOOD[2]], repair="drop")


def test_a_repair_that_finds_nothing_changes_nothing(tmp_path: Path) -> None:
    plain = read(tmp_path, GOOD)
    repaired = read(tmp_path, GOOD, repair=["drop", "sort"])
    assert repaired.fingerprint() == plain.fingerprint()
    assert repaired.notes == plain.notes
    assert read(tmp_path, GOOD, repair=[]).notes == plain.notes


def test_the_warm_up_of_a_column_is_told_after_sorting(tmp_path: Path) -> None:
    lines = [GOOD[2], GOOD[1], GOOD[0].replace(",0.5\n", ",\n")]
    bars = read(tmp_path, lines, repair="sort")
    assert np.isnan(bars.extras["spread"]).tolist() == [True, False, False]


@pytest.mark.parametrize("line", ["2020-01-03,0,2,1,2,5,0.5\n", "2020-01-03,1,2,1\n", "x,1,2,1,2,5,0.5\n"])
def test_at_least_one_row_must_be_left(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataFileError, match=r"no row is left. Dropped 2 rows"):
        read(tmp_path, [line, line], repair="drop")


def test_a_last_line_that_was_cut_off(tmp_path: Path) -> None:
    bars = read(tmp_path, [*GOOD[:3], GOOD[3][:20]], repair="drop")
    assert days(bars) == [2, 3, 4]


def test_settle() -> None:
    rows = Rows.of("x", np.array([10, 11, 12, 13]))

    def fault(*positions: int) -> Fault:
        mask = np.zeros(4, np.bool_)
        mask[list(positions)] = True
        return Fault(PriceError, "open", f"reason {positions}", mask, lambda i: f"position {i} is bad")

    keep, notes = settle([fault()], rows, drop=False)
    assert keep.all()
    assert notes == []
    with pytest.raises(
        PriceError, match=r"x, row 11, column 'open': position 1 is bad \(2 rows are at fault like this\): correct"
    ):
        settle([fault(2), fault(1, 3), fault(1)], rows, drop=False)
    keep, notes = settle([fault(2), fault(1, 2), fault(1)], rows, drop=True)
    assert keep.tolist() == [True, False, False, True]
    assert notes == ["Dropped 1 row, reason (2,) (first: row 12).", "Dropped 1 row, reason (1, 2) (first: row 11)."]


def test_rows_of_several_sources() -> None:
    rows = Rows.join([Rows.of("a", np.array([2, 3])), Rows.of("b", np.array([2])), Rows.of("c", np.array([5]))])
    assert [rows.name(i) for i in range(len(rows))] == ["row 2 of a", "row 3 of a", "row 2 of b", "row 5 of c"]
    taken = rows.take(np.array([3, 0]))
    assert str(taken.error(PriceError, "bad", at=0, column="low")) == "c, row 5, column 'low': bad"
    assert str(rows.error(PriceError, "bad")) == "a, b, c: bad"
    error = pickle.loads(pickle.dumps(taken.error(PriceError, "bad", at=1)))
    assert (error.source, error.row) == ("a", 2)
