"""Running statistics of an account, bar by bar, and the calls that end an episode."""

from __future__ import annotations

import math

from vecbt.arrays import FloatArray
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Asset, Param, Reason, Row, Stat, Track

__all__ = ["mark_bar", "open_account", "summarize"]


@helper
def open_account(track: FloatArray, start_cash: float) -> None:
    """Start the statistics of an episode, which begins with nothing but cash."""
    for column in range(track.shape[0]):
        track[column] = 0.0
    track[Track.PEAK] = start_cash
    track[Track.SETTLED] = start_cash
    track[Track.HIGHEST] = start_cash
    track[Track.LOWEST] = start_cash
    track[Track.VALUE] = start_cash


@helper
def mark_bar(row: FloatArray, track: FloatArray, params: FloatArray, assets: int) -> int:
    """Enter the account row of a new bar into the running statistics.

    The drawdown is Backtrader's: ``100 * (peak - value) / peak``, the peak taken over the bars' closes.

    Returns:
        `Reason` of a call that ends the episode, or 0.
    """
    value = row[Row.VALUE]
    before = track[Track.VALUE]
    change = value / before - 1.0
    track[Track.RETURNS] += change
    track[Track.SQUARES] += change * change
    track[Track.VALUE] = value
    track[Track.BARS] += 1.0
    if value > track[Track.PEAK]:
        track[Track.PEAK] = value
    drawdown = 100.0 * (track[Track.PEAK] - value) / track[Track.PEAK]
    track[Track.DRAWDOWN] = drawdown
    if drawdown > track[Track.MAX_DRAWDOWN]:
        track[Track.MAX_DRAWDOWN] = drawdown

    was_open = is_open = False
    for k in range(assets):
        size = row[Row.ASSETS + k * 4 + Asset.SIZE]
        bars = track[Track.DURATIONS + k]
        was_open = was_open or bars != 0.0
        is_open = is_open or size != 0.0
        if size > 0.0:
            bars = bars + 1.0 if bars > 0.0 else 1.0
        elif size < 0.0:
            bars = bars - 1.0 if bars < 0.0 else -1.0
        else:
            bars = 0.0
        track[Track.DURATIONS + k] = bars
    if is_open:
        track[Track.EXPOSED] += 1.0

    settled = row[Row.TRADES] != track[Track.TRADES]
    track[Track.PROFIT] = row[Row.REALIZED] - track[Track.REALIZED]
    track[Track.TRADES] = row[Row.TRADES]
    track[Track.REALIZED] = row[Row.REALIZED]
    if settled:
        track[Track.SETTLED] = value
    if settled or not (is_open and was_open):
        track[Track.HIGHEST] = value
        track[Track.LOWEST] = value
    else:
        track[Track.HIGHEST] = max(track[Track.HIGHEST], value)
        track[Track.LOWEST] = min(track[Track.LOWEST], value)

    reason = Reason.NONE.value
    if not value > 0.0:
        reason = Reason.RUIN.value
    elif drawdown >= params[Param.DRAWDOWN_CALL]:
        reason = Reason.DRAWDOWN_CALL.value
    elif value > params[Param.TARGET_VALUE]:
        reason = Reason.TARGET_CALL.value
    return reason


@helper
def summarize(stat: FloatArray, row: FloatArray, track: FloatArray, params: FloatArray, assets: int) -> None:
    """Write the statistics of an episode that has ended; those that clocks hold are written by the caller."""
    bars = track[Track.BARS]
    mean = track[Track.RETURNS] / bars
    sharpe = 0.0
    if bars > 1.0:
        variance = (track[Track.SQUARES] - bars * mean * mean) / (bars - 1.0)
        if variance > 0.0:
            sharpe = mean / math.sqrt(variance) * math.sqrt(params[Param.YEAR])
    stat[Stat.R] = track[Track.REWARD]
    stat[Stat.BARS] = bars
    stat[Stat.VALUE] = row[Row.VALUE]
    stat[Stat.TOTAL_RETURN] = row[Row.VALUE] / params[Param.START_CASH] - 1.0
    stat[Stat.MAX_DRAWDOWN] = track[Track.MAX_DRAWDOWN]
    stat[Stat.SHARPE] = sharpe
    trades = row[Row.TRADES]
    stat[Stat.TRADES] = trades
    stat[Stat.WIN_RATE] = row[Row.WINS] / trades if trades > 0.0 else math.nan
    losses = row[Row.GAINS] - row[Row.REALIZED]
    if losses > 0.0:
        stat[Stat.PROFIT_FACTOR] = row[Row.GAINS] / losses
    else:
        stat[Stat.PROFIT_FACTOR] = math.inf if row[Row.GAINS] > 0.0 else math.nan
    stat[Stat.EXPOSURE] = track[Track.EXPOSED] / bars
    stat[Stat.COSTS] = row[Row.COSTS]
    stat[Stat.OPEN] = 0.0
    for k in range(assets):
        if row[Row.ASSETS + k * 4 + Asset.SIZE] != 0.0:
            stat[Stat.OPEN] = 1.0
