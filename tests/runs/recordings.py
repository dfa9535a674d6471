"""Recordings for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecbt.runs import Identity, Recording

__all__ = ["make_recording"]


def make_recording(**changes: Any) -> Recording:
    """An episode of four steps: bought two units at 11 on the second bar, sold at 14 on the fifth, at 1 each time."""
    closes = np.array([10.0, 12.0, 13.0, 15.0, 14.0])
    ohlc = np.stack([closes - [0, 1, 0, 1, 0], closes + 1.0, closes - 2.0, closes], axis=1)[:, None, :]
    stamps = np.arange(5) * 60_000_000_000 + 1_700_000_040_000_000_000
    positions = np.array([0.0, 2.0, 2.0, 2.0, 0.0])
    cash = np.array([100.0, 77.0, 77.0, 77.0, 104.0])
    values = cash + positions * closes
    given: dict[str, Any] = {
        "identity": Identity(
            fingerprint="ab" * 32,
            seed=7,
            env=0,
            num_envs=1,
            episode=0,
            trial_type="target",
            sample_type="test",
            trial=0,
            start=30,
        ),
        "agent": "policy",
        "fold": 0,
        "engine": "compiled",
        "assets": ("SYNTH",),
        "rows": np.arange(30, 35),
        "timestamps": stamps,
        "actions": np.array([1, 0, 0, 3]),
        "rewards": np.log(values[1:] / values[:-1]),
        "cash": cash,
        "values": values,
        "costs": np.array([0.0, 1.0, 1.0, 1.0, 2.0]),
        "positions": positions[:, None],
        "position_prices": np.array([0.0, 11.0, 11.0, 11.0, 0.0])[:, None],
        "statuses": np.array([0, 1, 0, 0, 1], np.int8)[:, None],
        "ohlc": ohlc,
        "bar_timestamps": stamps,
        "stats": {"total_return": 0.04, "sharpe": float("nan")},
    }
    return Recording(**{**given, **changes})
