"""Feature columns: expressions such as ``"rsi(14)"`` or ``"(high-low)/close"``, computed once over a data set.

Indicators are equal, to the last bit, to Backtrader 1.9.78.123's own after a run over the whole data set in runonce
mode, nested ones included. A value in row t depends on rows up to t only. See `vecbt.data.grammar` for the grammar and
`vecbt.data.functions` for the functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vecbt.data.expressions import OPERATORS, Binary, Call, Column, Expression, Line, Negative, Number
from vecbt.data.grammar import parse
from vecbt.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vecbt.arrays import FloatArray

__all__ = ["FeatureSource", "FeatureTable", "compile_features"]

_PRICES = frozenset({"open", "high", "low", "close"})


class FeatureSource(Protocol):
    """What features are computed from; `vecbt.data.bars.Bars` is one."""

    @property
    def name(self) -> str:
        """What messages call the data."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""

    def column(self, name: str) -> FloatArray:
        """A column, float64 of shape (T,); NaN at its beginning counts as warm-up."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Feature columns, one row for each bar.

    Attributes:
        names: F canonical names, unique: defaults filled in, a column for each line of an indicator. ``"rsi"`` becomes
            ``"rsi(14)"``, and ``"macd"`` becomes ``"macd(12,26,9).macd"`` and ``"macd(12,26,9).signal"``.
        values: float64 of shape (T, F), C-contiguous, read-only. NaN in the rows of a column before its first value,
            finite from there on.
        first_valid: First row in which every column has a value.
        price_like: For each column, whether it is in units of the price: ``open``, ``high``, ``low``, ``close``, their
            averages, bands, ranges, differences, sums and multiples by a constant. Ratios, returns, oscillators,
            volume and columns of unknown kind are not.
    """

    names: tuple[str, ...]
    values: FloatArray
    first_valid: int
    price_like: tuple[bool, ...]


