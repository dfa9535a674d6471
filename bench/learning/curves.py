"""Pictures of learning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.learning.measure import Seed
from vecbt.render.canvas import new_figure, style

__all__ = ["draw_curves"]


def draw_curves(path: Path, title: str, seeds: Sequence[Seed], *, of_best: bool) -> None:
    """Draw what held-out episodes came to while each seed was trained, and how much of the time in the market.

    Args:
        path: File to write.
        title: What was learned.
        seeds: The results.
        of_best: Show profits as shares of the best one; otherwise in currency.
    """
    figure = new_figure(9.0, 5.0)
    profit, exposure = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for number, seed in enumerate(seeds):
        steps = [look.steps / 1e6 for look in seed.looks]
        unit = seed.best if of_best else 1.0
        for name, line in (("chosen", "-"), ("drawn", ":")):
            results = [getattr(look, name) for look in seed.looks]
            values = np.array([result.profit for result in results]) / unit
            errors = 2.0 * np.array([result.error for result in results]) / unit
            look = {"color": f"C{number}", "linestyle": line}
            label = f"seed {seed.seed}" + ("" if name == "chosen" else ", actions drawn")
            profit.plot(steps, values, label=label, **look)
            profit.fill_between(steps, values - errors, values + errors, color=f"C{number}", alpha=0.12, linewidth=0)
            exposure.plot(steps, [100.0 * result.exposure for result in results], **look)
    profit.axhline(1.0 if of_best else 0.0, color="black", linewidth=0.8)
    if of_best:
        profit.axhline(0.8, color="black", linewidth=0.8, linestyle="--")
        profit.set_ylim(-1.0, 1.1)
    else:
        profit.set_yscale("symlog", linthresh=1.0)
    style(profit, title, "share of the best profit" if of_best else "mean profit of an episode")
    style(exposure, ylabel="in the market, %")
    exposure.set_xlabel("million steps of training", fontsize=8)
    profit.legend(fontsize=7, ncols=2, loc="lower right")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
