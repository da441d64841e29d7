"""Read the folder of a bundle: which freezer made it, what runs, and what is in it.

In: the folder that a freezer left, or any other with native files. Out: a `Bundle`. Files are
read, nothing is executed; neither freezer has to be installed. One-file programs are for
`rustext.verify.onefile.open_bundle`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rustext.data import read_data
from rustext.errors import InvalidBinary, InvalidBundle, NotABundle, UnreadableFile
from rustext.formats.binary import open_binary
from rustext.model.image import Image, ImageKind
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.interpreters import iter_interpreters
from rustext.verify.bundle.loose_modules import (
    LibraryModule,
    find_libraries,
    iter_loose_modules,
    read_library,
)
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
from rustext.verify.bundle.program import NO_ARCHIVE, Freezer, Program, read_program
from rustext.verify.bundle.tree import Link, Tree, read_tree

_BASE = "/base_library.zip"
# By a file in it.
_OTHERS = {
    "Analysis-00.toc": ("the folder that PyInstaller works in", "name the one in dist"),
    "pyvenv.cfg": ("a virtual environment", "`rustext scan` lists what is in one"),
}
_BESIDE = {"Analysis-00.toc": (".",), "pyvenv.cfg": ("bin", "Scripts")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A finished bundle.

    `contents` is the folder that takes the place of `site-packages`: PyInstaller's `_internal`,
    cx_Freeze's `lib`, a folder in a macOS application, otherwise the bundle's own. `program` is
    None for a folder that holds none; `programs` are all that the freezer made, each with modules
    of its own, and `shared` the modules that all of them find. `origin` is the one-file program
    that `root` was unpacked from, where `twin` is its second name.
    """

    root: Path
    contents: Path
    program: Program | None
    freezer: Freezer
    image: Image  # of the program or, without one, of the files that are most alike
    files: tuple[tuple[Path, NativeFile], ...]
    modules: frozenset[str]  # of all programs
    programs: tuple[Program, ...] = ()
    shared: frozenset[str] = frozenset()
    libraries: tuple[LibraryModule, ...] = ()  # modules in zip files on `sys.path`
    loose: Mapping[str, Path] = field(default_factory=dict)  # modules that are files of bytecode
    unreadable: tuple[Unreadable, ...] = ()
    builtins: frozenset[str] | None = None  # and frozen modules, where the interpreter lists them
    links: tuple[Link, ...] = ()  # those that lead out of the bundle, or nowhere
    origin: Path | None = None
    twin: Path | None = None

    @property
    def path(self) -> Path:
        """What the user knows the bundle by: its folder, or the one file that it is."""
        return self.origin or self.root

    @property
    def builtins_known(self) -> bool:
        """Whether the bundle's own interpreter lists its built-in modules."""
        return self.builtins is not None

    @property
    def start(self) -> Path | None:
        """The file that a user starts."""
        return self.origin or (self.program.path if self.program is not None else None)

    @property
    def namespaces(self) -> frozenset[str]:
        """The packages without code of their own, as far as they are known to be that."""
        archives = [p.archive for p in self.programs if p.archive is not None]
        return frozenset(s.name for a in archives for s in a.code if s.size == 0)

    def modules_of(self, program: Program) -> frozenset[str]:
        """The modules that one program of the bundle can import."""
        return program.modules | self.shared

    def inside(self, path: Path) -> str:
        """A path as findings name it: beginning with the bundle's own name."""
        root = self.root.parent
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

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
    if root.resolve() == root.resolve().parent:
        raise InvalidBundle(
            f"{root} is the root of a file system, not the folder of a bundle",
            hint="name the folder that holds it",
        )
    if not root.is_dir():
        what = "a file, not the folder of a bundle" if root.is_file() else "no folder and no file"
        raise InvalidBundle(
            f"{root} is {what}",
            hint="name the folder or the executable that the freezer reported",
        )
    if other := describe_other(root):
        raise NotABundle(f"{root} is {other[0]}, not a bundle", hint=other[1])
    return read_contents(root.resolve(), cached=cached)


def describe_other(folder: Path) -> tuple[str, str] | None:
    """What a folder is that is often named in place of a bundle, and what to do."""
    with contextlib.suppress(OSError):  # one that is closed to us, which whoever reads it will say
        for name, said in _OTHERS.items():
            if (folder / name).is_file() and any((folder / one).is_dir() for one in _BESIDE[name]):
                return said
    return None


