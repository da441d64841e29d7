"""Read the code that PyInstaller's archive holds: its scripts, and the modules of its PYZ.

In: the bytes of the executable. Out: where the bytes of each module or script are, and these bytes
inflated. The layout is that of `rustext.verify.bundle.pyinstaller_archive`. Inflated code is never
executed, and no more than one module of it is in memory.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.verify.bundle.marshal_reader import parse_marshal
from rustext.verify.bundle.pyinstaller_archive import COOKIE, PYZ, find_cookie, iter_entries

_CODE_LIMIT = 64 << 20  # bytes of one module; the largest real ones take 4 MiB
_NAMESPACE = 3  # the kind of a PYZ entry without code (PyInstaller/archive/readers.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMember:
    """A module or script in the archive; `size` counts its bytes in the executable."""

    name: str
    offset: int
    size: int
    compressed: bool
    full_size: int | None = None  # where the archive says it


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleArchive:
    """A PYZ: the magic number of the Python that its code is for, and its modules."""

    magic: bytes
    members: tuple[CodeMember, ...]


def read_scripts(data: mmap.mmap) -> tuple[CodeMember, ...]:
    """The scripts and bootstrap modules, which PyInstaller runs in this order.

    Raises `InvalidBinary` for a damaged archive.
    """
    return tuple(
        CodeMember(
            name=name,
            offset=member.offset,
            size=member.size,
            compressed=member.compressed,
            full_size=member.full_size,
        )
        for kind, name, member in _entries(data)
        if kind in {b"m", b"M", b"s"}
    )


def read_module_archives(data: mmap.mmap) -> tuple[ModuleArchive, ...]:
    """The PYZ archives of a program; raises `InvalidBinary` for a damaged one."""
    places = [(m.offset, m.size) for kind, _, m in _entries(data) if kind in {b"z", b"Z"}]
    return tuple(
        _read_pyz(data, *place)
        for place in places
        if bytes(data[place[0] : place[0] + 4]) == b"PYZ\0"
    )


def inflate(data: mmap.mmap, member: CodeMember) -> bytes:
    """The bytes of a module or script.

    Raises `TruncatedBinary` or `InvalidBinary` where they cannot be inflated to their end, or are
    not as many as the archive says.
    """
    raw = bytes(data[member.offset : member.offset + member.size])
    if len(raw) < member.size:
        raise TruncatedBinary("it ends outside of the file")
    if not member.compressed:
        return raw
    stream = zlib.decompressobj()
    try:
        code = stream.decompress(raw, _CODE_LIMIT)
    except zlib.error as error:
        raise InvalidBinary(f"it cannot be inflated: {_said(error)}") from error
    if not stream.eof:
        raise InvalidBinary("it cannot be inflated: the data has no end")
    if member.full_size is not None and len(code) != member.full_size:
        raise InvalidBinary(f"it has {len(code):,} bytes, the archive says {member.full_size:,}")
    return code


def _said(error: zlib.error) -> str:
    return str(error).rpartition(": ")[2]


def _entries(data: mmap.mmap) -> Iterator[tuple[bytes, str, Any]]:
    at = find_cookie(data)
    if at < 0 or at + COOKIE.size > len(data):
        return
    _, size, toc, toc_size, _, _ = COOKIE.unpack_from(data, at)
    start = at + COOKIE.size - size
    if start < 0 or start + toc + toc_size > len(data):
        raise TruncatedBinary("PyInstaller's archive points outside of the executable")
    yield from iter_entries(data, start, start + toc, toc_size)


def _read_pyz(data: mmap.mmap, start: int, length: int) -> ModuleArchive:
    _, magic, toc = PYZ.unpack_from(data, start)
    table: Any = parse_marshal(data[start + toc : start + length])
    members = []
    try:
        for name, (kind, offset, size) in table.items() if isinstance(table, dict) else table:
            if kind != _NAMESPACE and size:
                members.append(
                    CodeMember(name=name, offset=start + offset, size=size, compressed=True)
                )
    except (TypeError, ValueError) as error:
        raise TruncatedBinary("PyInstaller's module table has another shape") from error
    return ModuleArchive(magic=magic, members=tuple(members))
