"""Find damage in the archives that a program imports from.

In: a `Subject`. Out: the finding `unreadable-file` for members of PyInstaller's archive that cannot
be inflated, members of a zip file on `sys.path` whose CRC is wrong, and code for another Python
than the archive next to it. PyInstaller's importer refuses a magic number other than its Python's
(PyInstaller/loader/pyimod01_archive.py), CPython's a zip member's (Lib/zipimport.py). Code is
inflated to be checked, and never executed.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path

from rustext.discovery.wheels import ARCHIVE_ERRORS
from rustext.errors import RustextError, UnreadableFile
from rustext.formats.binary import map_file
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.program import Program
from rustext.verify.bundle.pyinstaller_archive import Archive, inflate
from rustext.verify.subject import Subject

_LIBRARIES = ("base_library.zip", "library.zip")
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # all that Lib/zipimport.py knows
_MAGIC = 4  # bytes at the start of a .pyc
_MEMBER_LIMIT = 64 << 20  # bytes of one member
_TOTAL_LIMIT = 1 << 30  # bytes of a zip file's members


def check_archives(subject: Subject) -> Iterator[Finding]:
    """Find the members of archives that Python could not import."""
    bundle = subject.bundle
    magics: dict[bytes, str] = {}
    for name in _LIBRARIES:
        path = bundle.contents / name
        if path.is_file() and all(u.path != path for u in bundle.unreadable):
            yield from _judge(subject, path, _check_library(path, magics))
    for program in bundle.programs:
        if program.archive is not None:
            faults = _check_program(program.path, program.archive, magics)
            yield from _judge(subject, program.path, faults, program)


def _judge(
    subject: Subject,
    path: Path,
    faults: Iterator[tuple[str, str]],
    program: Program | None = None,
) -> Iterator[Finding]:
    """One finding for an archive, with the members that it is about.

    It is an error if a program imports one of them when it starts, or may do so. What is raised
    then is no ImportError, so that it does not matter whether that is caught.
    """
    found = list(faults)
    if not found:
        return
    names = {
        name.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".") for name, _ in found
    }
    names -= subject.bundle.builtins or frozenset()  # those come first
    starts = [s for s in subject.starts if program in {None, s.program}]
    needed = not starts or any(
        not s.followed or not names.isdisjoint(s.reached.keys() | s.intact.keys() | s.tried.keys())
        for s in starts
    )
    modules = "a module" if len(found) == 1 else f"{len(found)} modules"
    yield Finding(
        id="unreadable-file",
        severity=Severity.ERROR if needed else Severity.WARNING,
        subject=subject.inside(path),
        message=f"Python cannot import {modules} from `{path.name}`",
        evidence=(
            *(("member", f"{name}: {reason}") for name, reason in found),
            *(() if needed else (("but", "nothing is seen to import it when a program starts"),)),
        ),
        hint="build the bundle again, and look at what has changed it since",
    )


def _check_library(path: Path, magics: dict[bytes, str]) -> Iterator[tuple[str, str]]:
    left = _TOTAL_LIMIT
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                left -= info.file_size
                if info.file_size > _MEMBER_LIMIT or left < 0:
                    return  # not Python's, and not worth the time
                try:
                    code = archive.read(info)
                except ARCHIVE_ERRORS as error:
                    yield info.filename, str(error).lower()
                    continue
                if info.compress_type not in _COMPRESSIONS:
                    yield info.filename, "it is compressed in a way that Python cannot import"
                elif info.filename.endswith(".py") and b"\0" in code:
                    yield info.filename, "it is no source: it holds null bytes"
                elif info.filename.endswith(".pyc") and code[:_MAGIC]:
                    magics.setdefault(code[:_MAGIC], path.name)
                    if len(magics) > 1 and code[:_MAGIC] != next(iter(magics)):
                        yield info.filename, "it is code for another Python than the others"
    except ARCHIVE_ERRORS:  # the list of members is for another finding
        return


def _check_program(
    path: Path, archive: Archive, magics: dict[bytes, str]
) -> Iterator[tuple[str, str]]:
    try:
        with map_file(path) as data:
            for stored in archive.iter_code():
                try:
                    inflate(data[stored.offset : stored.offset + stored.size], stored)
                except RustextError as error:
                    yield stored.name, str(error)
    except UnreadableFile:
        return
    for magic, where in itertools.islice(magics.items(), 1):
        reason = f"it is code for another Python than that in `{where}`"
        yield from ((s.name, reason) for s in archive.code if s.size and s.magic != magic)
