"""Read what a program that PyInstaller made carries in its archive.

In: the bytes of the executable. Out: an `Archive`: the modules of the PYZ, the Python version, and
the files of a one-file program with where their bytes are. The layout is the one that PyInstaller's
manual describes under "Advanced Topics: CArchive and ZlibArchive"
(https://pyinstaller.org/en/stable/advanced-topics.html); it is read without PyInstaller, so that a
bundle can be judged where PyInstaller is not installed. Nothing is executed, and code is left where
it is: an `Archive` says where, for `rustext.verify.bytecode.code_store`.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.formats.marshal_reader import parse_marshal

_MAGIC = b"MEI\014\013\012\013\016"
_SIDE_LOADED = b"MEI\015\013\012\013\016"  # of a program whose archive is a file next to it
# In every bootloader since 3.3, on all platforms; the magic number itself is in none of them.
_BOOTLOADER = (b"_MEIPASS\0", b"pyi-runtime-tmpdir\0")
_COOKIE = struct.Struct("!8sIIII64s")  # magic, archive size, TOC offset, TOC size, Python, library
_ENTRY = struct.Struct("!IIIIBc")  # entry size, data offset, data size, full size, compressed, type
_PYZ = struct.Struct("!4s4sI")  # magic, Python's magic, TOC offset
_TABLE_LIMIT = 64 << 20  # bytes of a table of contents; the largest real ones take 2 MiB
_CODE_LIMIT = 64 << 20  # bytes of one module; the largest real ones take 4 MiB
_PYZ_LIMIT = 8  # PyInstaller writes one; each could be as large as the file
_WINDOW = 16 << 20  # bytes; a multiple of every page size
_CONTENTS_OPTION = "pyi-contents-directory "
_CODE = frozenset([b"s", b"m", b"M"])  # scripts, modules and packages
_PYZ_NAMESPACE = 3  # a kind of module without code
_PYZ_PACKAGES = frozenset([1, _PYZ_NAMESPACE])  # 1 was True once
_ELSEWHERE = b"d"  # a file that another one-file program holds
_FILES = frozenset([b"b", b"x", b"Z", b"n"])  # binaries, data, zip files on sys.path, links


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file that a one-file program unpacks when it starts."""

    name: str
    offset: int  # of its first byte in the executable
    size: int  # of its bytes in the executable
    full_size: int
    compressed: bool  # as a zlib stream
    link: bool  # the bytes are the target of a symbolic link
    binary: bool = False  # a native file, which the program may start


