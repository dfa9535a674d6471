from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecbt.data.expressions import Binary, Call, Column, Expression, Line, Negative, Number
from vecbt.data.functions import FUNCTIONS
from vecbt.data.grammar import parse
from vecbt.errors import FeatureError, UnknownNameError, VecbtError

COLUMNS = ("open", "high", "low", "close", "volume", "spread")


def names(text: str, columns: tuple[str, ...] = COLUMNS) -> list[str]:
    return [str(tree) for tree in parse(text, columns)]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("close", "close"),
        (" close ", "close"),
        ("(close)", "close"),
        ("close / open - 1", "close/open-1"),
        ("(high-low)/close", "(high-low)/close"),
        ("(high*low)/close", "high*low/close"),
        ("high*(low/close)", "high*(low/close)"),
        ("high-(low-close)", "high-(low-close)"),
        ("(high-low)-close", "high-low-close"),
        ("high+(low+close)", "high+(low+close)"),
        ("high+low*close", "high+low*close"),
        ("-close", "-close"),
        ("-close*2", "-close*2"),
        ("-(close*2)", "-(close*2)"),
        ("--close", "-(-close)"),
        ("close - -open", "close-(-open)"),
        ("close * -1", "close*(-1)"),
        ("-1 * close", "-1*close"),
        ("2.0 * close", "2*close"),
        ("1e-3 * close", "0.001*close"),
        ("1e20 * close", "1e+20*close"),
        ("(1 + 1) * close", "2*close"),
        ("7 / 2 * close", "3.5*close"),
        ("close * 7 / 2", "close*7/2"),
        ("rsi", "rsi(14)"),
        ("rsi()", "rsi(14)"),
        ("rsi( 9 )", "rsi(9)"),
        ("rsi(9.0)", "rsi(9)"),
        ("rsi(10 - 1)", "rsi(9)"),
        ("rsi(period=9)", "rsi(9)"),
        ("rsi(close, 9)", "rsi(9)"),
        ("rsi(open, 9)", "rsi(open,9)"),
        ("sma(volume)", "sma(volume,30)"),
        ("sma(volume, period=5)", "sma(volume,5)"),
        ("sma(log_return, 20)", "sma(log_return(1),20)"),
        ("ema(rsi(14), 3)", "ema(rsi(14),3)"),
        ("sma((high + low) / 2, 5)", "sma((high+low)/2,5)"),
        ("macd.signal", "macd(12,26,9).signal"),
        ("macd(period_signal=5).histo", "macd(12,26,5).histo"),
        ("macd(open, 3, period_me2=4).macd", "macd(open,3,4,9).macd"),
        ("(bollinger).top", "bollinger(20,2).top"),
        ("bollinger(20, 2.5).top - close", "bollinger(20,2.5).top-close"),
        ("lag(close, 1)", "lag(close,1)"),
        ("diff(close)", "diff(close,1)"),
        ("abs(close - open)", "abs(close-open)"),
        ("(close\n - open)", "close-open"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert names(text) == [canonical]
    assert names(canonical) == [canonical]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("macd", ["macd(12,26,9).macd", "macd(12,26,9).signal"]),
        ("bollinger(10)", ["bollinger(10,2).mid", "bollinger(10,2).top", "bollinger(10,2).bot"]),
        ("stochastic", ["stochastic(14,3,3).k", "stochastic(14,3,3).d"]),
    ],
)
def test_several_lines(text: str, canonical: list[str]) -> None:
    assert names(text) == canonical


def test_a_column_goes_before_a_function() -> None:
    columns = ("close", "rsi", "macd", "adj close", "lambda")
    assert parse("rsi", columns) == (Column("rsi"),)
    assert names("sma(rsi, 5)", columns) == ["sma(rsi,5)"]
    assert names("rsi()", columns) == ["rsi(14)"]
    assert names("macd().signal", columns) == ["macd(12,26,9).signal"]
    with pytest.raises(FeatureError, match=r"macd is a column of the data here; .* macd\(\)\.signal"):
        parse("macd.signal", columns)
    assert parse("adj close", columns) == (Column("adj close"),)
    assert parse("lambda", columns) == (Column("lambda"),)


