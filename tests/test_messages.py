"""Whatever bytes come, they are one of the known messages or a MessageError."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecbt import errors
from vecbt.errors import ColumnError, ConfigError, DataFileError, MessageError, UnknownNameError, WorkerError
from vecbt.messages import LIMIT, REPLIES, REQUESTS, Vocabulary, decode, encode, encode_error, raise_error

GET_TABLE = {
    "ctrl": "_get_table",
    "features": ["close", "rsi(14)"],
    "normalize": None,
    "window": 30,
    "warmup": 1,
    "steps": "auto",
    "skip": 1,
    "num_envs": 4,
}
GET_GENERATED = {name: value for name, value in GET_TABLE.items() if name != "num_envs"} | {
    "ctrl": "_get_generated",
    "seed": "f" * 32,
    "number": 7,
}
SPEC = [[100, 1], "float64"]
TABLE = {
    "ctrl": "_table",
    "bars": {
        "fields": {
            "assets": ["x"],
            "line_names": [["spread", "DAILY_close"]],
            "interval": 60_000_000_000,
            "fingerprint": "00ff",
        },
        "specs": dict.fromkeys(("ohlc", "volume", "lines", "stamps", "times"), SPEC),
    },
    "features": {
        "fields": {"names": ["close", "rsi(14)"]},
        "specs": dict.fromkeys(("features", "raw_features", "price_of"), SPEC),
    },
    "trials": {
        "fields": {
            "sections": [[0, 5], [5, 0], [5, 0], [5, 1]],
            "shapes": [1.0, 1.0, 2.5, 3.0],
            "order": "random",
            "aligned": False,
            "lookback": 29,
            "bars": 0,
            "train_rows": [0, 60],
        },
        "specs": dict.fromkeys(("trials", "starts", "rank"), SPEC),
    },
    "clock": {"fields": {}, "specs": {"clock": [[2], "int64"]}},
    "slots": {
        "fields": {"stored": 100, "first_row": 100, "bars": 0},
        "specs": dict.fromkeys(("keys", "ordered", "made", "words", "error"), SPEC),
    },
}
INFO = {
    "ctrl": "_info",
    "task": 3,
    "pid": 1234,
    "stat": {"close": {"count": 80.0, "mean": 1.5, "std": None}},
    "name": "EURUSD",
    "bars": 100,
    "columns": ["open", "high", "low", "close", "volume"],
    "interval": 0,
    "first_time": -5,
    "last_time": 1_700_000_000,
    "train_rows": [0, 80],
    "fingerprint": "00ff",
}
GET_DATA = {"ctrl": "_get_data", "kwargs": {"sample_type": 1, "seed": -5, "b_alpha": 2.5, "interval": [0, 5]}}
SET_MESSAGE = {
    "ctrl": "_set_broadcast_message",
    "timestamp": -7,
    "broadcast_message": {"text": "é", "list": [1, 2.5, None, True, {"nested": []}]},
    "metadata": {"type": 1},
}
DATA = {
    "ctrl": "_data",
    "origin": "data_server",
    "timestamp": 5,
    "stat": {},
    "metadata": {"type": 0, "first_row": 3},
    "specs": dict.fromkeys(("ohlc", "volume", "stamps"), SPEC),
}
ERROR = {"ctrl": "_error", "error": "ColumnError", "message": "no", "source": "a.csv", "row": 3, "column": None}
GOOD: list[tuple[dict[str, Any], Vocabulary]] = [
    (GET_TABLE, REQUESTS),
    (GET_DATA, REQUESTS),
    (GET_GENERATED, REQUESTS),
    (SET_MESSAGE, REQUESTS),
    ({"ctrl": "_reset_data", "kwargs": {}}, REQUESTS),
    *(({"ctrl": kind}, REQUESTS) for kind in ("_wait_ready", "_get_info", "_get_global_time", "_stop")),
    ({"ctrl": "_get_broadcast_message"}, REQUESTS),
    ({"ctrl": "_ready", "server": "00ff"}, REPLIES),
    ({"ctrl": "_not_ready"}, REPLIES),
    ({"ctrl": "_done"}, REPLIES),
    ({"ctrl": "_global_time", "timestamp": -1}, REPLIES),
    ({"ctrl": "_broadcast_message", "timestamp": 1, "broadcast_message": {}}, REPLIES),
    (DATA, REPLIES),
    (TABLE, REPLIES),
    (INFO, REPLIES),
    (ERROR, REPLIES),
]
many = settings(max_examples=500)


def is_valid(message: Any, known: Vocabulary) -> bool:
    """Whether a message holds what it must and nothing else; says it in its own words."""
    return (
        type(message) is dict
        and type(message["ctrl"]) is str
        and message.keys() == {"ctrl", *known[message["ctrl"]]}
        and is_plain(message)
    )


def is_plain(value: Any) -> bool:
    """Whether a value is made of JSON's types and finite numbers of 64 bits."""
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    if type(value) is int:
        return -(1 << 63) <= value < (1 << 63)
    return value is None or type(value) in (str, bool) or (type(value) is float and math.isfinite(value))


