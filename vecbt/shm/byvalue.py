"""Objects that travel to another process whole: with the code of their classes, wherever those were defined."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle

__all__ = ["ByValue", "is_importable", "register_reducer"]

_REDUCERS: dict[type, Callable[[Any], Any]] = {}


def register_reducer(metaclass: type, reducer: Callable[[Any], Any]) -> None:
    """Let ``reducer`` say how classes of a metaclass are taken apart, where cloudpickle's own way does not do.

    Args:
        metaclass: The metaclass; those derived from it are included.
        reducer: Returns what ``__reduce__`` may return.
    """
    _REDUCERS[metaclass] = reducer


def is_importable(cls: type) -> bool:
    """Whether another process finds a class under its name, without the script that is being run."""
    if cls.__module__ == "__main__" or "<locals>" in cls.__qualname__:
        return False
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and not is_importable(obj):
            for metaclass in type.mro(type(obj)):
                if metaclass in _REDUCERS:
                    return _REDUCERS[metaclass](obj)
        return super().reducer_override(obj)


class ByValue:
    """Carries an object to a child process: pickled by value when the process is started, as it is when it is forked.

    Unpickling waits for `load`, where its errors can be reported.
    """

    def __init__(self, value: Any) -> None:
        self._value, self._pickled = value, b""

    def __reduce__(self) -> tuple[Any, ...]:
        with io.BytesIO() as file:
            _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(self._value)
            return _carrier, (file.getvalue(),)

    def load(self) -> Any:
        """The object."""
        return pickle.loads(self._pickled) if self._pickled else self._value


def _carrier(pickled: bytes) -> ByValue:
    carrier = ByValue(None)
    carrier._pickled = pickled
    return carrier
