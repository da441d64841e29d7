"""What else happens to bundles on their way: transfers, archives, disks, mixtures, other builds.

As in `damage.py`, nothing here says what becomes of the program.
"""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import struct
import subprocess
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

from damage import (
    ELF,
    Damage,
    NotHere,
    add_file,
    delete,
    iter_dynamic,
    link_to,
    many,
    own,
    patchelf,
    rename,
    rewrite,
    run_tool,
)  # fmt: skip

from rustext.formats.binary import map_file
from rustext.verify.bundle.pyinstaller_archive import parse_archive

_PAGE = 4096


def edit(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        data = path.read_bytes()
        changed = change(data)
        if changed == data:
            raise NotHere
        rewrite(path, changed)

    return apply


def set_field(offset: int, value: bytes) -> Callable[[Path], None]:
    """Set bytes of a 64-bit ELF file's header."""
    return edit(lambda data: data[:offset] + value + data[offset + len(value) :])


# --- transfers and disks ----------------------------------------------------------------------


def zero(first: float, last: float) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        start, end = int(len(data) * first), int(len(data) * last)
        return data[:start] + bytes(end - start) + data[end:]

    return change


def _pages(data: bytes) -> bytes:
    """As much as came before a download broke off: whole pages."""
    kept = len(data) * 2 // 3 // _PAGE * _PAGE
    if not kept:
        raise NotHere
    return data[:kept]


def _utf8(data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode()


_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456\n"
)


# --- headers ----------------------------------------------------------------------------------


def segments(data: bytes) -> list[tuple[int, int]]:
    """The place and the kind of each program header."""
    if data[:6] != ELF + b"\x02\x01":
        raise NotHere
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return [
        (at, *struct.unpack_from("<I", data, at)) for at in range(table, table + size * count, size)
    ]


def segment(kind: int, inside: int, form: str, value: int) -> Callable[[Path], None]:
    """Set a field of the first program header of a kind."""

    def change(data: bytes) -> bytes:
        for at, found in segments(data):
            if found == kind:
                changed = bytearray(data)
                struct.pack_into(form, changed, at + inside, value)
                return bytes(changed)
        raise NotHere

    return edit(change)


def entry(
    tag: int, *, new_tag: int | None = None, value: int | None = None
) -> Callable[[Path], None]:
    """Change an entry of the dynamic section."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        for at, found, old in iter_dynamic(data):
            if found == tag:
                struct.pack_into(
                    "<QQ",
                    changed,
                    at,
                    tag if new_tag is None else new_tag,
                    old if value is None else value,
                )
        return bytes(changed)

    return edit(change)


def _flags_1(bits: int) -> Callable[[Path], None]:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        for at, tag, value in iter_dynamic(data):
            if tag == 0x6FFFFFFB:
                struct.pack_into("<Q", changed, at + 8, value | bits)
                return bytes(changed)
        for at, tag, _ in iter_dynamic(data):  # in the place of one that loaders do not read
            if tag in {0x6FFFFFF9, 0x6FFFFFFA}:  # DT_RELACOUNT, DT_RELCOUNT
                struct.pack_into("<QQ", changed, at, 0x6FFFFFFB, bits)
                return bytes(changed)
        raise NotHere

    return edit(change)


def _without_name(*names: bytes) -> Callable[[Path], None]:
    """Rename a symbol, in the file that defines or uses it."""

    def change(data: bytes) -> bytes:
        for name in names:
            if b"\0" + name + b"\0" in data:
                return data.replace(b"\0" + name + b"\0", b"\0" + name[:-1] + b"X\0")
        raise NotHere

    return edit(change)


def _needs_built(source: str, *options: str) -> Callable[[Path], None]:
    """Need one more library, which is there, and has something special."""

    def apply(path: Path) -> None:
        made = path.with_name("libmade.so")
        command = [
            "gcc",
            "-shared",
            "-fPIC",
            "-xc",
            "-",
            "-o",
            made,
            "-Wl,-soname,libmade.so",
            *options,
        ]
        subprocess.run(command, input=source.encode(), check=True, timeout=60, capture_output=True)
        patchelf("--add-needed", "libmade.so")(path)
        patchelf("--add-rpath", "$ORIGIN")(path)

    return apply


# --- names and copies -------------------------------------------------------------------------


def _shadow(suffix: str, data: bytes) -> Callable[[Path], None]:
    """Put a file beside a module that may come before it."""

    def apply(path: Path) -> None:
        stem = path.name.split(".")[0]
        made = path.with_name(stem + suffix)
        if made.exists():
            raise NotHere
        made.write_bytes(data)

    return apply


def stale_first(path: Path) -> None:
    """The module under a later suffix, and a damaged older one under the first."""
    stem, suffix = path.name.split(".")[0], sysconfig.get_config_var("EXT_SUFFIX")
    if not path.name.endswith(suffix):
        raise NotHere
    data = own(path)
    path.with_name(f"{stem}.abi3.so").write_bytes(data)
    path.write_bytes(data[: len(data) // 3])


def stale_last(path: Path) -> None:
    """The same the other way round: nothing ever looks at the damaged one."""
    stem = path.name.split(".")[0]
    path.with_name(f"{stem}.abi3.so").write_bytes(path.read_bytes()[:999])


def content_of(pattern: str) -> Callable[[Path], None]:
    """The content of another build of the same file."""

    def apply(path: Path) -> None:
        stem = path.name.split(".")[0]
        home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        found = sorted(home.glob(pattern.format(stem=stem)))
        if not found:
            raise NotHere
        rewrite(path, found[0].read_bytes())

    return apply


def _moved(to: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        made = path / to
        inside = path / "_internal"
        if not inside.is_dir():
            raise NotHere
        made.parent.mkdir(parents=True, exist_ok=True)
        inside.rename(made)

    return apply


def flattened(path: Path) -> None:
    """Unpacked into one folder too few: `_internal` lost its name."""
    inside = path / "_internal"
    if not inside.is_dir():
        raise NotHere
    for one in inside.iterdir():
        one.rename(path / one.name)
    inside.rmdir()


def programs_only(path: Path) -> None:
    for one in path.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        elif ".so" in one.name:
            one.unlink()


def _all(choose: Callable[[Path], bool], change: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        chosen = [p for p in sorted(path.rglob("*")) if choose(p)]
        if not chosen:
            raise NotHere
        for one in chosen:
            change(one)

    return apply


def _is_link(path: Path) -> bool:
    return path.is_symlink()


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _no_execute(path: Path) -> None:
    own(path)
    path.chmod(path.stat().st_mode & ~0o111)


def link_text(path: Path) -> None:
    """What Git on Windows and some archives make of a link."""
    target = path.readlink()
    path.unlink()
    path.write_text(str(target))


def link_copied(path: Path) -> None:
    real = path.resolve()
    if not real.is_file():
        raise NotHere
    path.unlink()
    shutil.copy(real, path)


def fifo(path: Path) -> None:
    os.mkfifo(path / "control")


def unix_socket(path: Path) -> None:
    short = Path("/tmp") / f"{os.getpid()}.socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short))
    short.rename(path / "control.socket")


def add_program(name: str, data: bytes) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        (path / name).write_bytes(data)
        (path / name).chmod(0o755)

    return apply


def second_program(path: Path) -> None:
    for name in ("main", "main.bin", "app"):
        if (path / name).is_file():
            shutil.copy(path / name, path / "main-again")
            return
    raise NotHere


def _tool_beside(source: str, *options: str) -> Callable[[Path], None]:
    """A program of another origin at the top of the folder."""

    def apply(path: Path) -> None:
        command = ["gcc", "-xc", "-", "-o", path / "helper", *options]
        subprocess.run(command, input=source.encode(), check=True, timeout=60)

    return apply


# --- archives ---------------------------------------------------------------------------------


def repack(
    change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]],
    kind: int = zipfile.ZIP_STORED,
) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            members = [(i.filename, archive.read(i)) for i in archive.infolist()]
        path.unlink()
        with zipfile.ZipFile(path, "w", kind) as archive:
            for name, data in change(members):
                archive.writestr(name, data)

    return apply


def zip_folder(path: Path) -> None:
    """Unpacked: a folder of the archive's name."""
    with zipfile.ZipFile(path) as archive:
        members = {i.filename: archive.read(i) for i in archive.infolist()}
    path.unlink()
    for name, data in members.items():
        made = path / name
        made.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            made.write_bytes(data)


def damage_member(choose: Callable[[str], bool]) -> Callable[[Path], None]:
    """Change bytes of one member, and not its CRC."""

    def apply(path: Path) -> None:
        data = bytearray(own(path))
        with zipfile.ZipFile(path) as archive:
            found = [i for i in archive.infolist() if choose(i.filename) and i.compress_size > 200]
        if not found:
            raise NotHere
        at = found[0].header_offset + 30 + len(found[0].filename) + 100
        for byte in range(at, at + 32):
            data[byte] ^= 0x5A
        path.write_bytes(data)

    return apply


def member_named(*names: str) -> Callable[[str], bool]:
    return lambda member: (
        member.removesuffix(".pyc").replace("/__init__", "").replace("/", ".") in names
    )


def _archived(*names: bytes) -> Callable[[Path], None]:
    """Damage the code of a module in PyInstaller's own archive."""

    def apply(path: Path) -> None:
        with map_file(path) as mapped:
            archive = parse_archive(mapped)
        members = {m.name.encode(): m for m in archive.code if m.size} if archive else {}
        found = [members[n] for n in names if n in members]
        if not found:
            raise NotHere
        data = bytearray(own(path))
        middle = found[0].offset + found[0].size // 2
        for at in range(middle, middle + 8):
            data[at] ^= 0x5A
        path.write_bytes(data)

    return apply


_WINDOWS = b"MZ" + bytes(58) + struct.pack("<I4sH", 64, b"PE\0\0", 0x8664) + bytes(300)
_STORAGE = (
    '__attribute__((tls_model("initial-exec"))) __thread char room[%d]; '
    "char *get(void) { return room; }"
)
_CALL = "int nowhere(void); int use(void) { return nowhere(); }"
_LATE = (b"pydoc", b"ftplib", b"netrc", b"tracemalloc", b"pdb", b"doctest", b"ast", b"tarfile")
_EARLY = (b"json", b"json.decoder", b"typing", b"datetime", b"random", b"dataclasses", b"inspect")

MORE: list[Damage] = [
    *many(
        "native",
        text_transfer=edit(lambda d: d.replace(b"\n", b"\r\n")),
        text_transfer_back=edit(lambda d: d.replace(b"\r\n", b"\n")),
        recoded=edit(_utf8), compressed=edit(gzip.compress),
        pointer=edit(lambda _: _POINTER),
        zeros=edit(zero(0, 1)), first_page_zero=edit(lambda d: bytes(_PAGE) + d[_PAGE:]),
        end_zero=edit(zero(0.8, 1)), middle_zero=edit(zero(0.45, 0.55)),
        names_zero=edit(zero(0.02, 0.1)),
        pages=edit(_pages), doubled=edit(lambda d: d + d),
        more_at_end=edit(lambda d: d + bytes(9999)),
        windows=edit(lambda _: _WINDOWS),
        macos=edit(lambda _: struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 6, 0, 0, 0, 0)),
        archive=edit(lambda d: b"!<arch>\n" + d),
        executable_type=set_field(16, b"\x02"), core_type=set_field(16, b"\x04"),
        padding=set_field(9, b"\x01"), abi_version=set_field(8, b"\x07"),
        gnu_abi=set_field(7, b"\x03"),
        free_bsd=set_field(7, b"\x09"), flags=set_field(48, b"\x01\x02"),
        no_sections=set_field(40, bytes(8)),
        far_sections=set_field(40, b"\xff" * 7 + b"\x7f"),
        far_segments=set_field(32, b"\xff" * 7 + b"\x7f"),
        odd_segment_size=set_field(54, b"\x28\0"), wide_arm=set_field(18, b"\x28"),
        x32=set_field(18, b"\x03"),
        no_dynamic=segment(2, 0, "<I", 0), no_load=segment(1, 0, "<I", 0),
        odd_align=segment(1, 48, "<Q", 3), wide_align=segment(1, 48, "<Q", 1 << 21),
        byte_align=segment(1, 48, "<Q", 1), no_align=segment(1, 48, "<Q", 0),
        far_address=segment(1, 16, "<Q", 0x1000), no_stack_note=segment(0x6474E551, 0, "<I", 0),
        far_dynamic=segment(2, 8, "<Q", 1 << 40), short_dynamic=segment(2, 40, "<Q", 16),
        no_open=_flags_1(0x40), as_pie=_flags_1(0x8000000), nodelete=_flags_1(8),
        no_string_table=entry(5, new_tag=0x6FFFFE00),
        no_symbol_table=entry(6, new_tag=0x6FFFFE00),
        short_relocations=entry(9, value=16), symbol_size=entry(11, value=16),
        filter=entry(14, new_tag=0x7FFFFFFF),
        text_relocations=entry(0x6FFFFFF9, new_tag=22, value=0),
        no_init=entry(25, new_tag=0x6FFFFE00),
        needs_absolute=patchelf("--add-needed", "/opt/build/lib/libmade.so"),
        needs_relative=patchelf("--add-needed", "lib/libmade.so"),
        no_versions=entry(0x6FFFFFFE, new_tag=0x6FFFFE00),
        no_definitions=entry(0x6FFFFFFC, new_tag=0x6FFFFE00),
        no_version_table=entry(0x6FFFFFF0, new_tag=0x6FFFFE00),
        undefined_call=_without_name(b"PyObject_Call", b"PyErr_SetString", b"memcpy", b"strlen"),
        undefined_data=_without_name(b"PyExc_TypeError", b"PyExc_ValueError", b"_Py_NoneStruct"),
        local_storage=_needs_built(_STORAGE % 1048576), small_storage=_needs_built(_STORAGE % 64),
        newest_cpu=_needs_built("int one;", "-Wl,-z,x86-64-v4"),
        unresolved_call=_needs_built(_CALL),
        unresolved_now=_needs_built(_CALL, "-Wl,-z,now"),
        unresolved_data=_needs_built("extern int nowhere; int *use(void) { return &nowhere; }"),
        unresolved_weak=_needs_built(
            "extern int nowhere __attribute__((weak)); int *use(void) { return &nowhere; }"
        ),
        executable_library=_needs_built("int one;", "-Wl,-z,execstack"),
        no_dynamic_string=_needs_built("int one;", "-Wl,--hash-style=sysv"),
        strip_symbols=run_tool("strip", "--strip-unneeded"),
        strip_all_symbols=run_tool("objcopy", "--strip-all", "--remove-section=.comment"),
        localized=run_tool("objcopy", "--localize-hidden", "--weaken"),
        lower=rename(str.swapcase), numbered=rename(lambda n: n.replace(".", " (1).", 1)),
        partial=rename(lambda n: f"{n}.part"), hidden=rename(lambda n: f".{n}"),
        spaced=rename(lambda n: f"{n} "),
        shorter=rename(lambda n: n.rpartition(".")[0]),
        unversioned=rename(lambda n: n.split(".so")[0] + ".so"),
    ),
    *many(
        "extension",
        newer_python=content_of("3.12.*/lib/python3.12/lib-dynload/{stem}.*.so"),
        older_python=content_of("3.8.*/lib/python3.8/lib-dynload/{stem}.*.so"),
        python_2=content_of("2.7.*/lib/python2.7/lib-dynload/{stem}.so"),
        stale_first=stale_first, stale_last=stale_last,
        empty_source=_shadow(".py", b""), empty_bytecode=_shadow(".pyc", b""),
        own_suffix=_shadow(".so", b"stale"),
        abi3=rename(lambda n: n.split(".")[0] + ".abi3.so"),
        plain_suffix=rename(lambda n: n.split(".")[0] + ".so"),
        debug_suffix=rename(lambda n: n.replace("cpython-311-", "cpython-311d-")),
        pyd=rename(lambda n: n.split(".")[0] + ".pyd"),
        upper_suffix=rename(lambda n: n.replace(".so", ".SO")),
        no_exports=run_tool("objcopy", "--strip-all"),
        second_init=_without_name(b"PyInit_math", b"PyInit__struct"),
    ),
    *many(
        "python",
        newer_python=content_of("3.12.*/lib/libpython3.12.so.1.0"),
        stub=content_of("3.11.*/lib/libpython3.so"),
        no_export=_without_name(b"Py_Initialize", b"PyList_New", b"Py_DecRef"),
        no_start=_without_name(b"PyConfig_InitIsolatedConfig", b"Py_Initialize"),
        no_late=_without_name(b"PyBytes_Join", b"PyComplex_FromCComplex", b"PyObject_GetAIter"),
        renamed=rename(lambda n: n.replace(".so.1.0", ".so")),
        doubled_name=rename(lambda n: n + ".1"),
    ),
    *many(
        "link", link_text=link_text, link_copied=link_copied, delete=delete,
        absolute=link_to(lambda p: str(p.resolve())),
        long=link_to(lambda p: f"../{p.resolve().parent.name}/{p.resolve().name}"),
    ),
    *many(
        "library-archive",
        deflated=repack(lambda m: m, zipfile.ZIP_DEFLATED),
        lzma=repack(lambda m: m, zipfile.ZIP_LZMA),
        in_a_folder=repack(lambda m: [(f"base_library/{n}", d) for n, d in m]),
        sorted_otherwise=repack(lambda m: m[::-1]),
        as_source=repack(lambda m: [(n.replace(".pyc", ".py"), d) for n, d in m]),
        as_folder=zip_folder, prefixed=edit(lambda d: b"#!/bin/sh\n" + d),
        commented=edit(lambda d: d + b"more"),
        twice=edit(lambda d: d + d), tail_lost=edit(lambda d: d[:-22]),
        empty_zip=repack(lambda _: []),
        windows_names=repack(lambda m: [(n.replace("/", "\\"), d) for n, d in m]),
        late_damage=damage_member(member_named("heapq", "traceback")),
        early_damage=damage_member(member_named("codecs", "io")),
        unused_damage=damage_member(member_named("encodings.cp1252", "encodings.big5")),
        no_unused=repack(lambda m: [x for x in m if "cp1252" not in x[0]]),
        no_encodings=repack(lambda m: [x for x in m if not x[0].startswith("encodings/")]),
        no_keyword=repack(lambda m: [x for x in m if x[0] not in {"keyword.pyc", "reprlib.pyc"}]),
        no_warnings=repack(lambda m: [x for x in m if x[0] != "warnings.pyc"]),
        upper_case=rename(str.upper),
    ),
    *many(
        "program",
        more_at_end_large=edit(lambda d: d + bytes(100_000)),
        text_transfer=edit(lambda d: d.replace(b"\n", b"\r\n")),
        early_module_damage=_archived(*_EARLY), late_module_damage=_archived(*_LATE),
        end_zero=edit(zero(0.9, 1)), table_zero=edit(zero(0.98, 0.99)),
        middle_zero=edit(zero(0.6, 0.61)),
        pages=edit(_pages), run_path=patchelf("--set-rpath", "$ORIGIN/lib"),
        needs_more=patchelf("--add-needed", "libnowhere.so.1"),
        same_loader=patchelf("--set-interpreter", "/lib64/ld-linux-x86-64.so.2"),
        debug_gone=run_tool("strip", "--strip-debug"),
        strip_most=run_tool("strip", "--strip-unneeded"),
        objcopied=run_tool("objcopy"), only_read=lambda p: (own(p), p.chmod(0o444))[1],
        only_owner=lambda p: (own(p), p.chmod(0o700))[1],
        pyz_next=lambda p: rewrite(p, p.read_bytes().replace(b"PYZ\0\xa7\r", b"PYZ\0\xcb\r")),
    ),
    *many(
        "root",
        other_name=_moved("_internal2"), deeper=_moved("lib/_internal"),
        upper_name=_moved("_INTERNAL"), flattened=flattened, programs_only=programs_only,
        links_text=_all(_is_link, link_text), links_copied=_all(_is_link, link_copied),
        links_gone=_all(_is_link, delete),
        no_execute=_all(_is_plain, _no_execute), fifo=fifo, socket=unix_socket,
        second_program=second_program,
        apple_double=add_file("_internal/._python.so", b"\0\5\x16\7" + bytes(99)),
        store=add_file(".DS_Store", bytes(99)),
        helper=_tool_beside("int main(void) { return 0; }"),
        static_helper=_tool_beside("int main(void) { return 0; }", "-static"),
        script_beside=add_program("start.sh", b"#!/bin/sh\nexec ./main\n"),
        text_program=add_program("notes", b"no program\n"),
        stale_package=add_file("_internal/json/__init__.py", b"raise SystemExit(7)\n"),
        stale_site=add_file("_internal/sitecustomize.py", b"raise SystemExit(7)\n"),
        path_file=add_file("_internal/python311._pth", b"."),
        venv_file=add_file("_internal/pyvenv.cfg", b"home = /nowhere\n"),
        venv_beside=add_file("pyvenv.cfg", b"home = /nowhere\n"),
        no_metadata=_all(lambda p: p.name.endswith(".dist-info") and p.is_dir(), shutil.rmtree),
        no_dynload=_all(lambda p: p.name == "lib-dynload" and p.is_dir(), shutil.rmtree),
        no_data=_all(lambda p: _is_plain(p) and p.suffix in {".json", ".txt", ".pem"}, delete),
    ),
]  # fmt: skip
