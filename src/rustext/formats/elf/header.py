"""ELF file header, program headers and section headers.

In: the bytes of a file. Out: the header and rows of the two tables.
Specification: https://gabi.xinuos.com/ and elf(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.formats import architectures
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader
from rustext.model.image import ImageKind, Section

MAGIC = b"\x7fELF"

_ET_EXEC, _ET_DYN = 2, 3
_PROGRAM_TYPES = PT_LOAD, PT_DYNAMIC, _PT_INTERP = 1, 2, 3
PF_X, PF_W = 1, 2
_SHT_NULL, _SHT_NOBITS, SHT_DYNSYM = 0, 8, 11
EM_S390, _EM_ARM, EM_ALPHA = 22, 40, 0x9026
_EF_ARM_EABI_VER5, _EF_ARM_ABI_FLOAT_SOFT = 0x0500_0000, 0x0200


_PN_XNUM = _SHN_XINDEX = 0xFFFF


class ElfHeader(NamedTuple):
    """The file header; the counts are those of the tables, also where they exceed 16 bits."""

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


class ProgramHeader(NamedTuple):
    """One row of the program header table; sizes and offsets in bytes."""

    type: int
    flags: int
    offset: int
    address: int
    size: int
    memory_size: int


def read_header(data: Buffer) -> tuple[Reader, ElfHeader]:
    """Read the file header.

    Raises `UnknownFormat` for a file of another format, `TruncatedBinary` or `InvalidBinary`.
    """
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
    header = ElfHeader(bits, byteorder, kind, machine, flags, phoff, phnum, shoff, shnum, names)
    return reader, _extended_counts(reader, header)


def _extended_counts(reader: Reader, header: ElfHeader) -> ElfHeader:
    """Counts that do not fit the header's 16 bits stand in the first section header (gABI)."""
    if not header.section_offset:
        return header._replace(section_count=0)
    if (
        header.section_count
        and header.section_names != _SHN_XINDEX
        and header.program_count != _PN_XNUM
    ):
        return header
    fields = section_rows(reader, header._replace(section_count=1))
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


def iter_programs(reader: Reader, header: ElfHeader) -> Iterator[ProgramHeader]:
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
        yield ProgramHeader(kind, flags, offset, address, size, memory_size)


def program_interpreter(reader: Reader, programs: tuple[ProgramHeader, ...]) -> str | None:
    """The path in PT_INTERP; None for a file without one."""
    program = next((p for p in programs if p.type == _PT_INTERP), None)
    if program is None or not program.size:
        return None
    what = "the name of the program interpreter"
    reader.require(program.offset, program.size, what)
    return reader.name(program.offset, what, end=program.offset + program.size)


def architecture_of(header: ElfHeader) -> str:
    """The machine as `uname -m` names it, or `elf-machine-N` for one that is not known."""
    key = (header.machine, header.bits, header.byteorder)
    soft = _EF_ARM_EABI_VER5 | _EF_ARM_ABI_FLOAT_SOFT
    if header.machine == _EM_ARM and header.flags & soft == soft and header.byteorder == "little":
        return architectures.ELF_ARM_SOFT_FLOAT
    return architectures.ELF.get(key, f"elf-machine-{header.machine}")


def kind_of(
    header: ElfHeader, interpreter: str | None, soname: str | None, *, pie: bool
) -> ImageKind:
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


def section_rows(reader: Reader, header: ElfHeader) -> Iterator[tuple[int, ...]]:
    """The rows of the section header table, with their fields in the order of the file."""
    layout = "IIQQQQIIQQ" if header.bits == 64 else "IIIIIIIIII"
    what = "the table of section headers"
    return reader.rows(layout, header.section_offset, header.section_count, what)


def iter_sections(reader: Reader, header: ElfHeader) -> Iterator[Section]:
    """The sections that lie in the file.

    The loader does not read section headers, so one that makes no sense is left out and the rest
    of the file still counts.
    """
    rows = list(section_rows(reader, header))
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
