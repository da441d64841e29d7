"""What Nuitka's macOS scanner is told; `tests/loader_rules/test_macos_scanners.py` asks Nuitka."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install

from rustext.config import Config
from rustext.errors import InvalidBinary
from rustext.formats.binary import read_binary
from rustext.freezing.nuitka.install_names import InstallNames, iter_links, unknown_name
from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.plan.planner import Planner

OWN, DEEP = "int own(void) { return 1; }", "int deep(void) { return 1; }"
MODULE = "int own(void); int PyInit_mod(void) { return own(); }"
ALONE = "int PyInit_mod(void) { return 1; }"


@pytest.fixture
def build(zig: Callable[[str], Compile]) -> Callable[..., Path]:
    """`build(name, source, install_name, *flags)`: a library for macOS on arm64."""
    compile_c = zig("aarch64-macos")

    def library(name: str, source: str, own: str, *flags: str) -> Path:
        return compile_c(name, source, "-shared", f"-Wl,-install_name,{own}", *flags)

    return library


@pytest.mark.parametrize(
    ("own", "package", "unknown"),
    [
        ("@rpath/mod.abi3.so", "pkg", None),  # the file's own name
        ("/build/machine/mod.abi3.so", None, None),
        ("@rpath/pkg.mod.abi3.so", "pkg", None),  # after the package, as Nuitka knows it
        ("@rpath/pkg.mod.abi3.so", None, "pkg.mod.abi3.so"),
        ("@rpath/mod.cpython-37m-darwin.so", "pkg", "mod.cpython-37m-darwin.so"),
        ("/build/machine/libmod.dylib", "pkg", "libmod.dylib"),
    ],
)
def test_a_name_that_ends_in_the_files_own_needs_no_telling(
    build, own: str, package: str | None, unknown: str | None
) -> None:
    assert unknown_name(read_binary(build("mod.abi3.so", ALONE, own)), package) == unknown


def test_the_file_is_shown_by_a_link_with_the_name_that_it_calls_itself(
    build, tmp_path: Path
) -> None:
    module = build("mod.abi3.so", ALONE, "/build/machine/libmod.dylib")
    site = tmp_path / "site-packages"
    install(site, "pkg", files={"pkg/mod.abi3.so": module})
    names = InstallNames(Planner(environment(site), Config()))
    shown = names.stand_in(site / "pkg/mod.abi3.so", "pkg")
    assert shown.name == "libmod.dylib"
    assert not shown.is_relative_to(site)
    assert shown.resolve() == (site / "pkg/mod.abi3.so").resolve()
    assert names.stand_in(site / "pkg/mod.abi3.so", "pkg") == shown
    assert not names.needs_outside("pkg.mod")


def test_the_links_go_with_the_answers(build, tmp_path: Path) -> None:
    module = build("mod.abi3.so", ALONE, "@rpath/other.so")
    names = InstallNames(Planner(environment(tmp_path), Config()))
    shown = names.stand_in(module, None)
    assert shown.is_symlink()
    del names
    assert not os.path.lexists(shown)


def test_other_files_are_shown_as_they_are(build, gcc: Compile, tmp_path: Path) -> None:
    names = InstallNames(Planner(environment(tmp_path), Config()))
    elf = gcc("mod.so", ALONE, "-shared", "-fPIC", "-Wl,-soname,other.so")
    text = tmp_path / "text"
    text.write_text("no native file")
    good = build("mod.abi3.so", ALONE, "@rpath/mod.abi3.so")
    for path in (elf, text, tmp_path / "gone", good):
        assert names.stand_in(path, "pkg") == path
        assert names.stops(path) == ()
    broken = tmp_path / "broken.so"
    broken.write_bytes(good.read_bytes()[:200])
    with pytest.raises(InvalidBinary):
        names.stand_in(broken, "pkg")


def test_what_the_file_finds_from_its_place_is_found_from_the_links(build, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    deep = build("deep.dylib", DEEP, "@loader_path/../deep/er/deep.dylib")
    own = build("own.dylib", OWN, "@rpath/own.dylib", str(deep))
    flags = (str(own), "-Wl,-rpath,@loader_path/../libs")
    module = build("mod.abi3.so", MODULE, "@rpath/crate.so", *flags)
    install(
        site,
        "pkg",
        files={"pkg/mod.abi3.so": module, "libs/own.dylib": own, "deep/er/deep.dylib": deep},
    )
    names = InstallNames(Planner(environment(site), Config()))
    shown = names.stand_in(site / "pkg/mod.abi3.so", "pkg")
    assert names.needs_outside("pkg.mod")
    assert not names.needs_outside("pkg.other")
    assert shown.name == "crate.so"
    # Nuitka looks for @rpath in the file's own folder first, and for @loader_path from there
    beside = shown.with_name("own.dylib")
    assert beside.resolve() == (site / "libs/own.dylib").resolve()
    graph = resolve(site / "pkg/mod.abi3.so", loader=Loader())
    wanted = {edge.path.resolve() for edge in graph.edges if edge.path is not None}
    links = dict(iter_links(graph, shown))
    assert {path.resolve() for path in links} == {*wanted, shown.resolve()}


def test_missing_libraries_are_named_unless_another_distribution_has_them(
    build, tmp_path: Path
) -> None:
    site = tmp_path / "site-packages"
    own = build("libown.dylib", OWN, "@rpath/libown.dylib")
    module = build("mod.abi3.so", MODULE, "@rpath/mod.abi3.so", str(own))
    install(site, "pkg", files={"pkg/mod.abi3.so": module, "pkg/__init__.py": ""})
    alone = InstallNames(Planner(environment(site), Config()))
    path = site / "pkg/mod.abi3.so"
    wanted = f"'{path}' needs '@rpath/libown.dylib', which was not found; Nuitka will abort"
    assert alone.stops(path) == (wanted,)
    assert alone.folders("pkg") == ()
    install(site, "core", files={"core/lib/libown.dylib": own})
    names = InstallNames(Planner(environment(site), Config()))
    assert names.stops(path) == ()
    assert names.folders("pkg") == (site / "core/lib",)
    assert names.folders("pkg.sub") == names.folders("unknown") == ()


def test_a_header_without_room_is_named_before_install_name_tool_fails(
    build, tmp_path: Path
) -> None:
    site = tmp_path / "site-packages"
    own = build("own.dylib", OWN, "@loader_path/own.dylib")
    files = {"pkg/own.dylib": own}
    for name, room in {"small": 0, "large": 4096}.items():
        flags = (str(own), f"-Wl,-headerpad,{room:#x}")
        files[f"pkg/{name}.abi3.so"] = build(f"{name}.abi3.so", MODULE, f"@rpath/{name}.so", *flags)
    install(site, "pkg", files=files)
    names = InstallNames(Planner(environment(site), Config()))
    small, large = (read_binary(site / f"pkg/{name}.abi3.so").image for name in ("small", "large"))
    assert small.header_pad < large.header_pad
    (text,) = names.stops(site / "pkg/small.abi3.so")
    assert "bytes of room for new install names, and Nuitka needs" in text
    assert "-headerpad_max_install_names" in text
    assert names.stops(site / "pkg/large.abi3.so") == ()
