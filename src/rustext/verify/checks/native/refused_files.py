"""Find the files that the loader opens and refuses, by the checks that it makes of each.

In: a `Subject`. Out: the finding `refused-file`, in ld.so's words, about ELF files that get loaded.
Which checks there are, and which loader makes them: `rustext.formats.elf.loader_checks`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rustext.files.untrusted import read_start
from rustext.formats.binary import HEAD, is_native, parse_file
from rustext.formats.elf.libc import uses_musl
from rustext.formats.elf.loader_checks import By, Refusal, iter_refusals
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, Image
from rustext.verify.bundle.program import Freezer
from rustext.verify.subject import Subject

_OLD, _NEW = (2, 35), (2, 41)  # releases of glibc, see `By`
_LEVEL = re.compile(r"x86-64-v([2-4])$")
_OPTIONAL_LEVEL = 2  # of x86-64; processors that lack it are older than 2009
_FLAGS = {3: "avx2", 4: "avx512f"}  # in /proc/cpuinfo, the one that says most
_HINTS = {
    By.OLD_GLIBC: "build it with a linker that aligns segments to pages, if systems older than "
    "2022 are meant",
    By.NEW_GLIBC_DLOPEN: "rebuild it with `-z noexecstack`, or clear the mark with `patchelf "
    "--clear-execstack` if its code does not need it",
    By.PROCESSOR: "take a build for a lower level, or tell the program's users which processors "
    "it needs",
}
_HINT = "take the file from its package again: tools such as strip and patchelf damage some files"


def check_refusals(subject: Subject) -> Iterator[Finding]:
    """Find the ELF files that get loaded and that the loader would refuse."""
    bundle = subject.bundle
    yield from _check_mode(subject)
    if bundle.image.format is not Format.ELF:
        return
    yield from _check_contents(subject)
    program = bundle.program
    stack = program is not None and By.NEW_GLIBC_DLOPEN in {
        r.by for r in _refusals(program.path, program.binary.image)
    }
    for path, file in bundle.files:
        reason = subject.loaded.surely(path)
        if reason is None or not subject.loaded.fits(file) or path != subject.loaded.real(path):
            continue
        for refusal in _refusals(path, file.binary.image):
            if refusal.by is By.NEW_GLIBC_DLOPEN and stack:  # the process has such a stack anyway
                continue
            severity = _judge(subject, path, refusal)
            if severity is not None:
                yield _finding(subject, path, refusal, severity, reason)
                break


def _check_mode(subject: Subject) -> Iterator[Finding]:
    """The kernel starts no file without an execute bit (execve(2): EACCES)."""
    bundle = subject.bundle
    # Applications for macOS come from elsewhere, in archives that need not keep modes.
    if os.name != "posix" or bundle.image.format is not Format.ELF:
        return
    starts = [bundle.origin] if bundle.origin is not None else [p.path for p in bundle.programs]
    for start in starts if bundle.freezer is not Freezer.UNKNOWN else ():
        mode = 0o111
        with suppress(OSError):
            mode = start.stat().st_mode
        if not mode & 0o111:
            yield Finding(
                id="refused-file",
                severity=Severity.ERROR,
                subject=subject.inside(start),
                message=f"the kernel refuses to start `{start.name}`: permission denied",
                evidence=(("mode", f"{mode & 0o777:o}, without an execute bit"),),
                hint=f"`chmod +x {start.name}`, and pack the bundle with what keeps modes, such as "
                "tar",
            )


def _check_contents(subject: Subject) -> Iterator[Finding]:
    """The kernel starts no file that neither is ELF nor names an interpreter (ENOEXEC)."""
    bundle = subject.bundle
    if bundle.origin is not None or bundle.freezer is Freezer.UNKNOWN:
        return
    others = {*bundle.loose.values(), *(module.library for module in bundle.libraries)}
    if all(os.access(path, os.X_OK) for path in others):  # a file system without modes
        return
    for path in sorted(bundle.root.iterdir()):
        with suppress(OSError):
            if path.suffix or not path.is_file() or not os.access(path, os.X_OK):
                continue
            head = read_start(path, HEAD)
            if not head.startswith(b"#!") and not is_native(head):
                yield Finding(
                    id="refused-file",
                    severity=Severity.WARNING,
                    subject=subject.inside(path),
                    message=f"the kernel refuses to start `{path.name}`: exec format error",
                    evidence=(("because", "it may be executed, and is no program and no script"),),
                    hint="build the bundle again, or take its execute bits away if it is data",
                )


def _refusals(path: Path, image: Image) -> tuple[Refusal, ...]:
    return parse_file(path, lambda data: tuple(iter_refusals(data, image.versions)), ())


def _judge(subject: Subject, path: Path, refusal: Refusal) -> Severity | None:
    """How bad it is; None where the process's loader does not look at it."""
    by = refusal.by
    if by is By.PROCESSOR:
        return _judge_processor(subject, refusal)
    if subject.loaded.is_started(path):  # by the kernel, and not opened by a loader
        return Severity.ERROR if by is By.ANY else None
    if refusal.fatal and subject.loaded.ends_program(path):
        return Severity.ERROR
    if by in {By.ANY, By.LIBRARIES}:
        return subject.severity(path)
    opened = path.resolve() not in subject.loaded.at_start
    if uses_musl(subject.bundle.image) or ("dlopen" in by.value and not opened):
        return None
    mine = _own_glibc(subject)
    refuses = {By.OLD_GLIBC: mine is not None and mine < _OLD}
    refuses[By.NEW_GLIBC_DLOPEN] = mine is not None and mine >= _NEW
    return subject.severity(path) if refuses.get(by, True) else Severity.WARNING


def _judge_processor(subject: Subject, refusal: Refusal) -> Severity | None:
    match = _LEVEL.search(refusal.because)
    level = int(match[1]) if match is not None else 0
    if level <= _OPTIONAL_LEVEL or uses_musl(subject.bundle.image):
        return None
    if subject.target is None and _FLAGS[level] not in _processor_flags():
        return Severity.ERROR
    return Severity.WARNING


def _processor_flags() -> str:
    """What Linux says of this machine's processor; all levels where it says nothing."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return " ".join(_FLAGS.values())


def _own_glibc(subject: Subject) -> tuple[int, int] | None:
    """The glibc of this machine, where that is what the bundle is judged for."""
    if subject.target is not None:
        return None
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):  # not glibc, or not Linux
        return None
    numbers = re.match(r"glibc (\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def _finding(
    subject: Subject, path: Path, refusal: Refusal, severity: Severity, reason: tuple[str, str]
) -> Finding:
    when = (
        ""
        if refusal.fatal or severity is subject.severity(path)
        else f" on some systems ({refusal.by.value})"
    )
    return Finding(
        id="refused-file",
        severity=severity,
        subject=subject.inside(path),
        message=f"the loader refuses `{path.name}`{when}: {refusal.words}",
        evidence=(("because", refusal.because), reason),
        hint=_HINTS.get(refusal.by, _HINT),
    )
