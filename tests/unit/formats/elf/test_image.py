"""ELF files against pyelftools and readelf, and damaged ones against the loader's limits."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import MODULE, Compile
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.formats.elf.image import parse_elf, parse_elf_symbols
from rustext.model.image import Image, ImageKind

DT_NULL, DT_NEEDED = 0, 1
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SONAME, DT_GNU_HASH = 4, 5, 6, 10, 14, 0x6FFFFEF5
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF

# ziglang's target -> what the kernel calls the machine, word size, byte order
TARGETS = {
    "x86_64-linux-musl": ("x86_64", 64, "little"),
    "x86-linux-musl": ("i686", 32, "little"),
    "aarch64-linux-musl": ("aarch64", 64, "little"),
    "arm-linux-musleabihf": ("armv7l", 32, "little"),
    "powerpc64-linux-musl": ("ppc64", 64, "big"),
    "powerpc64le-linux-musl": ("ppc64le", 64, "little"),
    "powerpc-linux-musleabi": ("ppc", 32, "big"),
    "s390x-linux-musl": ("s390x", 64, "big"),
    "riscv64-linux-musl": ("riscv64", 64, "little"),
    "loongarch64-linux-musl": ("loongarch64", 64, "little"),
    "mips-linux-musleabi": ("mips", 32, "big"),
    "mipsel-linux-musleabi": ("mipsel", 32, "little"),
    "mips64el-linux-muslabi64": ("mips64el", 64, "little"),
}


def parse(path: Path) -> Image:
    return parse_elf(path.read_bytes())


def facts(image: Image) -> dict[str, object]:
    return {
        "soname": image.soname,
        "needed": [n.name for n in image.needed],
        "rpath": list(image.rpath),
        "runpath": list(image.runpath),
        "interpreter": image.interpreter,
        "versions": [(v.library, v.version, v.weak) for v in image.versions],
        "inits": list(image.python_inits),
        "segments": [
            (s.address, s.memory_size, s.offset, s.size, s.writable, s.executable)
            for s in image.segments
        ],
        "sections": [(s.name, s.address, s.offset, s.size) for s in image.sections],
    }


def reference(path: Path) -> dict[str, object]:
    """The same facts as pyelftools reads them, mostly from section headers."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        segments = list(elf.iter_segments())
        tags = [t for s in segments if isinstance(s, DynamicSegment) for t in s.iter_tags()]

        def texts(tag: str, attribute: str) -> list[str]:
            return [getattr(t, attribute) for t in tags if t.entry.d_tag == tag]

        symbols = elf.get_section_by_name(".dynsym")
        return {
            "soname": next(iter(texts("DT_SONAME", "soname")), None),
            "needed": texts("DT_NEEDED", "needed"),
            "rpath": [p for t in texts("DT_RPATH", "rpath") for p in t.split(":")],
            "runpath": [p for t in texts("DT_RUNPATH", "runpath") for p in t.split(":")],
            "interpreter": next(
                (s.get_interp_name() for s in segments if s["p_type"] == "PT_INTERP"), None
            ),
            "versions": [
                (version.name, aux.name, bool(aux["vna_flags"] & 2))
                for section in elf.iter_sections()
                if isinstance(section, GNUVerNeedSection)
                for version, auxiliaries in section.iter_versions()
                for aux in auxiliaries
            ],
            "inits": sorted(
                symbol.name
                for symbol in (symbols.iter_symbols() if symbols else ())
                if symbol.name.startswith(("PyInit_", "PyInitU_"))
                and symbol["st_shndx"] != "SHN_UNDEF"
            ),
            "segments": [
                (
                    s["p_vaddr"],
                    s["p_memsz"],
                    s["p_offset"],
                    s["p_filesz"],
                    bool(s["p_flags"] & 2),
                    bool(s["p_flags"] & 1),
                )
                for s in segments
                if s["p_type"] == "PT_LOAD"
            ],
            "sections": [
                (s.name, s["sh_addr"], s["sh_offset"], size)
                for s in elf.iter_sections()
                if s["sh_type"] != "SHT_NULL"
                for size in [0 if s["sh_type"] == "SHT_NOBITS" else s["sh_size"]]
            ],
        }


