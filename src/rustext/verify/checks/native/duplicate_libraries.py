"""Find libraries that are in the bundle more than once under one name.

In: a `Subject`. Out: the finding `duplicate-library`. A process holds one library for each name
that others need: glibc and musl take what is already loaded under the soname
(https://sourceware.org/git/?p=glibc.git;a=blob;f=elf/dl-load.c, `_dl_map_object`), Windows under
the file's name (https://learn.microsoft.com/windows/win32/dlls/dynamic-link-library-search-order).
So which of two different files serves everybody depends on what is imported first. dyld tells
libraries apart by path, and modules that are opened by path are told apart everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from rustext.errors import UnreadableFile
from rustext.files.untrusted import hash_file
from rustext.formats.binary import map_file
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.model.native_file import NativeFile
from rustext.verify.subject import Subject

_BUILD_ID = ".note.gnu.build-id"  # https://sourceware.org/binutils/docs/ld/Options.html, --build-id


def check_duplicates(subject: Subject) -> Iterator[Finding]:
    """Find the names that several different files, or several copies of one, answer to."""
    needed = {
        need.name for _, f in subject.bundle.files for i in f.binary.images for need in i.needed
    }
    wanted = needed | {name.lower() for name in needed}
    holders: dict[tuple[str, str], dict[Path, Path]] = defaultdict(dict)
    for path, file in subject.bundle.files:
        name = _answers_to(path, file)
        if name is not None and name in wanted:
            holders[name, file.binary.image.architecture].setdefault(path.resolve(), path)
    for (name, _), paths in sorted(holders.items()):
        if len(paths) > 1:
            yield from _judge(subject, name, sorted(paths.values()))


def _answers_to(path: Path, file: NativeFile) -> str | None:
    """The name that others ask for when they need the file; None for one that has none."""
    image = file.binary.image
    if image.format is Format.ELF:
        return image.soname
    return path.name.lower() if image.format is Format.PE else None


def _judge(subject: Subject, name: str, paths: list[Path]) -> Iterator[Finding]:
    """Identical copies cost room and no more; of different ones, one is the wrong one."""
    digests: dict[Path, str] = {}
    for path in paths:
        with suppress(OSError):  # it has vanished since
            digests[path] = hash_file(path).hex()
    if len(digests) < 2:
        return
    same = len(set(digests.values())) == 1
    alike = same or _are_of_one_build(subject, digests)
    files = ((subject.inside(p), digest[:12]) for p, digest in digests.items())
    yield Finding(
        id="duplicate-library",
        severity=Severity.NOTE if alike else Severity.WARNING,
        subject=name,
        message=f"`{name}` is in the bundle {len(digests)} times, "
        + (
            "each time the same"
            if same
            else "each time from one build"
            if alike
            else "with different contents"
        ),
        evidence=(
            *(("file", f"{name} (sha256 {digest}…)") for name, digest in files),
            *(() if alike else _iter_users(subject, frozenset(digests))),
        ),
        hint="one of them would do"
        if alike
        else "the one that is loaded first serves all: leave one, or give them different names, as "
        "auditwheel and delvewheel do",
    )


def _are_of_one_build(subject: Subject, paths: Collection[Path]) -> bool:
    """Whether files have one build id and the same code: patchelf and strip leave both alone."""
    files, builds = dict(subject.bundle.files), set()
    for path in paths:
        image = files[path].binary.image
        note = next((s for s in image.sections if s.name == _BUILD_ID), None)
        if note is None:
            return False
        parts = [(note.offset, note.size)]
        parts += [(s.offset, s.size) for s in image.segments if s.executable]
        try:
            with map_file(path) as data:
                builds.add(b"".join(data[offset : offset + size] for offset, size in parts))
        except UnreadableFile:
            return False
    return len(builds) == 1


def _iter_users(subject: Subject, paths: frozenset[Path]) -> Iterator[tuple[str, str]]:
    """Which file each user would take if it were the first to ask."""
    users = {
        (subject.inside(edge.needed_by), subject.inside(edge.path))
        for edge in subject.edges
        if edge.path in paths
    }
    for user, library in sorted(users):
        yield "needed by", f"{user}, which finds {library}"
