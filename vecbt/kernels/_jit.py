"""The decorators of every compiled function, and a cache that knows when any of them changed.

numba keys its on-disk cache by the file that holds the decorated function alone. The loops here inline functions of
other files, so an edit there would leave a stale loop behind: numbers of code that no longer exists. All kernels of
the package therefore share one stamp, made from every file that can be inlined.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

__all__ = ["helper", "kernel", "uncached"]

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).resolve().parents[1]


@functools.cache
def _stamp() -> tuple[float, int]:
    """Newest modification time and total size of the files that hold compiled functions."""
    stats = [path.stat() for folder in ("kernels", "brokers", "shm") for path in (_PACKAGE / folder).rglob("*.py")]
    return max(stat.st_mtime for stat in stats), sum(stat.st_size for stat in stats)


class _PackageCache(FunctionCache):
    """numba's function cache, invalidated by an edit of any kernel."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _stamp()


def kernel(function: F) -> F:
    """Compile a function that Python calls: cached on disk, without the GIL, IEEE semantics (never fastmath)."""
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _PackageCache(dispatcher.py_func)
    return dispatcher  # type: ignore[no-any-return]


def helper(function: F) -> F:
    """Compile a function that only other kernels call; LLVM inlines it where that pays."""
    return numba.njit(error_model="numpy")(function)  # type: ignore[no-any-return]


def uncached(function: F) -> F:
    """Compile a function that Python calls and that closes over a user's: numba never finds such a one on disk."""
    return numba.njit(nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]
