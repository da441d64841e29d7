"""Calls in Python source that import by a computed name, and what names they can compute.

In: the syntax tree of a module, and its name. Out: an `ImportSite` for each such call, and the
functions that import what one of their parameters names. Expressions are followed as far as the
module itself writes their values down: literals, loops over and values of literal containers,
f-strings, `%`, `+`, `format` and `join`, defaults of parameters, and the module's own name. What is
not written down becomes a hole in the name.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rustext.discovery.source_readers import last_name
from rustext.environment.python_scopes import (
    Scope,
    argument_of,
    bind_names,
    function_scope,
    iter_bindings,
    split_of,
    split_scope,
)
from rustext.environment.python_source import parse_source
from rustext.environment.python_strings import (
    FIELD,
    METHODS,
    PERCENT,
    call_method,
    fill,
    is_split,
    one_hole,
    replace,
    take_pieces,
)
from rustext.environment.python_text import resolve
from rustext.model.sources import HOLE, ImportSite

# https://docs.python.org/3/library/importlib.html#importlib.import_module and __import__,
# https://docs.python.org/3/library/pkgutil.html#pkgutil.resolve_name,
# https://docs.python.org/3/library/runpy.html#runpy.run_module
_CALLS = ("import_module", "__import__", "find_spec", "resolve_name", "run_module")
# Functions with names that others have too, by the module that they are of, with the argument that
# is imported. https://docs.python.org/3/library/importlib.metadata.html#entry-points,
# https://docs.python.org/3/library/unittest.mock.html#patch; `pydoc.locate` has no documentation.
_OF_MODULES = {
    "locate": ("pydoc", 0, "path"),
    "EntryPoint": ("metadata", 1, "value"),
    "patch": ("mock", 0, "target"),
}
IMPORT_CALLS = (*_CALLS, *(f"{name}(" for name in _OF_MODULES))  # words of a text with such calls
CLASS_PATH_CALLS = frozenset({"resolve_name", *_OF_MODULES})  # whose names go on with an attribute
_LAST_NAMES = frozenset(name.lstrip("_") for name in _CALLS)
_DEPTH = 16  # nested expressions and names that are followed
_LONGEST = 200  # characters of a name
_MOST = 2000  # values of one expression
_STEPS = 100_000  # from expression to expression, for all of a module
_SAME = frozenset({"str", "sorted", "list", "tuple", "set", "frozenset", "iter", "reversed"})
_OF_DICTS = frozenset({"items", "values", "keys", "get", "pop"})
_ROWS = (ast.List, ast.Tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """A function that imports what one of its parameters names."""

    parameter: str
    place: int  # among the arguments
    rest: bool = False  # all arguments from there on are such names


def read_import_sites(
    tree: ast.Module, module: str, *, package: bool
) -> tuple[tuple[ImportSite, ...], dict[str, Importer]]:
    """The import sites of a module, and its functions that import a parameter, by their names.

    `module` is its dotted name; `package` says that it is the `__init__` of one.
    """
    reader = _Reader(module, module if package else module.rpartition(".")[0])
    reader.read_module(tree)
    return tuple(reader.sites), reader.importers


def iter_handed(arguments: str, importer: Importer) -> Iterator[str]:
    """The names that the text of a call's arguments hands to an importer, with holes."""
    try:
        body = parse_source(f"f({arguments})").body
    except SyntaxError:
        return
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if isinstance(call, ast.Call):
        first = argument_of(call, importer.place, importer.parameter)
        rest = call.args[importer.place :] if importer.rest else []
        for node in rest or filter(None, [first]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", None) for part in node.values)
                yield one_hole("".join(p if isinstance(p, str) else HOLE for p in parts))
            else:
                yield HOLE


class _Reader:
    def __init__(self, module: str, package: str) -> None:
        self._module, self._package = module, package
        self._steps = _STEPS  # that are left
        self.sites: list[ImportSite] = []
        self.importers: dict[str, Importer] = {}
        self._renamed: dict[str, str] = {}  # functions that import, by their names here
        self._outermost = Scope(name="", outer=None)
        self._attributes: dict[str, list[ast.expr]] = {}  # of all classes

    def read_module(self, tree: ast.Module) -> None:
        """Read all of a module."""
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                self._renamed |= {
                    alias.asname or alias.name: alias.name
                    for alias in node.names
                    if _is_import(f"{node.module}.{alias.name}")
                }
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                for name, value in iter_bindings(inner):
                    self._attributes.setdefault(name, []).append(value)
        self.read(tree.body, self._outermost)

    def read(self, body: Iterable[ast.AST], scope: Scope) -> None:
        """Bind the names of a scope, then look at its calls, then at the functions in it."""
        own, inner = split_scope(body)
        bind_names(scope, own)
        for node in own:
            if isinstance(node, ast.Call):
                self._read_call(node, scope)
                self._read_arguments(node, scope)
        for function in inner:
            self.read(
                function.body if isinstance(function.body, list) else [function.body],
                function_scope(function, scope),
            )

    def _read_call(self, call: ast.Call, scope: Scope) -> None:
        name, keywords = self._import_of(call.func, scope)
        if not name:
            return
        call = ast.Call(call.func, call.args, [*call.keywords, *keywords])
        argument = argument_of(call, *_OF_MODULES.get(name, ("", 0, "name"))[1:])
        if argument is not None:
            self._note_importer(argument, scope)
            self._add_site(name, argument, self._package_of(call, name, scope), scope)
            inner = argument_of(call, 3, "fromlist") if name.strip("_") == "import" else None
            for element in inner.elts if isinstance(inner, _ROWS) else ():
                if not isinstance(element, ast.Constant):  # `__import__(name, …, [part])`
                    dotted = ast.BinOp(argument, ast.Add(), ast.Constant("."))
                    self._add_site(name, ast.BinOp(dotted, ast.Add(), element), "", scope)

    def _read_arguments(self, call: ast.Call, scope: Scope) -> None:
        """A function that imports, handed on with what it is to be called with: `map(f, names)`."""
        for function, names in itertools.pairwise(call.args):
            if isinstance(function, (ast.Name, ast.Attribute)):
                name, _ = self._import_of(function, scope)
                if name:
                    one = isinstance(names, ast.Constant)  # `submit(import_module, "name")`
                    each = names if one else ast.Starred(names, ast.Load())
                    self._note_importer(each, scope)
                    self._add_site(name, each, "", scope)

    def _import_of(self, function: ast.expr, scope: Scope) -> tuple[str, list[ast.keyword]]:
        """The function that an expression is, "" for any other, and what it is always handed."""
        name = last_name(function)
        module = last_name(function.value) if isinstance(function, ast.Attribute) else ""
        rare = name in _OF_MODULES and _is_import(f"{module}.{name}")
        if rare or name.lstrip("_") in _LAST_NAMES:
            return name, []
        found = scope.find(name) if isinstance(function, ast.Name) else None
        for value in found.bound.get(name, ()) if found is not None else ():
            keywords: list[ast.keyword] = []
            if isinstance(value, ast.Call) and last_name(value.func) == "partial" and value.args:
                keywords = value.keywords
            last = last_name(value.args[0] if keywords and isinstance(value, ast.Call) else value)
            imports = self._renamed.get(last, last)
            if imports.lstrip("_") in _LAST_NAMES:
                return imports, keywords
        return self._renamed.get(name, "") if isinstance(function, ast.Name) else "", []

    def _note_importer(self, node: ast.expr, scope: Scope) -> None:
        """The function of whose parameter an imported name is the value, or an element."""
        for _ in range(_DEPTH):
            node = split_of(node.value if isinstance(node, ast.Starred) else node)
            found = scope.find(node.id) if isinstance(node, ast.Name) else None
            if found is None or not isinstance(node, ast.Name):
                return
            if node.id in found.parameters:
                place = found.parameters.index(node.id)
                own = Importer(parameter=node.id, place=place, rest=place == found.places)
                self.importers.setdefault(found.name.rpartition(".")[2], own)
                return
            values = found.bound.get(node.id, [])
            if len(values) != 1:
                return
            node, scope = values[0], found

    def _add_site(self, name: str, argument: ast.expr, package: str, scope: Scope) -> None:
        absolute = {resolve(n, package) for n in self._values(argument, scope, _DEPTH)}
        self.sites.append(
            ImportSite(
                function=scope.name,
                call=name,
                names=tuple(sorted(n for n in absolute if n and len(n) <= _LONGEST)),
                package=package,
            )
        )

    def _package_of(self, call: ast.Call, name: str, scope: Scope) -> str:
        """What relative names in a call count from; "" where the call does not say."""
        argument = argument_of(call, 1, "package")
        if argument is None or name.strip("_") == "import" or name in _OF_MODULES:
            return ""
        found = [v for v in self._values(argument, scope, _DEPTH) if HOLE not in v]
        return found[0] if len(found) == 1 else ""

    # --- values ---------------------------------------------------------------------------------

    def _values(self, node: ast.AST, scope: Scope, depth: int) -> frozenset[str]:
        """The strings that an expression can be, with holes; one hole where nothing is known."""
        values = itertools.islice(self._iter_values(node, scope, depth), _MOST)
        found = frozenset(v for v in values if len(v) <= _LONGEST)  # others are no names, and grow
        return found or frozenset({HOLE})

    def _iter_values(self, node: ast.AST, scope: Scope, depth: int) -> Iterator[str]:
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
            elif isinstance(found, ast.Subscript):
                yield from ("".join(row) for row in self._pieces(found, where, depth))
            else:
                yield self._own_name(found)

    def _own_name(self, node: ast.AST) -> str:
        """The name of this module or of its package, where an expression asks for it."""
        name, outer = last_name(node), node.value if isinstance(node, ast.Attribute) else None
        if name == "__package__" or (outer is not None and name == "parent"):  # of `__spec__`
            return self._package
        # An object that takes the place of the module has its name.
        own = outer is None or last_name(outer) == "self"
        return self._module if name == "__name__" and own else HOLE

    def _product(self, parts: Iterable[ast.AST], scope: Scope, depth: int) -> Iterator[str]:
        values = [sorted(self._values(part, scope, depth - 1)) for part in parts]
        yield from (one_hole("".join(row)) for row in itertools.product(*values))

    def _operation(self, node: ast.BinOp, scope: Scope, depth: int) -> Iterator[str]:
        if isinstance(node.op, ast.Add):
            yield from self._product((node.left, node.right), scope, depth)
        elif isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            right = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            yield from self._product(fill(node.left.value, PERCENT, right), scope, depth)
        else:
            yield HOLE

    def _call_values(self, node: ast.Call, scope: Scope, depth: int) -> Iterator[str]:
        """What a few methods of strings return; of others, a part or another form of a string."""
        text = node.func.value if isinstance(node.func, ast.Attribute) else None
        name, first = last_name(node.func), node.args[0] if node.args else None
        if isinstance(text, ast.Constant) and name == "format":
            yield from self._product(fill(text.value, FIELD, node.args), scope, depth)
        elif isinstance(text, ast.Constant) and name == "join" and isinstance(first, _ROWS):
            parts = [part for element in first.elts for part in (text, element)][1:]
            yield from self._product(parts, scope, depth)
        elif name == "join" and isinstance(text, ast.Constant) and first is not None:
            for found, where in self._resolve(first, scope, depth - 1):
                rows = self._pieces(found, where, depth) if isinstance(found, ast.Subscript) else ()
                yield from (str(text.value).join(row) for row in rows)
        elif name == "replace" and len(node.args) == 2 and text is not None:
            texts, old, new = (self._values(part, scope, depth - 1) for part in (text, *node.args))
            yield from (replace(*r, by=node.args[1]) for r in itertools.product(texts, old, new))
        elif name in METHODS and text is not None:
            texts = self._values(text, scope, depth - 1)
            yield from (call_method(value, node, name) for value in texts)
        else:
            yield HOLE

    def _pieces(self, node: ast.Subscript, scope: Scope, depth: int) -> Iterator[list[str]]:
        """What is taken out of the pieces of a string: `name.split(".")[0]`."""
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            for text in sorted(self._values(call.func.value, scope, depth - 1)):
                yield take_pieces(text, call, call.func.attr, node.slice)

    def _resolve(self, node: ast.AST, scope: Scope, depth: int) -> Iterator[tuple[ast.AST, Scope]]:
        """The expressions that an expression may evaluate to, each with the scope that it is in."""
        self._steps -= 1
        if depth <= 0 or self._steps < 0:
            return
        if isinstance(node, (ast.Name, ast.Attribute)):
            yield from self._resolve_name(node, scope, depth)
        elif isinstance(node, (ast.IfExp, ast.BoolOp, ast.NamedExpr)):
            for part in _choices(node):
                yield from self._resolve(part, scope, depth - 1)
        elif isinstance(node, (ast.Subscript, ast.Starred)):
            for found, where in self._resolve(node.value, scope, depth - 1):
                if isinstance(node, ast.Subscript) and is_split(found):
                    yield ast.Subscript(found, node.slice, ast.Load()), where  # type: ignore[arg-type]
                for element in _picked(found, node):
                    yield from self._resolve(element, where, depth - 1)
        elif isinstance(node, ast.Call) and last_name(node.func) in _SAME | _OF_DICTS:
            yield from self._resolve_call(node, scope, depth)
        else:
            yield node, scope

    def _resolve_name(
        self, node: ast.Name | ast.Attribute, scope: Scope, depth: int
    ) -> Iterator[tuple[ast.AST, Scope]]:
        """What a name is bound to; an attribute of an object, in any class of the module."""
        if isinstance(node, ast.Attribute):
            yield node, scope
            own = last_name(node.value) in {"self", "cls"}
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
        self, node: ast.Call, scope: Scope, depth: int
    ) -> Iterator[tuple[ast.AST, Scope]]:
        name = last_name(node.func)
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


def _is_import(name: str) -> bool:
    """Whether a dotted name is that of a function that imports: `importlib.import_module`."""
    module, _, last = name.rpartition(".")
    if last in _OF_MODULES:
        return module.rpartition(".")[2] == _OF_MODULES[last][0]
    return last.lstrip("_") in _LAST_NAMES


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
