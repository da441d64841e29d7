"""PE files against pefile, and damaged ones against the loader's limits."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pefile
import pytest
from compiling import WINDOWS_MODULE, Compile

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.formats.binary import address_to_offset
from rustext.formats.pe.image import parse_pe, parse_pe_functions
from rustext.model.image import Image, ImageKind, NeedKind

# ziglang's target -> architecture, word size
TARGETS = {
    "x86_64-windows-gnu": ("x86_64", 64),
    "x86-windows-gnu": ("i686", 32),
    "aarch64-windows-gnu": ("arm64", 64),
}
DELAY_IMPORT = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT"]
IMPORT = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]
EXPORT = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]


def facts(image: Image) -> dict[str, object]:
    return {
        "name": image.soname,
        "imports": [n.name for n in image.needed if n.kind is NeedKind.NORMAL],
        "delayed": [n.name for n in image.needed if n.kind is NeedKind.LAZY],
        "inits": list(image.python_inits),
        "sections": [(s.name, s.address, s.offset, s.size) for s in image.sections],
    }


def reference(data: bytes) -> dict[str, object]:
    """The same facts as pefile reads them."""
    pe = pefile.PE(data=data)
    exports = getattr(pe, "DIRECTORY_ENTRY_EXPORT", None)
    names = [s.name.decode() for s in exports.symbols if s.name] if exports else []
    return {
        "name": exports.name.decode() if exports else None,
        "imports": [e.dll.decode() for e in getattr(pe, "DIRECTORY_ENTRY_IMPORT", ())],
        "delayed": [e.dll.decode() for e in getattr(pe, "DIRECTORY_ENTRY_DELAY_IMPORT", ())],
        "inits": sorted(n for n in names if n.startswith(("PyInit_", "PyInitU_"))),
        "sections": [
            (
                s.Name.partition(b"\0")[0].decode(),
                pe.OPTIONAL_HEADER.ImageBase + s.VirtualAddress,
                s.PointerToRawData,
                min(s.SizeOfRawData, s.Misc_VirtualSize),
            )
            for s in pe.sections
        ],
    }


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into(layout, copy, offset, *values)
    return bytes(copy)


def directory_offset(data: bytes, index: int) -> int:
    """File offset of a data directory's entry."""
    optional = struct.unpack_from("<I", data, 0x3C)[0] + 24
    plus = struct.unpack_from("<H", data, optional)[0] == 0x20B
    return int(optional + (112 if plus else 96) + 8 * index)


def with_delay_import(data: bytes, *, absolute: bool) -> bytes:
    """`data` with a delay import of shell32.dll in the room that the C source keeps for it."""
    pe = pefile.PE(data=data)
    room = data.index(b"spare room")
    address = pe.get_rva_from_offset(room)
    base = pe.OPTIONAL_HEADER.ImageBase if absolute else 0
    thunks = [base + address + 96, base + address + 128]
    descriptor = struct.pack(
        "<8I", 0 if absolute else 1, base + address + 64, 0, *reversed(thunks), 0, 0, 0
    )
    block = (descriptor + bytes(32) + b"shell32.dll").ljust(96, b"\0")
    block += struct.pack("<QQ", 1 << 63 | 7, 0).ljust(32, b"\0") + bytes(32)
    data = data[:room] + block + data[room + len(block) :]
    return patched(data, directory_offset(data, DELAY_IMPORT), "<II", address, 64)


@pytest.mark.parametrize("target", TARGETS)
def test_every_machine_reads_as_pefile_does(target: str, zig: Callable[[str], Compile]) -> None:
    data = zig(target)("demo.pyd", WINDOWS_MODULE, "-shared", "-lkernel32").read_bytes()
    image = parse_pe(data)
    assert (image.architecture, image.bits) == TARGETS[target]
    assert image.byteorder == "little"
    assert image.kind is ImageKind.SHARED
    assert image.soname == "demo.pyd"
    assert image.python_inits == ("PyInitU_dmo_1ya", "PyInit_demo")
    assert [n.name.lower() for n in image.needed] == ["kernel32.dll"]
    assert facts(image) == reference(data)


@pytest.mark.parametrize("target", TARGETS)
def test_imported_functions_are_those_of_pefile(target: str, zig: Callable[[str], Compile]) -> None:
    data = zig(target)("demo.pyd", WINDOWS_MODULE, "-shared", "-lkernel32").read_bytes()
    pe = pefile.PE(data=data)
    theirs = [
        (entry.dll.decode(), function.name.decode())
        for entry in pe.DIRECTORY_ENTRY_IMPORT
        for function in entry.imports
    ]
    assert [*parse_pe_functions(data)] == theirs
    assert [name for _, name in theirs] == ["GetTickCount"]


def test_tables_of_functions_that_lie_in_each_other_are_refused(
    zig: Callable[[str], Compile],
) -> None:
    """Each of many DLLs names the same long table, so that together they would take hours."""
    fake = WINDOWS_MODULE + "unsigned long long functions[100000] = {[0 ... 99998] = 1ull << 63};"
    fake += "unsigned descriptors[500000] = {[0 ... 499990] = 0x1001};"
    data = zig("x86_64-windows-gnu")("demo.pyd", fake, "-shared", "-lkernel32").read_bytes()
    at = data.index(struct.pack("<QQ", 1 << 63, 1 << 63))
    section = next(s for s in parse_pe(data).sections if s.offset <= at < s.offset + s.size)
    base = pefile.PE(data=data, fast_load=True).OPTIONAL_HEADER.ImageBase
    table = section.address - base + at - section.offset
    rows = data.index(struct.pack("<5I", *[0x1001] * 5))
    row = struct.pack("<5I", table, 0, 0, 0x1001, table)
    broken = data[:rows] + row * 20000 + data[rows + len(row) * 20000 :]
    where = section.address - base + rows - section.offset
    broken = patched(broken, directory_offset(broken, IMPORT), "<II", where, 400000)
    with pytest.raises(InvalidBinary, match="imports more than"):
        all(parse_pe_functions(broken))


