"""Ask which bundled code names a file or a module.

In: a `Bundle`, and the names in question. Out: for each file, where its name is found; for a module
or a word, whether code names it at all. A whole file name counts in all code; the stem of a library
(`foo` of `libfoo.so`) as a string of its own in the code of the same package, for code that puts
the name together (`f"lib{name}.so"`). Code is searched and never executed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rustext.errors import InvalidBinary, TruncatedBinary, UnreadableFile
from rustext.files.untrusted import read_start
from rustext.formats.binary import map_file
from rustext.formats.marshal_reader import parse_code
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer, Program
from rustext.verify.bundle.pyinstaller_archive import Archive, inflate
from rustext.verify.bytecode.code_store import CodeStore
from rustext.verify.bytecode.instructions import is_known
from rustext.verify.bytecode.module_code import iter_mentioned

# The whole name; the stem as a string of its own; and the package whose code may name it so.
_Patterns = tuple[re.Pattern[bytes], re.Pattern[bytes] | None, str]

_FILES = 500  # that are looked for, and of code that is looked at: loose sources
_SOURCES = 20_000
_SOURCE_LIMIT = 4 << 20  # bytes
_ANY_VERSION = (3, 11)  # of Python: what is not parsed reads the same in all
_STEM = 4  # letters; shorter ones are words of every program


def find_named(bundle: Bundle, files: Iterable[Path]) -> dict[Path, str]:
    """Where the name of each file is found; files that no code names are left out."""
    wanted = {path: _patterns(bundle, path) for path in sorted(files)[:_FILES]}
    stems: dict[bytes, list[Path]] = defaultdict(list)  # a part of all that is looked for
    for path in wanted:
        stems[_stem(path).encode("utf-8", "surrogateescape")].append(path)
    found: dict[Path, str] = {}
    for where, package, code in _iter_code(bundle) if wanted else ():
        near = [path for text, paths in stems.items() if text in code for path in paths]
        for path in (path for path in near if path in wanted):
            whole, stem, own = wanted[path]
            if whole.search(code) or (own == package and stem is not None and stem.search(code)):
                found[path] = where
                del wanted[path]
        if not wanted:
            break
    return found


def find_importer(bundle: Bundle, module: str) -> str | None:
    """Where code imports an extension module by its last name, or by all of it; None if nowhere."""
    package, _, last = module.rpartition(".")
    program = bundle.program
    if program is not None and program.freezer is Freezer.NUITKA:
        return f"`{program.path.name}`" if module in program.modules else None
    names = [_string(name.encode()) for name in sorted({last, module})]
    pattern = re.compile(rb"|".join(names), re.DOTALL)
    top = _top(package)
    for where, own, code in _iter_code(bundle):
        if top in {"", own} and pattern.search(code):
            return where
    return None


def imports_module(
    bundle: Bundle, program: Program, python: tuple[int, int] | None, module: str
) -> bool:
    """Whether any code of a program imports a module, or takes its name from its package.

    Code is parsed only where the name is among its bytes.
    """
    if python is None or not is_known(python):
        return False
    package, _, last = module.rpartition(".")
    with CodeStore(bundle, program, python) as store:
        for _, data in store.iter_marshalled():
            if last.encode() not in data:
                continue
            try:
                found = list(iter_mentioned(parse_code(data, python), python))
            except TruncatedBinary:
                continue
            if any(
                one.module == module or (last in one.names and one.module in {package, ""})
                for one in found
            ):
                return True
    return False


def names_word(bundle: Bundle, program: Program | None, word: str) -> bool:
    """Whether any code of a program holds a word, as a name or in a text."""
    if program is None:
        return False
    if program.freezer is Freezer.NUITKA:
        return any(word.encode() in data for _, _, data in _iter_nuitka(program.path))
    with CodeStore(bundle, program, _ANY_VERSION) as store:
        return any(word.encode() in data for _, data in store.iter_marshalled())


def _string(text: bytes) -> bytes:
    """A name in an import statement of source, or a string of its own in a code object.

    https://github.com/python/cpython/blob/main/Python/marshal.c: `z` and `Z` are short ASCII
    strings, with the bit 0x80 where they are referred to again.
    """
    size, name = re.escape(bytes([len(text) & 0xFF])), re.escape(text)
    source = rb"import[^\n]*(?<!\w)" + name + rb"(?!\w)"
    return rb"[zZ\xfa\xda]" + size + name + rb"|" + source


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].removeprefix("lib")


def _patterns(bundle: Bundle, path: Path) -> _Patterns:
    name = re.escape(path.name.encode("utf-8", "surrogateescape"))
    whole = re.compile(rb"(?<![\w.-])" + name + rb"(?![\w.-])")
    stem = _stem(path)
    text = re.escape(stem.encode("utf-8", "surrogateescape"))
    inside = path.relative_to(bundle.contents) if path.is_relative_to(bundle.contents) else path
    package = inside.parts[0] if len(inside.parts) > 1 else stem
    if len(stem) < _STEM:
        return whole, None, package
    # A string of its own: in source, in a marshalled code object (Python/marshal.c), or in the
    # constants of a program that Nuitka made.
    size = bytes([len(stem)]) if len(stem) < 256 else b""
    size_with_lib = bytes([len(stem) + 3]) if len(stem) < 253 else b""
    own = rb"|".join(
        (
            rb"[\"'](?:lib)?" + text + rb"[\"']",
            rb"[zZ\xfa\xda]" + re.escape(size) + text,
            rb"[zZ\xfa\xda]" + re.escape(size_with_lib) + rb"lib" + text,
            rb"[au](?:lib)?" + text + rb"\0",
        )
    )
    return whole, re.compile(own, re.DOTALL), package


def _iter_code(bundle: Bundle) -> Iterator[tuple[str, str, bytes]]:
    """The place of code, the top-level package that it belongs to, and its bytes."""
    for program in bundle.programs:
        if program.archive is not None:
            yield from _iter_archive(program.carrier, program.archive)
        elif program.freezer is Freezer.NUITKA:
            yield from _iter_nuitka(program.path)
    for number, source in enumerate(_iter_sources(bundle.contents)):
        if number >= _SOURCES:
            return
        try:
            code = read_start(source, _SOURCE_LIMIT)
        except OSError:
            continue
        relative = source.relative_to(bundle.contents)
        yield f"`{relative.as_posix()}`", relative.parts[0].partition(".")[0], code


def _iter_archive(path: Path, archive: Archive) -> Iterator[tuple[str, str, bytes]]:
    """The scripts and modules of PyInstaller's archive; damaged ones name nothing."""
    with suppress(UnreadableFile), map_file(path) as data:
        for stored in archive.iter_code():
            with suppress(InvalidBinary):
                code = inflate(data[stored.offset : stored.offset + stored.size], stored)
                yield f"`{stored.name}` in {path.name}", _top(stored.name), code


def _iter_nuitka(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """The constants of all modules are in one piece: whose they are is not known."""
    with suppress(UnreadableFile), map_file(path) as data:
        yield f"`{path.name}`", "", bytes(data)


def _iter_sources(folder: Path) -> Iterator[Path]:
    return (p for p in folder.rglob("*.py*") if p.suffix in {".py", ".pyc"} and p.is_file())


def _top(module: str) -> str:
    return module.partition(".")[0]
