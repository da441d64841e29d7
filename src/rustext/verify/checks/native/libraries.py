"""Find the libraries that the loader would not find, or find outside the bundle.

In: a `Subject` with the loader's answers. Out: the findings `missing-library` and `host-library`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rustext.data import read_data
from rustext.formats.elf.libc import libc_of, uses_musl
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, NeedKind
from rustext.model.libraries import Edge, Missing, Resolved
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.common_findings import host_library
from rustext.verify.facts.install_names import file_names, find_meant
from rustext.verify.subject import Subject
from rustext.verify.target.policies import target_policy
from rustext.verify.target.system_libraries import is_system_library


def check_libraries(subject: Subject) -> Iterator[Finding]:
    """Find the libraries that are missing, misplaced or taken from the host."""
    bundle, edges = subject.bundle, subject.edges
    outside: dict[str, list[Resolved]] = {}
    missing: dict[tuple[str, Path], list[Missing]] = {}
    at_start = _loaded_at_start(bundle, edges)
    held = _held_libraries(bundle)
    names = file_names(bundle)
    for edge in edges:
        if edge.soname in subject.allow_system or _is_expected(subject, edge.soname):
            continue
        if find_meant(names, edge) is not None:  # `install-name` says it better
            continue
        if isinstance(edge, Missing):
            other = None if edge.needed_by in at_start else held.get(edge.soname)
            if other is not None:
                yield _preloaded_library(subject, edge, other)
            elif edge.kind is not NeedKind.WEAK:
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
    for searches in missing.values():
        yield _missing_library(subject, searches)
    for soname, found in sorted(outside.items()):
        users = dict.fromkeys(subject.inside(edge.needed_by) for edge in found)
        where = ("found", f"{found[0].path} ({found[0].how.value})")
        yield host_library(soname, (*(("needed by", user) for user in users), where))


def _loaded_at_start(bundle: Bundle, edges: Iterable[Edge]) -> frozenset[Path]:
    """The files that are in the process before any code of the program runs."""
    needs: dict[Path, list[Path]] = {}
    for edge in edges:
        if isinstance(edge, Resolved) and edge.path is not None:
            needs.setdefault(edge.needed_by, []).append(edge.path)
    work = [bundle.program.path] if bundle.program is not None else []
    seen = set(work)
    while work:
        new = [path for path in needs.get(work.pop(), ()) if path not in seen]
        seen.update(new)
        work.extend(new)
    return frozenset(seen)


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


def _missing_library(subject: Subject, searches: Sequence[Missing]) -> Finding:
    """One file's search for one library, or several that differ in where it looked."""
    edge = searches[0]
    places = dict.fromkeys(
        f"{place.path} ({place.how.value}{f'; {place.rejected}' if place.rejected else ''})"
        for search in searches
        for place in search.searched
    )
    if edge.soname.startswith("@rpath/") and not places:
        places["nowhere: no file on the way has a run path"] = None
    native = subject.bundle.image.format is Format.ELF
    return Finding(
        id="missing-library",
        severity=Severity.ERROR,
        subject=edge.soname,
        message=f"`{edge.soname}` is not in the bundle and not "
        + ("on this machine" if native else "one of the system's"),
        evidence=(
            ("needed by", subject.inside(edge.needed_by)),
            *(("searched", place) for place in places),
        ),
        hint=f"put it into the bundle, or allow it with `--allow-system {edge.soname}`",
    )


def _preloaded_library(subject: Subject, edge: Missing, other: Path) -> Finding:
    return Finding(
        id="missing-library",
        severity=Severity.WARNING,
        subject=edge.soname,
        message=f"`{edge.soname}` is in the bundle, but not where the loader looks for it",
        evidence=(
            ("needed by", subject.inside(edge.needed_by)),
            ("it is", subject.inside(other)),
        ),
        hint="this works only where the program loads that file first; `--run` shows it",
    )
