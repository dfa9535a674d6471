"""The picture of what the agent sees: any part of an observation, of any rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vecbt.arrays import AnyArray
from vecbt.render.canvas import new_figure, style

__all__ = ["draw_parts", "parts_of"]

_MOST_LINES = 6
"""Columns that are drawn as lines; more of them make an image."""


def parts_of(observation: Any, name: str = "") -> dict[str, AnyArray]:
    """The arrays of an observation by the path of their keys, such as ``"internal/prices"``.

    Args:
        observation: An array, or a dictionary of observations.
        name: Path of the observation itself.
    """
    if not isinstance(observation, Mapping):
        return {name: np.asarray(observation)}
    parts: dict[str, AnyArray] = {}
    for key, part in observation.items():
        parts |= parts_of(part, f"{name}/{key}" if name else str(key))
    return parts


def draw_parts(parts: Mapping[str, AnyArray], labels: Mapping[str, Sequence[str]]) -> Figure:
    """Draw arrays below each other: numbers and vectors as columns, few columns over time as lines, the rest as images.

    Args:
        parts: The arrays by name.
        labels: Names of the columns of some of them.
    """
    panels = [panel for name, array in parts.items() for panel in _panels(name, array, labels.get(name, ()))]
    height = 0.5 + 1.5 * len(panels)
    figure = new_figure(8.0, height)
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    figure.subplots_adjust(left=0.09, right=0.985, top=1.0 - 0.3 / height, bottom=0.3 / height, hspace=0.5)
    for one, (title, array, names) in zip(axes, panels, strict=True):
        _draw(one, title, array, names)
    return figure


def _panels(name: str, array: AnyArray, labels: Sequence[str]) -> list[tuple[str, AnyArray, Sequence[str]]]:
    array = array.astype(np.float64)
    if array.ndim == 2 and 0 < array.shape[1] <= _MOST_LINES:
        names = labels if len(labels) == array.shape[1] else range(array.shape[1])
        # Columns of their own scale each: prices and oscillators would hide each other.
        return [(f"{name}: {label}", column, ()) for label, column in zip(names, array.T, strict=True)]
    if array.ndim > 2:
        array = array.reshape(len(array), -1)
    return [(name, array if array.ndim == 2 and array.size else array.reshape(-1), labels)]


def _draw(axes: Axes, title: str, array: AnyArray, labels: Sequence[str]) -> None:
    if array.ndim == 2:
        low, high = array.min(0, initial=np.inf), array.max(0, initial=-np.inf)
        spread = np.where(high > low, high - low, 1.0)
        axes.imshow((array - low).T / spread[:, None], aspect="auto", interpolation="nearest", vmin=0.0, vmax=1.0)
        style(axes, f"{title} {array.shape}, each column on its own scale")
        axes.grid(visible=False)
        if len(labels) == array.shape[1]:
            axes.set_yticks(np.arange(len(labels)), labels)
            axes.tick_params(axis="y", labelsize=min(7.0, 70.0 / len(labels)))
        return
    place = np.arange(len(array))
    if labels or len(array) <= _MOST_LINES:
        axes.bar(place, array, width=0.6, color="#1f77b4")
        axes.axhline(0.0, color="black", linewidth=0.6)
        names = labels if len(labels) == len(array) else [str(number) for number in place]
        axes.set_xticks(place, names)
    else:
        axes.plot(place, array, color="#1f77b4", linewidth=1.2)
    style(axes, title)
