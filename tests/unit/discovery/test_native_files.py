"""Native files of folders, wheels and environments; archives that must not be unpacked."""

from __future__ import annotations

import importlib.machinery
import json
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile
from environments import Files, environment, install, write_files

from rustext.discovery.native_files import (
    environment_source,
    folder_source,
    is_rust,
    iter_native_files,
    open_source,
    read_native_file,
)
from rustext.errors import InvalidBinary, InvalidWheel, RustextError, UnreadableFile
from rustext.model.native_file import Binding, NativeFile

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
CRATE = {  # as cargo-cyclonedx and maturin write the package that is built
    "name": "pkg-rs",
    "purl": "pkg:cargo/pkg-rs@1.0.0?download_url=file://.",
    "components": [{"type": "library", "name": "core"}, {"type": "application", "name": "tool"}],
}
SBOM = json.dumps(
    {"metadata": {"component": CRATE}, "components": [{"purl": "pkg:cargo/pyo3@0.25.0"}]}
)


@pytest.fixture(scope="session")
def module(gcc: Compile) -> Path:
    return gcc("core.so", "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")


@pytest.fixture(scope="session")
def library(gcc: Compile) -> Path:
    return gcc("libz.so.1", "int zlib;", "-shared", "-fPIC")


def make_wheel(folder: Path, name: str, files: Files) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content.read_bytes() if isinstance(content, Path) else content)
    return path


def found_in(path: Path) -> dict[str, NativeFile]:
    with open_source(path) as source:
        return {str(file.path): file for _, file in iter_native_files(source)}


def test_a_folder_gives_its_native_files_sorted_and_nothing_else(
    tmp_path: Path, module: Path, library: Path, pe_module: Path, macho_module: Path
) -> None:
    write_files(
        tmp_path,
        {
            f"pkg/core{SUFFIX}": module,
            "a/libz.so.1": library,
            "a/noext": library,
            "win/demo.pyd": pe_module,
            "mac/demo.so": macho_module,
            "text.so": "text",
            "empty.so": b"",
            "magic_alone.so": b"\x7fELF",
            "pkg/data.json": library,
            "pkg/__pycache__/core.so": library,
        },
    )
    (tmp_path / "dangling.so").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo.so")
    found = found_in(tmp_path)
    expected = ["a/libz.so.1", "a/noext", "mac/demo.so", f"pkg/core{SUFFIX}", "win/demo.pyd"]
    assert list(found) == expected
    assert [f.binary.image.format.value for f in found.values()] == ["elf"] * 2 + [
        "macho", "elf", "pe",
    ]  # fmt: skip
    assert found[f"pkg/core{SUFFIX}"].module == "pkg.core"


def test_what_is_called_native_and_cannot_be_read_is_named(tmp_path: Path) -> None:
    files = {"text.so": "text", "empty.so": b"", "magic_alone.so": b"\x7fELF", "fifo": ""}
    write_files(tmp_path, files)
    (tmp_path / "folder.so").mkdir()
    os.mkfifo(tmp_path / "fifo.so")
    (tmp_path / "device.so").symlink_to("/dev/zero")
    (tmp_path / "dangling.so").symlink_to("nowhere")
    (tmp_path / "circle.so").symlink_to("circle.so")
    named: list[str] = []
    source = folder_source(tmp_path)
    found = iter_native_files(source, note_fault=lambda path, *_: named.append(path.stem))
    assert list(found) == []
    assert named == ["circle", "dangling", "device", "empty", "fifo", "magic_alone", "text"]


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff{}"])
def test_a_bill_of_materials_that_says_nothing_is_named(tmp_path: Path, content: bytes) -> None:
    sboms = "pkg-1.0.dist-info/sboms"
    files = {f"{sboms}/bad.json": content, f"{sboms}/good.xml": "<bom/>", f"{sboms}/a.json": "{}"}
    install(tmp_path, "pkg", files={"pkg/__init__.py": "", **files})
    env = environment(tmp_path)
    environment_source(env, tmp_path)
    assert [fault.path for fault in env.faults] == [tmp_path / sboms / "bad.json"]


def test_files_belong_to_the_distribution_that_recorded_them(
    tmp_path: Path, module: Path, library: Path
) -> None:
    install(tmp_path, "One.Two", "3.1", files={f"one/core{SUFFIX}": module})
    write_files(tmp_path, {"one/stray.so": library})
    found = found_in(tmp_path)
    owned, stray = found[f"one/core{SUFFIX}"], found["one/stray.so"]
    assert (owned.distribution, owned.version) == ("one-two", "3.1")
    assert (stray.distribution, stray.version) == (None, None)


