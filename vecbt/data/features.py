"""Feature columns: expressions such as ``"rsi(14)"`` or ``"(high-low)/close"``, computed once over a data set.

Indicators are equal, to the last bit, to Backtrader 1.9.78.123's own after a run over the whole data set in runonce
mode, nested ones included. A value in row t depends on rows up to t only. What reads one joined stream alone is
computed on that stream's own bars, and a row has the last value that is known. See `vecbt.data.grammar` for the grammar
and `vecbt.data.functions` for the functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from vecbt.data.aligned import AlignedBars
from vecbt.data.expressions import OPERATORS, Binary, Call, Column, Expression, Line, Negative, Number
from vecbt.data.grammar import parse
from vecbt.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vecbt.arrays import FloatArray, IntArray

__all__ = ["FeatureSource", "FeatureTable", "compile_features"]

_PRICES = frozenset({"open", "high", "low", "close"})


class FeatureSource(Protocol):
    """What features of one stream are computed from; `vecbt.data.bars.Bars` is one."""

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
        price_of: For each column the number of the asset in units of whose price it is, or -1. So are ``open``,
            ``high``, ``low``, ``close``, their averages, bands, ranges, differences, sums and multiples by a constant;
            not ratios, returns, oscillators, volume, columns of unknown kind, and what mixes several assets or comes
            from a joined stream.
    """

    names: tuple[str, ...]
    values: FloatArray
    first_valid: int
    price_of: tuple[int, ...]


def compile_features(names: Sequence[str], bars: FeatureSource | AlignedBars) -> FeatureTable:
    """Compute feature columns.

    Args:
        names: Expressions, in the order of the columns. The name of a data column always stands for that column. Of
            aligned bars, an expression that names no stream stands for one column for each asset.
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
        >>> table.names, table.first_valid, table.price_of
        (('close', 'sma(2)', 'close/lag(close,1)-1'), 1, (0, 0, -1))
        >>> table.values[table.first_valid :]
        array([[2. , 1.5, 1. ],
               [4. , 3. , 1. ],
               [8. , 6. , 1. ]])
    """
    if isinstance(names, str):
        raise FeatureError(f"features must be a sequence of expressions, got the string {names!r}: write ({names!r},)")
    evaluator = _Evaluator(bars)
    columns = {name: source.columns for name, source in evaluator.sources.items()}
    found: dict[str, str] = {}  # canonical text: the feature that brought it
    series = []
    for text in names:
        if not isinstance(text, str):
            raise FeatureError(f"a feature must be a string, got {text!r}")
        try:
            for tree in parse(text, columns, evaluator.assets):
                if (name := str(tree)) in found:
                    raise FeatureError(f"column {name!r} is there already, from {found[name]!r}: remove one")
                found[name] = text
                with np.errstate(all="ignore"):  # whatever is not finite is looked for, and named
                    series.append(evaluator.column(tree))
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
        price_of=tuple(one.asset for one in series),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """A computed column: NaN before row ``first``, finite from there on.

    Attributes:
        values: float64, one for each row of the clock.
        first: First row with a value.
        clock: Whose rows these are: those of a joined stream by name, or of the data themselves, ``""``.
        asset: The number of the asset in units of whose price the values are, or -1.
    """

    values: FloatArray
    first: int
    clock: str
    asset: int


