"""Mach-O files, thin and universal.

In: the bytes of a file. Out: one `Image` for each architecture in it, with file offsets that count
from the start of the file.

Specification: Apple's <mach-o/loader.h>, <mach-o/fat.h> and <mach-o/nlist.h>
(https://github.com/apple-oss-distributions/xnu/tree/main/EXTERNAL_HEADERS/mach-o).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from macholib import mach_o
from macholib.ptypes import sizeof

from rustext.errors import InvalidBinary, UnknownFormat
from rustext.formats import architectures
from rustext.formats.macho.load_commands import (
    LoadCommand,
    MachSlice,
    is_thin,
    read_record,
    read_slice,
)
from rustext.formats.macho.python_inits import SymbolTables, find_python_inits
from rustext.formats.reader import Buffer, Reader
from rustext.model.image import Format, Image, ImageKind, Needed, NeedKind, Section, Segment

# A Java class file begins with the same bytes as a fat file, and then has its version where the
# fat file has its count: 45 or more, as file(1) knows too. No fat file comes near.
_MAX_SLICES = 44

_KINDS = {
    mach_o.MH_EXECUTE: ImageKind.EXECUTABLE,
    mach_o.MH_DYLIB: ImageKind.SHARED,
    mach_o.MH_BUNDLE: ImageKind.BUNDLE,
}
_LC_LOADS = {
    mach_o.LC_LOAD_DYLIB: NeedKind.NORMAL,
    mach_o.LC_LAZY_LOAD_DYLIB: NeedKind.LAZY,
    mach_o.LC_LOAD_WEAK_DYLIB: NeedKind.WEAK,
    mach_o.LC_REEXPORT_DYLIB: NeedKind.REEXPORT,
    mach_o.LC_LOAD_UPWARD_DYLIB: NeedKind.UPWARD,
}

# Since macOS 15 the kind may be in flags instead (`dylib_use_command`), weak first: a library
# that may be absent may be absent however else it is used.
_DYLIB_USE_MARKER = 0x1A74_1800
_DYLIB_USE_KINDS = (
    (0x01, NeedKind.WEAK),
    (0x02, NeedKind.REEXPORT),
    (0x04, NeedKind.UPWARD),
    (0x08, NeedKind.LAZY),  # DYLIB_USE_DELAYED_INIT
)

_VM_PROT_WRITE, _VM_PROT_EXECUTE = 2, 4
# An object of macholib's for each section would take longer than all the rest.
_SECTION_LAYOUTS = {mach_o.LC_SEGMENT: "16s16s9I", mach_o.LC_SEGMENT_64: "16s16sQQ8I"}
_SECTION_TYPE = 0xFF
_ZEROFILL = frozenset({0x1, 0xC, 0x12})  # S_ZEROFILL, S_GB_ZEROFILL, S_THREAD_LOCAL_ZEROFILL


def is_fat(head: bytes) -> bool:
    """Whether a file that begins with these bytes (eight or more) holds several images."""
    if int.from_bytes(head[:4], "big") not in {mach_o.FAT_MAGIC, mach_o.FAT_MAGIC_64}:
        return False
    return int.from_bytes(head[4:8], "big") <= _MAX_SLICES


def is_macho(head: bytes) -> bool:
    """Whether a file that begins with these bytes (eight or more) is Mach-O, thin or fat."""
    return is_thin(head) or is_fat(head)


def parse_macho(data: Buffer) -> tuple[Image, ...]:
    """The images in a Mach-O file of any word size, byte order and architecture.

    Raises `UnknownFormat` for other files, `TruncatedBinary` where a slice, a load command or a
    segment reaches past the end, and `InvalidBinary` where dyld would find nonsense.
    """
    head = bytes(data[:8])
    if is_fat(head):
        return tuple(_parse_slice(data, start, end) for start, end in _iter_slices(data))
    if not is_macho(head):
        raise UnknownFormat("not a Mach-O file")
    return (_parse_slice(data, 0, len(data)),)


def _iter_slices(data: Buffer) -> Iterator[tuple[int, int]]:
    """Begin and end of each slice; the fat header is big-endian everywhere."""
    reader = Reader(data, byteorder="big")
    header = read_record(reader, mach_o.fat_header, 0, "the fat header")
    if not header.nfat_arch:
        raise InvalidBinary("damaged: a universal file without an architecture")
    wide = header.magic == mach_o.FAT_MAGIC_64
    layout = mach_o.fat_arch64 if wide else mach_o.fat_arch
    what = "the table of architectures"
    reader.require(sizeof(header), header.nfat_arch * sizeof(layout), what)
    taken: list[tuple[int, int]] = []
    for index in range(header.nfat_arch):
        row = read_record(reader, layout, sizeof(header) + index * sizeof(layout), what)
        start, end = int(row.offset), row.offset + row.size
        reader.require(start, row.size, "the slice of an architecture")
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            raise InvalidBinary(f"damaged: the slice at {start:#x} overlaps another")
        taken.append((start, end))
        yield start, end


def _parse_slice(data: Buffer, start: int, end: int) -> Image:
    part = read_slice(data, start, end)
    segments, sections = _mapped(part, start)
    return Image(
        format=Format.MACHO,
        architecture=_architecture(part.header),
        bits=part.bits,
        byteorder=part.byteorder,
        kind=_KINDS.get(part.header.filetype, ImageKind.OTHER),
        soname=next((part.name(c, f.name) for c, f in part.find(mach_o.LC_ID_DYLIB)), None),
        needed=tuple(_iter_needed(part)),
        rpath=tuple(part.name(c, f.path) for c, f in part.find(mach_o.LC_RPATH)),
        python_inits=find_python_inits(part.reader, _symbol_tables(part), bits=part.bits),
        segments=segments,
        sections=sections,
        minimum_os=_minimum_os(part),
        header_pad=_header_pad(part, sections, start),
        signature=_signature(part, start),
        offset=start,
        size=end - start,
    )


def _iter_needed(part: MachSlice) -> Iterator[Needed]:
    for command, library in part.find(*_LC_LOADS):
        kind = _LC_LOADS[command.code]
        if library.timestamp == _DYLIB_USE_MARKER and library.name == 28 <= command.size:
            (flags,) = part.reader.unpack("I", command.offset + 24, "a load command")
            kind = next((known for bit, known in _DYLIB_USE_KINDS if flags & bit), kind)
        yield Needed(name=part.name(command, library.name), kind=kind)


def _mapped(part: MachSlice, start: int) -> tuple[tuple[Segment, ...], tuple[Section, ...]]:
    """The segments by rising address, and the sections in their order in the file."""
    segments: list[Segment] = []
    sections: list[Section] = []
    for command, segment in part.find(*_SECTION_LAYOUTS):
        address, offset, size = int(segment.vmaddr), segment.fileoff, int(segment.filesize)
        part.reader.require(offset, size, f"the segment at {address:#x}")
        segments.append(
            Segment(
                address=address,
                memory_size=int(segment.vmsize),
                offset=start + offset,
                size=size,
                writable=bool(segment.initprot & _VM_PROT_WRITE),
                executable=bool(segment.initprot & _VM_PROT_EXECUTE),
            )
        )
        table = command.offset + 8 + sizeof(segment)
        sections.extend(_iter_sections(part.reader, command, table, int(segment.nsects), start))
    return tuple(sorted(segments, key=lambda s: s.address)), tuple(sections)


def _iter_sections(
    reader: Reader, command: LoadCommand, table: int, count: int, start: int
) -> Iterator[Section]:
    """The sections of one segment that lie in the slice; dyld goes by segments alone."""
    layout = _SECTION_LAYOUTS[command.code]
    if table + count * struct.calcsize("=" + layout) > command.offset + command.size:
        raise InvalidBinary(
            f"damaged: the load command at {command.offset:#x} has no room for {count} sections"
        )
    for row in reader.rows(layout, table, count, "the sections of a segment"):
        section, segment, address, size, offset, _, _, _, flags, *_ = row
        stored = 0 if flags & _SECTION_TYPE in _ZEROFILL else size
        if offset + stored <= reader.size:
            name = b",".join(part.partition(b"\0")[0] for part in (segment, section))
            yield Section(
                name=name.decode("utf-8", "backslashreplace"),
                address=address,
                offset=start + offset,
                size=stored,
            )


def _architecture(header: Any) -> str:
    cpu = header.cputype & 0xFFFF_FFFF  # macholib has it signed
    subtype = header.cpusubtype & 0x00FF_FFFF  # the rest are capability bits: CPU_SUBTYPE_MASK
    exact = architectures.MACHO_SUBTYPE.get((cpu, subtype))
    return exact or architectures.MACHO.get(cpu, f"macho-cpu-{cpu}")


def _minimum_os(part: MachSlice) -> str | None:
    """The lowest system version that the image runs on, as "10.13" or "10.13.4"."""
    for command, system in part.find(mach_o.build_version_command, mach_o.version_min_command):
        version = system.minos if command.code == mach_o.LC_BUILD_VERSION else system.version
        parts = (version >> 16, version >> 8 & 0xFF, version & 0xFF)
        return ".".join(map(str, parts if parts[2] else parts[:2]))
    return None


def _header_pad(part: MachSlice, sections: tuple[Section, ...], start: int) -> int | None:
    """The room into which the load commands can grow, up to the first section with contents."""
    first = min((s.offset - start for s in sections if s.size and s.offset > start), default=None)
    return None if first is None else max(first - part.commands_end, 0)


def _signature(part: MachSlice, start: int) -> tuple[int, int] | None:
    for _, place in part.find(mach_o.LC_CODE_SIGNATURE):
        part.reader.require(place.dataoff, place.datasize, "the code signature")
        return start + place.dataoff, int(place.datasize)
    return None


def _symbol_tables(part: MachSlice) -> SymbolTables:
    """Where the image keeps its symbols."""
    tables = SymbolTables()
    commands = (mach_o.symtab_command, mach_o.dysymtab_command, mach_o.dyld_info_command)
    for command, table in part.find(*commands, mach_o.LC_DYLD_EXPORTS_TRIE):
        if command.code == mach_o.LC_SYMTAB:
            tables = tables._replace(symbols=table)
        elif command.code == mach_o.LC_DYSYMTAB:
            tables = tables._replace(external=(table.iextdefsym, table.nextdefsym))
        elif command.code == mach_o.LC_DYLD_EXPORTS_TRIE:
            tables = tables._replace(trie=(table.dataoff, table.datasize))
        else:
            tables = tables._replace(trie=(table.export_off, table.export_size))
    return tables
