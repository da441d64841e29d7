"""Known ways of breaking a good bundle, and what has to be found.

Each is a function of a copy of the bundle; `MUTATIONS` says which finding is right, of which
subject, and whether the program still does its work.
"""

from __future__ import annotations

import marshal
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundles import Bundle, build_shared, unpack_wheel
from elf_edits import needed_versions, replace_version

BOTH = ("nuitka", "pyinstaller")
TAG = f"{sys.version_info[0]}{sys.version_info[1]}"
# Nuitka gives modules the suffix `.so`, PyInstaller leaves them theirs.
OPENBLAS, UMATH = "libscipy_openblas*.so", "_multiarray_umath*.so"
RPDS, DOWNSAMPLE, ORMSGPACK = "rpds*.so", "_tsdownsample_rs*.so", "ormsgpack*.so"
SDK = "libnostr_sdk_ffi.so"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One way of breaking a bundle, and what verification has to say of it."""

    apply: Callable[[Bundle, Path], None]
    id: str
    subject: str  # a pattern (fnmatch) for the finding's subject
    starts: bool  # whether the program still does its work on this machine
    freezers: tuple[str, ...] = BOTH
    target: str | None = None
    severity: str = "error"

    @property
    def name(self) -> str:
        return self.apply.__name__


# --- libraries --------------------------------------------------------------------------------


def delete_a_library(bundle: Bundle, cache: Path) -> None:
    bundle.remove(bundle.find(OPENBLAS))


def delete_the_python_library(bundle: Bundle, cache: Path) -> None:
    bundle.remove(bundle.find("libpython3*.so.1.0"))


def rename_a_library(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    shutil.copy(library, library.with_name("libopenblas.so.0"))
    bundle.remove(library)


def move_a_library(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    (bundle.contents / "elsewhere").mkdir()
    shutil.copy(library, bundle.contents / "elsewhere")
    bundle.remove(library)


def put_a_folder_in_a_librarys_place(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    bundle.remove(library)
    library.mkdir()


def put_a_dangling_link_in_a_librarys_place(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    bundle.remove(library)
    library.symlink_to("gone.so")


def put_a_loop_of_links_in_a_librarys_place(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    bundle.remove(library)
    library.symlink_to(library.name)


def need_a_library_that_is_nowhere(bundle: Bundle, cache: Path) -> None:
    bundle.patchelf(bundle.find(RPDS), "--add-needed", "libnowhere.so.7")


def need_another_major_version(bundle: Bundle, cache: Path) -> None:
    library = next(p for p in bundle.contents.rglob("_bz2*.so"))
    bundle.patchelf(library, "--replace-needed", "libbz2.so.1.0", "libbz2.so.9")


def change_a_soname_and_its_file(bundle: Bundle, cache: Path) -> None:
    library = bundle.find("libgfortran*.so*")
    bundle.patchelf(library, "--set-soname", "libgfortran.so.99")
    shutil.copy(library, library.with_name("libgfortran.so.99"))
    bundle.remove(library)


def start_with_a_loader_that_is_nowhere(bundle: Bundle, cache: Path) -> None:
    bundle.patchelf(bundle.program, "--set-interpreter", "/lib64/ld-nowhere.so.2")


# --- the host's libraries ---------------------------------------------------------------------


def take_a_library_from_the_host(bundle: Bundle, cache: Path) -> None:
    bundle.remove(bundle.find("libbz2.so.1.0"))


def link_a_library_to_the_host(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    outside = bundle.root.parent / library.name
    shutil.copy(library, outside)
    bundle.remove(library)
    library.symlink_to(outside)


def find_a_library_outside_by_run_path(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    others = library.parent
    outside = bundle.root.parent / "outside"
    shutil.copytree(others, outside)
    for one in [p for p in others.iterdir() if not p.is_symlink() and ".so" in p.name]:
        if one.name.startswith(("libscipy", "libgfortran", "libquadmath")):
            bundle.remove(one)
    for user in bundle.contents.rglob("*.so"):
        if not user.is_symlink() and b"libscipy_openblas" in user.read_bytes():
            bundle.patchelf(user, "--force-rpath", "--set-rpath", str(outside))


def lead_a_data_file_out_of_the_bundle(bundle: Bundle, cache: Path) -> None:
    (bundle.contents / "settings.txt").symlink_to("/etc/hostname")


# --- run paths --------------------------------------------------------------------------------


def _add_run_path(bundle: Bundle, folder: str) -> None:
    library = bundle.find(UMATH)
    bundle.patchelf(library, "--force-rpath", "--add-rpath", folder)


def add_an_absolute_run_path(bundle: Bundle, cache: Path) -> None:
    _add_run_path(bundle, "/home/builder/project/target/release/deps")


def add_a_relative_run_path(bundle: Bundle, cache: Path) -> None:
    _add_run_path(bundle, "lib")


def add_an_empty_run_path(bundle: Bundle, cache: Path) -> None:
    """An empty item is the current directory."""
    library = bundle.find(UMATH)
    _add_run_path(bundle, "/x")
    bundle.write(library, library.read_bytes().replace(b":/x\0", b":\0\0\0", 1))


def add_a_run_path_for_everybody(bundle: Bundle, cache: Path) -> None:
    _add_run_path(bundle, "/tmp/libraries")


# --- the C library ----------------------------------------------------------------------------


def _newest(bundle: Bundle, path: Path) -> str:
    found = needed_versions(path.read_bytes(), "libc.so.6")
    return max((v for v in found if v.startswith("GLIBC_2.")), key=len)


def need_a_glibc_that_does_not_exist(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(RPDS)
    old = _newest(bundle, library)
    bundle.write(library, replace_version(library.read_bytes(), "libc.so.6", old, "GLIBC_2.99"))


def need_a_newer_glibc_than_the_target_has(bundle: Bundle, cache: Path) -> None:
    need_a_glibc_that_does_not_exist(bundle, cache)


def need_a_newer_cxx_library_than_there_is(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(UMATH)
    needed = needed_versions(library.read_bytes(), "libstdc++.so.6")
    old = max((v for v in needed if v.startswith("GLIBCXX_3.4.")), key=len)
    new = "GLIBCXX_3.4.99"[: len(old)]
    bundle.write(library, replace_version(library.read_bytes(), "libstdc++.so.6", old, new))


def mix_in_a_module_for_musl(bundle: Bundle, cache: Path) -> None:
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "musllinux_1_2_x86_64", TAG)
    (module,) = (wheel / "rpds").glob("*.so")
    bundle.write(bundle.find(RPDS), module.read_bytes())


def start_with_musls_loader(bundle: Bundle, cache: Path) -> None:
    bundle.patchelf(bundle.program, "--set-interpreter", "/lib/ld-musl-x86_64.so.1")


# --- machines and Pythons -----------------------------------------------------------------------


def swap_in_another_machines_module(bundle: Bundle, cache: Path) -> None:
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "manylinux_2_17_aarch64", TAG)
    (module,) = (wheel / "rpds").glob("*.so")
    bundle.write(bundle.find(RPDS), module.read_bytes())


def swap_in_another_machines_library(bundle: Bundle, cache: Path) -> None:
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "manylinux_2_17_aarch64", TAG)
    (module,) = (wheel / "rpds").glob("*.so")
    bundle.write(bundle.find(OPENBLAS), module.read_bytes())


def swap_in_a_module_for_macos(bundle: Bundle, cache: Path) -> None:
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "macosx_11_0_arm64", TAG)
    (module,) = (wheel / "rpds").glob("*.so")
    bundle.write(bundle.find(RPDS), module.read_bytes())


def swap_in_a_module_for_windows(bundle: Bundle, cache: Path) -> None:
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "win_amd64", TAG)
    (module,) = (wheel / "rpds").glob("*.pyd")
    bundle.write(bundle.find(RPDS), module.read_bytes())


def swap_in_a_module_for_another_python(bundle: Bundle, cache: Path) -> None:
    other = "310" if TAG != "310" else "312"
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "manylinux_2_17_x86_64", other)
    (module,) = (wheel / "rpds").glob("*.so")
    old = bundle.find(RPDS)
    shutil.copy(module, old.parent)
    old.unlink()


# --- suffixes -----------------------------------------------------------------------------------


def _rename(bundle: Bundle, pattern: str, name: str) -> None:
    path = bundle.find(pattern)
    path.rename(path.with_name(name))


def name_the_machine_in_a_suffix_otherwise(bundle: Bundle, cache: Path) -> None:
    _rename(bundle, RPDS, f"rpds.cpython-{TAG}-amd64-linux-gnu.so")


def name_the_vendor_in_a_suffix(bundle: Bundle, cache: Path) -> None:
    _rename(bundle, RPDS, f"rpds.cpython-{TAG}-x86_64-unknown-linux-gnu.so")


def leave_a_module_with_the_suffix_of_windows(bundle: Bundle, cache: Path) -> None:
    _rename(bundle, DOWNSAMPLE, "_tsdownsample_rs.pyd")


def leave_a_module_with_the_suffix_of_a_library(bundle: Bundle, cache: Path) -> None:
    _rename(bundle, ORMSGPACK, "ormsgpack.dylib")


def leave_cargos_name(bundle: Bundle, cache: Path) -> None:
    _rename(bundle, RPDS, "librpds.so")


# --- damaged files ------------------------------------------------------------------------------


def truncate_a_module(bundle: Bundle, cache: Path) -> None:
    path = bundle.find(RPDS)
    bundle.write(path, path.read_bytes()[: path.stat().st_size // 2])


def truncate_a_library(bundle: Bundle, cache: Path) -> None:
    path = bundle.find(OPENBLAS)
    bundle.write(path, path.read_bytes()[:4096])


def empty_a_module(bundle: Bundle, cache: Path) -> None:
    bundle.write(bundle.find(RPDS), b"")


def zero_a_header(bundle: Bundle, cache: Path) -> None:
    path = bundle.find(RPDS)
    bundle.write(path, bytes(64) + path.read_bytes()[64:])


def damage_a_dynamic_section(bundle: Bundle, cache: Path) -> None:
    """Program headers that point outside of the file."""
    path = bundle.find(RPDS)
    data = bytearray(path.read_bytes())
    data[0x20:0x28] = (1 << 40).to_bytes(8, "little")
    bundle.write(path, bytes(data))


def leave_a_pointer_of_git_lfs(bundle: Bundle, cache: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    bundle.write(bundle.find(RPDS), text.encode())


def truncate_the_program(bundle: Bundle, cache: Path) -> None:
    """PyInstaller's archive stands at its end, Nuitka's section headers do."""
    data = bundle.program.read_bytes()
    bundle.write(bundle.program, data[: len(data) - 5000])


def damage_the_standard_library(bundle: Bundle, cache: Path) -> None:
    bundle.write(bundle.contents / "base_library.zip", b"no zip")


# --- what the loader checks ---------------------------------------------------------------------


def _poke(bundle: Bundle, path: Path, offset: int, layout: str, value: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into(f"<{layout}", data, offset, value)
    bundle.write(path, bytes(data))


def _header(path: Path, kind: int, number: int) -> int:
    """Where a program header stands."""
    data = path.read_bytes()
    start, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    rows = range(start, start + 56 * count, 56)
    return [at for at in rows if struct.unpack_from("<I", data, at)[0] == kind][number]


def move_a_segment_of_a_library(bundle: Bundle, cache: Path) -> None:
    """As `strip` does to a file whose segments patchelf has moved."""
    library = bundle.find(OPENBLAS)
    at = _header(library, 1, -1) + 8  # the offset in the file
    (offset,) = struct.unpack_from("<Q", library.read_bytes(), at)
    _poke(bundle, library, at, "Q", offset - 8)


def move_a_segment_of_a_module(bundle: Bundle, cache: Path) -> None:
    module = bundle.find(RPDS)
    at = _header(module, 1, -1) + 8
    (offset,) = struct.unpack_from("<Q", module.read_bytes(), at)
    _poke(bundle, module, at, "Q", offset - 8)


def mark_a_module_for_another_system(bundle: Bundle, cache: Path) -> None:
    _poke(bundle, bundle.find(RPDS), 7, "B", 9)


def mark_a_library_with_another_abi(bundle: Bundle, cache: Path) -> None:
    _poke(bundle, bundle.find(OPENBLAS), 8, "B", 1)


def mark_a_module_as_an_object_file(bundle: Bundle, cache: Path) -> None:
    _poke(bundle, bundle.find(RPDS), 16, "H", 1)


def mark_a_library_as_an_object_file(bundle: Bundle, cache: Path) -> None:
    _poke(bundle, bundle.find(OPENBLAS), 16, "H", 1)


def lose_a_dynamic_section(bundle: Bundle, cache: Path) -> None:
    module = bundle.find(RPDS)
    _poke(bundle, module, _header(module, 2, 0), "I", 0)


def put_another_size_of_program_headers(bundle: Bundle, cache: Path) -> None:
    _poke(bundle, bundle.find(RPDS), 54, "H", 64)


def ask_for_an_executable_stack(bundle: Bundle, cache: Path) -> None:
    module = bundle.find(RPDS)
    _poke(bundle, module, _header(module, 0x6474_E551, 0) + 4, "I", 7)


def take_the_execute_bit(bundle: Bundle, cache: Path) -> None:
    bundle.own(bundle.program).chmod(0o644)


# --- symbols --------------------------------------------------------------------------------------


def put_another_library_under_a_name(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    source = "int nothing_of_the_kind;"
    other = build_shared(bundle.root.parent, "other.so", source, f"-Wl,-soname,{library.name}")
    bundle.write(library, other.read_bytes())


def put_another_module_under_a_name(bundle: Bundle, cache: Path) -> None:
    bundle.write(bundle.find(RPDS), bundle.find(ORMSGPACK).read_bytes())


# --- archives and links ---------------------------------------------------------------------------


def _pyz(bundle: Bundle) -> tuple[bytearray, int, int]:
    """The program, and where the module archive begins and its table stands."""
    data = bytearray(bundle.program.read_bytes())
    start = data.rindex(b"PYZ\0")
    return data, start, start + int.from_bytes(data[start + 8 : start + 12], "big")


def damage_a_module_in_the_archive(bundle: Bundle, cache: Path) -> None:
    data, start, table = _pyz(bundle)
    place = next(p for name, (_, *p) in marshal.loads(data[table:]) if name == "ormsgpack")
    at = start + place[0] + place[1] // 2
    data[at : at + 4] = bytes(byte ^ 0xFF for byte in data[at : at + 4])
    bundle.write(bundle.program, bytes(data))


def put_code_for_another_python_into_the_archive(bundle: Bundle, cache: Path) -> None:
    data, start, _ = _pyz(bundle)
    data[start + 4 : start + 6] = (3394).to_bytes(2, "little")  # 3.7
    bundle.write(bundle.program, bytes(data))


def damage_a_module_of_the_standard_library(bundle: Bundle, cache: Path) -> None:
    import zipfile

    library = bundle.contents / "base_library.zip"
    data = bytearray(library.read_bytes())
    with zipfile.ZipFile(library) as archive:
        info = archive.getinfo("encodings/__init__.pyc")
    at = info.header_offset + 30 + len(info.filename) + 16  # behind the header of the .pyc
    data[at : at + 16] = bytes(16)
    bundle.write(library, bytes(data))


def link_a_library_by_an_absolute_path(bundle: Bundle, cache: Path) -> None:
    library = bundle.find(OPENBLAS)
    other = bundle.contents / "kept.so"
    shutil.copy(library, other)
    bundle.remove(library)
    library.symlink_to(other)


# --- modules ------------------------------------------------------------------------------------


def _misspell(bundle: Bundle, old: bytes, new: bytes) -> None:
    data = bundle.program.read_bytes()
    assert old in data
    bundle.write(bundle.program, data.replace(old, new))


def lose_a_module_that_rust_imports(bundle: Bundle, cache: Path) -> None:
    """From Nuitka's table of modules, or from PyInstaller's."""
    if bundle.freezer == "nuitka":
        _misspell(bundle, b"uuid\0", b"uuix\0")
    else:
        _misspell(bundle, b"\x04uuid", b"\x04uuix")


def lose_the_module_that_a_crate_imports(bundle: Bundle, cache: Path) -> None:
    old = b"numpy._core.multiarray"
    new = b"numpy._core.multiarraX"
    if bundle.freezer == "nuitka":
        _misspell(bundle, b"\0" + old + b"\0", b"\0" + new + b"\0")
    else:
        _misspell(bundle, bytes([len(old)]) + old, bytes([len(new)]) + new)


def lose_a_module_of_the_standard_library(bundle: Bundle, cache: Path) -> None:
    import zipfile

    library = bundle.contents / "base_library.zip"
    rest = bundle.root.parent / "rest.zip"
    with zipfile.ZipFile(library) as old, zipfile.ZipFile(rest, "w") as new:
        for info in old.infolist():
            if info.filename != "collections/abc.pyc":
                new.writestr(info, old.read(info))
    bundle.write(library, rest.read_bytes())


def delete_an_extension(bundle: Bundle, cache: Path) -> None:
    bundle.find(DOWNSAMPLE).unlink()


def delete_an_extension_that_the_start_gets_to(bundle: Bundle, cache: Path) -> None:
    bundle.remove(bundle.find("math.*so"))


def delete_an_extension_that_nothing_gets_to(bundle: Bundle, cache: Path) -> None:
    bundle.remove(bundle.find("_codecs_cn.*so"))


def damage_a_member_that_nothing_gets_to(bundle: Bundle, cache: Path) -> None:
    library = bundle.find("base_library.zip")
    with zipfile.ZipFile(library) as archive:
        at = archive.getinfo("encodings/cp1252.pyc").header_offset + 200
    data = bytearray(library.read_bytes())
    data[at : at + 32] = bytes(32)
    bundle.write(library, bytes(data))


# --- companions -----------------------------------------------------------------------------------


def drop_a_library_that_is_opened_by_path(bundle: Bundle, cache: Path) -> None:
    bundle.find(SDK).unlink()


def rename_a_library_that_is_opened_by_path(bundle: Bundle, cache: Path) -> None:
    _rename(bundle, SDK, "libnostr_sdk.so")


def drop_metadata(bundle: Bundle, cache: Path) -> None:
    (folder,) = bundle.contents.glob("ormsgpack-*.dist-info")
    shutil.rmtree(folder)


# --- duplicates -----------------------------------------------------------------------------------


def duplicate_a_library_with_other_content(bundle: Bundle, cache: Path) -> None:
    library = bundle.find("libbz2.so.1.0")
    other = build_shared(
        bundle.root.parent, "other.so", "int other;", f"-Wl,-soname,{library.name}"
    )
    (bundle.contents / "other").mkdir()
    shutil.copy(other, bundle.contents / "other" / library.name)


# --- the run --------------------------------------------------------------------------------------


def end_with_an_error(bundle: Bundle, cache: Path) -> None:
    """Nothing is missing, and no table is damaged: only starting the program shows this."""
    data = bundle.program.read_bytes()
    if bundle.freezer == "nuitka":
        _misspell(bundle, b"nsec1j4c6269y9w0q2er2xjw8", b"nsec1j4c6269y9w0q2er2xjwX")
    else:
        start = data.rindex(b"PYZ\0")
        end = start + int.from_bytes(data[start + 8 : start + 12], "big")
        bundle.write(bundle.program, data[: start + 17] + bytes(end - start - 17) + data[end:])


# --- what does no harm ----------------------------------------------------------------------------


def lose_the_section_headers(bundle: Bundle, cache: Path) -> None:
    for offset, layout in ((40, "Q"), (58, "H"), (60, "H"), (62, "H")):
        _poke(bundle, bundle.find(RPDS), offset, layout, 0)


def put_texts_with_the_names_of_libraries(bundle: Bundle, cache: Path) -> None:
    for name in ("locale/so.so", "page.html.so", "messages.dll", "x.pyd"):
        path = bundle.contents / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a text that is longer than the header of a library" * 9)


def put_debug_information_beside_a_library(bundle: Bundle, cache: Path) -> None:
    library = bundle.find("libbz2.so.1.0")
    debug = library.with_name("libbz2.so.1.0.debug")
    subprocess.run(["objcopy", "--only-keep-debug", library, debug], check=True, timeout=60)


def put_in_programs_for_windows(bundle: Bundle, cache: Path) -> None:
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "win_amd64", TAG)
    (module,) = (wheel / "rpds").glob("*.pyd")
    (bundle.contents / "setuptools").mkdir(exist_ok=True)
    shutil.copy(module, bundle.contents / "setuptools" / "cli-64.exe")


def put_in_a_plugin_that_nothing_loads(bundle: Bundle, cache: Path) -> None:
    plugin = build_shared(bundle.root.parent, "nobodys_plugin.so", "int nothing;")
    bundle.patchelf(plugin, "--add-needed", "libnowhere.so.7")
    (bundle.contents / "plugins").mkdir()
    shutil.copy(plugin, bundle.contents / "plugins")


def link_a_library_by_a_relative_path(bundle: Bundle, cache: Path) -> None:
    library = bundle.find("libbz2.so.1.0")
    shutil.copy(library, library.with_name("kept.so"))
    bundle.remove(library)
    library.symlink_to("kept.so")


def link_to_the_contents(bundle: Bundle, cache: Path) -> None:
    """PyInstaller's folder under another name, with a link from its own (no harm)."""
    if bundle.contents != bundle.root:
        bundle.contents.rename(bundle.root / "elsewhere")
        bundle.contents.symlink_to("elsewhere")


