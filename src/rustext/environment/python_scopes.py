"""Scopes of Python code: what the names of a function or of a module are bound to.

In: syntax trees. Out: a `Scope` for each function, and the expressions that bind its names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rustext.environment.python_strings import SPLITS

_SUMS = 4  # texts that one statement adds to
_ROWS = (ast.List, ast.Tuple)

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(slots=True, kw_only=True)
class Scope:
    """The names of a function, or of the module, and the expressions that they are bound to."""

    name: str
    outer: Scope | None
    bound: dict[str, list[ast.expr]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()  # without self and cls
    places: int = 0  # how many of these can be given by place
    defaults: dict[str, ast.expr] = field(default_factory=dict)

    def find(self, name: str) -> Scope | None:
        """The innermost scope around this one that has a name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.bound and name not in scope.parameters:
            scope = scope.outer
        return scope


def split_scope(body: Iterable[ast.AST]) -> tuple[list[ast.AST], list[Function]]:
    """The nodes of a scope in order, and the functions in it; classes are no scope of their own."""
    own: list[ast.AST] = []
    inner: list[Function] = []
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            inner.append(node)
            waiting += getattr(node, "decorator_list", [])
        else:
            own.append(node)
            waiting += ast.iter_child_nodes(node)
    return own, inner


def bind_names(scope: Scope, nodes: Iterable[ast.AST]) -> None:
    """Enter the names that the nodes of a scope bind: `name += "x"` adds to what is there."""
    sums = []
    for node in nodes:
        for name, value in iter_bindings(node):
            scope.bound.setdefault(name, []).append(value)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            sums.append((node.target.id, node))
    for name, node in sums:
        texts = [v for v in scope.bound[name] if v is not node.value and _is_text(v)]
        scope.bound[name] += [ast.BinOp(text, node.op, node.value) for text in texts[:_SUMS]]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)


def iter_bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement binds, each with its value; `*x` is an element of `x`."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _iter_targets(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
        yield from _iter_targets(node.target, node.value)
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield from _iter_targets(node.target, ast.Starred(node.iter, ast.Load()))


def _iter_targets(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, _ROWS):
        for number, element in enumerate(target.elts):
            row = ast.Subscript(value, ast.Constant(number), ast.Load())
            yield from _iter_targets(element, row)


def function_scope(function: Function, outer: Scope) -> Scope:
    """The scope of a function, with its parameters alone."""
    arguments = function.args
    places = [*arguments.posonlyargs, *arguments.args]
    last = [a.arg for a in places[len(places) - len(arguments.defaults) :]]
    defaults = dict(zip(last, arguments.defaults, strict=True))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            defaults[argument.arg] = default
    names = [a.arg for a in places]
    if names and names[0] in {"self", "cls", "mcs"}:
        names = names[1:]
    rest = [arguments.vararg.arg if arguments.vararg is not None else ""]
    own = getattr(function, "name", "")
    return Scope(
        name=".".join(filter(None, (outer.name, own))),
        outer=outer,
        parameters=(*names, *rest, *(a.arg for a in arguments.kwonlyargs)),
        places=len(names),
        defaults=defaults,
    )


def split_of(node: ast.expr) -> ast.expr:
    """What an expression is the first part of, `x` of `x.rsplit(".", 1)[0]`, or itself."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call):
        method = node.value.func
        place = node.slice.value if isinstance(node.slice, ast.Constant) else None
        first = isinstance(place, int) and place == 0
        if first and isinstance(method, ast.Attribute) and method.attr in SPLITS:
            return method.value
    return node


def argument_of(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """What a call hands as its argument of a position or a name; None where it does not."""
    if len(call.args) > position and not any(
        isinstance(a, ast.Starred) for a in call.args[: position + 1]
    ):
        return call.args[position]
    return next((k.value for k in call.keywords if k.arg == keyword), None)
