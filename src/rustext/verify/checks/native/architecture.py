"""Find the native files that the program's process cannot load, for they are for another machine.

In: a `Subject`. Out: the finding `architecture`: an error for a program that is not for the target,
and for a module or library that the process needs; a note for all other files, which are data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rustext.model.findings import Finding, Severity
from rustext.model.image import Image
from rustext.model.native_file import NativeFile
from rustext.verify.load_reasons import Uses
from rustext.verify.subject import Subject
from rustext.verify.target.target import name_platform

# What decides whether a process can map a file: format, architecture, and 64 or 32 bits.
Machine = tuple[str, str, int]


def check_architecture(subject: Subject) -> Iterator[Finding]:
    """Find the files for other machines, and what they are there for."""
    bundle = subject.bundle
    own = bundle.program.binary.images if bundle.program is not None else (bundle.image,)
    yield from _check_target(subject, own)
    wanted = _wanted(subject, own)

    def fits(_: Path, file: NativeFile) -> bool:
        return wanted <= {_machine(image) for image in file.binary.images}

    uses = Uses(subject, fits)
    data = []
    for path, file in bundle.files:
        if fits(path, file) or (bundle.program is not None and path == bundle.program.path):
            continue
        why = uses.why_loaded(path, file)
        if why is None:
            data.append((path, file))
            continue
        lacks = sorted(wanted - {_machine(image) for image in file.binary.images})
        yield Finding(
            id="architecture",
            severity=subject.severity(path),
            subject=subject.inside(path),
            message=f"`{path.name}` is for {_names(file)}, which a process for "
            f"{' and '.join(_name(machine) for machine in lacks)} cannot load",
            evidence=(why,),
            hint="freeze in an environment for the target's architecture, or put the file for it "
            "into the bundle",
        )
    if data:
        yield _note(subject, data)


def _wanted(subject: Subject, own: tuple[Image, ...]) -> set[Machine]:
    """The machines on which the bundle has to run: the target's, if the program is for them."""
    machines = {_machine(image) for image in own}
    target = subject.target
    if target is None:
        return machines
    meant = {m for m in machines if m[0] == target.format.value and m[1] in target.architectures}
    return meant or machines


def _check_target(subject: Subject, own: tuple[Image, ...]) -> Iterator[Finding]:
    target, program = subject.target, subject.bundle.program
    if target is None:
        return
    there = {i.architecture for i in own if i.format is target.format}
    lacks = [a for a in target.architectures if a not in there]
    if not lacks:
        return
    name = subject.inside(program.path if program is not None else subject.bundle.root)
    yield Finding(
        id="architecture",
        severity=Severity.ERROR,
        subject=name,
        message=f"the program is for {' and '.join(_name(_machine(i)) for i in own)}, "
        f"{target.tag} asks for {' and '.join(name_platform(target.format, a) for a in lacks)}",
        hint="freeze on a machine of the target's kind, or name another `--target`",
    )


def _note(subject: Subject, data: list[tuple[Path, NativeFile]]) -> Finding:
    counts = Counter(_names(file) for _, file in data)
    named = [("file", subject.inside(path)) for path, _ in data]
    files = "a file" if len(data) == 1 else f"{len(data)} files"
    return Finding(
        id="architecture",
        severity=Severity.NOTE,
        subject=subject.inside(data[0][0]),
        message=f"the bundle holds {files} for other machines, which nothing in it loads",
        evidence=(
            *(("for", f"{machine}: {count}") for machine, count in sorted(counts.items())),
            *named,
        ),
        hint="leave them out if the bundle should be smaller",
    )


def _machine(image: Image) -> Machine:
    return (image.format.value, image.architecture, image.bits)


def _names(file: NativeFile) -> str:
    return " and ".join(dict.fromkeys(_name(_machine(image)) for image in file.binary.images))


def _name(machine: Machine) -> str:
    kind, architecture, bits = machine
    systems = {"elf": "linux", "macho": "macos", "pe": "windows"}
    x32 = " (32-bit pointers)" if architecture == "x86_64" and bits == 32 else ""
    return f"{systems[kind]}-{architecture}{x32}"
