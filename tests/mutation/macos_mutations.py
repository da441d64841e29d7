"""Known ways of breaking a folder of macOS files, and what has to be found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundles import unpack_wheel
from macholib.mach_o import LC_CODE_SIGNATURE
from macholib.MachO import MachO

WHEELS = ("numpy==2.4.6", "tsdownsample==0.1.5.1")
SUFFIX = ".cpython-311-darwin.so"
OPENBLAS = "libscipy_openblas64_.dylib"
DOWNSAMPLE = f"_tsdownsample_rs{SUFFIX}"
UMATH = f"_multiarray_umath{SUFFIX}"


@dataclass(frozen=True, kw_only=True)
class MacMutation:
    """One way of breaking the folder, and what verification has to say of it."""

    apply: Callable[[Path, Path], None]
    id: str
    subject: str  # a pattern (fnmatch) for the finding's subject
    severity: str = "error"

    @property
    def name(self) -> str:
        return self.apply.__name__


def make_folder(cache: Path, folder: Path) -> Path:
    """The content of wheels for macOS, as a program's folder holds it."""
    for wheel in WHEELS:
        content = unpack_wheel(cache, wheel, "macosx_11_0_arm64", "311")
        shutil.copytree(content, folder, dirs_exist_ok=True)
    return folder


def _find(folder: Path, name: str) -> Path:
    (path,) = (p for p in folder.rglob(name) if not p.is_symlink())  # PyInstaller's, from the top
    return path


def _replace(path: Path, old: bytes, new: bytes) -> None:
    """Replace text in a file's load commands by as much text."""
    data = path.read_bytes()
    assert old in data, old
    assert len(new) <= len(old), (old, new)
    path.write_bytes(data.replace(old, new.ljust(len(old), b"\0"), 1))


def delete_a_library(folder: Path, cache: Path) -> None:
    _find(folder, OPENBLAS).unlink()


def rename_a_library(folder: Path, cache: Path) -> None:
    path = _find(folder, "libgfortran.5.dylib")
    path.rename(path.with_name("libgfortran.6.dylib"))


def put_a_folder_in_a_librarys_place(folder: Path, cache: Path) -> None:
    path = _find(folder, OPENBLAS)
    path.unlink()
    path.mkdir()


def name_a_library_of_the_builders_machine(folder: Path, cache: Path) -> None:
    path = _find(folder, UMATH)
    built = f"@rpath/{OPENBLAS}".encode()  # as PyInstaller writes it
    old = built if built in path.read_bytes() else f"@loader_path/../.dylibs/{OPENBLAS}".encode()
    _replace(path, old, b"/opt/local/lib/libopenblas.dylib")


def name_a_library_by_an_absolute_path(folder: Path, cache: Path) -> None:
    path = _find(folder, UMATH)
    built = f"@rpath/{OPENBLAS}".encode()  # as PyInstaller writes it
    old = built if built in path.read_bytes() else f"@loader_path/../.dylibs/{OPENBLAS}".encode()
    _replace(path, old, f"/opt/{OPENBLAS}".encode())


def change_a_page(folder: Path, cache: Path) -> None:
    path = _find(folder, DOWNSAMPLE)
    data = bytearray(path.read_bytes())
    data[0x8000] ^= 0xFF
    path.write_bytes(data)


def change_a_load_command(folder: Path, cache: Path) -> None:
    """As `install_name_tool` does, which does not sign again."""
    _replace(_find(folder, OPENBLAS), b"@loader_path/", b"@loader_path")


def strip_the_signature(folder: Path, cache: Path) -> None:
    """The load command is made one that dyld ignores: LC_NOTE is for debuggers."""
    path = _find(folder, DOWNSAMPLE)
    (header,) = MachO(str(path)).headers
    data = bytearray(path.read_bytes())
    at = header.offset + 32  # behind mach_header_64
    for command, _, _ in header.commands:
        if command.cmd == LC_CODE_SIGNATURE:
            data[at : at + 4] = (0x26).to_bytes(4, "little")  # LC_FUNCTION_STARTS, once more
        at += command.cmdsize
    path.write_bytes(data)


def zero_the_signature(folder: Path, cache: Path) -> None:
    path = _find(folder, DOWNSAMPLE)
    (header,) = MachO(str(path)).headers
    (place,) = [part for c, part, _ in header.commands if c.cmd == LC_CODE_SIGNATURE]
    data = bytearray(path.read_bytes())
    data[place.dataoff : place.dataoff + place.datasize] = bytes(place.datasize)
    path.write_bytes(data)


