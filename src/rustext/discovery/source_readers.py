"""Code that reads Python source at run time, or that starts the interpreter again.

In: the syntax tree of a module. Out: the modules whose source it asks for, and the ways in which it
starts `sys.executable`. In a frozen program there is no source unless somebody adds it, and
`sys.executable` is the program itself
(https://docs.python.org/3/library/inspect.html#retrieving-source-code,
https://pyinstaller.org/en/stable/common-issues-and-pitfalls.html).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping

from rustext.environment.python_scopes import Function, Scope, function_scope
from rustext.environment.python_text import resolve
from rustext.model.sources import HOLE

READS = frozenset({"getsource", "getsourcelines", "findsource"})
_RUNS = frozenset({"spec_from_file_location", "run_path"})
_ERRORS = frozenset({"OSError", "IOError", "EnvironmentError", "Exception", "BaseException"})
_OPENS = frozenset({"open", "read_text", "read_bytes"})
_MODULES = frozenset({"io", "codecs", "tokenize", "builtins"})  # which have a function `open`
_SAME_FILE = frozenset({"Path", "PurePath", "str", "fspath", "abspath", "realpath", "resolve"})
_WORDS = ("getsource", "findsource", *sorted(_RUNS))
# `open(module.__file__)`, or a path that is made of it and nothing else.
_OPENS_CODE = re.compile(
    r"\b(?:open|\w*Path|str|fspath|\w+path)\s*\(\s*[\w.]*__file__\s*[,)]|=\s*[\w.]+\.__file__$",
    re.MULTILINE,
)
_OPTIONS = frozenset({"-m", "-c"})


def may_read_sources(text: str) -> bool:
    """Whether a module's text is worth parsing: most that name a file only want its folder."""
    if any(word in text for word in _WORDS):
        return True
    opens = "__file__" in text and any(f"{name}(" in text for name in _OPENS)
    return opens and _OPENS_CODE.search(text) is not None


def iter_read_sources(tree: ast.Module, package: str) -> Iterator[str]:
    """The modules whose source the module cannot do without, each once or more.

    `module:name` for what is imported from a module; "" for the module's own; a `HOLE` for objects
    that callers hand in. Code that goes on without the source (`except OSError`) says nothing.
    `package` is the one that the module is in, or is.
    """
    origins = dict(_iter_origins(tree, package))
    files = dict(_iter_file_names(tree))
    for call in iter_unguarded(tree):
        opened = _opened(call)
        module = None if opened is None else _module_of_file(opened, files)
        found = None if module is None else _resolve_name(module, origins)
        if found is not None:
            yield found
        if call.args and last_name(call.func) in READS:
            root: ast.AST = call.args[0]
            while isinstance(root, ast.Attribute):
                root = root.value
            yield origins.get(root.id if isinstance(root, ast.Name) else "", HOLE)


def _resolve_name(dotted: str, origins: Mapping[str, str]) -> str | None:
    """What a dotted name of the module's text means; "" is the module itself."""
    top, _, rest = dotted.partition(".")
    origin = origins.get(top) if dotted else ""
    if not rest or origin is None:
        return origin
    bound_as_top = origin.partition(".")[0] == top  # `import a.b` binds `a`
    return dotted if bound_as_top else f"{origin.replace(':', '.')}.{rest}"


def _opened(call: ast.Call) -> ast.expr | None:
    """What a call opens to read it: `open(x)`, `x.open()`, `x.read_text()`, `x.read_bytes()`."""
    function = last_name(call.func)
    if function not in _OPENS:
        return None
    of_path = isinstance(call.func, ast.Attribute) and last_name(call.func.value) not in _MODULES
    if of_path and isinstance(call.func, ast.Attribute):
        return call.func.value
    return call.args[0] if call.args and function == "open" else None


def _module_of_file(node: ast.expr, files: Mapping[str, str]) -> str | None:
    """The name of a module whose file an expression is: `Path(m.__file__)`; "" for its own."""
    while isinstance(node, ast.Call) and last_name(node.func) in _SAME_FILE:
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        node = node.args[0] if node.args else inner or node.func
    if isinstance(node, ast.Attribute) and node.attr == "__file__":
        return dotted_name(node.value) or None
    if isinstance(node, ast.Name):
        return "" if node.id == "__file__" else files.get(node.id)
    return None


def _iter_file_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The variables that hold the file of a module, each with the module's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            module = _module_of_file(node.value, {})
            if module is not None:
                yield from ((last_name(target), module) for target in node.targets)


