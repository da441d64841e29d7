"""Repairs of libraries that the loader does not find, or finds outside of the bundle.

In: a `Case`. Out: proposals for `missing-library`, `host-library` and `install-name`. A library
goes where the loader looks already; where that is no folder of the bundle, the file that needs it
gets an entry in its search path.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.model.libraries import FoundBy, Missing, Resolved
from rustext.model.repair import (
    Change,
    CopyFile,
    EditLoadCommands,
    MakeLink,
    Repair,
    SetRunPath,
    Unrepaired,
)
from rustext.repair.apply import find_patchelf, no_patchelf
from rustext.repair.case import NO_ENVIRONMENT, Case, Proposal, is_taken
from rustext.repair.origin import fits, is_called
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.native.libraries import file_names, find_meant


def repair_missing_libraries(case: Case) -> Iterator[Proposal]:
    """Put each missing library where it is looked for: out of the bundle, or the environment."""
    findings = {f.subject: f for f in case.of("missing-library") if f.severity is Severity.ERROR}
    placed: set[PurePosixPath] = set()
    for edge in case.subject.edges:
        finding = findings.get(edge.soname)
        inside = case.holds(edge.needed_by)
        if not isinstance(edge, Missing) or finding is None or not inside:
            continue
        places = [Path(s.path) for s in edge.searched if s.how is not FoundBy.CACHE]
        looked = [p for p in places if case.holds(p) and not is_taken(p)]
        for one in _supply(case, finding, edge.soname, edge.needed_by, looked):
            if isinstance(one, Unrepaired) or one.place not in placed:
                yield one
            if isinstance(one, Repair):
                placed.add(one.place)
    yield from _repair_python(case, findings)
    yield from _repair_openings(case)


def _repair_python(case: Case, findings: Mapping[str, Finding]) -> Iterator[Proposal]:
    """The library that PyInstaller's bootloader opens, by its name."""
    program = case.bundle.program
    name = program.archive.library if program is not None and program.archive is not None else ""
    finding = findings.get(name)
    if finding is None or program is None or program.archive is None:
        return
    contents = program.path.resolve().parent / program.archive.contents
    held = _held(case, name) if case.bundle.image.format is Format.ELF else None
    if held is not None and not os.path.lexists(contents):  # the folder has another name or place
        to = os.path.relpath(held.parent, contents.parent)
        yield Repair(
            finding=finding,
            place=case.place(contents),
            change=MakeLink(target=to),
            what=f"now leads to {to}",
        )
        return
    found = case.origin.find_library(name, case.bundle.image) if case.origin is not None else None
    if found is not None:
        yield Repair(
            finding=finding,
            place=case.in_contents(PurePosixPath(name)),
            change=CopyFile(source=found[0]),
            what=f"copied from {found[0]}",
        )
    elif case.origin is None:
        yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)


def _supply(
    case: Case, finding: Finding, soname: str, user: Path, looked: list[Path]
) -> Iterator[Proposal]:
    if soname.startswith("@") and looked:  # dyld's: a place below a run path, or next to a file
        soname = posixpath.basename(soname)
    if "/" in soname:
        return
    held = _held(case, soname)
    found = None
    if held is None and case.origin is not None:
        found = case.origin.find_library(soname, case.bundle.image)
    if held is None and found is None:
        if case.origin is None:
            yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)
        return
    if not looked and (why := _no_way_to_lead(case, user)):
        yield Unrepaired(finding=finding, reason=why)
        return
    existing = [p for p in looked if p.parent.is_dir()] or looked
    aim = case.bundle.contents / (found[1] if found is not None else soname)
    target = case.behind(aim if aim in looked or not existing else existing[0])
    if held is not None:
        to = os.path.relpath(held, target.parent)
        change: Change = MakeLink(target=to)
        what = f"made a link to `{case.place(held)}`"
    else:
        assert found is not None  # noqa: S101 (for mypy: one of both is there)
        change, what = CopyFile(source=found[0]), f"copied from {found[0]}"
    if held != target:  # else it is there, and only has to be led to
        yield Repair(finding=finding, place=case.place(target), change=change, what=what)
    if not looked:
        yield from _lead(case, finding, user, target)


def _held(case: Case, soname: str) -> Path | None:
    """A library of the bundle that answers to the name, and that the loader does not look for."""
    for path, file in case.bundle.files:
        image = file.binary.image
        named = soname == posixpath.basename(image.soname or "") or is_called(
            path.name, soname, image
        )
        if named and not path.is_symlink() and fits(path, case.bundle.image):
            return path
    return None


