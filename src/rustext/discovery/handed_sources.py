"""Functions and classes that read the source of what their callers hand to them.

In: the texts of a distribution, or the syntax trees of a program. Out: the names that such code can
be called by, and the names that a program imports. Both have to meet before a program's own source
is put into a bundle: that code somewhere in a package asks for *some* source proves nothing.

    def tool(function):
        text = inspect.getsource(function)

    class Kernel:
        def __init__(self, function):
            self.text = _read(function)  # which asks for its source

`tool` and `Kernel` are such names. A method that reads is `Class.method`; those that run as the
object is made or called, and decorators in them, count as the class or the function around them.
What happens under a condition only, or as an error is raised, is ignored, unless its result is
what the function returns. Code that takes a line out of what `inspect` tells of its caller's frame
reads that source too.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from rustext.discovery.source_readers import READS, is_guarded, iter_unguarded, last_name
from rustext.environment.python_source import parse_source
from rustext.environment.python_text import iter_imported, resolve

HANDED_ON = 16  # times, at most, from function to function
# https://docs.python.org/3/reference/datamodel.html#basic-customization and #emulating-callables
_OF_THE_CLASS = frozenset({"__init__", "__new__", "__call__", "__post_init__", "__set_name__"})
_CONDITIONS = (ast.If, ast.IfExp, ast.Match, ast.While, ast.ExceptHandler, ast.Raise)
_FILES = frozenset({"getfile", "getsourcefile"})
_OPENS = frozenset({"open", "read_text", "read_bytes"})
_NAME = re.compile(r"\w+")
_EXECUTES = re.compile(r"(?<![\w.])exec\(")
# A class of a module: its name, what is in the parentheses, and its lines.
_CLASS = re.compile(
    r"^class[ \t]+(\w+)\s*(?:\(([^)]{0,2000})\))?\s*:(.*(?:\n(?:[ \t].*)?)*)", re.MULTILINE
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Where the lines of source are in what a function tells of a frame; without source it is None.
# https://docs.python.org/3/library/inspect.html#inspect.getframeinfo
_FRAMES = {"getframeinfo": 3, "stack": 4}
_LINES = "code_context"
_ASKING = READS | {"getframeinfo", "inspect.stack"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def find_takers(texts: Mapping[PurePosixPath, str]) -> dict[PurePosixPath, frozenset[str]]:
    """The names, by file, of what cannot do without the source of something it is handed.

    Code that goes on where there is no source is none of these.
    """
    found: dict[PurePosixPath, frozenset[str]] = {}
    trees: dict[PurePosixPath, _Module] = {}
    fresh: Collection[str] = _ASKING
    steps = HANDED_ON
    while fresh and (steps := steps - 1):
        known = frozenset(name for names in found.values() for name in names)
        before = known
        for file, text in texts.items():
            if file in trees or any(f"{name}(" in text for name in fresh):
                if file not in trees:
                    trees[file] = _Module(_parse(text), file)
                names = trees[file].takers(known, found.get(file, frozenset()))
                if names:
                    found[file] = names
        known = frozenset(name for names in found.values() for name in names)
        fresh = known - before
    return found


def find_read_classes(texts: Mapping[PurePosixPath, str]) -> frozenset[PurePosixPath]:
    """The files with classes whose source file is read as they are made.

    A function opens `inspect.getfile(cls)`, a metaclass calls it, and classes have that metaclass,
    directly or by a base. They are told apart by their names alone.
    """
    readers = {
        node.name
        for text in texts.values()
        if "getfile(" in text
        for node in _parse(text).body
        if isinstance(node, _FUNCTIONS) and _opens_file_of(node)
    }
    if not readers:
        return frozenset()
    calls = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(readers)))})\(")
    rows = [
        (file, found[1], set(_NAME.findall(found[2] or "")), calls.search(found[3]) is not None)
        for file, text in texts.items()
        for found in _CLASS.finditer(text)
    ]
    made = {name for _, name, _, reads in rows if reads}
    while more := {name for _, name, bases, _ in rows if bases & made} - made:
        made |= more
    return frozenset(file for file, name, _, _ in rows if name in made)


def find_remade(
    texts: Mapping[PurePosixPath, str], readers: Iterable[PurePosixPath]
) -> dict[PurePosixPath, tuple[PurePosixPath, ...]]:
    """The files whose functions each of the readers may run in a version of its own.

    A reader asks for the source of what it is handed, and executes what it makes of it. Which
    functions that are is said at run time, in a registry; the files that they are in import the
    part of the top-level package that the reader is in.
    """
    found: dict[PurePosixPath, tuple[PurePosixPath, ...]] = {}
    for reader in readers:
        part = ".".join(reader.with_suffix("").parts[:2])
        if "." in part and _EXECUTES.search(texts[reader]) is not None:
            others = (file for file in texts if file.parts[0] == reader.parts[0])
            found[reader] = tuple(f for f in sorted(others) if _imports(texts[f], f, part))
    return found


def _imports(text: str, file: PurePosixPath, part: str) -> bool:
    """Whether a file that is not in a part of its package imports some of it."""
    names = (".".join(file.with_suffix("").parts), *iter_imported(text, ".".join(file.parts[:-1])))
    inside = [f"{name}.".startswith(f"{part}.") for name in names]
    return not inside[0] and any(inside)


def _opens_file_of(function: Function) -> bool:
    """Whether a function reads the file that something which it is handed is defined in."""
    handed = {a.arg for a in (*function.args.posonlyargs, *function.args.args)}
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    asked = (c.args[0] for c in calls if last_name(c.func) in _FILES and c.args)
    return any(isinstance(a, ast.Name) and a.id in handed for a in asked) and any(
        last_name(call.func) in _OPENS for call in iter_unguarded(function)
    )


def iter_used(trees: Iterable[ast.Module]) -> Iterator[tuple[str, str]]:
    """The names that a program has from modules: the module, and the name in it.

    Those of `from module import name`, and the attributes of what `import module` binds; also each
    attribute that the program asks of anything, with "" for the module.
    """
    for tree in trees:
        bound = dict(_iter_bound(tree))
        yield from (_in_two(origin) for origin in bound.values() if "." in origin)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                yield "", node.attr
                root: ast.expr = node
                while isinstance(root, ast.Attribute):
                    root = root.value
                if isinstance(root, ast.Name) and root.id in bound:
                    yield bound[root.id], node.attr


def _iter_bound(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that import statements bind, and what of: `module`, or `module.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _in_two(origin: str) -> tuple[str, str]:
    module, _, name = origin.rpartition(".")
    return module, name


def _parse(text: str) -> ast.Module:
    with contextlib.suppress(SyntaxError):
        return parse_source(text)
    return ast.Module([], [])  # for another Python: what it reads is not seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What is known at the place of a node."""

    name: str = ""  # of the function, the class or the method that the program would call
    cls: ast.ClassDef | None = None
    this: str = ""  # the first parameter of a method
    handed: frozenset[str] = field(default_factory=frozenset)  # parameters, and what holds them
    guarded: bool = False
    sometimes: bool = False  # under a condition, or while an error is raised


