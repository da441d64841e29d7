"""Modules that a distribution's Python code imports by calls that not every freezer can read.

In: a distribution and its environment. Out: each such name, with the file and its words. A name may
be spelled out (which Nuitka reads, and PyInstaller does not), be handed to a function that imports
it, be completed at run time, or stand in a table of what is imported when somebody asks for it
(https://peps.python.org/pep-0562/):

    importlib.import_module(".writer", __package__)

    def require(name):
        return importlib.import_module(name)

    require("table_library")
    importlib.import_module(f"dictionary_{kind}")
    TABLE = {"Reader": ("package.reader", "Reader"), "Writer": (".writer", "Writer")}
    importlib.import_module(TABLE[name][0], __name__)
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import resolve_name
from pathlib import PurePosixPath

from rustext.data import read_data
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.environment.python_source import iter_texts
from rustext.model.evidence import Evidence, EvidenceKind

_WORDS = ("import_module", "__import__", "find_spec")
_NOT_IN_NAME = r"(?<![^\W_])(?<!def )"  # after `_` as well
_IMPORT = rf"{_NOT_IN_NAME}(?:import_module|__import__)\s*\(\s*(?:name\s*=\s*)?"
_CALL = rf"{_NOT_IN_NAME}(?:import_module|__import__|find_spec)\s*\(\s*"  # or looked for
_IMPORTS = re.compile(rf"{_CALL}(\w+)\s*[,)]")
_SPELLED = re.compile(rf"""{_IMPORT}["'](\.*[A-Za-z_][\w.]*)["']""")
_COMPUTED = re.compile(rf"{_IMPORT}[A-Za-z_][\w.]*\s*[\[(,)]")
_WHOLE = re.compile(r"""["']([A-Za-z_]\w*(?:\.\w+){1,9})["']""")
_RELATIVE = re.compile(r"""["']\.([A-Za-z_]\w*(?:\.\w+){0,9})["']""")
# The beginning of a name, if it ends with a word, and what follows on the part that is computed.
_COMPLETES = re.compile(rf"""{_CALL}f["']([A-Za-z_][\w.]*[._])\{{[^}}"']+\}}([\w.]*)["']""")
_LINE = 200  # characters before a match that are looked at
_NOT_FOR_IMPORT = frozenset({"__init__", "__main__"})  # parts of names
# A function's name and its first parameter; that of a method is the one after the object.
_FUNCTION = re.compile(
    r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)\s*\(\s*(?:(?:self|cls)\s*,\s*)?(\w+)", re.MULTILINE
)


def find_named_imports(
    dist: Distribution, env: Environment, *, completed: bool = True
) -> tuple[tuple[str, Evidence], ...]:
    """The names that the Python code of `dist` imports in such a way.

    A beginning stands for all modules of the environment that it could become, each with what
    follows; without `completed`, beginnings are left alone. Names in tables are those of modules
    that are there; whether the others can be imported is not looked at.
    """
    texts = dict(iter_texts(dist, but=read_data("companions")["not_data_folders"]))
    importing = {f: text for f, text in texts.items() if any(word in text for word in _WORDS)}
    importers = {name: what for t in importing.values() for name, what in _iter_importers(t)}
    return (
        *_iter_spelled(importing),
        *(_iter_calls(texts, importers) if importers else ()),
        *_iter_tables(texts, importing, dist, env),
        *(_iter_completed(importing, env) if completed else ()),
    )


def _iter_spelled(texts: Mapping[PurePosixPath, str]) -> Iterator[tuple[str, Evidence]]:
    """The names in the calls themselves; relative ones count from the package of the file."""
    for file, text in sorted(texts.items()):
        for name in sorted({found[1] for found in _iter_code(_SPELLED, text)}):
            with contextlib.suppress(ImportError):  # beyond the top-level package
                detail = f'import_module("{name}")'
                yield (
                    resolve_name(name, ".".join(file.parts[:-1])),
                    Evidence(kind=EvidenceKind.PYTHON_NAME, where=str(file), detail=detail),
                )


def _iter_matches(
    pattern: re.Pattern[str],
    text: str,
    start: int = 0,
    end: int = sys.maxsize,
    *,
    words: Iterable[str] = _WORDS,
) -> Iterator[re.Match[str]]:
    """The matches of a pattern that begins with one of the words, by word; they may overlap.

    A search by the pattern takes longer, by far.
    """
    for word in words:
        place = text.find(word, start, end)
        while place >= 0:
            found = pattern.match(text, place, end)
            if found is not None:
                yield found
            place = text.find(word, place + 1, end)


def _iter_code(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern for calls that no comment sign is in front of."""
    for found in _iter_matches(pattern, text):
        before = text[max(found.start() - _LINE, 0) : found.start()]
        if "#" not in before.rpartition("\n")[2]:
            yield found


def _iter_importers(text: str) -> Iterator[tuple[str, str]]:
    """The functions that import what their first parameter names, each with that parameter."""
    if any(_iter_matches(_IMPORTS, text)):
        defined = list(_FUNCTION.finditer(text))
        bounds = [*(function.start() for function in defined), len(text)]
        for function, end in zip(defined, bounds[1:], strict=True):
            name, parameter = function.groups()
            calls = _iter_matches(_IMPORTS, text, function.end(), end)
            if any(call[1] == parameter for call in calls):
                yield name, parameter


def _iter_calls(
    texts: Mapping[PurePosixPath, str], importers: Mapping[str, str]
) -> Iterator[tuple[str, Evidence]]:
    calls = "|".join(
        rf"{name}\s*\(\s*(?:{parameter}\s*=\s*)?" for name, parameter in sorted(importers.items())
    )
    call = re.compile(rf"""(?<!\w)(?:{calls})["']([A-Za-z_][\w.]*)["']""")
    for file, text in sorted(texts.items()):
        places = {found.start(): found for found in _iter_matches(call, text, words=importers)}
        for _, found in sorted(places.items()):
            detail = f'{found[0].partition("(")[0].rstrip()}("{found[1]}")'
            yield found[1], Evidence(kind=EvidenceKind.PYTHON_CALL, where=str(file), detail=detail)


def _iter_tables(
    texts: Mapping[PurePosixPath, str],
    importing: Mapping[PurePosixPath, str],
    dist: Distribution,
    env: Environment,
) -> Iterator[tuple[str, Evidence]]:
    """The modules of `dist` whose names stand in code that imports by computed names.

    A whole name may stand in any file of the package that the import is in, a relative one beside
    the import.
    """
    computed = {f for f, text in importing.items() if any(_iter_code(_COMPUTED, text))}
    if not computed:
        return
    packages = {file.parent for file in computed}
    no_part = _NOT_FOR_IMPORT.union(read_data("companions")["not_data_folders"])
    tops = {file.parts[0] for file in texts}
    openings = [f"{quote}{top}." for quote in "\"'" for top in tops]
    for file, text in sorted(texts.items()):
        if packages.isdisjoint(file.parents):
            continue
        found = (match[1] for match in _iter_matches(_WHOLE, text, words=openings))
        names = {(name, name) for name in found}
        if file in computed and len(file.parts) > 1:
            package = ".".join(file.parts[:-1])
            names |= {(f"{package}.{name}", f".{name}") for name in _RELATIVE.findall(text)}
        own = ".".join(file.with_suffix("").parts)
        for name, literal in sorted(names):
            there = f"{own}.".startswith(f"{name}.")  # this file, or a package that it is in
            module = env.find_module(name) if no_part.isdisjoint(name.split(".")) else None
            if module is not None and module.distribution == dist.name and not there:
                detail = f'"{literal}" stands where names are imported'
                yield name, Evidence(kind=EvidenceKind.PYTHON_NAME, where=str(file), detail=detail)


def _iter_completed(
    texts: Mapping[PurePosixPath, str], env: Environment
) -> Iterator[tuple[str, Evidence]]:
    for file, text in sorted(texts.items()):
        parts = {found.groups() for found in _iter_matches(_COMPLETES, text)}
        for beginning, rest in sorted(parts):
            package = beginning.rpartition(".")[0]
            names = env.modules_in(package) if package else env.top_level
            detail = f"completes `{beginning}{{…}}{rest}`"
            for name in sorted(n for n in names if n.startswith(beginning)):
                yield (
                    f"{name}{rest}",
                    Evidence(kind=EvidenceKind.PYTHON_CALL, where=str(file), detail=detail),
                )
