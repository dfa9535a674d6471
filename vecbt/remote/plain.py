"""Results as messages carry them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

__all__ = ["as_json"]


def as_json(value: Any) -> Any:
    """What analyzers say, with strings for dates and for keys, and seconds for spans of time.

    Example:
        >>> as_json({datetime.date(2024, 1, 2): 0.5, 3: [datetime.timedelta(minutes=1), None]})
        {'2024-01-02': 0.5, '3': [60.0, None]}
    """
    if isinstance(value, Mapping):
        return {_as_key(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value


def _as_key(key: Any) -> str:
    return key.isoformat() if isinstance(key, datetime.date | datetime.time) else str(key)
