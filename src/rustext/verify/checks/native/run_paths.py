"""Find search paths, and paths of libraries, in native files that lead out of the bundle.

In: a `Subject`. Out: the finding `unsafe-rpath`, one for each entry of a DT_RPATH, DT_RUNPATH or
LC_RPATH that is absolute, relative to the current directory (an empty one is that directory:
ld.so(8)), or that climbs out of the bundle. How bad that is depends on what the loader does with
it, and on who can put a library there. Most of them are harmless and a note: a Python that was
built in a folder of its own has that folder's absolute path in all its modules. A DT_NEEDED that is
a path is opened as it is (dlopen(3)): one into the bundle holds only where that is now.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, Image
from rustext.model.libraries import Edge, FoundBy, Missing, Resolved
from rustext.verify.subject import Subject
from rustext.verify.target.policies import is_system_library

_ORIGIN = re.compile(r"^(?:\$ORIGIN|\$\{ORIGIN\}|@loader_path)(?=/|$)")
_PROGRAM = re.compile(r"^@executable_path(?=/|$)")
# Where the platform's own loader looks anyway: ld.so(8), dyld(1), and Apple's Swift runtime.
_SYSTEM = re.compile(r"^/(?:usr/)?lib(?:32|64|x32)?(?:/[\w.-]+-linux-[\w.-]+|/swift)?/*$|^/System/")
_NEVER_SEARCHED = frozenset({FoundBy.LOADED, FoundBy.SELF, FoundBy.SYSTEM, FoundBy.PATH})
_ANYONES = re.compile(r"^/(?:tmp|var/tmp|dev/shm)(?:/|$)")  # hier(7): where everybody may write


class _Effect(IntEnum):
    """What the loader does with an entry."""

    NEVER = 0
    SEARCHED = 1
    FOUND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One entry that leads out; `folder` is None where that depends on the current directory."""

    text: str
    tag: str
    folder: str | None


def check_rpaths(subject: Subject) -> Iterator[Finding]:
    """Find the entries of search paths that lead out of the bundle."""
    needs: dict[Path, list[Edge]] = defaultdict(list)
    for edge in subject.edges:
        needs[edge.needed_by].append(edge)
    found: dict[tuple[_Entry, Severity], list[tuple[Path, _Effect]]] = defaultdict(list)
    for path, file in subject.bundle.files:
        for image in file.binary.images:
            for entry, effect in _iter_entries(subject, path, image, needs.get(path, ())):
                found[entry, _judge(subject, path, entry, effect)].append((path, effect))
    python = _interpreter_entries(subject)
    for (entry, severity), uses in found.items():
        if severity is Severity.NOTE and entry.text in python:
            continue  # where this Python was installed; it is in each of its files
        yield _finding(subject, entry, severity, uses)
    yield from _check_needed_paths(subject)


def _check_needed_paths(subject: Subject) -> Iterator[Finding]:
    """Libraries that are needed by a path, and found in the bundle where it is now."""
    users: dict[str, dict[str, None]] = defaultdict(dict)
    formats = {path: file.binary.image.format for path, file in subject.bundle.files}
    for edge in subject.edges:
        is_path = formats.get(edge.needed_by) is Format.ELF and edge.soname.startswith("/")
        if is_path and edge.path and subject.bundle.holds(edge.path):
            users[edge.soname][subject.inside(edge.needed_by)] = None
    for soname, files in sorted(users.items()):
        yield Finding(
            id="unsafe-rpath",
            severity=Severity.ERROR,
            subject=soname,
            message=f"`{soname}` is needed by its absolute path, and not found once the bundle is "
            "moved",
            evidence=tuple(("needed by", file) for file in files),
            hint=f"`patchelf --replace-needed {soname} {posixpath.basename(soname)} FILE`, and a "
            "path below $ORIGIN",
        )


def _interpreter_entries(subject: Subject) -> frozenset[str]:
    """The absolute entries in the bundle's libpython."""
    program = subject.bundle.program
    library = program.library if program is not None else ""
    return frozenset(
        text
        for path, file in subject.bundle.files
        if path.name.startswith("libpython") or (library and path.name == library)
        for image in file.binary.images
        for text in image.search_path[1]
        if text.startswith("/")
    )


def _judge(subject: Subject, path: Path, entry: _Entry, effect: _Effect) -> Severity:
    """How bad an entry is: no error in a file that no program starts with."""
    severity = _judge_entry(entry, effect)
    if severity is Severity.NOTE or subject.loaded.why(path) is None:
        return Severity.NOTE
    return severity if subject.loaded.is_required(path) else Severity.WARNING


