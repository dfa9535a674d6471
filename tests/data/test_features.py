from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.kernels.indicator_cases import CASES, Prices, price_series
from vecbt.data.align import align_bars
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.features import compile_features
from vecbt.data.functions import FUNCTIONS
from vecbt.errors import FeatureError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

WALK = price_series()["walk"]
NAN, INF = math.nan, math.inf


def bars(close: Sequence[float], **extras: Sequence[float]) -> Prices:
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return Prices("demo", {name: np.array(x, dtype=float) for name, x in {**prices, **extras}.items()})


class TestTable:
    def test_columns_and_first_row(self) -> None:
        table = compile_features(["close", "sma(3)", "macd(2,3,2)", "log_return"], WALK)
        assert table.names == ("close", "sma(3)", "macd(2,3,2).macd", "macd(2,3,2).signal", "log_return(1)")
        assert table.first_valid == 3
        assert np.isnan(table.values).sum(axis=0).tolist() == [0, 2, 2, 3, 1]
        assert np.isfinite(table.values[3:]).all()
        np.testing.assert_array_equal(table.values[:, 0], WALK.column("close"))

    def test_layout(self) -> None:
        table = compile_features(["close", "rsi"], WALK)
        assert table.values.shape == (len(WALK), 2)
        assert table.values.dtype == np.float64
        assert table.values.flags.c_contiguous
        assert not table.values.flags.writeable
        with pytest.raises(dataclasses.FrozenInstanceError):
            table.first_valid = 0  # type: ignore[misc]

    def test_data_are_left_alone(self) -> None:
        before = {name: WALK.column(name).copy() for name in WALK.columns}
        compile_features([case.expression for case in CASES], WALK)
        for name, values in before.items():
            np.testing.assert_array_equal(WALK.column(name), values)

    def test_no_features(self) -> None:
        table = compile_features([], WALK)
        assert table.values.shape == (len(WALK), 0)
        assert (table.names, table.first_valid, table.price_of) == ((), 0, ())

    def test_read_only_and_strided_columns(self) -> None:
        wide = np.arange(40.0).reshape(20, 2) + 1.0
        wide.setflags(write=False)
        table = compile_features(
            ["sma(3)", "highest(3)", "ema(3)", "wma(3)"], dataclasses.replace(WALK, data={"close": wide[:, 1]})
        )
        expected = compile_features(["sma(3)", "highest(3)", "ema(3)", "wma(3)"], bars(wide[:, 1].tolist()))
        np.testing.assert_array_equal(table.values, expected.values)


class TestSharing:
    def test_each_part_is_computed_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            return plain(*args, **kwargs)

        plain = FUNCTIONS["rsi"].compute
        monkeypatch.setitem(FUNCTIONS, "rsi", dataclasses.replace(FUNCTIONS["rsi"], compute=counted))
        compile_features(["rsi", "ema(rsi(14), 3)", "rsi(close, period=14) / 100 - rsi()"], WALK)
        assert len(calls) == 1

    def test_lines_of_one_call_are_computed_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []
        plain = FUNCTIONS["bollinger"].compute
        counted = dataclasses.replace(
            FUNCTIONS["bollinger"], compute=lambda *args, **kwargs: calls.append(args) or plain(*args, **kwargs)
        )
        monkeypatch.setitem(FUNCTIONS, "bollinger", counted)
        compile_features(["bollinger", "bollinger.top - bollinger.bot"], WALK)
        assert len(calls) == 1

    @pytest.mark.parametrize(
        ("names", "column", "first"),
        [
            (["rsi", "rsi(14)"], r"rsi\(14\)", "rsi"),
            (["close", "open", "(close)"], "close", "close"),
            (["macd.signal", "macd"], r"macd\(12,26,9\)\.signal", "macd.signal"),
        ],
    )
    def test_repeated(self, names: list[str], column: str, first: str) -> None:
        with pytest.raises(FeatureError, match=f"column '{column}' is there already, from '{first}': remove one"):
            compile_features(names, WALK)


