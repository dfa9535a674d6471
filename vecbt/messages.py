"""Messages between a data server and its clients: JSON objects whose kinds and fields are all known.

A message is what `encode` makes and `decode` lets through, and nothing else: a peer may send anything at all, and is
answered with an error. Nothing is ever unpickled, and no name in a message is looked up anywhere but in `vecbt.errors`.
"""

from __future__ import annotations

import json
import math
import operator
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from vecbt import errors
from vecbt.data.domain.tables import ORDERS
from vecbt.errors import DataError, MessageError, UnknownNameError, VecbtError, WorkerError

__all__ = [
    "LIMIT",
    "REPLIES",
    "REQUESTS",
    "Field",
    "Vocabulary",
    "decode",
    "encode",
    "encode_error",
    "error_fields",
    "parse_json",
    "raise_error",
]

LIMIT = 1 << 20
"""Bytes of the longest message."""


class Field(NamedTuple):
    """What the value of a field may be.

    Attributes:
        what: In words.
        accepts: Whether a value is one.
    """

    what: str
    accepts: Callable[[Any], bool]


Vocabulary = Mapping[str, Mapping[str, Field]]
"""The fields of each kind of message, by its ``ctrl``. A message has all of them and no others."""


def _whole(low: int = 0) -> Field:
    # `type`, because True is an int.
    return Field(
        f"a whole number from {low} to 2**63 - 1", lambda value: type(value) is int and low <= value < (1 << 63)
    )


def _one_of(*values: str | None) -> Field:
    names = ", ".join("null" if value is None else repr(value) for value in values)
    return Field(f"one of {names}", lambda value: (value is None or type(value) is str) and value in values)


def _either(first: Field, second: Field) -> Field:
    return Field(f"{first.what} or {second.what}", lambda value: bool(first.accepts(value) or second.accepts(value)))


def _list(of: Field, length: int | None = None) -> Field:
    def accepts(value: Any) -> bool:
        return isinstance(value, list) and length in (None, len(value)) and all(map(of.accepts, value))

    return Field(f"a list of {'' if length is None else f'{length} times '}{of.what}", accepts)


def _record(**fields: Field) -> Field:
    def accepts(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and value.keys() == fields.keys()
            and all(field.accepts(value[name]) for name, field in fields.items())
        )

    return Field(f"a mapping of {', '.join(fields)}", accepts)


def _is_plain(value: Any, depth: int = 32) -> bool:
    """Whether a value is made of JSON's types, of numbers of 64 bits, and is not nested too deeply."""
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and _is_plain(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    return (
        value is None or isinstance(value, str | bool | float) or (type(value) is int and -(1 << 63) <= value < 1 << 63)
    )


_SEED = Field(
    "a seed of at most 32 hexadecimal digits",
    lambda value: type(value) is str and 0 < len(value) <= 32 and set(value) <= set("0123456789abcdef"),
)
_NULL = Field("null", lambda value: value is None)
_TEXT = Field("a string", lambda value: isinstance(value, str))
_TEXTS = _list(_TEXT)
_FLAG = Field("true or false", lambda value: type(value) is bool)
_NUMBER = Field("a number", lambda value: type(value) is float or (type(value) is int and abs(value) < 1 << 63))
_TIME = _whole(-(1 << 63))
_OBJECT = Field("an object, of numbers of 64 bits", lambda value: isinstance(value, dict) and _is_plain(value))
_SHAPE, _DTYPE = _list(_whole()), _one_of("float64", "float32", "int64")
_SPEC = Field(
    "a shape and a dtype",
    lambda value: isinstance(value, list) and len(value) == 2 and _SHAPE.accepts(value[0]) and _DTYPE.accepts(value[1]),
)


def _part(*arrays: str, **fields: Field) -> Field:
    """A part of a table: the attributes of its class, and the arrays in its memory."""
    return _record(fields=_record(**fields), specs=_record(**dict.fromkeys(arrays, _SPEC)))


_NEEDS = {
    "features": _TEXTS,
    "normalize": _one_of(None, "train", "window"),
    "window": _whole(),
    "warmup": _whole(1),
    "steps": _either(_whole(), _one_of(None, "auto")),
    "skip": _whole(1),
}
"""The fields of `vecbt.data.store.TableRequest`."""

REQUESTS: Vocabulary = {
    "_wait_ready": {},
    "_get_table": {**_NEEDS, "num_envs": _whole()},
    "_get_generated": {**_NEEDS, "seed": _SEED, "number": _whole()},
    "_get_data": {"kwargs": _OBJECT},
    "_get_info": {},
    "_reset_data": {"kwargs": _OBJECT},
    "_get_global_time": {},
    "_set_broadcast_message": {
        "timestamp": _TIME,
        "broadcast_message": _OBJECT,
        "metadata": _either(_OBJECT, _NULL),
    },
    "_get_broadcast_message": {},
    "_stop": {},
}
"""What a client may say. To ``_wait_ready`` there is an answer when the data are ready, to everything else at once."""

REPLIES: Vocabulary = {
    "_ready": {"server": _TEXT},
    "_not_ready": {},
    "_done": {},
    "_global_time": {"timestamp": _TIME},
    "_broadcast_message": {"timestamp": _TIME, "broadcast_message": _OBJECT},
    "_data": {
        "origin": _one_of("data_server"),
        "timestamp": _TIME,
        "stat": _OBJECT,
        "metadata": _OBJECT,
        "specs": _record(ohlc=_SPEC, volume=_SPEC, stamps=_SPEC),
    },
    "_table": {
        "bars": _part(
            *("ohlc", "volume", "lines", "stamps", "times"),
            assets=_TEXTS,
            line_names=_list(_TEXTS),
            interval=_whole(),
            fingerprint=_TEXT,
        ),
        "features": _part("features", "raw_features", "price_of", names=_TEXTS),
        "trials": _part(
            *("trials", "starts", "rank"),
            sections=_list(_list(_whole(), 2), 4),
            shapes=_list(_NUMBER, 4),
            order=_one_of(*ORDERS),
            aligned=_FLAG,
            lookback=_whole(),
            bars=_whole(),
            train_rows=_list(_whole(), 2),
        ),
        "clock": _part("clock"),
        "slots": _part("keys", "ordered", "made", "words", "error", stored=_whole(), first_row=_whole(), bars=_whole()),
    },
    "_info": {
        "task": _whole(),
        "pid": _whole(),
        "stat": _OBJECT,
        "name": _TEXT,
        "bars": _whole(),
        "columns": _TEXTS,
        "interval": _whole(),
        "first_time": _TIME,
        "last_time": _TIME,
        "train_rows": _list(_whole(), 2),
        "fingerprint": _TEXT,
    },
    "_error": {
        "error": _TEXT,
        "message": _TEXT,
        "source": _either(_TEXT, _NULL),
        "row": _either(_whole(), _NULL),
        "column": _either(_TEXT, _NULL),
    },
}
"""What the server may answer.

After ``_table`` come the file descriptors of its parts in order, after ``_data`` that of the trial's arrays; each of
them behind a byte.
"""


def encode(message: Mapping[str, Any], known: Vocabulary) -> bytes:
    """A message as bytes.

    Raises:
        MessageError: If it is not one of the known messages, or too long.

    Example:
        >>> encode({"ctrl": "_get_info"}, REQUESTS)
        b'{"ctrl": "_get_info"}'
    """
    try:
        # Of ASCII alone: file names may hold bytes that are no text, which escapes carry and UTF-8 does not.
        # NumPy's whole numbers are settings like any others.
        data = json.dumps(message, allow_nan=False, default=operator.index).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"expected a message that JSON can hold: {error}") from error
    decode(data, known)
    return data


