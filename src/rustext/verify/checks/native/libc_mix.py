"""Find the mixtures of glibc and musl in one bundle.

In: a `Subject`. Out: the finding `libc-mix`. A process has one dynamic loader and one C library;
what was linked against the other one's does not load, or brings a second C library along.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rustext.formats.elf.libc import libc_of
from rustext.model.findings import Finding, Severity
from rustext.model.image import Image, ImageKind
from rustext.model.native_file import NativeFile
from rustext.verify.load_reasons import Uses
from rustext.verify.subject import Subject

_WHEELS = {"glibc": "manylinux", "musl": "musllinux"}


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
            severity=subject.severity(path) if why is not None else Severity.WARNING,
            subject=subject.inside(path),
            message=f"`{path.name}` is linked against {other}, the program against {libc}",
            evidence=(*_said_by(file.binary.image), *((why,) if why is not None else ())),
            hint=f"install the package's wheel for {_WHEELS[libc]}"
            if loadable
            else f"it starts only where {other} is installed",
        )


def _said_by(image: Image) -> tuple[tuple[str, str], ...]:
    if image.interpreter:
        return (("loader", image.interpreter),)
    names = (n.name for n in image.needed if n.name.startswith(("libc.", "ld-")))
    return tuple(("needs", name) for name in names)
