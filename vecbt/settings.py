"""What the value of a setting may be: checks that raise with the setting's name and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from vecbt.errors import ConfigError, UnknownNameError

__all__ = ["check_choice", "check_flag", "check_integer", "check_names", "check_number", "check_unsigned"]


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    unit: str = "",
) -> float:
    """A finite number within bounds, as a float.

    Raises:
        ConfigError: If ``value`` is none.

    Example:
        >>> check_number("rate", 2, low=0.0)
        2.0
    """
    given: Any = value
    try:
        number = math.nan if isinstance(given, bool) or not isinstance(given, numbers.Real) else float(given)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and (low < number if open_low else low <= number) and number <= high):
        bounds = []
        if low > -math.inf:
            bounds.append(f"more than {low:g}" if open_low else f"at least {low:g}")
        if high < math.inf:
            bounds.append(f"at most {high:g}")
        of = f" of {' and '.join(bounds)}{unit}" if bounds else ""
        raise ConfigError(f"{name} must be a number{of}, got {value!r}")
    return number


def check_integer(name: str, value: object, *, low: int) -> None:
    """Make sure that a value is a whole number of at least ``low``.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise ConfigError(f"{name} must be a whole number of at least {low}, got {value!r}")


def check_unsigned(name: str, value: object, *, bits: int) -> int:
    """A whole number of so many bits without a sign.

    Raises:
        ConfigError: If ``value`` is none.

    Example:
        >>> check_unsigned("seed", 3, bits=128)
        3
    """
    given: Any = value
    if (
        type(given) is int and 0 <= given < 1 << bits
    ):  # most are, and to ask for an `Integral` takes twenty times as long
        return given
    whole = -1 if isinstance(given, bool) or not isinstance(given, numbers.Integral) else int(given)
    if not 0 <= whole < 1 << bits:
        raise ConfigError(f"{name} must be a whole number from 0 to 2**{bits} - 1, got {value!r}")
    return whole


def check_flag(name: str, value: object) -> None:
    """Make sure that a value is True or False.

    Raises:
        ConfigError: If it is neither.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, got {value!r}")


def check_choice(name: str, value: object, known: Sequence[str], optional: bool = False) -> None:
    """Make sure that a value is one of the known names.

    Args:
        name: Name of the setting.
        value: Its value.
        known: The names.
        optional: Whether None will do.

    Raises:
        UnknownNameError: If it is not; the nearest is suggested.
    """
    if value is None and optional:
        return
    if not isinstance(value, str) or value not in known:
        raise UnknownNameError.of(name, value, known)


def check_names(name: str, value: object) -> tuple[str, ...]:
    """A sequence of different names, as a tuple.

    Raises:
        ConfigError: If ``value`` is none.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(x, str) for x in value):
        raise ConfigError(f"{name} must be a sequence of names such as ('open', 'close'), got {value!r}")
    if len(set(value)) != len(value):
        raise ConfigError(f"{name} names a column twice: {value!r}")
    return tuple(value)