class _Module:
    """The syntax tree of one file, read again as more names become known."""

    def __init__(self, tree: ast.Module, file: PurePosixPath) -> None:
        self._tree = tree
        package = ".".join(file.parts[:-1])
        self._imported: set[str] = set()  # names from modules of the same top-level package
        self._frames: dict[str, int] = {}  # variables with what is told of a frame
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                self._frames |= dict(_iter_frames(node))
            if isinstance(node, ast.ImportFrom):
                origin = resolve("." * node.level + (node.module or ""), package) or ""
                if origin.partition(".")[0] == file.parts[0]:
                    self._imported |= {a.asname or a.name for a in node.names}
        self._known: frozenset[str] = frozenset()
        self._own: frozenset[str] = frozenset()

    def takers(self, known: frozenset[str], own: frozenset[str]) -> frozenset[str]:
        """The names in this file, with the known ones of all files and of this one."""
        self._known, self._own = known, own
        return own | frozenset(self._iter_in(self._tree, _Around()))

    def _iter_in(self, tree: ast.AST, outermost: _Around) -> Iterator[str]:
        waiting = [(child, outermost) for child in ast.iter_child_nodes(tree)]
        while waiting:  # an expression can be nested more deeply than functions can call
            node, around = waiting.pop()
            if isinstance(node, ast.ClassDef) and not around.name and around.cls is None:
                around = _Around(cls=node)
            elif isinstance(node, _FUNCTIONS):
                around = _enter(node, around)
            elif is_guarded(node):
                tried = frozenset(getattr(node, "body", []))
                inner = replace(around, guarded=True)
                waiting += [
                    (child, inner if child in tried else around)
                    for child in ast.iter_child_nodes(node)
                ]
                continue
            elif isinstance(node, _CONDITIONS):
                around = replace(around, sometimes=True)
            elif isinstance(node, ast.Return):
                around = replace(around, sometimes=False)
            elif self._takes(node, around):
                yield around.name
            waiting += [(child, around) for child in ast.iter_child_nodes(node)]

    def _takes(self, node: ast.AST, around: _Around) -> bool:
        """Whether an expression surely reads the source of what was handed in, or hands it on."""
        if not around.name or around.guarded or around.sometimes:
            return False
        if isinstance(node, ast.Subscript):
            return self._is_lines(node.value)
        if not isinstance(node, ast.Call):
            return False
        reads = node.args and last_name(node.func) in READS
        return _mentions(node.args[:1], around) if reads else self._passes(node, around)

    def _is_lines(self, node: ast.expr) -> bool:
        """Whether an expression is the lines of source in what is told of a frame."""
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return self._frames.get(last_name(node.value)) == node.slice.value
        named = isinstance(node, ast.Attribute) and node.attr == _LINES
        return named and last_name(node.value) in self._frames  # type: ignore[attr-defined]

    def _passes(self, call: ast.Call, around: _Around) -> bool:
        """Whether a call hands what it was handed to code that reads the source of it."""
        function, cls = call.func, around.cls
        if isinstance(function, ast.Name):
            name = function.id
            known = name in self._own or (name in self._imported and name in self._known)
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            if cls is not None and function.value.id == around.this:
                return f"{cls.name}.{function.attr}" in self._own
            known = function.value.id in self._imported and function.attr in self._known
        else:
            known = (
                isinstance(function, ast.Attribute)
                and function.attr in _OF_THE_CLASS
                and isinstance(function.value, ast.Call)
                and last_name(function.value.func) == "super"
                and cls is not None
                and any(last_name(base) in self._known for base in cls.bases)
            )
        handed = (*call.args, *(keyword.value for keyword in call.keywords))
        return known and _mentions(handed, replace(around, this=""))