HARMLESS = (
    link_to_the_contents,
    lose_the_section_headers,
    put_texts_with_the_names_of_libraries,
    put_debug_information_beside_a_library,
    put_in_programs_for_windows,
    put_in_a_plugin_that_nothing_loads,
    link_a_library_by_a_relative_path,
)


def _m(apply: Callable[[Bundle, Path], None], finding: str, subject: str, **more: Any) -> Mutation:
    more.setdefault("starts", False)
    return Mutation(apply=apply, id=finding, subject=subject, **more)


MUTATIONS = (
    _m(delete_a_library, "missing-library", OPENBLAS),
    _m(delete_the_python_library, "missing-library", "libpython3*", freezers=("pyinstaller",)),
    _m(rename_a_library, "missing-library", OPENBLAS),
    _m(move_a_library, "missing-library", OPENBLAS),
    _m(put_a_folder_in_a_librarys_place, "missing-library", OPENBLAS),
    _m(put_a_dangling_link_in_a_librarys_place, "missing-library", OPENBLAS),
    _m(put_a_loop_of_links_in_a_librarys_place, "missing-library", OPENBLAS),
    _m(need_a_library_that_is_nowhere, "missing-library", "libnowhere.so.7"),
    _m(need_another_major_version, "missing-library", "libbz2.so.9", starts=True,
       severity="warning"),
    _m(change_a_soname_and_its_file, "missing-library", "libgfortran*"),
    _m(start_with_a_loader_that_is_nowhere, "missing-library", "*ld-nowhere.so.2"),
    _m(take_a_library_from_the_host, "host-library", "libbz2.so.1.0", starts=True,
       severity="warning"),
    _m(link_a_library_to_the_host, "host-library", OPENBLAS, starts=True),
    _m(find_a_library_outside_by_run_path, "host-library", OPENBLAS, starts=True),
    _m(lead_a_data_file_out_of_the_bundle, "outside-link", "*settings.txt", starts=True),
    _m(add_an_absolute_run_path, "unsafe-rpath", "/home/builder/*", starts=True, severity="note"),
    _m(add_a_relative_run_path, "unsafe-rpath", "lib", starts=True),
    _m(add_an_empty_run_path, "unsafe-rpath", "", starts=True),
    _m(add_a_run_path_for_everybody, "unsafe-rpath", "/tmp/libraries", starts=True,
       severity="warning"),
    _m(need_a_glibc_that_does_not_exist, "glibc-floor", f"*{RPDS}"),
    _m(need_a_newer_glibc_than_the_target_has, "glibc-floor", f"*{RPDS}",
       target="manylinux_2_50_x86_64"),
    # PyInstaller brings libstdc++ along, Nuitka leaves it to the system.
    _m(need_a_newer_cxx_library_than_there_is, "missing-library", "libstdc++.so.6",
       freezers=("pyinstaller",)),
    _m(need_a_newer_cxx_library_than_there_is, "glibc-floor", f"*{UMATH}", freezers=("nuitka",)),
    _m(mix_in_a_module_for_musl, "libc-mix", "*"),
    _m(start_with_musls_loader, "libc-mix", "*"),
    _m(swap_in_another_machines_module, "architecture", f"*{RPDS}"),
    _m(swap_in_another_machines_library, "architecture", f"*{OPENBLAS}"),
    _m(swap_in_a_module_for_macos, "architecture", f"*{RPDS}"),
    _m(swap_in_a_module_for_windows, "architecture", f"*{RPDS}"),
    _m(swap_in_a_module_for_another_python, "python-abi", "*rpds.cpython-3*"),
    _m(name_the_machine_in_a_suffix_otherwise, "ext-suffix", "*rpds.cpython-*"),
    _m(name_the_vendor_in_a_suffix, "ext-suffix", "*rpds.cpython-*"),
    _m(leave_a_module_with_the_suffix_of_windows, "ext-suffix", "*_tsdownsample_rs.pyd"),
    _m(leave_a_module_with_the_suffix_of_a_library, "ext-suffix", "*ormsgpack.dylib"),
    _m(leave_cargos_name, "ext-suffix", "*librpds.so", severity="warning"),
    _m(truncate_a_module, "unreadable-file", f"*{RPDS}"),
    _m(truncate_a_library, "unreadable-file", f"*{OPENBLAS}"),
    _m(empty_a_module, "unreadable-file", f"*{RPDS}"),
    _m(zero_a_header, "unreadable-file", f"*{RPDS}"),
    _m(damage_a_dynamic_section, "unreadable-file", f"*{RPDS}"),
    _m(leave_a_pointer_of_git_lfs, "unreadable-file", f"*{RPDS}"),
    _m(truncate_the_program, "unreadable-file", "*app*", freezers=("pyinstaller",)),
    _m(damage_the_standard_library, "unreadable-file", "*base_library.zip",
       freezers=("pyinstaller",)),
    _m(move_a_segment_of_a_library, "unreadable-file", f"*{OPENBLAS}"),
    _m(move_a_segment_of_a_module, "unreadable-file", f"*{RPDS}"),
    _m(mark_a_module_for_another_system, "refused-file", f"*{RPDS}"),
    _m(mark_a_library_with_another_abi, "refused-file", f"*{OPENBLAS}"),
    _m(mark_a_module_as_an_object_file, "refused-file", f"*{RPDS}"),
    _m(mark_a_library_as_an_object_file, "refused-file", f"*{OPENBLAS}"),
    _m(lose_a_dynamic_section, "refused-file", f"*{RPDS}"),
    _m(put_another_size_of_program_headers, "unreadable-file", f"*{RPDS}"),
    _m(ask_for_an_executable_stack, "refused-file", f"*{RPDS}", starts=True, severity="warning"),
    _m(take_the_execute_bit, "refused-file", "*app*"),
    _m(put_another_library_under_a_name, "undefined-symbol", f"*{UMATH}"),
    _m(put_another_module_under_a_name, "undefined-symbol", f"*{RPDS}"),
    _m(damage_a_module_in_the_archive, "unreadable-file", "*app*", freezers=("pyinstaller",)),
    _m(put_code_for_another_python_into_the_archive, "unreadable-file", "*app*",
       freezers=("pyinstaller",)),
    _m(damage_a_module_of_the_standard_library, "unreadable-file", "*base_library.zip",
       freezers=("pyinstaller",)),
    _m(link_a_library_by_an_absolute_path, "outside-link", f"*{OPENBLAS}", starts=True),
    _m(lose_a_module_that_rust_imports, "missing-import", "uuid"),
    _m(lose_the_module_that_a_crate_imports, "missing-import", "numpy._core.multiarray"),
    _m(lose_a_module_of_the_standard_library, "missing-import", "collections.abc",
       freezers=("pyinstaller",)),
    _m(delete_an_extension, "missing-import", "tsdownsample.*"),
    _m(delete_an_extension_that_the_start_gets_to, "missing-import", "math"),
    _m(delete_an_extension_that_nothing_gets_to, "missing-import", "_codecs_cn", starts=True,
       severity="warning", freezers=("nuitka",)),
    _m(damage_a_member_that_nothing_gets_to, "unreadable-file", "*base_library.zip", starts=True,
       severity="warning", freezers=("pyinstaller",)),
    _m(drop_a_library_that_is_opened_by_path, "missing-companion", f"*{SDK}"),
    _m(rename_a_library_that_is_opened_by_path, "missing-companion", f"*{SDK}"),
    _m(drop_metadata, "missing-metadata", "*ormsgpack*", starts=True),
    _m(duplicate_a_library_with_other_content, "duplicate-library", "libbz2.so.1.0", starts=True,
       severity="warning"),
    _m(end_with_an_error, "run", "app*"),
)  # fmt: skip
