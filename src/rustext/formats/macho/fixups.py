"""The pointers and imported symbols that dyld writes into a Mach-O image.

In: a 64-bit little-endian image and its bytes. Out: each slot that will hold an address inside the
image, with that address, and each slot that will hold the address of an imported symbol, with its
name. Both kinds of tables are read: chained fix-ups, which the linker writes since macOS 12, and
the rebase and bind opcodes of older targets.

Specification: <mach-o/fixup-chains.h> and <mach-o/loader.h>
(https://github.com/apple-oss-distributions/dyld/tree/main/include/mach-o).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from macholib import mach_o

from rustext.errors import InvalidBinary
from rustext.formats.macho.load_commands import read_slice
from rustext.formats.reader import Buffer, Reader, segment_offset
from rustext.model.image import Image

_PTR_64, _PTR_64_OFFSET = 2, 6  # DYLD_CHAINED_PTR_64, DYLD_CHAINED_PTR_64_OFFSET
_MAX_SLOTS = 1 << 22  # the largest extensions have some 150 000
_NO_PAGE = 0xFFFF  # DYLD_CHAINED_PTR_START_NONE
_IMPORT_LAYOUTS = {1: ("I", 9, 0x7FFFFF), 2: ("Ii", 9, 0x7FFFFF), 3: ("QQ", 32, 0xFFFFFFFF)}


class _Tables(NamedTuple):
    """Where an image keeps its fix-ups; offsets count from the start of the slice."""

    reader: Reader
    header: int  # the address of the Mach-O header
    segments: tuple[int, ...]  # addresses, in the order of the load commands
    chained: int | None
    opcodes: Any  # macholib's dyld_info_command, or None


def iter_pointers(image: Image, data: Buffer) -> Iterator[tuple[int, int]]:
    """Yield (address of the slot, address that it will hold, the slide apart)."""
    tables = _read_tables(image, data)
    if tables is None:
        return
    if tables.chained is not None:
        for slot, word, offset_based in _iter_chained(image, data, tables, tables.chained):
            if not word >> 63:
                target = word & 0xF_FFFF_FFFF
                yield slot, target + (tables.header if offset_based else 0)
    elif tables.opcodes is not None:
        place = tables.opcodes.rebase_off, tables.opcodes.rebase_size
        for slot in _limited(_iter_rebased(tables, *place)):
            offset = segment_offset(image.segments, slot)
            if offset is not None:
                yield slot, int.from_bytes(data[offset : offset + 8], "little")


def iter_imports(image: Image, data: Buffer) -> Iterator[tuple[int, str]]:
    """Yield (address of the slot, symbol without its leading underscore)."""
    tables = _read_tables(image, data)
    if tables is None:
        return
    if tables.chained is not None:
        names = _chained_names(tables.reader, tables.chained)
        for slot, word, _ in _iter_chained(image, data, tables, tables.chained):
            ordinal = word & 0xFFFFFF
            if word >> 63 and ordinal < len(names):
                yield slot, names[ordinal].removeprefix("_")
    if (place := tables.opcodes) is None:
        return
    for kind in ("bind", "lazy_bind"):
        start, size = getattr(place, f"{kind}_off"), getattr(place, f"{kind}_size")
        for slot, name in _limited(_iter_bound(tables, start, size)):
            yield slot, name.removeprefix("_")


def _read_tables(image: Image, data: Buffer) -> _Tables | None:
    if image.bits != 64 or image.byteorder != "little":
        return None
    end = image.offset + image.size if image.size else len(data)
    part = read_slice(data, image.offset, end)
    segments: list[int] = []
    header, chained, opcodes = 0, None, None
    commands = (mach_o.segment_command_64, mach_o.dyld_info_command)
    for command, found in part.find(*commands, mach_o.LC_DYLD_CHAINED_FIXUPS):
        if command.code == mach_o.LC_SEGMENT_64:
            segments.append(int(found.vmaddr))
            if not found.fileoff and found.filesize:
                header = segments[-1]
        elif command.code == mach_o.LC_DYLD_CHAINED_FIXUPS:
            chained = int(found.dataoff)
        else:
            opcodes = found
    return _Tables(part.reader, header, tuple(segments), chained, opcodes)


# --- chained fix-ups --------------------------------------------------------------------------


def _iter_chained(
    image: Image, data: Buffer, tables: _Tables, start: int
) -> Iterator[tuple[int, int, bool]]:
    """Yield (slot, its word in the file, whether targets count from the header)."""
    reader = tables.reader
    (starts,) = reader.unpack("4xI", start, "the chained fix-ups")
    starts += start
    (count,) = reader.unpack("I", starts, "the chained fix-ups")
    offsets = reader.rows("I", starts + 4, count, "the chained fix-ups")
    for index, (offset,) in enumerate(offsets):
        if not offset or index >= len(tables.segments):
            continue
        at = starts + offset
        page_size, form, _, _, pages = reader.unpack("4xHHQIH", at, "a segment's fix-up chains")
        if form not in (_PTR_64, _PTR_64_OFFSET):
            continue
        rows = reader.rows("H", at + 22, pages, "a segment's fix-up chains")
        for page, (first,) in enumerate(rows):
            if first != _NO_PAGE:
                begin = tables.segments[index] + page * page_size
                for slot, word in _iter_page(image, data, begin, first, page_size):
                    yield slot, word, form == _PTR_64_OFFSET


def _iter_page(
    image: Image, data: Buffer, begin: int, first: int, page_size: int
) -> Iterator[tuple[int, int]]:
    offset = segment_offset(image.segments, begin)
    if offset is None:
        return
    page = bytes(data[offset : offset + page_size])
    at = first
    while at + 8 <= len(page):
        word = int.from_bytes(page[at : at + 8], "little")
        yield begin + at, word
        distance = word >> 51 & 0xFFF
        if not distance:
            return
        at += 4 * distance


def _chained_names(reader: Reader, start: int) -> list[str]:
    imports, symbols, count, form, packed = reader.unpack("8xIIIII", start, "the chained fix-ups")
    if packed or form not in _IMPORT_LAYOUTS:
        return []
    layout, shift, mask = _IMPORT_LAYOUTS[form]
    rows = reader.rows(layout, start + imports, count, "the imports of the chained fix-ups")
    return [
        reader.name(start + symbols + (row[0] >> shift & mask), "an imported symbol's name")
        for row in rows
    ]


# --- opcodes ----------------------------------------------------------------------------------


class _Opcodes:
    """A stream of rebase or bind opcodes."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        if self._at >= len(self._data):
            raise InvalidBinary("damaged: dyld's opcodes end too early")
        self._at += 1
        return self._data[self._at - 1]

    def uleb(self) -> int:
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number & 0xFFFF_FFFF_FFFF_FFFF
            if shift > 70:
                raise InvalidBinary("damaged: a number among dyld's opcodes has no end")

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise InvalidBinary("damaged: a name among dyld's opcodes has no end")
        text = self._data[self._at : end].decode("utf-8", "backslashreplace")
        self._at = end + 1
        return text


