"""Repairs of single files: names that Python looks for, modes, links, copies of one library.

In: a `Case`. Out: proposals for `ext-suffix`, `refused-file` (the execute bit), `outside-link`,
`host-library` (a link out of the bundle), `duplicate-library`, and for files that cannot be loaded
or lack what others ask of them, where the environment has them whole.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rustext.discovery.extension_suffixes import split_suffix
from rustext.files.untrusted import is_closed
from rustext.formats.binary import parse_file
from rustext.formats.elf.symbol_lookup import Offered, parse_elf_offered
from rustext.model.findings import Finding
from rustext.model.libraries import Resolved
from rustext.model.repair import CopyFile, MakeLink, RemoveFile, Repair, SetMode, Unrepaired
from rustext.repair.case import NO_ENVIRONMENT, Case, Proposal
from rustext.repair.modules import module_place
from rustext.repair.origin import Origin, fits
from rustext.verify.bundle.native_files import folders_on_path
from rustext.verify.facts.python.python_suffixes import choose_looked_for, iter_misnamed

_DAMAGED = (
    "unreadable-file", "refused-file", "undefined-symbol", "architecture", "python-abi", "signature"
)  # fmt: skip


def repair_suffixes(case: Case) -> Iterator[Proposal]:
    """Link each misnamed extension module under the name that works."""
    bundle, findings = case.bundle, {f.subject: f for f in case.of("ext-suffix")}
    looked_for = choose_looked_for(bundle, case.subject.python)
    if not findings or looked_for is None:
        return
    for file in iter_misnamed(bundle, looked_for):
        finding = findings.get(case.subject.inside(file.path))
        if finding is not None:
            yield Repair(
                finding=finding,
                place=case.place(file.wanted),
                change=MakeLink(target=file.path.name),
                what=f"made a link to `{file.path.name}`",
                evidence=(("says", looked_for.said_by),),
            )


def repair_modes(case: Case) -> Iterator[Proposal]:
    """Let whoever may read the program start it, and open what is closed to all.

    It gets the permissions of the nearest folder around it that is open.
    """
    yield from _open_closed(case)
    start = case.bundle.start
    if start is None or case.bundle.origin is not None:
        return
    for finding in case.of("refused-file"):
        mode = start.stat().st_mode & 0o7777
        if finding.subject == case.subject.inside(start) and not mode & 0o111:
            mode |= (mode & 0o444) >> 2
            yield Repair(
                finding=finding,
                place=case.place(start),
                change=SetMode(mode=mode),
                what=f"permissions set to {mode:o}",
            )


def _open_closed(case: Case) -> Iterator[Proposal]:
    findings = {f.subject: f for f in case.of("unreadable-file")}
    for path in (file.path for file in case.bundle.unreadable if file.path != case.bundle.root):
        finding = findings.get(case.subject.inside(path))
        status = path.lstat()
        if finding is not None and not stat.S_ISLNK(status.st_mode) and is_closed(status.st_mode):
            around = _nearest_open(path) & (0o755 if path.is_dir() else 0o644)
            mode = stat.S_IMODE(status.st_mode) | around
            yield Repair(
                finding=finding,
                place=case.place(path),
                change=SetMode(mode=mode),
                what=f"permissions set to {mode:o}",
            )


def _nearest_open(path: Path) -> int:
    """The mode of the nearest folder above a file that is not closed to all itself."""
    modes = (parent.stat().st_mode for parent in path.parents)
    return next((mode for mode in modes if not is_closed(mode)), 0)


def repair_links(case: Case) -> Iterator[Proposal]:
    """Make absolute links relative, and copy libraries and modules that links lead out to.

    A link comes with a bundle that is not trusted, and may lead to any file of this machine: only a
    native file that the bundle's process could load is copied, or the environment's own file.
    """
    bundle = case.bundle
    findings = {f.subject: f for f in case.of("outside-link")}
    libraries = {
        str(e.path): f
        for f in case.of("host-library")
        for e in case.subject.edges
        if isinstance(e, Resolved) and e.soname == f.subject
    }
    for link in bundle.links:
        path = bundle.root / link.path
        finding = findings.get(f"{bundle.path.name}/{link.path}") or libraries.get(str(path))
        if finding is None:
            continue
        place = PurePosixPath(link.path)
        if link.inside:
            target = os.path.relpath(path.resolve(), path.parent)
            change = MakeLink(target=target)
            yield Repair(finding=finding, place=place, change=change, what=f"now leads to {target}")
            continue
        if _leads_to_link(path, bundle.root) and not _is_loop(path):
            continue  # that one is replaced
        source = _source_of(case, path, exists=link.exists)
        if source is not None:
            what = f"copied from {source}"
            place = case.place(case.behind(path))
            yield Repair(finding=finding, place=place, change=CopyFile(source=source), what=what)
        elif case.origin is None:
            yield Unrepaired(finding=finding, reason=NO_ENVIRONMENT)


def _is_loop(link: Path) -> bool:
    """Whether a chain of links comes back to itself, and so leads to nothing."""
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _leads_to_link(link: Path, root: Path) -> bool:
    aim = link.parent / link.readlink()
    folder = aim.parent.resolve()
    return folder.is_relative_to(root.resolve()) and (folder / aim.name).is_symlink()


def _source_of(case: Case, path: Path, *, exists: bool) -> Path | None:
    bundle = case.bundle
    if case.origin is not None and path.is_relative_to(bundle.contents):
        found = case.origin.file_at(PurePosixPath(path.relative_to(bundle.contents).as_posix()))
        if found is not None and fits(found, bundle.image):
            return found
        library = case.origin.find_library(path.name, bundle.image)
        if library is not None:
            return library[0]
    real = path.resolve() if exists else path
    native = real.is_file() and all({".so", ".dylib"} & {*name.suffixes} for name in (path, real))
    return real if native and fits(real, bundle.image) else None


def repair_duplicates(case: Case) -> Iterator[Proposal]:
    """Delete the copies of a library that no file would find, where another is found."""
    for finding in case.of("duplicate-library"):
        holders = [
            path
            for path, file in case.bundle.files
            if file.binary.image.soname == finding.subject and not path.is_symlink()
        ]
        used = {e.path.resolve() for e in case.subject.edges if isinstance(e, Resolved) and e.path}
        idle = [p for p in holders if p not in used and case.subject.loaded.why(p) is None]
        if len(idle) < len(holders):
            for path in idle:
                yield Repair(
                    finding=finding,
                    place=case.place(path),
                    change=RemoveFile(),
                    what="deleted: no file of the bundle would find it",
                )


def repair_damaged(case: Case) -> Iterator[Proposal]:
    """Take files that cannot be loaded from the environment again, where it has them whole."""
    if case.origin is None:
        return
    for finding in case.of(*_DAMAGED):
        path = case.bundle.root.parent / finding.subject
        if not path.is_relative_to(case.bundle.contents) or path.is_symlink():
            continue
        whose = any(label == "program" for label, _ in finding.evidence)  # another team's
        if case.place(path) in case.edited or (finding.id == "signature" and whose):
            continue  # it has to be signed, and no more
        if exchanged := tuple(_repair_exchanged(case, case.origin, finding, path)):
            yield from exchanged
            continue
        inside = PurePosixPath(path.relative_to(case.bundle.contents).as_posix())
        source, right = _find_whole(case, case.origin, inside)
        if source is None or not fits(source, case.bundle.image) or not _differ(source, path):
            continue
        yield Repair(
            finding=finding,
            place=case.in_contents(right),
            change=CopyFile(source=source),
            what=f"copied from {source}",
        )
        if right != inside:
            what = f"deleted: `{right.name}` takes its place"
            yield Repair(finding=finding, place=case.place(path), change=RemoveFile(), what=what)


def _find_whole(
    case: Case, origin: Origin, inside: PurePosixPath
) -> tuple[Path | None, PurePosixPath]:
    """The environment's file for a place in the bundle, and the place that is right for it."""
    source = origin.file_at(inside)
    if source is not None:
        return source, inside
    contents = case.bundle.contents
    folders = folders_on_path(contents, contents / inside.parent)
    name = ".".join((*folders, split_suffix(inside.name)[0]))
    module = origin.env.find_module(name)
    if module is not None and module.path is not None:
        same = module.path.name == inside.name  # also in a folder of Python's own modules
        return module.path, inside if same else module_place(case, name, module.path)
    library = origin.find_library(inside.name, case.bundle.image)
    return (library[0] if library is not None else None), inside


def _repair_exchanged(case: Case, origin: Origin, finding: Finding, user: Path) -> Iterator[Repair]:
    """Take libraries again that lie under the name of another one, which has a missing symbol."""
    lacks = [text for label, text in finding.evidence if label == "symbol"]
    if finding.id != "undefined-symbol" or not lacks:
        return
    root = case.bundle.root.resolve()
    for path in sorted(case.subject.loaded.closure(user) - {user.resolve()}):
        found = origin.find_library(path.name, case.bundle.image)
        if found is None or not path.is_relative_to(root) or _defines(path, lacks):
            continue
        if _defines(found[0], lacks):
            yield Repair(
                finding=finding,
                place=PurePosixPath(path.relative_to(root).as_posix()),
                change=CopyFile(source=found[0]),
                what=f"copied from {found[0]}",
            )


def _defines(library: Path, symbols: Iterable[str]) -> bool:
    offered = parse_file(library, parse_elf_offered, Offered({}))
    return any(offered.has_name(symbol) for symbol in symbols)


def _differ(one: Path, other: Path) -> bool:
    return not other.is_file() or one.read_bytes() != other.read_bytes()
