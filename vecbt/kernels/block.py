"""All arrays of a batch behind one number.

numba needs about 55 ns to take an array argument apart, and a batch has some forty. Python therefore writes the
arrays' addresses and shapes into one int64 array, the block, and kernels are given its address: ``clock(block)`` is
then the array of clocks, made in a kernel for a few loads. Such arrays own nothing, so that passing them around counts
no references either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from vecbt.arrays import AnyArray, IntArray

__all__ = ["Block", "Fields", "field"]

_WORDS = 4
"""Words of the block for each array: its address and up to three dimensions."""

Fields: TypeAlias = dict[str, tuple[str, int]]
"""The arrays of a block in their order: dtype and number of dimensions by name."""

_FIELDS: Fields = {}


def field(name: str, dtype: str, dimensions: int, fields: Fields = _FIELDS) -> Callable[[int], Any]:
    """Enter an array into a kind of block; returns the function that makes it from the block's address, for kernels.

    An intrinsic rather than a compiled function of its own: there are dozens, and each would take a twentieth of a
    second to compile.
    """
    first = _WORDS * len(fields)
    fields[name] = (dtype, dimensions)
    array_type = types.Array(getattr(types, "boolean" if dtype == "bool" else dtype), dimensions, "C")
    size = np.dtype(dtype).itemsize

    @intrinsic  # type: ignore[untyped-decorator]
    def view(typing_context: Any, block: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            words = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

            def word(number: int) -> Any:
                load = builder.load(builder.gep(words, [ir.IntType(64)(first + number)]))
                # No kernel changes a block. LLVM is told, so that a store elsewhere costs no new load here.
                load.set_metadata("invariant.load", builder.module.add_metadata([]))
                return load

            array = context.make_array(array_type)(context, builder)
            shape = [word(1 + axis) for axis in range(dimensions)]
            strides = [ir.IntType(64)(size)]
            for extent in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], extent))
            data = builder.inttoptr(word(0), array.data.type)
            itemsize = context.get_constant(types.intp, size)
            populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
            return array._getvalue()

        return array_type(types.int64), generate

    return view  # type: ignore[no-any-return]


@intrinsic  # type: ignore[untyped-decorator]
def assume(typing_context: Any, condition: Any) -> Any:
    """Tell LLVM what is certain, so that it drops the code for everything else."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bit = ir.IntType(1)
        declared = builder.module.declare_intrinsic("llvm.assume", (), ir.FunctionType(ir.VoidType(), [bit]))
        builder.call(declared, [context.cast(builder, arguments[0], signature.args[0], types.boolean)])
        return context.get_dummy_value()

    return types.void(condition), generate


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
section = field("section", "int8", 1)  # (N,) Section that the next episode's trial is of
sections = field("sections", "int64", 2)  # (4, 3) of each Section: first trial and number now, first trial of all
seeds = field("seeds", "uint64", 2)  # (N, 2)
choices = field("choices", "int64", 2)  # (N, len(Choice)) of the next episode; the reset that begins it sets it to 0
next_seeds = field("next_seeds", "uint64", 2)  # (N, 2) where the choice is a seed
# State.
clock = field("clock", "int64", 2)  # (N, len(Clock))
rows = field("rows", "float64", 2)  # (N, R) account rows
previous = field("previous", "float64", 2)  # (N, R) account rows at the observation before
track = field("track", "float64", 2)  # (N, S) running statistics
reward_state = field("reward_state", "float64", 2)  # (N, REWARD_STATE) what the reward keeps, 0 at an episode's start
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
        words: The block itself; kernels take it to be constant while they run.
        address: What kernels are given.

    Raises:
        TypeError: If an array does not have the dtype and dimensions of its field.
    """

    def __init__(self, arrays: Mapping[str, AnyArray] | None, fields: Fields = _FIELDS) -> None:
        self._fields = fields
        self.words: IntArray = np.zeros(_WORDS * len(fields), np.int64)
        self._kept: dict[str, AnyArray] = {} if arrays is None else {name: arrays[name] for name in fields}
        for number, (name, array) in enumerate(self._kept.items()):
            dtype, dimensions = fields[name]
            if name == "features":
                array = array.reshape(-1)  # a view of a contiguous array
            if array.dtype != dtype or array.ndim != dimensions or not array.flags.c_contiguous:
                raise TypeError(
                    f"{name}: expected a contiguous {dimensions}-d array of {dtype}, got {array.ndim}-d, {array.dtype}"
                )
            first = _WORDS * number
            self.words[first] = array.ctypes.data
            self.words[first + 1 : first + 1 + dimensions] = array.shape
        self.address = int(self.words.ctypes.data)

    def open_places(self, names: Sequence[str]) -> IntArray:
        """Where in `words` the addresses of arrays stand, for a caller who will put others of the same shapes there.

        The block no longer keeps these arrays alive.
        """
        for name in names:
            self._kept.pop(name, None)
        return np.array([_WORDS * list(self._fields).index(name) for name in names], np.int64)