class TestArithmetic:
    COLUMNS = st.sampled_from(["open", "high", "low", "close", "volume"])
    NUMBERS = st.one_of(st.integers(0, 20), st.floats(0.0, 20.0)).map(repr)
    TEXTS = st.recursive(
        st.one_of(COLUMNS, COLUMNS, NUMBERS),
        lambda inner: st.one_of(
            st.builds("{} {} {}".format, inner, st.sampled_from("+-*/"), inner),
            st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
            inner.map("-{}".format),
        ),
        max_leaves=10,
    )

    @given(TEXTS)
    @settings(deadline=None, max_examples=300)
    def test_equals_python_row_by_row(self, text: str) -> None:
        prices = WALK.rows(0, 30)
        assume(any(name in text for name in prices.columns))
        rows = [
            dict(zip(prices.columns, bar, strict=True))
            for bar in zip(*(x.tolist() for x in prices.data.values()), strict=True)
        ]
        try:
            expected = [float(eval(text, {"__builtins__": {}}, row)) for row in rows]
            possible = bool(np.isfinite(expected).all())
        except ZeroDivisionError:
            possible = False
        if possible:
            np.testing.assert_array_equal(compile_features([text], prices).values[:, 0], expected)
        else:
            with pytest.raises(FeatureError):
                compile_features([text], prices)

    def test_division_by_zero(self) -> None:
        with pytest.raises(FeatureError, match=r"feature 'close / x': division by zero in row 2 of demo, where x is 0"):
            compile_features(["close / x"], bars([1.0] * 4, x=[1.0, 2.0, 0.0, 0.0]))
        with pytest.raises(FeatureError, match=r"in row 1 of demo, where diff\(close,1\) is 0"):
            compile_features(["1 / diff(close)"], bars([1.0] * 4))

    def test_zero_in_the_warm_up_of_the_numerator(self) -> None:
        table = compile_features(["sma(3) / x"], bars([1.0] * 4, x=[0.0, 0.0, 2.0, 4.0]))
        np.testing.assert_array_equal(table.values[:, 0], [NAN, NAN, 0.5, 0.25])

    def test_overflow(self) -> None:
        with pytest.raises(FeatureError, match=r"x\*x is inf in row 1 of demo: the result is beyond the range"):
            compile_features(["x * x"], bars([1.0] * 3, x=[1.0, 1e200, 2.0]))


class TestNotFinite:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("williams_r(2)", r"williams_r\(2\) is nan in row 2 of demo: the highest high is the lowest low"),
            ("ema(williams_r(2), 2)", r"feature 'ema\(williams_r\(2\), 2\)': williams_r\(2\) is nan in row 2"),
            ("roc(x, 1)", r"roc\(x,1\) is inf in row 3 of demo: it would divide by the earlier value, which is 0"),
            ("log(x)", r"log\(x\) is nan in row 2 of demo: the logarithm needs a value above 0"),
            ("log_return(x)", r"log_return\(x,1\) is nan in row 2 of demo: the logarithm needs a ratio above 0"),
            ("stddev(y, 2)", r"stddev\(y,2\) is nan in row 2 of demo: the result is beyond the range of float64"),
            ("sma(z, 2)", r"sma\(z,2\) is inf in row 2 of demo: the result is beyond the range of float64"),
        ],
    )
    def test_names_expression_and_row(self, text: str, message: str) -> None:
        data = bars(
            [1.0, 2.0, 2.0, 1.0],
            x=[1.0, 2.0, 0.0, 4.0],
            y=[1.0, 2.0, 1e200, 1.0],
            z=[1.0, 1.7e308, 1.7e308, 1.0],
        )
        with pytest.raises(FeatureError, match=message):
            compile_features([text], data)

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            ([1.0, NAN, 2.0], "x is nan in row 1 of demo: the data must be finite"),
            ([NAN, 1.0, INF], "x is inf in row 2 of demo"),
            ([-INF, 1.0, 2.0], "x is -inf in row 0 of demo"),
            ([NAN, NAN, NAN], "column x of demo has no value at all"),
        ],
    )
    def test_columns(self, x: list[float], message: str) -> None:
        with pytest.raises(FeatureError, match=message):
            compile_features(["close", "sma(x, 1)"], bars([1.0, 2.0, 3.0], x=x))

    def test_column_of_the_wrong_length(self) -> None:
        with pytest.raises(FeatureError, match=r"column x must have shape \(3,\), got \(2,\)"):
            compile_features(["x"], bars([1.0, 2.0, 3.0], x=[1.0, 2.0]))


