"""Find damage in the archives that a program imports from.

In: a `Subject`. Out: the finding `unreadable-file` for members of PyInstaller's archive that cannot
be inflated, bytecode that a program starts with and Python cannot load, members of a zip file on
`sys.path` that Python cannot import, and code for another Python than the archive next to it.
PyInstaller's importer refuses a magic number other than its Python's
(PyInstaller/loader/pyimod01_archive.py), CPython's a zip member's, whose CRC it does not compare
(Lib/zipimport.py). Code is inflated to be checked, and never executed.
"""

from __future__ import annotations

import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rustext.discovery.wheels import ARCHIVE_ERRORS
from rustext.errors import RustextError, TruncatedBinary, UnreadableFile
from rustext.formats.binary import map_file
from rustext.formats.marshal_reader import parse_code
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.loose_modules import read_member
from rustext.verify.bundle.program import Program
from rustext.verify.bundle.pyinstaller_archive import Archive, inflate
from rustext.verify.bytecode.instructions import is_known
from rustext.verify.facts.python.code_names import names_word
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.subject import Subject

_LIBRARIES = ("base_library.zip", "library.zip")
_MAGIC = 4  # bytes at the start of a .pyc
_FLAGS = 0b11  # that a .pyc may have
_PYC_HEADER = 16  # bytes: https://peps.python.org/pep-0552/
_MEMBER_LIMIT = 64 << 20  # bytes of one member
_TOTAL_LIMIT = 1 << 30  # bytes of a zip file's members
_FIRST_SCRIPT = re.compile(r"pyiboot\d")
_IMPORTER = re.compile(r"pyimod\d+_importers$")
_CHILDREN = "pyi_rth_multiprocessing"  # tells a child that `spawn` starts from the program
_OWN_SCRIPT = re.compile(r"pyiboot\d|pyi_rth_")  # PyInstaller/building/build_main.py
_HINT = "build the bundle again, and look at what has changed it since"


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a member of an archive; `changed` where Python may import it anyway."""

    member: str
    reason: str
    changed: bool = False


def check_archives(subject: Subject) -> Iterator[Finding]:
    """Find the members of archives that Python could not import."""
    bundle, python = subject.bundle, subject.version
    magics: dict[bytes, str] = {}
    for name in _LIBRARIES:
        path = bundle.contents / name
        if path.is_file() and all(u.path != path for u in bundle.unreadable):
            yield from _find_no_zip(subject, path)
            faults = [*_check_library(path, magics, python)]
            yield from _judge(subject, path, [f for f in faults if not f.changed])
            yield from _tell_changed(subject, path, [f for f in faults if f.changed])
    for program in bundle.programs:
        if program.archive is not None:
            faults = [*_check_program(program.carrier, program.archive, magics)]
            yield from _judge(subject, program.carrier, faults, program)
            scripts = program.archive.scripts
            if scripts and all(map(_OWN_SCRIPT.match, scripts)):
                yield _without_script(subject, program.carrier)
            yield from _check_bootstrap(subject, program.carrier, program.archive)
    if python is not None and is_known(python):
        for start in subject.starts:
            faults = [*_check_opaque(start, python)]
            yield from _judge(subject, start.program.carrier, faults, start.program)


def _judge(
    subject: Subject, path: Path, faults: Sequence[_Fault], program: Program | None = None
) -> Iterator[Finding]:
    """One finding for an archive, with the members that it is about.

    It is an error if a program imports one of them when it starts, or may do so. What is raised
    then is no ImportError, so that it does not matter whether that is caught.
    """
    if not faults:
        return
    stems = (fault.member.removesuffix(".pyc").removesuffix(".py") for fault in faults)
    names = {stem.removesuffix("/__init__").replace("/", ".") for stem in stems}
    names -= subject.bundle.builtins or frozenset()  # those come first
    starts = [s for s in subject.starts if program is None or program is s.program]
    needed = not starts or any(
        not s.followed or not names.isdisjoint(s.reached.keys() | s.intact.keys() | s.tried.keys())
        for s in starts
    )
    modules = "a module" if len(faults) == 1 else f"{len(faults)} modules"
    yield Finding(
        id="unreadable-file",
        severity=Severity.ERROR if needed else Severity.WARNING,
        subject=subject.inside(path),
        message=f"Python cannot import {modules} from `{path.name}`",
        evidence=(
            *(("member", f"{fault.member}: {fault.reason}") for fault in faults),
            *(() if needed else (("but", "nothing is seen to import it when a program starts"),)),
        ),
        hint=_HINT,
    )


def _tell_changed(subject: Subject, path: Path, faults: Sequence[_Fault]) -> Iterator[Finding]:
    if faults:
        yield Finding(
            id="unreadable-file",
            severity=Severity.WARNING,
            subject=subject.inside(path),
            message=f"`{path.name}` has changed since it was packed, which Python does not notice",
            evidence=tuple(("member", f"{fault.member}: {fault.reason}") for fault in faults),
            hint=_HINT,
        )


def _find_no_zip(subject: Subject, path: Path) -> Iterator[Finding]:
    """An empty file: Python passes over it, PyInstaller's script for `inspect` does not."""
    try:
        zipfile.ZipFile(path).close()
    except ARCHIVE_ERRORS as error:
        opened = names_word(subject.bundle, subject.bundle.program, path.name)
        yield Finding(
            id="unreadable-file",
            severity=Severity.ERROR if opened else Severity.WARNING,
            subject=subject.inside(path),
            message=f"`{path.name}` is no zip file",
            evidence=(("because", str(error)),),
            hint=_HINT,
        )


