"""ELF files, read as the dynamic loader reads them.

In: the bytes of a file. Out: one `Image`. What the loader goes by (program headers, the dynamic
section, symbol hash tables) is read from where the loader reads it, so that files without section
headers are understood too; section headers give nothing but `Image.sections`.

Specification: https://gabi.xinuos.com/ (System V ABI), https://refspecs.linuxfoundation.org/
LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html (symbol versions), and elf(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from elftools.elf.constants import P_FLAGS
from elftools.elf.enums import ENUM_DT_FLAGS_1, ENUM_E_MACHINE

from rustext.errors import InvalidBinary
from rustext.formats.elf.header import (
    ElfFile,
    architecture_of,
    iter_sections,
    kind_of,
    program_interpreter,
    read_header,
    read_programs,
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

_DF_1_NODEFLIB, _DF_1_PIE = ENUM_DT_FLAGS_1["DF_1_NODEFLIB"], ENUM_DT_FLAGS_1["DF_1_PIE"]
# DT_HASH has words of 64 bits there; Alpha has used this number ever since, not the assigned one.
_WIDE_HASH = frozenset({ENUM_E_MACHINE["EM_S390"], 0x9026})


class _Dynamic(NamedTuple):
    """What the loader maps, and the dynamic section in it.

    Of a tag that stands more than once, the loader takes the last.
    """

    file: ElfFile
    programs: tuple[Any, ...]
    segments: tuple[Segment, ...]
    tags: dict[str, int]
    needed: tuple[int, ...]  # offsets into the string table, in order

    def locate(self, tag: str, what: str) -> int | None:
        """The file offset of what a tag points to; None without the tag."""
        address = self.tags.get(tag)
        if address is None:
            return None
        offset = segment_offset(self.segments, address)
        if offset is None:
            raise InvalidBinary(f"damaged: {what} at address {address:#x} is not in the file")
        return offset


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
    dynamic = _read_dynamic(data)
    file, tags = dynamic.file, dynamic.tags
    strings = _read_strings(dynamic)
    flags = tags.get("DT_FLAGS_1", 0)
    soname = strings.name(tags["DT_SONAME"], "the soname") if "DT_SONAME" in tags else None
    interpreter = program_interpreter(file.reader, dynamic.programs)
    runpath = strings.list(tags.get("DT_RUNPATH"), "the runpath")
    return Image(
        format=Format.ELF,
        architecture=architecture_of(file),
        bits=file.bits,
        byteorder=file.byteorder,
        kind=kind_of(file, interpreter, soname, pie=bool(flags & _DF_1_PIE)),
        soname=soname,
        needed=tuple(Needed(name=strings.name(n, "a needed name")) for n in dynamic.needed),
        rpath=strings.list(tags.get("DT_RPATH"), "the rpath"),
        runpath=runpath,
        empty_runpath="DT_RUNPATH" in tags and not runpath,
        interpreter=interpreter,
        versions=() if linkage else tuple(v for _, v in _needed_versions(dynamic, strings)),
        python_inits=() if linkage else _python_inits(dynamic, strings),
        segments=dynamic.segments,
        sections=() if linkage else tuple(iter_sections(file)),
        dynamic=bool(tags),
        no_default_libraries=bool(flags & _DF_1_NODEFLIB),
        size=len(data),
    )


def parse_elf_symbols(data: Buffer) -> tuple[DynamicSymbol, ...]:
    """The dynamic symbols of an ELF file; empty for a static one. Raises as `parse_elf`."""
    dynamic = _read_dynamic(data)
    strings = _read_strings(dynamic)
    tables = _symbol_tables(dynamic, strings)
    if tables is None:
        return ()
    return tuple(
        iter_symbols(
            dynamic.file.reader,
            tables._replace(listed=_listed_symbols(dynamic.file, tables.symbols)),
            dynamic.locate("DT_VERSYM", "the symbol versions"),
            dict(_needed_versions(dynamic, strings)),
            strings.name,
        )
    )


def parse_elf_definitions(data: Buffer) -> frozenset[str]:
    """The symbol versions that a library defines; empty for one without. Raises as `parse_elf`."""
    dynamic = _read_dynamic(data)
    offset = dynamic.locate("DT_VERDEF", "the defined symbol versions")
    if offset is None:
        return frozenset()
    count = dynamic.tags.get("DT_VERDEFNUM", 0)
    names = _read_strings(dynamic).name
    return frozenset(iter_defined_versions(dynamic.file, offset, count, names))


def parse_elf_names(data: Buffer) -> bytes:
    """The dynamic string table, which holds the names of all symbols and more; raises likewise."""
    dynamic = _read_dynamic(data)
    strings = _read_strings(dynamic)
    what = "the dynamic string table"
    return dynamic.file.reader.take(strings.start, strings.end - strings.start, what)


def _read_dynamic(data: Buffer) -> _Dynamic:
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
    needed: list[int] = []
    if program is not None and offset is not None:
        layout = file.layouts.Elf_Dyn
        count = min(program.p_filesz // layout.sizeof(), MAX_ENTRIES)
        for entry in file.records(layout, offset, count, "the dynamic section"):
            if entry.d_tag == "DT_NULL":
                break
            if entry.d_tag == "DT_NEEDED":
                needed.append(entry.d_val)
            else:
                tags[entry.d_tag] = entry.d_val
    return _Dynamic(file, programs, segments, tags, tuple(needed))


def _loaded(reader: Reader, programs: tuple[Any, ...]) -> tuple[Segment, ...]:
    """The PT_LOAD segments by rising address; a file that ends inside one would crash when used."""
    segments: list[Segment] = []
    for row in sorted((p for p in programs if p.p_type == "PT_LOAD"), key=lambda p: p.p_vaddr):
        reader.require(row.p_offset, row.p_filesz, f"the segment at {row.p_vaddr:#x}")
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


def _read_strings(dynamic: _Dynamic) -> _Strings:
    reader, what = dynamic.file.reader, "the dynamic string table"
    start = dynamic.locate("DT_STRTAB", what)
    if start is None:
        return _Strings(reader, 0, 0)
    size = dynamic.tags.get("DT_STRSZ", reader.size - start)
    reader.require(start, size, what)
    return _Strings(reader, start, start + size)


def _needed_versions(dynamic: _Dynamic, strings: _Strings) -> Iterator[tuple[int, SymbolVersion]]:
    offset = dynamic.locate("DT_VERNEED", "the table of needed symbol versions")
    if offset is None:
        return iter(())
    count = dynamic.tags.get("DT_VERNEEDNUM", 0)
    return iter_needed_versions(dynamic.file, offset, count, strings.name)


def _python_inits(dynamic: _Dynamic, strings: _Strings) -> tuple[str, ...]:
    tables = _symbol_tables(dynamic, strings)
    return find_python_inits(dynamic.file.reader, tables) if tables is not None else ()


def _symbol_tables(dynamic: _Dynamic, strings: _Strings) -> DynamicSymbols | None:
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


def _listed_symbols(file: ElfFile, offset: int) -> int:
    """The number of symbols in the section that begins at `offset`; 0 where there is none."""
    for row in section_rows(file):
        inside = offset + row.sh_size <= file.reader.size
        if row.sh_type == "SHT_DYNSYM" and row.sh_offset == offset and inside:
            return int(row.sh_size // file.layouts.Elf_Sym.sizeof())
    return 0