class TestWarmUp:
    def test_leading_nan_is_warm_up(self) -> None:
        late = compile_features(
            ["x", "sma(x, 2)", "rsi(x, 2)", "-x", "abs(x)", "x - close", "lag(x, 1)", "log(x)", "macd(x, 2, 3, 2)"],
            bars([1.0] * 9, x=[NAN, NAN, 3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]),
        )
        assert np.isnan(late.values).sum(axis=0).tolist() == [2, 3, 4, 2, 2, 2, 3, 2, 4, 5]
        early = compile_features(
            ["x", "sma(x, 2)", "rsi(x, 2)", "-x", "abs(x)", "x - close", "lag(x, 1)", "log(x)", "macd(x, 2, 3, 2)"],
            bars([1.0] * 7, x=[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]),
        )
        np.testing.assert_array_equal(late.values[2:], early.values)
        assert late.first_valid == early.first_valid + 2

    def test_inputs_that_begin_apart(self) -> None:
        data = Prices("late", {**WALK.data, "high": np.concatenate([[NAN] * 7, WALK.column("high")[7:]])})
        names = ["atr(3)", "williams_r(4)", "stochastic(4, 2, 2)"]
        late, early = compile_features(names, data), compile_features(names, WALK.rows(7, len(WALK)))
        np.testing.assert_array_equal(late.values[7:], early.values)
        assert late.first_valid == early.first_valid + 7

    @pytest.mark.parametrize(
        ("text", "needed"),
        [("sma(11)", 11), ("rsi(10)", 11), ("lag(close, 10)", 11), ("macd(5, 8, 4)", 11), ("ema(sma(6), 6)", 11)],
    )
    def test_too_few_rows(self, text: str, needed: int) -> None:
        with pytest.raises(FeatureError, match=f"after {needed} rows, and demo has {needed - 1}: shorten its period"):
            compile_features([text], bars(range(1, needed)))
        assert compile_features([text], bars(range(1, needed + 1))).first_valid == needed - 1

    def test_absurd_period(self) -> None:
        with pytest.raises(FeatureError, match="shorten its period"):
            compile_features(["sma(1e300)"], WALK)


PRICE = [
    "open", "high", "low", "close", "-close", "2 * close", "close / 2", "(high + low) / 2", "high - low", "sma(5)",
    "ema(5)", "smma(5)", "wma(5)", "highest(high, 5)", "lowest(low, 5)", "bollinger.top", "stddev(5)", "atr(5)",
    "macd.macd", "macd.histo", "diff(close)", "momentum(3)", "lag(open, 2)", "abs(diff(close))",
    "sma(diff(close), 3)",
]  # fmt: skip
NO_PRICE = [
    "volume", "sma(volume, 5)", "rsi", "stochastic.k", "williams_r", "roc(2)", "log_return", "log(close)",
    "close / open", "close / open - 1", "close * open", "close * volume", "close + volume", "close - 1", "2 / close",
    "atr(5) / close", "diff(volume)", "ema(log_return, 4)", "rsi(volume)",
]  # fmt: skip


