"""Mach-O files against macholib, and damaged ones against dyld's limits."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import MODULE, Compile
from macholib import mach_o
from macholib.MachO import MachO, MachOHeader

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat
from rustext.formats.macho.image import parse_macho
from rustext.model.image import Image, ImageKind, NeedKind

LC_SYMTAB, LC_LOAD_DYLIB, LC_ID_DYLIB, LC_DYLD_INFO_ONLY = 0x2, 0xC, 0xD, 0x80000022
LC_SEGMENT_64 = 0x19
KINDS = {
    mach_o.LC_LOAD_DYLIB: NeedKind.NORMAL,
    mach_o.LC_LOAD_WEAK_DYLIB: NeedKind.WEAK,
    mach_o.LC_REEXPORT_DYLIB: NeedKind.REEXPORT,
    mach_o.LC_LOAD_UPWARD_DYLIB: NeedKind.UPWARD,
    mach_o.LC_LAZY_LOAD_DYLIB: NeedKind.LAZY,
}
INITS = ("PyInitU_dmo_1ya", "PyInit_demo")


def parse_one(data: bytes) -> Image:
    (image,) = parse_macho(data)
    return image


def text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode()


def facts(image: Image) -> dict[str, object]:
    return {
        "offset": image.offset,
        "size": image.size,
        "id": image.soname,
        "needed": [(n.name, n.kind) for n in image.needed],
        "rpath": list(image.rpath),
        "minimum_os": image.minimum_os,
        "signature": image.signature,
        "segments": [(s.address, s.memory_size, s.offset, s.size) for s in image.segments],
        "sections": [(s.name, s.address, s.offset, s.size) for s in image.sections],
        "header_pad": image.header_pad,
    }


def reference(header: MachOHeader) -> dict[str, object]:
    """The same facts as macholib reads them; its offsets count from the start of the slice."""
    start = header.offset
    found: dict[str, object] = {"id": None, "minimum_os": None, "signature": None}
    needed, rpath, segments, sections = [], [], [], []
    for load, command, data in header.commands:
        if load.cmd == mach_o.LC_ID_DYLIB:
            found["id"] = text(data)
        elif load.cmd in KINDS:
            needed.append((text(data), KINDS[load.cmd]))
        elif load.cmd == mach_o.LC_RPATH:
            rpath.append(text(data))
        elif load.cmd == mach_o.LC_BUILD_VERSION:
            found["minimum_os"] = f"{command.minos >> 16}.{command.minos >> 8 & 0xFF}"
        elif load.cmd == mach_o.LC_CODE_SIGNATURE:
            found["signature"] = (start + command.dataoff, command.datasize)
        elif load.cmd in {mach_o.LC_SEGMENT, mach_o.LC_SEGMENT_64}:
            segments.append(
                (
                    int(command.vmaddr),
                    int(command.vmsize),
                    start + command.fileoff,
                    int(command.filesize),
                )
            )
            for section in data:
                name = f"{text(section.segname)},{text(section.sectname)}"
                size = 0 if section.flags & 0xFF in {1, 0xC, 0x12} else int(section.size)
                sections.append((name, int(section.addr), start + section.offset, size))
    first = min(offset for _, _, offset, size in sections if size)
    end_of_commands = start + header.mach_header._size_ + header.header.sizeofcmds
    return {
        **found,
        "offset": start,
        "size": header.size,
        "needed": needed,
        "rpath": rpath,
        "segments": sorted(segments),
        "sections": sections,
        "header_pad": first - end_of_commands,
    }


def command_offset(data: bytes, wanted: int) -> int:
    """File offset of the first load command of a kind in a thin 64-bit file."""
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        command, size = struct.unpack_from("<II", data, at)
        if command == wanted:
            return at
        at += size
    raise AssertionError(f"no load command {wanted:#x}")


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into(layout, copy, offset, *values)
    return bytes(copy)


def fat(*slices: bytes, wide: bool = False) -> bytes:
    """A universal file, with each slice on a page of its own as lipo(1) does it."""
    header = struct.pack(">II", 0xCAFEBABF if wide else 0xCAFEBABE, len(slices))
    body, offset = b"", 0x4000
    for piece in slices:
        cpu, subtype = struct.unpack_from("<II", piece, 4)
        layout = ">IIQQII" if wide else ">IIIII"
        values = (cpu, subtype, offset, len(piece), 14, 0)[: 6 if wide else 5]
        header += struct.pack(layout, *values)
        padded = piece + bytes(-len(piece) % 0x4000)
        body += padded
        offset += len(padded)
    return header + bytes(0x4000 - len(header)) + body


@pytest.mark.parametrize(
    ("target", "architecture"), [("aarch64-macos", "arm64"), ("x86_64-macos", "x86_64")]
)
def test_thin_library_reads_as_macholib_does(
    target: str, architecture: str, zig: Callable[[str], Compile]
) -> None:
    flags = ("-Wl,-install_name,@rpath/a/b.so", "-Wl,-rpath,@loader_path/..", "-Wl,-rpath,/opt")
    path = zig(target)("demo.so", MODULE, "-shared", *flags)
    image = parse_one(path.read_bytes())
    assert (image.architecture, image.bits, image.byteorder) == (architecture, 64, "little")
    assert image.kind is ImageKind.SHARED
    assert image.soname == "@rpath/a/b.so"
    assert image.rpath == ("@loader_path/..", "/opt")
    assert image.python_inits == INITS
    assert facts(image) == reference(MachO(str(path)).headers[0])


@pytest.mark.parametrize("wide", [False, True], ids=["fat", "fat-64"])
def test_universal_file_reads_slice_by_slice_with_offsets_in_the_file(
    wide: bool, zig: Callable[[str], Compile], tmp_path: Path
) -> None:
    thin = [
        zig(target)("demo.so", MODULE, "-shared").read_bytes()
        for target in ("x86_64-macos", "aarch64-macos")
    ]
    path = tmp_path / "universal.so"
    path.write_bytes(fat(*thin, wide=wide))
    data = path.read_bytes()
    images = parse_macho(data)
    assert [i.architecture for i in images] == ["x86_64", "arm64"]
    assert [i.python_inits for i in images] == [INITS, INITS]
    for image, piece in zip(images, thin, strict=True):
        assert data[image.offset : image.offset + image.size] == piece
        whole = facts(parse_one(piece))
        moved = facts(image)
        assert moved["needed"] == whole["needed"]
        assert moved["header_pad"] == whole["header_pad"]
        for before, after in zip(whole["segments"], moved["segments"], strict=True):
            assert after == (*before[:2], before[2] + image.offset, before[3])
    assert [facts(i) for i in images] == [reference(h) for h in MachO(str(path)).headers]


def test_arm64e_is_told_from_arm64_despite_its_capability_bits(macho_module: Path) -> None:
    data = patched(macho_module.read_bytes(), 8, "<I", 0x80000002)
    assert parse_one(data).architecture == "arm64e"


def test_32_bit_big_endian_image_is_read() -> None:
    install_name = b"/usr/lib/libold.dylib\0\0\0"
    segment = struct.pack(
        ">II16sIIIIIIII", 1, 56 + 68, b"__TEXT", 0x1000, 0x1000, 0, 400, 7, 5, 1, 0
    )
    section = struct.pack(
        ">16s16sIIIIIIIII", b"__text", b"__TEXT", 0x1180, 16, 384, 0, 0, 0, 0, 0, 0
    )
    identity = struct.pack(">IIIIII", 0xD, 24 + 24, 24, 1, 0x10000, 0x10000) + install_name
    commands = segment + section + identity
    header = struct.pack(">7I", 0xFEEDFACE, 18, 0, 6, 2, len(commands), 0)
    image = parse_one((header + commands).ljust(400, b"\0"))
    assert (image.architecture, image.bits, image.byteorder) == ("ppc", 32, "big")
    assert image.soname == "/usr/lib/libold.dylib"
    assert [(s.name, s.address, s.offset, s.size) for s in image.sections] == [
        ("__TEXT,__text", 0x1180, 384, 16)
    ]
    assert [(s.writable, s.executable) for s in image.segments] == [(False, True)]
    assert image.header_pad == 384 - 28 - len(commands)


@pytest.mark.parametrize("command", KINDS, ids=lambda c: KINDS[c].value)
def test_kind_of_each_library_is_kept(command: int, macho_module: Path, tmp_path: Path) -> None:
    data = macho_module.read_bytes()
    path = tmp_path / "kind.so"
    path.write_bytes(patched(data, command_offset(data, LC_LOAD_DYLIB), "<I", command))
    image = parse_one(path.read_bytes())
    assert [n.kind for n in image.needed] == [KINDS[command]]
    assert facts(image) == reference(MachO(str(path)).headers[0])


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (0x00, NeedKind.NORMAL),
        (0x01, NeedKind.WEAK),
        (0x02, NeedKind.REEXPORT),
        (0x03, NeedKind.WEAK),
        (0x04, NeedKind.UPWARD),
        (0x08, NeedKind.LAZY),
    ],
)
def test_kind_in_the_flags_of_macos_15_counts(
    flags: int, kind: NeedKind, macho_module: Path
) -> None:
    """`dylib_use_command`: a name at 28, the marker in place of the time, flags after."""
    data = macho_module.read_bytes()
    at = command_offset(data, LC_LOAD_DYLIB)
    size = struct.unpack_from("<I", data, at + 4)[0]
    name = b"/usr/lib/libz.dylib\0".ljust(size - 28, b"\0")
    changed = bytearray(patched(data, at + 8, "<IIIII", 28, 0x1A741800, 0, 0, flags))
    changed[at + 28 : at + size] = name
    (needed,) = parse_one(bytes(changed)).needed
    assert (needed.name, needed.kind) == ("/usr/lib/libz.dylib", kind)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(2, ImageKind.EXECUTABLE), (6, ImageKind.SHARED), (8, ImageKind.BUNDLE), (1, ImageKind.OTHER)],
)
def test_file_type_gives_the_kind(number: int, kind: ImageKind, macho_module: Path) -> None:
    assert parse_one(patched(macho_module.read_bytes(), 12, "<I", number)).kind is kind


@pytest.mark.parametrize(
    ("packed", "version"), [(0x000A0900, "10.9"), (0x000B0000, "11.0"), (0x000A0D04, "10.13.4")]
)
def test_minimum_os_has_a_patch_level_only_where_there_is_one(
    packed: int, version: str, macho_module: Path
) -> None:
    data = macho_module.read_bytes()
    at = command_offset(data, 0x32)
    assert parse_one(patched(data, at + 12, "<I", packed)).minimum_os == version
    older = patched(patched(data, at + 8, "<I", packed), at, "<I", 0x24)  # LC_VERSION_MIN_MACOSX
    assert parse_one(older).minimum_os == version


def test_init_functions_come_from_the_export_trie_of_a_stripped_file(macho_module: Path) -> None:
    data = macho_module.read_bytes()
    stripped = patched(data, command_offset(data, LC_SYMTAB) + 8, "<IIII", 0, 0, 0, 0)
    assert parse_one(stripped).python_inits == INITS


def test_init_functions_come_from_the_symbol_table_without_a_trie(macho_module: Path) -> None:
    data = macho_module.read_bytes()
    old = patched(data, command_offset(data, LC_DYLD_INFO_ONLY) + 40, "<II", 0, 0)
    assert parse_one(old).python_inits == INITS


@pytest.mark.parametrize(
    ("bits", "exported"),
    [
        (0x00, True),
        (0x10, False),  # N_PEXT: external for the linker, local ever after
        (0x20, False),  # N_STAB: a debugger's note
    ],
)
def test_private_symbol_of_the_table_is_not_exported(
    bits: int, exported: bool, macho_module: Path
) -> None:
    data = macho_module.read_bytes()
    data = patched(data, command_offset(data, LC_DYLD_INFO_ONLY) + 40, "<II", 0, 0)
    table, count, strings, _ = struct.unpack_from(
        "<IIII", data, command_offset(data, LC_SYMTAB) + 8
    )
    entries = [
        entry
        for entry in range(table, table + 16 * count, 16)
        for name in [strings + struct.unpack_from("<I", data, entry)[0]]
        if data[name:].startswith(b"_PyInit_demo\0") and not data[entry + 4] & 0xE0
    ]
    (entry,) = entries
    changed = patched(data, entry + 4, "<B", data[entry + 4] | bits)
    assert ("PyInit_demo" in parse_one(changed).python_inits) is exported


def test_file_that_names_no_symbols_at_all_exports_no_init_function(macho_module: Path) -> None:
    data = macho_module.read_bytes()
    data = patched(data, command_offset(data, LC_DYLD_INFO_ONLY) + 40, "<II", 0, 0)
    data = patched(data, command_offset(data, LC_SYMTAB) + 8, "<IIII", 0, 0, 0, 0)
    assert parse_one(data).python_inits == ()


def test_export_trie_that_leads_into_itself_ends(macho_module: Path) -> None:
    """The root has children that all lead back to the root."""
    data = macho_module.read_bytes()
    offset, size = struct.unpack_from("<II", data, command_offset(data, LC_DYLD_INFO_ONLY) + 40)
    edges = b"\0\0" * ((size - 2) // 2)
    trie = (bytes([0, len(edges) // 2]) + edges).ljust(size, b"\0")
    assert parse_one(data[:offset] + trie + data[offset + size :]).python_inits == ()


@pytest.mark.parametrize("filler", [b"\xff", b"\x01"], ids=["endless-number", "endless-label"])
def test_export_trie_without_an_end_is_refused(filler: bytes, macho_module: Path) -> None:
    data = macho_module.read_bytes()
    offset, size = struct.unpack_from("<II", data, command_offset(data, LC_DYLD_INFO_ONLY) + 40)
    with pytest.raises(InvalidBinary, match="export trie"):
        parse_one(data[:offset] + filler * size + data[offset + size :])


def test_java_class_file_is_no_universal_file() -> None:
    java_8 = struct.pack(">IHH", 0xCAFEBABE, 0, 52).ljust(64, b"\0")
    with pytest.raises(UnknownFormat):
        parse_macho(java_8)


def test_universal_static_library_is_refused(macho_module: Path) -> None:
    data = fat(macho_module.read_bytes())
    with pytest.raises(InvalidBinary, match=r"^the slice at 0x4000 holds no Mach-O image$"):
        parse_macho(data[:0x4000] + b"!<arch>\n" + data[0x4008:])


def test_slices_that_overlap_are_refused(macho_module: Path) -> None:
    data = macho_module.read_bytes()
    both = fat(data, data)
    assert len(parse_macho(both)) == 2
    with pytest.raises(InvalidBinary, match="the slice at 0x4000 overlaps another"):
        parse_macho(patched(both, 8 + 20 + 8, ">I", 0x4000))


@pytest.mark.parametrize("universal", [False, True])
def test_every_shortened_file_is_refused(universal: bool, macho_module: Path) -> None:
    data = fat(macho_module.read_bytes()) if universal else macho_module.read_bytes()
    end = 0x4000 + len(macho_module.read_bytes()) if universal else len(data)
    step = 7
    for length in (*range(2048), *range(2048, end, step), end - 1):
        with pytest.raises(UnknownFormat if length < 4 else InvalidBinary):
            parse_macho(data[:length])


def test_slice_past_the_end_is_cut_short(macho_module: Path) -> None:
    data = fat(macho_module.read_bytes())
    with pytest.raises(TruncatedBinary, match="the slice of an architecture would end"):
        parse_macho(data[:0x8000])


def test_every_flipped_header_bit_ends_in_images_or_invalid_binary(macho_module: Path) -> None:
    data = bytearray(macho_module.read_bytes())
    end = 32 + struct.unpack_from("<I", data, 20)[0]
    refused = 0
    for position in range(end):
        for bit in (0, 3, 7):
            data[position] ^= 1 << bit
            try:
                parse_macho(bytes(data))
            except InvalidBinary:
                refused += 1
            data[position] ^= 1 << bit
    assert refused > 200


@pytest.mark.parametrize("size", [0, 4, 10, 0x7FFFFFF0])
def test_load_command_that_does_not_fit_is_refused(size: int, macho_module: Path) -> None:
    data = macho_module.read_bytes()
    at = command_offset(data, LC_ID_DYLIB)
    with pytest.raises(InvalidBinary, match="load command"):
        parse_macho(patched(data, at + 4, "<I", size))


def test_more_sections_than_their_command_has_room_for_are_refused(macho_module: Path) -> None:
    data = macho_module.read_bytes()
    at = command_offset(data, LC_SEGMENT_64)
    with pytest.raises(InvalidBinary, match="no room for 4294967295 sections"):
        parse_macho(patched(data, at + 64, "<I", 0xFFFFFFFF))


@pytest.mark.parametrize("count", [4097, 0xFFFFFFFF])
def test_count_of_load_commands_that_no_file_has_is_refused(count: int, macho_module: Path) -> None:
    with pytest.raises(InvalidBinary, match=f"^damaged: {count} load commands$"):
        parse_macho(patched(macho_module.read_bytes(), 16, "<I", count))


def test_table_of_slices_is_checked_before_it_is_read(macho_module: Path) -> None:
    data = fat(macho_module.read_bytes())
    with pytest.raises(UnknownFormat):
        parse_macho(patched(data, 4, ">I", 0xFFFFFFFF))
    with pytest.raises(TruncatedBinary, match="the table of architectures would end at 0x378"):
        parse_macho(patched(data, 4, ">I", 44)[:0x200])


def test_command_that_is_shorter_than_its_structure_is_refused(macho_module: Path) -> None:
    data = macho_module.read_bytes()
    at = command_offset(data, LC_ID_DYLIB)
    size = struct.unpack_from("<I", data, at + 4)[0]
    split = patched(patched(data, at + 4, "<I", 16), at + 16, "<II", 0x1B, size - 16)  # LC_UUID
    count = struct.unpack_from("<I", data, 16)[0]
    with pytest.raises(InvalidBinary, match=f"load command at {at:#x} has only 16 bytes"):
        parse_macho(patched(split, 16, "<I", count + 1))