def _iter_entries(
    subject: Subject, path: Path, image: Image, edges: Sequence[Edge]
) -> Iterator[tuple[_Entry, _Effect]]:
    if image.format is Format.PE:
        return
    tag, entries = image.search_path
    folders = [_expand(subject, path, text) for text in entries]
    for number, (text, folder) in enumerate(zip(entries, folders, strict=True)):
        if _leads_out(subject, text, folder):
            entry = _Entry(text=text, tag=tag, folder=folder)
            effects = [
                # A system's library is found somewhere else where this folder is not there.
                min(_effect(edge, tag, number, folders), _limit(subject, edge.soname))
                for edge in edges
            ]
            yield entry, max(effects, default=_Effect.NEVER)


def _limit(subject: Subject, soname: str) -> _Effect:
    provided = soname in subject.allow_system or is_system_library(soname)
    return _Effect.SEARCHED if provided else _Effect.FOUND


def _expand(subject: Subject, path: Path, text: str) -> str | None:
    """The folder that an entry means; None for one below the current directory."""
    program = subject.bundle.program
    folder = path.resolve().parent if text.startswith("@") else path.parent  # dyld follows links
    text = _ORIGIN.sub(str(folder).replace("\\", r"\\"), text)
    if program is not None:
        text = _PROGRAM.sub(str(program.path.parent).replace("\\", r"\\"), text)
    return posixpath.normpath(text) if text.startswith("/") else None


def _leads_out(subject: Subject, text: str, folder: str | None) -> bool:
    if folder is None:
        return not text.startswith(("@", "$"))  # $LIB and the like, first: nothing comes of it
    root = subject.bundle.root.as_posix()
    inside = folder == root or folder.startswith(f"{root}/")
    return _SYSTEM.match(text) is None and not (inside and not text.startswith("/"))


def _effect(edge: Edge, tag: str, number: int, folders: Sequence[str | None]) -> _Effect:
    """What became of the entry `number` when this library was looked for."""
    if tag == "LC_RPATH" and not edge.soname.startswith("@rpath/"):
        return _Effect.NEVER
    if isinstance(edge, Missing):
        return _Effect.SEARCHED
    if edge.how in _NEVER_SEARCHED or (edge.how is FoundBy.ENV and tag != "DT_RPATH"):
        return _Effect.NEVER
    if edge.how not in {FoundBy.RPATH, FoundBy.RUNPATH} or edge.path is None:
        return _Effect.SEARCHED
    where = _found_in(edge, folders)
    if where is None or where > number:
        return _Effect.SEARCHED
    return _Effect.FOUND if where == number else _Effect.NEVER


def _found_in(edge: Resolved, folders: Sequence[str | None]) -> int | None:
    """The first entry that the library's path begins with."""
    path = posixpath.normpath(str(edge.path))
    for number, folder in enumerate(folders):
        if folder is not None and path.startswith(f"{folder}/"):
            return number
    return None


def _judge_entry(entry: _Entry, effect: _Effect) -> Severity:
    """Who chooses the current directory, or may write to the folder, chooses the library."""
    if effect is _Effect.FOUND:
        return Severity.ERROR
    searched = effect is _Effect.SEARCHED
    if entry.folder is None:
        return Severity.ERROR if searched else Severity.WARNING
    anyone = not entry.text.startswith("/") or _ANYONES.match(entry.folder) is not None
    return Severity.WARNING if searched and anyone else Severity.NOTE


def _finding(
    subject: Subject, entry: _Entry, severity: Severity, uses: Sequence[tuple[Path, _Effect]]
) -> Finding:
    named = f"`{entry.text}`" if entry.text else "an empty entry"
    if entry.folder is None:
        what = "the current directory"
    else:
        what = "an absolute path" if entry.text.startswith("/") else "a folder beside the bundle"
    does = {
        _Effect.FOUND: f"a library is found through {named}, {what}",
        _Effect.SEARCHED: f"libraries are looked for through {named}, {what}",
        _Effect.NEVER: f"{named} is {what}, though nothing is looked for there",
    }[max(effect for _, effect in uses)]
    paths = list(dict.fromkeys(path for path, _ in uses))
    return Finding(
        id="unsafe-rpath",
        severity=severity,
        subject=entry.text,
        message=does,
        evidence=(
            *(("in", f"{subject.inside(path)} ({entry.tag})") for path in paths),
            *([("means", entry.folder)] if entry.folder not in {None, entry.text} else []),
        ),
        hint="`rustext repair` takes it out of the bundle; for good, build with paths below "
        "$ORIGIN (macOS: @loader_path)",
    )
