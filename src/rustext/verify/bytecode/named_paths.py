"""Find the paths and packages that the code of a module names, however it uses them.

In: the `Code` of a module. Out: names out of its constants.
"""

from __future__ import annotations

import re
from collections.abc import Container

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.opened_names import DATA_NAME

# What takes `..` out of a path before the system sees it.
_NORMALIZES = frozenset({"abspath", "normpath", "realpath", "resolve"})
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
