"""Damages inside of files that look healthy: tables, flags, records of archives, odd files.

As in `damage.py`, nothing here says what becomes of the program.
"""

from __future__ import annotations

import marshal
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from damage import Damage, NotHere, add_file, iter_dynamic, link_to, many, own, patchelf, run_tool
from further_damage import central
from more_damage import edit, entry, repack, segment, segments, set_field

from rustext.formats.binary import map_file, read_binary
from rustext.verify.bundle.pyinstaller_archive import StoredCode, parse_archive

_COOKIE = b"MEI\014\013\012\013\016"
_EXECUTE = 1  # of p_flags


# --- native files -----------------------------------------------------------------------------


def no_execute_flag(data: bytes) -> bytes:
    """Code that may be read and not executed."""
    changed = bytearray(data)
    for at, kind in segments(data):
        flags = struct.unpack_from("<I", data, at + 4)[0]
        if kind == 1 and flags & _EXECUTE:
            struct.pack_into("<I", changed, at + 4, flags & ~_EXECUTE)
    return bytes(changed)


def all_writable(data: bytes) -> bytes:
    changed = bytearray(data)
    for at, kind in segments(data):
        if kind == 1:
            struct.pack_into("<I", changed, at + 4, 7)
    return bytes(changed)


def no_buckets(data: bytes) -> bytes:
    """A hash table by whose count of buckets the loader divides."""
    for _, tag, value in iter_dynamic(data):
        if tag == 0x6FFFFEF5:
            return data[:value] + bytes(4) + data[value + 4 :]
    raise NotHere


def other_record(data: bytes) -> bytes:
    """A needed version's record of a later form."""
    for _, tag, value in iter_dynamic(data):
        if tag == 0x6FFFFFFE:
            return data[:value] + b"\2" + data[value + 1 :]
    raise NotHere


def lost_need(path: Path) -> None:
    """The need of a library goes, and the versions that are asked of it stay."""
    needed = [need.name for need in read_binary(path).image.needed]
    others = [name for name in needed if not name.startswith(("libc.", "ld-"))]
    if not others:
        raise NotHere
    patchelf("--remove-needed", others[0])(path)


def renamed_need(path: Path) -> None:
    """The name of an older release of a library of the bundle."""
    beside = {p.name for folder in (path.parent, *path.parents[:2]) for p in folder.glob("*.so*")}
    needed = [n.name for n in read_binary(path).image.needed if n.name in beside]
    if not needed:
        raise NotHere
    stem = needed[0].partition(".so")[0]
    patchelf("--replace-needed", needed[0], f"{stem}.so.0")(path)


def fifo_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def sparse(path: Path) -> None:
    """A copy of eight gigabytes, of which the disk holds nothing."""
    with path.with_name(f"{path.name}.old").open("wb") as file:
        file.truncate(8 << 30)


# --- archives ---------------------------------------------------------------------------------


def _flags(value: int) -> Callable[[Path], None]:
    """The flags of each member's bytecode (PEP 552)."""
    flags = struct.pack("<I", value)
    return repack(lambda members: [(n, d[:4] + flags + d[8:]) for n, d in members])


def far_end(path: Path) -> None:
    """More behind the archive than a comment may be long."""
    path.write_bytes(own(path) + bytes(70_000))


def listed_folder(path: Path) -> None:
    """Each package's folder as a member of its own, as most tools pack it."""
    with zipfile.ZipFile(path) as archive:
        members = [(i.filename, archive.read(i)) for i in archive.infolist()]
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted({n.rpartition("/")[0] + "/" for n, _ in members if "/" in n}):
            archive.writestr(name, b"")
        for name, data in members:
            archive.writestr(name, data)


def _far_member(data: bytearray, at: int, name: str) -> None:
    if name.startswith(("codecs.", "io.")):
        struct.pack_into("<I", data, at + 42, 0x7FFFFFFF)


def _record(
    choose: Callable[[bytes, bytes], bool], kind: bytes | None, name: bytes | None
) -> Callable[[Path], None]:
    """Change kind or name of records in the table of PyInstaller's archive."""

    def apply(path: Path) -> None:
        data = bytearray(own(path))
        cookie = data.rfind(_COOKIE)
        if cookie < 0:
            raise NotHere
        size, table, length = struct.unpack_from("!III", data, cookie + 8)
        at = cookie + 88 - size + table
        end, changed = at + length, False
        while at < end:
            (row,) = struct.unpack_from("!I", data, at)
            text = bytes(data[at + 18 : at + row]).rstrip(b"\0")
            if choose(bytes(data[at + 17 : at + 18]), text):
                data[at + 17 : at + 18] = kind or data[at + 17 : at + 18]
                if name is not None:
                    data[at + 18 : at + 18 + len(name)] = name
                changed = True
            at += row
        if not changed:
            raise NotHere
        path.write_bytes(data)

    return apply