class TestPriceLike:
    @pytest.mark.parametrize("text", PRICE)
    def test_price(self, text: str) -> None:
        assert compile_features([text], WALK).price_of == (0,)

    @pytest.mark.parametrize("text", NO_PRICE)
    def test_other(self, text: str) -> None:
        assert compile_features([text], WALK).price_of == (-1,)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.expression)
    def test_price_like_columns_scale_with_prices(self, case: Any) -> None:
        prices = {name: x * (1.0 if name == "volume" else 4.0) for name, x in WALK.data.items()}
        once = compile_features([case.expression], WALK)
        scaled = compile_features([case.expression], Prices("scaled", prices))
        for i, asset in enumerate(once.price_of):
            if asset == 0:
                np.testing.assert_allclose(scaled.values[:, i], 4.0 * once.values[:, i], rtol=1e-9, atol=1e-9)
            else:  # nothing in the table of cases scales with prices by accident
                assert not np.allclose(scaled.values[:, i], 4.0 * once.values[:, i], equal_nan=True)


class TestErrors:
    def test_a_string_is_no_sequence_of_features(self) -> None:
        with pytest.raises(FeatureError, match=r"got the string 'close': write \('close',\)"):
            compile_features("close", WALK)

    @pytest.mark.parametrize("name", [3, None, b"close", ("close",)])
    def test_features_are_strings(self, name: Any) -> None:
        with pytest.raises(FeatureError, match="a feature must be a string, got"):
            compile_features(["close", name], WALK)

    def test_messages_name_the_feature(self) -> None:
        with pytest.raises(FeatureError, match=r"^feature 'sma\(0\)': period of sma must be"):
            compile_features(["close", "sma(0)"], WALK)
        with pytest.raises(UnknownNameError, match=r"unknown feature 'clsoe': did you mean 'close'\?"):
            compile_features(["close", "clsoe"], WALK)


def bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.int64)


@given(row=st.integers(160, 318), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_no_row_depends_on_later_ones(row: int, seed: int) -> None:
    expressions = [case.expression for case in CASES]
    now = compile_features(expressions, WALK).values[: row + 1]
    future = np.sort(np.random.default_rng(seed).uniform(0.1, 9.0, (5, len(WALK))), axis=0)
    place = {"low": 0, "open": 1, "close": 2, "volume": 3, "high": 4}
    known = np.arange(len(WALK)) <= row
    other = {name: np.where(known, x, future[place[name]]) for name, x in WALK.data.items()}
    changed = compile_features(expressions, Prices("changed", other)).values[: row + 1]
    np.testing.assert_array_equal(bits(changed), bits(now))
    cut = compile_features(expressions, WALK.rows(0, row + 1)).values
    np.testing.assert_array_equal(bits(cut), bits(now))


MINUTE = 60_000_000_000


def aligned(count: int = 400, every: int = 60, seed: int = 0) -> AlignedBars:
    """Two assets of minutes, beside them bars of an hour of which the first three end before the minutes begin."""
    stamps = MINUTE * np.arange(1 + 3 * every, 1 + 3 * every + count)
    hours = MINUTE * every * np.arange(1, 4 + count // every)
    streams = {"A": stamps, "B": stamps, "HOUR": hours}
    return align_bars({name: walk(at, seed + i) for i, (name, at) in enumerate(streams.items())}, asof=["HOUR"])


def walk(stamps: Any, seed: int) -> Bars:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, len(stamps))))
    open_ = close * np.exp(random.normal(0.0, 0.005, len(stamps)))
    spread = np.exp(np.abs(random.normal(0.0, 0.005, len(stamps))))
    volume = np.floor(random.uniform(1.0, 99.0, len(stamps)))
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    return Bars.from_arrays(stamps, open_, top * spread, bottom / spread, close, volume)


