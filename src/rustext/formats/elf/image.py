"""ELF files, read as the dynamic loader reads them.

In: the bytes of a file. Out: one `Image`. What the loader goes by (program headers, the dynamic
section, symbol hash tables) is read from where the loader reads it, so that files without section
headers are understood too; section headers give nothing but `Image.sections`.

Specification: https://gabi.xinuos.com/ (System V ABI), https://refspecs.linuxfoundation.org/
LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html (symbol versions), and elf(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rustext.errors import InvalidBinary
from rustext.formats.elf.header import (
    EM_ALPHA,
    EM_S390,
    PF_W,
    PF_X,
    PT_DYNAMIC,
    PT_LOAD,
    SHT_DYNSYM,
    ElfHeader,
    ProgramHeader,
    architecture_of,
    iter_programs,
    iter_sections,
    kind_of,
    program_interpreter,
    read_header,
    section_rows,
)
from rustext.formats.elf.python_inits import DynamicSymbols, find_python_inits
from rustext.formats.elf.symbol_versions import (
    DynamicSymbol,
    iter_defined_versions,
    iter_needed_versions,
    iter_symbols,
)
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader, segment_offset
from rustext.model.image import Format, Image, Needed, Segment, SymbolVersion

_DT_NULL, _DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB = 0, 1, 4, 5, 6
_DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 10, 14, 15, 29
_DT_GNU_HASH, _DT_FLAGS_1 = 0x6FFF_FEF5, 0x6FFF_FFFB
_DT_VERSYM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFF_FFF0, 0x6FFF_FFFE, 0x6FFF_FFFF
_DT_VERDEF, _DT_VERDEFNUM = 0x6FFF_FFFC, 0x6FFF_FFFD
_DF_1_NODEFLIB, _DF_1_PIE = 0x800, 0x0800_0000


class _Dynamic(NamedTuple):
    """The dynamic section; of a tag that stands more than once, the loader takes the last."""

    tags: dict[int, int]
    needed: tuple[int, ...]  # offsets into the string table, in order


class _Strings(NamedTuple):
    """The dynamic string table, by file offsets."""

    reader: Reader
    start: int
    end: int

    def name(self, index: int, what: str) -> str:
        return self.reader.name(self.start + index, what, end=self.end)

    def list(self, index: int | None, what: str) -> tuple[str, ...]:
        """A search path; the loader takes an empty one for none."""
        text = "" if index is None else self.name(index, what)
        return tuple(text.split(":")) if text else ()


def parse_elf(data: Buffer, *, linkage: bool = False) -> Image:
    """The image in an ELF file of any class, byte order and machine.

    With `linkage`, only what decides which libraries get loaded: sections, symbol versions and
    exports stay empty, and damage in them goes unnoticed.
    Raises `UnknownFormat` for other files, `TruncatedBinary` where a header, a segment or the
    section table reaches past the end, and `InvalidBinary` where the loader would find nonsense.
    """
    reader, header = read_header(data)
    programs = tuple(iter_programs(reader, header))
    segments = _loaded(reader, programs)
    dynamic = _read_dynamic(reader, header, programs, segments)
    strings = _dynamic_strings(reader, dynamic, segments)
    tags = dynamic.tags
    flags = tags.get(_DT_FLAGS_1, 0)
    soname = strings.name(tags[_DT_SONAME], "the soname") if _DT_SONAME in tags else None
    interpreter = program_interpreter(reader, programs)
    runpath = strings.list(tags.get(_DT_RUNPATH), "the runpath")
    return Image(
        format=Format.ELF,
        architecture=architecture_of(header),
        bits=header.bits,
        byteorder=header.byteorder,
        kind=kind_of(header, interpreter, soname, pie=bool(flags & _DF_1_PIE)),
        soname=soname,
        needed=tuple(Needed(name=strings.name(n, "a needed name")) for n in dynamic.needed),
        rpath=strings.list(tags.get(_DT_RPATH), "the rpath"),
        runpath=runpath,
        empty_runpath=_DT_RUNPATH in tags and not runpath,
        interpreter=interpreter,
        versions=()
        if linkage
        else tuple(v for _, v in _needed_versions(reader, tags, strings, segments)),
        python_inits=() if linkage else _python_inits(reader, header, tags, strings, segments),
        segments=segments,
        sections=() if linkage else tuple(iter_sections(reader, header)),
        dynamic=bool(tags),
        no_default_libraries=bool(flags & _DF_1_NODEFLIB),
        size=len(data),
    )


def parse_elf_symbols(data: Buffer) -> tuple[DynamicSymbol, ...]:
    """The dynamic symbols of an ELF file; empty for a static one. Raises as `parse_elf`."""
    reader, header = read_header(data)
    programs = tuple(iter_programs(reader, header))
    segments = _loaded(reader, programs)
    dynamic = _read_dynamic(reader, header, programs, segments)
    strings = _dynamic_strings(reader, dynamic, segments)
    tables = _symbol_tables(header, dynamic.tags, strings, segments)
    if tables is None:
        return ()
    versym = dynamic.tags.get(_DT_VERSYM)
    return tuple(
        iter_symbols(
            reader,
            tables._replace(listed=_listed_symbols(reader, header, tables.symbols)),
            None if versym is None else _file_offset(segments, versym, "the symbol versions"),
            dict(_needed_versions(reader, dynamic.tags, strings, segments)),
            strings.name,
        )
    )


def parse_elf_definitions(data: Buffer) -> frozenset[str]:
    """The symbol versions that a library defines; empty for one without. Raises as `parse_elf`."""
    reader, header = read_header(data)
    programs = tuple(iter_programs(reader, header))
    segments = _loaded(reader, programs)
    dynamic = _read_dynamic(reader, header, programs, segments)
    if _DT_VERDEF not in dynamic.tags:
        return frozenset()
    offset = _file_offset(segments, dynamic.tags[_DT_VERDEF], "the defined symbol versions")
    strings = _dynamic_strings(reader, dynamic, segments)
    count = dynamic.tags.get(_DT_VERDEFNUM, 0)
    return frozenset(iter_defined_versions(reader, offset, count, strings.name))


def parse_elf_names(data: Buffer) -> bytes:
    """The dynamic string table, which holds the names of all symbols and more; raises likewise."""
    reader, header = read_header(data)
    programs = tuple(iter_programs(reader, header))
    segments = _loaded(reader, programs)
    dynamic = _read_dynamic(reader, header, programs, segments)
    strings = _dynamic_strings(reader, dynamic, segments)
    return reader.take(strings.start, strings.end - strings.start, "the dynamic string table")


def _loaded(reader: Reader, programs: tuple[ProgramHeader, ...]) -> tuple[Segment, ...]:
    """The PT_LOAD segments by rising address; a file that ends inside one would crash when used."""
    loads = sorted((p for p in programs if p.type == PT_LOAD), key=lambda p: p.address)
    for program in loads:
        reader.require(program.offset, program.size, f"the segment at {program.address:#x}")
    return tuple(
        Segment(
            address=p.address,
            memory_size=p.memory_size,
            offset=p.offset,
            size=p.size,
            writable=bool(p.flags & PF_W),
            executable=bool(p.flags & PF_X),
        )
        for p in loads
    )


def _read_dynamic(
    reader: Reader,
    header: ElfHeader,
    programs: tuple[ProgramHeader, ...],
    segments: tuple[Segment, ...],
) -> _Dynamic:
    """The dynamic section up to DT_NULL; empty for a static file.

    The loader finds it by its address. A program header that no segment backs (separate debug
    files have them) leaves it empty.
    """
    program = next((p for p in programs if p.type == PT_DYNAMIC), None)
    offset = segment_offset(segments, program.address) if program else None
    if program is None or offset is None:
        return _Dynamic({}, ())
    layout = "QQ" if header.bits == 64 else "II"
    count = program.size // (header.bits // 4)
    tags: dict[int, int] = {}
    needed: list[int] = []
    for tag, value in reader.rows(layout, offset, min(count, MAX_ENTRIES), "the dynamic section"):
        if tag == _DT_NULL:
            break
        if tag == _DT_NEEDED:
            needed.append(value)
        else:
            tags[tag] = value
    return _Dynamic(tags, tuple(needed))


def _file_offset(segments: tuple[Segment, ...], address: int, what: str) -> int:
    offset = segment_offset(segments, address)
    if offset is None:
        raise InvalidBinary(f"damaged: {what} at address {address:#x} is not in the file")
    return offset


def _dynamic_strings(reader: Reader, dynamic: _Dynamic, segments: tuple[Segment, ...]) -> _Strings:
    if _DT_STRTAB not in dynamic.tags:
        return _Strings(reader, 0, 0)
    what = "the dynamic string table"
    start = _file_offset(segments, dynamic.tags[_DT_STRTAB], what)
    size = dynamic.tags.get(_DT_STRSZ, reader.size - start)
    reader.require(start, size, what)
    return _Strings(reader, start, start + size)


def _needed_versions(
    reader: Reader, tags: dict[int, int], strings: _Strings, segments: tuple[Segment, ...]
) -> Iterator[tuple[int, SymbolVersion]]:
    if _DT_VERNEED not in tags:
        return iter(())
    offset = _file_offset(segments, tags[_DT_VERNEED], "the table of needed symbol versions")
    return iter_needed_versions(reader, offset, tags.get(_DT_VERNEEDNUM, 0), strings.name)


def _python_inits(
    reader: Reader,
    header: ElfHeader,
    tags: dict[int, int],
    strings: _Strings,
    segments: tuple[Segment, ...],
) -> tuple[str, ...]:
    tables = _symbol_tables(header, tags, strings, segments)
    return find_python_inits(reader, tables) if tables is not None else ()


def _symbol_tables(
    header: ElfHeader, tags: dict[int, int], strings: _Strings, segments: tuple[Segment, ...]
) -> DynamicSymbols | None:
    if _DT_SYMTAB not in tags:
        return None
    gnu, sysv = tags.get(_DT_GNU_HASH), tags.get(_DT_HASH)
    what = "the symbol hash table"
    return DynamicSymbols(
        bits=header.bits,
        symbols=_file_offset(segments, tags[_DT_SYMTAB], "the dynamic symbol table"),
        strings=strings.start,
        strings_size=strings.end - strings.start,
        gnu_hash=None if gnu is None else _file_offset(segments, gnu, what),
        sysv_hash=None if sysv is None else _file_offset(segments, sysv, what),
        wide_hash=header.bits == 64 and header.machine in {EM_S390, EM_ALPHA},
    )


def _listed_symbols(reader: Reader, header: ElfHeader, offset: int) -> int:
    """The number of symbols in the section that begins at `offset`; 0 where there is none."""
    for _, kind, _, _, start, size, *_ in section_rows(reader, header):
        if kind == SHT_DYNSYM and start == offset and offset + size <= reader.size:
            return size // (24 if header.bits == 64 else 16)
    return 0
