"""Look up the code of a program's modules, wherever the freezer has put it.

In: a program and its bundle. Out: a `Module` for each name that is asked for, with its code where
that is bytecode that can be followed. Bytecode is in PyInstaller's archive, among Nuitka's
constants, in zip files on `sys.path` (`base_library.zip`, `library.zip`) and in `.pyc` files.
Sources are compiled where this Python is of the version that would do so, and never run. What is
read is bounded, one module by one and all in all; damaged code is no error here: it cannot be
followed.
"""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rustext.discovery.wheels import ARCHIVE_ERRORS
from rustext.environment.python_source import compile_source
from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.files.untrusted import open_file
from rustext.formats.marshal_reader import Code, parse_code
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.loose_modules import LibraryModule, read_member
from rustext.verify.bundle.nuitka_code import find_texts
from rustext.verify.bundle.program import Program
from rustext.verify.bundle.pyinstaller_archive import StoredCode, inflate
from rustext.verify.bytecode.instructions import is_known

_MODULE_LIMIT = 32 << 20  # bytes of one module's code; the largest real ones take 2 MiB
_TOTAL_LIMIT = 512 << 20
_PYC_HEADER = 16  # bytes: https://peps.python.org/pep-0552/
_UNCHECKED = 1  # the flags of a .pyc that counts whatever its source is


@dataclass(frozen=True, slots=True)
class Module:
    """A module that is in a bundle; `code` is None where it cannot be followed.

    A namespace package has none, and of a module that Nuitka compiled there are `texts` alone: the
    names of what it imports are among them.
    """

    name: str
    package: bool
    code: Code | None
    namespace: bool = False
    texts: frozenset[str] | None = None


class CodeStore(AbstractContextManager["CodeStore"]):
    """The modules of one program, in the order in which its importers look for them.

    What it opens is closed at the end of the context.
    """

    def __init__(self, bundle: Bundle, program: Program, python: tuple[int, int]) -> None:
        """Nothing is read before it is asked for; `python` is the version that wrote the code."""
        self.python = python
        self._stack = ExitStack()
        self._program = program.carrier
        stored: Sequence[StoredCode] = ()
        self._scripts: Sequence[StoredCode] = ()
        self._constants: Mapping[str, tuple[int, int]] = {}
        if program.archive is not None:
            stored, self._scripts = program.archive.code, program.archive.start
        elif program.code is not None:
            stored, self._constants = program.code.bytecode, program.code.constants
        self._stored = {s.name: s for s in stored}
        self._libraries = {m.name: m for m in reversed(bundle.libraries)}
        natives = {file.module for _, file in bundle.files}  # which Python takes before sources
        self._loose = {n: path for n, path in bundle.loose.items() if n not in natives}
        self._magic = next((s.magic for s in stored if s.magic), b"")
        if sys.version_info[:2] == python:
            self._magic = self._magic or importlib.util.MAGIC_NUMBER
        self._zips: dict[Path, zipfile.ZipFile] = {}
        self._file: BinaryIO | None = None
        self._left = _TOTAL_LIMIT

    def __exit__(self, *error: object) -> None:
        """Close what was opened."""
        self._stack.close()

    def find(self, name: str) -> Module | None:
        """The bytecode module of this name; None where there is none."""
        stored = self._stored.get(name)
        if stored is not None:
            return self.read(stored)
        if name in self._constants:
            texts = find_texts(self._read_program(*self._constants[name]))
            return Module(name, package=False, code=None, texts=texts)
        member = self._libraries.get(name)
        if member is not None:
            data = self._read_member(member)
            source = member.member.endswith(".py")
            code = self._compile(data) if source else self._parse(data, pyc=True)
            return Module(name, member.package, code)
        path = self._loose.get(name)
        if path is None:
            return None
        data = self._read_file(path)
        code = self._parse(data, pyc=True) if path.suffix == ".pyc" else None
        if path.suffix != ".pyc" and data is not None:
            code = self._parse(self._find_cached(path, len(data)), pyc=True) or self._compile(data)
        return Module(name, path.stem == "__init__", code)

    def find_cx_freeze_scripts(self, stem: str) -> Iterator[Module]:
        """What cx_Freeze's programs run first, named after the program; before 7.2, otherwise."""
        for first, second in (
            (f"__init__{stem}", f"{stem}__init__"),
            (f"__main__{stem}", f"{stem}__main__"),
        ):
            yield from filter(None, map(self.find, (first, second)))

    def read(self, stored: StoredCode) -> Module:
        """The module or script that is stored in the program."""
        data = self._read_stored(stored) if stored.size else None
        code = self._parse(data, pyc=False)
        return Module(stored.name, stored.package, code, namespace=not stored.size)

    def iter_marshalled(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the stored code of all scripts and modules."""
        for stored in (*self._scripts, *self._stored.values()):
            if stored.size:
                yield stored.name, self._read_stored(stored) or b""
        for member in self._libraries.values():
            yield member.name, (self._read_member(member) or b"")[_PYC_HEADER:]
        for name, path in self._loose.items():
            if path.suffix == ".pyc":
                yield name, (self._read_file(path) or b"")[_PYC_HEADER:]

    def _parse(self, data: bytes | None, *, pyc: bool) -> Code | None:
        if data is None or not is_known(self.python):
            return None
        with suppress(TruncatedBinary):
            return parse_code(data[_PYC_HEADER:] if pyc else data, self.python)
        return None

    def _compile(self, source: bytes | None) -> Code | None:
        if source is None or sys.version_info[:2] != self.python:
            return None
        code = compile_source(source)
        return self._parse(code, pyc=False) if isinstance(code, bytes) else None

    def _find_cached(self, source: Path, size: int) -> bytes | None:
        """The bytecode that Python takes for a source: that of its time and size (PEP 552)."""
        name = "{}.cpython-{}{}.pyc".format(source.stem, *self.python)
        path = source.with_name("__pycache__") / name
        data = self._read_file(path) if self._magic and path.is_file() else None
        if data is None or not data.startswith(self._magic):
            return None
        flags, time, length = (int.from_bytes(data[at : at + 4], "little") for at in (4, 8, 12))
        seconds = int(source.stat().st_mtime)
        same = flags == 0 and (time, length) == (seconds & 0xFFFFFFFF, size & 0xFFFFFFFF)
        return data if same or flags == _UNCHECKED else None

    def _read_program(self, offset: int, size: int) -> bytes:
        if self._file is None:
            self._file = self._stack.enter_context(open_file(self._program))
        self._file.seek(offset)
        data = self._file.read(min(size, _MODULE_LIMIT, self._left))
        self._left -= len(data)
        return data

    def _read_stored(self, stored: StoredCode) -> bytes | None:
        packed = self._read_program(stored.offset, stored.size)
        try:
            data = inflate(packed, stored, min(_MODULE_LIMIT, self._left))
        except InvalidBinary:
            return None
        if stored.compressed:
            self._left -= len(data)
        return data

    def _read_member(self, member: LibraryModule) -> bytes | None:
        try:
            if member.library not in self._zips:
                archive = self._stack.enter_context(zipfile.ZipFile(member.library))
                self._zips[member.library] = archive
            archive = self._zips[member.library]
            info = archive.getinfo(member.member)
            data = read_member(archive, info, min(_MODULE_LIMIT, self._left))
        except ARCHIVE_ERRORS:
            return None
        self._left -= len(data)
        return data

    def _read_file(self, path: Path) -> bytes | None:
        try:
            with open_file(path) as stream:
                data = stream.read(min(_MODULE_LIMIT, self._left))
        except OSError:
            return None
        self._left -= len(data)
        return data
