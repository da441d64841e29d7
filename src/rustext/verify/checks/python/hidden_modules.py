"""Find the modules that another file of their name hides from Python.

In: a `Subject`. Out: the finding `missing-import` about files that Python takes first. A folder's
packages come before its extension modules, and these before other modules (FileFinder of
Lib/importlib/_bootstrap_external.py). PyInstaller's programs look into `base_library.zip`, then
into the folder of the standard library's extensions, then into their archive, and then into the
folder of their contents (bootloader/src/pyi_pythonlib.c, PyInstaller/loader/pyimod02_importers.py).
Nuitka's programs find what is in their table before any file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from rustext.discovery.extension_suffixes import split_suffix
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.python_suffixes import choose_looked_for
from rustext.verify.subject import Subject


class _Place(IntEnum):
    """Where PyInstaller's programs look for modules, in their order."""

    LIBRARY = 0  # the zip file, or a folder of its name
    EXTENSIONS = 1
    CONTENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A module that is no extension: a file, or a member of a zip file."""

    name: str
    path: Path
    package: bool


def check_hidden(subject: Subject) -> Iterator[Finding]:
    """Find what Python imports in the place of an extension module or of the archive's module."""
    bundle = subject.bundle
    if bundle.freezer is Freezer.NUITKA:
        return
    frozen = bundle.freezer is Freezer.PYINSTALLER
    extensions = _importable_extensions(subject)
    archived = frozenset(name for program in bundle.programs for name in program.modules)
    for source in _iter_sources(subject, frozen=frozen):
        if source.name in (bundle.builtins or ()):  # those come first
            continue
        hidden, place = extensions.get(source.name), _place_of(source.path)
        if hidden is not None and _comes_first(source, hidden, frozen=frozen):
            # A package may ship both: the source serves Pythons without the extension.
            meant = source.path.parent.parent == hidden.parent and not subject.in_stdlib(
                source.name
            )
            if meant and source.name in archived:
                continue
            yield _hiding(subject, source, subject.inside(hidden), sure=not meant)
        elif frozen and place is _Place.EXTENSIONS and source.name in archived:
            yield _hiding(subject, source, "the program's archive", sure=True)


def _importable_extensions(subject: Subject) -> Mapping[str, Path]:
    """The files of extension modules that have a name which the bundle's Python looks for."""
    looked_for = choose_looked_for(subject.bundle, subject.python)
    suffixes = looked_for.suffixes if looked_for is not None else ()
    return {
        name: path
        for path, name in subject.loaded.modules.items()
        if not suffixes or split_suffix(path.name)[1] in suffixes
    }


def _iter_sources(subject: Subject, *, frozen: bool) -> Iterator[_Source]:
    for name, path in subject.bundle.loose.items():
        yield _Source(name=name, path=path, package=path.stem == "__init__")
    # cx_Freeze's archive has a module for each extension, which loads it.
    for member in subject.bundle.libraries if frozen else ():
        path = member.library / member.member
        yield _Source(name=member.name, path=path, package=member.package)


def _place_of(path: Path) -> _Place:
    if any(part.endswith("base_library.zip") for part in path.parts):
        return _Place.LIBRARY
    return _Place.EXTENSIONS if "lib-dynload" in path.parts else _Place.CONTENTS


def _comes_first(source: _Source, hidden: Path, *, frozen: bool) -> bool:
    """Whether Python takes a module before the extension of its name."""
    first, second = _place_of(source.path), _place_of(hidden)
    if frozen and "." not in source.name and first is not second:
        return first < second
    return source.package and source.path.parent.parent.resolve() == hidden.parent


def _hiding(subject: Subject, source: _Source, hidden: str, *, sure: bool) -> Finding:
    starts = subject.starts
    importing = [s for s in starts if source.name in s.reached or source.name in s.intact]
    needed = bool(importing) or not all(s.followed for s in starts)
    chain = " → ".join(importing[0].chain(source.name)[:-1]) if importing else ""
    where = subject.inside(source.path)
    return Finding(
        id="missing-import",
        severity=Severity.ERROR if sure and needed else Severity.WARNING,
        subject=where,
        message=f"`{source.name}` is hidden from Python by another module of its name",
        evidence=(
            ("found first", where),
            ("hides", hidden),
            *((("imported by", chain),) if chain else ()),
        ),
        hint="remove what is found first, or build the bundle again",
    )
