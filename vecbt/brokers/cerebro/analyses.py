"""What the analyzers of an ended episode have to say, as plain data that crosses to any process."""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["analyses_of", "as_plain"]

_SCALARS = (bool, int, float, str, datetime.date, datetime.time, datetime.timedelta)
_SERIES = (list, tuple, set, frozenset, deque)


def analyses_of(strategy: Any) -> dict[str, Any]:
    """``get_analysis()`` of every analyzer of a strategy whose run has ended, by name.

    A name that several analyzers have is numbered from the second on: ``timereturn``, ``timereturn_2``.
    """
    analyses: dict[str, Any] = {}
    for name, analyzer in zip(strategy.analyzers.getnames(), strategy.analyzers, strict=True):
        number, unique = 1, name
        while unique in analyses:
            number += 1
            unique = f"{name}_{number}"
        analyses[unique] = analyzer.get_analysis()
    return analyses


def as_plain(value: Any) -> Any:
    """A value as dictionaries, lists, numbers, strings, dates and None; whatever else there is by its ``repr``.

    Example:
        >>> import collections, numpy as np
        >>> as_plain(collections.OrderedDict(closed=np.int64(3), profits=(np.float64(0.5), None)))
        {'closed': 3, 'profits': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {_as_key(key): as_plain(part) for key, part in value.items()}
    if isinstance(value, _SERIES):
        return [as_plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value if value is None or isinstance(value, _SCALARS) else repr(value)


def _as_key(key: Any) -> Any:
    return tuple(_as_key(part) for part in key) if isinstance(key, tuple) else as_plain(key)