def decode(data: bytes, known: Vocabulary) -> dict[str, Any]:
    """The message that bytes hold.

    Args:
        data: JSON in UTF-8, an object.
        known: The messages that may come.

    Returns:
        Its fields and ``ctrl``, every one of them of the type that it must have.

    Raises:
        MessageError: If they hold none.

    Example:
        >>> decode(b'{"ctrl": "_end"}', REQUESTS)
        Traceback (most recent call last):
        ...
        vecbt.errors.MessageError: unknown ctrl '_end': Known: _get_broadcast_message, _get_data, ...
    """
    if len(data) > LIMIT:
        raise MessageError(f"expected a message of at most {LIMIT:,} bytes, got {len(data):,}")
    message = parse_json(data)
    kind = message.get("ctrl")
    if not isinstance(kind, str):
        raise MessageError(f"expected a message whose ctrl is a string, got {reprlib.repr(message)}")
    if kind not in known:
        raise MessageError(str(UnknownNameError.of("ctrl", kind[:80], known)))
    _check_fields(message, known[kind])
    return message


def parse_json(data: bytes) -> dict[str, Any]:
    """The JSON object that bytes hold: strict JSON, no key twice in an object, no number that is infinite.

    Raises:
        MessageError: If they hold none.
    """
    try:
        message = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError:
        raise MessageError("expected JSON, got one that is nested too deeply") from None
    except ValueError as error:  # no UTF-8, no JSON, or what the functions below refuse
        raise MessageError(f"expected JSON in UTF-8: {error}") from None
    if not isinstance(message, dict):
        raise MessageError(f"expected a JSON object, got {reprlib.repr(message)}")
    return message


def error_fields(error: Exception) -> dict[str, Any]:
    """The reply that tells a client of an error."""
    where = {
        name: getattr(error, name) if isinstance(error, DataError) else None for name in ("source", "row", "column")
    }
    text = error.message if isinstance(error, DataError) else str(error)
    return {"ctrl": "_error", "error": type(error).__name__, "message": text, **where}


def encode_error(error: Exception) -> bytes:
    """`error_fields` as bytes."""
    try:
        return encode(error_fields(error), REPLIES)
    except MessageError as unfit:  # the text is too long
        return encode_error(MessageError(f"a {type(error).__name__} cannot be told: {unfit}"))


def raise_error(reply: Mapping[str, Any], sender: str = "the data server") -> NoReturn:
    """Raise the error that an ``_error`` reply of ``sender`` tells of.

    Raises:
        VecbtError: The server's error; a `WorkerError` in place of one that is not vecbt's.
    """
    cls = getattr(errors, reply["error"], None) if reply["error"] in errors.__all__ else None
    if cls is not None and issubclass(cls, DataError):
        raise cls(reply["message"], source=reply["source"], row=reply["row"], column=reply["column"])
    if cls is not None and issubclass(cls, VecbtError):
        raise cls(reply["message"])
    raise WorkerError(f"{sender} failed: {reply['error']}: {reply['message']}")


def _check_fields(message: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    kind = message["ctrl"]
    if odd := message.keys() - {"ctrl"} ^ fields.keys():
        name = min(odd)
        raise MessageError(f"{kind}: {'there is no' if name in fields else 'no such'} field {name[:80]!r}")
    for name, field in fields.items():
        if not field.accepts(message[name]):
            raise MessageError(f"{kind}: {name} must be {field.what}, got {reprlib.repr(message[name])}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys occur once: of several the last would win here, and the first elsewhere."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice in an object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:80]} is too large")
    return number