def compile_features(names: Sequence[str], bars: FeatureSource) -> FeatureTable:
    """Compute feature columns.

    Args:
        names: Expressions, in the order of the columns. The name of a data column always stands for that column.
        bars: The data.

    Returns:
        The table of all columns.

    Raises:
        UnknownNameError: For a name that is neither a column nor a function.
        FeatureError: For an expression that cannot be parsed, that occurs twice, that needs more rows than there are,
            or that has no finite value in some row after its warm-up, such as a division by zero. The message names
            the feature and the row, counted from 0.

    Example:
        >>> class Source:
        ...     name, columns = "demo", ("close",)
        ...     def column(self, name):
        ...         return np.array([1.0, 2.0, 4.0, 8.0])
        ...     def __len__(self):
        ...         return 4
        >>> table = compile_features(["close", "sma(2)", "close/lag(close, 1) - 1"], Source())
        >>> table.names, table.first_valid, table.price_like
        (('close', 'sma(2)', 'close/lag(close,1)-1'), 1, (True, True, False))
        >>> table.values[table.first_valid :]
        array([[2. , 1.5, 1. ],
               [4. , 3. , 1. ],
               [8. , 6. , 1. ]])
    """
    if isinstance(names, str):
        raise FeatureError(f"features must be a sequence of expressions, got the string {names!r}: write ({names!r},)")
    evaluator = _Evaluator(bars)
    found: dict[str, str] = {}  # canonical text: the feature that brought it
    series = []
    for text in names:
        if not isinstance(text, str):
            raise FeatureError(f"a feature must be a string, got {text!r}")
        try:
            for tree in parse(text, bars.columns):
                if (name := str(tree)) in found:
                    raise FeatureError(f"column {name!r} is there already, from {found[name]!r}: remove one")
                found[name] = text
                with np.errstate(all="ignore"):  # whatever is not finite is looked for, and named
                    series.append(evaluator.series(tree))
        except FeatureError as error:
            raise FeatureError(f"feature {text!r}: {error}") from None
    values = np.empty((len(bars), len(series)))
    for i, one in enumerate(series):
        values[:, i] = one.values
    values.setflags(write=False)
    return FeatureTable(
        names=tuple(found),
        values=values,
        first_valid=max((one.first for one in series), default=0),
        price_like=tuple(one.price_like for one in series),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """A computed column: NaN before row ``first``, finite from there on."""

    values: FloatArray
    first: int
    price_like: bool


class _Evaluator:
    """Computes expressions over one data set, each sub-expression once."""

    def __init__(self, bars: FeatureSource) -> None:
        self.bars = bars
        self.known: dict[Expression, tuple[_Series, ...]] = {}

    def series(self, tree: Expression) -> _Series:
        """The column of an expression that is a single one."""
        return self.lines(tree)[0]

    def lines(self, tree: Expression) -> tuple[_Series, ...]:
        """The columns of an expression, one for each line."""
        if tree not in self.known:
            self.known[tree] = self.compute(tree)
        return self.known[tree]

    def compute(self, tree: Expression) -> tuple[_Series, ...]:
        """The columns of an expression that is not known yet."""
        match tree:
            case Number(value=value):
                return (_Series(np.broadcast_to(value, len(self.bars)), 0, False),)
            case Column():
                return (self.column(tree),)
            case Negative(operand=operand):
                x = self.series(operand)
                return (_Series(-x.values, x.first, x.price_like),)
            case Binary():
                return (self.binary(tree),)
            case Call():
                return self.call(tree)
            case Line(call=call, name=name):
                return (self.lines(call)[call.function.lines.index(name)],)

    def column(self, tree: Column) -> _Series:
        """A column of the data."""
        values = np.ascontiguousarray(self.bars.column(tree.name), dtype=np.float64)
        if values.shape != (len(self.bars),):
            raise FeatureError(f"column {tree} must have shape ({len(self.bars)},), got {values.shape}")
        known = ~np.isnan(values)
        if not known.any():
            raise FeatureError(f"column {tree} of {self.bars.name} has no value at all")
        first = int(np.argmax(known))
        return self.finite(tree, values, first, tree.name in _PRICES, "the data must be finite")

    def binary(self, tree: Binary) -> _Series:
        """Arithmetic."""
        left, right = self.series(tree.left), self.series(tree.right)
        first = max(left.first, right.first)
        if tree.symbol == "/" and not right.values[first:].all():
            row = first + int(np.argmin(right.values[first:] != 0.0))
            raise FeatureError(f"division by zero in {self.row(row)}, where {tree.right} is 0")
        values = OPERATORS[tree.symbol](left.values, right.values)
        match tree.symbol:
            case "+" | "-":
                price_like = left.price_like and right.price_like
            case "*":
                factor = isinstance(tree.left, Number) or isinstance(tree.right, Number)
                price_like = factor and (left.price_like or right.price_like)
            case _:
                price_like = left.price_like and isinstance(tree.right, Number)
        return self.finite(tree, values, first, price_like, "the result is beyond the range of float64")

    def call(self, tree: Call) -> tuple[_Series, ...]:
        """A function."""
        function = tree.function
        trees = [Column(name) for name in function.inputs] if tree.argument is None else [tree.argument]
        inputs = [self.series(x) for x in trees]
        start = max(x.first for x in inputs)
        firsts = [start + rows for rows in function.warmup(*tree.parameters)]
        if max(firsts) >= len(self.bars):
            raise FeatureError(
                f"{tree} has its first value after {max(firsts) + 1} rows, and {self.bars.name} has {len(self.bars)}: "
                "shorten its period, or give more data"
            )
        result = function.compute(*(x.values for x in inputs), *tree.parameters, start=start)
        price_like = function.price and all(x.price_like for x in inputs)
        lines = result if function.lines else (result,)
        return tuple(
            self.finite(tree, values, first, price_like, function.undefined)
            for values, first in zip(lines, firsts, strict=True)
        )

    def finite(self, tree: Expression, values: FloatArray, first: int, price_like: bool, why: str) -> _Series:
        """The series of these values, if they are finite from row ``first`` on."""
        finite = np.isfinite(values[first:])
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise FeatureError(f"{tree} is {values[row]} in {self.row(row)}: {why}")
        return _Series(values, first, price_like)

    def row(self, row: int) -> str:
        """What messages call a row."""
        return f"row {row} of {self.bars.name}"