def runs_main(tree: ast.Module) -> bool:
    """Whether the module runs the file of the program's first module again, whatever happens.

    `spec_from_file_location(name, main.__file__)` and `run_path(main.__file__)` with
    `main = sys.modules["__main__"]`.
    """
    mains = {
        last_name(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _names_main(node.value)
        for target in node.targets
    }
    files = (
        inner
        for call in iter_unguarded(tree)
        if last_name(call.func) in _RUNS
        for node in (*call.args, *(keyword.value for keyword in call.keywords))
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and inner.attr == "__file__"
    )
    return any(_names_main(file) or last_name(file.value) in mains for file in files)


def _text(node: ast.AST) -> str | None:
    """The value of a string literal; to compare one of bytes with text is an error with `-bb`."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def _names_main(node: ast.AST) -> bool:
    """Whether an expression is, or is out of, `sys.modules["__main__"]` or `import __main__`."""
    return any(
        _text(inner) == "__main__" or (isinstance(inner, ast.Name) and inner.id == "__main__")
        for inner in ast.walk(node)
    )


def iter_unguarded(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls in a module, or a part of one, whose failure ends it."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        passed_over = frozenset(node.body if is_guarded(node) else ())  # type: ignore[attr-defined]
        waiting += [child for child in ast.iter_child_nodes(node) if child not in passed_over]
        if isinstance(node, ast.Call):
            yield node


def is_guarded(node: ast.AST) -> bool:
    """Whether the program goes on where the statements in the body find no source."""
    if isinstance(node, ast.Try):
        return any(_catches(handler) for handler in node.handlers)
    return isinstance(node, ast.With) and any(_suppresses(i.context_expr) for i in node.items)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler goes on where there is no source: it is an `OSError`."""
    if handler.type is None:
        return not _raises(handler)
    names = {last_name(n) for n in ast.walk(handler.type) if isinstance(n, ast.expr)}
    return not _ERRORS.isdisjoint(names) and not _raises(handler)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def _suppresses(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and last_name(node.func) == "suppress"
        and not _ERRORS.isdisjoint(map(last_name, node.args))
    )


def iter_python_starts(tree: ast.Module) -> Iterator[str]:
    """How the module starts Python: `-m MODULE`, `-c`, or `script`."""
    names, defaults = _names_of_python(tree), _defaults(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts and _is_in(node.elts[0], names):
            words = [_text(e) or defaults.get(last_name(e)) for e in node.elts[1:]]
            option = next((w for w in words if w in _OPTIONS), None)
            if option == "-m":
                place = words.index("-m") + 1
                module = words[place] if place < len(words) else None
                yield f"-m {HOLE if module is None else module}"
            else:
                yield option or "script"


def _defaults(tree: ast.Module) -> dict[str, str]:
    """The texts that parameters of a module's functions have where nothing is handed over."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            for name, value in function_scope(node, Scope(name="", outer=None)).defaults.items():
                text = _text(value)
                if text is not None:
                    found.setdefault(name, text)
    return found


def _names_of_python(tree: ast.Module) -> frozenset[str]:
    """The variables and attributes that a module sets to `sys.executable`, by their last names."""
    bound = [
        (last_name(target), value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for value in (node.value.values if isinstance(node.value, ast.BoolOp) else [node.value])
    ]
    names: set[str] = set()
    while new := {name for name, value in bound if name and _is_in(value, names)} - names:
        names |= new
    return frozenset(names)


def _is_in(node: ast.expr, names: Collection[str]) -> bool:
    """Whether an expression is `sys.executable`, or what is set to it."""
    of_sys = isinstance(node, ast.Attribute) and last_name(node.value) == "sys"
    return (of_sys and last_name(node) == "executable") or last_name(node) in names


def _iter_origins(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """The names that import statements bind, each with the module that it comes from.

    `from a import b` may mean the module `a.b`, or what `a` holds: both are told, the latter last.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = resolve("." * node.level + (node.module or ""), package)
            for alias in node.names if origin else ():
                yield alias.asname or alias.name, f"{origin}:{alias.name}"
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, ""


def last_name(node: ast.AST) -> str:
    """The name that an expression ends in: `c` of `a.b.c`; "" for others than names."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def dotted_name(node: ast.expr) -> str:
    """All of the name `a.b.c`; "" for what is no name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""
