"""Find entries of PyInstaller's archives that are not what they should be, though they are whole.

In: a `Subject`. Out: the findings `unreadable-file` about modules behind whose name the code of
another lies, packages that the table calls modules, files that a program would take out of another
one, which is not there, and programs without PyInstaller's first script. PyInstaller writes the
name of a module into its code as a path, `json/decoder.py` (PyInstaller/archive/writers.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rustext.errors import InvalidBinary, UnreadableFile
from rustext.formats.binary import map_file
from rustext.formats.marshal_reader import parse_code
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.program import Program
from rustext.verify.bundle.pyinstaller_archive import Archive, inflate
from rustext.verify.bytecode.instructions import is_known
from rustext.verify.subject import Subject

_HINT = "build the bundle again, and look at what has changed it since"
_FIRST_SCRIPT, _LOADER = "pyiboot", "pyimod"  # how the names of its own parts begin
_PACKAGE = "__init__.py"
_SHORT = 256  # bytes of a text whose length is one byte (Python/marshal.c)


def check_entries(subject: Subject) -> Iterator[Finding]:
    """Find the entries of archives that hold another module's code, or lead nowhere."""
    for program in subject.bundle.programs:
        archive = program.archive
        if archive is not None:
            yield from _check_places(subject, program, archive)
            lost = [*_iter_lost(subject, program, archive)]
            if lost:
                what = f"`{program.path.name}` takes files out of other programs, and cannot"
                yield _finding(subject, program, what, lost, Severity.ERROR)
            whole = any(stored.name.startswith(_LOADER) for stored in archive.start)
            if whole and not any(name.startswith(_FIRST_SCRIPT) for name in archive.scripts):
                what = f"the archive of `{program.path.name}` lacks PyInstaller's first script"
                lacks = [("looked for", f"a script `{_FIRST_SCRIPT}…`, which starts its importer")]
                yield _finding(subject, program, what, lacks, Severity.ERROR)


def _finding(
    subject: Subject,
    program: Program,
    message: str,
    evidence: list[tuple[str, str]],
    severity: Severity,
) -> Finding:
    return Finding(
        id="unreadable-file",
        severity=severity,
        subject=subject.inside(program.carrier),
        message=message,
        evidence=tuple(evidence[:20]),
        hint=_HINT,
    )


def _check_places(subject: Subject, program: Program, archive: Archive) -> Iterator[Finding]:
    found = dict(_iter_misplaced(program, archive)) if is_known(archive.python) else {}
    if not found or 2 * len(found) > len(archive.code):  # or another tool has written the paths
        return
    starts = [s for s in subject.starts if s.program is program]
    needed = any(n in (s.reached.keys() | s.intact.keys()) for s in starts for n in found)
    yield _finding(
        subject,
        program,
        f"the archive of `{program.path.name}` holds other code than its table says",
        [("member", f"{name}: {reason}") for name, reason in sorted(found.items())],
        Severity.ERROR if needed else Severity.WARNING,
    )


def _iter_misplaced(program: Program, archive: Archive) -> Iterator[tuple[str, str]]:
    """The modules whose code says that it is that of another one in the archive."""
    names = {stored.name for stored in archive.code}
    with suppress(UnreadableFile), map_file(program.carrier) as data:
        for stored in archive.code:
            if not stored.size:
                continue
            with suppress(InvalidBinary):  # which another check says
                raw = inflate(data[stored.offset : stored.offset + stored.size], stored)
                stem = stored.name.replace(".", "/")
                own = f"{stem}/{_PACKAGE}" if stored.package else f"{stem}.py"
                if any(_text(path) in raw for path in (own, own.replace("/", "\\"))):
                    continue
                file = parse_code(raw, archive.python).file.replace("\\", "/")
                if file == f"{stem}/{_PACKAGE}":
                    yield stored.name, "the table says that it is a module, its code is a package's"
                    continue
                other = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                if file.endswith(".py") and other != stored.name and other in names:
                    yield stored.name, f"its code is that of `{other}`"


def _text(path: str) -> bytes:
    """A path as it is in marshalled code."""
    raw = path.encode("utf-8", "surrogatepass")
    return bytes([len(raw)]) + raw if len(raw) < _SHORT and raw.isascii() else raw


def _iter_lost(subject: Subject, program: Program, archive: Archive) -> Iterator[tuple[str, str]]:
    """The files of other programs (`MERGE`) that are not next to this one."""
    folder: Path = (subject.bundle.origin or program.path).parent
    for record in archive.elsewhere:
        place, colon, _ = record.partition(":")
        if not colon:
            yield "record", f"`{record}` names no program"
        elif not any((folder / f"{place}{end}").exists() for end in ("", ".pkg", ".exe")):
            yield "not there", f"`{place}`, for `{record}`"
