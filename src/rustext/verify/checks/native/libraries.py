"""Find the libraries that the loader would not find, or find outside the bundle.

In: a `Subject` with the loader's answers. Out: the findings `missing-library` and `host-library`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rustext.data import read_data
from rustext.formats.elf.libc import libc_of, uses_musl
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, ImageKind, NeedKind
from rustext.model.libraries import Edge, Missing, Resolved
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.common_findings import host_library
from rustext.verify.facts.native.libraries import file_names, find_meant
from rustext.verify.subject import Subject
from rustext.verify.target.policies import brought_by, is_system_library, target_policy


def check_libraries(subject: Subject) -> Iterator[Finding]:
    """Find the libraries that are missing, misplaced or taken from the host."""
    bundle = subject.bundle
    outside: dict[str, list[Resolved]] = {}
    missing: dict[tuple[str, Path], list[Missing]] = {}
    held = _held_libraries(bundle)
    names = file_names(bundle)
    files = dict(bundle.files)
    askers = files.keys() & {edge.needed_by for edge in subject.edges}
    data = {path for path in askers if not subject.loaded.fits(files[path])}
    shut_out = _shut_out(bundle)
    for edge in subject.edges:
        if (
            _is_there(subject, edge, shut_out) or find_meant(names, edge) is not None
        ):  # `install-name` says it better
            continue
        if edge.needed_by in data and not _is_loaded(subject, edge):
            continue  # `architecture` and `libc-mix` speak of it
        if isinstance(edge, Missing):
            if edge.kind is not NeedKind.WEAK and not _is_unreadable(subject, edge):
                missing.setdefault((edge.soname, edge.needed_by), []).append(edge)
        elif (
            edge.path is not None
            and not bundle.holds(edge.path)
            # What a library of the host needs in turn is news about the host, not the bundle.
            and bundle.holds(edge.needed_by)
        ):
            outside.setdefault(edge.soname, []).append(edge)
    # One file may need a library more than once: in the program's process and opened by itself,
    # and in each slice of a universal file.
    for (soname, user_path), searches in missing.items():
        at_start = user_path.resolve() in subject.loaded.at_start
        other = None if at_start else held.get(soname)
        finding = _missing_library(subject, searches, other)
        if other is None and user_path in shut_out and _is_expected(subject, soname):
            finding = _shut_out_library(finding)
        yield finding
    for soname, found in sorted(outside.items()):
        users = dict.fromkeys(subject.inside(edge.needed_by) for edge in found)
        where = ("found", f"{found[0].path} ({found[0].how.value})")
        finding = host_library(soname, (*(("needed by", user) for user in users), where))
        needed = any(
            _is_loaded(subject, edge) and subject.loaded.is_required(edge.needed_by)
            for edge in found
        )
        yield finding if needed else replace(finding, severity=Severity.WARNING)


def _shut_out(bundle: Bundle) -> frozenset[Path]:
    """The files for which glibc's loader skips the system's own folders; musl's knows no flag."""
    if libc_of(bundle.image) != "glibc":
        return frozenset()
    found = [
        *((p, f.binary) for p, f in bundle.files),
        *((p.path, p.binary) for p in bundle.programs),
    ]
    return frozenset(path for path, binary in found if binary.image.no_default_libraries)


def _shut_out_library(finding: Finding) -> Finding:
    """The same for a library that the system has, in folders that the loader is to skip."""
    user = finding.evidence[0]
    return replace(
        finding,
        message=f"`{finding.subject}` is the system's, and the file that needs it is told to look "
        "in none of the system's folders",
        evidence=(user, ("flags", "DF_1_NODEFLIB"), *finding.evidence[1:]),
        hint="link that file without `-z nodefaultlib`, or install its package again",
    )


def _is_there(subject: Subject, edge: Edge, shut_out: Collection[Path]) -> bool:
    """Whether the machines that the bundle is meant for have the library where it is looked for."""
    if edge.soname in subject.allow_system or _is_brought(subject, edge):
        return True
    kept_out = isinstance(edge, Missing) and edge.needed_by in shut_out
    return not kept_out and _is_expected(subject, edge.soname)


