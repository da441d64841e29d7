"""Calls that Nuitka answers while it compiles, with less than they return in Python.

    for point in entry_points(group="app.plugins"):
        print(point.dist.name)

Nuitka puts the entry points themselves in the place of such a call, where all arguments are
constants, and these do not know their distribution: `dist` is None, which Python says of entry
points that were made by hand alone
(https://docs.python.org/3/library/importlib.metadata.html#entry-points). A module that stays
bytecode asks when it runs. In: a module's source. Out: whether it has such a call. Nothing is
imported.
"""

from __future__ import annotations

import ast

from rustext.discovery.source_readers import last_name
from rustext.environment.python_source import parse_source

_CALL, _ATTRIBUTE = "entry_points", "dist"


def asks_origin(source: str) -> bool:
    """Whether a module asks for a group's entry points by its name, and for a distribution."""
    if _CALL not in source or f".{_ATTRIBUTE}" not in source:
        return False
    try:
        nodes = list(ast.walk(parse_source(source)))
    except SyntaxError:
        return False
    return any(map(_is_answered, nodes)) and any(
        isinstance(node, ast.Attribute) and node.attr == _ATTRIBUTE for node in nodes
    )


def _is_answered(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and last_name(node.func) == _CALL
        and bool(node.keywords)
        and all(isinstance(word.value, ast.Constant) for word in node.keywords)
    )
