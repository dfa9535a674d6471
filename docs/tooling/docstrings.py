"""How docstrings of this project are read for the reference.

* ``Example:`` is a section with examples, as ``Examples:`` is to Griffe.
* A name in single backticks leads to where it is documented, if it is.
* A comment after ``#:`` documents the member of an enumeration that stands before it.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Attribute, Docstring, Extension, GriffeError, Object

_HEADING = re.compile(r"^( *)Example:$", re.MULTILINE)
_NAME = re.compile(r"(?<![`\w\\])`([A-Za-z_][\w.]*)`(?!`)")
_COMMENT = re.compile(r"#: (.+)$")
_MODULES = ("vecbt", "vecbt.data", "vecbt.spaces", "vecbt.errors", "vecbt.kernels.layout")


class ProjectDocstrings(Extension):
    """Rewrites docstrings as they are loaded."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Document an attribute by the comment behind it."""
        if attr.docstring is None and attr.lines and (comment := _COMMENT.search(attr.lines[-1])):
            attr.docstring = Docstring(comment[1], parent=attr, lineno=attr.lineno)

    def on_package(self, *, pkg: Any, **_: Any) -> None:
        """Rewrite all docstrings once every name is known."""
        self._rewrite(pkg, pkg)

    def _rewrite(self, part: Object, package: Any) -> None:
        if part.docstring is not None:
            text = _HEADING.sub(r"\1Examples:", part.docstring.value)
            lines = text.split("\n")
            part.docstring.value = "\n".join(
                line if ">>>" in line else _NAME.sub(lambda found: _link(found[1], part, package), line)
                for line in lines
            )
        for member in part.members.values():
            if not member.is_alias:
                self._rewrite(member, package)


def _link(name: str, part: Object, package: Any) -> str:
    """A name as code, which leads to where it is documented; elsewhere it stays as it is."""
    target = next((path for path in _paths(name, part) if _exists(path, package)), None)
    if target is None:
        return f"`{name}`"
    return f'<autoref optional identifier="{target}"><code>{name}</code></autoref>'


def _paths(name: str, part: Object) -> list[str]:
    """What a name may stand for, from the nearest."""
    scopes = []
    scope: Object | None = part
    while scope is not None:
        scopes.append(scope.path)
        scope = scope.parent
    if name.startswith("vecbt."):
        return [name]
    return [f"{scope}.{name}" for scope in (*scopes, *_MODULES)]


def _exists(path: str, package: Any) -> bool:
    try:
        package[path.removeprefix("vecbt.")]
    except (GriffeError, KeyError):
        return False
    return True
