"""Calls in Python source that import by a computed name, and what names they can compute.

In: the syntax tree of a module, and its name. Out: an `ImportSite` for each such call, and the
functions that import what their first parameter names. Expressions are followed as far as the
module itself writes their values down: literals, loops over and values of literal containers,
f-strings, `%`, `+`, `format` and `join`, defaults of parameters, and the module's own name. What is
not written down becomes a hole in the name.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name

from rustext.model.sources import HOLE, ImportSite

# https://docs.python.org/3/library/importlib.html#importlib.import_module and __import__,
# https://docs.python.org/3/library/pkgutil.html#pkgutil.resolve_name,
# https://docs.python.org/3/library/runpy.html#runpy.run_module
IMPORT_CALLS = ("import_module", "__import__", "find_spec", "resolve_name", "run_module")
_CALLS = frozenset(name.lstrip("_") for name in IMPORT_CALLS)
_DEPTH = 16  # nested expressions and names that are followed
_LONGEST = 200  # characters of a name
_MOST = 2000  # values of one expression
_FIELD = re.compile(r"\{[^{}]*\}")
_PERCENT = re.compile(r"%\(\w+\)[sdr]|%[sdr]")
_SAME = frozenset({"str", "sorted", "list", "tuple", "set", "frozenset", "iter", "reversed"})
_OF_DICTS = frozenset({"items", "values", "keys", "get", "pop"})
_ROWS = (ast.List, ast.Tuple)

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_LAZY = re.compile(r"^def __getattr__\(|^\s*sys\.modules\[__name__\]\s*=", re.MULTILINE)
# A function that is handed the module's own name, to give it what it loads late.
_OWN_NAME = re.compile(r"__name__,|globals\(\),")
_LOADER = re.compile(r"(?:[Ll]azy\w*|import\w*|module\w*|attach\w*)\s*\(\s*$")


@dataclass(slots=True, kw_only=True)
class _Scope:
    """The names of a function, or of the module, and the expressions that they are bound to."""

    name: str
    outer: _Scope | None
    bound: dict[str, list[ast.expr]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()  # without self and cls
    defaults: dict[str, ast.expr] = field(default_factory=dict)

    def find(self, name: str) -> _Scope | None:
        scope: _Scope | None = self
        while scope is not None and name not in scope.bound and name not in scope.parameters:
            scope = scope.outer
        return scope


def read_import_sites(
    tree: ast.Module, module: str, *, package: bool
) -> tuple[tuple[ImportSite, ...], tuple[str, ...]]:
    """The import sites of a module, and its functions that import their first parameter.

    `module` is its dotted name; `package` says that it is the `__init__` of one.
    """
    reader = _Reader(module, module if package else module.rpartition(".")[0])
    reader.read_module(tree)
    return tuple(reader.sites), tuple(sorted(reader.importers))


def resolve(name: str, package: str) -> str | None:
    """The absolute form of a name that may be relative (PEP 328); None beyond the top level."""
    if not name.startswith("."):
        return name
    try:
        return resolve_name(name, package) if package else None
    except ImportError:
        return None


class _Reader:
    def __init__(self, module: str, package: str) -> None:
        self._module, self._package = module, package
        self.sites: list[ImportSite] = []
        self.importers: set[str] = set()
        self._outermost = _Scope(name="", outer=None)
        self._attributes: dict[str, list[ast.expr]] = {}  # of all classes

    # --- scopes ---------------------------------------------------------------------------------

    def read_module(self, tree: ast.Module) -> None:
        """Read all of a module."""
        for node in ast.walk(tree):
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                for name, value in _iter_bindings(inner):
                    self._attributes.setdefault(name, []).append(value)
        self.read(tree.body, self._outermost)

    def read(self, body: Iterable[ast.AST], scope: _Scope) -> None:
        """Bind the names of a scope, then look at its calls, then at the functions in it."""
        own, inner = _split(body)
        for node in own:
            for name, value in _iter_bindings(node):
                scope.bound.setdefault(name, []).append(value)
        for node in own:
            if isinstance(node, ast.Call):
                self._read_call(node, scope)
        for function in inner:
            self.read(
                function.body if isinstance(function.body, list) else [function.body],
                _function_scope(function, scope),
            )

    def _read_call(self, call: ast.Call, scope: _Scope) -> None:
        name = _last_name(call.func)
        if name.lstrip("_") not in _CALLS:
            return
        argument = _argument(call, 0, "name")
        if argument is None:
            return
        if (
            isinstance(argument, ast.Name)
            and scope.parameters
            and scope.parameters[0] == argument.id
            and scope.name
        ):
            self.importers.add(scope.name.rpartition(".")[2])
        package = self._package_of(call, name, scope)
        absolute = {resolve(n, package) for n in self._values(argument, scope, _DEPTH)}
        self.sites.append(
            ImportSite(
                function=scope.name,
                call=name,
                names=tuple(sorted(n for n in absolute if n and len(n) <= _LONGEST)),
                package=package,
            )
        )

    def _package_of(self, call: ast.Call, name: str, scope: _Scope) -> str:
        """What relative names in a call count from; "" where the call does not say."""
        argument = _argument(call, 1, "package")
        if argument is None or name.strip("_") == "import":
            return ""
        found = [v for v in self._values(argument, scope, _DEPTH) if HOLE not in v]
        return found[0] if len(found) == 1 else ""

    # --- values ---------------------------------------------------------------------------------

    def _values(self, node: ast.AST, scope: _Scope, depth: int) -> frozenset[str]:
        """The strings that an expression can be, with holes; one hole where nothing is known."""
        found = frozenset(itertools.islice(self._iter_values(node, scope, depth), _MOST))
        return found or frozenset({HOLE})

    def _iter_values(self, node: ast.AST, scope: _Scope, depth: int) -> Iterator[str]:
        if depth <= 0:
            yield HOLE
            return
        for found, where in self._resolve(node, scope, depth):
            if isinstance(found, ast.Constant):
                yield from (found.value,) if isinstance(found.value, str) else ()
            elif isinstance(found, ast.JoinedStr):
                yield from self._product(found.values, where, depth)
            elif isinstance(found, ast.FormattedValue):
                yield from self._values(found.value, where, depth - 1)
            elif isinstance(found, ast.BinOp):
                yield from self._operation(found, where, depth)
            elif isinstance(found, ast.Call):
                yield from self._call_values(found, where, depth)
            elif isinstance(found, ast.Name) and found.id in {"__name__", "__package__"}:
                yield self._module if found.id == "__name__" else self._package
            elif isinstance(found, ast.Attribute) and found.attr == "parent":  # of `__spec__`
                yield self._package
            else:
                yield HOLE

    def _product(self, parts: Iterable[ast.AST], scope: _Scope, depth: int) -> Iterator[str]:
        values = [sorted(self._values(part, scope, depth - 1)) for part in parts]
        yield from (_one_hole("".join(row)) for row in itertools.product(*values))

    def _operation(self, node: ast.BinOp, scope: _Scope, depth: int) -> Iterator[str]:
        if isinstance(node.op, ast.Add):
            yield from self._product((node.left, node.right), scope, depth)
        elif isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            right = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            yield from self._product(_fill(node.left.value, _PERCENT, right), scope, depth)
        else:
            yield HOLE

    def _call_values(self, node: ast.Call, scope: _Scope, depth: int) -> Iterator[str]:
        """What a few methods of strings return; of others, a part or another form of a string."""
        text = node.func.value if isinstance(node.func, ast.Attribute) else None
        name, first = _last_name(node.func), node.args[0] if node.args else None
        if isinstance(text, ast.Constant) and name == "format":
            yield from self._product(_fill(text.value, _FIELD, node.args), scope, depth)
        elif isinstance(text, ast.Constant) and name == "join" and isinstance(first, _ROWS):
            parts = [part for element in first.elts for part in (text, element)][1:]
            yield from self._product(parts, scope, depth)
        elif name == "replace" and len(node.args) == 2 and _is_word(node.args[1]):
            yield from (f"{HOLE}.{word}" for word in self._values(node.args[1], scope, depth - 1))
        else:
            yield HOLE

    def _resolve(
        self, node: ast.AST, scope: _Scope, depth: int
    ) -> Iterator[tuple[ast.AST, _Scope]]:
        """The expressions that an expression may evaluate to, each with the scope that it is in."""
        if depth <= 0:
            return
        if isinstance(node, (ast.Name, ast.Attribute)):
            yield from self._resolve_name(node, scope, depth)
        elif isinstance(node, (ast.IfExp, ast.BoolOp, ast.NamedExpr)):
            for part in _choices(node):
                yield from self._resolve(part, scope, depth - 1)
        elif isinstance(node, (ast.Subscript, ast.Starred)):
            for found, where in self._resolve(node.value, scope, depth - 1):
                for element in _picked(found, node):
                    yield from self._resolve(element, where, depth - 1)
        elif isinstance(node, ast.Call) and _last_name(node.func) in _SAME | _OF_DICTS:
            yield from self._resolve_call(node, scope, depth)
        else:
            yield node, scope

    def _resolve_name(
        self, node: ast.Name | ast.Attribute, scope: _Scope, depth: int
    ) -> Iterator[tuple[ast.AST, _Scope]]:
        """What a name is bound to; an attribute of an object, in any class of the module."""
        if isinstance(node, ast.Attribute):
            yield node, scope
            own = _last_name(node.value) in {"self", "cls"}
            for value in self._attributes.get(node.attr, ()) if own else ():
                yield from self._resolve(value, self._outermost, depth - 1)
            return
        found = scope.find(node.id)
        if found is None or node.id in found.parameters:
            yield node, scope
        if found is not None:
            default = found.defaults.get(node.id)
            for value in (*found.bound.get(node.id, ()), *((default,) if default else ())):
                yield from self._resolve(value, found, depth - 1)

    def _resolve_call(
        self, node: ast.Call, scope: _Scope, depth: int
    ) -> Iterator[tuple[ast.AST, _Scope]]:
        name = _last_name(node.func)
        if name in _SAME:
            for argument in node.args[:1]:
                yield from self._resolve(argument, scope, depth - 1)
            return
        for found, where in self._resolve(getattr(node.func, "value", node), scope, depth - 1):
            if not isinstance(found, ast.Dict):
                yield ast.Pass(), where
            elif name in {"get", "pop"}:
                for value in (*found.values, *node.args[1:2]):
                    yield from self._resolve(value, where, depth - 1)
            elif name == "items":
                pairs = zip(found.keys, found.values, strict=True)
                rows: list[ast.expr] = [ast.Tuple([k, v], ast.Load()) for k, v in pairs if k]
                yield ast.Tuple(rows, ast.Load()), where
            else:
                elements = found.values if name == "values" else [k for k in found.keys if k]
                yield ast.Tuple(elements, ast.Load()), where


def _choices(node: ast.IfExp | ast.BoolOp | ast.NamedExpr) -> list[ast.expr]:
    """The expressions of which one gives the value."""
    if isinstance(node, ast.BoolOp):
        return node.values
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node.value]


def _picked(container: ast.AST, by: ast.Subscript | ast.Starred) -> Iterator[ast.expr]:
    """What is taken out of a literal container: by an index or key, or (starred) by iteration."""
    if isinstance(by, ast.Subscript):
        yield from _elements(container, by.slice)
    else:
        keys = container.keys if isinstance(container, ast.Dict) else _elements(container)
        yield from filter(None, keys)


def _is_word(node: ast.expr) -> bool:
    """Whether it is a literal that can be the last part of a name: `x.replace("a", "b")`."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.isidentifier()
        and bool(node.value.strip("_"))
    )


