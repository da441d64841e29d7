"""ELF file header, program headers and section headers.

In: the bytes of a file. Out: the header and the rows of the two tables, as pyelftools names their
fields. Where they lie and how many there are is checked against the file first, which pyelftools
does not do.
Specification: https://gabi.xinuos.com/ and elf(5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from elftools.construct.adapters import MappingAdapter
from elftools.construct.core import FormatField, Struct
from elftools.elf.constants import E_FLAGS, SHN_INDICES
from elftools.elf.enums import ENUM_D_TAG_COMMON, ENUM_E_MACHINE
from elftools.elf.structs import ELFStructs

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.formats import architectures
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader
from rustext.model.image import ImageKind, Section

if TYPE_CHECKING:
    from elftools.construct import Construct

MAGIC = b"\x7fELF"

_ByteOrder = Literal["little", "big"]
_Form = tuple[int, _ByteOrder]
_BITS = {1: 32, 2: 64}
_BYTEORDERS: dict[int, _ByteOrder] = {1: "little", 2: "big"}
# Where a file header has its own size and that of a row of program headers, and these.
_FORMS: tuple[tuple[_Form, int, bytes], ...] = (
    ((64, "little"), 52, b"\x40\0\x38\0"),
    ((64, "big"), 52, b"\0\x40\0\x38"),
    ((32, "little"), 40, b"\x34\0\x20\0"),
    ((32, "big"), 40, b"\0\x34\0\x20"),
)
_SOFT_FLOAT = E_FLAGS.EF_ARM_EABI_VER5 | E_FLAGS.EF_ARM_ABI_FLOAT_SOFT
_PN_XNUM = 0xFFFF
_TAGS = {number: name for name, number in ENUM_D_TAG_COMMON.items()}
_SECTIONS = "the table of section headers"


class ElfFile(NamedTuple):
    """A file and its header; the counts are those of the tables, also where they exceed 16 bits."""

    reader: Reader
    layouts: ELFStructs  # of the file's class and byte order
    header: Any

    @property
    def bits(self) -> int:
        """The word size."""
        return self.layouts.elfclass

    @property
    def byteorder(self) -> str:
        """`little` or `big`."""
        return "little" if self.layouts.little_endian else "big"

    @property
    def machine(self) -> int:
        """The number in `e_machine`."""
        return int(ENUM_E_MACHINE.get(self.header.e_machine, self.header.e_machine))

    def record(self, layout: Construct, offset: int, what: str) -> Any:
        """The record at `offset`, with pyelftools' names of its fields and constants."""
        return next(self.records(layout, offset, 1, what))

    def records(self, layout: Construct, offset: int, count: int, what: str) -> Iterator[Any]:
        """A table of `count` such records; the whole of it has to be in the file."""
        form = _flat(layout)
        data = self.reader.take(offset, count * layout.sizeof(), what)
        if form is None:
            stream = BytesIO(data)
            return (layout.parse_stream(stream) for _ in range(count))
        return (form.row(values) for values in form.packed.iter_unpack(data))

    def dynamic(self, offset: int, size: int) -> Iterator[tuple[str, int]]:
        """The tags and values of a dynamic section, up to DT_NULL; unknown tags are numbers.

        pyelftools' records take ten times as long, and each question about a file reads them.
        """
        form, row = ("qQ", 16) if self.bits == 64 else ("iI", 8)  # Elf64_Dyn, Elf32_Dyn
        count = min(size // row, MAX_ENTRIES)
        for number, value in self.reader.rows(form, offset, count, "the dynamic section"):
            if not number:
                break
            yield _TAGS.get(number, str(number)), value


class _Flat(NamedTuple):
    """A layout of numbers alone, which `struct` reads in a tenth of pyelftools' time."""

    packed: struct.Struct
    names: tuple[str, ...]
    words: tuple[tuple[int, Mapping[Any, Any]], ...]  # the fields with names for their values

    def row(self, values: tuple[int, ...]) -> Any:
        """The record with these values."""
        row: dict[str, Any] = dict(zip(self.names, values, strict=True))
        for at, words in self.words:
            row[self.names[at]] = words.get(values[at], values[at])
        return SimpleNamespace(**row)


@cache
def _flat(layout: Construct) -> _Flat | None:
    """The fields of a layout as pyelftools has them; None for one with records inside."""
    fields = list(layout.subcons) if isinstance(layout, Struct) else [layout]
    words = {n: f.decoding for n, f in enumerate(fields) if isinstance(f, MappingAdapter)}
    numbers = [f.subcon if isinstance(f, MappingAdapter) else f for f in fields]
    forms = [n.packer.format for n in numbers if isinstance(n, FormatField)]
    if len(forms) < len(fields):
        return None
    form = forms[0][0] + "".join(one[1:] for one in forms)  # the byte order is each one's first
    return _Flat(struct.Struct(form), tuple(str(f.name) for f in fields), tuple(words.items()))


@cache
def _layouts(bits: int, byteorder: str) -> ELFStructs:
    """Layouts of records. To make them takes longer than to read a file with them."""
    layouts = ELFStructs(little_endian=byteorder == "little", elfclass=bits)
    layouts.create_basic_structs()
    layouts.create_advanced_structs()
    return layouts


def read_header(data: Buffer) -> ElfFile:
    """Read the file header.

    A program is read as the kernel reads it, whatever class and byte order its first bytes name.
    Raises `UnknownFormat` for a file of another format, `TruncatedBinary` or `InvalidBinary`.
    """
    ident = bytes(data[:6])
    if not ident.startswith(MAGIC):
        raise UnknownFormat("not an ELF file")
    if len(ident) < 6:
        raise TruncatedBinary(f"cut short: an ELF header of {len(data)} bytes")
    if ident[4] not in _BITS or ident[5] not in _BYTEORDERS:
        raise InvalidBinary(f"damaged: ELF class {ident[4]}, data encoding {ident[5]}")
    form = _BITS[ident[4]], _BYTEORDERS[ident[5]]
    started = _started_form(data)
    if started not in {None, form} and _is_started(file := _read_header(data, *started)):
        return file
    return _read_header(data, *form)


def _started_form(data: Buffer) -> _Form | None:
    """The word size and byte order in which a kernel could start a file, whatever it says it has.

    It reads its own form alone, and checks the size of a row of the program header table
    (load_elf_phdrs in Linux's fs/binfmt_elf.c).
    """
    return next((form for form, at, sizes in _FORMS if data[at : at + 4] == sizes), None)


def _is_started(file: ElfFile) -> bool:
    return any(program.p_type == "PT_INTERP" for program in read_programs(file))


def _read_header(data: Buffer, bits: int, byteorder: _ByteOrder) -> ElfFile:
    layouts = _layouts(bits, byteorder)
    file = ElfFile(Reader(data, byteorder=byteorder), layouts, None)
    header = file.record(layouts.Elf_Ehdr, 0, "the ELF header")
    if header.e_phnum and header.e_phentsize != layouts.Elf_Phdr.sizeof():
        raise InvalidBinary(
            f"damaged: ELF file's phentsize not the expected size: {header.e_phentsize}"
        )
    row = layouts.Elf_Shdr.sizeof()
    if header.e_shentsize != row or header.e_shoff + row * max(header.e_shnum, 1) > len(data):
        header.e_shoff = header.e_shnum = 0  # no loader reads them: the file works, and says less
    file = file._replace(header=header)
    _extend_counts(file)
    return file


def _extend_counts(file: ElfFile) -> None:
    """Counts that do not fit the header's 16 bits are in the first section header (gABI)."""
    header = file.header
    if not header.e_shoff:
        header.e_shnum = 0
        return
    long_names = header.e_shstrndx == SHN_INDICES.SHN_XINDEX
    long_programs = header.e_phnum == _PN_XNUM
    if header.e_shnum and not long_names and not long_programs:
        return
    first = file.record(file.layouts.Elf_Shdr, header.e_shoff, _SECTIONS)
    if header.e_shnum == 0:
        header.e_shnum = first.sh_size
    if long_names:
        header.e_shstrndx = first.sh_link
    if long_programs:
        header.e_phnum = first.sh_info
    if max(header.e_shnum, header.e_phnum) > MAX_ENTRIES:
        raise InvalidBinary(f"damaged: {header.e_phnum} program headers, {header.e_shnum} sections")


def read_programs(file: ElfFile) -> tuple[Any, ...]:
    """The rows of the program header table."""
    header, what = file.header, "the table of program headers"
    return tuple(file.records(file.layouts.Elf_Phdr, header.e_phoff, header.e_phnum, what))


def program_interpreter(reader: Reader, programs: tuple[Any, ...]) -> str | None:
    """The path in PT_INTERP; None for a file without one."""
    program = next((p for p in programs if p.p_type == "PT_INTERP"), None)
    if program is None or not program.p_filesz:
        return None
    what = "the name of the program interpreter"
    reader.require(program.p_offset, program.p_filesz, what)
    return reader.name(program.p_offset, what, end=program.p_offset + program.p_filesz)


def architecture_of(file: ElfFile) -> str:
    """The machine as `uname -m` names it, or `elf-machine-N` for one that is not known."""
    key = (file.machine, file.bits, file.byteorder)
    soft = file.header.e_flags & _SOFT_FLOAT == _SOFT_FLOAT
    if soft and file.header.e_machine == "EM_ARM" and file.byteorder == "little":
        return architectures.ELF_ARM_SOFT_FLOAT
    return architectures.ELF.get(key, f"elf-machine-{file.machine}")


def kind_of(file: ElfFile, interpreter: str | None, soname: str | None, *, pie: bool) -> ImageKind:
    """Whether to start or to map it.

    Linkers before 2016 do not set DF_1_PIE, and a shared library such as libc.so.6 may name an
    interpreter; only the library has a soname.
    """
    if file.header.e_type == "ET_EXEC":
        return ImageKind.EXECUTABLE
    if file.header.e_type != "ET_DYN":
        return ImageKind.OTHER
    program = pie or (interpreter is not None and soname is None)
    return ImageKind.EXECUTABLE if program else ImageKind.SHARED


def section_rows(file: ElfFile) -> Iterator[Any]:
    """The rows of the section header table."""
    header = file.header
    return file.records(file.layouts.Elf_Shdr, header.e_shoff, header.e_shnum, _SECTIONS)


def iter_sections(file: ElfFile) -> Iterator[Section]:
    """The sections that lie in the file.

    The loader does not read section headers, so one that makes no sense is left out and the rest
    of the file still counts.
    """
    reader, rows = file.reader, list(section_rows(file))
    names, names_end = 0, 0
    if file.header.e_shstrndx < len(rows):
        row = rows[file.header.e_shstrndx]
        if row.sh_type != "SHT_NOBITS" and row.sh_offset + row.sh_size <= reader.size:
            names, names_end = row.sh_offset, row.sh_offset + row.sh_size
    for row in rows:
        name, offset = names + row.sh_name, row.sh_offset
        stored = 0 if row.sh_type == "SHT_NOBITS" else row.sh_size
        if row.sh_type == "SHT_NULL" or offset + stored > reader.size or name >= names_end:
            continue
        text = reader.name(name, "the name of a section", end=names_end)
        yield Section(name=text, address=row.sh_addr, offset=offset, size=stored)