@dataclass(frozen=True, slots=True)
class StoredCode:
    """Where the marshalled code of a module or script is in the executable.

    `magic` is that of the Python whose modules a PYZ holds, empty for a script.
    """

    name: str
    offset: int
    size: int
    compressed: bool = True
    package: bool = False
    full_size: int | None = None  # inflated, where the archive says it
    magic: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What the archive at the end of a PyInstaller program says.

    `contents` is the folder next to the program that holds its files, "" where that is the
    program's own, as in all programs made before PyInstaller 6. `library` is the file of Python's
    that the program opens, "" where it names none. `start` is what runs one after the other when
    the program starts: the bootstrap, run-time hooks, the program's script. `code` is that of
    modules, which is looked for when they are imported. `elsewhere` is what it takes out of other
    programs, as `program:file`.
    """

    python: tuple[int, int]
    modules: frozenset[str]
    scripts: tuple[str, ...]
    start: tuple[StoredCode, ...] = ()
    code: tuple[StoredCode, ...] = ()
    members: tuple[Member, ...] = ()
    contents: str = ""
    library: str = ""
    elsewhere: tuple[str, ...] = ()  # what it takes out of other programs: `program:file`

    def iter_code(self) -> Iterator[StoredCode]:
        """Yield the scripts and modules that have code."""
        return (stored for stored in (*self.start, *self.code) if stored.size)


def parse_archive(data: mmap.mmap) -> Archive | None:
    """The archive in an executable; None if PyInstaller did not make it.

    Raises `TruncatedBinary` if the archive is damaged.
    """
    at = _find_cookie(data)
    if at < 0 or at + _COOKIE.size > len(data):
        return None
    _, size, toc, toc_size, version, library = _COOKIE.unpack_from(data, at)
    start = at + _COOKIE.size - size
    if start < 0 or start + toc + toc_size > len(data):
        raise TruncatedBinary("PyInstaller's archive points outside of the executable")
    modules: set[str] = set()
    places: set[tuple[int, int]] = set()  # of module archives
    scripts: list[str] = []
    members: list[Member] = []
    start_code: list[StoredCode] = []
    contents = ""
    entries = [*_iter_entries(data, start, start + toc, toc_size)]
    for kind, member in entries:
        name = member.name
        if kind == b"z":
            places.add((member.offset, member.size))
        elif kind in _CODE:
            if kind == b"s":
                scripts.append(name)
            else:
                modules.add(name)
            start_code.append(
                StoredCode(
                    name,
                    member.offset,
                    member.size,
                    member.compressed,
                    package=kind == b"M",
                    full_size=member.full_size,
                )
            )
        elif kind == b"o" and name.startswith(_CONTENTS_OPTION):
            contents = name.removeprefix(_CONTENTS_OPTION)
        elif kind in _FILES:
            members.append(member)
    if len(places) > _PYZ_LIMIT:
        raise TruncatedBinary(f"PyInstaller's archive holds more than {_PYZ_LIMIT} module archives")
    code = tuple(stored for place in sorted(places) for stored in _pyz_code(data, *place))
    return Archive(
        python=divmod(version, 100),
        modules=frozenset(modules.union(stored.name for stored in code)),
        scripts=tuple(scripts),
        start=tuple(start_code),
        code=code,
        members=tuple(members),
        contents=contents,
        elsewhere=tuple(member.name for kind, member in entries if kind == _ELSEWHERE),
        library=library.split(b"\0", 1)[0].decode("utf-8", "replace"),
    )


def without_members(data: mmap.mmap) -> bytes | None:
    """A one-file program that finds its files next to it instead: its table names none of them.

    So is the program of a folder with `contents_directory="."` (PyInstaller/building/api.py). None
    for another one, and for one that takes files out of a second program.
    """
    at = _find_cookie(data)
    if at < 0 or at + _COOKIE.size > len(data):
        return None
    magic, size, toc, toc_size, *more = _COOKIE.unpack_from(data, at)
    first = at + _COOKIE.size - size + toc
    kept, place = b"", first
    for kind, member in _iter_entries(data, first - toc, first, toc_size):
        if kind == _ELSEWHERE:
            return None
        (length,) = struct.unpack_from("!I", data, place)
        if kind not in _FILES and not member.name.startswith(_CONTENTS_OPTION):
            kept += data[place : place + length]
        place += length
    cookie = _COOKIE.pack(magic, size, toc, len(kept), *more)
    table = kept.ljust(toc_size, b"\0")
    between = data[first + toc_size : at]
    return data[:first] + table + between + cookie + data[at + _COOKIE.size :]


def is_bootloader(data: mmap.mmap) -> bool:
    """Whether an executable begins with PyInstaller's own code, with an archive or without."""
    return all(data.find(text, 0, _WINDOW) >= 0 for text in _BOOTLOADER)


def find_beside(path: Path, data: mmap.mmap) -> Path | None:
    """Where a program without an archive in it looks for one, if it was told to.

    PyInstaller's `EXE(append_pkg=False)` puts it there (PyInstaller/building/api.py).
    """
    if data.rfind(_SIDE_LOADED, 0, _WINDOW) < 0:
        return None
    name = path.name.removesuffix(".exe")
    return path.with_name(f"{name}.pkg")


