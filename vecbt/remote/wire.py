"""Messages with arrays in them: a header in JSON, and behind it the arrays as they lie in memory.

A message is a dictionary of plain values (None, truth values, numbers, strings, lists, dictionaries with string keys)
and NumPy arrays, nested as one likes. Whatever bytes come, `unpack` returns such a dictionary or raises; nothing is
ever unpickled, and no name in a message is looked up anywhere.
"""

from __future__ import annotations

import json
import math
import reprlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.errors import MessageError
from vecbt.messages import parse_json

__all__ = ["LIMIT", "pack", "unpack"]

LIMIT = 1 << 30
"""Bytes of the longest message."""

_SIZE = struct.Struct("<Q")
_DTYPES = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
)
_MARK = "$"
"""The only key of an object that stands for an array, by its number, or for a number that JSON does not have."""
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def pack(message: Mapping[str, Any]) -> bytes:
    """A message as bytes.

    Raises:
        MessageError: If there is something in it that a message cannot hold, or it is too long.

    Example:
        >>> unpack(pack({"ctrl": "_step", "reward": float("-inf"), "observation": np.zeros((2, 1), np.float32)}))
        {'ctrl': '_step', 'reward': -inf, 'observation': array([[0.],
               [0.]], dtype=float32)}
    """
    arrays: list[AnyArray] = []
    try:
        tree = _to_json(message, arrays)
        specs = [[array.dtype.name, list(array.shape)] for array in arrays]
        header = json.dumps({"arrays": specs, "message": tree}, allow_nan=False).encode()
    except RecursionError:
        raise MessageError("expected a message, got one that is nested too deeply, or contains itself") from None
    except ValueError as error:
        if isinstance(error, MessageError):
            raise
        raise MessageError(f"expected a message that JSON can hold: {error}") from None  # a number of 5,000 digits
    data = b"".join([_SIZE.pack(len(header)), header, *(array.tobytes() for array in arrays)])
    if len(data) > LIMIT:
        raise MessageError(f"expected a message of at most {LIMIT:,} bytes, got {len(data):,}")
    return data


def _to_json(value: Any, arrays: list[AnyArray]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_MARK: str(value)}
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _DTYPES:
            raise MessageError(f"an array in a message must be of numbers or truth values, got dtype {value.dtype}")
        arrays.append(value.astype(value.dtype.newbyteorder("="), copy=False))
        return {_MARK: len(arrays) - 1}
    if isinstance(value, list | tuple):
        return [_to_json(item, arrays) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == _MARK:
                raise MessageError(f"a key in a message must be a string other than {_MARK!r}, got {key!r}")
        return {key: _to_json(item, arrays) for key, item in value.items()}
    raise MessageError(f"a message cannot hold {reprlib.repr(value)}, a {type(value).__name__}")


def unpack(data: bytes) -> dict[str, Any]:
    """The message that bytes hold; its arrays are the caller's.

    Raises:
        MessageError: If they hold none.
    """
    if len(data) > LIMIT or len(data) < _SIZE.size:
        raise MessageError(f"expected a message of {_SIZE.size} to {LIMIT:,} bytes, got {len(data):,}")
    (length,) = _SIZE.unpack_from(data)
    start = _SIZE.size + length
    if start > len(data):
        raise MessageError(f"expected a header of {length} bytes, got {len(data) - _SIZE.size}")
    header = parse_json(data[_SIZE.size : start])
    if header.keys() != {"arrays", "message"} or not isinstance(header["message"], dict):
        raise MessageError(f"expected a header with arrays and a message, got {reprlib.repr(header)}")
    arrays = _arrays(header["arrays"], data, start)
    try:
        message = {key: _from_json(value, arrays) for key, value in header["message"].items()}
    except RecursionError:
        raise MessageError("expected a message, got one that is nested too deeply") from None
    unused = [number for number, array in enumerate(arrays) if array is not None]
    if unused:
        raise MessageError(f"array {unused[0]} occurs nowhere in its message")
    return message


def _arrays(specs: Any, data: bytes, start: int) -> list[AnyArray | None]:
    """The arrays behind the header."""
    arrays: list[AnyArray | None] = []
    if not isinstance(specs, list):
        raise MessageError(f"expected a list of arrays, got {reprlib.repr(specs)}")
    for spec in specs:
        if not (
            isinstance(spec, list)
            and len(spec) == 2
            and isinstance(spec[0], str)
            and spec[0] in _DTYPES
            and isinstance(spec[1], list)
            and len(spec[1]) <= 32
            and all(type(length) is int and length >= 0 for length in spec[1])
        ):
            raise MessageError(f"expected the dtype and the shape of an array, got {reprlib.repr(spec)}")
        dtype, count = np.dtype(spec[0]), math.prod(spec[1])
        end = start + count * dtype.itemsize
        if end > len(data):
            raise MessageError(f"expected {end - start} bytes of an array, got {len(data) - start}")
        try:
            array = np.frombuffer(data, dtype, count, start).reshape(spec[1]).copy()
        except ValueError as error:  # a shape that NumPy does not take, with a 0 in it
            raise MessageError(f"expected the shape of an array, got {reprlib.repr(spec[1])}: {error}") from None
        if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
            raise MessageError("expected truth values, 0 or 1, in an array of dtype bool")
        arrays.append(array)
        start = end
    if start != len(data):
        raise MessageError(f"expected the end of a message, got {len(data) - start} bytes more")
    return arrays


def _from_json(value: Any, arrays: list[AnyArray | None]) -> Any:
    if isinstance(value, list):
        return [_from_json(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _MARK not in value:
        return {key: _from_json(item, arrays) for key, item in value.items()}
    what = value[_MARK]
    if len(value) == 1 and isinstance(what, str) and what in _NON_FINITE:
        return _NON_FINITE[what]
    if len(value) == 1 and type(what) is int and 0 <= what < len(arrays):
        array, arrays[what] = arrays[what], None
        if array is not None:
            return array
    raise MessageError(
        f"expected the number of an array, each once, or of 'nan', 'inf', '-inf', got {reprlib.repr(value)}"
    )