def _elements(node: ast.AST, index: ast.AST | None = None) -> list[ast.expr]:
    """The elements of a literal container; the one at a constant index alone."""
    if isinstance(node, ast.Dict):
        return list(node.values)
    if not isinstance(node, (*_ROWS, ast.Set)):
        return []
    place = index.value if isinstance(index, ast.Constant) else None
    if isinstance(place, int):
        return node.elts[place : place + 1]
    return node.elts


def _fill(text: object, fields: re.Pattern[str], values: list[ast.expr]) -> Iterator[ast.AST]:
    """A format string in pieces, with a value or a hole for each of its fields."""
    pieces = fields.split(text) if isinstance(text, str) else [HOLE]
    for number, piece in enumerate(pieces):
        if number:
            yield values[number - 1] if number <= len(values) else ast.Pass()
        yield ast.Constant(piece)


def _one_hole(name: str) -> str:
    while HOLE * 2 in name:
        name = name.replace(HOLE * 2, HOLE)
    return name


def _split(body: Iterable[ast.AST]) -> tuple[list[ast.AST], list[Function]]:
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


def _iter_bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
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


def _function_scope(function: Function, outer: _Scope) -> _Scope:
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
    own = getattr(function, "name", "")
    return _Scope(
        name=".".join(filter(None, (outer.name, own))),
        outer=outer,
        parameters=(*names, *(a.arg for a in arguments.kwonlyargs)),
        defaults=defaults,
    )


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    if len(call.args) > position and not any(
        isinstance(a, ast.Starred) for a in call.args[: position + 1]
    ):
        return call.args[position]
    return next((k.value for k in call.keywords if k.arg == keyword), None)


def is_lazy(text: str, *, imports: bool) -> bool:
    """Whether a function looks up attributes of the module that are not there yet.

    With `imports`, some function of the module imports by a computed name.
    """
    hint = (imports and "__getattr__" in text) or "sys.modules[__name__]" in text
    if hint and _LAZY.search(text) is not None:
        return True
    places = (found.start() for found in _OWN_NAME.finditer(text))
    return any(_LOADER.search(text, max(0, place - 60), place) for place in places)