def try_both(data: bytes) -> None:
    for known in (REQUESTS, REPLIES):
        try:
            message = decode(data, known)
        except MessageError as error:
            refusal = str(error)
        else:
            assert is_valid(message, known)
            assert decode(encode(message, known), known) == message
            continue
        assert 0 < len(refusal) < 2_000


# -- what is a message -------------------------------------------------------------------------------------------------


def test_every_kind_of_message_is_tried() -> None:
    for known in (REQUESTS, REPLIES):
        assert {message["ctrl"] for message, own in GOOD if own is known} == set(known)


@pytest.mark.parametrize(("message", "known"), GOOD, ids=[message["ctrl"] for message, _ in GOOD])
def test_there_and_back(message: dict[str, Any], known: Vocabulary) -> None:
    assert decode(encode(message, known), known) == message
    assert is_valid(message, known)
    assert decode(json.dumps(message, indent=3).encode(), known) == message
    with pytest.raises(MessageError, match=f"unknown ctrl '{message['ctrl']}'"):
        decode(encode(message, known), REPLIES if known is REQUESTS else REQUESTS)


@pytest.mark.parametrize("text", ["é", "\U0001f642", "\udcff", "\x00", "\u2028", '"\\'])
def test_texts_of_any_kind(text: str) -> None:
    message = {**ERROR, "message": text, "source": text}
    assert decode(encode(message, REPLIES), REPLIES) == message


@pytest.mark.parametrize(
    "change",
    [
        {"normalize": "window"},
        {"steps": None},
        {"steps": 5},
        {"steps": 0},
        {"features": []},
        {"window": 0},
        {"window": (1 << 63) - 1},
    ],
    ids=str,
)
def test_fields_that_can_be(change: dict[str, Any]) -> None:
    message = GET_TABLE | change
    assert decode(encode(message, REQUESTS), REQUESTS) == message