def test_program_is_an_executable_without_exports(zig: Callable[[str], Compile]) -> None:
    source = "int __stdcall start(void) { return 7; }"
    path = zig("x86_64-windows-gnu")("demo.exe", source, "-Wl,--entry=start")
    image = parse_pe(path.read_bytes())
    assert image.kind is ImageKind.EXECUTABLE
    assert (image.soname, image.needed, image.python_inits) == (None, (), ())
    assert facts(image) == reference(path.read_bytes())


def test_delay_imports_are_lazy(pe_module: Path) -> None:
    data = with_delay_import(pe_module.read_bytes(), absolute=False)
    image = parse_pe(data)
    assert [(n.name.lower(), n.kind) for n in image.needed] == [
        ("kernel32.dll", NeedKind.NORMAL),
        ("shell32.dll", NeedKind.LAZY),
    ]
    assert facts(image) == reference(data)


def test_delay_imports_of_old_compilers_hold_absolute_addresses(
    zig: Callable[[str], Compile],
) -> None:
    path = zig("x86-windows-gnu")("demo.pyd", WINDOWS_MODULE, "-shared", "-lkernel32")
    image = parse_pe(with_delay_import(path.read_bytes(), absolute=True))
    assert image.needed[-1].name == "shell32.dll"
    assert image.needed[-1].kind is NeedKind.LAZY


def test_addresses_are_those_of_the_preferred_base(pe_module: Path) -> None:
    data = pe_module.read_bytes()
    pe = pefile.PE(data=data)
    image = parse_pe(data)
    room = data.index(b"spare room")
    address = pe.OPTIONAL_HEADER.ImageBase + pe.get_rva_from_offset(room)
    assert address_to_offset(image, address) == room
    assert address_to_offset(image, pe.OPTIONAL_HEADER.ImageBase) == 0
    assert address_to_offset(image, 1) is None


def test_writable_and_executable_sections_are_told_apart(pe_module: Path) -> None:
    image = parse_pe(pe_module.read_bytes())
    by_address = {s.address: s for s in image.segments}
    rights = {s.name: by_address[s.address] for s in image.sections}
    assert (rights[".text"].executable, rights[".text"].writable) == (True, False)
    assert (rights[".data"].executable, rights[".data"].writable) == (False, True)


def test_dos_program_is_refused(pe_module: Path) -> None:
    data = pe_module.read_bytes()
    start = struct.unpack_from("<I", data, 0x3C)[0]
    with pytest.raises(InvalidBinary, match="a DOS program, or damaged"):
        parse_pe(patched(data, start, "<I", 0))
    with pytest.raises(UnknownFormat):
        parse_pe(b"ZM" + data[2:])


def test_every_file_cut_short_before_its_last_section_ends_is_refused(pe_module: Path) -> None:
    data = pe_module.read_bytes()
    end = max(s.offset + s.size for s in parse_pe(data).sections)
    for length in (*range(1024), *range(1024, end, 11), end - 1):
        with pytest.raises(UnknownFormat if length < 2 else TruncatedBinary):
            parse_pe(data[:length])


def test_every_flipped_header_bit_ends_in_an_image_or_invalid_binary(pe_module: Path) -> None:
    data = bytearray(pe_module.read_bytes())
    tables = [struct.unpack_from("<II", data, directory_offset(data, n)) for n in (EXPORT, IMPORT)]
    pe = pefile.PE(data=bytes(data))
    spans = [range(0x400)]
    spans += [range(o, o + size) for a, size in tables for o in [pe.get_offset_from_rva(a)]]
    refused = 0
    for position in (p for span in spans for p in span):
        for bit in (0, 4, 7):
            data[position] ^= 1 << bit
            try:
                parse_pe(bytes(data))
            except InvalidBinary:
                refused += 1
            data[position] ^= 1 << bit
    assert refused > 200


def test_table_that_lies_in_no_section_is_refused(pe_module: Path) -> None:
    data = pe_module.read_bytes()
    for index in (EXPORT, IMPORT, DELAY_IMPORT):
        with pytest.raises(InvalidBinary, match="is not in the file"):
            parse_pe(patched(data, directory_offset(data, index), "<II", 0x7FFFFFFF, 40))


def test_import_directory_without_an_end_is_refused(zig: Callable[[str], Compile]) -> None:
    """Every descriptor names the same DLL, and there are more than a loader ever saw."""
    fake = WINDOWS_MODULE + "unsigned table[600000] = {[0 ... 599999] = 0x1001};"
    path = zig("x86_64-windows-gnu")("demo.pyd", fake, "-shared", "-lkernel32")
    data = path.read_bytes()
    pe = pefile.PE(data=data, fast_load=True)
    address = pe.get_rva_from_offset(data.index(struct.pack("<4I", *[0x1001] * 4)))
    for index, what in ((IMPORT, "the import"), (DELAY_IMPORT, "the delay import")):
        endless = patched(data, directory_offset(data, index), "<II", address, 40)
        with pytest.raises(InvalidBinary, match=f"{what} directory has more than 65536 entries"):
            parse_pe(endless)