def _is_brought(subject: Subject, edge: Edge) -> bool:
    """Whether a library of the system that the file needs, or is a copy of, brings this one."""
    by = brought_by(edge.soname)
    if by is None or not _is_expected(subject, by):
        return False
    copies = {p for p, f in subject.bundle.files for image in f.binary.images if image.soname == by}
    needing = {e.needed_by for e in subject.edges if e.soname == by}
    return edge.needed_by in copies | needing


def _is_loaded(subject: Subject, edge: Edge) -> bool:
    return subject.loaded.why(edge.needed_by) is not None


def _is_unreadable(subject: Subject, edge: Missing) -> bool:
    """Whether the library is there, and another finding tells why it cannot be loaded."""
    refused = {path.resolve() for path in edge.refused}
    return bool(refused) and (
        any(u.path.resolve() in refused for u in subject.bundle.unreadable)
        or any(
            path.resolve() in refused
            and subject.loaded.fits(file)
            and file.binary.image.kind is not ImageKind.SHARED
            for path, file in subject.bundle.files
            if file.binary.image.format is Format.ELF
        )
    )


def _held_libraries(bundle: Bundle) -> dict[str, Path]:
    """The bundle's libraries by the names to which they answer once something has loaded them.

    glibc and dyld know a loaded library by its soname or install name; musl does not.
    """
    program = bundle.image
    held: dict[str, Path] = {}
    if uses_musl(program):
        return held
    for path, file in bundle.files:
        for image in file.binary.images:
            fits = (image.format, image.architecture) == (program.format, program.architecture)
            if image.soname and fits:
                held.setdefault(image.soname, path)
    return held


def _is_expected(subject: Subject, soname: str) -> bool:
    """Whether the machines that the bundle is meant for have the library."""
    target = subject.target
    if not is_system_library(soname, libc_of(subject.bundle.image)):
        return False
    if (
        target is None
        or target.libc != "glibc"
        or soname not in read_data("manylinux")["libraries"]
    ):
        return True
    return target_policy(target).has_library(soname)


def _missing_library(subject: Subject, searches: Sequence[Missing], other: Path | None) -> Finding:
    """One file's search for one library, or several that differ in where it looked.

    `other` is a file of the bundle that answers to the name once something has loaded it.
    """
    edge = searches[0]
    places = dict.fromkeys(
        f"{subject.inside(Path(place.path))} ({'; '.join(filter(None, said))})"
        for search in searches
        for place in search.searched
        for said in [(place.how.value, place.rejected)]
    )
    if edge.soname.startswith("@rpath/") and not places:
        places["nowhere: no file on the way has a run path"] = None
    evidence = [("needed by", subject.inside(edge.needed_by))]
    severity, hint = subject.severity(edge.needed_by), None
    if not _is_loaded(subject, edge):
        severity = Severity.WARNING
        hint = "nothing in the bundle is seen to load that file: leave it out if nothing does"
    if other is not None:
        evidence.append(("it is", subject.inside(other)))
        opener = subject.loaded.why(other)
        if opener is not None:
            severity = Severity.WARNING
            evidence.append(opener)
            hint = "this works only where the program loads that file first; `--run` shows it"
    evidence += [("searched", place) for place in places]
    native = subject.bundle.image.format is Format.ELF
    return Finding(
        id="missing-library",
        severity=severity,
        subject=edge.soname,
        message=f"`{edge.soname}` is in the bundle, but not where the loader looks for it"
        if other is not None
        else f"`{edge.soname}` is not in the bundle and not "
        + ("on this machine" if native else "one of the system's"),
        evidence=tuple(evidence),
        hint=hint
        or (
            "put it where the loader looks, or give the file that needs it a run path with "
            "`patchelf --set-rpath`"
            if other is not None
            else f"put it into the bundle, or allow it with `--allow-system {edge.soname}`"
        ),
    )
