"""The symbol versions that an ELF image needs and defines, and the symbols that need them.

In: where the image keeps its version tables, its symbols and their version indices. Out: the
versions, and all dynamic symbols, each with the version that it asks for.

Specification: https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/
symversion.html and https://gabi.xinuos.com/elf/05-symtab.html.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from elftools.elf.constants import VER_FLAGS

from rustext.errors import InvalidBinary
from rustext.formats.elf.header import ElfFile
from rustext.formats.elf.python_inits import DynamicSymbols, count_symbols
from rustext.formats.reader import MAX_ENTRIES, Reader
from rustext.model.image import SymbolVersion

_HIDDEN = 0x8000  # of a version index: not the default version, which is a definition's matter
_STB_LOCAL, _STB_WEAK = 0, 2
_SHN_UNDEF = 0
_TABLE = "the table of needed symbol versions"
_DEFINED = "the table of defined symbol versions"


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicSymbol:
    """A symbol that an image offers to others or takes from them."""

    name: str
    defined: bool
    weak: bool  # undefined and weak: the loader goes on without it
    needs: SymbolVersion | None = None


def iter_needed_versions(
    file: ElfFile, offset: int, count: int, name: Callable[[int, str], str]
) -> Iterator[tuple[int, SymbolVersion]]:
    """The entries of .gnu.version_r with their indices; both chains only ever lead forward."""
    budget = MAX_ENTRIES
    for _ in range(min(count, MAX_ENTRIES)):
        row = file.record(file.layouts.Elf_Verneed, offset, _TABLE)
        library = name(row.vn_file, "the library of a needed symbol version")
        entry = offset + row.vn_aux
        for _ in range(row.vn_cnt):
            budget -= 1
            if budget < 0:
                raise InvalidBinary(f"damaged: {_TABLE} has more than {MAX_ENTRIES} entries")
            aux = file.record(file.layouts.Elf_Vernaux, entry, _TABLE)
            version = name(aux.vna_name, "a needed symbol version")
            weak = bool(aux.vna_flags & VER_FLAGS.VER_FLG_WEAK)
            yield aux.vna_other, SymbolVersion(library=library, version=version, weak=weak)
            if not aux.vna_next:
                break
            entry += aux.vna_next
        if not row.vn_next:
            return
        offset += row.vn_next


def iter_defined_versions(
    file: ElfFile, offset: int, count: int, name: Callable[[int, str], str]
) -> Iterator[tuple[int, str]]:
    """The entries of .gnu.version_d with their indices; the first is the library's own name."""
    for _ in range(min(count, MAX_ENTRIES)):
        row = file.record(file.layouts.Elf_Verdef, offset, _DEFINED)
        aux = file.record(file.layouts.Elf_Verdaux, offset + row.vd_aux, _DEFINED)
        yield row.vd_ndx, name(aux.vda_name, "a defined symbol version")
        if not row.vd_next:
            return
        offset += row.vd_next


def iter_symbols(
    reader: Reader,
    tables: DynamicSymbols,
    versym: int | None,
    versions: Mapping[int, SymbolVersion],
    name: Callable[[int, str], str],
) -> Iterator[DynamicSymbol]:
    """The dynamic symbols with a name, in the table's order; `versym` is .gnu.version's offset."""
    count = count_symbols(reader, tables)
    layout = "IBxHQQ" if tables.bits == 64 else "IIIBxH"
    indices = (
        struct.unpack(
            f"{reader.prefix}{count}H",
            reader.take(versym, 2 * count, "the table of symbol versions"),
        )
        if versym is not None
        else (0,) * count
    )
    rows = reader.rows(layout, tables.symbols, count, "the dynamic symbol table")
    for row, index in zip(rows, indices, strict=True):
        text, info, section = row[:3] if tables.bits == 64 else (row[0], row[3], row[4])
        if not text or info >> 4 == _STB_LOCAL:
            continue
        defined = section != _SHN_UNDEF
        yield DynamicSymbol(
            name=name(text, "a dynamic symbol's name"),
            defined=defined,
            weak=not defined and info >> 4 == _STB_WEAK,
            needs=versions.get(index & ~_HIDDEN),
        )
