"""Read which modules a native program carries, from the tables that it was compiled with.

In: an image and its bytes. Out: the names in Nuitka's import loader table, and in CPython's table
of built-in modules. Both are arrays of pointers that the loader relocates, or that the linker has
written where a program has a fixed address (gcc without -pie, the default on Red Hat's systems).
They are found by these, not by symbols, which a release build has stripped. Nothing is executed.

Nuitka: one static record a module, whose first word points to the module's name, and an array of
pointers to these records. CPython: `struct _inittab { const char *name; PyObject *(*initfunc)(); }`
(https://docs.python.org/3/c-api/import.html#c._inittab).
"""

from __future__ import annotations

import itertools
import mmap
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rustext.formats.binary import address_to_offset
from rustext.formats.pointers import read_pointers
from rustext.model.image import Format, Image, ImageKind

_NAME = re.compile(rb"[^\W\d][\w$-]*(?:\.[^\W\d][\w$-]*)*\0")
_MAIN = "__main__"
_ALWAYS_BUILT_IN = frozenset({"builtins", "sys", "marshal", "_imp", "_warnings"})
_CODE = (b"\x63", b"\xe3")  # how a marshalled code object begins, without and with FLAG_REF
_MACHO_CODE = "__TEXT,__text"
_LARGEST_FLAGS = 0xFF
_RECORD_LIMIT = 256  # bytes of a record; Nuitka 2.4 to 4.3 have between 28 and 128
_RECORD_WORDS = 11  # pointers at the start of a record; Nuitka 2.4 to 4.3 have between 4 and 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NuitkaTable:
    """Nuitka's table: all modules of a program, and those that are files next to it."""

    modules: frozenset[str]
    extensions: frozenset[str] = frozenset()


def find_builtin_modules(image: Image, data: mmap.mmap) -> frozenset[str] | None:
    """The modules built into a program or a libpython; None where there is no such table."""
    names = dict(_iter_names(image, data, _find_pointers(image, data)))
    stride = 2 * image.bits // 8
    for slot in [slot for slot, name in names.items() if name == "builtins"]:
        start = slot
        while start - stride in names:
            start -= stride
        found = set()
        while start in names:
            found.add(names[start])
            start += stride
        if found >= _ALWAYS_BUILT_IN:
            return frozenset(found)
    return None


def find_frozen_modules(image: Image, data: mmap.mmap) -> frozenset[str]:
    """The modules whose bytecode is part of a program or a libpython; empty where there are none.

    CPython freezes those that it starts with, cx_Freeze's programs some more of the standard
    library (`struct _frozen`, https://docs.python.org/3/c-api/import.html#c._frozen).
    """
    pointers = _find_pointers(image, data, constant=True)
    names = dict(_iter_names(image, data, pointers))
    width = image.bits // 8
    frozen = {slot for slot in names if _holds_bytecode(image, data, slot, pointers, names)}
    found: set[str] = set()
    for slot in frozen:
        for stride in (3 * width, 4 * width):
            if slot + stride in frozen:
                found |= {names[slot], names[slot + stride]}
    return frozenset(found)


def _holds_bytecode(
    image: Image, data: mmap.mmap, slot: int, pointers: dict[int, int], names: dict[int, str]
) -> bool:
    """Whether a name is followed by a marshalled code object, or by a function that makes one."""
    width = image.bits // 8
    code, maker = pointers.get(slot + width), pointers.get(slot + 3 * width)
    if slot + 2 * width in pointers:  # a size
        return False
    if code is not None and slot + width not in names:
        offset = address_to_offset(image, code)
        return offset is not None and data[offset : offset + 1] in _CODE
    return code is None and maker is not None and _is_code(image, maker)


def find_nuitka_modules(image: Image, data: mmap.mmap) -> NuitkaTable | None:
    """The modules that can be imported from the program; None if this is no program of Nuitka's.

    The table is the one run of pointers to named records that names `__main__`. Modules that
    Nuitka left out on purpose have records too, which say why: these point to text alone, where
    the others point to code or to the module's state. Nuitka 2 has no pointers to the records,
    which follow each other.
    """
    pointers = _find_pointers(image, data)
    names = dict(_iter_names(image, data, pointers))
    mains = [slot for slot, name in names.items() if name == _MAIN]
    for record in mains:
        for slot in [slot for slot, target in pointers.items() if target == record]:
            records = _run(image, slot, pointers, names)
            if len(records) > 1:
                held = {r: names[r] for r in records if _holds_module(image, r, pointers, names)}
                return _read_table(image, data, held)
    for record in mains:
        slots = _records_beside(image, record, pointers, names)
        if len(slots) > 1:
            return _read_table(image, data, {slot: names[slot] for slot in slots})
    return None


