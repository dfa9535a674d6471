"""Actions of a batch on their way into the buffers."""

from __future__ import annotations

from vecbt.arrays import AnyArray, FloatArray
from vecbt.kernels._jit import kernel

__all__ = ["take_codes", "take_weights"]


@kernel
def take_codes(given: AnyArray, buffer: FloatArray, choices: int) -> int:
    """Copy whole numbers, each in ``[0, choices)``.

    Args:
        given: int64 (n,).
        buffer: float64 (n,), written.
        choices: Bound of the codes.

    Returns:
        Index of the first number that is out of range, or -1.
    """
    wrong = -1
    for i in range(given.shape[0]):
        code = given[i]
        if (code < 0 or code >= choices) and wrong < 0:
            wrong = i
        buffer[i] = code
    return wrong


@kernel
def take_weights(given: AnyArray, buffer: FloatArray) -> int:
    """Copy weights, each in ``[-1, 1]``.

    Args:
        given: float32 or float64 (n,).
        buffer: float64 (n,), written.

    Returns:
        Index of the first that is out of range or no number, or -1.
    """
    wrong = -1
    for i in range(given.shape[0]):
        weight = given[i]
        if not abs(weight) <= 1.0 and wrong < 0:
            wrong = i
        buffer[i] = weight
    return wrong
