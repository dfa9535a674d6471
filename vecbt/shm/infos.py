"""Infos of environments in shared memory, column by column, without anything being pickled.

What an environment will put into its infos is not known ahead. The first time a number comes under a new name it
travels as a message; the parent then gives it a column, tells the workers, and from then on it is written there.
Everything else (strings, objects, names that do not fit any more) goes on to travel as messages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vecbt.arrays import AnyArray, BoolArray
from vecbt.shm.arena import ArraySpec

__all__ = ["Column", "InfoReader", "InfoWriter", "info_specs"]

_COLUMNS = 64
"""The most columns."""

_WORDS = 128
"""8-byte words in all columns of an environment."""


_WRITABLE = "bBhHiIlLqQfd"
"""Types of numbers that can be written through a memoryview."""

_SAME: dict[type, tuple[type, ...]] = {np.int64: (int, np.int64), np.float64: (float, np.float64)}
"""Numbers of Python and of numpy that are the same to a column, as they are to Gymnasium."""


class Column(NamedTuple):
    """Where the values under a name lie.

    Attributes:
        path: The name, after those of the dicts around it.
        number: Row of its mask.
        first: First of its words, of `words` for each environment.
        words: How many.
        shape: Shape of a value.
        dtype: Type of its numbers; empty for a dict, which has columns of its own.
        scalar: Type of the values where they are scalars; None for arrays and dicts.
    """

    path: tuple[str, ...]
    number: int
    first: int
    words: int
    shape: tuple[int, ...]
    dtype: str
    scalar: type | None


def info_specs(n: int) -> dict[str, ArraySpec]:
    """The arrays for the infos of ``n`` environments."""
    return {
        "info_words": ArraySpec((_WORDS, n), "float64"),
        "info_masks": ArraySpec((_COLUMNS, n), "bool"),
        "info_any": ArraySpec((n,), "bool"),  # at a slice's first environment: whether any of its masks is set
    }


def _values(column: Column, words: AnyArray) -> AnyArray:
    """The column's values, (n, *shape)."""
    n = words.shape[1]
    memory = words[column.first : column.first + column.words].reshape(-1).view(np.uint8)
    size = n * int(np.prod(column.shape, dtype=np.int64))
    dtype = np.dtype(column.dtype)
    return memory[: size * dtype.itemsize].view(dtype).reshape(n, *column.shape)


class _Place:
    """A column as a writer uses it."""

    __slots__ = ("children", "kinds", "mask", "rows", "values")

    def __init__(self, column: Column, words: AnyArray, masks: AnyArray) -> None:
        self.mask: Any = masks[column.number].data
        self.children: dict[str, _Place] | None = None if column.dtype else {}
        self.rows: Any = None
        self.values: Any = None
        self.kinds: Collection[type] = ()
        if column.scalar is not None:
            self.kinds = _SAME.get(column.scalar, (column.scalar,))
            self.values = _values(column, words).data
        elif column.dtype:
            self.rows = _values(column, words)