def read_contents(root: Path, *, program: Program | None = None, cached: bool = False) -> Bundle:
    """Read a folder; `program` is what starts it, where that is known already."""
    tree = read_tree(root)
    if any(not u.path for u in tree.unlisted):
        raise UnreadableFile(f"{root} cannot be listed: {tree.unlisted[0].reason}")
    app = find_app(tree)
    if app is not None:
        tree = without_links(tree)
    programs = _find_programs(tree, app) if program is None else (program,)
    program = next(iter(programs), None)
    contents = app.contents if app is not None else _find_contents(tree, program)
    freezer = _name_freezer(tree, program, contents)
    if freezer is not Freezer.CX_FREEZE and program and program.freezer is Freezer.UNKNOWN:
        programs = programs[:1]
    programs = tuple(_of_freezer(one, freezer) for one in programs)
    program = next(iter(programs), None)
    resources = [app.resources] if app is not None else []
    frozen = freezer is Freezer.PYINSTALLER
    folders = search_path(tree, contents, *resources, frozen=frozen)
    natives = read_natives(tree, folders, cached=cached)
    loadable = any(f.binary.image.kind is not ImageKind.OTHER for _, f in natives.files)
    if program is None and not loadable and not natives.unreadable:
        other = tree.files and freezer is Freezer.UNKNOWN  # documents, sources, object files
        raise (NotABundle if other else InvalidBundle)(
            f"{root} holds no program and no native file",
            hint="name the folder that the freezer reported, such as dist/app or app.dist",
        )
    image = program.binary.image if program is not None else _commonest(natives)
    if image is None:
        raise InvalidBundle(f"{root} holds no native file that can be read, {_first(natives)}")
    libraries = [read_library(path) for path in find_libraries(tree)]
    members = tuple(m for library in libraries if isinstance(library, tuple) for m in library)
    loose = dict(iter_loose_modules(tree, folders))
    extensions = {file.module for _, file in natives.files if file.module is not None}
    builtins = _find_builtins(program, natives.files)
    known = read_data("stdlib")
    files = extensions | loose.keys()
    if programs:
        files = {name for name in files if any(p.finds_file(name) for p in programs)}
    shared = frozenset(
        {
            *(files | {m.name for m in members}),
            *known["always"],
            *(builtins or {*sys.builtin_module_names, *known["frozen"]}),
        }
    )
    return Bundle(
        root=tree.root,
        contents=tree.path(contents) if contents else tree.root,
        program=program,
        freezer=freezer,
        image=image,
        files=natives.files,
        modules=shared.union(*(p.modules for p in programs)),
        programs=programs,
        shared=shared,
        libraries=members,
        loose=loose,
        builtins=builtins,
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


def _find_programs(tree: Tree, app: App | None) -> tuple[Program, ...]:
    """The programs at the top of the folder that a freezer made, or else the others.

    Where there is none at the top, those of PyInstaller's in a folder below it count, as where a
    launcher lies beside the folder. Raises `NotABundle` for several such folders.
    """
    if app is not None:
        programs = list(_iter_programs(tree, app.programs))
    else:
        programs = list(_iter_programs(tree, (name for name in tree.files if "/" not in name)))
    known = [p for p in programs if p.freezer is not Freezer.UNKNOWN]
    folders = _find_below(tree) if not known and app is None else frozenset()
    if len(folders) > 1:
        raise NotABundle(
            f"{tree.root} holds {len(folders)} bundles",
            hint=f"name one: {', '.join(sorted(folders))}",
        )
    if folders:
        below = (name for name in tree.files if name.rpartition("/")[0] in folders)
        known = [p for p in _iter_programs(tree, below) if p.archive is not None]
    whole = [p for p in known if p.damage is None]
    # What is left of a program, and cannot be started either, is a copy that somebody has put away.
    broken = [p for p in known if p.damage is not None]
    broken = [p for p in broken if not whole or os.access(p.path, os.X_OK)]
    return tuple([*whole, *broken] or programs)


def _iter_programs(tree: Tree, names: Iterable[str]) -> Iterator[Program]:
    for name in names:
        path = tree.path(name)
        with contextlib.suppress(InvalidBinary, UnreadableFile, OSError):
            program = read_program(path) if unreasonable_size(path) is None else None
            if program is not None:
                yield program


def _find_below(tree: Tree) -> frozenset[str]:
    """The folders below the top that hold what PyInstaller's programs look for beside them."""
    contents = (path.rpartition("/")[0] for path in tree.files if path.endswith(_BASE))
    return frozenset(path.rpartition("/")[0] for path in contents if "/" in path)


def _find_contents(tree: Tree, program: Program | None) -> str:
    """The folder that takes the place of `site-packages`, "" for the root."""
    if program is not None and program.archive is not None and program.archive.contents:
        folder = program.path.parent.relative_to(tree.root)
        named = (folder / program.archive.contents).as_posix()
        if tree.path(named).is_symlink():  # to a folder of another name
            target = Path(os.path.realpath(tree.path(named)))
            inside = target.is_relative_to(tree.root)
            named = target.relative_to(tree.root).as_posix() if inside else ""
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
    """Who made the bundle; where the program does not say, the files next to it may."""
    if program is not None and program.freezer is not Freezer.UNKNOWN:
        return program.freezer
    files = set(tree.files)
    if f"{contents}/base_library.zip".lstrip("/") in files:
        return Freezer.PYINSTALLER
    return Freezer.CX_FREEZE if "lib/library.zip" in files else Freezer.UNKNOWN


def _of_freezer(program: Program, freezer: Freezer) -> Program:
    """A program whose freezer may be known by the files next to it alone."""
    if program.freezer is freezer:
        return program
    if freezer is Freezer.PYINSTALLER:
        return replace(program, freezer=freezer, damage=NO_ARCHIVE)
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
) -> frozenset[str] | None:
    """The modules in the program where Python is linked into it, or in libpython.

    None for a Python outside of the bundle, and where no table of them is found.
    """
    for path in iter_interpreters(program, files):
        with (
            contextlib.suppress(InvalidBinary, UnreadableFile),
            open_binary(path) as (binary, data),
        ):
            found = find_builtin_modules(binary.image, data)
            if found is not None:
                return found | find_frozen_modules(binary.image, data)
    return None
