"""The pointers and imported symbols that the dynamic linker writes into an ELF image.

In: an image and its bytes. Out: each slot that will hold an address inside the image, with that
address, and each slot that will hold the address of another image's symbol, with its name.

Specification: System V gABI, "Relocation", with the psABI supplements for the numbers; RELR as in
https://groups.google.com/g/generic-abi/c/bX460iggiKg.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rustext.formats.reader import segment_offset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustext.formats.reader import Buffer
    from rustext.model.image import Image, Section


@dataclass(frozen=True, slots=True)
class RelocationNumbers:
    """The relocations of one architecture that put an address into a slot."""

    relative: int
    absolute: int
    glob_dat: int
    jump_slot: int


ELF_NUMBERS = {
    "x86_64": RelocationNumbers(relative=8, absolute=1, glob_dat=6, jump_slot=7),
    "i686": RelocationNumbers(relative=8, absolute=1, glob_dat=6, jump_slot=7),
    "aarch64": RelocationNumbers(relative=1027, absolute=257, glob_dat=1025, jump_slot=1026),
    "armv7l": RelocationNumbers(relative=23, absolute=2, glob_dat=21, jump_slot=22),
}


def _section(image: Image, name: str) -> Section | None:
    return next((s for s in image.sections if s.name == name and s.size), None)


def _contents(data: Buffer, section: Section) -> bytes:
    return bytes(data[section.offset : section.offset + section.size])


def _number(image: Image, data: Buffer, offset: int, width: int) -> int:
    raw = bytes(data[offset : offset + width])
    return int.from_bytes(raw, "big" if image.byteorder == "big" else "little")


def _entries(
    image: Image, data: Buffer, names: tuple[str, ...]
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (slot, symbol, type, addend) of the relocation sections; REL addends are the slot's."""
    order = "<" if image.byteorder == "little" else ">"
    wide = image.bits == 64
    for name in names:
        section = _section(image, name)
        if section is None:
            continue
        explicit = name.startswith(".rela")
        form = order + ("QQq" if wide else "IIi") if explicit else order + ("QQ" if wide else "II")
        size = struct.calcsize(form)
        raw = _contents(data, section)
        raw = raw[: len(raw) // size * size]
        shift, mask = (32, 0xFFFFFFFF) if wide else (8, 0xFF)
        for entry in struct.iter_unpack(form, raw):
            slot, info = entry[0], entry[1]
            addend = entry[2] if explicit else _word(image, data, slot)
            yield slot, info >> shift, info & mask, addend


def _word(image: Image, data: Buffer, address: int) -> int:
    offset = segment_offset(image.segments, address)
    if offset is None:
        return 0
    return _number(image, data, offset, image.bits // 8)


def iter_pointers(image: Image, data: Buffer) -> Iterator[tuple[int, int]]:
    """Yield (address of the slot, address that it will hold, the load bias apart)."""
    numbers = ELF_NUMBERS.get(image.architecture)
    if numbers is None:
        return
    for slot, symbol, kind, addend in _entries(image, data, (".rela.dyn", ".rel.dyn")):
        if kind == numbers.relative or (kind == numbers.absolute and not symbol):
            yield slot, addend
    relr = _section(image, ".relr.dyn")
    if relr is not None:
        for slot in _relr_slots(image, _contents(data, relr)):
            yield slot, _word(image, data, slot)


def _relr_slots(image: Image, raw: bytes) -> Iterator[int]:
    """An even word is a slot; an odd one is a bitmap of the slots that follow the last one."""
    width = image.bits // 8
    form = ("<" if image.byteorder == "little" else ">") + ("Q" if width == 8 else "I")
    where = 0
    for (word,) in struct.iter_unpack(form, raw[: len(raw) // width * width]):
        if not word & 1:
            yield word
            where = word + width
            continue
        for bit in range(1, width * 8):
            if word >> bit & 1:
                yield where + (bit - 1) * width
        where += (width * 8 - 1) * width


def iter_imports(image: Image, data: Buffer) -> Iterator[tuple[int, str]]:
    """Yield (address of the slot, name of the symbol whose address it will hold)."""
    numbers = ELF_NUMBERS.get(image.architecture)
    symbols, strings = _section(image, ".dynsym"), _section(image, ".dynstr")
    if numbers is None or symbols is None or strings is None:
        return
    names = _contents(data, strings)
    size = 24 if image.bits == 64 else 16
    by_symbol = {numbers.glob_dat, numbers.jump_slot, numbers.absolute}
    for slot, symbol, kind, _ in _entries(
        image, data, (".rela.dyn", ".rel.dyn", ".rela.plt", ".rel.plt")
    ):
        if kind in by_symbol and symbol:
            entry = symbols.offset + symbol * size
            start = _number(image, data, entry, 4)
            yield slot, names[start : names.find(b"\0", start)].decode("latin-1")