# -- what is none ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"features": "close"},
        {"features": [1]},
        {"features": None},
        {"normalize": "none"},
        {"normalize": ["train"]},
        {"window": -1},
        {"window": 1 << 63},
        {"window": 30.0},
        {"window": True},
        {"window": "30"},
        {"warmup": 0},
        {"skip": 0},
        {"num_envs": -1},
        {"steps": "all"},
        {"steps": [1]},
    ],
    ids=str,
)
def test_fields_that_cannot_be(change: dict[str, Any]) -> None:
    (name,) = change
    for call in (lambda: encode(GET_TABLE | change, REQUESTS), lambda: decode(to_bytes(GET_TABLE | change), REQUESTS)):
        with pytest.raises(MessageError, match=rf"^_get_table: {name} must be .*, got "):
            call()


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("bars", ("specs", "ohlc"), [[-1], "float64"]),
        ("bars", ("specs", "ohlc"), [[1], "object"]),
        ("bars", ("specs", "ohlc"), [[1], None]),
        ("bars", ("specs", "ohlc"), [[1]]),
        ("bars", ("specs", "ohlc"), None),
        ("bars", ("specs", "more"), SPEC),
        ("bars", ("specs",), []),
        ("bars", ("fields", "more"), 1),
        ("bars", ("fields", "assets"), "x"),
        ("features", ("fields", "names"), [None]),
        ("trials", ("fields", "sections"), [[0, 5]]),
        ("trials", ("fields", "sections"), [[0, 5], [5, 1], [6, 0], [6, 1, 2]]),
        ("trials", ("fields", "order"), "backwards"),
        ("trials", ("fields", "aligned"), 1),
        ("trials", ("fields", "shapes"), [1.0, 1.0, 1.0, None]),
        ("trials", ("fields", "shapes"), [1, 1, 1, 1 << 63]),
        ("trials", ("fields", "shapes"), [1, 1, 1, 10**1000]),
        ("clock", ("fields", "now"), 5),
        ("clock", ("specs", "clock"), None),
        ("slots", ("fields", "first_row"), -1),
        ("slots", ("specs", "words"), [[8], "int8"]),
    ],
)
def test_tables_that_cannot_be(name: str, path: tuple[str, ...], value: Any) -> None:
    message = json.loads(to_bytes(TABLE))
    place = message[name]
    *above, last = path
    for step in above:
        place = place[step]
    place[last] = value
    with pytest.raises(MessageError, match=rf"^_table: {name} must be a mapping of fields, specs, got "):
        decode(to_bytes(message), REPLIES)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if depth % 2 else {"x": value}
    return value


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": 5.0},
        {"timestamp": True},
        {"timestamp": 1 << 63},
        {"timestamp": None},
        {"broadcast_message": None},
        {"broadcast_message": "text"},
        {"broadcast_message": []},
        {"broadcast_message": {"x": 1 << 63}},
        {"broadcast_message": {"x": [{"y": -(1 << 63) - 1}]}},
        {"broadcast_message": {"x": nested(40)}},
        {"broadcast_message": {"x": nested(41)}},
        {"metadata": []},
        {"metadata": {"x": 10**40}},
    ],
    ids=lambda change: str(change)[:40],
)
def test_broadcasts_that_cannot_be(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(MessageError, match=rf"^_set_broadcast_message: {name} must be "):
        decode(to_bytes(SET_MESSAGE | change), REQUESTS)


def test_what_a_broadcast_may_hold() -> None:
    for message in ({}, {"": ""}, {"x": nested(30)}, {"x": [1e300, -(1 << 63)]}):
        given = SET_MESSAGE | {"broadcast_message": message, "metadata": None}
        assert decode(encode(given, REQUESTS), REQUESTS) == given


def to_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "expected JSON in UTF-8"),
        (b"\xff", "expected JSON in UTF-8"),
        ('{"ctrl": "_stop"}'.encode("utf-16"), "expected JSON in UTF-8"),
        (b'\xef\xbb\xbf{"ctrl": "_stop"}', "expected JSON in UTF-8"),
        (b'{"ctrl": "\xed\xb3\xbf"}', "expected JSON in UTF-8"),
        (b'{"ctrl": "_stop"', "expected JSON in UTF-8"),
        (b'{"ctrl": "_stop"} 1', "expected JSON in UTF-8"),
        (b"{'ctrl': '_stop'}", "expected JSON in UTF-8"),
        (b'{"ctrl": "_stop", "ctrl": "_stop"}', "a key occurs twice"),
        (b'{"ctrl": "_stop", "x": {"a": 1, "a": 2}}', "a key occurs twice"),
        (b'{"ctrl": "_stop", "x": NaN}', "NaN is no JSON"),
        (b'{"ctrl": "_stop", "x": -Infinity}', "-Infinity is no JSON"),
        (b'{"ctrl": "_stop", "x": 1e400}', "the number 1e400 is too large"),
        (b'{"ctrl": "_stop", "x": ' + b"9" * 5000 + b"}", "expected JSON in UTF-8: Exceeds the limit"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"ctrl":' * 100_000, "nested too deeply"),
        (b'{"ctrl": "_stop", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b"null", "expected a JSON object, got None"),
        (b'["_stop"]', "expected a JSON object, got"),
        (b"[" * 50 + b"]" * 50, "expected a JSON object, got"),
        (b"{}", "ctrl is a string, got {}"),
        (b'{"ctrl": null}', "ctrl is a string"),
        (b'{"ctrl": ["_stop"]}', "ctrl is a string"),
        (b'{"ctrl": {}}', "ctrl is a string"),
        (b'{"ctrl": "_stopp"}', "unknown ctrl '_stopp': did you mean '_stop'"),
        (b'{"ctrl": "' + b"x" * 100_000 + b'"}', "unknown ctrl 'xxx"),
        (b'{"ctrl": "_stop", "x": 1}', "^_stop: no such field 'x'"),
        (b'{"ctrl": "_stop", "' + b"x" * 100_000 + b'": 1}', "^_stop: no such field 'xxx"),
        (to_bytes({name: value for name, value in GET_TABLE.items() if name != "skip"}), "there is no field 'skip'"),
        (b" " * LIMIT + b'{"ctrl": "_stop"}', r"at most 1,048,576 bytes, got 1,048,593"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bytes_that_are_no_request(data: bytes, text: str) -> None:
    with pytest.raises(MessageError, match=text) as caught:
        decode(data, REQUESTS)
    assert len(str(caught.value)) < 500
    try_both(data)


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), b"x", {1, 2}, "x" * LIMIT, 10**5000], ids=type)
def test_what_cannot_be_said(value: Any) -> None:
    with pytest.raises(MessageError):
        encode(ERROR | {"message": value}, REPLIES)


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("no"),
        UnknownNameError("no"),
        DataFileError("no"),
        ColumnError("no", source="/tmp/\udcff.csv", row=3, column="close"),
        MessageError("no"),
    ],
    ids=repr,
)
def test_errors_travel(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raise_error(decode(encode_error(error), REPLIES))
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError("x"), type("ConfigErrorr", (ValueError,), {})("x"), SystemError("x")]
)
def test_errors_of_others_become_errors_of_a_worker(error: Exception) -> None:
    with pytest.raises(WorkerError, match=f"the data server failed: {type(error).__name__}: "):
        raise_error(decode(encode_error(error), REPLIES))


