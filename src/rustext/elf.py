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

from rustext import architectures
from rustext.elf_symbols import DynamicSymbols, find_python_inits
from rustext.elf_versions import (
    DynamicSymbol,
    iter_defined_versions,
    iter_needed_versions,
    iter_symbols,
)
from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.model import (
    Format,
    Image,
    ImageKind,
    Needed,
    Section,
    Segment,
    SymbolVersion,
)
from rustext.reader import MAX_ENTRIES, Buffer, Reader, segment_offset

MAGIC = b"\x7fELF"

_ET_EXEC, _ET_DYN = 2, 3
_PROGRAM_TYPES = _PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_PF_X, _PF_W = 1, 2
_SHT_NULL, _SHT_NOBITS, _SHT_DYNSYM = 0, 8, 11
_EM_S390, _EM_ARM, _EM_ALPHA = 22, 40, 0x9026
_EF_ARM_EABI_VER5, _EF_ARM_ABI_FLOAT_SOFT = 0x0500_0000, 0x0200
_DT_NULL, _DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB = 0, 1, 4, 5, 6
_DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 10, 14, 15, 29
_DT_GNU_HASH, _DT_FLAGS_1 = 0x6FFF_FEF5, 0x6FFF_FFFB
_DT_VERSYM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFF_FFF0, 0x6FFF_FFFE, 0x6FFF_FFFF
_DT_VERDEF, _DT_VERDEFNUM = 0x6FFF_FFFC, 0x6FFF_FFFD
_DF_1_NODEFLIB, _DF_1_PIE = 0x800, 0x0800_0000
_PN_XNUM = _SHN_XINDEX = 0xFFFF


class _Header(NamedTuple):
    bits: int
    byteorder: str
    type: int
    machine: int
    flags: int
    program_offset: int
    program_count: int
    section_offset: int
    section_count: int
    section_names: int  # index of the section that holds the sections' names


class _Program(NamedTuple):
    type: int
    flags: int
    offset: int
    address: int
    size: int
    memory_size: int


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
    reader, header = _read_header(data)
    programs = tuple(_iter_programs(reader, header))
    segments = _loaded(reader, programs)
    dynamic = _read_dynamic(reader, header, programs, segments)
    strings = _dynamic_strings(reader, dynamic, segments)
    tags = dynamic.tags
    flags = tags.get(_DT_FLAGS_1, 0)
    soname = strings.name(tags[_DT_SONAME], "the soname") if _DT_SONAME in tags else None
    interpreter = _interpreter(reader, programs)
    runpath = strings.list(tags.get(_DT_RUNPATH), "the runpath")
    return Image(
        format=Format.ELF,
        architecture=_architecture(header),
        bits=header.bits,
        byteorder=header.byteorder,
        kind=_kind(header, interpreter, soname, pie=bool(flags & _DF_1_PIE)),
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
        sections=() if linkage else tuple(_iter_sections(reader, header)),
        dynamic=bool(tags),
        no_default_libraries=bool(flags & _DF_1_NODEFLIB),
        size=len(data),
    )


def parse_elf_symbols(data: Buffer) -> tuple[DynamicSymbol, ...]:
    """The dynamic symbols of an ELF file; empty for a static one. Raises as `parse_elf`."""
    reader, header = _read_header(data)
    programs = tuple(_iter_programs(reader, header))
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
    reader, header = _read_header(data)
    programs = tuple(_iter_programs(reader, header))
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
    reader, header = _read_header(data)
    programs = tuple(_iter_programs(reader, header))
    segments = _loaded(reader, programs)
    dynamic = _read_dynamic(reader, header, programs, segments)
    strings = _dynamic_strings(reader, dynamic, segments)
    return reader.take(strings.start, strings.end - strings.start, "the dynamic string table")


