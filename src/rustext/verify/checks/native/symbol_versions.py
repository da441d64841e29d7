"""Find the libraries that are found, and are too old for the files that need them.

In: a `Subject` with the loader's answers. Out: `missing-library` for a library of the bundle, and
without a target `glibc-floor` for one of this machine. Before any code runs, glibc's loader looks
for each version that a file needs among those that the library defines, and gives up without it:
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
("Startup Sequence"). musl's loader looks at no versions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rustext.formats.binary import parse_file
from rustext.formats.elf.image import parse_elf_definitions
from rustext.formats.elf.libc import uses_musl
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.verify.facts.native.system_needs import Need, explain
from rustext.verify.facts.python.interpreter_files import join_findings
from rustext.verify.subject import Subject


def check_versions(subject: Subject) -> Iterator[Finding]:
    """Find the versions that a library does not have, where the loader would stop for it."""
    floors = []
    for path, finding in _iter_lacks(subject):
        if finding.id == "glibc-floor":
            floors.append((path, finding))
        else:
            yield finding
    yield from join_findings(subject, floors, "needs a newer glibc than this machine has")
    yield from _check_unneeded(subject)


def _iter_lacks(subject: Subject) -> Iterator[tuple[Path, Finding]]:
    bundle = subject.bundle
    if bundle.image.format is not Format.ELF or uses_musl(bundle.image):
        return
    versions = {path: file.binary.image.versions for path, file in bundle.files}
    if bundle.program is not None:
        versions[bundle.program.path] = bundle.program.binary.image.versions
    defined: dict[Path, frozenset[str]] = {}
    for edge in subject.edges:
        if edge.path is None or edge.needed_by not in versions:
            continue
        if subject.target is not None and not bundle.holds(edge.path):  # not this machine is meant
            continue
        if edge.path not in defined:
            defined[edge.path] = parse_file(edge.path, parse_elf_definitions, frozenset())
        for need in versions[edge.needed_by]:
            lacks = need.library == edge.soname and need.version not in defined[edge.path]
            if lacks and not need.weak and defined[edge.path]:  # without any, none is asked for
                found = Need(path=edge.needed_by, library=edge.soname, version=need.version)
                inside = bundle.holds(edge.path)
                need_with_symbols = next(explain([found]))
                yield edge.needed_by, _too_old(subject, need_with_symbols, edge.path, inside=inside)


def _check_unneeded(subject: Subject) -> Iterator[Finding]:
    """Libraries that versions are asked of, and that the file itself does not need any more.

    glibc's loader ends the process at the first one that is not loaded (elf/dl-version.c).
    """
    bundle, loaded = subject.bundle, subject.loaded
    if bundle.image.format is not Format.ELF or uses_musl(bundle.image):
        return
    needed: dict[Path, set[str]] = defaultdict(set)
    for edge in subject.edges:
        needed[loaded.real(edge.needed_by)].add(edge.soname)
    for path, file in bundle.files:
        asked = {v.library for v in file.binary.image.versions} - needed[loaded.real(path)]
        if not asked or not loaded.fits(file) or loaded.surely(path) is None:
            continue
        there = set().union(*(needed[p] for p in loaded.at_start | loaded.closure(path)))
        for library in sorted(asked - there):
            # A file that needs it may be loaded first.
            others = any(library in names for names in needed.values())
            ends = loaded.ends_program(path) and not others
            yield Finding(
                id="missing-library",
                severity=Severity.ERROR if ends else Severity.WARNING,
                subject=library,
                message=f"`{path.name}` asks `{library}` for versions of symbols and does not need "
                "it: the loader ends the program, where nothing has loaded it before",
                evidence=(("asked by", subject.inside(path)),),
                hint=f"`patchelf --add-needed {library} FILE`, or take the file from its package "
                "again",
            )


def _too_old(subject: Subject, need: Need, library: Path, *, inside: bool) -> Finding:
    where = subject.inside(library)
    user = subject.inside(need.path)
    evidence = (
        ("library", where),
        *(("for", symbol) for symbol in need.symbols),
    )
    if inside:
        return Finding(
            id="missing-library",
            severity=subject.severity(need.path),
            subject=need.library,
            message=f"`{need.library}` in the bundle has no {need.version}, which "
            f"`{need.path.name}` needs",
            evidence=(("needed by", user), *evidence),
            hint="put the newer library into the bundle: the one that the file was built against",
        )
    return Finding(
        id="glibc-floor",
        severity=subject.severity(need.path),
        subject=user,
        message=f"`{need.path.name}` needs {need.version}, which this machine's `{need.library}` "
        "does not have",
        evidence=evidence,
        hint="freeze on an older system, or name the systems that are meant with `--target`",
    )