@pytest.mark.parametrize("name", ["annotations", "__name__", "difflib", "Iterable", "x", "_rebuild_data_error", ""])
def test_a_reply_names_no_other_class(name: str) -> None:
    assert name not in errors.__all__
    with pytest.raises(WorkerError, match="the data server failed"):
        raise_error(ERROR | {"error": name})


@pytest.mark.parametrize("error", [ConfigError("é" * LIMIT), ColumnError("no", source="x" * LIMIT)], ids=type)
def test_an_error_too_long_to_be_told(error: Exception) -> None:
    with pytest.raises(MessageError, match=f"a {type(error).__name__} cannot be told: expected a message of at most"):
        raise_error(decode(encode_error(error), REPLIES))


# -- anything ----------------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from(
    ["0", "-0", "-1", "30.0", "1e5", "1e400", "-1e400", "9" * 30, "9" * 5000, "9223372036854775807", "NaN", "Infinity",
     "-Infinity", "1E-999", "00", "0x1"]
)  # fmt: skip
PIECES = st.one_of(
    NUMBERS,
    st.sampled_from(
        ['"', "{", "}", "[", "]", ":", ",", "\\", "\\ud800", "\\udfff", "\\u0000", "null", "true", "[]", "{}", " ",
         '"ctrl"', '"_stop"', '"_table"', '"_error"', '"features"', '"window"', "[" * 2000, '{"ctrl":' * 2000,
         "é", "\U0001f642", "\x00", '"ctrl":"_stop",', '"x":1,']
    ),
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["auto", "train"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["fields", "specs", "names", "x", "\ud800"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@many
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    try_both(data)


@many
@given(st.lists(PIECES, max_size=30).map("".join))
def test_anything_that_resembles_json(text: str) -> None:
    try_both(text.encode())


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message in which bytes are cut out, put in or written over."""
    message, _ = draw(st.sampled_from(GOOD))
    data = to_bytes(message)
    for _ in range(draw(st.integers(1, 4))):
        at, cut = draw(st.integers(0, len(data))), draw(st.integers(0, 8))
        new = draw(PIECES.map(str.encode) | st.binary(max_size=3))
        data = data[:at] + new + data[at + cut :]
    return data


@many
@given(mutated())
def test_messages_with_some_bytes_changed(data: bytes) -> None:
    try_both(data)


@many
@given(st.sampled_from(GOOD), st.data())
def test_messages_with_other_values(good: tuple[dict[str, Any], Vocabulary], data: st.DataObject) -> None:
    message = dict(good[0])
    for name in data.draw(st.lists(st.sampled_from([*message, "x"]), min_size=1, max_size=3)):
        if data.draw(st.booleans()):
            message[name] = data.draw(VALUES)
        else:
            message.pop(name, None)
    try_both(to_bytes(message))


@many
@given(st.lists(st.tuples(st.sampled_from(["ctrl", "error", "message", "row", "source", "column"]), VALUES | NUMBERS)))
def test_messages_with_keys_that_occur_twice(pairs: list[tuple[str, Any]]) -> None:
    text = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs)
    data = f"{{{text}}}".encode()
    try_both(data)
    if len({key for key, _ in pairs}) < len(pairs):
        with pytest.raises(MessageError):
            decode(data, REPLIES)


@pytest.mark.parametrize("seed", ["", "0x1", "G", "F", "0" * 33, "\u0661", 5, None, ["1"]])
def test_seeds_that_are_none(seed: Any) -> None:
    with pytest.raises(MessageError, match="_get_generated: seed must be a seed of at most 32 hexadecimal digits"):
        decode(to_bytes(GET_GENERATED | {"seed": seed}), REQUESTS)