def _read_header(data: Buffer) -> tuple[Reader, _Header]:
    ident = bytes(data[:6])
    if not ident.startswith(MAGIC):
        raise UnknownFormat("not an ELF file")
    if len(ident) < 6:
        raise TruncatedBinary(f"cut short: an ELF header of {len(data)} bytes")
    bits = {1: 32, 2: 64}.get(ident[4])
    byteorder = {1: "little", 2: "big"}.get(ident[5])
    if bits is None or byteorder is None:
        raise InvalidBinary(f"damaged: ELF class {ident[4]}, data encoding {ident[5]}")
    reader = Reader(data, byteorder=byteorder)
    word = "Q" if bits == 64 else "I"
    fields = reader.unpack(f"HHI{word}{word}{word}IHHHHHH", 16, "the ELF header")
    kind, machine, _, _, phoff, shoff, flags, _, phentsize, phnum, shentsize, shnum, names = fields
    if phnum and phentsize != (56 if bits == 64 else 32):
        raise InvalidBinary(f"damaged: program headers of {phentsize} bytes each")
    if shoff and shentsize != (64 if bits == 64 else 40):
        raise InvalidBinary(f"damaged: section headers of {shentsize} bytes each")
    header = _Header(bits, byteorder, kind, machine, flags, phoff, phnum, shoff, shnum, names)
    return reader, _extended_counts(reader, header)


def _extended_counts(reader: Reader, header: _Header) -> _Header:
    """Counts that do not fit the header's 16 bits stand in the first section header (gABI)."""
    if not header.section_offset:
        return header._replace(section_count=0)
    if (
        header.section_count
        and header.section_names != _SHN_XINDEX
        and header.program_count != _PN_XNUM
    ):
        return header
    fields = _section_rows(reader, header._replace(section_count=1))
    _, _, _, _, _, size, link, info, _, _ = next(fields)
    if header.section_count == 0:
        header = header._replace(section_count=size)
    if header.section_names == _SHN_XINDEX:
        header = header._replace(section_names=link)
    if header.program_count == _PN_XNUM:
        header = header._replace(program_count=info)
    if max(header.section_count, header.program_count) > MAX_ENTRIES:
        raise InvalidBinary(
            f"damaged: {header.program_count} program headers, {header.section_count} sections"
        )
    return header


def _iter_programs(reader: Reader, header: _Header) -> Iterator[_Program]:
    """The program headers that are of use here; the rest is for stacks, notes and debuggers."""
    layout = "IIQQQQQQ" if header.bits == 64 else "IIIIIIII"
    what = "the table of program headers"
    for row in reader.rows(layout, header.program_offset, header.program_count, what):
        if row[0] not in _PROGRAM_TYPES:
            continue
        if header.bits == 64:
            kind, flags, offset, address, _, size, memory_size, _ = row
        else:
            kind, offset, address, _, size, memory_size, flags, _ = row
        yield _Program(kind, flags, offset, address, size, memory_size)


def _loaded(reader: Reader, programs: tuple[_Program, ...]) -> tuple[Segment, ...]:
    """The PT_LOAD segments by rising address; a file that ends inside one would crash when used."""
    loads = sorted((p for p in programs if p.type == _PT_LOAD), key=lambda p: p.address)
    for program in loads:
        reader.require(program.offset, program.size, f"the segment at {program.address:#x}")
    return tuple(
        Segment(
            address=p.address,
            memory_size=p.memory_size,
            offset=p.offset,
            size=p.size,
            writable=bool(p.flags & _PF_W),
            executable=bool(p.flags & _PF_X),
        )
        for p in loads
    )


def _read_dynamic(
    reader: Reader, header: _Header, programs: tuple[_Program, ...], segments: tuple[Segment, ...]
) -> _Dynamic:
    """The dynamic section up to DT_NULL; empty for a static file.

    The loader finds it by its address. A program header that no segment backs (separate debug
    files have them) leaves it empty.
    """
    program = next((p for p in programs if p.type == _PT_DYNAMIC), None)
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


