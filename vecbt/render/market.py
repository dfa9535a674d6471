"""The picture for people: the last bars, what was traded on them, what is held, and the account in figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vecbt.arrays import FloatArray, IntArray
from vecbt.kernels.layout import OrderStatus
from vecbt.render.canvas import new_figure, style
from vecbt.render.record import EpisodeRecord

__all__ = ["BUY", "REFUSED", "SELL", "MarketView", "draw_market"]

BUY, SELL, REFUSED = "#1f77b4", "#ff7f0e", "#7f7f7f"
"""Colors of markers: bought, sold, not filled."""
_RISE, _FALL = "#2ca02c", "#d62728"


@dataclasses.dataclass(frozen=True)
class MarketView:
    """The bars of a picture.

    Attributes:
        assets: Names of the K assets.
        first: Row of the first bar.
        ohlc: float64 (n, K, 4), prices.
        stamps: int64 (n,), UTC nanoseconds at which the bars are known.
    """

    assets: tuple[str, ...]
    first: int
    ohlc: FloatArray
    stamps: IntArray


def draw_market(view: MarketView, record: EpisodeRecord, info: Sequence[str]) -> Figure:
    """Draw the bars of every asset, fills and refused orders on them, the positions, and lines of text beside them.

    What a step of several bars has brought about is marked on its last.

    Args:
        view: The bars.
        record: The running episode.
        info: Lines of text.
    """
    count = len(view.assets)
    figure = new_figure(10.0, 2.0 + 2.6 * count)
    grid = figure.add_gridspec(
        count + 1, 2, width_ratios=(4, 1), height_ratios=[2.6] * count + [1.2], wspace=0.04, hspace=0.32
    )
    figure.subplots_adjust(
        left=0.09, right=0.985, top=1.0 - 0.3 / (2.0 + 2.6 * count), bottom=0.4 / (2.0 + 2.6 * count)
    )
    shown = record.rows >= view.first
    steps = record.rows[shown] - view.first
    for asset, name in enumerate(view.assets):
        axes = figure.add_subplot(grid[asset, 0])
        bars = view.ohlc[:, asset]
        _draw_bars(axes, bars)
        _mark(axes, bars, steps, record.fills[shown, asset], record.statuses[shown, asset])
        style(axes, name, "price")
        _label_times(axes, view.stamps)
    held = figure.add_subplot(grid[count, 0])
    for asset, name in enumerate(view.assets):
        held.step(steps, record.positions[shown, asset], where="post", linewidth=1.2, label=name)
    held.axhline(0.0, color="black", linewidth=0.6)
    held.set_xlim(-0.5, len(view.ohlc) - 0.5)
    style(held, "position, units")
    _label_times(held, view.stamps)
    if count > 1:
        held.legend(loc="upper left", fontsize=7)
    box = figure.add_subplot(grid[:, 1])
    box.axis("off")
    box.text(0.0, 1.0, "\n".join(info), fontsize=8, family="monospace", va="top", transform=box.transAxes)
    return figure


def _draw_bars(axes: Axes, bars: FloatArray) -> None:
    place = np.arange(len(bars))
    opens, highs, lows, closes = bars.T
    colors = np.where(closes >= opens, _RISE, _FALL).tolist()
    width = min(6.0, 260.0 / len(bars))
    axes.vlines(place, lows, highs, colors=colors, linewidth=0.8)
    axes.vlines(place, opens, closes, colors=colors, linewidth=width)
    # Bars without a body have no length to be seen by.
    axes.hlines(closes, place - 0.3, place + 0.3, colors=colors, linewidth=1.0)
    axes.set_xlim(-0.5, len(bars) - 0.5)


def _mark(axes: Axes, bars: FloatArray, steps: IntArray, fills: FloatArray, statuses: IntArray) -> None:
    """Markers below what was bought, above what was sold, and crosses where an order came to nothing."""
    lows, highs = bars[:, 2], bars[:, 1]
    pad = 0.04 * (highs.max() - lows.min() or abs(highs[0]))
    for chosen, edge, offset, marker, color in (
        (fills > 0.0, lows, -pad, "^", BUY),
        (fills < 0.0, highs, pad, "v", SELL),
        (statuses >= OrderStatus.CANCELED, highs, 2.0 * pad, "x", REFUSED),
    ):
        at = steps[chosen]
        if len(at):
            axes.scatter(at, edge[at] + offset, marker=marker, s=36, color=color, zorder=3)


def _label_times(axes: Axes, stamps: IntArray) -> None:
    # Within the axes, so that no label reaches beyond them.
    places = np.unique(np.linspace(0.1, 0.9, 4) * (len(stamps) - 1)).astype(np.int64)
    texts = np.datetime_as_string(stamps[places].astype("datetime64[ns]"), unit="m")
    axes.set_xticks(places, [text.replace("T", " ") for text in texts], fontsize=7)
