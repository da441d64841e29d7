"""Read which modules a program that PyInstaller made carries in its archive.

In: the bytes of the executable. Out: the modules of the PYZ, and the Python version. The layout is
the one that PyInstaller's manual describes under "Advanced Topics: CArchive and ZlibArchive"
(https://pyinstaller.org/en/stable/advanced-topics.html); it is read without PyInstaller, so that a
bundle can be judged where PyInstaller is not installed. Nothing is decompressed or executed.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rustext.errors import TruncatedBinary
from rustext.verify.marshal_reader import parse_marshal

_MAGIC = b"MEI\014\013\012\013\016"
_COOKIE = struct.Struct("!8sIIII64s")  # magic, archive size, TOC offset, TOC size, Python, library
_ENTRY = struct.Struct("!IIIIBc")  # entry size, data offset, data size, full size, compressed, type
_PYZ = struct.Struct("!4s4sI")  # magic, Python's magic, TOC offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What the archive at the end of a PyInstaller program says."""

    python: tuple[int, int]
    modules: frozenset[str]
    scripts: tuple[str, ...]


def parse_archive(data: mmap.mmap) -> Archive | None:
    """The archive in an executable; None if PyInstaller did not make it.

    Raises `TruncatedBinary` if the archive is damaged.
    """
    at = data.rfind(_MAGIC)
    if at < 0 or at + _COOKIE.size > len(data):
        return None
    _, size, toc, toc_size, version, _ = _COOKIE.unpack_from(data, at)
    start = at + _COOKIE.size - size
    if start < 0 or start + toc + toc_size > len(data):
        raise TruncatedBinary("PyInstaller's archive points outside of the executable")
    modules: set[str] = set()
    scripts = []
    for kind, name, offset, length in _iter_entries(data, start + toc, toc_size):
        if kind == b"z":
            modules |= _pyz_modules(data, start + offset, length)
        elif kind in {b"m", b"M"}:
            modules.add(name)
        elif kind == b"s":
            scripts.append(name)
    return Archive(python=divmod(version, 100), modules=frozenset(modules), scripts=tuple(scripts))


def _iter_entries(data: mmap.mmap, at: int, size: int) -> Iterator[tuple[bytes, str, int, int]]:
    end = at + size
    while at + _ENTRY.size <= end:
        entry, offset, length, _, _, kind = _ENTRY.unpack_from(data, at)
        if entry < _ENTRY.size or at + entry > end:
            raise TruncatedBinary("an entry of PyInstaller's archive has a length that cannot be")
        raw = data[at + _ENTRY.size : at + entry]
        yield kind, raw.split(b"\0", 1)[0].decode("utf-8", "replace"), offset, length
        at += entry


def _pyz_modules(data: mmap.mmap, start: int, length: int) -> frozenset[str]:
    if start + max(length, _PYZ.size) > len(data):
        raise TruncatedBinary("PyInstaller's module archive ends outside of the executable")
    magic, _, toc = _PYZ.unpack_from(data, start)
    if magic != b"PYZ\0" or toc >= length:
        raise TruncatedBinary("PyInstaller's module archive has no table")
    table: Any = parse_marshal(data[start + toc : start + length])
    entries = table.items() if isinstance(table, dict) else table
    try:
        names = [name for name, _ in entries]
    except (TypeError, ValueError) as error:
        raise TruncatedBinary("PyInstaller's module table has another shape") from error
    if not all(isinstance(name, str) for name in names):
        raise TruncatedBinary("PyInstaller's module table names modules by other than text")
    return frozenset(names)
