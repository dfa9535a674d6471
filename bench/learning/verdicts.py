"""Whether what came of the seeds is what should have come."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from bench.learning.measure import Result, Seed

__all__ = ["SINE", "WALK", "Goal"]

_SHARE = 0.8
"""Of the best profit, what a learner should reach on the sine."""

_ERRORS = 2.0
"""Standard errors from zero that the mean result on a random walk may be."""

_EXPOSURE = 0.01
"""Share of the bars that who has learned to stay flat may be in the market."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """What is asked of every seed.

    Attributes:
        text: The goal in words.
        header: Titles of the table's columns.
        rows: Makes the cells of a seed, a row or more.
        met: Whether a seed has reached it.
    """

    text: str
    header: tuple[str, ...]
    rows: Callable[[Seed], list[tuple[str, ...]]]
    met: Callable[[Seed], bool]

    def table(self, seeds: Sequence[Seed]) -> list[tuple[str, ...]]:
        """The cells of all seeds."""
        return [row for seed in seeds for row in self.rows(seed)]


def _sine_share(seed: Seed) -> float:
    return seed.last.chosen.profit / seed.best


def _sine_met(seed: Seed) -> bool:
    return _sine_share(seed) >= _SHARE


def _sine_rows(seed: Seed) -> list[tuple[str, ...]]:
    last = seed.last
    verdict = "met" if _sine_met(seed) else "MISSED"
    money = (f"{seed.best:,.2f}", f"{last.chosen.profit:,.2f}", f"{_sine_share(seed):.1%}")
    return [(str(seed.seed), *money, f"{last.drawn.profit / seed.best:.1%}", verdict)]


def _flat(result: Result) -> str:
    """What a policy's result on random walks is called."""
    if abs(result.profit) > _ERRORS * result.error:
        return "LEAK" if result.profit > 0.0 else "LOSES"
    return "met" if result.exposure <= _EXPOSURE else "NOT FLAT"


def _walk_met(seed: Seed) -> bool:
    return _flat(seed.last.chosen) == _flat(seed.last.drawn) == "met"


def _walk_rows(seed: Seed) -> list[tuple[str, ...]]:
    before, chosen, drawn = seed.looks[0].drawn, seed.last.chosen, seed.last.drawn
    rows = (
        ("before training, drawn", before, ""),
        ("the most probable", chosen, _flat(chosen)),
        ("drawn", drawn, _flat(drawn)),
    )
    return [
        (
            str(seed.seed),
            name,
            f"{result.profit:+,.3f}",
            f"{result.error:.3f}",
            f"{result.exposure:.2%}",
            verdict,
        )
        for name, result, verdict in rows
    ]


SINE = Goal(
    f"at least {_SHARE:.0%} of the best profit, by the most probable action",
    ("seed", "best profit", "learned", "share", "share, actions drawn", ""),
    _sine_rows,
    _sine_met,
)
"""Of `bench.learning.markets.SINE`."""

WALK = Goal(
    f"a mean within {_ERRORS:.0f} standard errors of zero, and in the market on at most {_EXPOSURE:.0%} of the bars",
    ("seed", "actions", "mean profit", "standard error", "in the market", ""),
    _walk_rows,
    _walk_met,
)
"""Of `bench.learning.markets.WALK`. More than that is foresight, which nobody has: a look-ahead."""
