"""Elements of Gymnasium's spaces in shared arrays: one row for each environment, whatever the space is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any, Protocol, TypeAlias

import numpy as np
from gymnasium import spaces
from gymnasium.error import CustomSpaceError

from vecbt.arrays import AnyArray
from vecbt.shm.arena import ArraySpec

__all__ = ["Layout", "layout"]

Write: TypeAlias = Callable[[Any], None]
Arrays: TypeAlias = Mapping[str, AnyArray]


class Layout(Protocol):
    """How a batch of elements of a space lies in named arrays.

    Attributes:
        specs: The arrays.
    """

    specs: dict[str, ArraySpec]

    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        """For each environment what writes its element to its row.

        A writer raises for what does not have the size of an element; it may have written a part then.
        """

    def holds(self, value: Any) -> bool:
        """Whether an element comes back from its row as it is, type and all."""

    def element(self, arrays: Arrays, env: int) -> Any:
        """A copy of an environment's element."""

    def batch(self, arrays: Arrays, low: int, high: int, copy: bool) -> Any:
        """The batch of elements as `gymnasium.vector.utils.concatenate` gives it, as views unless ``copy``."""


@singledispatch
def layout(space: Any, n: int, name: str) -> Layout:
    """The layout of ``n`` elements of a space, in arrays whose names begin with ``name``.

    Raises:
        TypeError: If an element of the space has no fixed size.
        CustomSpaceError: If the space is none of Gymnasium's.
    """
    raise CustomSpaceError(f"{type(space).__name__} is none of Gymnasium's spaces: how its elements lie is not known")


class _Plain:
    """Box, Discrete, MultiDiscrete and MultiBinary: one array."""

    def __init__(self, space: Any, n: int, name: str) -> None:
        self._name, self._shape, self._dtype = name, space.shape, space.dtype
        self._scalar = space.shape == ()
        self.specs = {name: ArraySpec((n, *space.shape), space.dtype.str)}

    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        array = arrays[self._name]
        if self._scalar:
            return [self._scalar_writer(array, env) for env in range(low, high)]
        return [self._row_writer(array[env]) for env in range(low, high)]

    def _scalar_writer(self, array: AnyArray, env: int) -> Write:
        def write(value: Any) -> None:
            array[env] = value if np.ndim(value) == 0 else np.asarray(value).reshape(())

        return write

    def _row_writer(self, row: AnyArray) -> Write:
        shape, ndarray, dtype = self._shape, np.ndarray, self._dtype

        def write(value: Any) -> None:
            if type(value) is not ndarray:
                value = np.asarray(value, dtype=dtype)
            if value.shape != shape:  # an assignment would stretch what is too small over the row
                value = value.reshape(shape)
            row[...] = value

        return write

    def holds(self, value: Any) -> bool:
        if self._scalar:
            return type(value) is self._dtype.type
        return type(value) is np.ndarray and value.dtype == self._dtype and value.shape == self._shape

    def element(self, arrays: Arrays, env: int) -> Any:
        array = arrays[self._name]
        return array[env] if self._scalar else array[env].copy()

    def batch(self, arrays: Arrays, low: int, high: int, copy: bool) -> Any:
        view = arrays[self._name][low:high]
        return view.copy() if copy else view


for _space in (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary):
    layout.register(_space, _Plain)


class _Parts:
    """Several layouts side by side."""

    def __init__(self, parts: Sequence[Layout]) -> None:
        self._parts = parts
        self.specs = {name: spec for part in parts for name, spec in part.specs.items()}


class _Tuple(_Parts):
    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        columns = [part.writers(arrays, low, high) for part in self._parts]
        return [self._writer(row) for row in zip(*columns, strict=True)] if columns else [_ignore] * (high - low)

    def _writer(self, writers: Sequence[Write]) -> Write:
        def write(value: Any) -> None:
            if len(value) != len(writers):
                raise ValueError(f"expected {len(writers)} parts, got {len(value)}")
            for write_part, part in zip(writers, value, strict=True):
                write_part(part)

        return write

    def holds(self, value: Any) -> bool:
        return (
            type(value) is tuple
            and len(value) == len(self._parts)
            and all(part.holds(each) for part, each in zip(self._parts, value, strict=True))
        )

    def element(self, arrays: Arrays, env: int) -> Any:
        return tuple(part.element(arrays, env) for part in self._parts)

    def batch(self, arrays: Arrays, low: int, high: int, copy: bool) -> Any:
        return tuple(part.batch(arrays, low, high, copy) for part in self._parts)


@layout.register(spaces.Tuple)
def _(space: spaces.Tuple[Any], n: int, name: str) -> Layout:
    return _Tuple([layout(part, n, f"{name}/{number}") for number, part in enumerate(space.spaces)])


