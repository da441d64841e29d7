"""ELF files, read as the dynamic loader reads them.

In: the bytes of a file. Out: one `Image`. What the loader goes by (program headers, the dynamic
section, symbol hash tables) is read from where the loader reads it, so that files without section
headers are understood too; section headers give nothing but `Image.sections`.

Specification: https://gabi.xinuos.com/ (System V ABI), https://refspecs.linuxfoundation.org/
LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html (symbol versions), and elf(5).
"""

from __future__ import annotations

from elftools.elf.enums import ENUM_DT_FLAGS_1

from rustext.formats.elf.dynamic import (
    Dynamic,
    Strings,
    listed_symbols,
    needed_versions,
    read_dynamic,
    read_strings,
    symbol_tables,
)
from rustext.formats.elf.header import (
    architecture_of,
    iter_sections,
    kind_of,
    program_interpreter,
)
from rustext.formats.elf.python_inits import find_python_inits
from rustext.formats.elf.symbol_versions import (
    DynamicSymbol,
    iter_defined_versions,
    iter_symbols,
)
from rustext.formats.reader import Buffer
from rustext.model.image import Format, Image, Needed

_DF_1_NODEFLIB, _DF_1_PIE = ENUM_DT_FLAGS_1["DF_1_NODEFLIB"], ENUM_DT_FLAGS_1["DF_1_PIE"]


def parse_elf(data: Buffer, *, linkage: bool = False) -> Image:
    """The image in an ELF file of any class, byte order and machine.

    With `linkage`, only what decides which libraries get loaded: sections, symbol versions and
    exports stay empty, and damage in them goes unnoticed.
    Raises `UnknownFormat` for other files, `TruncatedBinary` where a header, a segment or the
    section table reaches past the end, and `InvalidBinary` where the loader would find nonsense.
    """
    dynamic = read_dynamic(data)
    file, tags = dynamic.file, dynamic.tags
    strings = read_strings(dynamic)
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
        needed=tuple(
            Needed(name=strings.name(n, "a needed name"), kind=kind) for n, kind in dynamic.needed
        ),
        rpath=strings.list(tags.get("DT_RPATH"), "the rpath"),
        runpath=runpath,
        empty_runpath="DT_RUNPATH" in tags and not runpath,
        interpreter=interpreter,
        versions=() if linkage else tuple(v for _, v in needed_versions(dynamic, strings)),
        python_inits=() if linkage else _python_inits(dynamic, strings),
        segments=dynamic.segments,
        sections=() if linkage else tuple(iter_sections(file)),
        dynamic=bool(tags),
        no_default_libraries=bool(flags & _DF_1_NODEFLIB),
        size=len(data),
    )


def parse_elf_symbols(data: Buffer) -> tuple[DynamicSymbol, ...]:
    """The dynamic symbols of an ELF file; empty for a static one. Raises as `parse_elf`."""
    dynamic = read_dynamic(data)
    strings = read_strings(dynamic)
    tables = symbol_tables(dynamic, strings)
    if tables is None:
        return ()
    return tuple(
        iter_symbols(
            dynamic.file.reader,
            tables._replace(listed=listed_symbols(dynamic.file, tables.symbols)),
            dynamic.locate("DT_VERSYM", "the symbol versions"),
            dict(needed_versions(dynamic, strings)),
            strings.name,
        )
    )


def parse_elf_definitions(data: Buffer) -> frozenset[str]:
    """The symbol versions that a library defines; empty for one without. Raises as `parse_elf`."""
    dynamic = read_dynamic(data)
    offset = dynamic.locate("DT_VERDEF", "the defined symbol versions")
    if offset is None:
        return frozenset()
    count = dynamic.tags.get("DT_VERDEFNUM", 0)
    names = read_strings(dynamic).name
    return frozenset(name for _, name in iter_defined_versions(dynamic.file, offset, count, names))


def parse_elf_names(data: Buffer) -> bytes:
    """The dynamic string table, which holds the names of all symbols and more; raises likewise."""
    dynamic = read_dynamic(data)
    strings = read_strings(dynamic)
    what = "the dynamic string table"
    return dynamic.file.reader.take(strings.start, strings.end - strings.start, what)


def _python_inits(dynamic: Dynamic, strings: Strings) -> tuple[str, ...]:
    tables = symbol_tables(dynamic, strings)
    return find_python_inits(dynamic.file.reader, tables) if tables is not None else ()