def _check_library(
    path: Path, magics: dict[bytes, str], python: tuple[int, int] | None
) -> Iterator[_Fault]:
    left = _TOTAL_LIMIT
    try:
        with zipfile.ZipFile(path) as archive:
            for info in {i.filename: i for i in archive.infolist()}.values():  # the last counts
                left -= info.file_size
                if info.file_size > _MEMBER_LIMIT or left < 0:
                    return  # not Python's, and not worth the time
                try:
                    code = read_member(archive, info, _MEMBER_LIMIT)
                except zipfile.BadZipFile as error:
                    yield _Fault(info.filename, str(error))
                    continue
                fault = _check_member(path, info.filename, code, magics)
                if fault is None and zlib.crc32(code) != info.CRC:
                    fault = _check_changed(info.filename, code, python)
                if fault is not None:
                    yield fault
    except ARCHIVE_ERRORS:  # `_find_no_zip` tells of that
        return


def _check_member(path: Path, name: str, code: bytes, magics: dict[bytes, str]) -> _Fault | None:
    if name.endswith(".py") and b"\0" in code:
        return _Fault(name, "it is no source: it holds null bytes")
    if not name.endswith(".pyc"):
        return None
    if len(code) <= _PYC_HEADER:
        return _Fault(name, "it is cut short")
    flags = int.from_bytes(code[_MAGIC : _MAGIC + 4], "little")
    if flags & ~_FLAGS:
        return _Fault(name, f"invalid flags {flags}")
    magics.setdefault(code[:_MAGIC], path.name)
    if len(magics) > 1 and code[:_MAGIC] != next(iter(magics)):
        return _Fault(name, "it is code for another Python than the others")
    return None


def _check_changed(name: str, code: bytes, python: tuple[int, int] | None) -> _Fault:
    """A member whose CRC is not that of its content: Python imports it if it still is code."""
    if name.endswith(".pyc") and python is not None and is_known(python):
        try:
            parse_code(code[_PYC_HEADER:], python)
        except TruncatedBinary as error:
            return _Fault(name, str(error))
    return _Fault(name, "its CRC is that of another content", changed=True)


def _check_opaque(start: Start, python: tuple[int, int]) -> Iterator[_Fault]:
    """Of the modules that the start gets to and whose code cannot be read, why Python cannot."""
    program = start.program
    stored = {s.name: s for s in program.code.bytecode} if program.code is not None else {}
    if program.archive is not None:
        stored |= {s.name: s for s in program.archive.iter_code()}
    with suppress(UnreadableFile), map_file(program.carrier) as data:
        for one in (stored[name] for name in dict.fromkeys(start.unread) if name in stored):
            try:
                raw = data[one.offset : one.offset + one.size]
                code = inflate(raw, one) if program.archive is not None else raw
            except RustextError:  # named above
                continue
            try:
                parse_code(code, python)
            except TruncatedBinary as error:
                yield _Fault(one.name, str(error))


def _without_script(subject: Subject, path: Path) -> Finding:
    return Finding(
        id="unreadable-file",
        severity=Severity.ERROR,
        subject=subject.inside(path),
        message=f"the archive of `{path.name}` holds no script that the program would run",
        evidence=(("looked for", "a script besides PyInstaller's bootstrap and run-time hooks"),),
        hint=_HINT,
    )


def _check_bootstrap(subject: Subject, path: Path, archive: Archive) -> Iterator[Finding]:
    """What PyInstaller puts into each archive (building/build_main.py, hooks/rthooks.dat)."""
    lost: list[tuple[str, str, Severity]] = []
    if not any(map(_IMPORTER.match, archive.modules)):
        return  # made up, or by a release that is unknown
    if not any(map(_FIRST_SCRIPT.match, archive.scripts)):
        lost.append(("that makes its modules importable", "pyiboot01_bootstrap", Severity.ERROR))
    if "multiprocessing.spawn" in archive.modules and _CHILDREN not in archive.scripts:
        what = "without which processes that it spawns run the whole program again"
        lost.append((what, _CHILDREN, Severity.WARNING))
    for what, script, severity in lost:
        yield Finding(
            id="unreadable-file",
            severity=severity,
            subject=subject.inside(path),
            message=f"the archive of `{path.name}` lacks the script {what}",
            evidence=(("looked for", script),),
            hint=_HINT,
        )


def _check_program(path: Path, archive: Archive, magics: dict[bytes, str]) -> Iterator[_Fault]:
    try:
        with map_file(path) as data:
            for stored in archive.iter_code():
                try:
                    inflate(data[stored.offset : stored.offset + stored.size], stored)
                except RustextError as error:
                    yield _Fault(stored.name, str(error))
    except UnreadableFile:
        return
    for magic, where in itertools.islice(magics.items(), 1):
        reason = f"it is code for another Python than that in `{where}`"
        yield from (_Fault(s.name, reason) for s in archive.code if s.size and s.magic != magic)
