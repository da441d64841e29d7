"""The pointers and imported symbols that the loader writes into a PE image.

In: an image and its bytes. Out: each slot that will hold an address inside the image, with that
address, and each slot of an import address table, with the function's name.

Specification: https://learn.microsoft.com/en-us/windows/win32/debug/pe-format, "The .reloc Section"
and "The .idata Section".
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.errors import InvalidBinary
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader, segment_offset
from rustext.model.image import Image

_HEADER_POINTER, _DIRECTORIES = 0x3C, 24 + 112  # of PE32+, from the signature on
_IMPORT, _BASE_RELOCATION = 1, 5
_DIR64 = 10
_BY_ORDINAL = 1 << 63


def iter_pointers(image: Image, data: Buffer) -> Iterator[tuple[int, int]]:
    """Yield (address of the slot, address that it holds) for the 64-bit base relocations."""
    reader, base = Reader(data), _base(image)
    address, size = _directory(image, reader, _BASE_RELOCATION)
    at = segment_offset(image.segments, base + address) if address else None
    if at is None:
        return
    end = at + size
    while at + 8 <= end:
        page, length = reader.unpack("II", at, "a block of base relocations")
        if length < 8:
            break
        for (entry,) in reader.rows("H", at + 8, (length - 8) // 2, "a block of base relocations"):
            slot = base + page + (entry & 0xFFF)
            offset = segment_offset(image.segments, slot)
            if entry >> 12 == _DIR64 and offset is not None:
                yield slot, reader.unpack("Q", offset, "a relocated word")[0]
        at += length


def iter_imports(image: Image, data: Buffer) -> Iterator[tuple[int, str]]:
    """Yield (address of the slot, function) for all functions that are imported by name."""
    reader, base = Reader(data), _base(image)
    address, _ = _directory(image, reader, _IMPORT)
    at = segment_offset(image.segments, base + address) if address else None
    if at is None:
        return
    for _ in range(MAX_ENTRIES):
        names, _, _, library, slots = reader.unpack("IIIII", at, "an import directory entry")
        if not library:
            return
        yield from _thunks(image, reader, base, names or slots, base + slots)
        at += 20


def _thunks(
    image: Image, reader: Reader, base: int, names: int, slot: int
) -> Iterator[tuple[int, str]]:
    at = segment_offset(image.segments, base + names)
    if at is None:
        raise InvalidBinary(f"damaged: the import lookup table at {names:#x} is not in the file")
    for index in range(MAX_ENTRIES):
        (entry,) = reader.unpack("Q", at + 8 * index, "an import lookup table")
        if not entry:
            return
        if not entry & _BY_ORDINAL:
            place = segment_offset(image.segments, base + (entry & 0x7FFFFFFF))
            if place is not None:
                yield slot + 8 * index, reader.name(place + 2, "an imported function's name")


def _base(image: Image) -> int:
    return image.segments[0].address if image.segments else 0


def _directory(image: Image, reader: Reader, index: int) -> tuple[int, int]:
    """Address, from the image's base, and size of a data directory; zeros for PE32."""
    if image.bits != 64:
        return 0, 0
    (start,) = reader.unpack("I", _HEADER_POINTER, "the DOS header")
    (count,) = reader.unpack("I", start + _DIRECTORIES - 4, "the optional header")
    if index >= count:
        return 0, 0
    address, size = reader.unpack("II", start + _DIRECTORIES + 8 * index, "a data directory")
    return address, size