def test_a_distribution_without_python_files_installs_into_anothers_package(
    tmp_path: Path, module: Path
) -> None:
    install(tmp_path, "driver", files={"driver/__init__.py": ""})
    install(tmp_path, "driver-rust-ext", files={f"driver/_codec/core{SUFFIX}": module})
    env = environment(tmp_path)
    ((path, file),) = iter_native_files(environment_source(env, tmp_path))
    assert path == tmp_path / f"driver/_codec/core{SUFFIX}"
    assert (file.module, file.distribution) == ("driver._codec.core", "driver-rust-ext")


def test_a_bill_of_materials_makes_rust_of_a_module_but_not_of_a_bundled_library(
    tmp_path: Path, module: Path, library: Path
) -> None:
    info = "pkg-1.0.dist-info"
    files: Files = {f"pkg/core{SUFFIX}": module, "pkg.libs/libz.so.1": library,
             f"{info}/sboms/pkg.cyclonedx.json": SBOM}  # fmt: skip
    install(tmp_path, "pkg", files=files)
    packed: Files = {**files, f"{info}/sboms/": ""}  # some wheels list the folder as well
    wheel = make_wheel(tmp_path, "pkg-1.0-py3-none-any.whl", packed)
    for found in (found_in(wheel), found_in(tmp_path)):
        core, zlib = found[f"pkg/core{SUFFIX}"], found["pkg.libs/libz.so.1"]
        assert (core.provenance.rust, core.provenance.pyo3) == (True, "0.25.0")
        assert not zlib.provenance.rust
        assert core.distribution == zlib.distribution == "pkg"


def test_a_recorded_bill_of_materials_that_is_gone_says_nothing(
    tmp_path: Path, module: Path
) -> None:
    info = "pkg-1.0.dist-info"
    sbom = f"{info}/sboms/pkg.json"
    install(tmp_path, "pkg", files={f"pkg/core{SUFFIX}": module, sbom: SBOM})
    (tmp_path / sbom).unlink()
    (found,) = found_in(tmp_path).values()
    assert not found.provenance.rust


def test_a_wheel_gives_what_its_folder_would(tmp_path: Path, module: Path, library: Path) -> None:
    files = {f"pkg/core{SUFFIX}": module, "pkg/libs/libz.so.1": library, "pkg/__init__.py": ""}
    wheel = make_wheel(tmp_path, "Pkg_Name-1.0-1-cp311-abi3-linux_x86_64.whl", files)
    found = found_in(wheel)
    assert list(found) == [f"pkg/core{SUFFIX}", "pkg/libs/libz.so.1"]
    assert {(f.distribution, f.version) for f in found.values()} == {("pkg-name", "1.0")}


@pytest.mark.parametrize(
    "scheme",
    ["purelib", "platlib", "data/lib/python3.11/site-packages", "data/Lib/site-packages"],
)
def test_files_below_data_are_named_where_an_installer_puts_them(
    scheme: str, tmp_path: Path, module: Path
) -> None:
    member = f"pkg-1.0.data/{scheme}/pkg/core{SUFFIX}"
    (file,) = found_in(make_wheel(tmp_path, "pkg-1.0-py3-none-any.whl", {member: module})).values()
    assert (str(file.path), file.module) == (member, "pkg.core")


@pytest.mark.parametrize("folder", ["scripts", "data/lib", "data/site-packages.d", "headers/x"])
def test_other_files_below_data_are_no_modules(folder: str, tmp_path: Path, module: Path) -> None:
    member = f"pkg-1.0.data/{folder}/core{SUFFIX}"
    wheel = make_wheel(tmp_path, "pkg-1.0-py3-none-any.whl", {member: module})
    (file,) = found_in(wheel).values()
    assert file.module is None


def test_each_interpreters_file_in_a_wheel_is_the_same_module(tmp_path: Path, module: Path) -> None:
    names = ["pkg/core.cpython-39-x86_64-linux-gnu.so", "pkg/core.cpython-314-x86_64-linux-gnu.so",
             "pkg/core.pypy39-pp73-x86_64-linux-gnu.so"]  # fmt: skip
    wheel = make_wheel(tmp_path, "pkg-1.0-py3-none-any.whl", dict.fromkeys(names, module))
    found = found_in(wheel)
    assert sorted(found) == sorted(names)
    assert {f.module for f in found.values()} == {"pkg.core"}


def test_the_unpacked_files_are_gone_afterwards(tmp_path: Path, module: Path) -> None:
    wheel = make_wheel(tmp_path, "pkg-1.0-py3-none-any.whl", {f"core{SUFFIX}": module})
    with open_source(wheel) as source:
        (path,) = [path for path, _ in iter_native_files(source)]
        assert path.read_bytes() == module.read_bytes()
    assert not path.exists()