class InfoWriter:
    """Writes the infos of a slice to the shared columns.

    Args:
        arrays: Those of `info_specs`.
        low: First environment of the slice.
        high: Environment after its last.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], low: int, high: int) -> None:
        self._words, self._all_masks = arrays["info_words"], arrays["info_masks"]
        self._masks: BoolArray = self._all_masks[:, low:high]
        self._any: Any = arrays["info_any"].data[low : low + 1]
        self._root: dict[str, _Place] = {}

    def learn(self, columns: Sequence[Column]) -> None:
        """Get to know columns; known ones, which a process that is started again may be told of twice, stay."""
        for column in columns:
            places = self._root
            for name in column.path[:-1]:
                children = places[name].children
                assert children is not None
                places = children
            if column.path[-1] not in places:
                places[column.path[-1]] = _Place(column, self._words, self._all_masks)

    def clear(self) -> None:
        """Forget the infos of the last call."""
        if self._any[0]:
            self._masks[:] = False
            self._any[0] = False

    def write(self, env: int, info: Mapping[str, Any]) -> dict[str, Any]:
        """Write what has a column; returns the rest."""
        self._any[0] = True
        return self._write(env, info, self._root)

    def _write(self, env: int, info: Mapping[str, Any], places: Mapping[str, _Place]) -> dict[str, Any]:
        rest = {}
        for name, value in info.items():
            place = places.get(name)
            if place is None:
                rest[name] = value
            elif type(value) in place.kinds:
                try:
                    place.values[env] = value
                except (OverflowError, ValueError):  # a whole number beyond 64 bits
                    rest[name] = value
                else:
                    place.mask[env] = True
            elif place.rows is not None and _fits(value, place.rows):
                place.rows[env] = value
                place.mask[env] = True
            elif place.children is not None and isinstance(value, dict):
                place.mask[env] = True
                further = self._write(env, value, place.children)
                if further:
                    rest[name] = further
            else:
                rest[name] = value
        return rest


def _fits(value: Any, rows: AnyArray) -> bool:
    return type(value) is np.ndarray and value.shape == rows.shape[1:] and value.dtype == rows.dtype


class InfoReader:
    """Reads infos from the shared columns, and gives columns to what has none.

    Args:
        arrays: Those of `info_specs`.
    """

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        self._words, self._masks, self._any = arrays["info_words"], arrays["info_masks"], arrays["info_any"]
        self.columns: list[Column] = []
        self._known: dict[tuple[str, ...], Column] = {}
        self._used = 0

    def read(self, low: int, high: int) -> dict[str, Any]:
        """The infos of environments, as `gymnasium.vector.VectorEnv` arranges them."""
        infos: dict[str, Any] = {}
        if not np.count_nonzero(self._any[low:high]):
            return infos
        for column, mask in zip(self.columns, self._masks[:, low:high], strict=False):
            count = np.count_nonzero(mask)
            if not count:
                continue
            place = infos
            for name in column.path[:-1]:
                place = place[name]
            name = column.path[-1]
            place[name] = self._values(column, low, high, mask, count == high - low) if column.dtype else {}
            place["_" + name] = mask.copy()
        return infos

    def _values(self, column: Column, low: int, high: int, mask: BoolArray, everywhere: bool) -> AnyArray:
        values = _values(column, self._words)[low:high]
        if column.scalar is np.bool_:  # no number to Gymnasium, but an object
            result = np.full(high - low, None, object)
            for env in np.flatnonzero(mask).tolist():
                result[env] = values[env]
            return result
        if everywhere:
            return values.copy()
        result = np.zeros_like(values)
        result[mask] = values[mask]
        return result

    def conflicts(self, info: Mapping[str, Any]) -> bool:
        """Whether anything in a message has a column, made for values of another kind."""
        for path, value in _leaves(info):
            column = self._known.get(path)
            if column is not None and (column.dtype or not isinstance(value, dict)):
                return True
        return False

    def single(self, env: int) -> dict[str, Any]:
        """What stands in the columns for one environment, as this one has given it."""
        info: dict[str, Any] = {}
        for column, mask in zip(self.columns, self._masks[:, env], strict=False):
            if mask:
                place = info
                for name in column.path[:-1]:
                    place = place[name]
                place[column.path[-1]] = self._value(column, env) if column.dtype else {}
        return info

    def _value(self, column: Column, env: int) -> Any:
        value = _values(column, self._words)[env, ...]
        if column.scalar is None:
            return value.copy()
        return value.item() if column.scalar is bool or column.scalar in _SAME else value[()]

    def assign(self, info: Mapping[str, Any]) -> list[Column]:
        """New columns for what has come as a message and could have been written; none when they are all in use."""
        new = []
        for path, value in _leaves(info):
            if "final_obs" in path or path in self._known or len(self.columns) == _COLUMNS:
                continue
            if len(path) > 1 and (path[:-1] not in self._known or self._known[path[:-1]].dtype):
                continue  # the dict around it has found no column, or that of a number
            column = self._column(path, value)
            if column is not None:
                self._known[path] = column
                self.columns.append(column)
                self._used += column.words
                new.append(column)
        return new

    def _column(self, path: tuple[str, ...], value: Any) -> Column | None:
        shape: tuple[int, ...] = ()
        scalar: type | None = None
        kind = type(value)
        if kind is dict:
            dtype = ""
        elif kind in (int, float) or (issubclass(kind, np.number) and np.dtype(kind).char in _WRITABLE):
            dtype, scalar = np.dtype(kind).str, np.dtype(kind).type
        elif kind in (bool, np.bool_):
            dtype, scalar = "?", kind
        elif kind is np.ndarray and value.dtype.kind in "biufc":
            shape, dtype = value.shape, value.dtype.str
        else:
            return None
        size = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64)) if dtype else 0
        words = -(-size // 8)
        if self._used + words > _WORDS:
            return None
        return Column(path, len(self.columns), self._used, words, shape, dtype, scalar)


def _leaves(info: Mapping[Any, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything in nested dicts, each dict before what is in it."""
    for name, value in info.items():
        if not isinstance(name, str):
            continue
        yield (*path, name), value
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
