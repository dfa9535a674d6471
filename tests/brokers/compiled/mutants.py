"""Every small change that can be made to a piece of source: another operator, another order, a statement left out."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

__all__ = ["mutants"]

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """All changes of the functions in a source.

    Yields:
        What has been changed, and the changed module.
    """
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            before = ast.unparse(node)
            place = next(found for position, found in enumerate(ast.walk(changed)) if position == number)
            change(place)
            ast.fix_missing_locations(changed)
            yield f"line {node.lineno}: {before} -> {ast.unparse(place)}", changed


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """What can be done to a node, to be done to a copy of it."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        yield lambda place: setattr(place, "op", _OPERATORS[type(node.op)]())
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp) and _same_kind(node.op, node.left.op):
        yield _from_the_right
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and isinstance(node.right, ast.BinOp):
        yield _multiplied_out
    if isinstance(node, ast.Compare):
        for operator in _COMPARISONS.get(type(node.ops[0]), ()):
            yield lambda place, operator=operator: setattr(place, "ops", [operator()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield lambda place: setattr(place, "op", ast.UAdd())
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("abs", "max"):
        yield lambda place: _become(place, place.args[0])
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield lambda place: setattr(place, "value", node.value + 1.0)
    if isinstance(node, ast.AugAssign | ast.Expr | ast.Assign) and not _is_docstring(node):
        yield lambda place: _become(place, ast.Pass())


def _same_kind(outer: ast.operator, inner: ast.operator) -> bool:
    return any(
        isinstance(outer, kind) and isinstance(inner, kind) for kind in ((ast.Mult, ast.Div), (ast.Add, ast.Sub))
    )


def _from_the_right(place: ast.AST) -> None:
    """``(a * b) / c`` to ``a * (b / c)``: the same number but for rounding."""
    first, second, third = place.left.left, place.left.right, place.right
    inverse = isinstance(place.left.op, ast.Div | ast.Sub)
    operator = _OPERATORS[type(place.op)]() if inverse else place.op
    place.op, place.left, place.right = place.left.op, first, ast.BinOp(second, operator, third)


def _multiplied_out(place: ast.AST) -> None:
    """``a * (b + c)`` to ``a * b + a * c``: the same number but for rounding."""
    factor, total = place.left, place.right
    parts = [ast.BinOp(copy.deepcopy(factor), ast.Mult(), part) for part in (total.left, total.right)]
    place.op, place.left, place.right = total.op, *parts


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _become(place: ast.AST, other: ast.AST) -> None:
    place.__class__ = other.__class__
    place.__dict__ = {**place.__dict__, **other.__dict__}