def _interpreter(reader: Reader, programs: tuple[_Program, ...]) -> str | None:
    program = next((p for p in programs if p.type == _PT_INTERP), None)
    if program is None or not program.size:
        return None
    what = "the name of the program interpreter"
    reader.require(program.offset, program.size, what)
    return reader.name(program.offset, what, end=program.offset + program.size)


def _architecture(header: _Header) -> str:
    key = (header.machine, header.bits, header.byteorder)
    soft = _EF_ARM_EABI_VER5 | _EF_ARM_ABI_FLOAT_SOFT
    if header.machine == _EM_ARM and header.flags & soft == soft and header.byteorder == "little":
        return architectures.ELF_ARM_SOFT_FLOAT
    return architectures.ELF.get(key, f"elf-machine-{header.machine}")


def _kind(header: _Header, interpreter: str | None, soname: str | None, *, pie: bool) -> ImageKind:
    """Whether to start or to map it.

    Linkers before 2016 do not set DF_1_PIE, and a shared library such as libc.so.6 may name an
    interpreter; only the library has a soname.
    """
    if header.type == _ET_EXEC:
        return ImageKind.EXECUTABLE
    if header.type != _ET_DYN:
        return ImageKind.OTHER
    program = pie or (interpreter is not None and soname is None)
    return ImageKind.EXECUTABLE if program else ImageKind.SHARED


def _needed_versions(
    reader: Reader, tags: dict[int, int], strings: _Strings, segments: tuple[Segment, ...]
) -> Iterator[tuple[int, SymbolVersion]]:
    if _DT_VERNEED not in tags:
        return iter(())
    offset = _file_offset(segments, tags[_DT_VERNEED], "the table of needed symbol versions")
    return iter_needed_versions(reader, offset, tags.get(_DT_VERNEEDNUM, 0), strings.name)


def _python_inits(
    reader: Reader,
    header: _Header,
    tags: dict[int, int],
    strings: _Strings,
    segments: tuple[Segment, ...],
) -> tuple[str, ...]:
    tables = _symbol_tables(header, tags, strings, segments)
    return find_python_inits(reader, tables) if tables is not None else ()


def _symbol_tables(
    header: _Header, tags: dict[int, int], strings: _Strings, segments: tuple[Segment, ...]
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
        wide_hash=header.bits == 64 and header.machine in {_EM_S390, _EM_ALPHA},
    )


def _listed_symbols(reader: Reader, header: _Header, offset: int) -> int:
    """The number of symbols in the section that begins at `offset`; 0 where there is none."""
    for _, kind, _, _, start, size, *_ in _section_rows(reader, header):
        if kind == _SHT_DYNSYM and start == offset and offset + size <= reader.size:
            return size // (24 if header.bits == 64 else 16)
    return 0


def _section_rows(reader: Reader, header: _Header) -> Iterator[tuple[int, ...]]:
    layout = "IIQQQQIIQQ" if header.bits == 64 else "IIIIIIIIII"
    what = "the table of section headers"
    return reader.rows(layout, header.section_offset, header.section_count, what)


def _iter_sections(reader: Reader, header: _Header) -> Iterator[Section]:
    """The sections that lie in the file.

    The loader does not read section headers, so one that makes no sense is left out and the rest
    of the file still counts.
    """
    rows = list(_section_rows(reader, header))
    names, names_end = 0, 0
    if header.section_names < len(rows):
        _, kind, _, _, start, size, *_ = rows[header.section_names]
        if kind != _SHT_NOBITS and start + size <= reader.size:
            names, names_end = start, start + size
    for name, kind, _, address, offset, size, *_ in rows:
        stored = 0 if kind == _SHT_NOBITS else size
        if kind == _SHT_NULL or offset + stored > reader.size or names + name >= names_end:
            continue
        text = reader.name(names + name, "the name of a section", end=names_end)
        yield Section(name=text, address=address, offset=offset, size=stored)