class _Evaluator:
    """Computes expressions over one data set, each sub-expression once."""

    def __init__(self, bars: FeatureSource | AlignedBars) -> None:
        self.bars = bars
        self.sources: Mapping[str, FeatureSource] = bars.streams if isinstance(bars, AlignedBars) else {"": bars}
        self.assets = bars.assets if isinstance(bars, AlignedBars) else ("",)
        self.known: dict[Expression, tuple[_Series, ...]] = {}
        self.rows_known: dict[str, IntArray] = {}

    def column(self, tree: Expression) -> _Series:
        """The column of an expression, with a value for each row of the data."""
        return self.joined(self.series(tree))

    def series(self, tree: Expression) -> _Series:
        """The values of an expression that is a single one, on its own clock."""
        return self.lines(tree)[0]

    def lines(self, tree: Expression) -> tuple[_Series, ...]:
        """The values of an expression, a series for each line."""
        if tree not in self.known:
            self.known[tree] = self.compute(tree)
        return self.known[tree]

    def compute(self, tree: Expression) -> tuple[_Series, ...]:
        """The values of an expression that is not known yet."""
        match tree:
            case Column():
                return (self.read(tree),)
            case Negative(operand=operand):
                x = self.series(operand)
                return (_Series(-x.values, x.first, x.clock, x.asset),)
            case Binary():
                return (self.binary(tree),)
            case Call():
                return self.call(tree)
            case Line(call=call, name=name):
                return (self.lines(call)[call.function.lines.index(name)],)
            case Number():
                raise AssertionError("a constant takes its clock from what it is combined with")

    def read(self, tree: Column) -> _Series:
        """A column of the data."""
        source = self.sources[tree.stream]
        values = np.ascontiguousarray(source.column(tree.name), dtype=np.float64)
        if values.shape != (len(source),):
            raise FeatureError(f"column {tree} must have shape ({len(source)},), got {values.shape}")
        known = ~np.isnan(values)
        if not known.any():
            raise FeatureError(f"column {tree} of {source.name} has no value at all")
        clock = "" if tree.stream in self.assets else tree.stream
        asset = self.assets.index(tree.stream) if tree.name in _PRICES and not clock else -1
        return self.finite(tree, _Series(values, int(np.argmax(known)), clock, asset), "the data must be finite")

    def binary(self, tree: Binary) -> _Series:
        """Arithmetic."""
        left, right = self.together(tree.left, tree.right)
        first = max(left.first, right.first)
        if tree.symbol == "/" and not right.values[first:].all():
            row = first + int(np.argmin(right.values[first:] != 0.0))
            raise FeatureError(f"division by zero in {self.row(row, right.clock)}, where {tree.right} is 0")
        values = OPERATORS[tree.symbol](left.values, right.values)
        match tree.symbol:
            case "+" | "-":
                asset = left.asset if left.asset == right.asset else -1
            case "*":
                factor = isinstance(tree.left, Number) or isinstance(tree.right, Number)
                asset = max(left.asset, right.asset) if factor else -1
            case _:
                asset = left.asset if isinstance(tree.right, Number) else -1
        result = _Series(values, first, left.clock, asset)
        return self.finite(tree, result, "the result is beyond the range of float64")

    def together(self, left: Expression, right: Expression) -> tuple[_Series, _Series]:
        """Two operands on one clock: their own where it is the same, else that of the data."""
        if isinstance(left, Number):
            x = self.series(right)
            return self.constant(left, x), x
        if isinstance(right, Number):
            x = self.series(left)
            return x, self.constant(right, x)
        x, y = self.series(left), self.series(right)
        return (x, y) if x.clock == y.clock else (self.joined(x), self.joined(y))

    def constant(self, number: Number, like: _Series) -> _Series:
        """A constant for each row of another series."""
        return _Series(np.broadcast_to(number.value, like.values.shape), 0, like.clock, -1)

    def joined(self, x: _Series) -> _Series:
        """The values as far as they are known in each row of the data."""
        if not x.clock:
            return x
        if x.clock not in self.rows_known:
            self.rows_known[x.clock] = cast("AlignedBars", self.bars).known(x.clock)
        known = self.rows_known[x.clock]
        return _Series(x.values[known], int(np.searchsorted(known, x.first)), "", -1)

    def call(self, tree: Call) -> tuple[_Series, ...]:
        """A function."""
        function = tree.function
        trees = [Column(name, tree.stream) for name in function.inputs] if tree.argument is None else [tree.argument]
        inputs = [self.series(x) for x in trees]
        clock, start = inputs[0].clock, max(x.first for x in inputs)
        firsts = [start + rows for rows in function.warmup(*tree.parameters)]
        source = self.clock_source(clock)
        if max(firsts) >= len(source):
            raise FeatureError(
                f"{tree} has its first value after {max(firsts) + 1} rows, and {source.name} has {len(source)}: "
                "shorten its period, or give more data"
            )
        result = function.compute(*(x.values for x in inputs), *tree.parameters, start=start)
        asset = inputs[0].asset if function.price else -1  # several inputs are columns of one stream
        lines = result if function.lines else (result,)
        return tuple(
            self.finite(tree, _Series(values, first, clock, asset), function.undefined)
            for values, first in zip(lines, firsts, strict=True)
        )

    def finite(self, tree: Expression, series: _Series, why: str) -> _Series:
        """The series, if its values are finite from its first one on."""
        finite = np.isfinite(series.values[series.first :])
        if not finite.all():
            row = series.first + int(np.argmin(finite))
            raise FeatureError(f"{tree} is {series.values[row]} in {self.row(row, series.clock)}: {why}")
        return series

    def clock_source(self, clock: str) -> FeatureSource | AlignedBars:
        """The data whose rows a clock counts."""
        return self.sources[clock] if clock else self.bars

    def row(self, row: int, clock: str) -> str:
        """What messages call a row."""
        return f"row {row} of {self.clock_source(clock).name}"
