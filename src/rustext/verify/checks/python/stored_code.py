"""Find entries of PyInstaller's archives that are not what they should be, though they are whole.

In: a `Subject`. Out: the findings `unreadable-file` about modules behind whose name the code of
another lies, and packages that the table calls modules. PyInstaller writes the name of a module
into its code as a path, `json/decoder.py` (PyInstaller/archive/writers.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from rustext.errors import InvalidBinary, UnreadableFile
from rustext.formats.binary import map_file
from rustext.formats.marshal_reader import parse_code
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.program import Program
from rustext.verify.bundle.pyinstaller_archive import Archive, inflate
from rustext.verify.bytecode.instructions import is_known
from rustext.verify.subject import Subject

_HINT = "build the bundle again, and look at what has changed it since"
_PACKAGE = "__init__.py"
_SHOWN = 20
_SHORT = 256  # bytes of a text whose length is one byte (Python/marshal.c)


def check_entries(subject: Subject) -> Iterator[Finding]:
    """Find the entries of archives that hold another module's code."""
    for program in subject.bundle.programs:
        archive = program.archive
        if archive is not None:
            yield from _check_places(subject, program, archive)


def _check_places(subject: Subject, program: Program, archive: Archive) -> Iterator[Finding]:
    found = dict(_iter_misplaced(program, archive)) if is_known(archive.python) else {}
    if not found or 2 * len(found) > len(archive.code):  # or another tool has written the paths
        return
    starts = [s for s in subject.starts if s.program is program]
    needed = any(n in (s.reached.keys() | s.intact.keys()) for s in starts for n in found)
    members = [("member", f"{name}: {reason}") for name, reason in sorted(found.items())]
    yield Finding(
        id="unreadable-file",
        severity=Severity.ERROR if needed else Severity.WARNING,
        subject=subject.inside(program.carrier),
        message=f"the archive of `{program.path.name}` holds other code than its table says",
        evidence=tuple(members[:_SHOWN]),
        hint=_HINT,
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
