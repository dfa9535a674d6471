from __future__ import annotations

import backtrader as bt
import pytest

from vecbt.data.functions import FUNCTIONS

ind = bt.indicators


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sma", ind.SMA),
        ("ema", ind.EMA),
        ("smma", ind.SMMA),
        ("wma", ind.WMA),
        ("stddev", ind.StdDev),
        ("bollinger", ind.BollingerBands),
        ("rsi", ind.RSI_Safe),
        ("macd", ind.MACDHisto),
        ("atr", ind.ATR),
        ("stochastic", ind.Stochastic),
        ("williams_r", ind.WilliamsR),
        ("momentum", ind.Momentum),
        ("roc", ind.ROC),
    ],
)
def test_parameters_are_backtraders(name: str, theirs: type) -> None:
    defaults = dict(theirs.params._getitems())
    ours = {parameter.name: parameter.default for parameter in FUNCTIONS[name].parameters}
    assert ours == {key: defaults[key] for key in ours}


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("sma", "sma(x=close, period=30)"),
        ("highest", "highest(x=close, period)"),
        ("lag", "lag(x, n)"),
        ("log", "log(x)"),
        ("atr", "atr(period=14)"),
        ("bollinger", "bollinger(x=close, period=20, devfactor=2)"),
    ],
)
def test_signature(name: str, signature: str) -> None:
    assert FUNCTIONS[name].signature == signature
