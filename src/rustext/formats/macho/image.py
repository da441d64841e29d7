"""Mach-O files, thin and universal.

In: the bytes of a file. Out: one `Image` for each architecture in it, with file offsets that count
from the start of the file.

Specification: Apple's <mach-o/loader.h>, <mach-o/fat.h> and <mach-o/nlist.h>
(https://github.com/apple-oss-distributions/xnu/tree/main/EXTERNAL_HEADERS/mach-o).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.formats import architectures
from rustext.formats.macho.python_inits import SymbolTables, find_python_inits
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader
from rustext.model.image import Format, Image, ImageKind, Needed, NeedKind, Section, Segment

# The magic number's bytes as they stand in the file -> (bits, byte order)
_THIN = {
    b"\xfe\xed\xfa\xce": (32, "big"),
    b"\xce\xfa\xed\xfe": (32, "little"),
    b"\xfe\xed\xfa\xcf": (64, "big"),
    b"\xcf\xfa\xed\xfe": (64, "little"),
}
_FAT, _FAT_64 = b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"

# A Java class file begins with the same bytes as a fat file, and then has its version where the
# fat file has its count: 45 or more, as file(1) knows too. No fat file comes near.
_MAX_SLICES = 44

_KINDS = {2: ImageKind.EXECUTABLE, 6: ImageKind.SHARED, 8: ImageKind.BUNDLE}  # MH_EXECUTE, …

_LC_SEGMENT, _LC_SYMTAB, _LC_DYSYMTAB, _LC_ID_DYLIB = 0x1, 0x2, 0xB, 0xD
_LC_SEGMENT_64, _LC_RPATH, _LC_CODE_SIGNATURE = 0x19, 0x8000_001C, 0x1D
_LC_BUILD_VERSION, _LC_DYLD_EXPORTS_TRIE = 0x32, 0x8000_0033
_LC_DYLD_INFOS = frozenset({0x22, 0x8000_0022})  # LC_DYLD_INFO, LC_DYLD_INFO_ONLY
_LC_VERSION_MIN = frozenset({0x24, 0x25, 0x2F, 0x30})  # macOS, iOS, tvOS, watchOS
_LC_LOADS = {
    0x0C: NeedKind.NORMAL,  # LC_LOAD_DYLIB
    0x20: NeedKind.LAZY,  # LC_LAZY_LOAD_DYLIB
    0x8000_0018: NeedKind.WEAK,  # LC_LOAD_WEAK_DYLIB
    0x8000_001F: NeedKind.REEXPORT,  # LC_REEXPORT_DYLIB
    0x8000_0023: NeedKind.UPWARD,  # LC_LOAD_UPWARD_DYLIB
}

# Since macOS 15 the kind may stand in flags instead (`dylib_use_command`), weak first: a library
# that may be absent may be absent however else it is used.
_DYLIB_USE_MARKER = 0x1A74_1800
_DYLIB_USE_KINDS = (
    (0x01, NeedKind.WEAK),
    (0x02, NeedKind.REEXPORT),
    (0x04, NeedKind.UPWARD),
    (0x08, NeedKind.LAZY),  # DYLIB_USE_DELAYED_INIT
)

_VM_PROT_WRITE, _VM_PROT_EXECUTE = 2, 4
_SEGMENT_LAYOUTS = {_LC_SEGMENT: "16xIIIIIIII", _LC_SEGMENT_64: "16xQQQQIIII"}
_SECTION_LAYOUTS = {_LC_SEGMENT: "16s16sIIIIIIIII", _LC_SEGMENT_64: "16s16sQQIIIIIIII"}
_SECTION_TYPE = 0xFF
_ZEROFILL = frozenset({0x1, 0xC, 0x12})  # S_ZEROFILL, S_GB_ZEROFILL, S_THREAD_LOCAL_ZEROFILL


class _Command(NamedTuple):
    code: int
    offset: int  # from the start of the slice
    size: int


class _Header(NamedTuple):
    bits: int
    byteorder: str
    cpu: int
    subtype: int
    type: int
    command_count: int
    commands: int  # offset of the first load command
    commands_end: int


def is_fat(head: bytes) -> bool:
    """Whether a file that begins with these bytes (eight or more) holds several images."""
    if head[:4] not in {_FAT, _FAT_64}:
        return False
    return int.from_bytes(head[4:8], "big") <= _MAX_SLICES


def is_macho(head: bytes) -> bool:
    """Whether a file that begins with these bytes (eight or more) is Mach-O, thin or fat."""
    return head[:4] in _THIN or is_fat(head)


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
    (count,) = reader.unpack("I", 4, "the fat header")
    if not count:
        raise InvalidBinary("damaged: a universal file without an architecture")
    layout = "IIQQII" if reader.startswith(0, _FAT_64) else "IIIII"
    taken: list[tuple[int, int]] = []
    for row in reader.rows(layout, 8, count, "the table of architectures"):
        _, _, start, size, *_ = row
        end = start + size
        reader.require(start, size, "the slice of an architecture")
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            raise InvalidBinary(f"damaged: the slice at {start:#x} overlaps another")
        taken.append((start, end))
        yield start, end


def _parse_slice(data: Buffer, start: int, end: int) -> Image:
    header, reader = _read_header(data, start, end)
    commands = tuple(_iter_commands(reader, header))
    segments, sections = _mapped(reader, commands, start)
    symbols = _symbol_commands(reader, commands)
    return Image(
        format=Format.MACHO,
        architecture=_architecture(header),
        bits=header.bits,
        byteorder=header.byteorder,
        kind=_KINDS.get(header.type, ImageKind.OTHER),
        soname=_install_name(reader, commands),
        needed=tuple(_iter_needed(reader, commands)),
        rpath=tuple(_name(reader, c) for c in commands if c.code == _LC_RPATH),
        python_inits=find_python_inits(reader, symbols, bits=header.bits),
        segments=segments,
        sections=sections,
        minimum_os=_minimum_os(reader, commands),
        header_pad=_header_pad(header, sections, start),
        signature=_signature(reader, commands, start),
        offset=start,
        size=end - start,
    )


def _read_header(data: Buffer, start: int, end: int) -> tuple[_Header, Reader]:
    magic = bytes(data[start : min(start + 4, end)])
    if magic not in _THIN:
        if len(magic) < 4:
            raise TruncatedBinary(f"cut short: a Mach-O header of {len(magic)} bytes")
        raise InvalidBinary(f"the slice at {start:#x} holds no Mach-O image")
    bits, byteorder = _THIN[magic]
    reader = Reader(data, start=start, end=end, byteorder=byteorder)
    fields = reader.unpack("IIIIII", 4, "the Mach-O header")
    cpu, subtype, kind, count, size, _ = fields
    begin = 32 if bits == 64 else 28
    reader.require(begin, size, "the load commands")
    if count > MAX_ENTRIES:
        raise InvalidBinary(f"damaged: {count} load commands")
    return _Header(bits, byteorder, cpu, subtype, kind, count, begin, begin + size), reader


def _iter_commands(reader: Reader, header: _Header) -> Iterator[_Command]:
    offset = header.commands
    for _ in range(header.command_count):
        if offset + 8 > header.commands_end:
            raise InvalidBinary(
                f"damaged: {header.command_count} load commands do not fit their room"
            )
        code, size = reader.unpack("II", offset, "a load command")
        if size < 8 or size % 4 or offset + size > header.commands_end:
            raise InvalidBinary(f"damaged: the load command at {offset:#x} has {size} bytes")
        yield _Command(code, offset, size)
        offset += size


def _fields(reader: Reader, command: _Command, layout: str) -> tuple[Any, ...]:
    """The fields after `cmd` and `cmdsize`, which have to lie in the command."""
    if command.size < 8 + struct.calcsize("=" + layout):
        raise InvalidBinary(
            f"damaged: the load command at {command.offset:#x} has only {command.size} bytes"
        )
    return reader.unpack(layout, command.offset + 8, "a load command")


def _name(reader: Reader, command: _Command) -> str:
    """The string of a command whose first field is its offset in the command (an `lc_str`)."""
    (offset,) = _fields(reader, command, "I")
    end = command.offset + command.size
    return reader.name(command.offset + offset, "the name in a load command", end=end)


def _install_name(reader: Reader, commands: tuple[_Command, ...]) -> str | None:
    command = next((c for c in commands if c.code == _LC_ID_DYLIB), None)
    return _name(reader, command) if command else None


def _iter_needed(reader: Reader, commands: tuple[_Command, ...]) -> Iterator[Needed]:
    for command in commands:
        kind = _LC_LOADS.get(command.code)
        if kind is None:
            continue
        offset, marker, _, _ = _fields(reader, command, "IIII")
        if marker == _DYLIB_USE_MARKER and offset == 28 and command.size >= 28:
            *_, flags = _fields(reader, command, "IIIII")
            kind = next((known for bit, known in _DYLIB_USE_KINDS if flags & bit), kind)
        yield Needed(name=_name(reader, command), kind=kind)


def _mapped(
    reader: Reader, commands: tuple[_Command, ...], start: int
) -> tuple[tuple[Segment, ...], tuple[Section, ...]]:
    """The segments by rising address, and the sections in their order in the file."""
    segments: list[Segment] = []
    sections: list[Section] = []
    for command in commands:
        if command.code not in _SEGMENT_LAYOUTS:
            continue
        layout = _SEGMENT_LAYOUTS[command.code]
        row = _fields(reader, command, layout)
        address, memory_size, offset, size, _, protection, count, _ = row
        reader.require(offset, size, f"the segment at {address:#x}")
        segments.append(
            Segment(
                address=address,
                memory_size=memory_size,
                offset=start + offset,
                size=size,
                writable=bool(protection & _VM_PROT_WRITE),
                executable=bool(protection & _VM_PROT_EXECUTE),
            )
        )
        table = command.offset + 8 + struct.calcsize("=" + layout)
        sections.extend(_iter_sections(reader, command, table, count, start))
    return tuple(sorted(segments, key=lambda s: s.address)), tuple(sections)


def _iter_sections(
    reader: Reader, command: _Command, table: int, count: int, start: int
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


def _architecture(header: _Header) -> str:
    subtype = header.subtype & 0x00FF_FFFF  # the rest are capability bits: CPU_SUBTYPE_MASK
    exact = architectures.MACHO_SUBTYPE.get((header.cpu, subtype))
    return exact or architectures.MACHO.get(header.cpu, f"macho-cpu-{header.cpu}")


def _minimum_os(reader: Reader, commands: tuple[_Command, ...]) -> str | None:
    """The lowest system version that the image runs on, as "10.13" or "10.13.4"."""
    for command in commands:
        if command.code == _LC_BUILD_VERSION:
            _, version = _fields(reader, command, "II")
        elif command.code in _LC_VERSION_MIN:
            (version,) = _fields(reader, command, "I")
        else:
            continue
        parts = (version >> 16, version >> 8 & 0xFF, version & 0xFF)
        return ".".join(map(str, parts if parts[2] else parts[:2]))
    return None


def _header_pad(header: _Header, sections: tuple[Section, ...], start: int) -> int | None:
    """The room into which the load commands can grow, up to the first section with contents."""
    first = min((s.offset - start for s in sections if s.size and s.offset > start), default=None)
    return None if first is None else max(first - header.commands_end, 0)


def _signature(
    reader: Reader, commands: tuple[_Command, ...], start: int
) -> tuple[int, int] | None:
    command = next((c for c in commands if c.code == _LC_CODE_SIGNATURE), None)
    if command is None:
        return None
    offset, size = _fields(reader, command, "II")
    reader.require(offset, size, "the code signature")
    return start + offset, size


def _symbol_commands(reader: Reader, commands: tuple[_Command, ...]) -> SymbolTables:
    """Where the image keeps its symbols."""
    tables = SymbolTables()
    for command in commands:
        if command.code == _LC_SYMTAB:
            tables = tables._replace(symbols=_fields(reader, command, "IIII"))
        elif command.code == _LC_DYSYMTAB:
            _, _, first, count = _fields(reader, command, "IIII")
            tables = tables._replace(external=(first, count))
        elif command.code in _LC_DYLD_INFOS:
            # rebase, bind, weak bind, lazy bind and, last, export: an offset and a size each
            tables = tables._replace(trie=_fields(reader, command, "IIIIIIIIII")[8:])
        elif command.code == _LC_DYLD_EXPORTS_TRIE:
            tables = tables._replace(trie=_fields(reader, command, "II"))
    return tables
