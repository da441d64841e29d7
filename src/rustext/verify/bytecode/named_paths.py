"""Find the paths and packages that the code of a module names, and folders that it imports from.

In: the `Code` of a module. Out: names out of its constants.
"""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import pairwise

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.instructions import decode, find_table, name_of
from rustext.verify.bytecode.sought_files import DATA_NAME

# What takes `..` out of a path before the system sees it.
_NORMALIZES = frozenset({"abspath", "normpath", "realpath", "resolve"})
COMPUTES = frozenset({"import_module", "__import__"})
LISTS = frozenset({"walk", "glob", "iglob", "rglob", "listdir", "iterdir", "scandir"})
_LISTS_MODULES = frozenset({"iter_modules", "walk_packages"})
_LISTS_ANY = LISTS | _LISTS_MODULES
_ADDS = frozenset({"append", "extend", "insert"})
_OPTIMIZED = 0x1  # inspect.CO_OPTIMIZED: of functions, and not of modules and classes
_RESOURCES = "files"  # of `importlib.resources`
_BEGINNING = re.compile(r"(?:[A-Za-z_]\w*\.)+")  # of a package's name
_PACKAGE_PATH = re.compile(rf"(\w+)/(?:[\w.-]+/)*({DATA_NAME.pattern})")


def climbs(code: Code) -> bool:
    """Whether a module hands the system paths that go through its own folder and up again."""
    return any(
        "__file__" in piece.names
        and _NORMALIZES.isdisjoint(piece.names)
        and any(isinstance(c, str) and c.startswith("..") for c in piece.constants)
        for piece in code.iter_nested()
    )


def find_completed_packages(code: Code) -> frozenset[str]:
    """The packages below which a module asks for resources, by names that it completes."""
    pieces = tuple(code.iter_nested())
    if not any(_RESOURCES in piece.names for piece in pieces):
        return frozenset()
    texts = (text for piece in pieces for text in piece.constants if isinstance(text, str))
    return frozenset(text.removesuffix(".") for text in texts if _BEGINNING.fullmatch(text))


def find_package_paths(code: Code, packages: Container[str]) -> frozenset[str]:
    """The names of files that a module names by a path from one of the packages on."""
    texts = (text for piece in code.iter_nested() for text in piece.constants)
    found = (_PACKAGE_PATH.fullmatch(text) for text in texts if isinstance(text, str))
    return frozenset(path[2] for path in found if path and path[1] in packages)


def may_import_listed(data: bytes) -> bool:
    """Whether the stored code of a module may import what it lists; errs on one side."""
    return all(any(word.encode() in data for word in words) for words in (COMPUTES, _LISTS_ANY))


def imports_listed(piece: Code, python: tuple[int, int]) -> bool:
    """Whether a function lists what is in a folder or a package that it is handed, and imports it.

    A folder is put on the path for that, or has files whose names end in `.py`; of a package, the
    function has the module.
    """
    words = {word for inner in piece.iter_nested() for word in inner.names}
    if not piece.flags & _OPTIMIZED or COMPUTES.isdisjoint(words):
        return False
    texts = (text for inner in piece.iter_nested() for text in inner.constants)
    of_python = any(isinstance(text, str) and text.find(".py") >= 0 for text in texts)
    adds = "path" in words and not _ADDS.isdisjoint(words)
    folder = not LISTS.isdisjoint(words) and (adds or of_python)
    return folder or (not _LISTS_MODULES.isdisjoint(words) and _has_path_of_local(piece, python))


def searches_all(piece: Code, python: tuple[int, int]) -> bool:
    """Whether a function lists all modules that can be imported, as `iter_modules()` does."""
    if "iter_modules" not in piece.names:
        return False
    table = find_table(python)
    quiet = {*table["before_call"], table.get("push_null")}
    steps = [step for step in decode(piece.code, table) if step[1] not in quiet]
    calls = {table["call"], table.get("call_method")}
    return any(
        name_of(piece, table, one) == "iter_modules" and other[1] in calls and other[2] == 0
        for one, other in pairwise(steps)
    )


def _has_path_of_local(piece: Code, python: tuple[int, int]) -> bool:
    """Whether `module.__path__` is asked of a variable of the function."""
    table = find_table(python)
    names = [name_of(piece, table, step) for step in decode(piece.code, table)]
    return any(name == "__path__" and before is None for before, name in pairwise(names))
