"""Figures without a window, and their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["new_figure", "pixels", "style"]

_DPI = 80


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches; no window system is asked for, and no list of figures knows it."""
    figure = Figure(figsize=(width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure: uint8 (H, W, 3), red, green and blue."""
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def style(axes: Axes, title: str = "", ylabel: str = "") -> None:
    """What all panels have in common."""
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=7)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_ylabel(ylabel, fontsize=8)
    axes.margins(x=0.01)
