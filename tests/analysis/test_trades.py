from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.episodes import record
from tests.runs.recordings import make_recording
from vecbt.analysis import fills_of, trades_of

SEEDS = st.integers(0, 10_000)


def test_one_trade_by_hand() -> None:
    bought, sold = fills_of(make_recording())
    assert (bought.step, bought.bar, bought.size, bought.price, bought.costs, bought.position) == (
        1,
        1,
        2.0,
        11.0,
        1.0,
        2.0,
    )
    assert (sold.step, sold.size, sold.price, sold.costs, sold.position) == (4, -2.0, 14.0, 1.0, 0.0)
    (trade,) = trades_of(make_recording())
    assert trade.long
    assert not trade.open
    assert (trade.entry_bar, trade.exit_bar, trade.size) == (1, 4, 2.0)
    assert (trade.entry_price, trade.exit_price, trade.profit, trade.costs) == (11.0, 14.0, 4.0, 2.0)


@given(seed=SEEDS, kind=st.sampled_from(["discrete", "target_position"]))
def test_fills_are_at_the_opens_of_their_bars(seed: int, kind: str) -> None:
    # Without slippage every order of these is filled at an open, and averages are all that rounding touches.
    recording = record(seed, actions=kind)
    fills = fills_of(recording)
    assert fills
    for fill in fills:
        opening = recording.ohlc[fill.bar, 0, 0]
        before = fill.position - fill.size
        if before == 0.0 or before * fill.position < 0.0:
            assert fill.price == opening
        else:  # from sums of cash, of which each step rounds once
            assert fill.price == pytest.approx(opening, rel=1e-11)


@given(seed=SEEDS)
def test_slippage_shows_in_prices(seed: int) -> None:
    recording = record(seed, slippage=vecbt_slippage())
    for fill in fills_of(recording):
        opening, high, low, _ = recording.ohlc[fill.bar, 0]
        slipped = opening * (1.001 if fill.size > 0.0 else 0.999)
        assert fill.price == pytest.approx(min(max(slipped, low), high), rel=1e-10)


def vecbt_slippage() -> Any:
    import vecbt

    return vecbt.Slippage(perc=0.001)


@given(seed=SEEDS, assets=st.integers(1, 2), kind=st.sampled_from(["discrete", "target_position", "target_percent"]))
def test_profits_and_costs_add_up(seed: int, assets: int, kind: str) -> None:
    recording = record(seed, assets=assets, actions=kind)
    trades = trades_of(recording)
    gained = recording.values[-1] - recording.values[0]
    assert sum(trade.costs for trade in trades) == pytest.approx(recording.costs[-1], rel=1e-9)
    assert sum(trade.profit for trade in trades) == pytest.approx(gained, rel=1e-7, abs=1e-6)


@given(seed=SEEDS, kind=st.sampled_from(["discrete", "target_position"]))
def test_they_are_the_trades_that_the_engine_counts(seed: int, kind: str) -> None:
    recording = record(seed, actions=kind)
    closed = [trade for trade in trades_of(recording) if not trade.open]
    assert len(closed) == recording.stats["trades"]
    if closed:
        assert np.mean([trade.profit > 0.0 for trade in closed]) == recording.stats["win_rate"]


def test_frames_of_several_bars() -> None:
    recording = record(3, skip_frame=3)
    for fill in fills_of(recording):
        assert fill.bar % 3 == 1  # the first bar of its step
        assert fill.price == pytest.approx(recording.ohlc[fill.bar, 0, 0], rel=1e-10)


def test_an_episode_without_fills() -> None:
    still = make_recording(
        positions=np.zeros((5, 1)), cash=np.full(5, 100.0), values=np.full(5, 100.0), costs=np.zeros(5)
    )
    assert fills_of(still) == []
    assert trades_of(still) == []
