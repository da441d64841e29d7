"""Read a finished bundle: which freezer made it, what runs, and what is in it.

In: the folder that a freezer left. Out: a `Bundle`. Files are read, nothing is executed; neither
freezer has to be installed.
"""

from __future__ import annotations

import contextlib
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

from rustext.binary import open_binary
from rustext.discover import Source, folder_source, iter_native_files
from rustext.errors import InvalidBinary, InvalidBundle, UnreadableFile
from rustext.model import Binary, ImageKind, NativeFile
from rustext.verify.module_tables import find_builtin_modules, find_nuitka_modules
from rustext.verify.pyinstaller_archive import parse_archive


class Freezer(Enum):
    """Who made the bundle."""

    NUITKA = "nuitka"
    PYINSTALLER = "pyinstaller"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The file that starts the bundle, and the modules that it carries inside."""

    path: Path
    binary: Binary
    freezer: Freezer
    modules: frozenset[str]
    python: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A finished bundle.

    `contents` is the folder that takes the place of `site-packages`: PyInstaller's `_internal`,
    otherwise the bundle's own.
    """

    root: Path
    contents: Path
    program: Program
    files: tuple[tuple[Path, NativeFile], ...]
    modules: frozenset[str]


def read_bundle(root: Path) -> Bundle:
    """Read the folder of a bundle.

    Raises `InvalidBundle` if it holds no program, `UnreadableFile` if it cannot be listed.
    """
    if not root.exists():
        raise UnreadableFile(f"{root} does not exist")
    if not root.is_dir():
        raise InvalidBundle(
            f"{root} is a file, not the folder of a bundle", hint="name the folder that holds it"
        )
    root = root.resolve()
    program = _find_program(root)
    contents = _find_contents(root, program)
    files = tuple(_iter_files(root, contents))
    extensions = {file.module for _, file in files if file.module is not None}
    return Bundle(
        root=root,
        contents=contents,
        program=program,
        files=files,
        modules=frozenset(
            {
                *program.modules,
                *extensions,
                *_iter_loose_modules(contents),
                *_find_builtins(program, files),
            }
        ),
    )


def _find_program(root: Path) -> Program:
    try:
        candidates = sorted(p for p in root.iterdir() if p.is_file())
    except OSError as error:
        raise UnreadableFile(f"{root} cannot be listed: {error.strerror}") from error
    programs = []
    for path in candidates:
        with contextlib.suppress(InvalidBinary, UnreadableFile):
            program = _read_program(path)
            if program is not None:
                programs.append(program)
    if not programs:
        raise InvalidBundle(
            f"{root} holds no program",
            hint="name the folder that the freezer reported, such as dist/app or app.dist",
        )
    known = [p for p in programs if p.freezer is not Freezer.UNKNOWN]
    return (known or programs)[0]


def _read_program(path: Path) -> Program | None:
    with open_binary(path) as (binary, data):
        if binary.image.kind is not ImageKind.EXECUTABLE:
            return None
        archive = parse_archive(data)
        if archive is not None:
            return Program(
                path=path,
                binary=binary,
                freezer=Freezer.PYINSTALLER,
                modules=archive.modules,
                python=archive.python,
            )
        modules = find_nuitka_modules(binary.image, data)
        freezer = Freezer.UNKNOWN if modules is None else Freezer.NUITKA
        return Program(path=path, binary=binary, freezer=freezer, modules=modules or frozenset())


def _find_contents(root: Path, program: Program) -> Path:
    inner = root / "_internal"  # `contents_directory` in a spec file; its default since 6.0
    if program.freezer is Freezer.PYINSTALLER and not inner.is_dir():
        archives = sorted(root.glob("*/base_library.zip"))
        return archives[0].parent if archives else root
    return inner if program.freezer is Freezer.PYINSTALLER else root


def _iter_files(root: Path, contents: Path) -> Iterator[tuple[Path, NativeFile]]:
    """All native files, named as seen from the folder that is on `sys.path`."""
    inside: Source = folder_source(contents)
    yield from iter_native_files(inside)
    if contents != root:
        outside = [p for p in root.rglob("*") if not p.is_relative_to(contents)]
        yield from iter_native_files(Source(root=root, packages={}), outside)


def _find_builtins(program: Program, files: tuple[tuple[Path, NativeFile], ...]) -> frozenset[str]:
    """The built-in modules: in the program where Python is linked into it, or in libpython."""
    pythons = [p for p, f in files if f.path.name.startswith(("libpython", "Python", "python3"))]
    for path in (program.path, *pythons):
        with contextlib.suppress(InvalidBinary), open_binary(path) as (binary, data):
            found = find_builtin_modules(binary.image, data)
            if found is not None:
                return found
    return frozenset(sys.builtin_module_names)  # a Python outside of the bundle, or no ELF file


def _iter_loose_modules(contents: Path) -> Iterator[str]:
    """Modules that stand as files: PyInstaller's `base_library.zip` and `.py` or `.pyc` files."""
    library = contents / "base_library.zip"
    if library.is_file():
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(library) as archive:
            for name in archive.namelist():
                yield _module_name(PurePosixPath(name))
    for path in contents.rglob("*.py*"):
        if path.suffix in {".py", ".pyc"}:
            yield _module_name(PurePosixPath(path.relative_to(contents).as_posix()))
    for folder in contents.glob("python3.*/lib-dynload"):
        for path in folder.iterdir():
            yield path.name.partition(".")[0]


def _module_name(path: PurePosixPath) -> str:
    parts = path.parent.parts if path.stem == "__init__" else (*path.parent.parts, path.stem)
    return ".".join(parts)
