"""All arrays of a batch behind one number.

numba needs about 55 ns to take an array argument apart, and a batch has some forty. Python therefore writes the
arrays' addresses and shapes into one int64 array, the block, and kernels are given its address: ``clock(block)`` is
then the array of clocks, made in a kernel for a few loads. Such arrays own nothing, so that passing them around counts
no references either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from vecbt.arrays import AnyArray
from vecbt.kernels._jit import helper

__all__ = ["Block", "Fields", "field"]

_WORDS = 4
"""Words of the block for each array: its address and up to three dimensions."""

Fields: TypeAlias = dict[str, tuple[str, int]]
"""The arrays of a block in their order: dtype and number of dimensions by name."""

_FIELDS: Fields = {}


def _pointer_to(element: Any) -> Callable[[int], Any]:
    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return pointer  # type: ignore[no-any-return]


@intrinsic  # type: ignore[untyped-decorator]
def _word(typing_context: Any, block: Any, number: Any) -> Any:
    """A word of a block. Blocks never change, which LLVM is told: a store elsewhere then costs no new loads here."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        load = builder.load(builder.gep(words, [arguments[1]]))
        load.set_metadata("invariant.load", builder.module.add_metadata([]))
        return load

    return types.int64(types.int64, types.int64), generate


def field(name: str, dtype: str, dimensions: int, fields: Fields = _FIELDS) -> Callable[[int], Any]:
    """Enter an array into a kind of block; returns the compiled function that makes it from the block's address."""
    first = _WORDS * len(fields)
    fields[name] = (dtype, dimensions)
    pointer = _pointer_to(getattr(types, "boolean" if dtype == "bool" else dtype))

    if dimensions == 1:

        @helper
        def view(block: int) -> AnyArray:
            return carray(pointer(_word(block, first)), (_word(block, first + 1),))  # type: ignore[no-any-return]

    elif dimensions == 2:

        @helper
        def view(block: int) -> AnyArray:
            shape = (_word(block, first + 1), _word(block, first + 2))
            return carray(pointer(_word(block, first)), shape)  # type: ignore[no-any-return]

    else:

        @helper
        def view(block: int) -> AnyArray:
            shape = (_word(block, first + 1), _word(block, first + 2), _word(block, first + 3))
            return carray(pointer(_word(block, first)), shape)  # type: ignore[no-any-return]

    return view


# Tables of T rows, read-only, from the data server.
ohlc = field("ohlc", "float64", 3)  # (T, K, 4) open, high, low, close of K assets
features = field("features", "float32", 1)  # (T * F,) the window's columns row by row; empty with raw_features
raw_features = field("raw_features", "float64", 2)  # (T, F) where windows are normalized by themselves; else (0, F)
price_of = field("price_of", "int64", 1)  # (F,) the asset in whose price a column of the window is, -1 for none
stamps = field("stamps", "int64", 1)  # (T,) UTC nanoseconds at which the bar is known
trials = field("trials", "int64", 2)  # (M, 3) see vecbt.kernels.sampling.draw_episode
starts = field("starts", "int64", 1)  # (S,)
rank = field("rank", "int64", 1)  # (T + 1,) or (0,)
# Settings.
params = field("params", "float64", 1)  # (len(Param),)
settings = field("settings", "int64", 1)  # (len(Setting),)
account_features = field("account_features", "int64", 1)  # (A',) AccountFeature
positions = field("positions", "float64", 1)  # (P,) multiples of the order size, for target positions
order_size = field("order_size", "float64", 1)  # (K,) units, or the negative of a fraction of start_cash
# What the parent asks for; from here on there is a row for each of N environments.
actions = field("actions", "float64", 2)  # (N, K) codes or weights
mask = field("mask", "bool", 1)  # (N,) which environments to reset
sample_type = field("sample_type", "int8", 1)  # (N,) 0 train, 1 test
seeds = field("seeds", "uint64", 2)  # (N, 2)
# State.
clock = field("clock", "int64", 2)  # (N, len(Clock))
rows = field("rows", "float64", 2)  # (N, R) account rows
previous = field("previous", "float64", 2)  # (N, R) account rows at the observation before
track = field("track", "float64", 2)  # (N, S) running statistics
sizes = field("sizes", "float64", 2)  # (N, K) units per buy or sell in this episode
queue = field("queue", "float64", 3)  # (N, L, K) decisions on their way, NaN for none
instructions = field("instructions", "int64", 2)  # (N, K) Instruction for the current bar
amounts = field("amounts", "float64", 2)  # (N, K)
stop_requests = field("stop_requests", "bool", 1)  # (N,) the strategy wants the episode to end
# Outputs.
market = field("market", "float32", 2)  # (N, W * F) the window, row by row; (N, W * F + A) when flattened
account = field("account", "float32", 2)  # (N, A)
rewards = field("rewards", "float64", 1)  # (N,)
terminations = field("terminations", "bool", 1)  # (N,)
truncations = field("truncations", "bool", 1)  # (N,)
info_floats = field("info_floats", "float64", 2)  # (4 + 2 K, N) cash, value, drawdown, costs, positions, their prices
info_ints = field("info_ints", "int64", 2)  # (3, N) bar, start, timestamp
order_status = field("order_status", "int8", 2)  # (N, K)
stats = field("stats", "float64", 2)  # (N, len(Stat)) of the last ended episode
# The same of an episode that ended in this step, where the next one begins in it too; else (0, ...).
final_market = field("final_market", "float32", 2)
final_account = field("final_account", "float32", 2)
final_info_floats = field("final_info_floats", "float64", 2)
final_info_ints = field("final_info_ints", "int64", 2)
final_order_status = field("final_order_status", "int8", 2)


class Block:
    """Arrays of a batch, kept alive, and the number that stands for them in kernels.

    Args:
        arrays: One C-contiguous array for each field; None for a block of nothing, to compile kernels with.
        fields: The fields; those above by default.

    Attributes:
        address: What kernels are given.

    Raises:
        TypeError: If an array does not have the dtype and dimensions of its field.
    """

    def __init__(self, arrays: Mapping[str, AnyArray] | None, fields: Fields = _FIELDS) -> None:
        self._words = np.zeros(_WORDS * len(fields), np.int64)
        self._arrays = [] if arrays is None else [arrays[name] for name in fields]
        for number, (name, array) in enumerate(zip(fields, self._arrays, strict=False)):
            dtype, dimensions = fields[name]
            if name == "features":
                array = array.reshape(-1)  # a view of a contiguous array
            if array.dtype != dtype or array.ndim != dimensions or not array.flags.c_contiguous:
                raise TypeError(
                    f"{name}: expected a contiguous {dimensions}-d array of {dtype}, got {array.ndim}-d, {array.dtype}"
                )
            first = _WORDS * number
            self._words[first] = array.ctypes.data
            self._words[first + 1 : first + 1 + dimensions] = array.shape
        self.address = int(self._words.ctypes.data)
