"""Words of shared memory that two processes exchange, with the ordering that processors owe each other.

Writes of numpy may become visible out of order on some processors, and a store followed by a load may be swapped on
all of them; atomics forbid it. The waits release the GIL and are bounded, so that a caller sees signals and dead peers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vecbt.arrays import IntArray
from vecbt.kernels._jit import helper, kernel

__all__ = ["load", "post", "wait_all"]


@intrinsic  # type: ignore[untyped-decorator]
def _load(typing_context: Any, words: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.load_atomic(builder.gep(array.data, [arguments[1]]), "seq_cst", 8)

    return types.int64(words, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def _store(typing_context: Any, words: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        builder.store_atomic(arguments[2], builder.gep(array.data, [arguments[1]]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(words, types.intp, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _barrier(typing_context: Any) -> Any:
    """Keep the compiler from moving the loop's load out of it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("acquire")
        return context.get_dummy_value()

    return types.void(), generate


_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_ = ir  # llvmlite.ir has to be imported for the builder's types to be registered


@kernel
def load(words: IntArray, index: int) -> int:
    """The word as the other process has last posted it; everything written before that post is visible."""
    return _load(words, index)  # type: ignore[no-any-return]


@kernel
def post(words: IntArray, index: int, value: int) -> None:
    """Publish a word, after everything written before it."""
    _store(words, index, value)


@helper
def _missing(words: IntArray, first: int, stride: int, count: int, value: int) -> int:
    missing = 0
    for i in range(count):
        if _load(words, first + i * stride) != value:
            missing += 1
    return missing


@kernel
def wait_all(words: IntArray, first: int, stride: int, count: int, value: int, spins: int, yields: int) -> int:
    """Wait until ``count`` words, ``stride`` apart from ``first`` on, all hold ``value``.

    Spins, then gives the processor to whoever has work (`sched_yield`) between looks, and gives up after so many.

    Returns:
        Number of words that do not hold the value yet; 0 when all do.
    """
    for _ in range(spins):
        if _missing(words, first, stride, count, value) == 0:
            return 0
        _barrier()
    for _ in range(yields):
        if _missing(words, first, stride, count, value) == 0:
            return 0
        _sched_yield()
    return _missing(words, first, stride, count, value)
