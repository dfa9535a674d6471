"""Pictures for people who would rather look than read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vecbt.arrays import FloatArray
from vecbt.errors import ConfigError

__all__ = ["check_picture", "draw_backtrader", "draw_equity"]

_CURVES = 60
_CANDLES = 300


def check_picture(path: Path) -> None:
    """Make sure that a picture can be written, before there is anything to draw.

    Raises:
        ConfigError: If its folder is missing or its format unknown.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"the picture {path} cannot be written: there is no folder {path.parent}")
    known = Figure().canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in known:
        raise ConfigError(f"the picture {path} must have one of the endings .{', .'.join(sorted(known))}")


def draw_backtrader(path: Path, cerebro: Any) -> None:
    """Draw a run with Backtrader's own ``cerebro.plot()``, without a window; long runs as lines instead of candles.

    Args:
        path: File to write; its ending decides the format.
        cerebro: A `backtrader.Cerebro` that has run.
    """
    import matplotlib.pyplot as plt
    from backtrader import plot

    plt.switch_backend("Agg")  # after Backtrader's plots, which ask for a window as soon as they are imported

    class Plot(plot.Plot):
        def show(self) -> None:
            """Without a window there is nothing to show."""

    bars = len(cerebro.runstrats[0][0])
    style = "candle" if bars <= _CANDLES else "line"
    ((figure,),) = cerebro.plot(
        plotter=Plot(style=style, volume=False, barup="tab:green", bardown="tab:red"), iplot=False
    )
    lowest = min(figure.axes, key=lambda axes: axes.get_position().y0)
    lowest.tick_params(labelbottom=True)  # newer releases of matplotlib hide what Backtrader means to show
    figure.set_size_inches(16, 10)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_equity(path: Path, values: FloatArray, stats: Mapping[str, Any], name: str) -> None:
    """Draw the equity curves of a batch of episodes, and how their results are spread.

    Args:
        path: File to write; its ending decides the format.
        values: float64 (steps + 1, N), the account's value at every observation.
        stats: The statistics of the episodes by name.
        name: Name of the data, for the title.
    """
    growth = (values / values[0] - 1.0) * 100.0
    steps = np.arange(len(growth))
    # Without pyplot: no window system is asked for, and nothing is left in its list of figures.
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=(3, 1))
    curves, spread = axes
    low, middle, high = np.percentile(growth, [5, 50, 95], axis=1)
    curves.plot(steps, growth[:, :_CURVES], color="tab:blue", alpha=0.18, linewidth=0.7)
    curves.fill_between(steps, low, high, color="tab:blue", alpha=0.15, label="5 % to 95 %")
    curves.plot(steps, middle, color="tab:blue", linewidth=2.0, label="median")
    curves.axhline(0.0, color="black", linewidth=0.8)
    curves.set(title=f"{name}: equity of {growth.shape[1]} environments", xlabel="step", ylabel="profit, %")
    curves.legend(loc="upper left")
    curves.grid(alpha=0.3)
    spread.hist(np.asarray(stats["total_return"]) * 100.0, bins=30, orientation="horizontal", color="tab:blue")
    spread.axhline(0.0, color="black", linewidth=0.8)
    spread.set(title="final profit, %", xlabel="environments")
    spread.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
