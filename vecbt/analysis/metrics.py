"""The statistics of a recorded episode that people compare strategies by."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from vecbt.analysis.trades import trades_of
from vecbt.arrays import FloatArray, IntArray
from vecbt.runs.recording import Recording

__all__ = ["Statistics", "measure", "observations_per_year", "simple_returns"]

_YEAR = 365.25 * 86_400.0 * 1e9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of an episode; NaN where there is nothing to tell from.

    Returns are simple ones, from observation to observation, without a riskless rate; a year is 365.25 days, at the
    density of the episode's observations, nights and weekends included.

    Attributes:
        total_return: Last value over the first, minus 1.
        cagr: Compound annual growth rate: ``(1 + total_return) ** (1 / years) - 1``; -1 for an account that is worth
            nothing or less.
        volatility: Annualized standard deviation of returns, that of a sample.
        sharpe: Mean return over its standard deviation, annualized (Sharpe, 1994).
        sortino: Annualized mean return over the annualized root of the mean square of negative returns, zeros for all
            others (Sortino and Price, 1994).
        calmar: ``cagr`` over the largest drawdown (Young, 1991).
        max_drawdown: Largest loss from a peak of the value, as a fraction of the peak, at least 0.
        max_drawdown_days: Longest time below a peak, in days, until the value reaches it again or the episode ends.
        exposure: Fraction of the observations behind the first with a position.
        trades: Trades that were closed.
        win_rate: Fraction of them with a profit after costs.
        profit_factor: Their profits over their losses; infinite without losses.
        expectancy: Mean profit of a closed trade after costs, in currency.
        costs: Commission, in currency.
    """

    total_return: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    max_drawdown_days: float
    exposure: float
    trades: int
    win_rate: float
    profit_factor: float
    expectancy: float
    costs: float


def measure(recording: Recording) -> Statistics:
    """The statistics of an episode."""
    values, stamps = recording.values, recording.timestamps
    returns = simple_returns(values)
    year = observations_per_year(stamps)
    total = float(values[-1] / values[0] - 1.0)
    years = float(stamps[-1] - stamps[0]) / _YEAR
    growth = _growth(total, years)
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else math.nan
    if len(returns) and (returns == returns[0]).all():
        deviation = 0.0 if len(returns) > 1 else math.nan  # which rounding may have made another number
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    mean = float(returns.mean())
    drawdowns = 1.0 - values / np.maximum.accumulate(values)
    deepest = float(drawdowns.max())
    profits = np.array([trade.profit for trade in trades_of(recording) if not trade.open])
    gains, losses = float(profits[profits > 0.0].sum()), float(-profits[profits < 0.0].sum())
    return Statistics(
        total_return=total,
        cagr=growth,
        volatility=deviation * math.sqrt(year),
        sharpe=_ratio(mean, deviation) * math.sqrt(year),
        sortino=_ratio(mean * year, downside * math.sqrt(year)),
        calmar=_ratio(growth, deepest),
        max_drawdown=deepest,
        max_drawdown_days=_longest_below(values, stamps),
        exposure=float((recording.positions[1:] != 0.0).any(axis=1).mean()),
        trades=len(profits),
        win_rate=float((profits > 0.0).mean()) if len(profits) else math.nan,
        profit_factor=gains / losses if losses else math.inf if gains else math.nan,
        expectancy=float(profits.mean()) if len(profits) else math.nan,
        costs=float(recording.costs[-1]),
    )


def simple_returns(values: FloatArray) -> FloatArray:
    """Returns from each value to the next, float64 (n - 1,).

    Example:
        >>> simple_returns(np.array([100.0, 110.0, 99.0])).round(3).tolist()
        [0.1, -0.1]
    """
    return np.asarray(values[1:] / values[:-1] - 1.0)


def observations_per_year(stamps: IntArray) -> float:
    """Observations in a year at the density of these.

    Example:
        >>> round(observations_per_year(np.arange(0, 10) * 86_400_000_000_000), 2)
        365.25
    """
    span = float(stamps[-1] - stamps[0])
    return (len(stamps) - 1) * _YEAR / span


def _growth(total: float, years: float) -> float:
    if total <= -1.0:
        return -1.0
    try:
        return math.expm1(math.log1p(total) / years)
    except OverflowError:
        return math.inf


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0.0 else math.nan


def _longest_below(values: FloatArray, stamps: IntArray) -> float:
    """Days of the longest time from a peak to the first value that is as high again, or to the end."""
    peaks = np.maximum.accumulate(values)
    at_peak = np.flatnonzero(values >= peaks)
    # From each peak to the next one; where they are neighbours nothing lay below.
    ends = np.append(at_peak[1:], len(values) - 1)
    below = ends - at_peak > 1
    below[-1] = at_peak[-1] < len(values) - 1
    if not below.any():
        return 0.0
    return float((stamps[ends[below]] - stamps[at_peak[below]]).max()) / (86_400.0 * 1e9)