def test_one_file_of_an_environment(tmp_path: Path, module: Path) -> None:
    install(tmp_path, "pkg", files={f"pkg/core{SUFFIX}": module})
    source = environment_source(environment(tmp_path), tmp_path)
    file = read_native_file(tmp_path / f"pkg/core{SUFFIX}", source)
    assert (file.module, file.distribution) == ("pkg.core", "pkg")
    assert not is_rust(module)
    with pytest.raises(InvalidBinary):
        read_native_file(tmp_path / "pkg-1.0.dist-info/METADATA", source)


def test_only_the_files_that_are_asked_for_are_read(
    tmp_path: Path, module: Path, library: Path
) -> None:
    write_files(tmp_path, {"one.so": module, "two.so": library})
    source = folder_source(tmp_path)
    files = [tmp_path / "two.so", tmp_path / "gone.so", tmp_path]
    assert [f.path for _, f in iter_native_files(source, files)] == [PurePosixPath("two.so")]


# --- archives that must not be unpacked -------------------------------------------------------


def refuse(wheel: Path, match: str) -> None:
    before = sorted(wheel.parent.rglob("*"))
    with pytest.raises(InvalidWheel, match=match), open_source(wheel):
        pytest.fail("it was opened")
    assert sorted(wheel.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "member",
    ["../a.so", "a/../../b.so", "/etc/a.so", "C:/a.so", "C:a.so", "..\\a.so", "\\a.so", "."],
)
def test_members_that_lead_out_of_the_wheel_are_refused(
    member: str, tmp_path: Path, library: Path
) -> None:
    refuse(make_wheel(tmp_path, "a-1-py3-none-any.whl", {member: library}), "leads out of it")


def test_a_member_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    bomb = b"\x7fELF" + bytes(100 << 20)
    refuse(make_wheel(tmp_path, "a-1-py3-none-any.whl", {"bomb.so": bomb}), "zip bomb")


def test_many_members_that_add_up_to_a_bomb_are_refused(tmp_path: Path) -> None:
    """Each is below the limit; David Fifield's zip bomb has overlapping ones."""
    part = b"\x7fELF" + bytes(8 << 20)
    files = {f"{i}.so": part for i in range(9)}
    refuse(make_wheel(tmp_path, "a-1-py3-none-any.whl", files), "zip bomb")