class _Dict(_Parts):
    def __init__(self, parts: Mapping[str, Layout]) -> None:
        super().__init__(list(parts.values()))
        self._keys = tuple(parts)

    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        columns = [part.writers(arrays, low, high) for part in self._parts]
        return [self._writer(row) for row in zip(*columns, strict=True)] if columns else [_ignore] * (high - low)

    def _writer(self, writers: Sequence[Write]) -> Write:
        pairs = tuple(zip(self._keys, writers, strict=True))

        def write(value: Any) -> None:
            for key, write_part in pairs:
                if key not in value:
                    raise ValueError(f"expected the keys {list(self._keys)}, got {list(value)}")
                write_part(value[key])

        return write

    def holds(self, value: Any) -> bool:
        return (
            type(value) is dict
            and value.keys() == set(self._keys)
            and all(part.holds(value[key]) for key, part in zip(self._keys, self._parts, strict=True))
        )

    def element(self, arrays: Arrays, env: int) -> Any:
        return {key: part.element(arrays, env) for key, part in zip(self._keys, self._parts, strict=True)}

    def batch(self, arrays: Arrays, low: int, high: int, copy: bool) -> Any:
        return {key: part.batch(arrays, low, high, copy) for key, part in zip(self._keys, self._parts, strict=True)}


@layout.register(spaces.Dict)
def _(space: spaces.Dict, n: int, name: str) -> Layout:
    return _Dict({key: layout(part, n, f"{name}/{key}") for key, part in space.spaces.items()})


def _ignore(value: Any) -> None:
    """Write the element of a space without parts."""


class _ByElement:
    """Spaces whose batch is a tuple of elements."""

    def element(self, arrays: Arrays, env: int) -> Any:
        raise NotImplementedError

    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        raise NotImplementedError

    def batch(self, arrays: Arrays, low: int, high: int, copy: bool) -> Any:
        return tuple(self.element(arrays, env) for env in range(low, high))


class _Text(_ByElement):
    """Strings as Unicode code points and a length."""

    def __init__(self, space: spaces.Text, n: int, name: str) -> None:
        self._name, self._most = name, space.max_length
        self.specs = {
            name: ArraySpec((n, space.max_length), "int32"),
            f"{name}/length": ArraySpec((n,), "int64"),
        }

    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        codes, lengths = arrays[self._name], arrays[f"{self._name}/length"]

        def writer(env: int) -> Write:
            def write(value: Any) -> None:
                if not isinstance(value, str) or len(value) > self._most:
                    raise ValueError(f"expected a string of at most {self._most} characters, got {value!r}")
                codes[env, : len(value)] = [ord(character) for character in value]
                lengths[env] = len(value)

            return write

        return [writer(env) for env in range(low, high)]

    def holds(self, value: Any) -> bool:
        return type(value) is str

    def element(self, arrays: Arrays, env: int) -> Any:
        codes, length = arrays[self._name][env], arrays[f"{self._name}/length"][env]
        return "".join(map(chr, codes[:length].tolist()))


layout.register(spaces.Text, _Text)


class _OneOf(_ByElement):
    """A choice and its element: the number of the choice, and room for every one."""

    def __init__(self, space: spaces.OneOf[Any], n: int, name: str) -> None:
        self._name = f"{name}/choice"
        self._parts = [layout(part, n, f"{name}/{number}") for number, part in enumerate(space.spaces)]
        self.specs = {self._name: ArraySpec((n,), "int64")}
        for part in self._parts:
            self.specs |= part.specs

    def writers(self, arrays: Arrays, low: int, high: int) -> list[Write]:
        choices = arrays[self._name]
        columns = [part.writers(arrays, low, high) for part in self._parts]

        def writer(env: int) -> Write:
            def write(value: Any) -> None:
                choice, element = value
                if not 0 <= choice < len(columns):
                    raise ValueError(f"expected one of {len(columns)} choices, got {choice}")
                columns[choice][env - low](element)
                choices[env] = choice

            return write

        return [writer(env) for env in range(low, high)]

    def holds(self, value: Any) -> bool:
        return type(value) is tuple and type(value[0]) is np.int64 and self._parts[value[0]].holds(value[1])

    def element(self, arrays: Arrays, env: int) -> Any:
        choice = arrays[self._name][env]
        return choice, self._parts[choice].element(arrays, env)


layout.register(spaces.OneOf, _OneOf)


@layout.register(spaces.Graph)
@layout.register(spaces.Sequence)
def _(space: Any, n: int, name: str) -> Layout:
    raise TypeError(
        f"As {space} has a dynamic shape so its not possible to make a static shared memory. With "
        f"`shared_memory=False` its elements travel as messages."
    )
