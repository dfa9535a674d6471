"""The picture of a whole episode: prices with what was traded, equity and drawdown."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from vecbt.render.canvas import new_figure, style
from vecbt.render.market import BUY, SELL
from vecbt.render.record import Column, EpisodeRecord

__all__ = ["draw_episode"]


def draw_episode(record: EpisodeRecord, assets: tuple[str, ...], start_cash: float) -> Figure:
    """Draw an episode that has ended.

    Args:
        record: The episode.
        assets: Names of the K assets.
        start_cash: The account's value at its start.
    """
    count = len(assets)
    height = 3.6 + 2.2 * count
    figure = new_figure(10.0, height)
    panels = figure.subplots(count + 2, 1, sharex=True, squeeze=False, height_ratios=[2.2] * count + [1.6, 1.0])[:, 0]
    figure.subplots_adjust(left=0.09, right=0.985, top=1.0 - 0.6 / height, bottom=0.5 / height, hspace=0.3)
    bars = record.rows - record.rows[0]
    for asset, name in enumerate(assets):
        axes, closes, fills = panels[asset], record.closes[:, asset], record.fills[:, asset]
        axes.plot(bars, closes, color="black", linewidth=0.8)
        for chosen, marker, color in ((fills > 0.0, "^", BUY), (fills < 0.0, "v", SELL)):
            axes.scatter(bars[chosen], closes[chosen], marker=marker, s=28, color=color, zorder=3)
        style(axes, name, "price")
    value, drawdown = record.columns[:, Column.VALUE], record.columns[:, Column.DRAWDOWN]
    equity, below = panels[count:]
    equity.plot(bars, value, color=BUY, linewidth=1.2)
    equity.axhline(start_cash, color="black", linewidth=0.6)
    style(equity, "equity", "currency")
    below.fill_between(bars, -drawdown, 0.0, color="#d62728", alpha=0.4)
    style(below, "drawdown", "%")
    below.set_xlabel("bars since the first observation", fontsize=8)
    below.set_xlim(-0.5, max(bars[-1], 1) + 0.5)
    figure.suptitle(
        f"episode {record.number}: {len(bars) - 1} steps, return {value[-1] / start_cash - 1.0:+.2%}, "
        f"largest drawdown {drawdown.max():.2f} %, {np.count_nonzero(record.fills)} fills, "
        f"costs {record.columns[-1, Column.COSTS]:,.2f}",
        fontsize=10,
    )
    return figure
