"""Read the payload of a one-file program that Nuitka made.

In: the bytes of the executable. Out: the files in its payload, one after the other. The bootstrap
program carries the payload as a constant (up to Nuitka 2 it was appended to the file):

    payload  = "KA", "X" (plain) or "Y" (Zstandard), entry*, an empty name, size of all that (u64)
    entry    = name NUL, [flags: u8], link NUL                       (flags & 2: a symbolic link)
             | name NUL, [flags: u8], size: u64, [crc32: u32], [packed size: u32], content

Flags are there except on Windows, where names are UTF-16; a checksum where the program unpacks
into a folder that it keeps (`--onefile-cache-mode=cached`). "Y" compresses all entries as one
frame or, with `--onefile-as-archive`, each content by itself. Numbers are little-endian. Nothing
in the file says which of these hold, so what fits to the very end is taken; Nuitka 4.3.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import BinaryIO

from rustext.errors import TruncatedBinary
from rustext.model.image import Format, Image
from rustext.verify.onefile.zstd import MAGIC, Readable, open_frame

_START = re.compile(rb"KA(?:Y\x28\xb5\x2f\xfd|[XY][^\0]{1,1023}\0)")
_WINDOW = 16 << 20  # bytes; a multiple of every page size
_OVERLAP = 2048
_CHUNK = 1 << 17
_NAME_LIMIT = 2048  # bytes; the program itself has room for 1024 characters
_CANDIDATES = 1000  # places that begin like a payload
_STEPS = 1_000_000  # entries that are followed, from all of them; real programs have some 20,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the entries of a payload are written, and where the first one is."""

    start: int
    compressed: bool
    archive: bool = False  # each file is compressed by itself
    checksums: bool = False
    windows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file; `chunks` has to be read to its end before the next entry."""

    name: str
    size: int
    chunks: Iterator[bytes]
    link: str | None = None
    executable: bool = False


def find_payload(image: Image, data: mmap.mmap) -> tuple[Layout, ...]:
    """How the payload may be read, likeliest first; empty where the program has none.

    A payload that is not compressed as a whole has been followed to its end, and is the one.
    """
    windows = image.format is Format.PE
    found = []
    steps = iter(range(_STEPS))
    for start in _iter_starts(data):
        compressed = data[start + 2 : start + 3] == b"Y"
        base = Layout(start=start + 3, compressed=compressed, windows=windows)
        if data[start + 3 : start + 7] == MAGIC:
            found += [base, replace(base, checksums=True)]
            continue
        for archive, checksums in product((False, True), (False, True)):
            layout = replace(base, archive=archive, checksums=checksums)
            if archive >= compressed and _leads_to_its_end(layout, data, steps):
                return (layout,)
    return tuple(found)


def iter_entries(stream: BinaryIO, layout: Layout) -> Iterator[Entry]:
    """The entries of a payload, read from the open file.

    Raises `TruncatedBinary` where the payload does not end as it should, `InvalidBundle` where it
    cannot be decompressed on this machine.
    """
    stream.seek(layout.start)
    whole = layout.compressed and not layout.archive
    source = _Source(_Buffered(open_frame(stream)) if whole else stream)
    while name := source.name(windows=layout.windows):
        flags = 0 if layout.windows else source.take(1)[0]
        if flags & 2:
            yield Entry(name=name, size=0, chunks=iter(()), link=source.name(windows=False))
            continue
        if flags > 1:
            raise TruncatedBinary(f"`{name}` has flags that mean nothing")
        (size,) = struct.unpack("<Q", source.take(8))
        checksum = struct.unpack("<I", source.take(4))[0] if layout.checksums else None
        if layout.archive and layout.compressed:
            (packed,) = struct.unpack("<I", source.take(4))
            end = stream.tell() + packed
            content = _Source(open_frame(_Part(stream, packed)))
            chunks = _checked(name, content, size, checksum)
            yield Entry(name=name, size=size, chunks=chunks, executable=flags == 1)
            stream.seek(end)
        else:
            chunks = _checked(name, source, size, checksum)
            yield Entry(name=name, size=size, chunks=chunks, executable=flags == 1)
    if whole and source.stream.read(1):
        raise TruncatedBinary("the payload goes on behind its end")


def _checked(name: str, source: _Source, size: int, checksum: int | None) -> Iterator[bytes]:
    """The content of a file; 1 means a checksum of 0."""
    found = 0
    while size:
        chunk = source.some(min(size, _CHUNK))
        size -= len(chunk)
        if checksum is not None:
            found = zlib.crc32(chunk, found)
        yield chunk
    if checksum is not None and (found or 1) != checksum:
        raise TruncatedBinary(f"`{name}` has another checksum than the payload says")


def _iter_starts(data: mmap.mmap) -> Iterator[int]:
    """The places that begin like a payload; each piece's memory is given back."""
    count = 0
    for begin in range(0, len(data), _WINDOW):
        end = min(begin + _WINDOW, len(data))
        for match in _START.finditer(data, begin, min(end + _OVERLAP, len(data))):
            count += 1
            if match.start() < end and count <= _CANDIDATES:
                yield match.start()
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which trims by itself
            data.madvise(mmap.MADV_DONTNEED, begin, end - begin)


