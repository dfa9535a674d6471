"""Strategies and indicators that are defined in a script, a notebook or a function, on their way to a worker.

Backtrader's metaclasses turn what a class body declares (parameters, lines, plotting) into classes of their own, which
they register in the body's module; pickled as they are, these come apart. Here a class travels as its declarations
and its other attributes, and its metaclass makes it anew.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from backtrader.metabase import MetaBase

from vecbt.shm.byvalue import register_reducer

__all__ = ["reduce_class"]

_MADE = ("params", "lines", "linealias", "plotinfo", "plotlines", "packages", "frompackages", "alias", "aliased")
_NOT_STATE = frozenset((*_MADE, "__dict__", "__weakref__", "__module__", "__qualname__"))


def reduce_class(cls: Any) -> tuple[Any, ...]:
    """How a class of Backtrader is taken apart, as ``__reduce__`` says it."""
    declarations: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    if "params" in cls.__dict__:
        declarations["params"] = tuple(cls.params._getpairs().items())
    if "lines" in cls.__dict__:
        inherited = len(cls.lines._getlinesbase())
        declarations["lines"] = tuple(cls.lines._getlines()[inherited:])
        declarations["extralines"] = cls.lines._getlinesextra() - cls.lines._getlinesextrabase()
    for name in ("linealias", "plotinfo"):
        if name in cls.__dict__:
            declarations[name] = dict(getattr(cls, name)._getpairs())
    for name in ("packages", "frompackages"):
        if cls.__dict__.get(name):
            declarations[name] = tuple(cls.__dict__[name])
    state = {name: value for name, value in cls.__dict__.items() if name not in _NOT_STATE}
    # In two parts, because methods may refer to their class: it exists when they arrive.
    return _make, (type(cls), cls.__name__, cls.__bases__, declarations), state, None, None, _complete


def _make(metaclass: Any, name: str, bases: tuple[type, ...], declarations: dict[str, Any]) -> Any:
    module = declarations["__module__"]
    if module not in sys.modules:  # Backtrader looks it up whenever it makes an object
        sys.modules[module] = types.ModuleType(module)
    return metaclass(name, bases, declarations)


def _complete(cls: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        setattr(cls, name, value)


register_reducer(MetaBase, reduce_class)
