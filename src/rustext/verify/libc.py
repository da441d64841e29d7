"""Find the mixtures of glibc and musl in one bundle.

In: a `Subject`. Out: the finding `libc-mix`. A process has one dynamic loader and one C library;
what was linked against the other one's does not load, or brings a second C library along.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rustext.elf_loader import uses_musl
from rustext.findings import Finding, Severity
from rustext.model import Format, Image, ImageKind, NativeFile
from rustext.verify.subject import Subject
from rustext.verify.uses import Uses

_GLIBC = ("libc.so.6", "ld-linux")
# Android's loader, and libraries that musl has no file for:
# https://android.googlesource.com/platform/bionic/+/refs/heads/main/README.md
_BIONIC, _BIONIC_LIBRARIES = "/system/bin/linker", frozenset({"libdl.so", "libm.so", "liblog.so"})


def libc_of(image: Image) -> str | None:
    """`glibc` or `musl`, by what the image names; None for one that names neither."""
    if image.format is not Format.ELF:
        return None
    names = {needed.name for needed in image.needed}
    if (image.interpreter or "").startswith(_BIONIC) or names & _BIONIC_LIBRARIES:
        return None
    if uses_musl(image):
        return "musl"
    if image.interpreter or any(name.startswith(_GLIBC) for name in names):
        return "glibc"
    return None


def check_libc(subject: Subject) -> Iterator[Finding]:
    """Find the files that are linked against another C library than the program."""
    bundle, target = subject.bundle, subject.target
    libc = libc_of(bundle.image)
    if target is not None and target.libc and libc is not None and libc != target.libc:
        program = bundle.program.path if bundle.program is not None else bundle.root
        yield Finding(
            id="libc-mix",
            severity=Severity.ERROR,
            subject=subject.inside(program),
            message=f"the program is linked against {libc}, {target.tag} has {target.libc}",
            evidence=_said_by(bundle.image),
            hint=f"freeze on a system with {target.libc}, or name another `--target`",
        )
    if libc is None:
        return

    def fits(_: Path, file: NativeFile) -> bool:
        image = file.binary.image
        return image.architecture == bundle.image.architecture and libc_of(image) in {libc, None}

    uses = Uses(subject, fits)
    for path, file in bundle.files:
        other = libc_of(file.binary.image)
        if other is None or other == libc:
            continue
        why = uses.why_loaded(path, file)
        loadable = file.binary.image.kind is not ImageKind.EXECUTABLE
        if why is None and file.binary.image.architecture != bundle.image.architecture:
            continue  # data, of which `architecture` speaks
        yield Finding(
            id="libc-mix",
            severity=Severity.ERROR if why is not None else Severity.WARNING,
            subject=subject.inside(path),
            message=f"`{path.name}` is linked against {other}, the program against {libc}",
            evidence=(*_said_by(file.binary.image), *((why,) if why is not None else ())),
            hint=f"install the package's wheel for {_wheels(libc)}"
            if loadable
            else f"it starts only where {other} is installed",
        )


def _said_by(image: Image) -> tuple[tuple[str, str], ...]:
    if image.interpreter:
        return (("loader", image.interpreter),)
    names = (n.name for n in image.needed if n.name.startswith(("libc.", "ld-")))
    return tuple(("needs", name) for name in names)


def _wheels(libc: str) -> str:
    return {"glibc": "manylinux", "musl": "musllinux"}[libc]
