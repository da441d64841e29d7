"""Note what of a module that a program's start gets to cannot be followed.

In: the `Code` of a module. Out: entries of a `Start`: names that it computes, resources of packages
whose names are completed, functions that load classes by paths which they get, metadata that it may
ask for, folders whose files it may run or import, and functions that read source of what they are
handed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator

from rustext.discovery.source_readers import READS
from rustext.formats.marshal_reader import Code
from rustext.verify.bundle.program import Freezer
from rustext.verify.bytecode.code_store import Module
from rustext.verify.bytecode.computed_imports import iter_called
from rustext.verify.bytecode.instructions import (
    decode,
    find_table,
    is_constant,
    iter_texts,
    load_constant,
    name_of,
)
from rustext.verify.bytecode.module_code import Import, iter_loaded, iter_mentioned
from rustext.verify.bytecode.named_paths import (
    COMPUTES,
    LISTS,
    find_completed_packages,
    imports_listed,
    may_import_listed,
    searches_all,
)
from rustext.verify.bytecode.opened_names import may_open
from rustext.verify.facts.python.program_starts import Start

# A class path, after its module; the last are for both parts.
_CUTS = ({"rsplit"}, {"rpartition"}, {"split", "join"})
_FINDS = COMPUTES | {"iter_modules"}
_RUNS = frozenset({"exec_module", "load_module", "run_path"})
# What goes on without the source of what it is handed names one of these, or catches anything.
_FAILURES = frozenset({"OSError", "IOError", "EnvironmentError", "Exception", "TypeError"})
_MODULES = frozenset({"importlib.metadata", "importlib_metadata", "pkg_resources"})
_LAST_PARTS = frozenset(name.rpartition(".")[2] for name in _MODULES)
# https://docs.python.org/3/library/importlib.metadata.html, and the errors where there is none
_CALLS = frozenset({"version", "distribution", "requires", "get_distribution"})
_HANDLED = frozenset({"PackageNotFoundError", "DistributionNotFound", "ImportError", "Exception"})


Find = Callable[[Import], Code | None]


def note_limits(
    start: Start,
    module: Module,
    code: Code,
    python: tuple[int, int],
    packages: Collection[str],
    find: Find,
) -> tuple[Import, ...]:
    """Note the limits of one module; `find` gives the code of what an import names.

    Returns what it may import by calls whose names it spells out.
    """
    name = module.name
    called: tuple[Import, ...] = ()
    top = name.partition(".")[0]
    words = {word for piece in code.iter_nested() for word in piece.names}
    start.completed |= find_completed_packages(code) & frozenset(packages)
    if not COMPUTES.isdisjoint(code.names) and not COMPUTES.isdisjoint(iter_loaded(code, python)):
        called = tuple(_note_called(start, module, code, python))
    if top not in sys.stdlib_module_names and not _FINDS.isdisjoint(words):
        start.loads_classes += [f"{name}.{p.name}" for p in code.iter_nested() if _loads_class(p)]
        note_listed(start, name, code, python)
    if not LISTS.isdisjoint(words) and not _RUNS.isdisjoint(words):
        start.runs_files |= {top}
    if top not in sys.stdlib_module_names and not READS.isdisjoint(words):
        for piece in code.iter_nested():
            goes_on = piece.exceptions or not _FAILURES.isdisjoint(piece.names)
            if not READS.isdisjoint(piece.names) and not goes_on:
                start.reads_source.append(f"{name}.{piece.name}")
    if not _CALLS.isdisjoint(words) and _HANDLED.isdisjoint(words):
        inside = start.program.freezer is Freezer.NUITKA  # has what is spelled out in the program
        spelled, listed = _find_asked(code, python, find)
        for text in listed if inside else spelled | listed:
            package = text.lower().replace("-", "_")
            own = package == top and text not in spelled
            if package in packages and package not in sys.stdlib_module_names and not own:
                start.asked.append((name, text))
    return called


def _note_called(
    start: Start, module: Module, code: Code, python: tuple[int, int]
) -> Iterator[Import]:
    package = module.name if module.package else module.name.rpartition(".")[0]
    called = list(iter_called(code, python, module.name, package))
    told = tuple(sorted({name for names in called for name in names}))
    start.computed.append((module.name, told if all(called) else ()))
    for name in told:
        yield Import(module=name, level=0, names=(), certain=True, caught=True)


def may_matter(data: bytes) -> bool:
    """Whether the stored code of a module may open libraries, or import what it lists."""
    return may_open(data) or may_import_listed(data)


def note_listed(start: Start, name: str, code: Code, python: tuple[int, int]) -> None:
    """Note the functions of a module that import what is in a folder, or in a package, they get.

    Likewise those that look through all modules.
    """
    if name.partition(".")[0] not in sys.stdlib_module_names:
        functions = (piece.name for piece in code.iter_nested() if imports_listed(piece, python))
        start.imports_listed += [f"{name}.{function}" for function in functions]
        functions = (piece.name for piece in code.iter_nested() if searches_all(piece, python))
        start.searches += [f"{name}.{function}" for function in functions]


def _loads_class(piece: Code) -> bool:
    """Whether a function imports the first part of a path, takes the last, and must have both."""
    words = {*piece.names}
    computes = not COMPUTES.isdisjoint(words) and any(cut <= words for cut in _CUTS)
    return computes and "getattr" in words and not piece.exceptions


def _find_asked(
    code: Code, python: tuple[int, int], find: Find
) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a module asks the metadata of, and the texts that it may take names from.

    These are its own and those of tables that it imports.
    """
    imports = tuple(iter_mentioned(code, python))
    asked = {f"{one.module}.{name}" for one in imports for name in one.names}
    if _MODULES.isdisjoint(asked | {one.module for one in imports}):
        return frozenset(), frozenset()
    questions = frozenset(_iter_questions(code, python))
    spelled = frozenset(text for text in questions if text is not None)
    if None not in questions:
        return spelled, frozenset()
    tables = [find(one) for one in imports if any(name.isupper() for name in one.names)]
    pieces = (nested for piece in (code, *filter(None, tables)) for nested in piece.iter_nested())
    return spelled, frozenset(t for piece in pieces for t in iter_texts(piece.constants))


def _iter_questions(code: Code, python: tuple[int, int]) -> Iterator[str | None]:
    """What each call asks for that reads metadata; None for anything but a literal."""
    table = find_table(python)
    for piece in code.iter_nested():
        steps = [s for s in decode(piece.code, table) if s[1] not in table["before_call"]]
        words = [name_of(piece, table, step) for step in steps]
        for i, step in enumerate(steps[:-1]):
            plain = step[1] in (table["load_name"], table["load_global"])
            if words[i] in _CALLS and (plain or words[i - 1] in _LAST_PARTS):
                text = load_constant(piece, table, steps, i + 1)
                if isinstance(text, str) or not is_constant(table, steps[i + 1]):
                    yield text