class TestStreams:
    BARS = aligned()

    def test_columns_of_each_asset(self) -> None:
        table = compile_features(["close", "sma(3)", "B.volume", "HOUR.close"], self.BARS)
        assert table.names == ("A.close", "B.close", "A.sma(3)", "B.sma(3)", "B.volume", "HOUR.close")
        assert table.price_of == (0, 1, 0, 1, -1, -1)
        assert table.first_valid == 2
        for i, name in enumerate(table.names):
            if "sma" not in name:
                np.testing.assert_array_equal(table.values[:, i], self.BARS.column(name))

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.expression)
    def test_each_asset_has_what_it_would_have_alone(self, case: Any) -> None:
        table = compile_features([case.expression], self.BARS)
        alone = [compile_features([case.expression], self.BARS.by_asset[name]) for name in ("A", "B")]
        np.testing.assert_array_equal(table.values, np.concatenate([one.values for one in alone], axis=1))
        assert table.first_valid == alone[0].first_valid
        assert table.price_of == tuple(k if x == 0 else -1 for k, one in enumerate(alone) for x in one.price_of)

    @pytest.mark.parametrize(
        ("text", "asset"),
        [
            ("A.close - A.open", 0),
            ("B.close - B.open", 1),
            ("A.close - B.close", -1),
            ("2 * B.close", 1),
            ("B.sma(3) / 2", 1),
            ("A.close / B.close", -1),
            ("A.close * B.close", -1),
            ("A.close + HOUR.close", -1),
            ("HOUR.close * 2", -1),
            ("HOUR.atr(2)", -1),
            ("sma(B.close - B.lag(close, 1), 4)", 1),
            ("B.atr(4)", 1),
        ],
    )
    def test_the_asset_whose_price_it_is(self, text: str, asset: int) -> None:
        assert compile_features([text], self.BARS).price_of == (asset,)

    def test_arithmetic_on_several_streams(self) -> None:
        a, b, hour = (self.BARS.column(f"{name}.close") for name in ("A", "B", "HOUR"))
        table = compile_features(["A.close / B.close", "close - HOUR.close", "HOUR.close / HOUR.open"], self.BARS)
        expected = [a / b, a - hour, b - hour, hour / self.BARS.column("HOUR.open")]
        np.testing.assert_array_equal(table.values, np.stack(expected, axis=1))

    def test_functions_of_what_mixes_streams_count_rows(self) -> None:
        table = compile_features(["sma(A.close - HOUR.close, 3)"], self.BARS)
        difference = bars((self.BARS.column("A.close") - self.BARS.column("HOUR.close")).tolist())
        np.testing.assert_array_equal(table.values, compile_features(["sma(3)"], difference).values)

    def test_functions_of_a_joined_stream_count_its_own_bars(self) -> None:
        own = self.BARS.joined["HOUR"]
        texts = ["sma(2)", "atr(3)", "sma(close / open, 4) - 1", "macd(2, 3, 2).histo"]
        table = compile_features([f"HOUR.{text}" for text in texts], self.BARS)
        known = self.BARS.known("HOUR")
        expected = compile_features(texts, own).values[known]
        np.testing.assert_array_equal(table.values, expected)
        assert table.first_valid == np.argmax(np.isfinite(expected).all(axis=1)) == 59  # the fourth hour

    def test_a_value_that_comes_too_late(self) -> None:
        with pytest.raises(FeatureError, match=r"'HOUR.sma\(10\)': HOUR.sma\(10\) has its first value after 10 rows"):
            compile_features(["HOUR.sma(10)"], self.BARS)

    def test_messages_name_the_stream_and_its_row(self) -> None:
        stamps = MINUTE * np.arange(1, 5)
        ones = np.ones(4)
        flat = Bars.from_arrays(stamps, ones, ones, ones, ones)
        data = align_bars({"A": walk(stamps, 1), "FLAT": flat, "SLOW": flat}, asof=["SLOW"])
        with pytest.raises(FeatureError, match=r"division by zero in row 1 of SLOW, where diff\(SLOW.close,1\) is 0"):
            compile_features(["1 / SLOW.diff(close)"], data)
        with pytest.raises(FeatureError, match=r"in row 1 of A, FLAT, where diff\(FLAT.close,1\) is 0"):
            compile_features(["1 / FLAT.diff(close)"], data)
        with pytest.raises(FeatureError, match=r"FLAT.williams_r\(2\) is nan in row 1 of A, FLAT"):
            compile_features(["A.williams_r(2)", "FLAT.williams_r(2)"], data)
        with pytest.raises(FeatureError, match=r"column 'A\.close' is there already, from 'close': remove one"):
            compile_features(["close", "A.close"], data)

    def test_a_late_extra_of_a_joined_stream_is_warm_up(self) -> None:
        stamps = MINUTE * np.arange(1, 7)
        late = [NAN, NAN, 3.0]
        slow = Bars.from_arrays(MINUTE * np.array([1, 3, 5]), *(np.ones(3),) * 4, extras={"late": late})
        data = align_bars({"A": walk(stamps, 1), "SLOW": slow}, asof=["SLOW"])
        table = compile_features(["SLOW.late", "A.close * SLOW.late"], data)
        assert table.values[:, 0].tolist()[4:] == [3.0, 3.0]
        assert table.first_valid == 4
        with pytest.raises(FeatureError, match=r"column SLOW\.late of SLOW has no value at all"):
            compile_features(["SLOW.late"], data.rows(0, 4))


