"""Code that reads Python source at run time, or that starts the interpreter again.

In: the syntax tree of a module. Out: the modules whose source it asks for, and the ways in which it
starts `sys.executable`. In a frozen program there is no source unless somebody adds it, and
`sys.executable` is the program itself
(https://docs.python.org/3/library/inspect.html#retrieving-source-code,
https://pyinstaller.org/en/stable/common-issues-and-pitfalls.html).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rustext.discovery.import_sites import resolve
from rustext.model.sources import HOLE

_READS = frozenset({"getsource", "getsourcelines", "findsource"})
_RUNS = frozenset({"spec_from_file_location", "run_path"})
_ERRORS = frozenset({"OSError", "IOError", "EnvironmentError", "Exception", "BaseException"})
_OPTIONS = frozenset({"-m", "-c"})


def iter_read_sources(tree: ast.Module, package: str, *, runs_main: bool = False) -> Iterator[str]:
    """The modules whose source the module cannot do without, each once or more.

    `module:name` for what is imported from a module; "" for the module's own; a `HOLE` for objects
    that callers hand in. Code that goes on without the source (`except OSError`) says nothing.
    `package` is the one that the module is in, or is. With `runs_main`, the module has to do with
    the file of `__main__`: where it runs a file, that of the program may be meant.
    """
    origins = dict(_iter_origins(tree, package))
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, guarded = waiting.pop()
        if isinstance(node, ast.Try):
            inner = guarded or any(_catches(handler) for handler in node.handlers)
            waiting += [(child, inner) for child in node.body]
            rest = (*node.handlers, *node.orelse, *node.finalbody)
            waiting += [(child, guarded) for child in rest]
            continue
        if isinstance(node, ast.With):
            guarded = guarded or any(_suppresses(item.context_expr) for item in node.items)
        if isinstance(node, ast.Call) and node.args and _last_name(node.func) in _READS:
            root: ast.AST = node.args[0]
            while isinstance(root, ast.Attribute):
                root = root.value
            name = root.id if isinstance(root, ast.Name) else ""
            if not guarded:
                yield origins.get(name, HOLE)
        if runs_main and isinstance(node, ast.Call) and _last_name(node.func) in _RUNS:
            yield HOLE
        waiting += [(child, guarded) for child in ast.iter_child_nodes(node)]


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler goes on where there is no source: it is an `OSError`."""
    if handler.type is None:
        return not _raises(handler)
    names = {_last_name(n) for n in ast.walk(handler.type) if isinstance(n, ast.expr)}
    return not _ERRORS.isdisjoint(names) and not _raises(handler)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def _suppresses(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and _last_name(node.func) == "suppress"
        and not _ERRORS.isdisjoint(map(_last_name, node.args))
    )


def iter_python_starts(tree: ast.Module) -> Iterator[str]:
    """How the module starts Python: `-m MODULE`, `-c`, or `script`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts and _is_python(node.elts[0]):
            words = [e.value if isinstance(e, ast.Constant) else None for e in node.elts[1:]]
            option = next((w for w in words if w in _OPTIONS), None)
            if option == "-m":
                place = words.index("-m") + 1
                module = words[place] if place < len(words) else None
                yield f"-m {module if isinstance(module, str) else HOLE}"
            else:
                yield option or "script"


def _is_python(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "executable"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    )


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


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
