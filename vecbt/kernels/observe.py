"""What an agent sees: a window of the feature table and columns about its account."""

from __future__ import annotations

import math

import numpy as np

from vecbt.arrays import Float32Array, FloatArray, IntArray
from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import AccountFeature, Asset, Param, Row, Setting, Track

__all__ = ["account_feature", "account_width", "write_account", "write_observation", "write_window"]

_PER_ASSET = (AccountFeature.EXPOSURE, AccountFeature.POS_DIRECTION, AccountFeature.POS_DURATION)


def account_width(features: IntArray, assets: int) -> int:
    """Columns of the account observation: features of a position have one for each asset."""
    return sum(assets if AccountFeature(int(code)) in _PER_ASSET else 1 for code in features)


@helper
def write_window(out: Float32Array, table: Float32Array, first: int) -> None:
    """Copy as much of a table, flattened row by row, as fits into ``out``, from its element ``first`` on."""
    # Unsigned: with signed indices numba allows for negative wrap-around and cannot vectorize, 2 to 5 times slower.
    begin = np.uint64(first)
    for i in range(np.uint64(out.shape[0])):
        out[i] = table[begin + i]


@helper
def write_own_window(
    out: Float32Array, table: FloatArray, price_of: IntArray, ohlc: FloatArray, bar: int, window: int
) -> None:
    """The window normalized by itself.

    Columns in price units become ``x / c - 1`` with c the window's last close, all others ``(x - m) / s`` with the
    column's mean and standard deviation (over the window, divided by its length) or 0 where it is constant.
    """
    columns = table.shape[1]
    first = bar - window + 1
    for j in range(columns):
        if price_of[j] >= 0:
            close = ohlc[bar, price_of[j], 3]
            for i in range(window):
                out[i * columns + j] = np.float32(table[first + i, j] / close - 1.0)
        else:
            mean = 0.0
            for i in range(window):
                mean += table[first + i, j]
            mean /= window
            variance = 0.0
            for i in range(window):
                variance += (table[first + i, j] - mean) ** 2
            deviation = math.sqrt(variance / window)
            for i in range(window):
                scaled = (table[first + i, j] - mean) / deviation if deviation > 0.0 else 0.0
                out[i * columns + j] = np.float32(scaled)


@helper
def _on_scale(amount: float, low: float, high: float, start_cash: float) -> float:
    """``amount`` on the line that maps a loss of ``low`` percent of the start to -1 and a gain of ``high`` to +1."""
    place = ((amount / start_cash - 1.0) * 100.0 - high) / (low + high) + 1.0
    return 2.0 * min(max(place, 1e-8), 1.0 - 1e-8) - 1.0


@helper
def account_feature(code: int, k: int, row: FloatArray, track: FloatArray, params: FloatArray) -> float:
    """An account feature, of asset ``k`` where there is one for each; the formulas are those of `write_account`."""
    start_cash, low, high = params[Param.START_CASH], params[Param.DRAWDOWN_SCALE], params[Param.TARGET_SCALE]
    unit = start_cash * (low + high) / 100.0
    if code == AccountFeature.EXPOSURE:
        x = row[Row.ASSETS + k * 4 + Asset.SIZE] / (start_cash * row[Row.LEVERAGE] + 0.01)
    elif code == AccountFeature.POS_DIRECTION:
        x = float(np.sign(row[Row.ASSETS + k * 4 + Asset.SIZE]))
    elif code == AccountFeature.POS_DURATION:
        x = abs(track[Track.DURATIONS + k])
    elif code == AccountFeature.CASH:
        x = _on_scale(row[Row.CASH], 99.0, high, start_cash)
    elif code == AccountFeature.VALUE:
        x = _on_scale(row[Row.VALUE], low, high, start_cash)
    elif code == AccountFeature.DRAWDOWN:
        x = track[Track.DRAWDOWN]
    elif code == AccountFeature.REALIZED_PNL:
        x = track[Track.PROFIT] / unit
    elif code == AccountFeature.UNREALIZED_PNL:
        x = (row[Row.VALUE] - track[Track.SETTLED]) / unit
    elif code == AccountFeature.MIN_UNREALIZED_PNL:
        x = (track[Track.LOWEST] - track[Track.SETTLED]) / unit
    else:
        x = (track[Track.HIGHEST] - track[Track.SETTLED]) / unit
    return x  # type: ignore[no-any-return]


@helper
def write_account(
    out: Float32Array, features: IntArray, row: FloatArray, track: FloatArray, params: FloatArray, assets: int
) -> None:
    """The account features, with BTGym's formulas.

    V value, V0 starting cash, D and T the drawdown and target calls in percent (10 where there is none), R = V0 (D +
    T) / 100, V* the value when the last trade was closed:

    * ``cash``, ``value``: 2 clip(((x / V0 - 1) 100 - T) / (D + T) + 1, 1e-8, 1 - 1e-8) - 1, for cash with D = 99
    * ``exposure``: size / (V0 L + 0.01), L the leverage of the open positions (0 when flat); per asset
    * ``drawdown``: percent below the peak
    * ``pos_direction``: -1, 0 or 1; per asset
    * ``pos_duration``: bars that the position has been open; per asset
    * ``realized_pnl``: profit after commission of the trades closed on this bar, over R
    * ``unrealized_pnl``: (V - V*) / R
    * ``min_unrealized_pnl``, ``max_unrealized_pnl``: the lowest and highest of it since the position was opened
    """
    at = 0
    for i in range(features.shape[0]):
        code = features[i]
        per_asset = (
            code == AccountFeature.EXPOSURE
            or code == AccountFeature.POS_DIRECTION
            or code == AccountFeature.POS_DURATION
        )
        for k in range(assets if per_asset else 1):
            out[at] = np.float32(account_feature(code, k, row, track, params))
            at += 1


@helper
def write_observation(block: int, e: int, bar: int) -> None:
    """Environment ``e``'s observation at row ``bar`` into the buffers."""
    settings, market = b.settings(block), b.market(block)[e]
    window = settings[Setting.WINDOW]
    width = b.price_of(block).shape[0]
    columns = window * width
    if settings[Setting.NORMALIZE] == 0:
        write_window(market[:columns], b.features(block), (bar - window + 1) * width)
    else:
        write_own_window(market, b.raw_features(block), b.price_of(block), b.ohlc(block), bar, window)
    features = b.account_features(block)
    if features.shape[0] > 0:
        account = market[columns:] if settings[Setting.FLATTEN] != 0 else b.account(block)[e]
        write_account(account, features, b.rows(block)[e], b.track(block)[e], b.params(block), b.ohlc(block).shape[1])
