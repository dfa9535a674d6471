"""All arrays of a batch behind one number.

numba needs about 55 ns to take an array argument apart, and a batch has some forty. Python therefore writes the
arrays' addresses and shapes into one int64 array, the block, and kernels are given its address: ``clock(block)`` is
then the array of clocks, made in a kernel for a few loads. Such arrays own nothing, so that passing them around counts
no references either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from llvmlite import ir  # noqa: F401  (numba's intrinsics need it imported)
from numba import carray, types
from numba.extending import intrinsic

from vecbt.arrays import AnyArray
from vecbt.kernels._jit import helper

__all__ = ["Block"]

_WORDS = 4
"""Words of the block for each array: its address and up to three dimensions."""

_FIELDS: dict[str, tuple[str, int]] = {}


def _pointer_to(element: Any) -> Callable[[int], Any]:
    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return pointer  # type: ignore[no-any-return]


_word_pointer = _pointer_to(types.int64)


def _field(name: str, dtype: str, dimensions: int) -> Callable[[int], Any]:
    """Enter an array into the block; returns the compiled function that makes it from the block's address."""
    first = _WORDS * len(_FIELDS)
    _FIELDS[name] = (dtype, dimensions)
    pointer = _pointer_to(getattr(types, "boolean" if dtype == "bool" else dtype))

    if dimensions == 1:

        @helper
        def view(block: int) -> AnyArray:
            words = carray(_word_pointer(block), (first + 2,))
            return carray(pointer(words[first]), (words[first + 1],))  # type: ignore[no-any-return]

    elif dimensions == 2:

        @helper
        def view(block: int) -> AnyArray:
            words = carray(_word_pointer(block), (first + 3,))
            return carray(pointer(words[first]), (words[first + 1], words[first + 2]))  # type: ignore[no-any-return]

    else:

        @helper
        def view(block: int) -> AnyArray:
            words = carray(_word_pointer(block), (first + 4,))
            shape = (words[first + 1], words[first + 2], words[first + 3])
            return carray(pointer(words[first]), shape)  # type: ignore[no-any-return]

    return view


# Tables of T rows, read-only, from the data server.
ohlc = _field("ohlc", "float64", 3)  # (T, K, 4) open, high, low, close of K assets
features = _field("features", "float32", 1)  # (T * F,) the window's columns row by row; empty with raw_features
raw_features = _field("raw_features", "float64", 2)  # (T, F) where windows are normalized by themselves; else (0, F)
price_of = _field("price_of", "int64", 1)  # (F,) the asset in whose price a column of the window is, -1 for none
stamps = _field("stamps", "int64", 1)  # (T,) UTC nanoseconds at which the bar is known
trials = _field("trials", "int64", 2)  # (M, 3) see vecbt.kernels.sampling.draw_episode
starts = _field("starts", "int64", 1)  # (S,)
rank = _field("rank", "int64", 1)  # (T + 1,) or (0,)
# Settings.
params = _field("params", "float64", 1)  # (len(Param),)
settings = _field("settings", "int64", 1)  # (len(Setting),)
account_features = _field("account_features", "int64", 1)  # (A',) AccountFeature
positions = _field("positions", "float64", 1)  # (P,) multiples of the order size, for target positions
order_size = _field("order_size", "float64", 1)  # (K,) units, or the negative of a fraction of start_cash
# What the parent asks for; from here on there is a row for each of N environments.
actions = _field("actions", "float64", 2)  # (N, K) codes or weights
mask = _field("mask", "bool", 1)  # (N,) which environments to reset
sample_type = _field("sample_type", "int8", 1)  # (N,) 0 train, 1 test
seeds = _field("seeds", "uint64", 2)  # (N, 2)
# State.
clock = _field("clock", "int64", 2)  # (N, len(Clock))
rows = _field("rows", "float64", 2)  # (N, R) account rows
previous = _field("previous", "float64", 2)  # (N, R) account rows at the observation before
track = _field("track", "float64", 2)  # (N, S) running statistics
reward_state = _field("reward_state", "float64", 2)  # (N, REWARD_STATE) what the reward keeps, 0 at an episode's start
sizes = _field("sizes", "float64", 2)  # (N, K) units per buy or sell in this episode
queue = _field("queue", "float64", 3)  # (N, L, K) decisions on their way, NaN for none
instructions = _field("instructions", "int64", 2)  # (N, K) Instruction for the current bar
amounts = _field("amounts", "float64", 2)  # (N, K)
stop_requests = _field("stop_requests", "bool", 1)  # (N,) the strategy wants the episode to end
# Outputs.
market = _field("market", "float32", 2)  # (N, W * F) the window, row by row; (N, W * F + A) when flattened
account = _field("account", "float32", 2)  # (N, A)
rewards = _field("rewards", "float64", 1)  # (N,)
terminations = _field("terminations", "bool", 1)  # (N,)
truncations = _field("truncations", "bool", 1)  # (N,)
info_floats = _field("info_floats", "float64", 2)  # (4 + 2 K, N) cash, value, drawdown, costs, positions, their prices
info_ints = _field("info_ints", "int64", 2)  # (3, N) bar, start, timestamp
order_status = _field("order_status", "int8", 2)  # (N, K)
stats = _field("stats", "float64", 2)  # (N, len(Stat)) of the last ended episode
# The same of an episode that ended in this step, where the next one begins in it too; else (0, ...).
final_market = _field("final_market", "float32", 2)
final_account = _field("final_account", "float32", 2)
final_info_floats = _field("final_info_floats", "float64", 2)
final_info_ints = _field("final_info_ints", "int64", 2)
final_order_status = _field("final_order_status", "int8", 2)


class Block:
    """The arrays of a batch, kept alive, and the number that stands for them in kernels.

    Args:
        arrays: One C-contiguous array for each field above; None for a block of nothing, to compile kernels with.

    Attributes:
        address: What kernels are given.

    Raises:
        TypeError: If an array does not have the dtype and dimensions of its field.
    """

    def __init__(self, arrays: Mapping[str, AnyArray] | None) -> None:
        self._words = np.zeros(_WORDS * len(_FIELDS), np.int64)
        self._arrays = [] if arrays is None else [arrays[name] for name in _FIELDS]
        for number, (name, array) in enumerate(zip(_FIELDS, self._arrays, strict=False)):
            dtype, dimensions = _FIELDS[name]
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
