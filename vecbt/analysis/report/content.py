"""What the page tells of a run, in numbers and names."""

from __future__ import annotations

import base64
import dataclasses
import math
from typing import Any

import numpy as np

from vecbt.analysis.metrics import Statistics, measure
from vecbt.analysis.trades import fills_of, trades_of
from vecbt.arrays import AnyArray
from vecbt.runs.folder import Run
from vecbt.runs.recording import Recording

__all__ = ["content_of"]

_TRADES = 5_000
"""Trades that the page lists; the largest part of a page would be a list that nobody reads."""


def content_of(run: Run) -> dict[str, Any]:
    """Everything that the page shows, as JSON can hold it; long columns of numbers in base64."""
    recordings = [run.recording(number) for number in range(len(run.episodes))]
    folds = []
    for number, facts in enumerate(run.facts.get("folds", [{}])):
        own = [recording for recording in recordings if recording.fold == number]
        folds.append(
            {
                "facts": {name: value for name, value in facts.items() if not isinstance(value, list | tuple)},
                "rows": {name: value for name, value in facts.items() if isinstance(value, list | tuple)},
                "curves": {name: _numbers(values) for name, values in run.curves(number).items()},
                "test": _test(own) if own else None,
            }
        )
    facts = {name: value for name, value in run.facts.items() if name != "folds"}
    return {"name": run.path.name, "facts": _plain(facts), "folds": folds}


def _test(recordings: list[Recording]) -> dict[str, Any]:
    """The test of a fold: bars that all agents share, and what each of them did."""
    agents = {}
    for name in dict.fromkeys(recording.agent for recording in recordings):
        own = [recording for recording in recordings if recording.agent == name]
        agents[name] = _agent(own)
    longest = max(recordings, key=lambda recording: len(recording.ohlc))
    return {
        "assets": list(longest.assets),
        "stamps": _column(longest.bar_timestamps // 1_000_000, np.float64),  # milliseconds, as browsers count
        "ohlc": [
            [_column(longest.ohlc[:, asset, price]) for price in range(4)] for asset in range(len(longest.assets))
        ],
        "agents": agents,
    }


def _agent(recordings: list[Recording]) -> dict[str, Any]:
    """An agent's first episode, and the statistics of all of its episodes, averaged."""
    first = recordings[0]
    actions = first.actions.reshape(len(first.actions), -1)
    whole = actions.dtype.kind in "iu"
    return {
        "episodes": len(recordings),
        "engine": first.engine,
        "identity": dataclasses.asdict(first.identity),
        "statistics": _mean([measure(recording) for recording in recordings]),
        "bars": _column(first.rows - first.rows[0], np.int32),
        "values": _column(first.values),
        "rewards": _column(first.rewards),
        "positions": [_column(first.positions[:, asset]) for asset in range(len(first.assets))],
        "actions": [_column(actions[:, place]) for place in range(actions.shape[1])],
        "counts": [_counts(actions[:, place]) for place in range(actions.shape[1])] if whole else None,
        "fills": _rows(fills_of(first), ("bar", "asset", "size", "price")),
        "trades": _trades(first),
    }


def _trades(recording: Recording) -> dict[str, Any]:
    trades = trades_of(recording)
    return {
        "count": len(trades),
        "rows": [
            [
                recording.assets[trade.asset],
                "long" if trade.long else "short",
                trade.entry_bar,
                trade.exit_bar,
                trade.size,
                trade.entry_price,
                trade.exit_price,
                trade.profit,
                trade.costs,
                trade.open,
            ]
            for trade in trades[:_TRADES]
        ],
    }


def _rows(items: list[Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: _column(np.array([getattr(item, name) for item in items], np.float64)) for name in names}


def _counts(actions: AnyArray) -> dict[str, int]:
    codes, counts = np.unique(actions, return_counts=True)
    return {str(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}


def _mean(statistics: list[Statistics]) -> dict[str, float | str | None]:
    names = [field.name for field in dataclasses.fields(Statistics)]
    found = {}
    for name in names:
        values = [float(getattr(own, name)) for own in statistics if not math.isnan(getattr(own, name))]
        found[name] = _number(sum(values) / len(values)) if values else None
    return found


def _column(values: AnyArray, dtype: Any = np.float64) -> str:
    """A column of numbers, little-endian, in base64; the kind of numbers is the page's to know."""
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()).decode()


def _numbers(values: AnyArray) -> list[float | str | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf" if value > 0.0 else "-inf"


def _plain(value: Any) -> Any:
    """JSON has no infinite numbers."""
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