def other_library_named(path: Path) -> None:
    """The cookie names the library of the next Python."""
    data = own(path)
    at = data.rfind(_COOKIE)
    if at < 0 or b"libpython3.11" not in data[at:]:
        raise NotHere
    path.write_bytes(data[:at] + data[at:].replace(b"libpython3.11", b"libpython3.12"))


def _module_rows(path: Path) -> tuple[bytearray, dict[str, StoredCode]]:
    with map_file(path) as mapped:
        archive = parse_archive(mapped)
    if archive is None:
        raise NotHere
    return bytearray(own(path)), {m.name: m for m in archive.code if m.size}


def _other_code(make: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Put other code, packed as it should be, in the place of a module's."""

    def apply(path: Path) -> None:
        data, rows = _module_rows(path)
        for name in ("json", "typing", "datetime", "random", "inspect", "dataclasses"):
            if name in rows:
                row = rows[name]
                made = make(zlib.decompress(data[row.offset : row.offset + row.size]))
                packed = zlib.compress(made, 9)
                if len(packed) <= row.size:
                    data[row.offset : row.offset + row.size] = packed.ljust(row.size, b"\0")
                    path.write_bytes(data)
                    return
        raise NotHere

    return apply


# --- the whole folder -------------------------------------------------------------------------


def odd_bytes(path: Path) -> None:
    (path / os.fsdecode(b"share-\xff\xfe.txt")).write_bytes(b"x")


def long_lines(path: Path) -> None:
    (path / "lines\nin a name.so").write_bytes(b"x")


def round_links(path: Path) -> None:
    (path / "round").symlink_to(".")


DEEPER: list[Damage] = [
    *many(
        "native",
        no_execute_flag=edit(no_execute_flag), all_writable=edit(all_writable),
        no_buckets=edit(no_buckets),
        other_record=edit(other_record), far_relro=segment(0x6474E552, 40, "<Q", 1 << 40),
        far_need=entry(1, value=1 << 30), far_soname=entry(14, value=1 << 30),
        other_plt=entry(20, value=17), small_memory=segment(1, 40, "<Q", 16),
        large_storage=segment(7, 40, "<Q", 1 << 46), many_segments=set_field(56, b"\xff\x03"),
        far_init=entry(25, value=1 << 40), few_strings=entry(10, value=2),
        lost_need=lost_need, renamed_need=renamed_need, fifo=fifo_instead, sparse=sparse,
        other_libc=patchelf("--replace-needed", "libc.so.6", "libc.musl-x86_64.so.1"),
        null_device=link_to(lambda _: "/dev/null"), zero_device=link_to(lambda _: "/dev/zero"),
        debug_compressed=run_tool("objcopy", "--compress-debug-sections"),
    ),
    *many(
        "extension",
        no_execute_flag=edit(no_execute_flag), lost_need=lost_need, fifo=fifo_instead,
        far_init=entry(25, value=1 << 40), no_buckets=edit(no_buckets),
    ),
    *many(
        "program",
        executable_type=set_field(16, b"\2"), core_type=set_field(16, b"\4"),
        no_execute_flag=edit(no_execute_flag), no_dynamic=segment(2, 0, "<I", 0),
        relative_loader=patchelf("--set-interpreter", "lib/ld-linux-x86-64.so.2"),
        no_script=_record(lambda kind, name: kind == b"s" and name == b"main", b"d", None),
        no_modules=_record(lambda kind, _: kind == b"z", b"d", None),
        other_contents=_record(
            lambda kind, name: kind == b"o" and name.startswith(b"pyi-contents"),
            None, b"pyi-contents-directory _intern\0\0",
        ),
        no_importer=_record(lambda _, name: name.startswith(b"pyimod02"), b"d", None),
        other_library_named=other_library_named,
        cut_code=_other_code(lambda code: code[: len(code) // 2]),
        empty_code=_other_code(lambda _: b""), no_code=_other_code(lambda _: marshal.dumps(7)),
    ),
    *many(
        "library-archive",
        checked=_flags(3), unchecked=_flags(1), odd_flags=_flags(16), far_end=far_end,
        listed_folder=listed_folder, far_member=central(_far_member),
    ),
    *many(
        "data", marked=edit(lambda d: b"\xef\xbb\xbf" + d), fifo=fifo_instead,
        doubled=edit(lambda d: d + d),
    ),
    *many(
        "root", odd_bytes=odd_bytes, long_lines=long_lines, round_links=round_links,
        hidden_folder=add_file(".cache/_struct.cpython-311-x86_64-linux-gnu.so", b"text\n"),
    ),
]  # fmt: skip