class Averages(bt.Strategy):
    """Notes what Backtrader's own indicators on data of two time frames show at each bar of the quicker."""

    def __init__(self) -> None:
        self.lines_seen: dict[int, tuple[float, ...]] = {}
        slow = self.data1
        self.indicators = [
            bt.indicators.SMA(slow.close, period=2),
            bt.indicators.EMA(slow.close, period=3),
            bt.indicators.ATR(slow, period=2),
            bt.indicators.RSI_Safe(slow.close, period=2),
        ]

    def next(self) -> None:
        self.lines_seen[len(self.data0) - 1] = (self.data1.close[0], *(line[0] for line in self.indicators))


def test_joined_streams_are_backtraders_time_frames() -> None:
    data = aligned(count=500)
    cerebro = bt.Cerebro(stdstats=False, runonce=False)
    for name in ("A", "HOUR"):
        frame = data.streams[name].to_frame().tz_localize(None)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame, name=name, timeframe=bt.TimeFrame.Minutes))
    cerebro.addstrategy(Averages)
    seen = cerebro.run()[0].lines_seen
    names = ["HOUR.close", "HOUR.sma(2)", "HOUR.ema(3)", "HOUR.atr(2)", "HOUR.rsi(2)"]
    table = compile_features(names, data)
    rows = np.array(sorted(seen))
    assert len(rows) > 400
    np.testing.assert_array_equal(table.values[rows], np.array([seen[row] for row in rows]))


@given(row=st.integers(0, 398), every=st.integers(1, 90), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_no_row_depends_on_what_is_known_later(row: int, every: int, seed: int) -> None:
    expressions = [
        *(
            "close",
            "A.close / B.close",
            "HOUR.close",
            "HOUR.volume",
            "HOUR.sma(2)",
            "HOUR.rsi(2)",
            "close / HOUR.ema(2)",
        ),
        *("sma(close - HOUR.close, 2)", "HOUR.macd(1, 2, 1)", "HOUR.atr(1) / A.atr(2)", "HOUR.lag(close, 1)"),
    ]
    data = aligned(every=every)
    known_at = data.timestamps[row]
    other = {}
    for i, (name, part) in enumerate(data.streams.items()):
        own = walk(part.timestamps, seed % 1000 + 7 * i)
        later = part.timestamps > known_at  # by the time at which a bar is known
        columns = {c: np.where(later, own.column(c), part.column(c)) for c in part.columns}
        other[name] = Bars.from_arrays(part.timestamps, **columns)
    changed = align_bars(other, asof=["HOUR"])
    now, then = compile_features(expressions, data), compile_features(expressions, changed)
    np.testing.assert_array_equal(bits(then.values[: row + 1]), bits(now.values[: row + 1]))
    assert not np.array_equal(bits(then.values[row + 1 :]), bits(now.values[row + 1 :]))
    for name in data.columns:
        assert changed.column(name)[: row + 1].tolist() == data.column(name)[: row + 1].tolist()
