"""Every small change that can be made to arithmetic: another operator, another order, a statement left out."""

from __future__ import annotations

import ast
import copy
import difflib
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
    """All changes to the functions of a module, but for what only says which column is meant.

    Yields:
        The lines before and after, and the changed module.
    """
    tree = ast.parse(source)
    lines = ast.unparse(tree).splitlines()
    places = {id(node) for part in ast.walk(tree) if isinstance(part, ast.Subscript) for node in ast.walk(part.slice)}
    inside = {id(node) for part in tree.body if isinstance(part, ast.FunctionDef) for node in ast.walk(part)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in inside or id(node) in places or _names_a_column(node):
            continue
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            place = next(found for position, found in enumerate(ast.walk(changed)) if position == number)
            change(place)
            ast.fix_missing_locations(changed)
            yield _difference(lines, ast.unparse(changed).splitlines()), changed


def _difference(before: list[str], after: list[str]) -> str:
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "-+"]
    old, new = ("; ".join(line[2:].strip() for line in changes if line[0] == sign) for sign in "-+")
    return f"{old} -> {new}"


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """What can be done to a node, to be done to a copy of it."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        yield lambda place: setattr(place, "op", _OPERATORS[type(node.op)]())
    if isinstance(node, ast.BinOp):
        if isinstance(node.left, ast.BinOp) and _same_kind(node.op, node.left.op):
            yield _from_the_right
        if isinstance(node.op, ast.Mult) and isinstance(node.right, ast.BinOp):
            yield _multiplied_out
    if isinstance(node, ast.AugAssign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add):
        yield _one_after_the_other
    if isinstance(node, ast.Compare):
        for operator in _COMPARISONS.get(type(node.ops[0]), ()):
            yield lambda place, operator=operator: setattr(place, "ops", [operator()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield lambda place: setattr(place, "op", ast.UAdd())
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("abs", "max"):
        yield lambda place: _become(place, place.args[0])
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield lambda place: setattr(place, "value", node.value + 1.0)
    if isinstance(node, ast.AugAssign | ast.Assign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield lambda place: _become(place, ast.Pass())
    if isinstance(node, ast.If | ast.For | ast.FunctionDef):
        for first, pair in enumerate(zip(node.body, node.body[1:], strict=False)):
            if all(isinstance(part, ast.AugAssign) for part in pair) and len({*map(_target, pair)}) == 1:
                yield lambda place, first=first: _both_at_once(place, first)


def _names_a_column(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and any(
        isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in ("Row", "Asset")
        and not isinstance(parent, ast.Subscript)
        for parent in ast.walk(node) for part in ast.iter_child_nodes(parent)
    )  # fmt: skip


def _target(node: ast.AST) -> str:
    return ast.unparse(node.target)


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


def _one_after_the_other(place: ast.AST) -> None:
    """``a += b + c`` to ``a = a + b + c``: the same number but for rounding."""
    old = copy.deepcopy(place.target)
    for node in ast.walk(old):
        if isinstance(getattr(node, "ctx", None), ast.Store):
            node.ctx = ast.Load()
    total = ast.BinOp(ast.BinOp(old, place.op, place.value.left), place.op, place.value.right)
    _become(place, ast.Assign([place.target], total))


def _both_at_once(place: ast.AST, first: int) -> None:
    """``a += b; a -= c`` to ``a += b - c``: the same number but for rounding."""
    one, other = place.body[first : first + 2]
    alike = type(one.op) is type(other.op)
    one.value = ast.BinOp(one.value, ast.Add() if alike else ast.Sub(), other.value)
    del place.body[first + 1]


def _become(place: ast.AST, other: ast.AST) -> None:
    place.__class__ = other.__class__
    place.__dict__ = {**place.__dict__, **other.__dict__}