def dynamic_entry(data: bytes, wanted: int) -> int:
    """File offset of a DT_ entry in a 64-bit little-endian file."""
    with_dynamic = next(
        struct.unpack_from("<8xQ", data, at)[0]
        for at in range(64, 64 + 56 * struct.unpack_from("<H", data, 56)[0], 56)
        if struct.unpack_from("<I", data, at)[0] == 2
    )
    at = with_dynamic
    while (tag := struct.unpack_from("<Q", data, at)[0]) != wanted:
        assert tag != DT_NULL, f"no tag {wanted:#x}"
        at += 16
    return at


def dynamic_value(data: bytes, tag: int) -> int:
    return int(struct.unpack_from("<Q", data, dynamic_entry(data, tag) + 8)[0])


def address_of(data: bytes, content: bytes) -> int:
    """The address of what the C source put into .data."""
    offset = data.index(content)
    segment = next(s for s in parse_elf(data).segments if 0 <= offset - s.offset < s.size)
    return segment.address + offset - segment.offset


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into(layout, copy, offset, *values)
    return bytes(copy)


@contextmanager
def bounded() -> Iterator[None]:
    """A count is checked before it is followed; pyelftools alone would go through all of it."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 1


@pytest.mark.parametrize("target", TARGETS)
def test_every_class_byte_order_and_machine_reads_as_pyelftools_does(
    target: str, zig: Callable[[str], Compile]
) -> None:
    path = zig(target)("demo.so", MODULE, "-shared", "-Wl,-soname,libdemo.so.1")
    image = parse(path)
    assert (image.architecture, image.bits, image.byteorder) == TARGETS[target]
    assert image.kind is ImageKind.SHARED
    assert image.soname == "libdemo.so.1"
    assert image.python_inits == ("PyInitU_dmo_1ya", "PyInit_demo")
    assert facts(image) == reference(path)


def test_installed_extension_modules_read_as_pyelftools_does() -> None:
    folder = Path(sysconfig.get_path("platlib"))
    modules = [p for p in sorted(folder.rglob("*.so")) if p.stat().st_size < 2_000_000][:60]
    assert modules
    for path in modules:
        assert facts(parse(path)) == reference(path), path


def test_rpath_and_runpath_are_kept_apart_and_split_at_colons(gcc: Compile) -> None:
    paths = "-Wl,-rpath,$ORIGIN/../a.libs:/opt/b"
    old = parse(gcc("old.so", MODULE, "-shared", "-fPIC", paths, "-Wl,--disable-new-dtags"))
    new = parse(gcc("new.so", MODULE, "-shared", "-fPIC", paths, "-Wl,--enable-new-dtags"))
    assert (old.rpath, old.runpath) == (("$ORIGIN/../a.libs", "/opt/b"), ())
    assert (new.rpath, new.runpath) == ((), ("$ORIGIN/../a.libs", "/opt/b"))


def test_versions_are_those_that_readelf_lists_with_their_weak_flag(
    gcc: Compile, tmp_path: Path
) -> None:
    source = """
    #include <stdio.h>
    #include <math.h>
    int main(int n, char **v) { return printf("%f", pow(n, n)); }
    """
    data = gcc("versions", source, "-fno-builtin", "-lm").read_bytes()
    table = dynamic_value(data, DT_VERNEED)  # the first entry, and its first version 16 bytes on
    path = tmp_path / "versions"
    path.write_bytes(patched(data, table + 16 + 4, "<H", 2))
    listing = subprocess.run(
        ["readelf", "--version-info", "--wide", path], capture_output=True, text=True, check=True
    ).stdout.partition("Version needs section")[2]
    expected = []
    library = ""
    for line in listing.splitlines():
        words = line.split()
        if "File:" in words:
            library = words[words.index("File:") + 1]
        elif "Name:" in words:
            weak = words[words.index("Flags:") + 1] == "WEAK"
            expected.append((library, words[words.index("Name:") + 1], weak))
    assert {weak for _, _, weak in expected} == {True, False}
    assert [(v.library, v.version, v.weak) for v in parse(path).versions] == expected


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (("-pie", "-fPIE"), ImageKind.EXECUTABLE),
        (("-no-pie",), ImageKind.EXECUTABLE),
        (("-static",), ImageKind.EXECUTABLE),
        (("-static-pie", "-fPIE"), ImageKind.EXECUTABLE),
        (("-shared", "-fPIC"), ImageKind.SHARED),
        (("-c",), ImageKind.OTHER),
    ],
)
def test_kind_tells_programs_from_libraries(
    flags: tuple[str, ...], kind: ImageKind, gcc: Compile
) -> None:
    path = gcc("demo", "int main(void) { return 0; }", *flags)
    image = parse(path)
    assert image.kind is kind
    assert facts(image) == reference(path)


def test_program_linked_before_the_pie_flag_is_known_by_its_interpreter(gcc: Compile) -> None:
    data = gcc("demo", "int main(void) { return 0; }", "-pie", "-fPIE").read_bytes()
    without = patched(data, dynamic_entry(data, 0x6FFFFFFB) + 8, "<Q", 0)
    assert parse_elf(without).kind is ImageKind.EXECUTABLE


def test_library_with_an_interpreter_stays_a_library(gcc: Compile) -> None:
    source = 'const char i[] __attribute__((section(".interp"))) = "/lib64/ld-linux-x86-64.so.2";'
    image = parse(gcc("libx.so", source, "-shared", "-fPIC", "-Wl,-soname,libx.so.6"))
    assert image.interpreter == "/lib64/ld-linux-x86-64.so.2"
    assert image.kind is ImageKind.SHARED


def test_nodefaultlib_flag_is_read(gcc: Compile) -> None:
    flags = ("-shared", "-fPIC")
    assert not parse(gcc("a.so", MODULE, *flags)).no_default_libraries
    assert parse(gcc("b.so", MODULE, *flags, "-Wl,-z,nodefaultlib")).no_default_libraries


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_only_defined_and_visible_init_functions_count_under_each_hash_style(
    style: str, gcc: Compile
) -> None:
    source = MODULE + "extern int PyInit_elsewhere(void); int f(void){return PyInit_elsewhere();}"
    many = "".join(f"int filler{n}(void) {{ return {n}; }}" for n in range(300))
    path = gcc("demo.so", source + many, "-shared", "-fPIC", f"-Wl,--hash-style={style}")
    image = parse(path)
    assert image.python_inits == ("PyInitU_dmo_1ya", "PyInit_demo")
    assert facts(image) == reference(path)


def test_file_without_section_headers_reads_the_same(elf_module: Path) -> None:
    data = elf_module.read_bytes()
    stripped = patched(patched(data, 40, "<Q", 0), 58, "<HHH", 0, 0, 0)
    whole, bare = facts(parse_elf(data)), facts(parse_elf(stripped))
    assert bare.pop("sections") == []
    assert whole.pop("sections") != []
    assert bare == whole


def test_damaged_section_is_left_out_and_the_rest_counts(elf_module: Path) -> None:
    data = elf_module.read_bytes()
    table = struct.unpack_from("<Q", data, 40)[0]
    damaged = patched(data, table + 64 + 32, "<Q", 1 << 40)  # sh_size of the first section
    whole, partial = parse_elf(data), parse_elf(damaged)
    assert partial.sections == whole.sections[1:]
    assert partial.needed == whole.needed


def test_separate_debug_file_is_read_and_needs_nothing(gcc: Compile, tmp_path: Path) -> None:
    path = gcc("debug.so", MODULE, "-shared", "-fPIC", "-g", "-lm")
    debug = tmp_path / "debug.so.debug"
    subprocess.run(["objcopy", "--only-keep-debug", path, debug], check=True)
    assert parse(debug).needed == ()


def test_soft_float_arm_is_another_machine_than_hard_float(zig: Callable[[str], Compile]) -> None:
    data = zig("arm-linux-musleabihf")("demo.so", MODULE, "-shared").read_bytes()
    soft = patched(data, 36, "<I", 0x0500_0200)  # EF_ARM_EABI_VER5 | EF_ARM_ABI_FLOAT_SOFT
    assert parse_elf(data).architecture == "armv7l"
    assert parse_elf(soft).architecture == "armv5tel"


def test_unknown_machine_is_named_by_its_number(elf_module: Path) -> None:
    assert parse_elf(patched(elf_module.read_bytes(), 18, "<H", 999)).architecture == (
        "elf-machine-999"
    )


def test_view_of_the_bytes_reads_like_the_bytes(elf_module: Path) -> None:
    data = elf_module.read_bytes()
    assert parse_elf(memoryview(data)) == parse_elf(data)


def test_last_of_two_sonames_counts_as_in_the_loader(gcc: Compile) -> None:
    path = gcc("two.so", MODULE, "-shared", "-fPIC", "-lm", "-Wl,--no-as-needed,-soname,two.so")
    data = path.read_bytes()
    needed = dynamic_entry(data, DT_NEEDED)
    assert needed < dynamic_entry(data, DT_SONAME)
    other = patched(data, needed, "<Q", DT_SONAME)
    assert parse_elf(other).soname == "two.so"


def test_name_that_is_not_utf8_can_be_printed(elf_module: Path) -> None:
    data = elf_module.read_bytes().replace(b"demo.so.1", b"d\xe9mo.so.1")
    assert parse_elf(data).soname == "d\\xe9mo.so.1"


def test_a_file_cut_short_is_refused_up_to_the_end_of_its_last_segment(elf_module: Path) -> None:
    """What follows is for linkers and debuggers: the loader takes the file without it."""
    data = elf_module.read_bytes()
    end = max(s.offset + s.size for s in parse_elf(data).segments)
    whole, cut = parse_elf(data), parse_elf(data[:end])
    assert cut.sections == ()
    assert replace(cut, sections=whole.sections, size=whole.size) == whole
    short = elf_module.with_name("short.so")
    short.write_bytes(data[:end])
    ctypes.CDLL(str(short))
    for length in range(end):
        expected = UnknownFormat if length < 4 else TruncatedBinary
        with pytest.raises(expected):
            parse_elf(data[:length])


def test_message_says_what_is_cut_short_and_where(elf_module: Path) -> None:
    data = elf_module.read_bytes()
    with pytest.raises(TruncatedBinary, match=r"^cut short: the segment at 0x[0-9a-f]+ would end"):
        parse_elf(patched(data[:4096], 40, "<Q", 0))
    with pytest.raises(TruncatedBinary, match=r"only 0x20 bytes$"):
        parse_elf(data[:32])


def test_every_flipped_header_bit_ends_in_an_image_or_invalid_binary(elf_module: Path) -> None:
    data = bytearray(elf_module.read_bytes())
    dynamic = dynamic_entry(data, DT_SONAME)
    refused = 0
    for position in (*range(64 + 56 * 4), *range(dynamic, dynamic + 16 * 20)):
        for bit in range(8):
            data[position] ^= 1 << bit
            try:
                parse_elf(bytes(data))
            except InvalidBinary:
                refused += 1
            data[position] ^= 1 << bit
    assert refused > 500


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [(4, "<B", 3), (5, "<B", 0), (54, "<H", 1)],
    ids=["class", "encoding", "program-header-size"],
)
def test_header_that_no_loader_takes_is_refused(
    offset: int, layout: str, value: int, elf_module: Path
) -> None:
    with pytest.raises(InvalidBinary, match=r"^damaged: "):
        parse_elf(patched(elf_module.read_bytes(), offset, layout, value))


UNDEFINED_INIT = MODULE + "extern int PyInit_gone(void); int f(void) { return PyInit_gone(); }"


def test_sysv_hash_chain_that_leads_into_itself_is_refused(gcc: Compile) -> None:
    path = gcc("loop.so", UNDEFINED_INIT, "-shared", "-fPIC", "-Wl,--hash-style=sysv")
    data = path.read_bytes()
    table = dynamic_value(data, DT_HASH)
    links = sum(struct.unpack_from("<II", data, table))
    looped = patched(data, table + 8, f"<{links}I", *[1] * links)
    with pytest.raises(InvalidBinary, match="chain of the symbol hash table does not end"):
        parse_elf(looped)


def test_gnu_hash_chain_without_an_end_is_refused(gcc: Compile) -> None:
    # One bucket, and a chain none of whose entries has the bit of the last one.
    fake = "unsigned t[100005] = {1, 0, 0, 0, 1, [5 ... 100004] = 2};"
    path = gcc("loop.so", UNDEFINED_INIT + fake, "-shared", "-fPIC", "-Wl,--hash-style=gnu")
    data = path.read_bytes()
    table = address_of(data, struct.pack("<7I", 1, 0, 0, 0, 1, 2, 2))
    with pytest.raises(TruncatedBinary, match="a dynamic symbol would end"):
        parse_elf(patched(data, dynamic_entry(data, DT_GNU_HASH) + 8, "<Q", table))


def test_version_table_that_leads_into_itself_is_refused(gcc: Compile) -> None:
    # Each row serves as a needed library with 65535 versions and as one of these versions.
    source = "unsigned t[65540][4] = {[0 ... 65539] = {0xFFFF0001u, 0, 0, 16}};"
    path = gcc(
        "versions.so",
        source + "int *f(void) { extern int *__errno_location(void); return __errno_location(); }",
        "-shared",
        "-fPIC",
    )
    data = path.read_bytes()
    table = address_of(data, struct.pack("<8I", *[0xFFFF0001, 0, 0, 16] * 2))
    data = patched(data, dynamic_entry(data, DT_VERNEED) + 8, "<Q", table)
    data = patched(data, dynamic_entry(data, DT_VERNEEDNUM) + 8, "<Q", 1 << 40)
    with pytest.raises(InvalidBinary, match="more than 65536 entries"):
        parse_elf(data)


@pytest.mark.parametrize("table", ["program headers", "sections"])
def test_extended_count_that_no_file_holds_is_refused_at_once(table: str, elf_module: Path) -> None:
    """The first section header has the number of sections in sh_size, of segments in sh_info."""
    data = elf_module.read_bytes()
    first = struct.unpack_from("<Q", data, 40)[0]
    if table == "sections":
        data = patched(patched(data, 60, "<H", 0), first + 32, "<Q", 0xFFFFFFFF)
    else:
        data = patched(patched(data, 56, "<H", 0xFFFF), first + 44, "<I", 0xFFFFFFFF)
    with bounded(), pytest.raises(InvalidBinary, match=f"^damaged: .*4294967295 {table}"):
        parse_elf(data)


def test_dynamic_section_without_an_end_is_refused_at_once(elf_module: Path) -> None:
    data = elf_module.read_bytes()
    header = next(
        at
        for at in range(64, 64 + 56 * struct.unpack_from("<H", data, 56)[0], 56)
        if struct.unpack_from("<I", data, at)[0] == 2
    )
    start = struct.unpack_from("<Q", data, header + 8)[0]
    entries = struct.pack("<QQ", 0x6FFFFFFA, 1) * 2_000_000  # DT_RELCOUNT
    endless = patched(data, header + 32, "<Q", 1 << 40)[:start] + entries
    whole = patched(endless, 40, "<Q", 0)  # without section headers
    with bounded():
        assert parse_elf(patched(whole, 60, "<H", 0)).needed == ()


def test_count_of_needed_versions_is_not_believed(gcc: Compile) -> None:
    source = "int *f(void) { extern int *__errno_location(void); return __errno_location(); }"
    data = gcc("versions.so", source, "-shared", "-fPIC").read_bytes()
    many = patched(data, dynamic_entry(data, DT_VERNEEDNUM) + 8, "<Q", 0xFFFFFFFF)
    with bounded():
        assert parse_elf(many).versions == parse_elf(data).versions != ()


def test_giant_symbol_hash_table_is_refused_at_once(gcc: Compile) -> None:
    data = gcc("hash.so", MODULE, "-shared", "-fPIC", "-Wl,--hash-style=gnu").read_bytes()
    table = dynamic_value(data, DT_GNU_HASH)
    with bounded(), pytest.raises(TruncatedBinary, match="the symbol hash table would end"):
        parse_elf_symbols(patched(data, table, "<I", 0xFFFFFFFF))
