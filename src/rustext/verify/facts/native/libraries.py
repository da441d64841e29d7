"""Resolve the libraries of every native file of a bundle, and match Mach-O names with its files."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rustext.discovery.extension_suffixes import split_suffix
from rustext.errors import TooComplex
from rustext.formats.binary import read_linkage
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.image import Binary, Format, NeedKind
from rustext.model.libraries import Edge, Missing
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer

_LIMIT = 250_000  # libraries and places looked at; real bundles take some 7 for each native file


def resolve_bundle(bundle: Bundle, note: Callable[[Path, TooComplex], None]) -> tuple[Edge, ...]:
    """What the loader would find for the program and for each native file, once each.

    A file that names libraries without end is handed to `note`, and has no edges.
    """
    program = bundle.program.path if bundle.program is not None else None
    # PyInstaller's bootloader sets LD_LIBRARY_PATH to its folder and starts itself again:
    # https://pyinstaller.org/en/stable/runtime-information.html#ld-library-path-libpath-considerations
    path = (str(bundle.contents),) if bundle.freezer is Freezer.PYINSTALLER else ()
    # On Windows it names the same folder to SetDllDirectory, which LOAD_LIBRARY_SEARCH_USER_DIRS,
    # a part of CPython's flags, searches as well (Microsoft's page on LoadLibraryExW).
    folders = (bundle.contents,) if path and bundle.image.format is Format.PE else ()
    known = {native: file.binary for native, file in bundle.files}
    edges: dict[Edge, None] = {}

    def read(native: Path) -> Binary:
        return known.get(native) or read_linkage(native)

    def resolve_next(natives: Iterable[Path]) -> None:
        """Resolve files in a process that has what was resolved so far."""
        loaded = {e.soname: e.path for e in edges if e.path}
        loader = Loader(
            executable=program, library_path=path, dll_directories=folders, loaded=loaded
        )
        resolver = Resolver(loader=loader, read=read, limit=_LIMIT)
        for native in natives:
            edges.update(_resolve(resolver, native, note))

    # PyInstaller's bootloader opens Python's library, with all that it needs, before any other.
    library = bundle.program.library if bundle.program is not None else ""
    first = [p for p in (program, bundle.contents / library) if p in {program, *known}]
    for native in filter(None, first):
        resolve_next([native])
    resolve_next(native for native in known if native not in first)
    return tuple(edges)


def _resolve(
    resolver: Resolver, native: Path, note: Callable[[Path, TooComplex], None]
) -> dict[Edge, None]:
    try:
        return dict.fromkeys(resolver.resolve(native).edges)
    except TooComplex as error:
        note(native, error)
        return {}


def file_names(bundle: Bundle) -> Mapping[str, tuple[Path, NativeFile]]:
    """The Mach-O files of a bundle by what a needed name may end in: file name or module name."""
    names: dict[str, tuple[Path, NativeFile]] = {}
    for path, file in bundle.files:
        if file.binary.image.format is Format.MACHO:
            names.setdefault(path.name, (path, file))
            if file.module is not None:
                names.setdefault(f"{file.module} (module)", (path, file))
    return names


def find_meant(names: Mapping[str, tuple[Path, NativeFile]], edge: Edge) -> Path | None:
    """The file of the bundle that a name means which dyld does not find; None if there is none.

    `names` are those of `file_names`. A name with the suffix of another Python means the module.
    Weak libraries may be absent; and dyld knows a file by its own name once something has loaded
    it, as packages do on purpose with names below `@rpath`.
    """
    if not isinstance(edge, Missing) or edge.kind is NeedKind.WEAK or "/" not in edge.soname:
        return None
    last = posixpath.basename(edge.soname)
    stem, suffix = split_suffix(last)
    found = names.get(last) or (names.get(f"{stem} (module)") if suffix is not None else None)
    if found is None:
        return None
    path, file = found
    if path in {refused.resolve() for refused in edge.refused}:
        return None  # it does lead there, and that file cannot be loaded
    answers = edge.soname in {image.soname for image in file.binary.images}
    return None if answers and edge.soname.startswith("@rpath/") else path