def _read_table(image: Image, data: mmap.mmap, records: Mapping[int, str]) -> NuitkaTable:
    """The modules of records, and which of them are extension modules, which their flags say.

    Where in a record the flags are differs from one release of Nuitka to the next: they are the one
    number that is small in all records and odd in some, and in these it is 1.
    """
    addresses = sorted(records)
    steps = (b - a for a, b in itertools.pairwise(addresses))
    length = min(min(steps, default=0), _RECORD_LIMIT)
    modules = frozenset(records.values())
    for at in range(image.bits // 8, length - 3, 4):
        values = {}
        for address, name in records.items():
            offset = address_to_offset(image, address + at)
            raw = data[offset : offset + 4] if offset is not None else b""
            values[name] = int.from_bytes(raw, "little" if image.byteorder == "little" else "big")
        odd = {value for value in values.values() if value & 1}
        if odd == {1} and max(values.values()) <= _LARGEST_FLAGS and not values.get(_MAIN, 0) & 1:
            extensions = frozenset(name for name, value in values.items() if value == 1)
            return NuitkaTable(modules=modules, extensions=extensions)
    return NuitkaTable(modules=modules)


def _records_beside(
    image: Image, main: int, pointers: dict[int, int], names: dict[int, str]
) -> frozenset[int]:
    """The records around `main`: a name, the code or nothing, and three numbers of 32 bits each."""
    width = image.bits // 8
    stride = 2 * width + (16 if width == 8 else 12)
    found = set()
    for step in (-stride, stride):
        at = main
        while at in names and _is_record(image, at, pointers):
            found.add(at)
            at += step
    return frozenset(found)


def _is_record(image: Image, at: int, pointers: dict[int, int]) -> bool:
    width = image.bits // 8
    code = pointers.get(at + width)
    return pointers.keys().isdisjoint(range(at + 2 * width, at + 2 * width + 12, 4)) and (
        code is None or _is_code(image, code)
    )


def _is_code(image: Image, address: int) -> bool:
    """Whether there is code at an address; Mach-O keeps text in the same segment."""
    return any(
        s.address <= address < s.address + s.memory_size for s in image.segments if s.executable
    ) and (
        image.format is not Format.MACHO
        or any(
            s.address <= address < s.address + s.size
            for s in image.sections
            if s.name == _MACHO_CODE
        )
    )


def _find_pointers(image: Image, data: mmap.mmap, *, constant: bool = False) -> dict[int, int]:
    """The pointers of an image; with `constant`, those too that nothing ever changes.

    A program with a fixed address has its constant tables in memory that is not writable.
    """
    start = min((s.address for s in image.segments), default=0)
    if image.format is not Format.ELF or image.kind is not ImageKind.EXECUTABLE or start == 0:
        return read_pointers(image, data)
    return dict(_iter_fixed_pointers(image, data, constant=constant))


def _iter_fixed_pointers(
    image: Image, data: mmap.mmap, *, constant: bool
) -> Iterator[tuple[int, int]]:
    """The words in memory without code that hold an address of the image."""
    width = image.bits // 8
    code = ("<" if image.byteorder == "little" else ">", "Q" if width == 8 else "I")
    low = min(s.address for s in image.segments)
    high = max(s.address + s.memory_size for s in image.segments)
    for segment in (s for s in image.segments if s.writable or (constant and not s.executable)):
        skip = -segment.address % width
        count = max(0, min(segment.size, len(data) - segment.offset) - skip) // width
        at = segment.offset + skip
        words = struct.unpack(f"{code[0]}{count}{code[1]}", data[at : at + count * width])
        for index, word in enumerate(words):
            if low <= word < high:
                yield segment.address + skip + index * width, word


def _iter_names(
    image: Image, data: mmap.mmap, pointers: dict[int, int]
) -> Iterator[tuple[int, str]]:
    for slot, target in pointers.items():
        offset = address_to_offset(image, target)
        match = _NAME.match(data, offset, offset + 256) if offset is not None else None
        if match is not None:
            yield slot, match[0][:-1].decode("utf-8", "replace")


def _run(
    image: Image, slot: int, pointers: dict[int, int], names: dict[int, str]
) -> frozenset[int]:
    """The records that the array around `slot` points to."""
    found = set()
    for step in (-image.bits // 8, image.bits // 8):
        at = slot
        while (record := pointers.get(at)) is not None and record in names:
            found.add(record)
            at += step
    return frozenset(found)


def _holds_module(
    image: Image, record: int, pointers: dict[int, int], names: dict[int, str]
) -> bool:
    width = image.bits // 8
    for slot in range(record + width, record + _RECORD_WORDS * width, width):
        if slot in names:  # the next record
            return False
        target = pointers.get(slot)
        if target is not None and (
            _is_code(image, target)
            or any(
                s.address <= target < s.address + s.memory_size
                for s in image.segments
                if s.writable
            )
        ):
            return True
    return False