def _leads_to_its_end(layout: Layout, data: mmap.mmap, steps: Iterator[int]) -> bool:
    """Whether the entries follow on each other up to the size that closes the payload.

    Each takes one of `steps`; without any left, they do not.
    """
    at = layout.start
    skip = (4 if layout.checksums else 0) + (4 if layout.archive and layout.compressed else 0)
    unit = b"\0\0" if layout.windows else b"\0"
    for _ in steps:
        end = _find_name_end(data, at, unit)
        if end < 0 or end + len(unit) >= len(data):
            return False
        name, at = data[at:end], end + len(unit)
        if not name:
            break
        flags = 0 if layout.windows else data[at]
        at += 0 if layout.windows else 1
        if flags & 2:
            at = _find_name_end(data, at, b"\0") + 1
            if at <= 0:
                return False
            continue
        if flags > 1 or at + 8 + skip > len(data):
            return False
        size: int = struct.unpack_from("<Q", data, at)[0]
        if layout.archive and layout.compressed:
            size = struct.unpack_from("<I", data, at + 4 + skip)[0]
        at += 8 + skip + size
        if at >= len(data):
            return False
    else:
        return False
    size = at - layout.start + 3
    ends = {size, size + -size % 8} if layout.windows else {size}
    return any(
        data[at + end - size : at + end - size + 8] == struct.pack("<Q", end) for end in ends
    )


def _find_name_end(data: mmap.mmap, at: int, unit: bytes) -> int:
    end = data.find(unit, at, at + _NAME_LIMIT)
    while len(unit) == 2 and end >= 0 and (end - at) % 2:
        end = data.find(unit, end + 1, at + _NAME_LIMIT)
    return end


class _Part:
    """The next `size` bytes of a file."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int, /) -> bytes:
        found = self._stream.read(min(size, self._left))
        self._left -= len(found)
        return found


class _Buffered:
    """Small reads from a stream that is costly to ask."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        if not self._rest:
            self._rest = memoryview(self._stream.read(_CHUNK))
        found, self._rest = self._rest[:size], self._rest[size:]
        return bytes(found)


class _Source:
    """What has to be there, from a stream that gives what it has."""

    def __init__(self, stream: Readable) -> None:
        self.stream = stream

    def some(self, size: int) -> bytes:
        found = self.stream.read(size)
        if not found:
            raise TruncatedBinary("the payload ends early")
        return found

    def take(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            found += self.some(size - len(found))
        return found

    def name(self, *, windows: bool) -> str:
        width = 2 if windows else 1
        found = bytearray()
        while (unit := self.take(width)) != bytes(width):
            found += unit
            if len(found) > _NAME_LIMIT:
                raise TruncatedBinary("the payload holds a name that does not end")
        if windows:
            return found.decode("utf-16-le", "replace")
        return found.decode("utf-8", "surrogateescape")
