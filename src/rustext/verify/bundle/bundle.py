"""Read the folder of a bundle: which freezer made it, what runs, and what is in it.

In: the folder that a freezer left, or any other with native files. Out: a `Bundle`. Files are
read, nothing is executed; neither freezer has to be installed. One-file programs are for
`rustext.verify.onefile.open_bundle`.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rustext.errors import InvalidBinary, InvalidBundle, UnreadableFile
from rustext.formats.binary import open_binary
from rustext.model.image import Image, ImageKind
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.loose_modules import find_libraries, iter_loose_modules, read_library
from rustext.verify.bundle.macos_app import App, find_app, without_links
from rustext.verify.bundle.module_tables import find_builtin_modules, find_frozen_modules
from rustext.verify.bundle.native_files import (
    Natives,
    Unreadable,
    is_named_native,
    read_natives,
    search_path,
    unreasonable_size,
)
from rustext.verify.bundle.program import Freezer, Program, read_program
from rustext.verify.bundle.tree import Link, Tree, read_tree

__all__ = ["Bundle", "Freezer", "Program", "read_bundle", "read_contents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A finished bundle.

    `contents` is the folder that takes the place of `site-packages`: PyInstaller's `_internal`,
    cx_Freeze's `lib`, a folder in a macOS application, otherwise the bundle's own. `program` is
    None for a folder that holds none. `origin` is the one-file program that `root` was unpacked
    from, where it has a second name.
    """

    root: Path
    contents: Path
    program: Program | None
    freezer: Freezer
    image: Image  # of the program or, without one, of the files that are most alike
    files: tuple[tuple[Path, NativeFile], ...]
    modules: frozenset[str]
    unreadable: tuple[Unreadable, ...] = ()
    links: tuple[Link, ...] = ()  # those that lead out of the bundle, or nowhere
    origin: Path | None = None

    @property
    def path(self) -> Path:
        """What the user knows the bundle by: its folder, or the one file that it is."""
        return self.origin or self.root

    @property
    def start(self) -> Path | None:
        """The file that a user starts."""
        return self.origin or (self.program.path if self.program is not None else None)

    def holds(self, path: Path) -> bool:
        """Whether a file is a part of the bundle, links followed."""
        return path.resolve().is_relative_to(self.root)


def read_bundle(root: Path, *, cached: bool = False) -> Bundle:
    """Read the folder of a bundle; `cached`: what an earlier run found in a file may be used.

    Raises `InvalidBundle` if it holds no native file at all, `UnreadableFile` if it cannot be
    listed.
    """
    if not root.exists():
        raise UnreadableFile(f"{root} does not exist")
    if not root.is_dir():
        raise InvalidBundle(
            f"{root} is a file, not the folder of a bundle", hint="name the folder that holds it"
        )
    return read_contents(root.resolve(), cached=cached)


def read_contents(root: Path, *, program: Program | None = None, cached: bool = False) -> Bundle:
    """Read a folder; `program` is what starts it, where that is known already."""
    tree = read_tree(root)
    if any(not u.path for u in tree.unlisted):
        raise UnreadableFile(f"{root} cannot be listed: {tree.unlisted[0].reason}")
    app = find_app(tree)
    if app is not None:
        tree = without_links(tree)
    program = program or _find_program(tree, app)
    contents = app.contents if app is not None else _find_contents(tree, program)
    freezer = _name_freezer(tree, program, contents)
    if program is not None and freezer is not program.freezer:
        program = _without_archive(program, freezer)
    folders = search_path(tree, contents, *([app.resources] if app is not None else []))
    natives = read_natives(tree, folders, cached=cached)
    if program is None and not natives.files and not natives.unreadable:
        raise InvalidBundle(
            f"{root} holds no program and no native file",
            hint="name the folder that the freezer reported, such as dist/app or app.dist",
        )
    image = program.binary.image if program is not None else _commonest(natives)
    if image is None:
        raise InvalidBundle(f"{root} holds no native file that can be read, {_first(natives)}")
    libraries = [read_library(path) for path in find_libraries(tree)]
    loose = frozenset().union(
        iter_loose_modules(tree, folders), *(lib for lib in libraries if isinstance(lib, frozenset))
    )
    extensions = {file.module for _, file in natives.files if file.module is not None}
    builtins = _find_builtins(program, natives.files)
    return Bundle(
        root=tree.root,
        contents=tree.path(contents) if contents else tree.root,
        program=program,
        freezer=freezer,
        image=image,
        files=natives.files,
        modules=frozenset(
            {*(program.modules if program is not None else ()), *extensions, *loose, *builtins}
        ),
        unreadable=(
            *natives.unreadable,
            *(library for library in libraries if isinstance(library, Unreadable)),
            *(
                Unreadable(
                    path=tree.path(u.path),
                    reason=u.reason,
                    native=u.folder or is_named_native(u.path),
                )
                for u in tree.unlisted
            ),
        ),
        links=tree.links,
    )


