"""Where a freezer puts a native file and its libraries, and whether they still load there.

In: a native file, its library graph, and the folder that both come from. Out: what moves where
(`Move`), and findings about what will not survive the move. Nothing is copied or rewritten here;
libraries from outside that folder are the freezer's own decision, and are left out.

What the freezers do is theirs to change; this is how the newest releases that are tested do it.
Nuitka 4.3: `nuitka/freezer/Standalone.py` and `DllDependenciesMacOS.py`
(https://github.com/Nuitka/Nuitka/tree/4.3.3/nuitka/freezer). PyInstaller 6:
`PyInstaller/depend/bindepend.py` and `PyInstaller/utils/osx.py`
(https://github.com/pyinstaller/pyinstaller/tree/v6.22.0/PyInstaller).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, Image
from rustext.model.libraries import FoundBy, LibraryGraph, Missing
from rustext.model.native_file import NativeFile
from rustext.model.plan import Companion

# <mach-o/loader.h>: dylib_command and rpath_command without their names, linkedit_data_command.
_DYLIB_COMMAND, _RPATH_COMMAND, _LINKEDIT_COMMAND = 24, 12, 16
_HINT = "build it with `RUSTFLAGS='-C link-arg=-Wl,-headerpad_max_install_names'`"


class Layout(Enum):
    """The rules of one freezer."""

    NUITKA = "Nuitka"
    PYINSTALLER = "PyInstaller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A file's place in the bundle.

    `destination` is relative to the folder that takes the place of `site-packages`; `link` is the
    symbolic link to it that the freezer makes at the top of that folder.
    """

    source: Path
    destination: PurePosixPath
    link: PurePosixPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdits:
    """What a freezer tells `install_name_tool` to change in one image."""

    install_name: str | None = None  # the new one; None: as it is
    libraries: Mapping[str, str] = field(default_factory=dict)  # old name -> new name
    removed_rpaths: tuple[str, ...] = ()
    added_rpaths: tuple[str, ...] = ()


def iter_warnings(
    file: NativeFile,
    graph: LibraryGraph,
    site: Path | None,
    *,
    siblings: Iterable[tuple[Path, NativeFile]] = (),
    companions: Iterable[Companion] = (),
) -> Iterator[Finding]:
    """What will not load in one freezer's bundle or the other's; nothing for a file of no folder.

    `siblings` are the native files of the same distribution, which keep their places if Python
    imports them; so do its companions.
    """
    modules = [(path, sibling) for path, sibling in siblings if sibling.module is not None]
    fixed = {c.path: c.destination for c in companions}
    for layout in Layout:
        placed = {path: module_destination(sibling, layout) for path, sibling in modules}
        if site is not None:
            yield from check_destinations(file, graph, site, layout, placed={**fixed, **placed})


# --- what moves where -------------------------------------------------------------------------


def module_destination(file: NativeFile, layout: Layout) -> PurePosixPath:
    """The place of the file itself: both keep it in its package's folder.

    Nuitka names an extension module after the module, with the shortest suffix that Python looks
    for (`addExtensionModuleEntryPoint`); PyInstaller keeps the file's name.
    """
    if layout is Layout.PYINSTALLER or file.module is None or file.suffix is None:
        return file.path
    name = file.module.rpartition(".")[2]
    name = "__init__" if file.path.name.startswith("__init__.") else name
    return file.path.with_name(f"{name}.{file.suffix.rpartition('.')[2]}")


def iter_moves(
    file: NativeFile,
    graph: LibraryGraph,
    site: Path,
    layout: Layout,
    *,
    placed: Mapping[Path, PurePosixPath] = MappingProxyType({}),
) -> Iterator[Move]:
    """The file and each library below `site` that it brings in, once each.

    `placed` maps the files that the freezer already places: extension modules and companions
    keep that place. Of all others Nuitka makes flat copies at the top; PyInstaller keeps their
    folder, and links to them from the top.
    """
    yield Move(source=graph.root, destination=module_destination(file, layout))
    seen = {graph.root}
    for edge in graph.edges:
        if isinstance(edge, Missing) or edge.path is None or edge.how is FoundBy.SELF:
            continue
        source = Path(os.path.normpath(edge.path))
        if source in seen or not source.is_relative_to(site):
            continue
        seen.add(source)
        inside = PurePosixPath(source.relative_to(site).as_posix())
        top = PurePosixPath(source.name)
        if source in placed:
            yield Move(source=source, destination=placed[source])
        elif layout is Layout.NUITKA:
            yield Move(source=source, destination=top)
        else:
            yield Move(source=source, destination=inside, link=top if top != inside else None)


# --- whether it still loads -------------------------------------------------------------------


def check_destinations(
    file: NativeFile,
    graph: LibraryGraph,
    site: Path,
    layout: Layout,
    *,
    placed: Mapping[Path, PurePosixPath] = MappingProxyType({}),
) -> Iterator[Finding]:
    """What will not load after the move, for one native file."""
    moves = tuple(iter_moves(file, graph, site, layout, placed=placed))
    yield from find_collisions(moves, layout)
    yield from _check_names(file, graph, moves, layout)
    for image in file.binary.images:
        if image.format is Format.MACHO:
            yield from _check_header(file, image, graph, moves, layout)