def _find_cookie(data: mmap.mmap) -> int:
    """Where the last cookie is, -1 without one; each piece's memory is given back."""
    for start in range((len(data) - 1) // _WINDOW * _WINDOW, -1, -_WINDOW):
        at = data.rfind(_MAGIC, start, start + _WINDOW + len(_MAGIC) - 1)
        if at >= 0:
            return at
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which trims by itself
            data.madvise(mmap.MADV_DONTNEED, start, min(_WINDOW, len(data) - start))
    return -1


def _iter_entries(
    data: mmap.mmap, start: int, at: int, size: int
) -> Iterator[tuple[bytes, Member]]:
    """Type and place of each entry of the table of contents at `at`."""
    if size > _TABLE_LIMIT:
        raise TruncatedBinary(f"PyInstaller's archive claims a table of {size:,} bytes")
    end = at + size
    while at + _ENTRY.size <= end:
        entry, offset, length, full, compressed, kind = _ENTRY.unpack_from(data, at)
        if entry < _ENTRY.size or at + entry > end:
            raise TruncatedBinary("an entry of PyInstaller's archive has a length that cannot be")
        raw = data[at + _ENTRY.size : at + entry]
        name = raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        if start + offset + length > len(data):
            raise TruncatedBinary(f"`{name}` in PyInstaller's archive ends outside of the file")
        member = Member(
            name=name,
            offset=start + offset,
            size=length,
            full_size=full,
            compressed=bool(compressed),
            link=kind == b"n",
            binary=kind == b"b",
        )
        yield kind, member
        at += entry


def _pyz_code(data: mmap.mmap, start: int, length: int) -> Iterator[StoredCode]:
    """Where the code of each module of a PYZ is; a namespace package has none."""
    if start + max(length, _PYZ.size) > len(data):
        raise TruncatedBinary("PyInstaller's module archive ends outside of the executable")
    kind, magic, toc = _PYZ.unpack_from(data, start)
    if kind != b"PYZ\0" or toc >= length:
        raise TruncatedBinary("PyInstaller's module archive has no table")
    if length - toc > _TABLE_LIMIT:
        raise TruncatedBinary(f"PyInstaller's module table claims {length - toc:,} bytes")
    table: Any = parse_marshal(data[start + toc : start + length])
    entries = table.items() if isinstance(table, dict) else table
    try:
        rows = [(name, *place) for name, place in entries]
    except (TypeError, ValueError) as error:
        raise TruncatedBinary("PyInstaller's module table has another shape") from error
    for name, *place in rows:
        if not isinstance(name, str):
            raise TruncatedBinary("PyInstaller's module table names modules by other than text")
        if len(place) != 3 or not all(isinstance(value, int) and value >= 0 for value in place):
            raise TruncatedBinary(f"PyInstaller's module table does not say where `{name}` is")
        kind, offset, size = place
        if kind == _PYZ_NAMESPACE:
            size = 0
        elif offset + size > length:
            raise TruncatedBinary(f"the module `{name}` ends outside of PyInstaller's archive")
        package = kind in _PYZ_PACKAGES
        yield StoredCode(name, start + offset, size, package=package, magic=magic)


def inflate(raw: bytes, stored: StoredCode, limit: int = _CODE_LIMIT) -> bytes:
    """The code of a module or script, at most `limit` bytes, from those that the program holds.

    Raises `TruncatedBinary` or `InvalidBinary` where they cannot be inflated to their end, or are
    not as many as the archive says.
    """
    if len(raw) < stored.size:
        raise TruncatedBinary("it ends outside of the file")
    if not stored.compressed:
        return raw
    stream = zlib.decompressobj()
    try:
        code = stream.decompress(raw, limit)
    except zlib.error as error:
        said = str(error).rpartition(": ")[2]
        raise InvalidBinary(f"it cannot be inflated: {said}") from error
    if not stream.eof:
        raise InvalidBinary("it cannot be inflated: the data has no end")
    if stored.full_size is not None and len(code) != stored.full_size:
        raise InvalidBinary(f"it has {len(code):,} bytes, the archive says {stored.full_size:,}")
    return code
