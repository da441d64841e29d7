"""Find what a program needs to start at all, besides the libraries that it names as needed.

In: a `Subject`. Out: the findings `missing-library` and `host-library` for the dynamic loader that
an ELF program names (PT_INTERP, opened by the kernel at this very path: elf(5)), and for the Python
library that a PyInstaller program opens by the name in its archive; `undefined-symbol` for one that
lacks functions that the program or the library itself calls; `unreadable-file` for files that it
takes out of another program.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rustext.model.findings import Finding, Severity, name_few
from rustext.model.image import Format
from rustext.verify.bundle.program import Freezer, Program
from rustext.verify.common_findings import host_library
from rustext.verify.facts.python.python_symbols import find_unopened
from rustext.verify.subject import Subject
from rustext.verify.target.policies import is_system_library

# The folders of the loaders in the psABIs (https://sourceware.org/glibc/wiki/ABIList) and musl's.
_LOADER_FOLDERS = frozenset({"/lib", "/lib32", "/lib64", "/libx32", "/system/bin"})

_SHOWN = 3  # files that a finding names


def check_start(subject: Subject) -> Iterator[Finding]:
    """Find a loader that target machines do not have, and an embedded Python that is gone."""
    found: dict[
        tuple[str, str], Finding
    ] = {}  # each once, though several programs may lack the same
    for program in subject.bundle.programs:
        for finding in (
            *_check_loader(subject, program),
            *_check_python(subject, program),
            *_check_elsewhere(subject, program),
        ):
            found.setdefault((finding.subject, finding.message), finding)
    yield from found.values()
    bundle = subject.bundle
    made = bundle.freezer is not Freezer.UNKNOWN and bundle.contents != bundle.root
    if made and not bundle.programs:
        yield Finding(
            id="unreadable-file",
            severity=Severity.ERROR,
            subject=subject.inside(subject.bundle.root),
            message="no file at the top of the bundle is the program that starts it",
            evidence=(("made by", subject.bundle.freezer.value),),
            hint="build the bundle again, and look at what has changed it since",
        )


def _check_loader(subject: Subject, program: Program) -> Iterator[Finding]:
    loader = program.binary.image.interpreter
    if loader is None or loader in subject.allow_system:
        return
    path = PurePosixPath(loader)
    known = is_system_library(path.name) or path.name.startswith("linker")  # Android's
    if known and str(path.parent) in _LOADER_FOLDERS:
        return
    evidence = (("named by", subject.inside(program.path)),)
    if known and Path(loader).exists():
        yield host_library(loader, evidence)
    else:
        yield Finding(
            id="missing-library",
            severity=Severity.ERROR,
            subject=loader,
            message=f"the program names the loader `{loader}`, which target machines do not have",
            evidence=evidence,
            hint="build with the system's own toolchain, or set the loader with `patchelf "
            "--set-interpreter`",
        )


def _check_python(subject: Subject, program: Program) -> Iterator[Finding]:
    library, name = program.library, PurePosixPath(program.library).name
    bundle, contents = subject.bundle, subject.bundle.contents
    if program.archive is not None and program.archive.contents and bundle.origin is None:
        named = program.path.resolve().parent / program.archive.contents
        contents = contents if named.exists() or bundle.image.format is Format.MACHO else named
    archive = program.archive
    packed = {member.name for member in archive.members} if archive is not None else set()
    packed |= {r.partition(":")[2] for r in archive.elsewhere} if archive is not None else set()
    if not name or (library in packed and not (contents / library).exists()):
        return  # each of several one-file programs in a folder brings its own
    if (contents / library).exists():
        lacks = find_unopened(program.path, contents / library)
        if lacks:
            more = f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""
            yield Finding(
                id="undefined-symbol",
                severity=Severity.ERROR,
                subject=subject.inside(contents / library),
                message=f"`{name}`, the program's Python, lacks `{lacks[0]}`{more}",
                evidence=(
                    ("opened by", subject.inside(program.path)),
                    *(("lacks", function) for function in lacks),
                ),
                hint="build the bundle again, and look at what has changed it since",
            )
        return
    if contents == bundle.contents and any(path.name == name for path, _ in bundle.files):
        return
    yield Finding(
        id="missing-library",
        severity=Severity.ERROR,
        subject=library,
        message=f"`{library}`, the program's Python, is not in the bundle",
        evidence=(
            ("named by", subject.inside(program.path)),
            ("searched", subject.inside(contents / library)),
        ),
        hint="build the bundle again",
    )


def _check_elsewhere(subject: Subject, program: Program) -> Iterator[Finding]:
    """Files that a program takes out of others that it was built with (PyInstaller's MERGE).

    It ends where one of them is not found (bootloader/src/pyi_multipkg.c).
    """
    archive = program.archive
    beside = (subject.bundle.origin or program.path).parent
    lost: dict[str, list[str]] = defaultdict(list)
    for record in archive.elsewhere if archive is not None else ():
        other, _, file = record.partition(":")
        folder = beside / PurePosixPath(other).parent / (archive.contents if archive else "")
        names = (f"{other}.pkg", f"{other}.exe", other)
        if not file or not (
            (folder / file).exists() or any((beside / name).exists() for name in names)
        ):
            lost[other].append(file)
    for other, files in lost.items():
        yield Finding(
            id="unreadable-file",
            severity=Severity.ERROR,
            subject=subject.inside(program.path),
            message=f"`{program.path.name}` takes files out of `{other}`, which is not there",
            evidence=(
                ("looked for", str(beside / other)),
                ("files", name_few(sorted(files), _SHOWN)),
            ),
            hint="ship the programs that were built together (MERGE) as they lay when they were "
            "built",
        )
