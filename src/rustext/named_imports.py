"""Modules that a Rust distribution's Python code imports by a name that it hands to a function.

In: a distribution. Out: each such name, with the file and the function. `import_module(name)` says
nothing to a freezer that follows imports; what says it is the call of the function around it:

    def require(name):
        return importlib.import_module(name)

    require("pyarrow")
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from rustext.distributions import Distribution
from rustext.knowledge import read_data
from rustext.model import Evidence, EvidenceKind
from rustext.python_source import iter_texts

_IMPORTS = re.compile(r"\b(?:import_module|__import__)\s*\(\s*(\w+)\s*[,)]")
# A function's name and its first parameter; that of a method is the one after the object.
_FUNCTION = re.compile(
    r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)\s*\(\s*(?:(?:self|cls)\s*,\s*)?(\w+)", re.MULTILINE
)


def find_named_imports(dist: Distribution) -> tuple[tuple[str, Evidence], ...]:
    """The names that the Python code of `dist` imports through functions of its own, in order.

    Whether they can be imported is not looked at.
    """
    passed_over = frozenset(read_data("companions")["not_data_folders"])
    texts = {f: text for f, text in iter_texts(dist) if passed_over.isdisjoint(f.parts)}
    importers = {name: what for text in texts.values() for name, what in _iter_importers(text)}
    return tuple(_iter_calls(texts, importers)) if importers else ()


def _iter_importers(text: str) -> Iterator[tuple[str, str]]:
    """The functions that import what their first parameter names, each with that parameter."""
    if _IMPORTS.search(text):
        defined = list(_FUNCTION.finditer(text))
        bounds = [*(function.start() for function in defined), len(text)]
        for function, end in zip(defined, bounds[1:], strict=True):
            name, parameter = function.groups()
            if parameter in _IMPORTS.findall(text, function.end(), end):
                yield name, parameter


def _iter_calls(
    texts: Mapping[PurePosixPath, str], importers: Mapping[str, str]
) -> Iterator[tuple[str, Evidence]]:
    calls = "|".join(
        rf"{name}\s*\(\s*(?:{parameter}\s*=\s*)?" for name, parameter in sorted(importers.items())
    )
    call = re.compile(rf"""\b(?:{calls})["']([A-Za-z_][\w.]*)["']""")
    for file, text in sorted(texts.items()):
        for found in call.finditer(text):
            detail = f'{found[0].partition("(")[0].rstrip()}("{found[1]}")'
            yield found[1], Evidence(kind=EvidenceKind.PYTHON_CALL, where=str(file), detail=detail)
