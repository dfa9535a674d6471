"""The functions that a feature expression may call: their parameters, inputs, lines and warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vecbt.kernels import indicators

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FUNCTIONS", "Function", "Parameter"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A numeric parameter.

    Attributes:
        name: Backtrader's name for it.
        default: Backtrader's default; None if it must be given.
        rows: It counts rows, a whole number of at least 1; otherwise it is any positive number.
    """

    name: str
    default: float | None = None
    rows: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the expression language.

    Attributes:
        name: Its name in expressions.
        compute: Called as ``compute(*inputs, *parameters, start=row)`` with float64 columns of shape (T,); returns a
            column, or a tuple of one for each line.
        warmup: Called with the parameters; says for each line how many rows after ``start`` its first value comes.
        parameters: In their order.
        inputs: Columns that it reads. A single one is a default, which an expression may replace; none at all: the
            expression must be given.
        lines: Names of its lines, if it has several; those from ``shown`` on come only if asked for by name.
        shown: Number of lines that a call stands for by itself.
        price: Prices go in, and something in units of the price comes out.
        undefined: When a value is not finite although its inputs are.
    """

    name: str
    compute: Callable[..., Any]
    warmup: Callable[..., tuple[int, ...]]
    parameters: tuple[Parameter, ...] = ()
    inputs: tuple[str, ...] = ("close",)
    lines: tuple[str, ...] = ()
    shown: int = 0
    price: bool = False
    undefined: str = "the result is beyond the range of float64"

    @property
    def signature(self) -> str:
        """How it is called, defaults included: ``sma(x=close, period=30)``."""
        arguments = [p.name if p.default is None else f"{p.name}={p.default:g}" for p in self.parameters]
        if self.takes_expression:
            arguments.insert(0, f"x={self.inputs[0]}" if self.inputs else "x")
        return f"{self.name}({', '.join(arguments)})"

    @property
    def takes_expression(self) -> bool:
        """Whether its first argument is an expression; otherwise it takes numbers only."""
        return len(self.inputs) <= 1


def _period(default: int | None) -> tuple[Parameter, ...]:
    return (Parameter("period", default),)


def _window(period: int) -> tuple[int, ...]:
    return (period - 1,)


def _shift(n: int) -> tuple[int, ...]:
    return (n,)


def _macd(period_me1: int, period_me2: int, period_signal: int) -> tuple[int, ...]:
    line = max(period_me1, period_me2) - 1
    signal = line + period_signal - 1
    return line, signal, signal


def _stochastic(period: int, period_dfast: int, period_dslow: int) -> tuple[int, ...]:
    k = period - 1 + period_dfast - 1
    return k, k + period_dslow - 1


_BARS = ("high", "low", "close")

_ALL = (
    Function("sma", indicators.sma, _window, _period(30), price=True),
    Function("ema", indicators.ema, _window, _period(30), price=True),
    Function("smma", indicators.smma, _window, _period(30), price=True),
    Function("wma", indicators.wma, _window, _period(30), price=True),
    # Backtrader's default is a period of 1, the value itself: nobody means that.
    Function("highest", indicators.highest, _window, _period(None), price=True),
    Function("lowest", indicators.lowest, _window, _period(None), price=True),
    Function("stddev", indicators.stddev, _window, _period(20), price=True),
    Function(
        "bollinger",
        indicators.bollinger,
        lambda period, devfactor: (period - 1,) * 3,
        (*_period(20), Parameter("devfactor", 2.0, rows=False)),
        lines=("mid", "top", "bot"),
        shown=3,
        price=True,
    ),
    Function("rsi", indicators.rsi, _shift, _period(14)),
    Function(
        "macd",
        indicators.macd,
        _macd,
        (Parameter("period_me1", 12), Parameter("period_me2", 26), Parameter("period_signal", 9)),
        lines=("macd", "signal", "histo"),
        shown=2,
        price=True,
    ),
    Function("atr", indicators.atr, _shift, _period(14), inputs=_BARS, price=True),
    Function(
        "stochastic",
        indicators.stochastic,
        _stochastic,
        (Parameter("period", 14), Parameter("period_dfast", 3), Parameter("period_dslow", 3)),
        inputs=_BARS,
        lines=("k", "d"),
        shown=2,
    ),
    Function(
        "williams_r",
        indicators.williams_r,
        _window,
        _period(14),
        inputs=_BARS,
        undefined="the highest high is the lowest low of the period, and Backtrader divides by their difference; "
        "stochastic(...).k is 0 there, and a longer period may help",
    ),
    Function("momentum", indicators.momentum, _shift, _period(12), price=True),
    Function("roc", indicators.roc, _shift, _period(12), undefined="it would divide by the earlier value, which is 0"),
    Function("diff", indicators.momentum, _shift, (Parameter("n", 1),), inputs=(), price=True),
    Function("lag", indicators.lag, _shift, (Parameter("n"),), inputs=(), price=True),
    Function("abs", lambda x, start: np.abs(x), lambda: (0,), inputs=(), price=True),
    Function("log", indicators.log, lambda: (0,), inputs=(), undefined="the logarithm needs a value above 0"),
    Function(
        "log_return",
        indicators.log_return,
        _shift,
        (Parameter("n", 1),),
        undefined="the logarithm needs a ratio above 0",
    ),
)

FUNCTIONS = {function.name: function for function in _ALL}
"""Every function by its name."""
