"""Make the usage of distributions out of the notes of a traced program.

In: the recorder's notes, and the environment that the program ran in. Out: a `Usage` of each
distribution. Paths become names relative to their distribution. A file that is not there any more,
that the program has written itself, that is hidden, or whose name is not UTF-8 is left out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment, Owner
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.formats.binary import is_native, read_binary
from rustext.tracing.usage import (
    ALL,
    INTERPRETED,
    PROGRAM,
    PYTHON,
    SYSTEM,
    UNKNOWN_ASKER,
    Usage,
    Use,
    UseKind,
    merge_usages,
)

_IMPORTS = {
    "statement": UseKind.STATEMENT,
    "import_module": UseKind.IMPORT_MODULE,
    "entry-point": UseKind.ENTRY_POINT,
    "exec": UseKind.EXECUTED,
    "find_spec": UseKind.FIND_SPEC,
}
_FILES = {
    "open": UseKind.FILE,
    "list": UseKind.FOLDER,
    "source": UseKind.SOURCE,
    "library": UseKind.LIBRARY,
    "mapped": UseKind.LIBRARY,
    "program": UseKind.PROGRAM,
    "native": UseKind.FILE,
    "locals": UseKind.LOCALS,
    "bytecode": UseKind.BYTECODE,
}
# Who has read a file of this many distributions' metadata, out of ten, has asked for all of them.
_MOST = 8


def count_outside(notes: Iterable[Mapping[str, Any]]) -> int:
    """How many files were opened that belong to neither a distribution nor the program."""
    return sum(note["count"] for note in notes if note.get("do") == "outside")


def make_usages(notes: Iterable[Mapping[str, Any]], env: Environment) -> tuple[Usage, ...]:
    """The usage that these notes tell of."""
    notes = list(notes)
    places = _Places(env)
    written = {note["file"] for note in notes if note.get("do") == "write"}
    told = {note["file"] for note in notes if note.get("do") in _FILES.keys() - {"native"}}
    found: list[tuple[str, UseKind, Use]] = []
    by_whom: list[tuple[str, UseKind, Use]] = []  # opened by this run, or by another process
    metadata: dict[str, set[tuple[str, str]]] = {}  # distribution and file by asker
    for note in notes:
        do = note.get("do")
        if do == "import":
            kind = _IMPORTS[note["kind"]]
            asker = () if kind is UseKind.STATEMENT else (note["by"],)
            dist = places.owner_of_module(note["name"], note["file"], note["entry"])
            if dist is not None:
                found.append((dist, kind, Use(name=note["name"], askers=asker)))
        elif do == "metadata":
            owner = places.distribution_of_metadata(Path(note["file"]))
            if owner is not None:
                metadata.setdefault(note["by"], set()).add((owner, Path(note["file"]).name))
        elif do == "python":
            name = f"python -m {note['file']}" if note["file"] else "python"
            found.append((SYSTEM, UseKind.PROGRAM, Use(name=name, askers=(note["by"],))))
        elif do == "native" and (note["file"] in told or _is_native(Path(note["file"]))):
            continue  # who has opened it is known, or it is code
        elif do in _FILES and written.isdisjoint(_with_folders(note["file"])):
            row = _file_row(_FILES[do], note, places)
            (by_whom if do == "native" else found).extend([row] if row is not None else [])
    used = {dist for dist, _, _ in found}
    found += [row for row in by_whom if row[0] in used]
    if any(map(_came_along, found)):
        needed = _needed_names(notes)
        found = [row for row in found if not (_came_along(row) and _file_name(row) in needed)]
    found += _metadata_rows(metadata, len(env.distributions))
    usages = merge_usages(
        Usage(distribution=dist, versions=places.versions(dist), uses={kind: (use,)})
        for dist, kind, use in found
    )
    return tuple(map(_without_imported, usages))


def _file_row(
    kind: UseKind, note: Mapping[str, Any], places: _Places
) -> tuple[str, UseKind, Use] | None:
    file, entry = note["file"], note["entry"]
    if not entry:  # a module; a library or a program of the system, by its name
        owner = PROGRAM if kind in INTERPRETED else SYSTEM
        return (owner, kind, Use(name=file, askers=(note["by"],)))
    path = Path(file)
    if not (path.is_dir() if kind is UseKind.FOLDER else path.is_file()):
        return None
    dist = places.owner(file, entry)
    if dist is None or (dist == PYTHON and note["do"] == "mapped"):
        return None
    if note["do"] == "mapped" and not _is_native(path):
        kind = UseKind.FILE
    name = places.name(file, entry, dist)
    if name.encode(errors="ignore").decode() != name:
        return None  # not UTF-8, and TOML is
    hidden = any(part.startswith(".") and part != ".." for part in PurePosixPath(name).parts)
    if hidden and dist == PROGRAM:
        return None
    return (dist, kind, Use(name=name, askers=(note["by"],)))


def _with_folders(file: str) -> tuple[str, ...]:
    return (file, *map(str, Path(file).parents))


def _needed_names(notes: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The libraries that the loader brought in for others: freezers follow these by themselves."""
    names: set[str] = set()
    for file in {note["file"] for note in notes if note.get("do") in {"mapped", "import"}}:
        path = Path(file)
        if path.suffix not in {".py", ""} and path.is_file() and _is_native(path):
            with contextlib.suppress(InvalidBinary, UnreadableFile):
                images = read_binary(path).images
                names.update(Path(n.name).name for image in images for n in image.needed)
    return frozenset(names)


