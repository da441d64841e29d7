"""Find the functions of Python that a module calls and that the bundle's Python does not have.

In: a `Bundle`, and a module's file. Out: names. Only ELF is judged: there a module binds all
functions when it is loaded, and libpython, or the program that it is linked into, exports them all.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from rustext.errors import RustextError
from rustext.formats.binary import open_binary, parse_file
from rustext.formats.elf.image import parse_elf_names, parse_elf_symbols
from rustext.formats.elf.symbol_lookup import Wanted, parse_elf_bound, parse_elf_offered
from rustext.formats.elf.symbol_versions import DynamicSymbol
from rustext.model.image import Format
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.interpreters import iter_interpreters

# The names that C code may use: https://docs.python.org/3/c-api/intro.html#include-files
_PYTHON = re.compile(r"_?Py[A-Z_][A-Za-z0-9_]*")
_NAMES = re.compile(rb"(?<=\0)(_?Py(?!Init)[A-Z_][A-Za-z0-9_]*)(?=\0)")
_ASKED = re.compile(rb"(?<=\0)(_?Py[A-Z_][A-Za-z0-9_]*)(?=\0)")
_CONSTANT = re.compile(r"[A-Z_]*Py_[A-Z0-9_]+")  # no function
_SUCCESSOR = "InitConfig"
_SETUP = re.compile(r"Config|PreInit|Status")
_ALWAYS = {"Py_Initialize", "PyImport_ImportModule", "PyObject_GetAttr", "Py_GetVersion"}


class PythonSymbols:
    """What the bundle's Python exports, read when it is first asked for."""

    def __init__(self, bundle: Bundle) -> None:
        """Read nothing yet."""
        self._bundle = bundle

    @property
    def provider(self) -> str:
        """The file that exports Python's functions, or "" where none does."""
        return self._python[0]

    def absent_from_python(self, path: Path) -> tuple[str, ...]:
        """The functions that a module asks for and nothing in the bundle exports, sorted."""
        provider, exports = self._python
        if not provider or not self._may_lack(path, exports):
            return ()
        absent = {
            s.name
            for s in _symbols(path)
            if not s.defined and not s.weak and s.name not in exports and _PYTHON.fullmatch(s.name)
        }
        return tuple(sorted(absent - self._other_exports)) if absent else ()

    def _may_lack(self, path: Path, exports: frozenset[str]) -> bool:
        """Whether any name in the file is unknown: few files get as far as their symbols."""
        names = parse_file(path, parse_elf_names, b"")
        return any(match[1].decode("ascii") not in exports for match in _NAMES.finditer(names))

    @cached_property
    def _python(self) -> tuple[str, frozenset[str]]:
        """The name of the file that exports Python's functions, and these."""
        bundle = self._bundle
        if bundle.image.format is not Format.ELF:
            return "", frozenset()
        for path in iter_interpreters(bundle.program, bundle.files):
            exports = _exported(path)
            if exports >= _ALWAYS:
                return path.name, exports
        return "", frozenset()

    @cached_property
    def _other_exports(self) -> frozenset[str]:
        """What other libraries export under such names; hardly ever asked for."""
        files = (path for path, file in self._bundle.files if file.suffix is None)
        return frozenset().union(*map(_exported, files))


def find_unopened(program: Path, library: Path) -> tuple[str, ...]:
    """The functions that are asked of the Python that a program opens, and that it lacks, sorted.

    PyInstaller's bootloader has their names as texts, and ends without any of them. Those by which
    Python is set up have successors in 3.14 (PEP 741), and it asks for one or the other.
    """
    try:
        with open_binary(program) as (binary, data):
            end = max((s.offset + s.size for s in binary.image.segments), default=0)
            names = {m[1].decode() for m in _ASKED.finditer(data, 0, min(end, len(data)))}
        with open_binary(library) as (binary, data):
            if binary.image.format is not Format.ELF:
                return ()
            exports, bound = parse_elf_offered(data), parse_elf_bound(data)
    except RustextError:  # what cannot be read is for another finding
        return ()
    wanted = {name for name in names if not _CONSTANT.fullmatch(name)}
    # What it looks up in itself has to be found as well.
    wanted |= {n for n in bound.at_load | bound.at_call if exports.has_name(n)}
    absent = {n for n in wanted if not exports.has(Wanted(n, None, None))}
    successors = {name for name in wanted if _SUCCESSOR in name}
    if successors and absent.isdisjoint(successors):
        return tuple(sorted(n for n in absent if not _SETUP.search(n)))
    return tuple(sorted(absent - successors))


def _exported(path: Path) -> frozenset[str]:
    return frozenset(s.name for s in _symbols(path) if s.defined and _PYTHON.fullmatch(s.name))


def _symbols(path: Path) -> tuple[DynamicSymbol, ...]:
    return parse_file(path, parse_elf_symbols, ())