def test_equal_expressions_are_equal_trees() -> None:
    assert parse("sma( (high+low)/2.0, 20)", COLUMNS) == parse("sma((high + low) / 2, period=20)", COLUMNS)
    assert parse("high - (low - close)", COLUMNS) != parse("high - low - close", COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an expression"),
        ("close +", "not an expression: invalid syntax"),
        ("close\x00", "not an expression"),
        ("close open", "not an expression"),
        ("close = 1", "not an expression"),
        ("42", "it is a constant"),
        ("1 + 2 * 3", "it is a constant"),
        ("close ** 2", r"'close \*\* 2' is no part of an expression: use columns, functions, numbers, \+ - \* /"),
        ("close // 2", "no part of an expression"),
        ("close % 2", "no part of an expression"),
        ("close @ open", "no part of an expression"),
        ("+close", "no part of an expression"),
        ("not close", "no part of an expression"),
        ("~close", "no part of an expression"),
        ("close > open", "no part of an expression"),
        ("close if open else low", "no part of an expression"),
        ("close and open", "no part of an expression"),
        ("(close, open)", "no part of an expression"),
        ("[close]", "no part of an expression"),
        ("close[-1]", r"'close\[-1\]' is no part of an expression: .*; an earlier value is lag\(x, n\)"),
        ("lambda: close", "no part of an expression"),
        ("(x := close)", "no part of an expression"),
        ("'close'", "no part of an expression"),
        ("f'{close}'", "no part of an expression"),
        ("True * close", "'True' is no part"),
        ("None", "'None' is no part"),
        ("1j * close", "no part of an expression"),
        ("__import__('os').system('true')", "no part of an expression|unknown"),
        ("close.__class__", "no part of an expression"),
        ("(close + open).top", "no part of an expression"),
        ("sma(20)(3)", "no part of an expression"),
        ("sma(*close)", "no part of an expression"),
        ("sma(**close)", r"sma has no parameter '\*\*'; its use is sma\(x=close, period=30\)"),
        ("close(-1)", r"close is a column, no function; its value n rows earlier is lag\(close, n\)"),
        ("macd + 1", r"macd\(12,26,9\) has several lines: pick one, \.macd, \.signal, \.histo"),
        ("-bollinger", "has several lines: pick one"),
        ("ema(stochastic, 3)", r"has several lines: pick one, \.k, \.d"),
        ("macd.top", r"macd\(12,26,9\) has no line 'top'; it has \.macd, \.signal, \.histo"),
        ("rsi.rsi", r"rsi\(14\) has no line 'rsi'; it has a single line: write rsi\(14\)"),
        ("macd.macd.macd", "no part of an expression"),
        ("sma(0)", "period of sma must be a whole number of rows, at least 1, got 0"),
        ("sma(-5)", "at least 1, got -5; a negative one would look ahead"),
        ("sma(2.5)", "at least 1, got 2.5"),
        (
            "lag(close, -1)",
            "n of lag must be .*, got -1; a negative one would look ahead, into rows that are not known",
        ),
        ("lag(close, 0)", "at least 1, got 0"),
        ("diff(close, -1)", "would look ahead"),
        ("log_return(-1)", "would look ahead"),
        ("bollinger(20, 0)", "devfactor of bollinger must be above 0, got 0"),
        ("bollinger(20, -2)", "devfactor of bollinger must be above 0, got -2"),
        ("macd(12, 26, 9, 4)", r"macd takes 3 numbers at most, got 4; its use is macd\(x=close, period_me1=12,"),
        ("rsi(14, 3)", "rsi takes 1 number at most, got 2"),
        ("log(close, 2)", r"log takes 0 numbers at most, got 1; its use is log\(x\)"),
        ("sma(20, volume)", r"sma takes no second expression, got volume; its use is sma\(x=close, period=30\)"),
        ("sma(volume, close)", "sma takes no second expression, got close"),
        ("sma(period=close)", "period of sma must be a number, got close"),
        ("sma(window=5)", "sma has no parameter 'window'; its use is"),
        ("sma(5, period=6)", "sma got period twice"),
        ("sma(period=5, period=6)", "sma got period twice|repeated"),
        (
            "atr(close, 14)",
            r"atr reads high, low, close and takes numbers only, got close; its use is atr\(period=14\)",
        ),
        ("lag", r"lag needs a column or an expression as its first argument; its use is lag\(x, n\)"),
        ("log", "log needs a column or an expression"),
        ("log(2)", "log needs a column or an expression"),
        ("lag(close)", r"n of lag is missing; its use is lag\(x, n\)"),
        ("highest", r"period of highest is missing; its use is highest\(x=close, period\)"),
        ("close / 0", "division by zero: close/0"),
        ("close / (1 - 1)", "division by zero"),
        ("1 / 0 * close", "division by zero: 1/0"),
        ("1e999 * close", "a number is beyond the range of float64"),
        ("1e308 * 10 * close", "a number is beyond the range of float64"),
        ("1" + "0" * 400 + " * close", "a number is beyond the range of float64"),
        ("-" * 5000 + "close", "nested"),
        ("-" * 50_000 + "close", "nested"),
        ("(" * 5000 + "close" + ")" * 5000, "nested|not an expression"),
        ("+".join(["close"] * 5000), "nested"),
        ("-" * 200 + "close", "nested more than 100 deep"),
        ("abs(" * 150 + "close" + ")" * 150, "nested more than 100 deep"),
    ],
    ids=lambda text: text[:40],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises((FeatureError, UnknownNameError), match=message):
        parse(text, COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clsoe", r"unknown feature 'clsoe': did you mean 'close'\? Known: abs, atr, "),
        ("sma(clsoe, 20)", r"unknown name in feature 'sma\(clsoe, 20\)': 'clsoe': did you mean 'close'\?"),
        ("smaa(20)", r"'smaa': did you mean 'sma'\?"),
        ("Close", r"unknown feature 'Close': did you mean 'close'\? Names are in lower case"),
        ("RSI(14)", r"'RSI': did you mean 'rsi'\? Names are in lower case"),
        ("qqqq", "unknown feature 'qqqq': Known: .*close.*spread.*volume"),
    ],
)
def test_unknown_names(text: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        parse(text, COLUMNS)


def test_long_sums_are_fine() -> None:
    text = "+".join(["close"] * 90)
    assert names(text) == [text]


def trees() -> st.SearchStrategy[Expression]:
    columns = st.sampled_from(COLUMNS).map(Column)
    numbers = st.floats(-1e6, 1e6).map(lambda x: Number(x + 0.0))
    rows = st.integers(1, 50)

    def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        binary = st.builds(Binary, st.sampled_from("+-*/"), inner, inner)
        return st.one_of(
            inner.map(Negative),
            binary,
            st.builds(Binary, st.sampled_from("+-*"), inner, numbers),
            st.builds(Binary, st.sampled_from("+-*/"), numbers, inner),
            st.builds(lambda x, n: Call(FUNCTIONS["lag"], x, (n,)), inner, rows),
            st.builds(lambda n: Call(FUNCTIONS["rsi"], None, (n,)), rows),
            st.builds(
                lambda x, n, line: Line(Call(FUNCTIONS["bollinger"], x, (n, 2.0)), line),
                inner.filter(lambda x: x != Column("close")),
                rows,
                st.sampled_from(["mid", "top", "bot"]),
            ),
        )

    return st.recursive(columns, larger, max_leaves=12)


@given(trees())
def test_canonical_text_parses_to_the_same_tree(tree: Expression) -> None:
    assert parse(str(tree), COLUMNS) == (tree,)


TOKENS = st.sampled_from(
    [
        *COLUMNS,
        *FUNCTIONS,
        *"+-*/().,=[]{}:!@%&|^~<>'\"\\#;\n\t0123456789",
        "if",
        "lambda",
        "1e5",
        "0x1",
        "**",
        "n=",
        "é",
        "½",
    ]
)


@given(st.one_of(st.text(max_size=30), st.lists(TOKENS, max_size=12).map("".join), st.lists(TOKENS).map(" ".join)))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse(text, COLUMNS)
    except VecbtError:
        return
    for tree in found:
        assert parse(str(tree), COLUMNS) == (tree,)


STREAMS = {"EURUSD": COLUMNS, "USDJPY": COLUMNS[:-1], "DAILY": COLUMNS[:-1]}
ASSETS = ("EURUSD", "USDJPY")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("close", ["EURUSD.close", "USDJPY.close"]),
        ("EURUSD.close", ["EURUSD.close"]),
        ("USDJPY.spread - 1", None),
        ("EURUSD.spread", ["EURUSD.spread"]),
        ("sma(20)", ["EURUSD.sma(20)", "USDJPY.sma(20)"]),
        ("USDJPY.sma(20)", ["USDJPY.sma(20)"]),
        ("USDJPY.sma", ["USDJPY.sma(30)"]),
        ("USDJPY.sma(close, 20)", ["USDJPY.sma(20)"]),
        ("sma(USDJPY.close, 20)", ["USDJPY.sma(20)"]),
        ("sma(USDJPY.volume, 20)", ["sma(USDJPY.volume,20)"]),
        ("USDJPY.sma(volume, 20)", ["sma(USDJPY.volume,20)"]),
        ("DAILY.sma(EURUSD.close - close, 20)", ["sma(EURUSD.close-DAILY.close,20)"]),
        ("DAILY.atr(5) / close", ["DAILY.atr(5)/EURUSD.close", "DAILY.atr(5)/USDJPY.close"]),
        ("EURUSD.close / USDJPY.close", ["EURUSD.close/USDJPY.close"]),
        ("close / EURUSD.close", ["EURUSD.close/EURUSD.close", "USDJPY.close/EURUSD.close"]),
        ("DAILY.macd.signal", ["DAILY.macd(12,26,9).signal"]),
        ("DAILY.macd(2, 3, 4).histo", ["DAILY.macd(2,3,4).histo"]),
        ("lag(DAILY.close, 1)", ["lag(DAILY.close,1)"]),
        ("DAILY.lag(close, 1)", ["lag(DAILY.close,1)"]),
        ("-DAILY.close", ["-DAILY.close"]),
        (
            "macd",
            [
                "EURUSD.macd(12,26,9).macd",
                "EURUSD.macd(12,26,9).signal",
                "USDJPY.macd(12,26,9).macd",
                "USDJPY.macd(12,26,9).signal",
            ],
        ),
        ("DAILY.bollinger(4)", [f"DAILY.bollinger(4,2).{line}" for line in ("mid", "top", "bot")]),
    ],
)
def test_expressions_of_several_streams(text: str, canonical: list[str] | None) -> None:
    if canonical is None:
        with pytest.raises(FeatureError, match=r"USDJPY has no column spread: write EURUSD\.spread"):
            parse(text, STREAMS, ASSETS)
        return
    trees = parse(text, STREAMS, ASSETS)
    assert [str(tree) for tree in trees] == canonical
    assert [tree for name in canonical for tree in parse(name, STREAMS, ASSETS)] == list(trees)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("spread", FeatureError, r"USDJPY has no column spread: write EURUSD\.spread"),
        ("EURUSD", FeatureError, r"EURUSD is a stream: say which column of it, or function, such as EURUSD\.close"),
        ("sma(EURUSD, 3)", FeatureError, "EURUSD is a stream"),
        ("EURUSD(3)", FeatureError, "EURUSD is a stream"),
        ("EURUSD.DAILY", FeatureError, "DAILY is a stream"),
        ("EURUSD.clsoe", UnknownNameError, "unknown name in feature 'EURUSD.clsoe': 'clsoe': did you mean 'close'"),
        ("EURUSX.close", UnknownNameError, "'EURUSX': did you mean 'EURUSD'"),
        ("EURUSD.close.open", FeatureError, r"'EURUSD\.close\.open' is no part of an expression"),
        ("EURUSD.close(3)", FeatureError, "close is a column, no function"),
        ("EURUSD.sma(0)", FeatureError, "period of sma must be a whole number"),
        ("EURUSD.lag(1)", FeatureError, "lag needs a column or an expression"),
        ("EURUSD.macd(3).sma", FeatureError, r"EURUSD\.macd\(3,26,9\) has no line 'sma'"),
        ("EURUSD.(close)", FeatureError, "not an expression"),
    ],
)
def test_what_is_refused_of_several_streams(text: str, error: type[VecbtError], message: str) -> None:
    with pytest.raises(error, match=message):
        parse(text, STREAMS, ASSETS)