def _segment(tables: _Tables, index: int) -> int:
    if index >= len(tables.segments):
        raise InvalidBinary(f"damaged: dyld's opcodes name segment {index}")
    return tables.segments[index]


_Slot = TypeVar("_Slot")


def _limited(slots: Iterator[_Slot]) -> Iterator[_Slot]:
    """Stop a table that, a few bytes long, names more slots than any image has."""
    for count, slot in enumerate(slots):
        if count > _MAX_SLOTS:
            raise InvalidBinary(f"damaged: dyld's opcodes name more than {_MAX_SLOTS} slots")
        yield slot


def _iter_rebased(  # noqa: C901 - one branch an opcode
    tables: _Tables, start: int, size: int
) -> Iterator[int]:
    """Yield the slots that REBASE_OPCODE_* name."""
    opcodes = _Opcodes(tables.reader.take(start, size, "the rebase opcodes"))
    slot = 0
    while opcodes:
        byte = opcodes.byte()
        opcode, number = byte & 0xF0, byte & 0x0F
        count, skip = 0, 0
        if opcode == 0x00:  # DONE
            return
        if opcode == 0x20:  # SET_SEGMENT_AND_OFFSET_ULEB
            slot = _segment(tables, number) + opcodes.uleb()
        elif opcode == 0x30:  # ADD_ADDR_ULEB
            slot += opcodes.uleb()
        elif opcode == 0x40:  # ADD_ADDR_IMM_SCALED
            slot += number * 8
        elif opcode == 0x50:  # DO_REBASE_IMM_TIMES
            count = number
        elif opcode == 0x60:  # DO_REBASE_ULEB_TIMES
            count = opcodes.uleb()
        elif opcode == 0x70:  # DO_REBASE_ADD_ADDR_ULEB
            count, skip = 1, opcodes.uleb()
        elif opcode == 0x80:  # DO_REBASE_ULEB_TIMES_SKIPPING_ULEB
            count, skip = opcodes.uleb(), opcodes.uleb()
        for _ in range(count):
            yield slot
            slot = slot + 8 + skip & 0xFFFF_FFFF_FFFF_FFFF


def _iter_bound(  # noqa: C901 - one branch an opcode
    tables: _Tables, start: int, size: int
) -> Iterator[tuple[int, str]]:
    """Yield the slots that BIND_OPCODE_* name, with their symbols.

    DONE ends one symbol of the lazy table, not the table.
    """
    opcodes = _Opcodes(tables.reader.take(start, size, "the bind opcodes"))
    slot, name = 0, ""
    while opcodes:
        byte = opcodes.byte()
        opcode, number = byte & 0xF0, byte & 0x0F
        count, skip = 0, 0
        if opcode in (0x20, 0x60):  # SET_DYLIB_ORDINAL_ULEB, SET_ADDEND_SLEB
            opcodes.uleb()
        elif opcode == 0x40:  # SET_SYMBOL_TRAILING_FLAGS_IMM
            name = opcodes.text()
        elif opcode == 0x70:  # SET_SEGMENT_AND_OFFSET_ULEB
            slot = _segment(tables, number) + opcodes.uleb()
        elif opcode == 0x80:  # ADD_ADDR_ULEB
            slot += opcodes.uleb()
        elif opcode == 0x90:  # DO_BIND
            count = 1
        elif opcode == 0xA0:  # DO_BIND_ADD_ADDR_ULEB
            count, skip = 1, opcodes.uleb()
        elif opcode == 0xB0:  # DO_BIND_ADD_ADDR_IMM_SCALED
            count, skip = 1, number * 8
        elif opcode == 0xC0:  # DO_BIND_ULEB_TIMES_SKIPPING_ULEB
            count, skip = opcodes.uleb(), opcodes.uleb()
        for _ in range(count):
            yield slot & 0xFFFF_FFFF_FFFF_FFFF, name
            slot = slot + 8 + skip & 0xFFFF_FFFF_FFFF_FFFF
