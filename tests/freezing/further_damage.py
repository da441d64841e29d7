"""Damages that ask how programs, folders, archives and modules are found: places, modes, owners.

As in `damage.py`, nothing here says what becomes of the program.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from damage import (
    ELF,
    Damage,
    NotHere,
    add_file,
    aside,
    delete,
    link_to,
    many,
    module_names,
    own,
    patchelf,
    rename,
    rewrite,
    run_tool,
    to_folder,
)
from more_damage import (
    content_of,
    damage_member,
    edit,
    member_named,
    repack,
    set_field,
    zero,
)

_COOKIE, _SIDE_LOADED = b"MEI\014\013\012\013\016", b"MEI\015\013\012\013\016"
_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")


def _set_mode(mode: int) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        if path.is_file():
            own(path)
        path.chmod(mode)

    return apply


# --- programs ---------------------------------------------------------------------------------


def _beside(path: Path) -> Path:
    """The program under another name, in a folder that holds more than it."""
    if [*path.parent.iterdir()] == [path]:
        raise NotHere
    return path.rename(path.with_name(f"{path.name}.real"))


def wrapped(path: Path) -> None:
    """A script that sets something and starts the program."""
    real = _beside(path)
    path.write_text(f'#!/bin/sh\nexport MODE=1\nexec "$(dirname "$0")/{real.name}" "$@"\n')
    path.chmod(0o755)


def linked_beside(path: Path) -> None:
    path.symlink_to(_beside(path).name)


def linked_away(path: Path) -> None:
    """The program lies in `bin` now, its files do not."""
    real = _beside(path)
    (path.parent / "bin").mkdir()
    real.rename(path.parent / "bin" / path.name)
    path.symlink_to(f"bin/{path.name}")


def side_loaded(path: Path) -> None:
    """PyInstaller's `append_pkg=False`: the archive is a file next to the program."""
    data = own(path)
    at = data.rfind(_COOKIE)
    if at < 0:
        raise NotHere
    start = at + 88 - struct.unpack_from("!I", data, at + 8)[0]
    path.with_name(f"{path.name}.pkg").write_bytes(data[start:])
    path.write_bytes(data[:start] + _SIDE_LOADED)


def side_lost(path: Path) -> None:
    side_loaded(path)
    delete(path.with_name(f"{path.name}.pkg"))


def side_cut(path: Path) -> None:
    side_loaded(path)
    archive = path.with_name(f"{path.name}.pkg")
    rewrite(archive, archive.read_bytes()[:-100])


def no_archive(path: Path) -> None:
    data = own(path)
    at = data.rfind(_COOKIE)
    if at < 0:
        raise NotHere
    path.write_bytes(data[: at + 88 - struct.unpack_from("!I", data, at + 8)[0]])


def _without_modules(choose: Callable[[list[str]], Iterable[str]]) -> Callable[[Path], None]:
    """Rename modules in the table of PyInstaller's archive."""

    def apply(path: Path) -> None:
        data = own(path)
        rows = module_names(data)
        chosen = set(choose(sorted(rows)))
        if not chosen:
            raise NotHere
        for name in chosen:
            data = data.replace(rows[name], rows[name][:-1] + b"~")
        path.write_bytes(data)

    return apply


def _package(*names: str) -> Callable[[list[str]], Iterable[str]]:
    return lambda modules: [m for m in modules if m.partition(".")[0] in names]


def _first_of_others(modules: list[str]) -> Iterable[str]:
    """The last module of the package that has most of them, and is not the library's own."""
    known = {
        "encodings",
        "email",
        "asyncio",
        "concurrent",
        "json",
        "xml",
        "http",
        "multiprocessing",
    }
    tops = [m.partition(".")[0] for m in modules if "." in m]
    others = sorted(set(tops) - known, key=lambda top: (-tops.count(top), top))
    return [m for m in modules if m.partition(".")[0] in others[:1]][-1:]


# --- native files -----------------------------------------------------------------------------