def find_collisions(moves: Iterable[Move], layout: Layout) -> Iterator[Finding]:
    """Different files that end up under one name, where only one of them can stay."""
    taken: dict[PurePosixPath, Path] = {}
    for move in moves:
        for place in filter(None, (move.destination, move.link)):
            other = taken.setdefault(place, move.source)
            if other != move.source:
                yield Finding(
                    id="duplicate-library",
                    severity=Severity.WARNING,
                    subject=str(place),
                    message=f"{layout.value} gives one name, `{place}`, to two libraries",
                    evidence=(("first", str(other)), ("second", str(move.source))),
                    hint="if they differ, rename one of them where it is built",
                )


def _check_names(
    file: NativeFile, graph: LibraryGraph, moves: Iterable[Move], layout: Layout
) -> Iterator[Finding]:
    """ELF: run paths get adapted, needed names do not.

    An extension module that others need by its file's name cannot be found under another; and a
    name with a slash means one path on one machine.
    """
    placed = {move.source: move.destination for move in moves}
    said = set()
    for edge in graph.edges:
        if (
            isinstance(edge, Missing)
            or edge.path is None
            or edge.soname in said
            or file.binary.image.format is not Format.ELF
        ):
            continue
        destination = placed.get(Path(os.path.normpath(edge.path)))
        if destination is None or edge.how is FoundBy.SELF:
            continue
        said.add(edge.soname)
        if "/" in edge.soname:
            problem = f"needs `{edge.soname}` by its path, which {layout.value} does not change"
        elif destination.name != edge.soname:
            problem = f"needs `{edge.soname}`, which {layout.value} calls `{destination.name}`"
        else:
            continue
        yield Finding(
            id="missing-library",
            severity=Severity.WARNING,
            subject=edge.soname,
            message=f"`{edge.needed_by.name}` {problem}",
            evidence=(("needed by", str(edge.needed_by)), ("goes to", str(destination))),
            hint="it loads if the program imports that module first",
        )


# --- Mach-O headers ---------------------------------------------------------------------------


def header_edits(
    image: Image, graph: LibraryGraph, moves: Iterable[Move], layout: Layout
) -> HeaderEdits:
    """What the freezer changes in an image's load commands, for the first of `moves`."""
    placed = {move.source: move.destination for move in moves}
    destination = placed[graph.root]
    if layout is Layout.NUITKA:
        changed = {
            edge.soname: f"@executable_path/{place}"
            for edge in graph.edges
            if edge.path and edge.needed_by == graph.root
            if (place := placed.get(Path(os.path.normpath(edge.path)))) and place != destination
        }
        own = destination.name if image.soname is not None else None
        return HeaderEdits(install_name=own, libraries=changed)
    foreign = [n.name for n in image.needed if not _is_unchanged(n.name)]
    target = "/".join(("@loader_path", *(".." for _ in destination.parent.parts)))
    return HeaderEdits(
        install_name=f"@rpath/{PurePosixPath(image.soname).name}" if image.soname else None,
        libraries={name: f"@rpath/{PurePosixPath(name).name}" for name in foreign},
        removed_rpaths=tuple(dict.fromkeys(r for r in image.rpath if r != target)),
        added_rpaths=(target,) if foreign and target not in image.rpath else (),
    )


def _is_unchanged(name: str) -> bool:
    """What PyInstaller takes for the system's: macholib's `in_system_path`."""
    return name.startswith(("/System/", "/usr/")) and not name.startswith("/usr/local/")


def header_growth(image: Image, edits: HeaderEdits) -> int:
    """The bytes by which the load commands grow; less than zero where they shrink.

    A name is stored with its NUL, and each command filled up to a multiple of the word size
    (<mach-o/loader.h>). A file without a signature gets that command too: all code on arm64 must
    be signed, and both freezers sign all that they change.
    """
    word = image.bits // 8

    def size(fixed: int, name: str) -> int:
        return -(-(fixed + len(name.encode()) + 1) // word) * word

    growth = 0
    if edits.install_name is not None and image.soname is not None:
        growth += size(_DYLIB_COMMAND, edits.install_name) - size(_DYLIB_COMMAND, image.soname)
    for needed in image.needed:
        new = edits.libraries.get(needed.name, needed.name)
        growth += size(_DYLIB_COMMAND, new) - size(_DYLIB_COMMAND, needed.name)
    growth += sum(size(_RPATH_COMMAND, rpath) for rpath in edits.added_rpaths)
    growth -= sum(size(_RPATH_COMMAND, r) for r in image.rpath if r in edits.removed_rpaths)
    return growth + (0 if image.signature else _LINKEDIT_COMMAND)


def _check_header(
    file: NativeFile, image: Image, graph: LibraryGraph, moves: tuple[Move, ...], layout: Layout
) -> Iterator[Finding]:
    """`install_name_tool` cannot move what follows the load commands, and fails."""
    edits = header_edits(image, graph, moves, layout)
    growth = header_growth(image, edits)
    if image.header_pad is None or growth <= image.header_pad:
        return
    changes = [*edits.libraries.items(), *((r, "removed") for r in edits.removed_rpaths)]
    yield Finding(
        id="install-name",
        severity=Severity.ERROR,
        subject=str(file.path),
        message=(
            f"`{file.path.name}` ({image.architecture}) has {image.header_pad} bytes of room for "
            f"new install names, and {layout.value} needs {growth}"
        ),
        evidence=(
            *(("changes", f"{old} -> {new}") for old, new in changes if old != new),
            *(("adds", f"run path {rpath}") for rpath in edits.added_rpaths),
        ),
        hint=_HINT,
    )
