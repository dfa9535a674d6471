"""What can be said comes through unchanged; whatever bytes come, they are a message or a MessageError."""

from __future__ import annotations

import json
import math
import pickle
import struct
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vecbt.errors import MessageError
from vecbt.remote import wire
from vecbt.remote.wire import pack, unpack

DTYPES = sorted(wire._DTYPES)
arrays = st.sampled_from(DTYPES).flatmap(
    lambda name: npst.arrays(np.dtype(name), npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = st.text().filter(lambda key: key != "$")
values = st.recursive(
    scalars | arrays, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
messages = st.dictionaries(keys, values, max_size=4)


def same(one: Any, other: Any) -> bool:
    """Equality of type, shape and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


@settings(max_examples=300)
@given(messages)
def test_a_message_comes_through_unchanged(message: dict[str, Any]) -> None:
    try:
        data = pack(message)
    except MessageError:
        assert any(len(str(abs(number))) > 300 for number in integers_in(message))
        return
    assert same(unpack(data), message)


def integers_in(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in integers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in integers_in(item)]
    return [value] if type(value) is int else []


class Colour(IntEnum):
    RED = 3


def test_what_is_like_a_plain_value_becomes_one() -> None:
    strided = np.arange(12.0).reshape(3, 4)[::2, ::3]
    given = {"a": (1, 2), "b": np.float32(0.5), "c": np.bool_(True), "d": Colour.RED, "e": strided}
    given["f"] = np.arange(3, dtype=">i4")
    got = unpack(pack(given))
    assert got["e"].flags.writeable
    assert got["e"].flags.owndata
    assert same(got.pop("e"), np.array([[0.0, 3.0], [8.0, 11.0]]))
    assert same(got.pop("f"), np.arange(3, dtype="int32"))
    assert same(got, {"a": [1, 2], "b": 0.5, "c": True, "d": 3})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, "cannot hold {1, 2}, a set"),
        ({"x": {1: 2}}, "a string other than '\\$', got 1"),
        ({"$": 2}, "a string other than '\\$', got '\\$'"),
        (np.array([None]), "dtype object"),
        (np.array(["x"]), "dtype <U1"),
        (b"x", "cannot hold b'x', a bytes"),
        pytest.param(10**5000, "JSON can hold", id="digits"),
    ],
)
def test_what_a_message_cannot_hold(value: Any, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        pack({"value": [value]})


def test_what_is_nested_too_deeply(monkeypatch: pytest.MonkeyPatch) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(MessageError, match="too deeply"):
        pack({"value": endless})
    with pytest.raises(MessageError, match="too deeply"):
        unpack(framed('{"arrays": [], "message": {"a": ' + "[" * 200_000 + "]" * 200_000 + "}}"))
    monkeypatch.setattr(wire, "LIMIT", 100)
    with pytest.raises(MessageError, match="at most 100 bytes, got"):
        pack({"value": np.zeros(100)})
    with pytest.raises(MessageError, match="8 to 100 bytes, got 101"):
        unpack(b" " * 101)


def framed(header: str, behind: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header.encode())) + header.encode() + behind


@pytest.mark.parametrize(
    ("header", "behind"),
    [
        ("[]", b""),
        ("{}", b""),
        ('{"arrays": [], "message": []}', b""),
        ('{"arrays": {}, "message": {}}', b""),
        ('{"arrays": [], "message": {}, "more": 1}', b""),
        ('{"arrays": [], "message": {}}', b"x"),
        ('{"arrays": [], "message": {"a": {"$": 0}}}', b""),
        ('{"arrays": [], "message": {"a": {"$": "nan", "b": 1}}}', b""),
        ('{"arrays": [], "message": {"a": {"$": "NaN"}}}', b""),
        ('{"arrays": [], "message": {"a": {"$": []}}}', b""),
        ('{"arrays": [], "message": {"a": NaN}}', b""),
        ('{"arrays": [], "message": {"a": 1, "a": 2}}', b""),
        ('{"arrays": [["int8", [1]]], "message": {}}', b"x"),
        ('{"arrays": [["int8", [1]]], "message": {"a": {"$": true}}}', b"x"),
        ('{"arrays": [["int8", [1]]], "message": {"a": {"$": -1}}}', b"x"),
        ('{"arrays": [["int8", [1]]], "message": {"a": [{"$": 0}, {"$": 0}]}}', b"x"),
        ('{"arrays": [["int8", [2]]], "message": {"a": {"$": 0}}}', b"x"),
        ('{"arrays": [["int8", [-1]]], "message": {"a": {"$": 0}}}', b""),
        ('{"arrays": [["int8", [true]]], "message": {"a": {"$": 0}}}', b"x"),
        ('{"arrays": [["int8", [1.0]]], "message": {"a": {"$": 0}}}', b"x"),
        ('{"arrays": [["int8", 1]], "message": {"a": {"$": 0}}}', b"x"),
        ('{"arrays": [["int8"]], "message": {"a": {"$": 0}}}', b"x"),
        ('{"arrays": [["object", [1]]], "message": {"a": {"$": 0}}}', b"x" * 8),
        ('{"arrays": [[["int8"], [1]]], "message": {"a": {"$": 0}}}', b"x"),
        ('{"arrays": [["bool", [1]]], "message": {"a": {"$": 0}}}', b"\x02"),
        ('{"arrays": [["float64", [9223372036854775807, 9223372036854775807]]], "message": {"a": {"$": 0}}}', b""),
        ('{"arrays": [["float64", [0, 9223372036854775807]]], "message": {"a": {"$": 0}}}', b""),
        ('{"arrays": [["int8", [' + "1, " * 99 + '1]]], "message": {"a": {"$": 0}}}', b"x"),
    ],
)
def test_what_is_no_message(header: str, behind: bytes) -> None:
    with pytest.raises(MessageError):
        unpack(framed(header, behind))


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_bytes_of_any_kind(data: bytes) -> None:
    try:
        message = unpack(data)
    except MessageError:
        return
    assert same(unpack(pack(message)), message)


PACKED = pack({"ctrl": "_step", "action": np.arange(3), "more": [1.5, {"x": math.nan, "y": np.zeros((2, 2), bool)}]})


@settings(max_examples=500)
@given(st.integers(0, 8 * len(PACKED) - 1), st.integers(0, len(PACKED)))
def test_bits_that_have_changed(bit: int, cut: int) -> None:
    changed = bytearray(PACKED)
    changed[bit // 8] ^= 1 << bit % 8
    for data in (bytes(changed), PACKED[:cut], PACKED[cut:], bytes(changed[:cut])):
        try:
            message = unpack(data)
        except MessageError:
            continue
        assert same(unpack(pack(message)), message)


def test_a_pickle_is_no_message() -> None:
    for value in ({"ctrl": "_stop"}, np.arange(3), json):
        try:
            data = pickle.dumps(value)
        except TypeError:
            continue
        with pytest.raises(MessageError):
            unpack(data)
