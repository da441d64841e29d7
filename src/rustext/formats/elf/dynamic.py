"""The dynamic section of an ELF file, and the tables that it leads to.

In: the bytes of a file. Out: what the loader finds by addresses: needed libraries, strings, symbols
and their versions. Section headers are asked for one number alone, how many symbols there are,
where no hash table says it.

Specification: https://gabi.xinuos.com/elf/08-dynamic.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from elftools.elf.constants import P_FLAGS
from elftools.elf.enums import ENUM_E_MACHINE

from rustext.errors import InvalidBinary, TruncatedBinary, UnmappedBinary
from rustext.formats.elf.header import ElfFile, read_header, read_programs, section_rows
from rustext.formats.elf.python_inits import DynamicSymbols, count_symbols
from rustext.formats.elf.symbol_versions import iter_defined_versions, iter_needed_versions
from rustext.formats.reader import MAX_NAME, MAX_TEXT, Buffer, Reader, segment_offset
from rustext.model.image import NeedKind, Segment, SymbolVersion

_PAGE = 4096  # bytes; no page of a Linux system is smaller
# DT_HASH has words of 64 bits there; Alpha has used this number ever since, not the assigned one.
_WIDE_HASH = frozenset({ENUM_E_MACHINE["EM_S390"], 0x9026})
# A filter's library is loaded before it and has to be there, an auxiliary one need not be
# (_dl_map_object_deps in elf/dl-deps.c).
_NEEDS = {
    "DT_NEEDED": NeedKind.NORMAL,
    "DT_FILTER": NeedKind.NORMAL,
    "DT_AUXILIARY": NeedKind.WEAK,
}


class Dynamic(NamedTuple):
    """What the loader maps, and the dynamic section in it.

    Of a repeated tag, the loader takes the last.
    """

    file: ElfFile
    programs: tuple[Any, ...]
    segments: tuple[Segment, ...]
    tags: dict[str, int]
    needed: tuple[tuple[int, NeedKind], ...]  # offsets into the string table, in order

    def locate(self, tag: str, what: str) -> int | None:
        """The file offset of what a tag points to; None without the tag."""
        address = self.tags.get(tag)
        if address is None:
            return None
        offset = segment_offset(self.segments, address)
        if offset is None:
            raise InvalidBinary(f"damaged: {what} at address {address:#x} is not in the file")
        return offset


class Strings(NamedTuple):
    """The dynamic string table, by file offsets."""

    reader: Reader
    start: int
    end: int

    def name(self, index: int, what: str) -> str:
        """The text at an index of the table."""
        return self.reader.name(self.start + index, what, end=self.end)

    def list(self, index: int | None, what: str) -> tuple[str, ...]:
        """A search path; the loader takes an empty one for none."""
        text = "" if index is None else self.name(index, what)
        return tuple(text.split(":")) if text else ()


def read_dynamic(data: Buffer) -> Dynamic:
    """The segments, and the dynamic section up to DT_NULL; that is empty for a static file.

    The loader finds it by its address. A program header that no segment backs (separate debug
    files have them) leaves it empty.
    """
    file = read_header(data)
    programs = read_programs(file)
    segments = _loaded(file.reader, programs)
    program = next((p for p in programs if p.p_type == "PT_DYNAMIC"), None)
    offset = segment_offset(segments, program.p_vaddr) if program else None
    tags: dict[str, int] = {}
    needed: list[tuple[int, NeedKind]] = []
    if program is not None and offset is not None:
        for tag, value in file.dynamic(offset, program.p_filesz):
            if tag in _NEEDS:
                needed.append((value, _NEEDS[tag]))
            else:
                tags[tag] = value
    return Dynamic(file, programs, segments, tags, tuple(needed))


def _loaded(reader: Reader, programs: tuple[Any, ...]) -> tuple[Segment, ...]:
    """The PT_LOAD segments by rising address; a file that ends inside one would crash when used."""
    segments: list[Segment] = []
    for row in sorted((p for p in programs if p.p_type == "PT_LOAD"), key=lambda p: p.p_vaddr):
        if row.p_filesz:  # files with debug information alone have none
            try:
                reader.require(row.p_offset, row.p_filesz, f"the segment at {row.p_vaddr:#x}")
            except TruncatedBinary as error:
                if any(p.p_type == "PT_DYNAMIC" and _is_gone(reader, p) for p in programs):
                    raise UnmappedBinary(str(error)) from error
                raise
            if (row.p_vaddr - row.p_offset) % _PAGE:  # what its addresses mean is not known then
                raise InvalidBinary(
                    "damaged: ELF load command address/offset not page-aligned: the segment at "
                    f"{row.p_vaddr:#x} lies at {row.p_offset:#x} in the file"
                )
        segments.append(
            Segment(
                address=row.p_vaddr,
                memory_size=row.p_memsz,
                offset=row.p_offset,
                size=row.p_filesz,
                writable=bool(row.p_flags & P_FLAGS.PF_W),
                executable=bool(row.p_flags & P_FLAGS.PF_X),
            )
        )
    return tuple(segments)


def _is_gone(reader: Reader, row: Any) -> bool:
    """Whether the file ends before the page in which a part of it ends."""
    return bool((row.p_offset + row.p_filesz - 1) // _PAGE > (reader.size - 1) // _PAGE)


def read_strings(dynamic: Dynamic) -> Strings:
    """The string table, empty for a static file.

    Raises `UnmappedBinary` where there is none for the names that the loader reads.
    """
    reader, what = dynamic.file.reader, "the dynamic string table"
    start = dynamic.locate("DT_STRTAB", what)
    if start is None and dynamic.needed:
        raise UnmappedBinary("damaged: there is no DT_STRTAB, and names that are to be in it")
    if start is None:
        return Strings(reader, 0, 0)
    size = dynamic.tags.get("DT_STRSZ", reader.size - start)
    if any(index >= size for index, _ in dynamic.needed):  # glibc and musl never read DT_STRSZ
        inside = (start - s.offset for s in dynamic.segments)
        rest = (s.size - at for s, at in zip(dynamic.segments, inside, strict=True) if at >= 0)
        size = max(size, min((n for n in rest if n > 0), default=size))
    reader.require(start, size, what)
    return Strings(reader, start, start + size)


def needed_versions(dynamic: Dynamic, strings: Strings) -> Iterator[tuple[int, SymbolVersion]]:
    """The versions that the file needs of others, by the index that its symbols have."""
    offset = dynamic.locate("DT_VERNEED", "the table of needed symbol versions")
    if offset is None:
        return iter(())
    count = dynamic.tags.get("DT_VERNEEDNUM", 0)
    return iter_needed_versions(dynamic.file, offset, count, strings.name)


def symbol_tables(dynamic: Dynamic, strings: Strings) -> DynamicSymbols | None:
    """The offsets of the symbols and their hash tables; None without symbols."""
    symbols = dynamic.locate("DT_SYMTAB", "the dynamic symbol table")
    if symbols is None:
        return None
    file, what = dynamic.file, "the symbol hash table"
    return DynamicSymbols(
        bits=file.bits,
        symbols=symbols,
        strings=strings.start,
        strings_size=strings.end - strings.start,
        gnu_hash=dynamic.locate("DT_GNU_HASH", what),
        sysv_hash=dynamic.locate("DT_HASH", what),
        wide_hash=file.bits == 64 and file.machine in _WIDE_HASH,
    )


def listed_symbols(file: ElfFile, offset: int) -> int:
    """The number of symbols in the section that begins at `offset`; 0 where there is none."""
    for row in section_rows(file):
        inside = offset + row.sh_size <= file.reader.size
        if row.sh_type == "SHT_DYNSYM" and row.sh_offset == offset and inside:
            return int(row.sh_size // file.layouts.Elf_Sym.sizeof())
    return 0


# Name, type and binding, visibility, section and value of a symbol; the index of its version.
SymbolRow = tuple[tuple[int, int, int, int, int], int]


class DynamicTables(NamedTuple):
    """The symbols of a file, with what it takes to understand them."""

    dynamic: Dynamic
    strings: Strings
    symbols: DynamicSymbols
    total: int
    first_hashed: int | None  # those from here on are defined, where DT_GNU_HASH says so

    @property
    def bits(self) -> int:
        """32 or 64."""
        return self.symbols.bits

    @property
    def machine(self) -> int:
        """The number in `e_machine`."""
        return self.dynamic.file.machine

    @property
    def tags(self) -> dict[str, int]:
        """The dynamic section."""
        return self.dynamic.tags

    @property
    def prefix(self) -> str:
        """The byte order, as `struct` writes it."""
        return self.dynamic.file.reader.prefix

    @property
    def versioned(self) -> bool:
        """Whether symbols have versions at all."""
        return "DT_VERSYM" in self.tags

    def name(self, index: int) -> str:
        """The text at an index of the string table."""
        return self.strings.name(index, "a dynamic symbol's name")

    def names(self, indices: Iterable[int]) -> Iterator[str]:
        """The texts at many indices; the table is copied once, which is quick for thousands."""
        start, size = self.strings.start, self.strings.end - self.strings.start
        table = self.dynamic.file.reader.take(start, size, "the dynamic string table")
        taken = 0
        for index in indices:
            end = table.find(b"\0", index, index + MAX_NAME)
            taken += end - index
            if end < 0 or taken > MAX_TEXT:
                yield self.name(index)  # with the limits of the reader, and its words
            else:
                yield table[index:end].decode("utf-8", "backslashreplace")

    def table(self, tag: str, size: int, what: str) -> bytes:
        """The bytes of a table that a tag points to; none without the tag."""
        offset = self.dynamic.locate(tag, what)
        return b"" if offset is None else self.dynamic.file.reader.take(offset, size, what)

    def rows(self, first: int | None = None, last: int | None = None) -> Iterator[SymbolRow]:
        """The symbols of a range, in the table's order."""
        begin = first or 0
        count = max(0, (self.total if last is None else min(last, self.total)) - begin)
        row = 24 if self.bits == 64 else 16
        layout = "IBBHQQ" if self.bits == 64 else "IIIBBH"
        at = self.symbols.symbols + begin * row
        versions: Iterable[int] = (1,) * count
        if self.versioned:
            raw = self.table("DT_VERSYM", 2 * (begin + count), "the table of symbol versions")
            versions = struct.unpack(f"{self.prefix}{count}H", raw[2 * begin :])
        table = self.dynamic.file.reader.rows(layout, at, count, "the dynamic symbol table")
        for fields, version in zip(table, versions, strict=True):
            if self.bits == 64:
                text, info, other, section, value, _ = fields
            else:
                text, value, _, info, other, section = fields
            yield (text, info, other, section, value), version

    def hashes(self) -> Iterator[int]:
        """For each symbol that DT_GNU_HASH lists, the hash in it, whose lowest bit is another's."""
        if self.symbols.gnu_hash is None or self.first_hashed is None:
            return
        reader, what = self.dynamic.file.reader, "the symbol hash table"
        buckets, _, bloom, _ = reader.unpack("IIII", self.symbols.gnu_hash, what)
        at = self.symbols.gnu_hash + 16 + bloom * (self.bits // 8) + 4 * buckets
        for (value,) in reader.rows("I", at, max(0, self.total - self.first_hashed), what):
            yield value

    def numbered(self, indices: Iterable[int]) -> Iterator[tuple[int, str]]:
        """The names of the symbols with these numbers."""
        row = 24 if self.bits == 64 else 16
        reader = self.dynamic.file.reader
        for index in indices:
            at = self.symbols.symbols + index * row
            yield index, self.name(reader.unpack("I", at, "a dynamic symbol")[0])

    def needed_versions(self) -> dict[int, SymbolVersion]:
        """The versions that symbols are asked for with, by index."""
        return dict(needed_versions(self.dynamic, self.strings))

    def defined_versions(self) -> dict[int, str]:
        """The versions under which symbols are defined, by index."""
        offset = self.dynamic.locate("DT_VERDEF", "the defined symbol versions")
        if offset is None:
            return {}
        count = self.tags.get("DT_VERDEFNUM", 0)
        return dict(iter_defined_versions(self.dynamic.file, offset, count, self.strings.name))


def open_dynamic(data: Buffer) -> DynamicTables | None:
    """The tables of a file; None for one without dynamic symbols.

    Raises `UnknownFormat`, `TruncatedBinary` or `InvalidBinary`.
    """
    dynamic = read_dynamic(data)
    strings = read_strings(dynamic)
    symbols = symbol_tables(dynamic, strings)
    if symbols is None:
        return None
    reader, hashed, first = dynamic.file.reader, 0, None
    if symbols.gnu_hash is not None:
        hashed = count_symbols(reader, symbols._replace(sysv_hash=None))
    if hashed and symbols.gnu_hash is not None:
        (first,) = reader.unpack("I", symbols.gnu_hash + 4, "the symbol hash table")
    listed = listed_symbols(dynamic.file, symbols.symbols) if not hashed else 0
    total = hashed or count_symbols(reader, symbols._replace(gnu_hash=None, listed=listed))
    return DynamicTables(dynamic, strings, symbols, total, first)