def _no_way_to_lead(case: Case, user: Path) -> str:
    """Why a file cannot be led to a library: a copy or link alone would not be found."""
    image = case.image_of(user)
    lacking = image is not None and image.format is Format.ELF and find_patchelf() is None
    return no_patchelf(user).line if lacking else ""


def _lead(case: Case, finding: Finding, user: Path, target: Path) -> Iterator[Repair]:
    """An entry for the folder of a library in the search path of the file that needs it."""
    image, user = case.image_of(user), user.resolve()
    if image is None or image.format is not Format.ELF:
        return
    up = posixpath.relpath(target.parent.as_posix(), user.parent.as_posix())
    entry = "$ORIGIN" if up == "." else f"$ORIGIN/{up}"
    # In front: another one may lead to the library outside of the bundle.
    rest = (e for e in image.search_path[1] if e != entry)
    yield Repair(
        finding=finding,
        place=case.place(user),
        change=SetRunPath(entries=(entry, *rest)),
        what=f"looks in `{entry}` first",
    )


def repair_host_libraries(case: Case) -> Iterator[Proposal]:
    """Bring along the libraries that the loader takes from this machine."""
    findings = {f.subject: f for f in case.of("host-library")}
    done = set()
    for edge in case.subject.edges:
        finding = findings.get(edge.soname)
        if (
            finding is None
            or not isinstance(edge, Resolved)
            or edge.path is None
            or case.bundle.holds(edge.path)
            or case.holds(edge.path)  # a link: `rustext.repair.files`
            or not case.holds(edge.needed_by)
            or edge.needed_by in done
        ):
            continue
        if case.origin is None:
            yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)
            continue
        done.add(edge.needed_by)
        image = case.image_of(edge.needed_by)
        entries = image.search_path[1] if image is not None else ()
        folders = [_expand(entry, edge.needed_by) for entry in entries]
        if case.bundle.freezer is Freezer.PYINSTALLER:  # its bootloader sets LD_LIBRARY_PATH
            folders.append(case.bundle.contents)
        inside = [f / edge.soname for f in folders if f is not None and case.holds(f / "x")]
        looked = [p for p in inside if not is_taken(p)]
        if not looked and (why := _no_way_to_lead(case, edge.needed_by)):
            yield Unrepaired(finding=finding, reason=why)
            continue
        own = case.origin.find_library(edge.soname, case.bundle.image)
        source = own[0] if own is not None else edge.path.resolve()
        target = next((p for p in looked if p.parent.is_dir()), case.bundle.contents / edge.soname)
        change = CopyFile(source=source)
        yield Repair(
            finding=finding,
            place=case.place(target),
            change=change,
            what=f"copied from {source}",
        )
        if not looked:
            yield from _lead(case, finding, edge.needed_by, target)


def _expand(entry: str, user: Path) -> Path | None:
    for origin in ("$ORIGIN", "${ORIGIN}"):
        if entry == origin or entry.startswith(f"{origin}/"):
            return Path(os.path.normpath(f"{user.parent}{entry.removeprefix(origin)}"))
    return None


def _repair_openings(case: Case) -> Iterator[Proposal]:
    """Libraries that Python code opens next to itself: they are there in the environment."""
    findings = {f.subject: f for f in case.of("missing-library")}
    for start in case.subject.starts:
        for opened in start.opened:
            finding = findings.get(opened.names[0])
            if finding is None:
                continue
            if case.origin is None:
                yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)
                continue
            found = (case.origin.find_library(n, case.bundle.image) for n in opened.names)
            source, place = next((f for f in found if f is not None), (None, None))
            if source is not None and place is not None:
                yield Repair(
                    finding=finding,
                    place=case.in_contents(place),
                    change=CopyFile(source=source),
                    what=f"copied from {source}",
                )


def repair_install_names(case: Case) -> Iterator[Proposal]:
    """Lead Mach-O names that mean a file of the bundle to that file."""
    findings = {f.subject: f for f in case.of("install-name")}
    if case.bundle.image.format is not Format.MACHO or not findings:
        return
    names, done = file_names(case.bundle), set()
    for edge in case.subject.edges:
        finding, meant = findings.get(edge.soname), find_meant(names, edge)
        if finding is None or meant is None or (edge.needed_by, edge.soname) in done:
            continue
        done.add((edge.needed_by, edge.soname))
        up = posixpath.relpath(meant.as_posix(), edge.needed_by.parent.as_posix())
        name = f"@loader_path/{up}"
        yield Repair(
            finding=finding,
            place=case.place(edge.needed_by),
            change=EditLoadCommands(names=((edge.soname, name),)),
            what=f"`{edge.soname}` is now `{name}`",
        )
