"""Telling the processor what will be read soon.

Environments stand at rows all over a table: no processor guesses where the next one will read, and without a hint every
environment waits some 50 ns for its bar.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import Clock, Setting

__all__ = ["prefetch", "prefetch_bar"]

_LINE = 16
"""float32 numbers in a cache line."""


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Begin to load the cache line of element ``index`` of a flattened contiguous array; never fails."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        declared = builder.module.declare_intrinsic(
            "llvm.prefetch", [pointer.type], ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
        )
        builder.call(declared, [pointer, i32(0), i32(3), i32(1)])  # for reading, to be kept, data
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@helper
def prefetch_bar(block: int, e: int) -> None:
    """Begin to load what environment ``e`` reads of its next bar."""
    bar = b.clock(block)[e, Clock.BAR] + 1
    width, window = b.price_of(block).shape[0], b.settings(block)[Setting.WINDOW]
    prefetch(b.ohlc(block), bar * b.ohlc(block).shape[1] * 4)
    prefetch(b.stamps(block), bar)
    end = (bar + 1) * width
    for element in range(end - window * width, end, _LINE):
        prefetch(b.features(block), element)
    prefetch(b.features(block), end - 1)
