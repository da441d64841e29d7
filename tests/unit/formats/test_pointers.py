"""Slots that the loader fills, against pyelftools, pefile and macholib."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pefile
import pytest
from compiling import Compile
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection, RelrRelocationSection
from macholib.MachO import MachO
from macholib.SymbolTable import SymbolTable

from rustext.formats.binary import address_to_offset, open_binary
from rustext.formats.pointers import read_imports, read_pointers

DATA = Path(__file__).parents[2] / "data" / "strings"
SOURCE = (DATA / "glued.c").read_text(encoding="utf-8")
TABLE = """
extern void *outside(void);
static const char text[] = "one";
const char *table[64] = {[0 ... 40] = text, [50 ... 60] = text + 1};
void *call(void) { return outside(); }
"""
R_RELATIVE = {"EM_X86_64": 8, "EM_AARCH64": 1027, "EM_ARM": 23}


def pointers(path: Path) -> dict[int, int]:
    with open_binary(path) as (binary, data):
        return read_pointers(binary.image, data)


def imports(path: Path) -> dict[int, str]:
    with open_binary(path) as (binary, data):
        return read_imports(binary.image, data)


@pytest.mark.parametrize("target", ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf"])
def test_elf_slots_are_those_of_pyelftools(zig: Callable[[str], Compile], target: str) -> None:
    path = zig(target)("table.so", TABLE, "-shared", "-fPIC", "-O2")
    slots: set[int] = set()
    names: dict[int, str] = {}
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        symbols = elf.get_section_by_name(".dynsym")
        for section in elf.iter_sections():
            if isinstance(section, RelocationSection):
                for entry in section.iter_relocations():
                    if entry["r_info_type"] == R_RELATIVE[elf["e_machine"]]:
                        slots.add(entry["r_offset"])
                    elif entry["r_info_sym"]:
                        name = symbols.get_symbol(entry["r_info_sym"]).name
                        names[entry["r_offset"]] = name
    assert slots
    assert set(pointers(path)) == slots
    assert "outside" in names.values()
    assert imports(path) == names


def test_elf_addresses_are_those_of_the_text(zig: Callable[[str], Compile]) -> None:
    for target in ("x86_64-linux-gnu", "arm-linux-gnueabihf"):  # RELA, and REL
        path = zig(target)("table.so", TABLE, "-shared", "-fPIC", "-O2")
        with open_binary(path) as (binary, data):
            found = []
            for address in read_pointers(binary.image, data).values():
                offset = address_to_offset(binary.image, address)
                if offset is not None:
                    found.append(data[offset : offset + 4].split(b"\0")[0])
        assert found.count(b"one") == 41
        assert found.count(b"ne") == 11


def test_relr_bitmaps_name_the_slots_of_pyelftools(gcc: Compile) -> None:
    flags = ("-shared", "-fPIC", "-O2", "-Wl,-z,pack-relative-relocs")
    path = gcc("packed.so", TABLE, *flags)
    with path.open("rb") as stream:
        sections = list(ELFFile(stream).iter_sections())
        packed = [s for s in sections if isinstance(s, RelrRelocationSection)]
        slots = {entry["r_offset"] for s in packed for entry in s.iter_relocations()}
    assert len(slots) >= 52
    assert slots <= set(pointers(path))


@pytest.fixture(scope="module")
def dll(zig: Callable[[str], Compile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("python") / "python3.lib"
    command = [sys.executable, "-m", "ziglang", "dlltool", "-m", "i386:x86-64"]
    command += ["-d", str(DATA / "python3.def"), "-l", str(library)]
    subprocess.run(command, check=True, timeout=120)
    return zig("x86_64-windows-gnu")("glued.dll", SOURCE, "-O2", "-shared", str(library))


def test_pe_slots_are_those_of_pefile(dll: Path) -> None:
    pe = pefile.PE(str(dll))
    base = pe.OPTIONAL_HEADER.ImageBase
    slots = {
        base + entry.rva: pe.get_qword_at_rva(entry.rva)
        for block in pe.DIRECTORY_ENTRY_BASERELOC
        for entry in block.entries
        if entry.type == pefile.RELOCATION_TYPE["IMAGE_REL_BASED_DIR64"]
    }
    assert len(slots) >= 2
    assert pointers(dll) == slots


def test_pe_imports_are_those_of_pefile(dll: Path) -> None:
    pe = pefile.PE(str(dll))
    names = {i.address: i.name.decode() for d in pe.DIRECTORY_ENTRY_IMPORT for i in d.imports}
    assert "PyImport_Import" in names.values()
    assert imports(dll) == names


@pytest.mark.parametrize("target", ["x86_64-macos", "aarch64-macos"])
def test_macho_imports_are_undefined_symbols(zig: Callable[[str], Compile], target: str) -> None:
    flags = ("-O2", "-shared", "-Wl,-undefined,dynamic_lookup")
    path = zig(target)("glued.so", SOURCE, *flags)
    undefined = {
        name.decode().removeprefix("_") for _, name in SymbolTable(MachO(str(path))).undefsyms
    }
    called = {"PyImport_Import", "PyImport_ImportModule", "PyUnicode_FromStringAndSize"}
    assert called <= set(imports(path).values()) <= undefined


@pytest.mark.parametrize("target", ["x86_64-macos", "aarch64-macos"])
def test_macho_pointers_are_those_in_the_source(zig: Callable[[str], Compile], target: str) -> None:
    flags = ("-O2", "-shared", "-Wl,-undefined,dynamic_lookup")
    path = zig(target)("table.so", TABLE, *flags)
    with open_binary(path) as (binary, data):
        offsets = [
            address_to_offset(binary.image, address)
            for address in read_pointers(binary.image, data).values()
        ]
        texts = [data[o : o + 4].split(b"\0")[0] for o in offsets if o is not None]
    assert texts.count(b"one") == 41
    assert texts.count(b"ne") == 11