def system_copy(path: Path) -> None:
    """The system's own build of the library."""
    other = _LIBRARIES / path.name
    if not other.is_file() or other.read_bytes() == path.read_bytes():
        raise NotHere
    rewrite(path, other.read_bytes())


def one_up(path: Path) -> None:
    if (path.parent.parent / path.name).exists():
        raise NotHere
    path.rename(path.parent.parent / path.name)


def swapped(path: Path) -> None:
    """The content of another module, and that one has this one's."""
    others = [p for p in sorted(path.parent.glob("*.so")) if p != path and not p.is_symlink()]
    if not others:
        raise NotHere
    mine, other = own(path), own(others[-1])
    path.write_bytes(other)
    others[-1].write_bytes(mine)


def _folder_beside(*files: tuple[str, bytes]) -> Callable[[Path], None]:
    """A folder of the module's name."""

    def apply(path: Path) -> None:
        folder = path.with_name(path.name.split(".")[0])
        if folder.exists():
            raise NotHere
        folder.mkdir()
        for name, data in files:
            (folder / name).write_bytes(data)

    return apply


def _copied_as(ending: str, data: bytes | None = None) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        made = path.with_name(path.name.split(".")[0] + ending)
        if made.exists():
            raise NotHere
        made.write_bytes(path.read_bytes() if data is None else data)

    return apply


def linked_out(path: Path) -> None:
    """A link to the library of the interpreter that the program was made with."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(home.glob(f"3.11.*/lib/{path.name}"))
    if not found:
        raise NotHere
    path.unlink()
    path.symlink_to(found[0])


# --- folders ----------------------------------------------------------------------------------


def linked_absolutely(path: Path) -> None:
    """Move a folder elsewhere in the bundle, and put an absolute link in its place."""
    target = path.rename(path.with_name("moved-folder"))
    path.symlink_to(target.resolve())


def linked_deeper(path: Path) -> None:
    (path.parent / "store").mkdir()
    path.rename(path.parent / "store" / path.name)
    path.symlink_to(f"store/{path.name}")


def emptied(path: Path) -> None:
    delete(path)
    path.mkdir()


def to_file(path: Path) -> None:
    delete(path)
    path.write_bytes(b"")


def all_copied(path: Path) -> None:
    shutil.copytree(path, path.with_name(f"{path.name} (copy)"), symlinks=True)


# --- archives ---------------------------------------------------------------------------------


def central(change: Callable[[bytearray, int, str], None]) -> Callable[[Path], None]:
    """Change the rows of a zip file's central directory (APPNOTE.TXT 4.3.12)."""

    def apply(path: Path) -> None:
        data = bytearray(own(path))
        at = data.find(b"PK\1\2")
        while at >= 0 and data[at : at + 4] == b"PK\1\2":
            name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
            change(data, at, data[at + 46 : at + 46 + name].decode())
            at += 46 + name + extra + comment
        path.write_bytes(data)

    return apply


def _wrong_crc(data: bytearray, at: int, _: str) -> None:
    data[at + 16] ^= 0x5A


def _encrypted(data: bytearray, at: int, _: str) -> None:
    data[at + 8] |= 1


def _no_local_header(data: bytearray, at: int, name: str) -> None:
    if name.startswith(("codecs.", "io.")):
        (header,) = struct.unpack_from("<I", data, at + 42)
        data[header] ^= 0x5A


def other_text(path: Path) -> None:
    """Change what a module says of itself, and no CRC."""
    data = own(path)
    for old in (b"Python Codec Registry", b"abstract base classes", b"heap queue"):
        if old in data:
            path.write_bytes(data.replace(old, old[::-1], 1))
            return
    raise NotHere


def _without(*names: str) -> Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]:
    return lambda members: [m for m in members if not m[0].startswith(names)]


