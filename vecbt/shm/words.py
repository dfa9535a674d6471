"""Words of shared memory that processes exchange, and waiting for one to change.

numpy's writes may become visible out of order on some processors, and a store followed by a load may be swapped on all
of them; the atomics here forbid it. Waits release the GIL and are bounded, so that the caller sees signals and dead
peers.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vecbt.arrays import IntArray
from vecbt.kernels._jit import helper, kernel

__all__ = ["add", "load", "post", "raise_to", "store", "wait_for"]


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
def _add(typing_context: Any, words: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", builder.gep(array.data, [arguments[1]]), arguments[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _max(typing_context: Any, words: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("max", builder.gep(array.data, [arguments[1]]), arguments[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _address(typing_context: Any, words: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(builder.gep(array.data, [arguments[1]]), ir.IntType(64))

    return types.int64(words, types.intp), generate


_long = types.int64
_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_usleep = types.ExternalFunction("usleep", types.int32(types.uint32))
_syscall = types.ExternalFunction("syscall", _long(_long, _long, _long, _long, _long, _long, _long))

# Number of the futex system call, the kernel's own way to sleep on a word; 0 where there is none.
_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), 0) if sys.platform == "linux" else 0
_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_EVERYBODY = 1 << 30
_NAP = 200  # microseconds


@kernel
def load(words: IntArray, index: int) -> int:
    """The word as it was last posted; everything written before that post is visible."""
    return _load(words, index)  # type: ignore[no-any-return]


@kernel
def store(words: IntArray, index: int, value: int) -> None:
    """Publish a word on which nobody sleeps, after everything written before it."""
    _store(words, index, value)


@kernel
def raise_to(words: IntArray, index: int, value: int) -> int:
    """Make a word the larger of itself and ``value``, whoever else does so at the same time; returns what it was."""
    return _max(words, index, value)  # type: ignore[no-any-return]


@helper
def _wake(words: IntArray, index: int, asleep: int) -> None:
    if _FUTEX != 0 and _load(words, asleep) != 0:
        _syscall(_FUTEX, _address(words, index), _FUTEX_WAKE, _EVERYBODY, 0, 0, 0)


@kernel
def post(words: IntArray, index: int, value: int, asleep: int) -> None:
    """Publish a word after everything written before it, and wake who sleeps on it.

    Args:
        words: int64, shared.
        index: The word.
        value: Its new value.
        asleep: The word that says whether somebody sleeps on it.
    """
    _store(words, index, value)
    _wake(words, index, asleep)


@kernel
def add(words: IntArray, index: int, goal: int, asleep: int) -> None:
    """Add one to a word after everything written before; who brings it to ``goal`` wakes who sleeps on it.

    Args:
        words: int64, shared.
        index: The word.
        goal: The value that somebody waits for.
        asleep: The word that says whether somebody sleeps on it.
    """
    if _add(words, index, 1) + 1 == goal:
        _wake(words, index, asleep)


@kernel
def wait_for(words: IntArray, index: int, value: int, asleep: int, spins: int, yields: int, limit: IntArray) -> bool:
    """Wait until a word, which only grows, has reached a value.

    Looks ``spins`` times at once, then ``yields`` times with the processor given away in between, then sleeps until
    the word is posted or the limit is over, whichever comes first.

    Args:
        words: int64, shared.
        index: The word.
        value: What it is to reach.
        asleep: The word that says whether somebody sleeps on it.
        spins: How often to look at once, some 2 ns each.
        yields: How often to look and give way, some 0.5 microseconds each where nobody wants the processor.
        limit: int64 (2,), seconds and nanoseconds to sleep at most.

    Returns:
        Whether it has reached the value. It may return early, for a signal.
    """
    for _ in range(spins):
        if _load(words, index) >= value:
            return True
    for _ in range(yields):
        if _load(words, index) >= value:
            return True
        _sched_yield()
    # First say that we sleep, then look again: who posts does so first and then looks whether anybody sleeps.
    _store(words, asleep, 1)
    seen = _load(words, index)
    if seen < value and (limit[0] > 0 or limit[1] > 0):
        if _FUTEX != 0:
            _syscall(_FUTEX, _address(words, index), _FUTEX_WAIT, seen & 0xFFFFFFFF, _address(limit, 0), 0, 0)
        else:
            _usleep(_NAP)
        seen = _load(words, index)
    _store(words, asleep, 0)
    return bool(seen >= value)
