"""Aligning streams of bars by the time at which they are known."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vecbt.data.align import align_bars, read_data
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.reading.read import read_bars
from vecbt.errors import ColumnError, ConfigError, DataFileError, TimestampError, UnknownNameError

MINUTE = 60_000_000_000
START = 1_704_067_200 * 1_000_000_000  # Monday, 1 January 2024, 00:00 UTC


def bars_at(minutes: Any, *, seed: int = 0, name: str = "arrays", **extras: Any) -> Bars:
    """Bars that end after so many minutes, with prices that say which bar they are."""
    stamps = START + MINUTE * np.asarray(minutes, np.int64)
    close = np.random.default_rng(seed).uniform(1.0, 2.0, len(stamps))
    return Bars.from_arrays(stamps, close, close * 1.1, close * 0.9, close, close * 100.0, extras, name=name)


def stamps_of(bars: Bars | AlignedBars) -> list[int]:
    return ((bars.timestamps - START) // MINUTE).tolist()


MINUTES = bars_at(range(1, 241), seed=1)
HOURS = bars_at([60, 120, 180, 240], seed=2)


class TestAssets:
    def test_bars_that_end_together(self) -> None:
        one, two = bars_at([1, 2, 3, 5, 6], seed=1), bars_at([2, 3, 4, 5, 8], seed=2)
        bars = align_bars({"ONE": one, "TWO": two})
        assert (bars.assets, stamps_of(bars), bars.interval, len(bars)) == (("ONE", "TWO"), [2, 3, 5], MINUTE, 3)
        assert bars.column("ONE.close").tolist() == one.close[[1, 2, 3]].tolist()
        assert bars.column("TWO.high").tolist() == two.high[[0, 1, 3]].tolist()
        assert bars.notes == (
            "ONE: left out 2 of 5 bars (40.0%), which end when another asset has no bar.",
            "TWO: left out 2 of 5 bars (40.0%), which end when another asset has no bar.",
        )

    def test_prices_by_row_asset_and_column(self) -> None:
        streams = {"ONE": bars_at([1, 2, 3], seed=1), "TWO": bars_at([1, 2, 3], seed=2)}
        bars = align_bars(streams)
        assert bars.ohlc.shape == (3, 2, 4)
        assert bars.volume.shape == (3, 2)
        for k, part in enumerate(streams.values()):
            assert bars.volume[:, k].tolist() == part.volume.tolist()
            for column, name in enumerate(("open", "high", "low", "close")):
                assert bars.ohlc[:, k, column].tolist() == part.column(name).tolist()

    def test_one_asset_is_taken_as_it_is(self) -> None:
        bars = align_bars({"ONE": MINUTES})
        assert bars.column("ONE.close") is MINUTES.close
        assert bars.notes == ()
        assert bars.by_asset["ONE"].name == "ONE"

    def test_sources_of_all_kinds(self, tmp_path: Path) -> None:
        frame = bars_at([1, 2, 3]).to_frame()
        path = tmp_path / "prices.csv"
        frame.to_csv(path)
        bars = align_bars({"FRAME": frame, "FILE": path, "FILES": [path], "BARS": bars_at([2, 3, 4])})
        assert stamps_of(bars) == [2, 3]
        assert "FILE: Time stamps: offset from UTC." in bars.notes

    def test_stamps_of_starts_are_moved_before_bars_meet(self) -> None:
        frame = bars_at([0, 1, 2]).to_frame()
        bars = align_bars({"ENDS": bars_at([1, 2, 3, 4]), "STARTS": read_bars(frame, stamp="start")})
        assert stamps_of(bars) == [1, 2, 3]

    def test_volume_and_extras(self) -> None:
        without = Bars.from_arrays(HOURS.timestamps, HOURS.open, HOURS.high, HOURS.low, HOURS.close)
        bars = align_bars({"ONE": without, "TWO": bars_at([60, 120, 180], spread=[1.0, 2.0, 3.0])})
        assert not bars.by_asset["ONE"].has_volume
        assert bars.columns[-1] == "TWO.spread"
        assert bars.column("TWO.spread").tolist() == [1.0, 2.0, 3.0]

    @given(
        st.lists(st.sets(st.integers(0, 40), min_size=2, max_size=30).map(sorted), min_size=1, max_size=4),
        st.randoms(use_true_random=False),
    )
    def test_equals_the_inner_join_of_pandas(self, minutes: list[list[int]], random: Any) -> None:
        streams = {f"A{i}": bars_at(rows, seed=random.randrange(99)) for i, rows in enumerate(minutes)}
        expected = pd.concat({name: part.to_frame() for name, part in streams.items()}, axis=1, join="inner")
        assume(len(expected))
        steps = [int(np.diff(rows).min()) for rows in minutes]
        assume(max(steps) <= min(int(part.interval) // MINUTE for part in streams.values()))
        frame = align_bars(streams).to_frame()
        expected.columns = pd.Index([f"{name}.{column}" for name, column in expected.columns])
        pd.testing.assert_frame_equal(frame, expected.sort_index(), check_exact=True, check_freq=False)


class TestJoined:
    def test_a_bar_is_known_at_its_end(self) -> None:
        bars = align_bars({"FAST": MINUTES, "SLOW": HOURS}, asof=["SLOW"])
        assert bars.assets == ("FAST",)
        assert stamps_of(bars) == list(range(60, 241))
        slow = bars.column("SLOW.close").tolist()
        assert slow == [HOURS.close[(minute - 60) // 60] for minute in range(60, 241)]
        assert bars.notes == (
            "SLOW: joined as of the time at which a bar is known, at most 59 min before a row.",
            "Dropped the first 59 rows, before the first bar of SLOW was known.",
        )

    def test_bars_before_the_rows_are_kept_and_later_ones_are_not(self) -> None:
        bars = align_bars({"FAST": bars_at(range(130, 200)), "SLOW": HOURS}, asof=("SLOW",))
        assert len(bars) == 70
        assert stamps_of(bars.joined["SLOW"]) == [60, 120, 180]
        assert bars.joined["SLOW"].interval == HOURS.interval

    def test_the_latest_of_several_decides_where_rows_begin(self) -> None:
        streams = {"FAST": MINUTES, "A": HOURS, "B": bars_at([90, 210])}
        bars = align_bars(streams, asof=["B", "A"])
        assert (stamps_of(bars)[0], tuple(bars.joined)) == (90, ("A", "B"))
        assert bars.notes[-1] == "Dropped the first 89 rows, before the first bar of B was known."

    def test_a_stream_without_a_bar_for_long_is_said_to_be_old(self) -> None:
        bars = align_bars({"FAST": MINUTES, "SLOW": bars_at([1, 2, 3])}, asof=["SLOW"])
        assert "at most 3 h 57 min before a row" in bars.notes[0]

    def test_starts_are_moved_before_they_are_joined(self) -> None:
        days = pd.DataFrame(
            {"open": [1.0, 2.0], "high": [1.0, 2.0], "low": [1.0, 2.0], "close": [1.0, 2.0]},
            index=pd.to_datetime(["2024-01-01", "2024-01-02"]),
        )
        fast = bars_at(range(1, 3 * 1440, 30))
        as_starts = align_bars({"FAST": fast, "DAY": read_bars(days, stamp="start")}, asof=["DAY"])
        as_ends = align_bars({"FAST": fast, "DAY": read_bars(days, stamp="end")}, asof=["DAY"])
        assert stamps_of(as_starts)[0] == 1441  # the first minute that knows Monday's close
        assert stamps_of(as_ends)[0] == 1

    def test_a_source_that_says_nothing_of_its_stamps_is_not_joined(self, tmp_path: Path) -> None:
        HOURS.to_frame().to_csv(tmp_path / "slow.csv")
        for source in (HOURS.to_frame(), tmp_path / "slow.csv"):
            with pytest.raises(TimestampError, match=r"nothing says whether the stamps of SLOW are starts or ends"):
                align_bars({"FAST": MINUTES, "SLOW": source}, asof=["SLOW"])

    def test_a_source_that_names_its_starts_is_joined(self) -> None:
        frame = HOURS.to_frame().rename_axis("open_time")
        bars = align_bars({"FAST": MINUTES, "SLOW": frame}, asof=["SLOW"])
        assert stamps_of(bars)[0] == 120

    def test_assets_of_which_one_says_nothing_of_its_stamps(self) -> None:
        silent, said = MINUTES.to_frame(), MINUTES.to_frame().rename_axis("open_time")
        message = r"those of SAID say that they are starts, none says whether the stamps of SILENT are starts or ends"
        for streams in ({"SILENT": silent, "SAID": said}, {"SAID": said, "SILENT": silent}):
            with pytest.raises(TimestampError, match=message):
                align_bars(streams)
        for own in (MINUTES, read_bars(silent, stamp="end")):
            assert len(align_bars({"SAID": said, "OWN": own})) == 239
        assert len(align_bars({"SAID": said, "TOO": said})) == 240

    @given(
        fast=st.sets(st.integers(0, 300), min_size=3, max_size=80).map(sorted),
        slow=st.sets(st.integers(0, 300), min_size=1, max_size=20).map(sorted),
        last=st.integers(1, 80),
    )
    def test_equals_merge_asof_of_pandas(self, fast: list[int], slow: list[int], last: int) -> None:
        streams = {"FAST": bars_at(fast, seed=1), "SLOW": bars_at(slow, seed=2)}
        assume(slow[0] <= fast[-1])
        assume(len(slow) == 1 or streams["SLOW"].interval >= streams["FAST"].interval)
        left, right = (
            part.to_frame().add_prefix(f"{name}.").assign(known=part.timestamps).reset_index(drop=True)
            for name, part in streams.items()
        )
        expected = pd.merge_asof(left, right, on="known").dropna().reset_index(drop=True)
        bars = align_bars(streams, asof=["SLOW"])
        assert bars.timestamps.tolist() == expected.pop("known").tolist()
        frame = bars.to_frame().reset_index(drop=True)
        pd.testing.assert_frame_equal(frame, expected[list(bars.columns)], check_exact=True)
        part = bars.rows(0, min(last, len(bars)))
        pd.testing.assert_frame_equal(part.to_frame().reset_index(drop=True), frame[: len(part)], check_exact=True)
        assert part.joined["SLOW"].timestamps[-1] <= part.timestamps[-1]


class TestAlignedBars:
    BARS = align_bars({"ONE": MINUTES, "TWO": bars_at(range(1, 241), seed=5), "SLOW": HOURS}, asof=["SLOW"])

    def test_copies_and_pickles(self) -> None:
        assert copy.copy(self.BARS) is self.BARS
        assert copy.deepcopy(self.BARS) is self.BARS
        again = pickle.loads(pickle.dumps(self.BARS))
        assert again.fingerprint() == self.BARS.fingerprint()
        assert (again.assets, again.notes, repr(again)) == (self.BARS.assets, self.BARS.notes, repr(self.BARS))

    def test_everything_is_read_only(self) -> None:
        for bars in (self.BARS, pickle.loads(pickle.dumps(self.BARS)), self.BARS.rows(3, 9)):
            for name in bars.columns:
                assert not bars.column(name).flags.writeable
            with pytest.raises(TypeError):
                bars.by_asset["ONE"] = HOURS

    def test_the_fingerprint_knows_names_order_kinds_and_contents(self) -> None:
        one, two = bars_at(range(1, 9), seed=1), bars_at(range(1, 9), seed=2)
        prints = [
            align_bars(streams, asof=asof).fingerprint()
            for streams, asof in (
                ({"A": one, "B": two}, ()),
                ({"B": two, "A": one}, ()),
                ({"B": one, "A": two}, ()),
                ({"A": one, "C": two}, ()),
                ({"A": one, "B": two}, ("B",)),
                ({"A": one}, ()),
                ({"A": one, "B": bars_at(range(1, 9), seed=3)}, ()),
            )
        ]
        assert len(set(prints)) == len(prints)
        assert align_bars({"A": one, "B": two}).fingerprint() == prints[0]

    def test_unknown_columns(self) -> None:
        for name in ("close", "ONE.clsoe", "THREE.close", "ONE"):
            with pytest.raises(UnknownNameError, match="column"):
                self.BARS.column(name)

    @pytest.mark.parametrize(("first", "last"), [(-1, 3), (3, 3), (0, 182)])
    def test_rows_that_are_not_there(self, first: int, last: int) -> None:
        with pytest.raises(ConfigError, match="expected 0 <= first < last <= 181"):
            self.BARS.rows(first, last)

    def test_repr(self) -> None:
        assert repr(self.BARS) == (
            "<AlignedBars ONE, TWO: 181 bars of 1 min, 2024-01-01 01:00:00 to 2024-01-01 04:00:00 UTC, beside them "
            "SLOW>"
        )
        assert repr(align_bars({"ONE": bars_at([7])})).startswith("<AlignedBars ONE: 1 bar, 2024-01-01 00:07:00")


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("BTC-USD", "must be an identifier, such as 'BTC_USD', for use in features; got 'BTC-USD'"),
            ("1INCH", "must be an identifier, for use in features; got '1INCH'"),
            ("in", "must be an identifier, for use in features; got 'in'"),
            (3, "must be an identifier, for use in features; got 3"),
            ("", "must be an identifier, for use in features; got ''"),
            ("sma", "must differ from all functions of features; got 'sma'"),
            ("close", "'close' is a column: a mapping has streams of bars by name; columns belong into a pandas"),
        ],
    )
    def test_names(self, name: Any, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            align_bars({"ONE": MINUTES, name: MINUTES})

    def test_no_stamp_in_common(self) -> None:
        shifted = Bars.from_arrays(MINUTES.timestamps + 1, MINUTES.open, MINUTES.high, MINUTES.low, MINUTES.close)
        with pytest.raises(TimestampError) as caught:
            align_bars({"ONE": MINUTES, "TWO": MINUTES, "THREE": shifted})
        assert str(caught.value) == (
            "arrays: no bar of THREE (2024-01-01 00:01:00.000000001 to 2024-01-01 04:00:00.000000001 UTC) ends when "
            "one of ONE, TWO (2024-01-01 00:01:00 to 2024-01-01 04:00:00 UTC) does: check their time zones and whether "
            "their stamps are starts or ends (read_bars has tz and stamp), or join THREE as of the others (align_bars "
            "has asof)"
        )

    def test_bars_of_different_lengths(self) -> None:
        message = "HOURS has bars of 1 h, MINUTES of 1 min: resample MINUTES if both are traded, or join HOURS as of"
        for streams in ({"MINUTES": MINUTES, "HOURS": HOURS}, {"HOURS": HOURS, "MINUTES": MINUTES}):
            with pytest.raises(TimestampError, match=message):
                align_bars(streams)

    def test_bars_with_holes_are_not_longer(self) -> None:
        sparse = bars_at([1, 3, 5, 6, 8, 10, 12])  # every second minute, but for a step of one
        assert stamps_of(align_bars({"ONE": MINUTES, "TWO": sparse})) == [1, 3, 5, 6, 8, 10, 12]

    def test_a_joined_stream_that_is_faster(self) -> None:
        with pytest.raises(TimestampError, match="FAST has bars of 1 min, shorter than those of 1 h that it is to be"):
            align_bars({"SLOW": HOURS, "FAST": MINUTES}, asof=["FAST"])

    def test_a_joined_stream_that_comes_too_late(self) -> None:
        with pytest.raises(TimestampError, match=r"no bar of LATE .* is known at any row"):
            align_bars({"FAST": MINUTES, "LATE": bars_at([241, 301])}, asof=["LATE"])

    def test_asof(self) -> None:
        with pytest.raises(UnknownNameError, match="unknown stream in asof 'HUORS': did you mean 'HOURS'"):
            align_bars({"MINUTES": MINUTES, "HOURS": HOURS}, asof=["HUORS"])
        with pytest.raises(ConfigError, match=r"got the string 'HOURS': write \['HOURS'\]"):
            align_bars({"MINUTES": MINUTES, "HOURS": HOURS}, asof="HOURS")
        with pytest.raises(ConfigError, match="leave one out of asof"):
            align_bars({"HOURS": HOURS}, asof=["HOURS"])

    @pytest.mark.parametrize("data", [None, MINUTES, [MINUTES]])
    def test_no_mapping(self, data: Any) -> None:
        with pytest.raises(ConfigError, match="expected a mapping from names to streams of bars, got"):
            align_bars(data)

    def test_no_stream(self) -> None:
        with pytest.raises(ConfigError, match="at least one stream"):
            align_bars({})

    def test_aligned_twice(self) -> None:
        with pytest.raises(ConfigError, match="TWO has been aligned already: align its streams by name, A, B"):
            align_bars({"ONE": HOURS, "TWO": align_bars({"A": HOURS, "B": HOURS})})

    def test_what_cannot_be_read_says_of_which_stream_it_is(self, tmp_path: Path) -> None:
        with pytest.raises(DataFileError) as missing:
            align_bars({"ONE": MINUTES, "TWO": tmp_path / "none.csv"})
        assert missing.value.__notes__ == ["This was read for 'TWO'."]
        with pytest.raises(ColumnError) as column:
            align_bars({"ONE": HOURS.to_frame().drop(columns="high")})
        assert column.value.__notes__ == ["This was read for 'ONE'."]

    def test_lines_of_a_strategy_that_would_have_one_name(self) -> None:
        asset = bars_at([1, 2, 3], slow_close=[1.0, 2.0, 3.0])
        with pytest.raises(ConfigError, match=r"would know both slow\.close and a column of ONE as slow_close"):
            align_bars({"ONE": asset, "slow": bars_at([1])}, asof=["slow"])


def test_read_data() -> None:
    aligned = align_bars({"ONE": MINUTES})
    assert read_data(aligned) is aligned
    assert read_data(MINUTES) is MINUTES
    assert read_data({"ONE": MINUTES}).fingerprint() == aligned.fingerprint()
    assert isinstance(read_data(HOURS.to_frame()), Bars)
