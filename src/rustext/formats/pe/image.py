"""PE files: Windows programs and DLLs, PE32 and PE32+.

In: the bytes of a file. Out: one `Image`. Addresses are those of the preferred image base, so that
pointers in the file's data, which are written for it, compare with them.

Specification: https://learn.microsoft.com/windows/win32/debug/pe-format.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import NamedTuple

from rustext.errors import InvalidBinary, UnknownFormat
from rustext.formats import architectures
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader, segment_offset
from rustext.model.image import (
    PYTHON_INITS,
    Format,
    Image,
    ImageKind,
    Needed,
    NeedKind,
    Section,
    Segment,
)

MAGIC = b"MZ"
_SIGNATURE = b"PE\0\0"
_HEADER_POINTER = 0x3C
_MAX_HEADER_POINTER = 0x1000_0000  # where the PE header can begin: the loader stops at 256 MiB

_PE32, _PE32_PLUS = 0x10B, 0x20B
_EXECUTABLE_IMAGE, _DLL = 0x0002, 0x2000  # Characteristics of the file
_MEM_EXECUTE, _MEM_WRITE = 0x2000_0000, 0x8000_0000  # Characteristics of a section
_EXPORT, _IMPORT, _DELAY_IMPORT = 0, 1, 13  # data directories
_PAGE, _SECTOR = 0x1000, 0x200


class _Header(NamedTuple):
    bits: int
    machine: int
    characteristics: int
    base: int
    alignment: int
    headers_size: int
    directories: tuple[tuple[int, int], ...]  # address from the base, size
    sections: int  # offset of the section table
    section_count: int


class _Exports(NamedTuple):
    name: str | None
    python_inits: tuple[str, ...]


def is_pe(head: bytes) -> bool:
    """Whether a file that begins with these bytes (64 or more) has a DOS header that names a PE's.

    Text that happens to begin with "MZ" does not: as a number, four of its letters are too big.
    """
    pointer = int.from_bytes(head[_HEADER_POINTER : _HEADER_POINTER + 4], "little")
    return head.startswith(MAGIC) and 0 < pointer < _MAX_HEADER_POINTER


def parse_pe(data: Buffer) -> Image:
    """The image in a PE file of any machine.

    Raises `UnknownFormat` for other files, `TruncatedBinary` where a header or a section reaches
    past the end, and `InvalidBinary` where the loader would find nonsense.
    """
    reader, header = _read_header(data)
    segments, sections = _mapped(reader, header)
    tables = _Tables(reader, header, segments)
    exports = _read_exports(tables)
    return Image(
        format=Format.PE,
        architecture=architectures.PE.get(header.machine, f"pe-machine-{header.machine:#x}"),
        bits=header.bits,
        byteorder="little",
        kind=_kind(header),
        soname=exports.name,
        needed=(
            *(Needed(name=dll) for _, dll in _iter_descriptors(tables)),
            *_iter_delay_imports(tables),
        ),
        python_inits=exports.python_inits,
        segments=segments,
        sections=sections,
        size=len(data),
    )


def _read_header(data: Buffer) -> tuple[Reader, _Header]:
    reader = Reader(data)
    if not reader.startswith(0, MAGIC):
        raise UnknownFormat("not a PE file")
    (start,) = reader.unpack("I", _HEADER_POINTER, "the DOS header")
    reader.require(start, 24, "the PE header")
    if not reader.startswith(start, _SIGNATURE):
        raise InvalidBinary(f"no PE header at {start:#x}: a DOS program, or damaged")
    machine, sections, _, _, _, size, characteristics = reader.unpack(
        "HHIIIHH", start + 4, "the COFF header"
    )
    optional = start + 24
    reader.require(optional, size, "the optional header")
    (magic,) = reader.unpack("H", optional, "the optional header")
    if magic not in {_PE32, _PE32_PLUS}:
        raise InvalidBinary(f"damaged: the optional header begins with {magic:#x}")
    bits = 64 if magic == _PE32_PLUS else 32
    # ImageBase, SectionAlignment, …, SizeOfHeaders, …, NumberOfRvaAndSizes
    layout, fixed = ("24xQI24xI44xI", 112) if bits == 64 else ("28xII24xI28xI", 96)
    base, alignment, headers_size, count = reader.unpack(layout, optional, "the optional header")
    count = min(count, 16, max(size - fixed, 0) // 8)
    rows = reader.rows("II", optional + fixed, count, "the data directories")
    return reader, _Header(
        bits=bits,
        machine=machine,
        characteristics=characteristics,
        base=base,
        alignment=alignment,
        headers_size=headers_size,
        directories=tuple((address, length) for address, length in rows),
        sections=optional + size,
        section_count=sections,
    )


def _mapped(reader: Reader, header: _Header) -> tuple[tuple[Segment, ...], tuple[Section, ...]]:
    """What the loader maps, by rising address: the headers at the base, then the sections."""
    segments = [
        Segment(
            address=header.base,
            memory_size=header.headers_size,
            offset=0,
            size=min(header.headers_size, reader.size),
            writable=False,
            executable=False,
        )
    ]
    sections: list[Section] = []
    rows = reader.rows("8sIIII12xI", header.sections, header.section_count, "the table of sections")
    for raw, memory, address, size, pointer, flags in rows:
        # The loader rounds the pointer down to a sector unless pages are smaller than usual, and
        # what the file has beyond the size in memory is padding.
        offset = pointer & -_SECTOR if header.alignment >= _PAGE else pointer
        stored = min(size, memory or size) if pointer else 0
        name = raw.partition(b"\0")[0].decode("utf-8", "backslashreplace")
        reader.require(offset, stored, f"the section {name}")
        start = header.base + address
        segments.append(
            Segment(
                address=start,
                memory_size=memory or size,
                offset=offset,
                size=stored,
                writable=bool(flags & _MEM_WRITE),
                executable=bool(flags & _MEM_EXECUTE),
            )
        )
        sections.append(Section(name=name, address=start, offset=offset, size=stored))
    return tuple(sorted(segments, key=lambda s: s.address)), tuple(sections)


def _kind(header: _Header) -> ImageKind:
    if header.characteristics & _DLL:
        return ImageKind.SHARED
    program = header.characteristics & _EXECUTABLE_IMAGE
    return ImageKind.EXECUTABLE if program else ImageKind.OTHER


class _Tables(NamedTuple):
    """The data directories, whose contents refer to each other by addresses from the base."""

    reader: Reader
    header: _Header
    segments: tuple[Segment, ...]

    def directory(self, index: int) -> int:
        """Address of a data directory; 0 without one."""
        directories = self.header.directories
        return directories[index][0] if index < len(directories) else 0

    def offset(self, address: int, what: str) -> int:
        """The file offset of an address that counts from the base."""
        offset = segment_offset(self.segments, self.header.base + address)
        if offset is None:
            raise InvalidBinary(f"damaged: {what} at address {address:#x} is not in the file")
        return offset

    def name(self, address: int, what: str) -> str:
        return self.reader.name(self.offset(address, what), what)


def _iter_descriptors(tables: _Tables) -> Iterator[tuple[int, str]]:
    """The import directory, which ends with an empty descriptor: where a DLL's functions are named.

    Old linkers fill the second of the two tables alone.
    """
    address = tables.directory(_IMPORT)
    if not address:
        return
    what = "the import directory"
    offset = tables.offset(address, what)
    for index in range(MAX_ENTRIES):
        names, name, thunks = tables.reader.unpack("I8xII", offset + 20 * index, what)
        if not name or not thunks:
            return
        yield names or thunks, tables.name(name, "the name of an imported DLL")
    raise InvalidBinary(f"damaged: {what} has more than {MAX_ENTRIES} entries")


def _iter_delay_imports(tables: _Tables) -> Iterator[Needed]:
    """The DLLs of the delay import directory; before Visual C++ 7 its addresses were absolute."""
    address = tables.directory(_DELAY_IMPORT)
    if not address:
        return
    what = "the delay import directory"
    offset = tables.offset(address, what)
    for index in range(MAX_ENTRIES):
        attributes, name = tables.reader.unpack("II", offset + 32 * index, what)
        if not name:
            return
        relative = name if attributes & 1 else name - tables.header.base
        if relative < 0:
            raise InvalidBinary(f"damaged: {what} names a DLL at address {name:#x}")
        text = tables.name(relative, "the name of a delay-loaded DLL")
        yield Needed(name=text, kind=NeedKind.LAZY)
    raise InvalidBinary(f"damaged: {what} has more than {MAX_ENTRIES} entries")


def parse_pe_functions(data: Buffer) -> Iterator[tuple[str, str]]:
    """The functions that a PE file imports by name, with their DLLs; not those of delayed imports.

    Raises as `parse_pe`.
    """
    reader, header = _read_header(data)
    tables = _Tables(reader, header, _mapped(reader, header)[0])
    size, by_ordinal = header.bits // 8, 1 << (header.bits - 1)
    left = MAX_ENTRIES
    for names, dll in _iter_descriptors(tables):
        offset = tables.offset(names, f"the table of functions of {dll}")
        while True:
            (entry,) = reader.unpack("Q" if size == 8 else "I", offset, dll)
            if not entry:
                break
            if not left:
                raise InvalidBinary(f"damaged: it imports more than {MAX_ENTRIES} functions")
            if not entry & by_ordinal:  # after two bytes of a hint
                yield dll, tables.name(entry + 2, f"a function of {dll}")
            offset, left = offset + size, left - 1


def _read_exports(tables: _Tables) -> _Exports:
    address = tables.directory(_EXPORT)
    if not address:
        return _Exports(None, ())
    what = "the export directory"
    offset = tables.offset(address, what)
    name, _, _, count, _, names = tables.reader.unpack("12xIIIIII", offset, what)
    text = tables.name(name, "the name in the export directory") if name else None
    inits = _find_python_inits(tables, names, count) if names and count else ()
    return _Exports(text, inits)


def _find_python_inits(tables: _Tables, address: int, count: int) -> tuple[str, ...]:
    """The exported names that begin as `PYTHON_INITS`, sorted.

    The table of names is sorted, and like `GetProcAddress` this looks them up by bisection.
    """
    what = "the table of exported names"
    table = tables.offset(address, what)
    tables.reader.require(table, count * 4, what)

    def name_at(index: int) -> str:
        (pointer,) = tables.reader.unpack("I", table + 4 * index, what)
        return tables.name(pointer, "the name of an export")

    found: set[str] = set()
    for prefix in PYTHON_INITS:
        first = bisect.bisect_left(range(count), prefix, key=name_at)
        for index in range(first, min(count, first + MAX_ENTRIES)):
            name = name_at(index)
            if not name.startswith(prefix):
                break
            found.add(name)
    return tuple(sorted(found))
