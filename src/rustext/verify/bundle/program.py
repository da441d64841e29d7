"""Find out what a program is: which freezer made it, and which modules it carries inside.

In: an executable. Out: a `Program`. Neither freezer has to be installed, and nothing is executed.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rustext.discovery.module_names import packages_of
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.formats.binary import map_file, open_binary
from rustext.model.image import Binary, ImageKind
from rustext.verify.bundle.module_tables import find_nuitka_modules
from rustext.verify.bundle.nuitka_code import NuitkaCode, find_nuitka_code
from rustext.verify.bundle.pyinstaller_archive import (
    Archive,
    find_beside,
    is_bootloader,
    parse_archive,
)

_FOLDER_HOOK = b"sys_path_hook"  # the name of a method of Nuitka's loader
NO_ARCHIVE = "it ends without the archive that PyInstaller puts there"


class Freezer(Enum):
    """Who made the bundle."""

    NUITKA = "nuitka"
    PYINSTALLER = "pyinstaller"
    CX_FREEZE = "cx_freeze"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The file that starts the bundle, and the modules that it carries inside.

    `damage` says why these cannot be read: nothing is known then of the modules that are missing.
    """

    path: Path
    binary: Binary
    freezer: Freezer
    modules: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()  # those of `modules` that Nuitka's table has as files
    python: tuple[int, int] | None = None
    archive: Archive | None = None  # PyInstaller's
    beside: Path | None = None  # the file that the archive is in, if not the program itself
    code: NuitkaCode | None = None  # Nuitka's, where it was found
    damage: str | None = None
    isolated: bool = False  # Nuitka's, built with `--python-flag=isolated`

    def finds_file(self, module: str) -> bool:
        """Whether an import of a module gets to a file of that name in the bundle's folders.

        Nuitka's programs have an entry in `sys.path_hooks` that answers for the folders of the
        packages in the table, and knows the modules of the table alone. An isolated one has none,
        and an empty `sys.path`: it finds files in these folders, and in no others.
        """
        if self.freezer is not Freezer.NUITKA or module in self.modules:
            return True
        return self.modules.isdisjoint(packages_of(module)) is not self.isolated

    @property
    def library(self) -> str:
        """The file of Python's that PyInstaller's program opens, "" where it names none."""
        return self.archive.library if self.archive is not None else ""

    @property
    def carrier(self) -> Path:
        """The file that the modules are in."""
        return self.beside or self.path


def read_program(path: Path) -> Program | None:
    """Read an executable; None for a native file that nothing starts.

    Raises `InvalidBinary` or `UnreadableFile`.
    """
    with open_binary(path) as (binary, data):
        if binary.image.kind is not ImageKind.EXECUTABLE:
            return None
        return parse_program(path, binary, data)


def parse_program(path: Path, binary: Binary, data: mmap.mmap) -> Program:
    """The same for a file that is open; what its header calls it does not matter."""
    try:
        archive = parse_archive(data)
        if archive is not None:
            return _with_archive(path, binary, archive)
        table = find_nuitka_modules(binary.image, data)
    except InvalidBinary as error:
        return Program(path=path, binary=binary, freezer=Freezer.PYINSTALLER, damage=str(error))
    if table is None and is_bootloader(data):
        return _without_archive(path, binary, find_beside(path, data))
    if table is None:
        return Program(path=path, binary=binary, freezer=Freezer.UNKNOWN)
    code = damage = None
    try:
        code = find_nuitka_code(data, table)
    except InvalidBinary as error:
        damage = str(error)
    return Program(
        path=path,
        binary=binary,
        freezer=Freezer.NUITKA,
        modules=table.modules,
        extensions=table.extensions,
        code=code,
        damage=damage,
        isolated=data.find(_FOLDER_HOOK) < 0,
    )


def _with_archive(
    path: Path, binary: Binary, archive: Archive, beside: Path | None = None
) -> Program:
    return Program(
        path=path,
        binary=binary,
        freezer=Freezer.PYINSTALLER,
        modules=archive.modules,
        python=archive.python,
        archive=archive,
        beside=beside,
    )


def _without_archive(path: Path, binary: Binary, beside: Path | None) -> Program:
    """A program of PyInstaller's whose archive is `beside` it, or gone."""
    damage = NO_ARCHIVE
    if beside is not None:
        damage = f"its archive is to be in `{beside.name}` next to it, and is not"
        try:
            with map_file(beside) as data:
                archive = parse_archive(data)
        except (InvalidBinary, UnreadableFile) as error:
            reason = str(error).removeprefix(f"cannot read `{beside}`: ")
            damage = f"its archive `{beside.name}` next to it cannot be read: {reason}"
        else:
            if archive is not None:
                return _with_archive(path, binary, archive, beside)
    return Program(path=path, binary=binary, freezer=Freezer.PYINSTALLER, damage=damage)