def truncate_a_library(folder: Path, cache: Path) -> None:
    path = _find(folder, OPENBLAS)
    path.write_bytes(path.read_bytes()[:100_000])


def zero_a_header(folder: Path, cache: Path) -> None:
    path = _find(folder, DOWNSAMPLE)
    path.write_bytes(bytes(32) + path.read_bytes()[32:])


def swap_in_the_other_machines_module(folder: Path, cache: Path) -> None:
    wheel = unpack_wheel(cache, WHEELS[1], "macosx_10_12_x86_64", "311")
    shutil.copy(_find(wheel, DOWNSAMPLE), _find(folder, DOWNSAMPLE))


def swap_in_the_other_machines_library(folder: Path, cache: Path) -> None:
    wheel = unpack_wheel(cache, WHEELS[1], "macosx_10_12_x86_64", "311")
    shutil.copy(_find(wheel, DOWNSAMPLE), _find(folder, OPENBLAS))


def swap_in_a_module_for_linux(folder: Path, cache: Path) -> None:
    wheel = unpack_wheel(cache, WHEELS[1], "manylinux_2_17_x86_64", "311")
    shutil.copy(next(wheel.rglob("*.so")), _find(folder, DOWNSAMPLE))


def swap_in_a_module_for_another_python(folder: Path, cache: Path) -> None:
    wheel = unpack_wheel(cache, WHEELS[1], "macosx_11_0_arm64", "312")
    old = _find(folder, DOWNSAMPLE)
    shutil.copy(next(wheel.rglob("*.so")), old.parent)
    old.unlink()


def name_the_machine_in_a_suffix(folder: Path, cache: Path) -> None:
    path = _find(folder, DOWNSAMPLE)
    path.rename(path.with_name("_tsdownsample_rs.cpython-311-arm64-darwin.so"))


def leave_cargos_suffix(folder: Path, cache: Path) -> None:
    path = _find(folder, DOWNSAMPLE)
    path.rename(path.with_name("_tsdownsample_rs.dylib"))


def link_a_library_to_the_machine(folder: Path, cache: Path) -> None:
    path = _find(folder, OPENBLAS)
    outside = folder.parent / OPENBLAS
    path.rename(outside)
    path.symlink_to(outside)


def _m(apply: Callable[[Path, Path], None], finding: str, subject: str, **more: Any) -> MacMutation:
    return MacMutation(apply=apply, id=finding, subject=subject, **more)


MAC_MUTATIONS = (
    _m(delete_a_library, "missing-library", f"*{OPENBLAS}"),
    _m(rename_a_library, "missing-library", "*libgfortran.5.dylib"),
    _m(put_a_folder_in_a_librarys_place, "missing-library", f"*{OPENBLAS}"),
    _m(name_a_library_of_the_builders_machine, "missing-library", "/opt/local/*"),
    _m(name_a_library_by_an_absolute_path, "install-name", f"/opt/{OPENBLAS}"),
    _m(change_a_page, "signature", f"*{DOWNSAMPLE}"),
    _m(change_a_load_command, "signature", f"*{OPENBLAS}"),
    _m(strip_the_signature, "signature", f"*{DOWNSAMPLE}"),
    _m(zero_the_signature, "signature", f"*{DOWNSAMPLE}"),
    _m(truncate_a_library, "unreadable-file", f"*{OPENBLAS}"),
    _m(zero_a_header, "unreadable-file", f"*{DOWNSAMPLE}"),
    _m(swap_in_the_other_machines_module, "architecture", f"*{DOWNSAMPLE}"),
    _m(swap_in_the_other_machines_library, "architecture", f"*{OPENBLAS}"),
    _m(swap_in_a_module_for_linux, "architecture", f"*{DOWNSAMPLE}"),
    _m(swap_in_a_module_for_another_python, "python-abi", "*_tsdownsample_rs.cpython-312-*"),
    _m(name_the_machine_in_a_suffix, "ext-suffix", "*-arm64-darwin.so"),
    _m(leave_cargos_suffix, "ext-suffix", "*_tsdownsample_rs.dylib"),
    _m(link_a_library_to_the_machine, "host-library", f"*{OPENBLAS}"),
)
