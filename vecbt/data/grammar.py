"""The grammar of feature expressions: text in, checked trees out.

```text
expression = column | number | (expression) | -expression | expression (+ - * /) expression | call | call.line
call       = function | function(numbers) | function(expression, numbers)
```

Where the data have several streams, ``NAME.`` before a column or a function means that stream, for all names in the
function's parentheses too: ``EURUSD.close``, ``DAILY.sma(volume, 20)``, ``EURUSD.macd(12, 26).signal``. A name with no
stream before it means each asset in turn, and the expression then stands for one column per asset.

A number may be given by its parameter's name, ``sma(volume, period=20)``. Python's own `ast` parses the text; a few of
its nodes are understood, all others refused, and nothing is ever evaluated by Python. Precedence and order of
operations are therefore Python's.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vecbt.data.expressions import OPERATORS, Binary, Call, Column, Expression, Line, Negative, Number
from vecbt.data.functions import FUNCTIONS, Function, Parameter
from vecbt.errors import FeatureError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["parse"]

_SYMBOLS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_MAX_DEPTH = 100


def parse(
    text: str, columns: Sequence[str] | Mapping[str, Sequence[str]], assets: Sequence[str] = ("",)
) -> tuple[Expression, ...]:
    """Parse a feature expression into one tree for each column that it stands for.

    Args:
        text: The expression. The name of a column stands for that column, whatever else it could mean.
        columns: Names of the data's columns; where there are several streams, a mapping from the streams' names to
            those of their columns.
        assets: The streams that names without one mean in turn.

    Returns:
        One tree; several where the expression means several assets, or is a call of a function with several lines.

    Raises:
        UnknownNameError: For a name that is neither a column nor a function.
        FeatureError: For anything else that is no expression of the grammar.

    Example:
        >>> [str(tree) for tree in parse("(high - low) / close", ["high", "low", "close"])]
        ['(high-low)/close']
        >>> [str(tree) for tree in parse("macd", ["close"])]
        ['macd(12,26,9).macd', 'macd(12,26,9).signal']
        >>> streams = {"EURUSD": ["close"], "USDJPY": ["close"], "DAILY": ["close"]}
        >>> [str(tree) for tree in parse("close / DAILY.sma(20)", streams, ["EURUSD", "USDJPY"])]
        ['EURUSD.close/DAILY.sma(20)', 'USDJPY.close/DAILY.sma(20)']
    """
    streams = columns if isinstance(columns, Mapping) else {"": columns}
    # An expression that names all its streams is the same for every asset.
    return tuple(dict.fromkeys(tree for asset in assets for tree in _parse_one(text, streams, asset)))


def _parse_one(text: str, streams: Mapping[str, Sequence[str]], asset: str) -> tuple[Expression, ...]:
    """The trees of an expression in which names without a stream mean ``asset``."""
    if text in streams[asset]:
        return (Column(text, asset),)
    parser = _Parser(text.strip(), streams, asset)
    tree = parser.expression(parser.root())
    if isinstance(tree, Number):
        raise FeatureError("it is a constant: name a column or a function")
    if isinstance(tree, Call) and tree.function.lines:
        return tuple(Line(tree, name) for name in tree.function.lines[: tree.function.shown])
    return (tree,)


class _Parser:
    """Turns nodes of `ast` into expressions."""

    def __init__(self, text: str, streams: Mapping[str, Sequence[str]], stream: str) -> None:
        self.text = text
        self.streams = streams
        self.stream = stream  # what names without one mean
        self.depth = 0

    @property
    def columns(self) -> Sequence[str]:
        """The columns that may be named without a stream."""
        return self.streams[self.stream]

    def root(self) -> ast.expr:
        """The syntax tree of the text."""
        try:
            return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            where = f" at character {error.offset}" if error.offset else ""
            raise FeatureError(f"not an expression: {error.msg}{where}") from None
        except ValueError as error:  # a null character
            raise FeatureError(f"not an expression: {error}") from None
        except (RecursionError, MemoryError):  # either may be how CPython says that its own stack is full
            raise FeatureError("nested too deeply") from None

    def expression(self, node: ast.expr) -> Expression:
        """The expression that a node stands for."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise FeatureError(f"nested more than {_MAX_DEPTH} deep: split it into several features")
        tree = self.convert(node)
        self.depth -= 1
        return tree

    def convert(self, node: ast.expr) -> Expression:
        """The expression that a node stands for, whatever its depth."""
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _number(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                return self.call(self.function(name), args, keywords)
            case ast.Attribute(value=ast.Name(id=stream), attr=name) if stream in self.streams:
                return self.within(stream, lambda: self.name(name))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=stream), attr=name), args=args, keywords=keywords) if (
                stream in self.streams
            ):
                return self.within(stream, lambda: self.call(self.function(name), args, keywords))
            case ast.Attribute(value=value, attr=name):
                return self.line(node, self.expression(value), name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.single(operand)
                return Number(-inner.value) if isinstance(inner, Number) else Negative(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SYMBOLS:
                return _binary(_SYMBOLS[type(op)], self.single(left), self.single(right))
            case _:
                raise self.refusal(node)

    def single(self, node: ast.expr) -> Expression:
        """The expression that a node stands for, which must be a single column or a number."""
        tree = self.expression(node)
        if isinstance(tree, Call) and tree.function.lines:
            raise FeatureError(f"{tree} has several lines: pick one, {_choices(tree)}")
        return tree

    def within(self, stream: str, convert: Callable[[], Expression]) -> Expression:
        """What is found where names without a stream mean this one."""
        outer, self.stream = self.stream, stream
        tree = convert()
        self.stream = outer
        return tree

    def name(self, name: str) -> Expression:
        """The column or the function of that name."""
        if name in self.columns:
            return Column(name, self.stream)
        return self.call(self.function(name), [], [])

    def function(self, name: str) -> Function:
        """The function of that name."""
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        if name in self.streams:
            raise FeatureError(f"{name} is a stream: say which column of it, or function, such as {name}.close")
        if name in self.columns:
            raise FeatureError(f"{name} is a column, no function; its value n rows earlier is lag({name}, n)")
        if has := [stream for stream, columns in self.streams.items() if name in columns]:
            raise FeatureError(f"{self.stream} has no column {name}: write {' or '.join(f'{s}.{name}' for s in has)}")
        what = "feature" if name == self.text else f"name in feature {self.text!r}:"
        known = {*self.columns, *FUNCTIONS, *filter(None, self.streams)}
        if name.lower() in known:
            raise UnknownNameError(f"unknown {what} {name!r}: did you mean {name.lower()!r}? Names are in lower case")
        raise UnknownNameError.of(what, name, known)

    def line(self, node: ast.expr, tree: Expression, name: str) -> Line:
        """One line of a call."""
        if isinstance(tree, Column) and tree.name in FUNCTIONS:
            raise FeatureError(f"{tree} is a column of the data here; the function's line is {tree}().{name}")
        if not isinstance(tree, Call):
            raise self.refusal(node)
        if name not in tree.function.lines:
            has = _choices(tree) if tree.function.lines else f"a single line: write {tree}"
            raise FeatureError(f"{tree} has no line {name!r}; it has {has}")
        return Line(tree, name)

    def call(self, function: Function, args: list[ast.expr], keywords: list[ast.keyword]) -> Call:
        """A call with its arguments sorted out and checked."""
        values = [self.single(node) for node in args]
        argument = values.pop(0) if values and not isinstance(values[0], Number) else None
        usage = f"its use is {function.signature}"
        if argument is not None and not function.takes_expression:
            reads = ", ".join(function.inputs)
            raise FeatureError(f"{function.name} reads {reads} and takes numbers only, got {argument}; {usage}")
        if argument is None and not function.inputs:
            raise FeatureError(f"{function.name} needs a column or an expression as its first argument; {usage}")
        for value in values:
            if not isinstance(value, Number):
                raise FeatureError(f"{function.name} takes no second expression, got {value}; {usage}")
        names = [parameter.name for parameter in function.parameters]
        if len(values) > len(names):
            plural = "" if len(names) == 1 else "s"
            raise FeatureError(f"{function.name} takes {len(names)} number{plural} at most, got {len(values)}; {usage}")
        given = dict(zip(names, values, strict=False))
        for keyword in keywords:
            if keyword.arg not in names:
                raise FeatureError(f"{function.name} has no parameter {keyword.arg or '**'!r}; {usage}")
            if keyword.arg in given:
                raise FeatureError(f"{function.name} got {keyword.arg} twice; {usage}")
            given[keyword.arg] = self.single(keyword.value)
        parameters = tuple(_parameter(function, p, given.get(p.name)) for p in function.parameters)
        if argument is None:
            return Call(function, None, parameters, self.stream)
        if isinstance(argument, Column) and function.inputs == (argument.name,):
            return Call(function, None, parameters, argument.stream)
        return Call(function, argument, parameters)

    def refusal(self, node: ast.expr) -> FeatureError:
        """What to say of a node outside the grammar."""
        source = ast.get_source_segment(self.text, node)
        hint = "; an earlier value is lag(x, n)" if isinstance(node, ast.Subscript) else ""
        return FeatureError(
            f"{source!r} is no part of an expression: use columns, functions, numbers, + - * / and parentheses{hint}"
        )


def _number(value: float) -> Number:
    """A finite constant as a float."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FeatureError("a number is beyond the range of float64")
    return Number(number)


def _binary(symbol: str, left: Expression, right: Expression) -> Expression:
    """An operation; that of two constants is carried out."""
    if symbol == "/" and right == Number(0.0):
        raise FeatureError(f"division by zero: {left}/0")
    if isinstance(left, Number) and isinstance(right, Number):
        return _number(OPERATORS[symbol](left.value, right.value))
    return Binary(symbol, left, right)


def _parameter(function: Function, parameter: Parameter, value: Expression | None) -> float:
    """The value of a parameter; whole numbers as int."""
    what = f"{parameter.name} of {function.name}"
    if value is None:
        if parameter.default is None:
            raise FeatureError(f"{what} is missing; its use is {function.signature}")
        return parameter.default
    if not isinstance(value, Number):
        raise FeatureError(f"{what} must be a number, got {value}; its use is {function.signature}")
    if not parameter.rows:
        if value.value > 0.0:
            return value.value
        raise FeatureError(f"{what} must be above 0, got {value}")
    if value.value >= 1.0 and value.value % 1.0 == 0.0:
        return int(value.value)
    why = "; a negative one would look ahead, into rows that are not known yet" if value.value < 0.0 else ""
    raise FeatureError(f"{what} must be a whole number of rows, at least 1, got {value}{why}")


def _choices(call: Call) -> str:
    """The lines of a call, as one would write them."""
    return ", ".join(f".{name}" for name in call.function.lines)
