"""Markets made by a formula, for trying things out without data."""

from __future__ import annotations

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.data.bars import Bars
from vecbt.errors import ConfigError

__all__ = ["synthetic_market"]

_MINUTE = 60 * 1_000_000_000
_OPENING = 1_704_067_200 * 1_000_000_000  # Monday, 1 January 2024
_PATH = 8
"""Steps within a bar, from which its high and low are taken."""


def synthetic_market(bars: int = 50_000, *, seed: int = 0, name: str = "SYNTH") -> Bars:
    """One-minute bars of a market with regimes, clustered volatility and gaps.

    The drift changes sign between calm, rising and falling regimes that last about a day each; the volatility follows
    a GARCH(1, 1) recursion with fat-tailed shocks, busier at the open and close of the session; the market is closed
    on weekends, after which it opens with a gap. Nothing in it can be earned for certain.

    Args:
        bars: Number of bars.
        seed: Seed; the same seed gives the same bars.
        name: Name of the asset.

    Returns:
        The bars, from Monday, 1 January 2024, around a price of 100.

    Raises:
        ConfigError: If there is not at least one bar.

    Example:
        >>> market = synthetic_market(1_000, seed=1)
        >>> len(market), round(float(market.close[0]), 2)
        (1000, 99.99)
    """
    if bars < 1:
        raise ConfigError(f"a market needs at least 1 bar, got {bars!r}")
    random = np.random.Generator(np.random.Philox(seed))
    stamps = _session_stamps(bars)
    returns = _drift(bars, random) + _shocks(bars, stamps, random)
    opens = np.diff(stamps, prepend=stamps[0] - _MINUTE) > _MINUTE  # first bar after a weekend
    gaps = np.where(opens, random.normal(0.0, 4e-3, bars), 0.0)

    # A path within each bar carries it from its open to its close; high and low are the path's.
    steps = random.normal(0.0, 1.0, (bars, _PATH))
    steps += (returns / np.maximum(np.abs(returns), 1e-12) - steps.sum(axis=1))[:, None] / _PATH
    path = np.cumsum(steps, axis=1) * np.abs(returns)[:, None]
    close = np.log(100.0) + np.cumsum(path[:, -1] + gaps)
    open_ = close - path[:, -1]
    inside = open_[:, None] + path
    high, low = np.maximum(inside.max(axis=1), open_), np.minimum(inside.min(axis=1), open_)
    volume = np.round(np.exp(random.normal(5.0, 0.5, bars)) * (1.0 + 400.0 * np.abs(returns)))
    open_, high, low, close = (np.round(np.exp(column), 5) for column in (open_, high, low, close))
    return Bars.from_arrays(stamps, open_, high, low, close, volume, name=name)


def _session_stamps(bars: int) -> IntArray:
    """Ends of the minutes from Monday 00:00 to Friday 24:00, week after week."""
    week, open_minutes = 7 * 1440, 5 * 1440
    minute = np.arange(bars)
    return _OPENING + (minute // open_minutes * week + minute % open_minutes + 1) * _MINUTE


def _drift(bars: int, random: np.random.Generator) -> FloatArray:
    """Regimes of exponential length: flat, up, down."""
    changes = random.random(bars) < 1.0 / 1440.0
    regime = random.choice([-3e-5, 0.0, 3e-5], size=int(changes.sum()) + 1)
    return np.asarray(regime[np.cumsum(changes)], dtype=np.float64)


def _shocks(bars: int, stamps: IntArray, random: np.random.Generator) -> FloatArray:
    """GARCH(1, 1) with Student shocks of 5 degrees of freedom, and a smile of volatility over the day."""
    base, alpha, beta = 3e-4**2, 0.08, 0.90
    noise = random.standard_t(5, bars) * np.sqrt(3.0 / 5.0)
    shocks = np.empty(bars)
    variance = base
    for i in range(bars):
        shocks[i] = np.sqrt(variance) * noise[i]
        variance = base * (1.0 - alpha - beta) + alpha * min(shocks[i] ** 2, 25.0 * base) + beta * variance
    day = (stamps // _MINUTE % 1440) / 1440.0
    return np.asarray(shocks * (0.7 + 0.6 * (2.0 * day - 1.0) ** 2), dtype=np.float64)