def test_a_sparse_giant_is_refused_by_its_header(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "a-1-py3-none-any.whl", {"a.so": b"\x7fELF"})
    data = bytearray(wheel.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    struct.pack_into("<II", data, directory + 20, 1 << 30, 0xFFFFFFF0)
    wheel.write_bytes(data)
    refuse(wheel, "zip bomb")


def test_the_size_in_the_header_is_a_limit_on_what_is_unpacked(
    tmp_path: Path, library: Path
) -> None:
    """A header that claims less than the stream holds does not open a way round the limit."""
    wheel = make_wheel(tmp_path, "a-1-py3-none-any.whl", {"a.so": library})
    data = bytearray(wheel.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 24, 100)
    wheel.write_bytes(data)
    with pytest.raises(InvalidWheel, match="cannot be unpacked"), open_source(wheel):
        pytest.fail("it was opened")


Damage = Callable[[bytearray], None]


def flip_data(data: bytearray) -> None:
    start = 30 + int.from_bytes(data[26:28], "little")  # the first member's, behind its header
    for at in range(start + 2, start + 42):
        data[at] ^= 0x55


def encrypt(data: bytearray) -> None:
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    data[data.find(b"PK\x03\x04") + 6] |= 1


def strange_method(data: bytearray) -> None:
    struct.pack_into("<H", data, data.rfind(b"PK\x01\x02") + 10, 77)
    struct.pack_into("<H", data, data.find(b"PK\x03\x04") + 8, 77)


def newer_version(data: bytearray) -> None:
    struct.pack_into("<H", data, data.rfind(b"PK\x01\x02") + 6, 99)


def cut_off(data: bytearray) -> None:
    del data[len(data) // 2 :]


def cut_out(data: bytearray) -> None:
    del data[100:600]


@pytest.mark.parametrize(
    "damage", [flip_data, encrypt, strange_method, newer_version, cut_off, cut_out]
)
def test_a_damaged_wheel_is_refused(damage: Damage, tmp_path: Path, library: Path) -> None:
    members: Files = {"a.so": library, "a-1.dist-info/sboms/a.json": SBOM * 50}
    for member in members:
        wheel = make_wheel(tmp_path, "a-1-py3-none-any.whl", {member: members[member]})
        data = bytearray(wheel.read_bytes())
        damage(data)
        wheel.write_bytes(data)
        refuse(wheel, "cannot be unpacked")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_unpacked_and_their_damage_refused(
    method: int, tmp_path: Path, library: Path
) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", method) as archive:
        archive.write(library, "a.so")
    assert list(found_in(wheel)) == ["a.so"]
    data = bytearray(wheel.read_bytes())
    flip_data(data)
    wheel.write_bytes(data)
    refuse(wheel, "cannot be unpacked")


def test_a_member_that_is_a_file_and_a_folder_is_refused(tmp_path: Path, library: Path) -> None:
    wheel = make_wheel(tmp_path, "a-1-py3-none-any.whl", {"a": library, "a/b.so": library})
    refuse(wheel, "cannot be unpacked")


def test_a_symbolic_link_in_a_wheel_is_not_followed(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    info = zipfile.ZipInfo("link.so")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert found_in(wheel) == {}


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("a-1-py3-none-any.whl", b"text", InvalidWheel, "not a zip"),
        ("a-1-py3-none-any.whl", b"", InvalidWheel, "not a zip"),
        ("a.whl", b"text", InvalidWheel, "not named as a wheel is"),
        ("a-x-y-z.whl", b"text", InvalidWheel, "not named as a wheel is"),
        ("a.zip", b"text", InvalidWheel, "neither a wheel nor a folder"),
        ("b.whl", None, UnreadableFile, "does not exist"),
    ],
)
def test_what_is_no_wheel_is_refused(
    name: str, content: bytes | None, error: type[RustextError], said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=said), open_source(tmp_path / name):
        pytest.fail("it was opened")


def test_an_empty_wheel_is_no_error(tmp_path: Path) -> None:
    files: Mapping[str, str] = {}
    assert found_in(make_wheel(tmp_path, "a-1-py3-none-any.whl", files)) == {}


# --- what a distribution says of its files ------------------------------------------------------


def test_a_bill_of_materials_does_not_make_rust_of_another_module(
    tmp_path: Path, gcc: Compile
) -> None:
    """A C extension beside the crate that the document is about stays what it is."""
    other = gcc("speed.so", "void *PyInit_speed(void) { return 0; }", "-shared", "-fPIC")
    sbom = "pkg-1.0.dist-info/sboms/pkg.json"
    install(tmp_path, "pkg", files={f"pkg/speed{SUFFIX}": other, sbom: SBOM})
    (found,) = found_in(tmp_path).values()
    assert not found.provenance.rust
    assert found.provenance.crates == ()


def test_a_bill_of_materials_is_used_up_by_a_file_with_marks_of_its_own(
    tmp_path: Path, module: Path, gcc: Compile
) -> None:
    marked = gcc(
        "marked.so",
        'void *PyInit_marked(void) { return 0; } __attribute__((used)) static const char p[] ='
        ' "/cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.0/src/lib.rs";',
        "-shared", "-fPIC",
    )  # fmt: skip
    sbom = "pkg-1.0.dist-info/sboms/pkg.json"
    files: Files = {f"pkg/core{SUFFIX}": module, f"pkg/marked{SUFFIX}": marked, sbom: SBOM}
    install(tmp_path, "pkg", files=files)
    found = found_in(tmp_path)
    assert found[f"pkg/marked{SUFFIX}"].provenance.marks == ("panic path", "sbom")
    assert not found[f"pkg/core{SUFFIX}"].provenance.rust


@pytest.mark.parametrize("packed", [False, True])
def test_a_rust_library_is_bound_by_the_source_that_opens_it(
    packed: bool, tmp_path: Path, gcc: Compile
) -> None:
    path = "/cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.0/src/lib.rs"
    library = gcc("libengine.so", f'const char p[] = "{path}";', "-shared", "-fPIC")
    files: Files = {
        "pkg/libengine.so": library,
        "pkg/libspare.so": library,
        "pkg/_open.py": "lib = ffi.dlopen(here + '/libengine.so')",
    }
    if packed:
        root = make_wheel(tmp_path, "pkg-1.0-py3-none-any.whl", files)
    else:
        install(tmp_path, "pkg", files=files)
        root = tmp_path
    found = found_in(root)["pkg/libengine.so"]
    assert found.provenance.binding is Binding.CFFI
    assert found.explanation == "exports no PyInit_ function; opened with cffi by `pkg/_open.py`"


def test_a_damaged_source_in_a_wheel_opens_nothing(tmp_path: Path, gcc: Compile) -> None:
    path = "/cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.0/src/lib.rs"
    library = gcc("libengine.so", f'const char p[] = "{path}";', "-shared", "-fPIC")
    source = "lib = ctypes.CDLL('libengine.so')  # " + "x" * 99
    wheel = tmp_path / "pkg-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(library, "pkg/libengine.so")
        archive.writestr("pkg/_open.py", source)
    assert found_in(wheel)["pkg/libengine.so"].provenance.binding is Binding.CTYPES
    wheel.write_bytes(wheel.read_bytes().replace(b"xxx", b"yyy", 1))
    file = found_in(wheel)["pkg/libengine.so"]
    assert file.provenance.rust
    assert file.provenance.binding is Binding.NONE
