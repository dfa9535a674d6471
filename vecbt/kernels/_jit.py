"""The decorators of every compiled function, and a cache that knows when any of them changed.

numba keys its on-disk cache by the file that holds the decorated function alone. The loops here inline functions of
other files, so an edit there would leave a stale loop behind: numbers of code that no longer exists. All kernels of
the package therefore share one stamp, made from every file that can be inlined.
"""

from __future__ import annotations

import functools
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numba
from llvmlite import ir
from numba import types
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

__all__ = ["Compiled", "Native", "call_native", "helper", "kernel", "uncached"]

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).resolve().parents[1]


@functools.cache
def _stamp() -> tuple[float, int]:
    """Newest modification time and total size of the files that hold compiled functions."""
    stats = [path.stat() for folder in ("kernels", "brokers", "shm") for path in (_PACKAGE / folder).rglob("*.py")]
    return max(stat.st_mtime for stat in stats), sum(stat.st_size for stat in stats)


class Compiled:
    """What this process had to compile because no cache held it.

    Attributes:
        names: The functions, once for every kind of arguments.
        announced: Whether the user knows that he waits for it.
    """

    names: ClassVar[list[str]] = []
    announced: ClassVar[bool] = False

    @classmethod
    def announce(cls) -> None:
        """Tell him, unless he knows; child processes, of which there may be many, say nothing."""
        if not cls.announced and multiprocessing.parent_process() is None:
            sys.stderr.write(
                "vecbt: compiling the kernels, once per machine (about 15 s; `vecbt warmup` does it ahead) ...\n"
            )
            sys.stderr.flush()
        cls.announced = True


class _PackageCache(FunctionCache):
    """numba's function cache, invalidated by an edit of any kernel.

    Args:
        function: The function.
        large: Whether it takes so long to compile that the user is told.
    """

    def __init__(self, function: Callable[..., Any], large: bool = False) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _stamp()
        self._title, self._large = f"{function.__module__}.{function.__qualname__}", large

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The compiled function for such arguments, or None: it will be compiled then."""
        found = super().load_overload(signature, target_context)
        if found is None:
            Compiled.names.append(self._title)
            if self._large:
                Compiled.announce()
        return found


def kernel(function: F) -> F:
    """Compile a function that Python calls: cached on disk, without the GIL, IEEE semantics (never fastmath)."""
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _PackageCache(dispatcher.py_func)
    return dispatcher  # type: ignore[no-any-return]


def helper(function: F) -> F:
    """Compile a function that only other kernels call.

    It is always inlined: left to itself LLVM keeps large ones apart, and what it then cannot see (that an index is not
    negative, that a status is never an error) doubles the time of a step.
    """
    return numba.njit(error_model="numpy", forceinline=True)(function)  # type: ignore[no-any-return]


def uncached(function: F) -> F:
    """Compile a function that Python calls and that closes over a user's: numba never finds such a one on disk."""
    return numba.njit(nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]


class Native:
    """A function of integers that kernels of any module call through its address, and so contain no copy of.

    Args:
        function: Takes so many int64 and returns one.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        self.function = function
        self._compiled: Any = None

    @property
    def address(self) -> int:
        """Address of the compiled function; compiles it, or loads it from the cache, when it is first asked for."""
        if self._compiled is None:
            signature = ((types.int64,) * self.function.__code__.co_argcount, types.int64)
            self._compiled = CFunc(self.function, signature, locals={}, options={"error_model": "numpy"})
            self._compiled._cache = _PackageCache(self.function, large=True)
            self._compiled.compile()
        return self._compiled.address  # type: ignore[no-any-return]


@intrinsic  # type: ignore[untyped-decorator]
def call_native(typing_context: Any, address: Any, *arguments: Any) -> Any:
    """Call the function at an address with int64 arguments; for kernels."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(64)
        passed = [builder.extract_value(values[1], number) for number in range(len(signature.args[1]))]
        kind = ir.FunctionType(word, [word] * len(passed))
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), passed)

    return types.int64(address, types.StarArgTuple(arguments)), generate
