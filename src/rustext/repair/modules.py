"""Repairs of what a bundle lacks of its environment: modules, companions and metadata.

In: a `Case`. Out: proposals for `missing-import`, `missing-companion` and `missing-metadata`. The
programs of both freezers look for a module in their own archive or table first, and then as any
Python does: PyInstaller's `sys.path` names the folder of the bundle's contents, Nuitka's that of
the program, and a package's `__path__` its folder there. PyInstaller's programs find files in the
packages of their archive too, Nuitka's none in those of their table; see `Program.finds_file`. In a
package that comes from a zip file on `sys.path`, modules are members of that file.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.discovery.extension_suffixes import split_suffix
from rustext.environment.environment import Module
from rustext.model.findings import Finding, Severity
from rustext.model.plan import Companion, CompanionKind
from rustext.model.repair import AddMember, CopyFile, MakeFolder, Repair, Unrepaired
from rustext.repair.case import NO_ENVIRONMENT, Case, Proposal
from rustext.repair.origin import Origin, fits
from rustext.verify.bundle.program import Freezer

PLANNED = frozenset({"missing-import", "missing-companion", "missing-metadata"})
_METADATA = frozenset({"METADATA", "entry_points.txt"})


def repair_imports(case: Case) -> Iterator[Proposal]:
    """Bring missing modules along, each with all that it imports in turn."""
    held = case.bundle.modules
    placed: set[tuple[PurePosixPath, str]] = set()
    for finding in case.of("missing-import", notes=True):
        names = _names(case, finding)
        if case.origin is not None and finding.subject in read_data("stdlib")["bundled"]:
            parts = case.origin.env.modules_in(finding.subject)
            names = tuple(name for name in (*names, *parts) if name not in held)
        if names and case.origin is None:
            yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)
            continue
        for name in names if case.origin is not None else ():
            if not _is_looked_for(case, name):
                if finding.severity is not Severity.NOTE:  # else the program may do without it
                    yield Unrepaired(finding=finding, reason=_unseen(case, name))
                continue
            for module in case.origin.closure(name, held) if case.origin else ():
                repair = _bring(case, finding, module, name)
                if repair is not None and (repair.place, repair.what) not in placed:
                    placed.add((repair.place, repair.what))
                    yield repair


def _is_looked_for(case: Case, name: str) -> bool:
    """Whether a program of the bundle looks for a file of this name."""
    programs = case.bundle.programs
    return not programs or any(program.finds_file(name) for program in programs)


def _unseen(case: Case, name: str) -> str:
    why = f"`{name.rpartition('.')[0]}` is inside the program, which looks for no file in it"
    if any(program.isolated for program in case.bundle.programs):
        why = "built with `--python-flag=isolated`, the program has no folder for modules"
    return f"{why}: freeze again with rustext's plugin or with `--include-module={name}`"


def _names(case: Case, finding: Finding) -> tuple[str, ...]:
    """The modules that a finding misses; none for a note that only lists what may be."""
    planned = {i.module for i in case.subject.plan.modules} if case.subject.plan else set()
    sure = finding.severity.value != "note" or finding.subject in planned
    return (finding.subject,) if sure and "/" not in finding.subject else ()


def _bring(case: Case, finding: Finding, module: Module, wanted: str) -> Repair | None:
    """A module's file, where the program's import system finds it."""
    path = module.path
    if path is None or not fits(path, case.bundle.image):
        return None
    inside = module_place(case, module.name, path)
    package = module.name.rpartition(".")[0]
    why = () if module.name == wanted else (("imported by", wanted),)
    library = _library_of(case, package) if package else None
    if library is not None:
        if path.suffix != ".py":
            return None
        return Repair(
            finding=finding,
            place=case.place(library),
            change=AddMember(source=path, member=str(inside)),
            what=f"`{inside}` added from {path}",
            evidence=why,
        )
    return Repair(
        finding=finding,
        place=case.in_contents(inside),
        change=CopyFile(source=path),
        what=f"copied from {path}",
        evidence=why,
    )


def module_place(case: Case, name: str, path: Path) -> PurePosixPath:
    """Where the program looks for a module's file, below the folder of its contents."""
    *packages, last = name.split(".")
    if path.name.startswith("__init__."):
        return PurePosixPath(*packages, last, path.name)
    stem, suffix = split_suffix(path.name)
    if suffix is not None and _is_in_table(case, name):
        return PurePosixPath(*packages, f"{stem}{path.suffix}")
    return PurePosixPath(*packages, path.name)


def _is_in_table(case: Case, name: str) -> bool:
    """Nuitka's programs open the extension modules of their table by one name."""
    nuitka = (p for p in case.bundle.programs if p.freezer is Freezer.NUITKA)
    return any(name in program.extensions for program in nuitka)


def _library_of(case: Case, package: str) -> Path | None:
    """The zip file that a package is imported from."""
    inside = {p for program in case.bundle.programs for p in program.modules}
    if package in inside or package in case.bundle.loose:
        return None
    return next((m.library for m in case.bundle.libraries if m.name == package), None)


def repair_companions(case: Case) -> Iterator[Proposal]:
    """Bring along the files that are opened by path, and metadata."""
    planned: dict[str, tuple[Companion | None, PurePosixPath]] = {}
    for companion in case.subject.plan.companions if case.subject.plan is not None else ():
        folder = companion.kind is CompanionKind.FOLDER
        place = companion.destination.parent if folder else companion.destination
        planned[str(place)] = companion, place
    for finding in case.of("missing-companion", "missing-metadata", notes=True):
        found, place = planned.get(finding.subject, (None, PurePosixPath(finding.subject)))
        if found is not None and found.kind is CompanionKind.FOLDER:
            aim = case.in_contents(place)
            yield Repair(finding=finding, place=aim, change=MakeFolder(), what="folder made")
        elif case.origin is None:
            yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)
        elif found is not None and found.path.is_absolute():
            yield _copy(case, finding, place, found.path)
        else:
            yield from _from_environment(case, case.origin, finding, place)


def _from_environment(
    case: Case, origin: Origin, finding: Finding, place: PurePosixPath
) -> Iterator[Repair]:
    source = origin.file_at(place)
    if source is not None:
        yield _copy(case, finding, place, source)
        return
    if finding.id != "missing-metadata":
        return
    name = finding.subject.partition(" ")[0]  # of a package, or `distribution file`
    module = origin.env.find_module(name)
    dist = origin.env.distributions.get((module.distribution if module else None) or name)
    if dist is None:
        return
    for file in dist.files:
        if file.parts[0] == dist.metadata.name and file.name in _METADATA:
            there, source = case.bundle.contents / file, dist.site / file
            if not (there.is_file() and filecmp.cmp(there, source, shallow=False)):
                yield _copy(case, finding, file, source)


def _copy(case: Case, finding: Finding, place: PurePosixPath, source: Path) -> Repair:
    return Repair(
        finding=finding,
        place=case.in_contents(place),
        change=CopyFile(source=source),
        what=f"copied from {source}",
    )