def twice_listed(path: Path) -> None:
    """Each member a second time, the first of them damaged."""
    with zipfile.ZipFile(path) as archive:
        members = [(i.filename, archive.read(i)) for i in archive.infolist()]
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data[: len(data) // 2])
        for name, data in members:
            archive.writestr(f"{name[:-1]}~", data)
    data = path.read_bytes()
    path.write_bytes(data.replace(b".py~", b".pyc"))


# --- the whole folder -------------------------------------------------------------------------


def _each(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        for one in [*path.rglob("*"), path]:
            if not one.is_symlink():
                own(one) if one.is_file() else None
                change(one)

    return apply


def debug_tree(path: Path) -> None:
    """The debug information of all libraries, as debuggers look for it."""
    for one in [p for p in path.rglob("*.so*") if p.is_file() and not p.is_symlink()][:20]:
        made = path / ".debug" / f"{one.name}.debug"
        made.parent.mkdir(exist_ok=True)
        subprocess.run(
            ["objcopy", "--only-keep-debug", one, made], check=True, capture_output=True, timeout=60
        )


def _compiled(name: str, *options: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        made = path / name
        made.parent.mkdir(exist_ok=True)
        command = ["gcc", "-xc", "-", "-o", made, *options]
        subprocess.run(command, input=b"int one;", check=True, timeout=60)

    return apply


def older_program(path: Path) -> None:
    """What an update has left: half of a program that nobody can start."""
    for name in ("main", "main.bin", "app"):
        if (path / name).is_file():
            data = (path / name).read_bytes()
            (path / f"{name}.bak").write_bytes(data[: len(data) // 2])
            return
    raise NotHere


def other_machine_beside(path: Path) -> None:
    """A module for another processor next to the one for this."""
    for one in path.rglob("*x86_64-linux-gnu.so"):
        data = one.read_bytes()
        made = one.with_name(one.name.replace("x86_64", "aarch64"))
        made.write_bytes(data[:18] + b"\xb7" + data[19:])
        return
    raise NotHere


FURTHER: list[Damage] = [
    *many(
        "program",
        wrapped=wrapped, linked_beside=linked_beside, linked_away=linked_away,
        no_read=_set_mode(0o111),
        side_loaded=side_loaded, side_lost=side_lost, side_cut=side_cut, no_archive=no_archive,
        no_json=_without_modules(_package("json")), no_email=_without_modules(_package("email")),
        no_typing=_without_modules(_package("typing", "typing_extensions")),
        no_last=_without_modules(_first_of_others),
        replaced=lambda p: rewrite(p, Path("/bin/true").read_bytes()),
        other_endianness=set_field(5, b"\2"), ident_version=set_field(6, b"\7"),
        osabi=set_field(7, b"\x61"), elf_version=set_field(20, b"\7"),
        padding=set_field(9, b"\x5a" * 7),
        no_sections=set_field(40, bytes(8)),
    ),
    *many(
        "other-program",
        no_magic=edit(lambda d: d.replace(_COOKIE, b"MEI12345")), no_archive=no_archive,
        cut_half=edit(lambda d: d[: len(d) // 2]), empty=edit(lambda _: b""),
        zeros=edit(zero(0, 1)), no_execute_bit=_set_mode(0o644), delete=delete,
        text=edit(lambda _: b"not found\n" * 40), end_zero=edit(zero(0.9, 1)),
        no_start_module=_without_modules(_package("json", "typing", "dataclasses")),
        first_program=lambda p: rewrite(p, p.with_name("main").read_bytes()),
        no_interpreter=patchelf("--set-interpreter", "/lib/none.so"), strip=run_tool("strip"),
    ),
    *many(
        "native",
        system_copy=system_copy, one_up=one_up, write_only=_set_mode(0o200),
        execute_only=_set_mode(0o111), set_user=_set_mode(0o4755),
        wide_pages=patchelf("--page-size", "65536", "--add-rpath", "$ORIGIN/more"),
        no_build_id=run_tool("objcopy", "-R", ".note.gnu.build-id", "-R", ".comment"),
        no_frames=run_tool("objcopy", "-R", ".eh_frame"),
        no_constructors=run_tool("objcopy", "-R", ".init_array"),
        no_calls=run_tool("objcopy", "-R", ".rela.plt"),
        no_symbol_hash=run_tool("objcopy", "-R", ".gnu.hash"),
        no_version_needs=run_tool("objcopy", "-R", ".gnu.version_r"),
        no_strings=run_tool("objcopy", "-R", ".dynstr"),
        data_bits=set_field(6, b"\7"),
    ),
    *many(
        "extension",
        delete=delete, zeros=edit(zero(0, 1)), folder=to_folder, swapped=swapped,
        empty_folder=_folder_beside(), package_first=_folder_beside(("__init__.py", b"")),
        text_folder=_folder_beside(("readme.txt", b"text\n")),
        newer_beside=_copied_as(".cpython-312-x86_64-linux-gnu.so", b"text\n"),
        copy_beside=_copied_as(".abi3.so"), needs_more=patchelf("--add-needed", "libnowhere.so.1"),
        unreadable=_set_mode(0),
    ),
    *many(
        "python",
        other_build=content_of("3.11.*/lib/libpython3.11.so.1.0"), linked_out=linked_out,
        unreadable=_set_mode(0), no_string_table=run_tool("objcopy", "-R", ".dynstr"),
    ),
    *many(
        "opened",
        delete=delete, empty=edit(lambda _: b""), upper_case=rename(str.upper), aside=aside,
        needs_more=patchelf("--add-needed", "libnowhere.so.1"), unreadable=_set_mode(0),
    ),
    *many(
        "data",
        text_transfer=edit(lambda d: d.replace(b"\n", b"\r\n")), folder=to_folder,
        zeros=edit(zero(0, 1)), linked_out=link_to(lambda p: f"/opt/build/{p.name}"),
    ),
    *many(
        "folder",
        unreadable=_set_mode(0), no_search=_set_mode(0o644), no_list=_set_mode(0o311),
        linked_absolutely=linked_absolutely, linked_deeper=linked_deeper, emptied=emptied,
        to_file=to_file, upper_case=rename(str.upper), copied=all_copied,
    ),
    *many(
        "metadata",
        egg=rename(lambda n: n.replace(".dist-info", ".egg-info")), unreadable=_set_mode(0),
        no_metadata=lambda p: delete(p / "METADATA"),
    ),
    *many(
        "library-archive",
        wrong_crc=central(_wrong_crc), encrypted=central(_encrypted),
        no_local_header=central(_no_local_header), other_text=other_text,
        twice_listed=twice_listed, write_only=_set_mode(0o200),
        deflated_damage=lambda p: (
            repack(lambda m: m, zipfile.ZIP_DEFLATED)(p),
            damage_member(member_named("codecs", "io"))(p),
        )[0],
    ),
    *many(
        "module-archive",
        delete=delete, empty=edit(lambda _: b""), cut_half=edit(lambda d: d[: len(d) // 2]),
        unreadable=_set_mode(0), wrong_crc=central(_wrong_crc),
        early_damage=damage_member(member_named("json.decoder", "re._parser", "sre_parse", "enum")),
        late_damage=damage_member(member_named("pydoc", "ftplib", "tarfile", "ast")),
        no_early=repack(_without("enum.", "functools.")),
        no_late=repack(_without("pydoc.", "ftplib.")),
    ),
    *many(
        "root",
        old=_each(lambda p: os.utime(p, (0, 0))),
        only_owner=_each(lambda p: p.chmod(p.stat().st_mode & ~0o077)),
        text_extension=add_file("_internal/zz.cpython-311-x86_64-linux-gnu.so", b"text\n"),
        library_folder=add_file("share/libx.so/readme.txt", b"text\n"), debug_tree=debug_tree,
        linker_script=add_file("share/libx.so", b"/* GNU ld script */ INPUT(-lx)\n"),
        object_file=_compiled("share/one.o", "-c"),
        core=add_file("core", ELF + b"\2\1\1" + bytes(9) + b"\4\0\x3e\0" + bytes(99)),
        older_program=older_program, other_machine_beside=other_machine_beside,
        library_beside=_compiled("lib/libone.so", "-shared"),
    ),
]  # fmt: skip
