"""Feature expressions as trees.

The ``str`` of a tree is its canonical text: no blanks, defaults of functions filled in, no needless parentheses. It
parses to an equal tree (see `vecbt.data.grammar`), and equal trees are the same column.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecbt.data.functions import Function

__all__ = ["OPERATORS", "Binary", "Call", "Column", "Expression", "Line", "Negative", "Number"]

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
"""What the arithmetic operators do to floats and to arrays."""

_SUM, _PRODUCT, _SIGN, _ATOM = range(4)


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float

    def __str__(self) -> str:
        return str(int(self.value)) if self.value % 1.0 == 0.0 and abs(self.value) < 1e15 else repr(self.value)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the data; of one of their streams, where they have several."""

    name: str
    stream: str = ""

    def __str__(self) -> str:
        return _qualify(self.stream, self.name)


@dataclass(frozen=True, slots=True)
class Negative:
    """Unary minus."""

    operand: Expression

    def __str__(self) -> str:
        return f"-{_wrap(self.operand, _binding(self.operand) == _ATOM)}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic on two operands, of which one at least is no constant."""

    symbol: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        own, left, right = _binding(self), _binding(self.left), _binding(self.right)
        return f"{_wrap(self.left, left >= own)}{self.symbol}{_wrap(self.right, right > own and right != _SIGN)}"


@dataclass(frozen=True, slots=True)
class Call:
    """A function with all its parameters; ``argument`` is None where it reads its default inputs, those of ``stream``.

    With an argument the stream is empty: the argument's columns say where they are from.
    """

    function: Function
    argument: Expression | None
    parameters: tuple[float, ...]
    stream: str = ""

    def __str__(self) -> str:
        arguments = [] if self.argument is None else [str(self.argument)]
        text = ",".join(arguments + [str(Number(value)) for value in self.parameters])
        return _qualify(self.stream, f"{self.function.name}({text})")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a function that has several."""

    call: Call
    name: str

    def __str__(self) -> str:
        return f"{self.call}.{self.name}"


Expression: TypeAlias = Number | Column | Negative | Binary | Call | Line


def _qualify(stream: str, text: str) -> str:
    return f"{stream}.{text}" if stream else text


def _binding(tree: Expression) -> int:
    """How tightly the outermost operation of a text binds."""
    match tree:
        case Binary(symbol="+" | "-"):
            return _SUM
        case Binary():
            return _PRODUCT
        case Negative():
            return _SIGN
        case Number() if str(tree).startswith("-"):
            return _SIGN
        case _:
            return _ATOM


def _wrap(tree: Expression, bare: bool) -> str:
    return str(tree) if bare else f"({tree})"