def _iter_frames(node: ast.Assign) -> Iterator[tuple[str, int]]:
    """The variables that get what `getframeinfo(frame)` or `stack()[1]` tells."""
    told = node.value.value if isinstance(node.value, ast.Subscript) else node.value
    place = _FRAMES.get(last_name(told.func)) if isinstance(told, ast.Call) else None
    if place is not None:
        yield from ((last_name(target), place) for target in node.targets)


def _enter(function: Function, around: _Around) -> _Around:
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    if around.name:  # a function in another
        handed = around.handed | frozenset(names)
        inner = replace(around, handed=handed, guarded=False, sometimes=False)
    elif around.cls is not None:
        cls = around.cls.name
        name = cls if function.name in _OF_THE_CLASS else f"{cls}.{function.name}"
        static = any(last_name(d) == "staticmethod" for d in function.decorator_list)
        this, rest = ("", names) if static or not names else (names[0], names[1:])
        inner = _Around(name=name, cls=around.cls, this=this, handed=frozenset(rest))
    else:
        inner = _Around(name=function.name, handed=frozenset(names))
    for node in ast.walk(function):  # what is made of a parameter, in the order of the lines
        if isinstance(node, ast.Assign) and _mentions([node.value], replace(inner, this="")):
            targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
            inner = replace(inner, handed=inner.handed | targets)
    return inner


def _mentions(nodes: Iterable[ast.AST], around: _Around) -> bool:
    """Whether expressions hold something that was handed in, or that the object holds."""
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Name) and node.id in around.handed:
            return True
        own = node.value if isinstance(node, ast.Attribute) and around.this else None
        if isinstance(own, ast.Name) and own.id == around.this:
            return True
    return False
