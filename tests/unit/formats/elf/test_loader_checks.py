"""Files that a loader refuses: each edit is made to a real library, and ld.so is asked."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile

from rustext.errors import InvalidBinary
from rustext.formats.elf.image import parse_elf
from rustext.formats.elf.loader_checks import By, Refusal, iter_refusals

SOURCE = '#include <stdio.h>\nint x; int f(void) { return puts("f") + x; }'
STACK = 0x6474_E551

Edit = tuple[int, str, int]  # offset in the file, `struct` format, value


def refusals(data: bytes) -> list[Refusal]:
    return list(iter_refusals(data, parse_elf(data).versions))


def ld_so(path: Path) -> str:
    """What the loader says when the file is opened; "" if it takes it."""
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stderr or f"signal {-done.returncode}"


@pytest.fixture
def library(gcc: Compile) -> bytes:
    return gcc("l.so", SOURCE, "-shared", "-fPIC").read_bytes()


def header_of(data: bytes, kind: int, number: int = 0) -> int:
    """The file offset of a program header."""
    start, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    rows = range(start, start + 56 * count, 56)
    return [at for at in rows if struct.unpack_from("<I", data, at)[0] == kind][number]


def tag_of(data: bytes, wanted: int) -> int:
    """The file offset of an entry of the dynamic section."""
    (at,) = struct.unpack_from("<Q", data, header_of(data, 2) + 8)
    while struct.unpack_from("<Q", data, at)[0] != wanted:
        at += 16
    return at


def place_of(data: bytes, tag: int) -> int:
    """Where what an entry leads to is; the first segment has the same place in file and memory."""
    return int(struct.unpack_from("<Q", data, tag_of(data, tag) + 8)[0])


EDITS: dict[str, Callable[[bytes], list[Edit]]] = {
    "version-ident": lambda _: [(6, "B", 2)],
    "osabi": lambda _: [(7, "B", 9)],
    "abi-version": lambda _: [(8, "B", 1)],
    "abi-version-of-gnu": lambda _: [(7, "B", 3), (8, "B", 4)],
    "padding": lambda _: [(12, "B", 1)],
    "version": lambda _: [(20, "I", 0)],
    "relocatable": lambda _: [(16, "H", 1)],
    "executable": lambda _: [(16, "H", 2)],
    "no-load": lambda d: [(header_of(d, 1, n), "I", 0) for n in range(4)],
    "no-dynamic": lambda d: [(header_of(d, 2), "I", 0)],
    "empty-dynamic": lambda d: [(header_of(d, 2) + 32, "Q", 0), (header_of(d, 2) + 40, "Q", 0)],
    "relocation-size": lambda d: [(tag_of(d, 9) + 8, "Q", 16)],
    "relocation-kind": lambda d: [(tag_of(d, 20) + 8, "Q", 17)],
    "no-symbols": lambda d: [(tag_of(d, 6), "Q", 0x6000_0001)],
    "no-hash": lambda d: [(tag_of(d, 0x6FFF_FEF5), "Q", 0x6000_0001)],
    "version-record": lambda d: [(place_of(d, 0x6FFF_FFFE), "H", 0)],
    "no-bucket": lambda d: [(place_of(d, 0x6FFF_FEF5), "I", 0)],
    "no-code": lambda d: [(header_of(d, 1, 1) + 4, "I", 4)],
    "init-outside": lambda d: [(tag_of(d, 12) + 8, "Q", 1 << 40)],
    "init-in-data": lambda d: [(tag_of(d, 12) + 8, "Q", place_of(d, 5))],
    "init-array-outside": lambda d: [(tag_of(d, 25) + 8, "Q", 1 << 40)],
    "fini-outside": lambda d: [(tag_of(d, 13) + 8, "Q", 1 << 40)],
    "protected-outside": lambda d: [(header_of(d, 0x6474_E552) + 40, "Q", 1 << 40)],
    "no-relocation": lambda d: [(place_of(d, 7) + at, "Q", 0) for at in (0, 8, 16)],
}
HARMLESS: dict[str, Callable[[bytes], list[Edit]]] = {
    "gnu": lambda _: [(7, "B", 3)],
    "gnu-abi": lambda _: [(7, "B", 3), (8, "B", 3)],
    "no-section-headers": lambda _: [(40, "Q", 0), (58, "H", 0), (60, "H", 0), (62, "H", 0)],
    "sections-outside": lambda _: [(40, "Q", 1 << 40)],
    "section-size": lambda _: [(58, "H", 1)],
    "flags": lambda _: [(48, "I", 7)],
    "strings-size": lambda d: [(tag_of(d, 10) + 8, "Q", 2)],
}


def edited(data: bytes, edits: list[Edit]) -> bytes:
    result = bytearray(data)
    for offset, layout, value in edits:
        struct.pack_into(f"<{layout}", result, offset, value)
    return bytes(result)


def test_a_healthy_file_is_refused_by_nobody(library: bytes) -> None:
    assert refusals(library) == []


@pytest.mark.parametrize("name", EDITS)
def test_what_ld_so_refuses_is_said_in_its_words(name: str, library: bytes, tmp_path: Path) -> None:
    data = edited(library, EDITS[name](library))
    (tmp_path / "l.so").write_bytes(data)
    said = ld_so(tmp_path / "l.so")
    first = refusals(data)[0]
    assert first.by in {By.ANY, By.LIBRARIES, By.GLIBC}
    assert said
    known = first.words.partition(": the loader")[0].partition(" `info[")[0]
    assert said.startswith("signal ") or known.split(": ")[0] in said, (first, said)


def test_a_segment_that_does_not_lie_where_its_address_says_makes_a_file_unreadable(
    library: bytes, tmp_path: Path
) -> None:
    data = edited(library, [(header_of(library, 1, 1) + 16, "Q", 0x1008)])
    (tmp_path / "l.so").write_bytes(data)
    words = "ELF load command address/offset not page-aligned"
    with pytest.raises(InvalidBinary, match=words):
        parse_elf(data)
    assert words in ld_so(tmp_path / "l.so")
    assert next(iter_refusals(data)).words == words


@pytest.mark.parametrize("name", HARMLESS)
def test_what_ld_so_takes_is_not_refused(name: str, library: bytes, tmp_path: Path) -> None:
    data = edited(library, HARMLESS[name](library))
    (tmp_path / "l.so").write_bytes(data)
    assert ld_so(tmp_path / "l.so") == ""
    assert refusals(data) == []


@pytest.mark.parametrize(
    ("flag", "by"),
    [("nodlopen", By.GLIBC_DLOPEN), ("execstack", By.NEW_GLIBC_DLOPEN)],
)
def test_what_a_linker_writes_into_the_flags(flag: str, by: By, gcc: Compile) -> None:
    path = gcc("l.so", SOURCE, "-shared", "-fPIC", f"-Wl,-z,{flag}")
    (refusal,) = refusals(path.read_bytes())
    assert refusal.by is by
    said = ld_so(path)
    assert refusal.words in said or (by is By.NEW_GLIBC_DLOPEN and said == "")


CALLS: dict[str, Callable[[bytes], list[Edit]]] = {
    "empty": lambda d: [(place_of(d, 23) + at, "Q", 0) for at in (0, 8, 16)],
    "outside": lambda d: [(tag_of(d, 23) + 8, "Q", 1 << 20)],
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_without_its_relocation_ends_the_process(
    name: str, library: bytes, tmp_path: Path
) -> None:
    (tmp_path / "l.so").write_bytes(edited(library, CALLS[name](library)))
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).f()"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "l.so"], check=False)
    assert done.returncode != 0
    assert refusals((tmp_path / "l.so").read_bytes())[0].fatal


@pytest.mark.parametrize(("offset", "value"), [(4, 1), (5, 2), (6, 7), (7, 9), (20, 7)])
def test_the_kernel_reads_its_own_form_of_a_program(offset: int, value: int, gcc: Compile) -> None:
    path = gcc("program", "int main(void) { return 7; }", "-pie", "-fPIE")
    data = path.read_bytes()
    path.write_bytes(edited(data, [(offset, "B", value)]))
    assert subprocess.run([path], check=False).returncode == 7
    image = parse_elf(path.read_bytes())
    assert (image.bits, image.kind) == (64, parse_elf(data).kind)
    assert not [r for r in refusals(path.read_bytes()) if r.by is By.ANY]


def test_a_program_is_no_library(gcc: Compile) -> None:
    path = gcc("program", "int main(void) { return 0; }", "-pie", "-fPIE")
    (refusal,) = refusals(path.read_bytes())
    assert refusal.by is By.GLIBC
    assert refusal.words in ld_so(path)


@pytest.mark.parametrize(("size", "fits"), [(500, True), (4000, False)])
def test_a_block_of_static_tls_has_to_fit_the_reserve(size: int, fits: bool, gcc: Compile) -> None:
    source = (
        f'__thread char block[{size}] __attribute__((tls_model("initial-exec")));'
        "int f(int i) { return block[i]; }"
    )
    path = gcc("l.so", source, "-shared", "-fPIC")
    words = [r.words for r in refusals(path.read_bytes())]
    assert words == ([] if fits else ["cannot allocate memory in static TLS block"])
    assert (ld_so(path) == "") is fits


def test_a_file_for_newer_processors_says_so(gcc: Compile) -> None:
    path = gcc("l.so", SOURCE, "-shared", "-fPIC", "-Wl,-z,x86-64-v4")
    (refusal,) = refusals(path.read_bytes())
    assert refusal == Refusal(
        By.PROCESSOR, "CPU ISA level is lower than required", "the file asks for x86-64-v4"
    )
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True)
    assert "x86 ISA needed: x86-64-v4" in " ".join(notes.stdout.split())


def test_packed_relocations_need_the_version_that_announces_them(
    gcc: Compile, tmp_path: Path
) -> None:
    source = (
        "#include <stdlib.h>\nstatic int z; int *w[9] = {&z, &z, &z};"
        "int f(void) { if (!*w[1]) abort(); return 0; }"
    )
    path = gcc("l.so", source, "-shared", "-fPIC", "-Wl,-z,pack-relative-relocs")
    data = path.read_bytes()
    assert refusals(data) == []
    assert ld_so(path) == ""
    versions = tuple(v for v in parse_elf(data).versions if v.version != "GLIBC_ABI_DT_RELR")
    assert versions
    (refusal,) = iter_refusals(data, versions)
    assert refusal.words == "DT_RELR without GLIBC_ABI_DT_RELR dependency"
    # The version is the last of its library's entries: the chain ends one earlier.
    table = parse_elf_offset(data, 0x6FFF_FFFE)
    count, first = (
        struct.unpack_from("<H", data, table + 2)[0],
        struct.unpack_from("<I", data, table + 8)[0],
    )
    entries = [table + first]
    while (step := struct.unpack_from("<I", data, entries[-1] + 12)[0]) != 0:
        entries.append(entries[-1] + step)
    names = [v.version for v in parse_elf(data).versions]
    at = names.index("GLIBC_ABI_DT_RELR")
    edits: list[Edit] = [(table + 2, "H", count - 1)]
    if at:
        step = struct.unpack_from("<I", data, entries[at] + 12)[0]
        previous = entries[at] - entries[at - 1] + step if step else 0
        edits.append((entries[at - 1] + 12, "I", previous))
    else:
        edits.append((table + 8, "I", first + entries[1] - entries[0]))
    (tmp_path / "l.so").write_bytes(edited(data, edits))
    assert refusal.words in ld_so(tmp_path / "l.so")


def parse_elf_offset(data: bytes, tag: int) -> int:
    (address,) = struct.unpack_from("<Q", data, tag_of(data, tag) + 8)
    return next(
        s.offset + address - s.address
        for s in parse_elf(data).segments
        if 0 <= address - s.address < s.size
    )