def _came_along(row: tuple[str, UseKind, Use]) -> bool:
    """Whether it is a library of which it is unknown who asked for it."""
    _, kind, use = row
    return kind is UseKind.LIBRARY and use.askers == (UNKNOWN_ASKER,)


def _file_name(row: tuple[str, UseKind, Use]) -> str:
    return PurePosixPath(row[2].name).name


def _is_native(path: Path) -> bool:
    try:
        return is_native(path)
    except (InvalidBinary, UnreadableFile):
        return False


def _metadata_rows(
    asked: Mapping[str, set[tuple[str, str]]], installed: int
) -> Iterable[tuple[str, UseKind, Use]]:
    """The metadata that was read; one row for who has read a file of most distributions."""
    for asker, files in asked.items():
        for name in {name for _, name in files}:
            dists = {dist for dist, other in files if other == name}
            most = len(dists) > 2 and 10 * len(dists) >= _MOST * installed
            for dist in {ALL} if most else dists:
                yield dist, UseKind.METADATA, Use(name=name, askers=(asker,))


def _without_imported(usage: Usage) -> Usage:
    """What was looked for, but not what was imported as well."""
    imported = {
        use.name
        for kind in (UseKind.STATEMENT, UseKind.IMPORT_MODULE, UseKind.ENTRY_POINT)
        for use in usage.of(kind)
    }
    uses = dict(usage.uses)
    looked_for = tuple(use for use in usage.of(UseKind.FIND_SPEC) if use.name not in imported)
    uses.pop(UseKind.FIND_SPEC, None)
    if looked_for:
        uses[UseKind.FIND_SPEC] = looked_for
    return Usage(distribution=usage.distribution, versions=usage.versions, uses=uses)


class _Places:
    """Whose a path is."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._standard = tuple(os.path.normpath(p) for p in env.interpreter.stdlib)
        self._version = ".".join(map(str, env.interpreter.version))
        self._outside: dict[str, tuple[str, str]] = {}  # files that are in no site
        self._metadata: dict[Path, Distribution] = {}
        self._folders: dict[str, str] = {}  # the distribution that has the files of a folder
        for dist in env.distributions.values():
            self._metadata[dist.site / dist.metadata] = dist
            for parent in {file.parent for file in dist.files if ".." not in file.parts}:
                for folder in (parent, *parent.parents):
                    self._folders.setdefault(str(dist.site / folder), dist.name)
            for file in dist.files:
                if ".." in file.parts:
                    path = os.path.normpath(dist.site / file)
                    self._outside[path] = (dist.name, file.as_posix())

    def versions(self, dist: str) -> tuple[str, ...]:
        found = self._env.distributions.get(dist)
        if found is not None and found.version:
            return (found.version,)
        return (self._version,) if dist == PYTHON else ()

    def distribution_of_metadata(self, file: Path) -> str | None:
        found = self._metadata.get(file.parent)
        return found.name if found is not None else None

    def owner_of_module(self, name: str, file: str, entry: str) -> str | None:
        """As `owner`; namespace packages and modules that code makes have none."""
        if file:
            return self.owner(file, entry)
        module = self._env.find_module(name)
        return PYTHON if module is not None and module.owner is Owner.STDLIB else None

    def owner(self, file: str, entry: str) -> str | None:
        """The distribution's name, or a word for what belongs to none; None if unknown."""
        dist = self._env.owner_of(Path(file))
        if dist is not None:
            return dist.name
        if file in self._outside:
            return self._outside[file][0]
        installed = any(part in {"site-packages", "dist-packages"} for part in Path(file).parts)
        if not installed and any(file.startswith(s + os.sep) for s in self._standard):
            return PYTHON
        if not entry or file == entry:
            return None
        if file in self._folders:
            return self._folders[file]
        # Files next to those of a distribution that are not in its RECORD.
        found = self._folders.get(str(Path(file).parent)) if installed else None
        return found or PROGRAM

    def name(self, file: str, entry: str, dist: str) -> str:
        """The path of a file as the record names it."""
        if file in self._outside:
            return self._outside[file][1]
        found = self._env.distributions.get(dist)
        if dist == PYTHON:
            root = max((s for s in self._standard if file.startswith(s + os.sep)), key=len)
        else:
            root = str(found.site) if found is not None else entry
        return Path(os.path.relpath(file, root)).as_posix()