def _find_program(tree: Tree, app: App | None) -> Program | None:
    """The program at the top of the folder; one that a freezer made goes before others."""
    programs = []
    for name in app.programs if app is not None else tree.files:
        if "/" not in name or app is not None:
            path = tree.path(name)
            with contextlib.suppress(InvalidBinary, UnreadableFile, OSError):
                program = read_program(path) if unreasonable_size(path) is None else None
                if program is not None:
                    programs.append(program)
    known = [p for p in programs if p.freezer is not Freezer.UNKNOWN]
    return next(iter(known or programs), None)


def _find_contents(tree: Tree, program: Program | None) -> str:
    """The folder that takes the place of `site-packages`, "" for the root."""
    if program is not None and program.archive is not None and program.archive.contents:
        named = program.archive.contents
        return named if named in tree.folders else ""
    if program is not None and program.freezer is Freezer.NUITKA:
        return ""
    # A folder whose program says nothing, or is gone: PyInstaller's and cx_Freeze's own.
    for library in ("base_library.zip", "lib/library.zip"):
        found = [path for path in tree.files if path.endswith(library) and path.count("/") <= 1]
        if found:
            return found[0].rpartition("/")[0]
    return ""


def _name_freezer(tree: Tree, program: Program | None, contents: str) -> Freezer:
    """Who made the bundle; where the program does not say, what stands beside it may."""
    if program is not None and program.freezer is not Freezer.UNKNOWN:
        return program.freezer
    files = set(tree.files)
    if f"{contents}/base_library.zip".lstrip("/") in files:
        return Freezer.PYINSTALLER
    return Freezer.CX_FREEZE if "lib/library.zip" in files else Freezer.UNKNOWN


def _without_archive(program: Program, freezer: Freezer) -> Program:
    """A program whose freezer is known by what stands beside it."""
    if freezer is Freezer.PYINSTALLER:
        damage = "it ends without the archive that PyInstaller puts there"
        return replace(program, freezer=freezer, damage=damage)
    return replace(program, freezer=freezer)


def _commonest(natives: Natives) -> Image | None:
    """An image for the platform that most files are for."""
    images = [file.binary.image for _, file in natives.files]
    if not images:
        return None
    loadable = [i for i in images if i.kind is not ImageKind.OTHER] or images
    (most, _), *_ = Counter((i.format, i.architecture) for i in loadable).most_common(1)
    return next(i for i in loadable if (i.format, i.architecture) == most)


def _first(natives: Natives) -> str:
    first = natives.unreadable[0]
    return f"beginning with {first.path.name}: {first.reason}"


def _find_builtins(
    program: Program | None, files: Sequence[tuple[Path, NativeFile]]
) -> frozenset[str]:
    """The modules in the program where Python is linked into it, or in libpython."""
    for path in _iter_pythons(program, files):
        with (
            contextlib.suppress(InvalidBinary, UnreadableFile),
            open_binary(path) as (binary, data),
        ):
            found = find_builtin_modules(binary.image, data)
            if found is not None:
                return found | find_frozen_modules(binary.image, data)
    return frozenset(sys.builtin_module_names)  # a Python outside of the bundle, or no ELF file


def _iter_pythons(
    program: Program | None, files: Sequence[tuple[Path, NativeFile]]
) -> Iterator[Path]:
    if program is not None:
        yield program.path
    for path, file in files:
        if file.path.name.startswith(("libpython", "Python", "python3")):
            yield path
