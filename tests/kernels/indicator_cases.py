"""Feature expressions beside the Backtrader objects whose lines they must equal, and price series to try them on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import backtrader as bt
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

ind = bt.indicators


@dataclass(frozen=True)
class Prices:
    """Bars for features and for Backtrader."""

    name: str
    data: dict[str, NDArray[np.float64]] = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.data)

    def column(self, name: str) -> NDArray[np.float64]:
        return self.data[name]

    def __len__(self) -> int:
        return len(self.data["close"])

    def rows(self, first: int, last: int) -> Prices:
        return Prices(f"{self.name}[{first}:{last}]", {name: x[first:last] for name, x in self.data.items()})


@dataclass(frozen=True)
class Case:
    """An expression, and what to build of a feed in Backtrader: one line, or one for each column."""

    expression: str
    build: Callable[[Any], Any]
    divides: bool = False  # by zero, where prices stand still


class LogReturn(bt.Indicator):
    lines = ("log_return",)
    params = (("n", 1),)

    def __init__(self) -> None:
        self.addminperiod(self.p.n + 1)

    def next(self) -> None:
        self.lines.log_return[0] = math.log(self.data[0] / self.data[-self.p.n])


class Log(bt.Indicator):
    lines = ("log",)

    def next(self) -> None:
        self.lines.log[0] = math.log(self.data[0])


def _macd(d: Any, *periods: int) -> Any:
    names = ("period_me1", "period_me2", "period_signal")
    return ind.MACDHisto(d, **dict(zip(names, periods, strict=False)))


def _bollinger(d: Any, **params: float) -> tuple[Any, ...]:
    bands = ind.BollingerBands(d, **params)
    return bands.mid, bands.top, bands.bot


def _stochastic(d: Any, **params: int) -> tuple[Any, ...]:
    oscillator = ind.Stochastic(d, safediv=True, **params)
    return oscillator.percK, oscillator.percD


def _fast_stochastic(d: Any) -> tuple[Any, ...]:
    oscillator = ind.StochasticFast(d, safediv=True)
    return oscillator.percK, oscillator.percD


CASES = (
    # Every function, with its defaults and without.
    Case("sma", lambda d: ind.SMA(d)),
    Case("sma(1)", lambda d: ind.SMA(d, period=1)),
    Case("sma(20)", lambda d: ind.SMA(d, period=20)),
    Case("sma(150)", lambda d: ind.SMA(d, period=150)),
    Case("sma(volume, 20)", lambda d: ind.SMA(d.volume, period=20)),
    Case("ema", lambda d: ind.EMA(d)),
    Case("ema(1)", lambda d: ind.EMA(d, period=1)),
    Case("ema(10)", lambda d: ind.EMA(d, period=10)),
    Case("ema(150)", lambda d: ind.EMA(d, period=150)),
    Case("smma", lambda d: ind.SMMA(d)),
    Case("smma(10)", lambda d: ind.SMMA(d, period=10)),
    Case("wma", lambda d: ind.WMA(d)),
    Case("wma(7)", lambda d: ind.WMA(d, period=7)),
    Case("highest(high, 14)", lambda d: ind.Highest(d.high, period=14)),
    Case("highest(1)", lambda d: ind.Highest(d, period=1)),
    Case("lowest(low, 14)", lambda d: ind.Lowest(d.low, period=14)),
    Case("stddev", lambda d: ind.StdDev(d)),
    Case("stddev(5)", lambda d: ind.StdDev(d, period=5)),
    Case("bollinger", lambda d: _bollinger(d)),
    Case("bollinger(10, 1.5)", lambda d: _bollinger(d, period=10, devfactor=1.5)),
    Case("rsi", lambda d: ind.RSI_Safe(d)),
    Case("rsi(1)", lambda d: ind.RSI_Safe(d, period=1)),
    Case("rsi(open, 5)", lambda d: ind.RSI_Safe(d.open, period=5)),
    Case("macd", lambda d: (_macd(d).macd, _macd(d).signal)),
    Case("macd(5, 8, 3).histo", lambda d: _macd(d, 5, 8, 3).histo),
    Case("macd(9, 4, 2).signal", lambda d: _macd(d, 9, 4, 2).signal),
    Case("atr", lambda d: ind.ATR(d)),
    Case("atr(3)", lambda d: ind.ATR(d, period=3)),
    Case("stochastic", lambda d: _stochastic(d)),
    Case("stochastic(5, 2, 4)", lambda d: _stochastic(d, period=5, period_dfast=2, period_dslow=4)),
    Case("stochastic(14, 1, 3)", lambda d: _fast_stochastic(d)),
    Case("williams_r", lambda d: ind.WilliamsR(d), divides=True),
    Case("williams_r(5)", lambda d: ind.WilliamsR(d, period=5), divides=True),
    Case("momentum", lambda d: ind.Momentum(d)),
    Case("roc", lambda d: ind.ROC(d)),
    Case("roc(1)", lambda d: ind.ROC(d, period=1)),
    Case("diff(close)", lambda d: d.close - d.close(-1)),
    Case("lag(high, 3)", lambda d: d.high(-3)),
    Case("abs(close - open)", lambda d: abs(d.close - d.open)),
    Case("log(volume)", lambda d: Log(d.volume)),
    Case("log_return", lambda d: LogReturn(d)),
    Case("log_return(open, 5)", lambda d: LogReturn(d.open, n=5)),
    # Arithmetic, in Python's order.
    Case("close", lambda d: d.close(0)),
    Case("-close", lambda d: -d.close),
    Case("(high + low) / 2", lambda d: (d.high + d.low) / 2),
    Case("(high - low) / close", lambda d: (d.high - d.low) / d.close),
    Case("close / open - 1", lambda d: d.close / d.open - 1),
    Case("1 - open / close * 3", lambda d: 1 - d.open / d.close * 3),
    Case("open - (high - (low - close))", lambda d: d.open - (d.high - (d.low - d.close))),
    Case("(close - open) / (high - low)", lambda d: (d.close - d.open) / (d.high - d.low), divides=True),
    Case("close / sma(20) - 1", lambda d: d.close / ind.SMA(d, period=20) - 1),
    # One in another: the inner minimum period moves the outer seed, for a line that of the whole indicator.
    Case("ema(rsi(14), 3)", lambda d: ind.EMA(ind.RSI_Safe(d, period=14), period=3)),
    Case("sma(log_return, 20)", lambda d: ind.SMA(LogReturn(d), period=20)),
    Case("rsi(ema(5), 5)", lambda d: ind.RSI_Safe(ind.EMA(d, period=5), period=5)),
    Case("ema(macd.macd, 3)", lambda d: ind.EMA(_macd(d).macd, period=3)),
    Case("macd.macd - close", lambda d: _macd(d).macd - d.close),
    Case("-macd.macd", lambda d: -_macd(d).macd),
    Case("abs(macd.macd)", lambda d: abs(_macd(d).macd)),
    Case("lag(macd.macd, 2)", lambda d: _macd(d).macd(-2)),
    Case("sma(stochastic.k, 3)", lambda d: ind.SMA(_stochastic(d)[0], period=3)),
    Case("highest(stochastic.k, 4)", lambda d: ind.Highest(_stochastic(d)[0], period=4)),
    Case("macd(sma(5), 3, 6, 2).macd", lambda d: _macd(ind.SMA(d, period=5), 3, 6, 2).macd),
    Case("bollinger(rsi(5), 6, 2)", lambda d: _bollinger(ind.RSI_Safe(d, period=5), period=6)),
    Case("wma(diff(close, 2), 4)", lambda d: ind.WMA(d.close - d.close(-2), period=4)),
    Case("stddev(log_return, 10)", lambda d: ind.StdDev(LogReturn(d), period=10)),
    Case("momentum(atr(3), 2)", lambda d: ind.Momentum(ind.ATR(d, period=3), period=2)),
    Case("roc(stddev(volume, 4), 3)", lambda d: ind.ROC(ind.StdDev(d.volume, period=4), period=3)),
)


def _bars(name: str, close: NDArray[np.float64], spread: NDArray[np.float64], digits: int | None = None) -> Prices:
    rng = np.random.default_rng(len(name))
    before = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(before, close) + spread * rng.random(close.size)
    low = np.minimum(before, close) - spread * rng.random(close.size)
    volume = 1.0 + np.floor(rng.exponential(1000.0, close.size))
    prices = {"open": before, "high": high, "low": low, "close": close}
    if digits is not None:
        prices = {column: np.round(x, digits) for column, x in prices.items()}
    return Prices(name, {**prices, "volume": volume})


def price_series(rows: int = 320) -> dict[str, Prices]:
    """Price series by name; where prices stand still in ``flat`` a case that `divides` divides by zero."""
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0, 1.0, rows)
    walk = np.exp(np.cumsum(steps * 1e-3))
    still = np.where(np.arange(rows) % 100 < 40, 0.0, np.round(steps))
    return {
        prices.name: prices
        for prices in (
            _bars("walk", 1.1 * walk, np.full(rows, 1e-3)),
            _bars("ticks", 1.1 * walk, np.full(rows, 1e-3), digits=4),
            _bars("flat", 50.0 + 0.25 * np.cumsum(still), 0.5 * (still != 0.0), digits=2),
            _bars("rise", 10.0 + 0.1 * np.arange(rows), np.full(rows, 0.05)),
            _bars("fall", 100.0 - 0.1 * np.arange(rows), np.full(rows, 0.05)),
            _bars("penny", 1e-4 * walk, np.full(rows, 1e-7)),
            _bars("huge", 1e6 * walk**20, np.full(rows, 1e3)),
        )
    }


class _Feed(bt.feed.DataBase):  # type: ignore[misc]
    params = (("prices", None),)

    def start(self) -> None:
        super().start()
        columns = [self.p.prices.column(name).tolist() for name in ("open", "high", "low", "close", "volume")]
        self._bars = iter(zip(*columns, strict=True))
        self._day = 700_000.0

    def _load(self) -> bool:
        bar = next(self._bars, None)
        if bar is None:
            return False
        lines = self.lines
        lines.open[0], lines.high[0], lines.low[0], lines.close[0], lines.volume[0] = bar
        lines.openinterest[0] = 0.0
        self._day += 1.0
        lines.datetime[0] = self._day
        return True


class _Strategy(bt.Strategy):
    params = (("cases", ()),)

    def __init__(self) -> None:
        built = [case.build(self.data) for case in self.p.cases]
        self.built = [lines if isinstance(lines, tuple) else (lines,) for lines in built]


def run_backtrader(prices: Prices, cases: Sequence[Case]) -> tuple[dict[str, list[NDArray[np.float64]]], int]:
    """The lines of each case, after a run in runonce mode over all rows, and the strategy's minimum period."""
    cerebro = bt.Cerebro(stdstats=False, runonce=True, preload=True)
    cerebro.adddata(_Feed(prices=prices))
    cerebro.addstrategy(_Strategy, cases=cases)
    (strategy,) = cerebro.run()
    columns = {
        case.expression: [np.array(line.array if hasattr(line, "array") else line.lines[0].array) for line in lines]
        for case, lines in zip(cases, strategy.built, strict=True)
    }
    return columns, strategy._minperiod
