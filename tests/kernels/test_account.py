"""The running statistics against a plain account of what they mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecbt.kernels._jit import kernel
from vecbt.kernels.account import mark_bar, open_account, summarize
from vecbt.kernels.layout import Asset, Param, Reason, Row, Stat, Track, row_width, track_width
from vecbt.kernels.observe import account_width, write_account

CASH = 1_000.0


@kernel
def run(rows, params, tracks, reasons):  # type: ignore[no-untyped-def]
    track = tracks[0].copy()
    open_account(track, params[0])
    for i in range(rows.shape[0]):
        reasons[i] = mark_bar(rows[i], track, params, 1)
        tracks[i] = track


@kernel
def call_summarize(stat, row, track, params):  # type: ignore[no-untyped-def]
    summarize(stat, row, track, params, 1)


@kernel
def call_write_account(out, features, row, track, params):  # type: ignore[no-untyped-def]
    write_account(out, features, row, track, params, 1)


def make_params(**changes: float) -> np.ndarray:
    params = np.zeros(len(Param))
    params[Param.START_CASH] = CASH
    params[Param.DRAWDOWN_CALL] = params[Param.TARGET_VALUE] = np.inf
    params[Param.DRAWDOWN_SCALE] = params[Param.TARGET_SCALE] = 10.0
    params[Param.REWARD_SCALE] = params[Param.LOT] = 1.0
    params[Param.YEAR] = 252.0
    for name, value in changes.items():
        params[Param[name.upper()]] = value
    return params


def make_rows(bars: list[tuple[float, float, float]]) -> np.ndarray:
    """Account rows from (value, position, profit of a trade closed on the bar, or 0)."""
    rows = np.zeros((len(bars), row_width(1)))
    trades = realized = 0.0
    for row, (value, size, profit) in zip(rows, bars, strict=True):
        trades += profit != 0.0
        realized += profit
        row[Row.CASH] = row[Row.VALUE] = value
        row[Row.TRADES], row[Row.REALIZED] = trades, realized
        row[Row.ASSETS + Asset.SIZE] = size
    return rows


def marked(bars: list[tuple[float, float, float]], **changes: float) -> tuple[np.ndarray, list[int]]:
    tracks, reasons = np.zeros((len(bars), track_width(1))), np.zeros(len(bars), np.int64)
    run(make_rows(bars), make_params(**changes), tracks, reasons)
    return tracks, reasons.tolist()


bar = st.tuples(
    st.floats(500.0, 2_000.0), st.sampled_from([-3.0, 0.0, 0.0, 2.0, 5.0]), st.sampled_from([0.0, 0.0, 0.0, 4.0, -7.5])
)


@given(st.lists(bar, min_size=1, max_size=60))
@settings(max_examples=200)
def test_running_statistics(bars: list[tuple[float, float, float]]) -> None:
    tracks, _ = marked(bars)
    values = [CASH, *(value for value, _, _ in bars)]
    settled = CASH
    run_of: list[float] = []  # values since the account was last flat or settled
    open_before, duration = False, 0
    for number, (track, (value, size, profit)) in enumerate(zip(tracks, bars, strict=True)):
        peak = max(values[: number + 2])
        drawdowns = [100.0 * (max(values[: i + 1]) - values[i]) / max(values[: i + 1]) for i in range(1, number + 2)]
        assert track[Track.PEAK] == peak
        assert track[Track.DRAWDOWN] == drawdowns[-1]
        assert track[Track.MAX_DRAWDOWN] == max(drawdowns)
        if profit:
            settled = value
        assert track[Track.SETTLED] == settled
        if profit or not (size and open_before):
            run_of = []
        run_of.append(value)
        assert (track[Track.LOWEST], track[Track.HIGHEST]) == (min(run_of), max(run_of))
        side = int(np.sign(size))
        duration = duration + side if side * duration > 0 else side
        assert track[Track.DURATIONS] == duration
        assert track[Track.EXPOSED] == sum(1 for _, held, _ in bars[: number + 1] if held)
        assert track[Track.BARS] == number + 1
        open_before = bool(size)


def test_a_drawdown_call_looks_at_the_peak_and_includes_its_bound() -> None:
    bars = [(1_200.0, 0.0, 0.0), (1_080.1, 0.0, 0.0), (1_080.0, 0.0, 0.0)]
    assert marked(bars, drawdown_call=10.0)[1] == [0, 0, Reason.DRAWDOWN_CALL]


def test_a_target_call_looks_at_the_start() -> None:
    bars = [(1_100.0, 0.0, 0.0), (1_100.1, 0.0, 0.0)]
    assert marked(bars, target_value=1_100.0)[1] == [0, Reason.TARGET_CALL]


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_an_account_without_value_is_ruined(value: float) -> None:
    assert marked([(value, 1.0, 0.0)], drawdown_call=10.0)[1] == [Reason.RUIN]


@given(st.lists(bar, min_size=2, max_size=60))
def test_summary(bars: list[tuple[float, float, float]]) -> None:
    tracks, _ = marked(bars)
    rows = make_rows(bars)
    row = rows[-1]
    row[Row.WINS] = sum(profit > 0.0 for _, _, profit in bars)
    row[Row.GAINS] = sum(profit for _, _, profit in bars if profit > 0.0)
    row[Row.COSTS] = 3.25
    stat = np.zeros(len(Stat))
    call_summarize(stat, row, tracks[-1], make_params())
    values = np.array([CASH, *(value for value, _, _ in bars)])
    returns = values[1:] / values[:-1] - 1.0
    deviation = returns.std(ddof=1)
    if deviation > 1e-6:
        assert stat[Stat.SHARPE] == pytest.approx(returns.mean() / deviation * math.sqrt(252.0), rel=1e-6)
    assert stat[Stat.TOTAL_RETURN] == values[-1] / CASH - 1.0
    assert stat[Stat.EXPOSURE] == np.mean([size != 0.0 for _, size, _ in bars])
    profits = [profit for _, _, profit in bars if profit]
    assert stat[Stat.TRADES] == len(profits)
    if profits:
        assert stat[Stat.WIN_RATE] == np.mean([profit > 0.0 for profit in profits])
        losses = -sum(profit for profit in profits if profit < 0.0)
        gains = sum(profit for profit in profits if profit > 0.0)
        if losses:
            assert stat[Stat.PROFIT_FACTOR] == gains / losses
        else:
            assert stat[Stat.PROFIT_FACTOR] == math.inf
    else:
        assert math.isnan(stat[Stat.WIN_RATE])
        assert math.isnan(stat[Stat.PROFIT_FACTOR])
    assert stat[Stat.COSTS] == 3.25
    assert stat[Stat.OPEN] == (bars[-1][1] != 0.0)


def test_an_account_that_never_moves_has_no_sharpe_ratio() -> None:
    tracks, _ = marked([(CASH, 0.0, 0.0)] * 5)
    stat = np.zeros(len(Stat))
    call_summarize(stat, make_rows([(CASH, 0.0, 0.0)])[0], tracks[-1], make_params())
    assert stat[Stat.SHARPE] == 0.0


def observed(bars: list[tuple[float, float, float]], name: str, leverage: float = 1.0, **changes: Any) -> float:
    from vecbt.config import ACCOUNT_FEATURES

    params = make_params(**changes)
    tracks, rows = marked(bars)[0], make_rows(bars)
    rows[-1][Row.LEVERAGE] = leverage
    features = np.array([ACCOUNT_FEATURES.index(name)])
    out = np.zeros(account_width(features, 1), np.float32)
    call_write_account(out, features, rows[-1], tracks[-1], params)
    return float(out[0])


def test_account_features() -> None:
    bars = [(1_010.0, 2.0, 0.0), (1_030.0, 2.0, 0.0), (990.0, 2.0, 0.0)]
    scale = CASH * 20.0 / 100.0
    assert observed(bars, "drawdown") == np.float32(100.0 * 40.0 / 1_030.0)
    assert observed(bars, "exposure", leverage=0.5) == np.float32(2.0 / (CASH * 0.5 + 0.01))
    assert observed(bars, "pos_direction") == 1.0
    assert observed([(1.0, -2.0, 0.0)], "pos_direction") == -1.0
    assert observed(bars, "pos_duration") == 3.0
    assert observed(bars, "unrealized_pnl") == np.float32(-10.0 / scale)
    assert observed(bars, "min_unrealized_pnl") == np.float32(-10.0 / scale)
    assert observed(bars, "max_unrealized_pnl") == np.float32(30.0 / scale)
    assert observed(bars, "realized_pnl") == 0.0
    assert observed([*bars, (995.0, 0.0, -5.0)], "realized_pnl") == np.float32(-5.0 / scale)
    assert observed([*bars, (995.0, 0.0, -5.0)], "unrealized_pnl") == 0.0


@pytest.mark.parametrize(
    ("value", "expected"), [(900.0, -1.0), (1_000.0, 0.0), (1_100.0, 1.0), (5_000.0, 1.0), (1.0, -1.0)]
)
def test_value_is_on_the_line_from_drawdown_to_target(value: float, expected: float) -> None:
    assert observed([(value, 0.0, 0.0)], "value") == pytest.approx(expected, abs=1e-6)


def test_cash_is_on_the_line_from_minus_99_percent_to_target() -> None:
    assert observed([(10.0, 0.0, 0.0)], "cash", target_scale=50.0) == pytest.approx(-1.0, abs=1e-6)
    assert observed([(1_500.0, 0.0, 0.0)], "cash", target_scale=50.0) == pytest.approx(1.0, abs=1e-6)
