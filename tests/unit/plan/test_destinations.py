"""Where freezers put files. The linker is the second source for the size of load commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pytest
from compiling import MODULE, Compile
from environments import environment, install, write_files
from macholib.MachO import MachO

from rustext.config import Config
from rustext.formats.binary import read_binary
from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, LibraryGraph, Resolved
from rustext.model.native_file import NativeFile, Provenance
from rustext.model.plan import Companion, CompanionKind
from rustext.plan.destinations import (
    HeaderEdits,
    Layout,
    Move,
    check_destinations,
    find_collisions,
    header_edits,
    header_growth,
    iter_moves,
    iter_warnings,
    module_destination,
)
from rustext.plan.planner import Planner

Build = Callable[..., Path]


@pytest.fixture
def dylib(zig: Callable[[str], Compile], tmp_path: Path) -> Build:
    """`dylib(name, install, needs=, rpaths=, pad=)`: a library for macOS on arm64."""
    compile_file = zig("aarch64-macos")

    def build(
        name: str,
        install: str,
        *,
        needs: Sequence[Path] = (),
        rpaths: Sequence[str] = (),
        pad: int | None = None,
    ) -> Path:
        flags = [f"-Wl,-install_name,{install}", *(f"-Wl,-rpath,{r}" for r in rpaths)]
        flags += [] if pad is None else [f"-Wl,-headerpad,{pad:#x}"]
        made = compile_file("made.dylib", MODULE, "-shared", *flags, *map(str, needs))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, path)  # the compiler remembers what it has made
        return path

    return build


def commands_size(path: Path) -> int:
    size: int = MachO(str(path)).headers[0].header.sizeofcmds
    return size


def native(
    path: str, binary: Path, module: str | None = None, suffix: str | None = None
) -> NativeFile:
    return NativeFile(
        path=PurePosixPath(path),
        distribution=None,
        version=None,
        binary=read_binary(binary),
        provenance=Provenance(rust=True),
        module=module,
        suffix=suffix,
        naming=(),
        explanation="",
    )


def found(name: str, path: Path, by: Path) -> Resolved:
    return Resolved(soname=name, path=path, how=FoundBy.RPATH, needed_by=by)


# --- what moves where -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "module", "suffix", "nuitka"),
    [
        ("a/_b.cpython-311-darwin.so", "a._b", ".cpython-311-darwin.so", "a/_b.so"),
        ("a/_b.abi3.so", "a._b", ".abi3.so", "a/_b.so"),
        ("a.so", "a", ".so", "a.so"),
        ("a/__init__.abi3.so", "a", ".abi3.so", "a/__init__.so"),
        ("a/b.cp311-win_amd64.pyd", "a.b", ".cp311-win_amd64.pyd", "a/b.pyd"),
        ("a/libb.so", None, None, "a/libb.so"),
    ],
)
def test_nuitka_names_a_module_with_the_shortest_suffix_and_pyinstaller_keeps_the_name(
    path: str, module: str | None, suffix: str | None, nuitka: str, elf_module: Path
) -> None:
    file = native(path, elf_module, module, suffix)
    assert module_destination(file, Layout.NUITKA) == PurePosixPath(nuitka)
    assert module_destination(file, Layout.PYINSTALLER) == PurePosixPath(path)


def test_nuitka_flattens_libraries_and_pyinstaller_links_to_them_from_the_top(
    elf_module: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    root, lib = site / "a/m.so", site / "a/../a.libs/libx.so"
    graph = LibraryGraph(
        root=root,
        edges=(
            found("libx.so", lib, root),
            found("libx.so", site / "a.libs/libx.so", lib),
            found("libkept.so", site / "b/libkept.so", root),
            found("libtop.so", site / "libtop.so", root),
            found("libc.so.6", Path("/lib/libc.so.6"), root),
        ),
    )
    file = native("a/m.abi3.so", elf_module, "a.m", ".abi3.so")
    placed = {site / "b/libkept.so": PurePosixPath("b/libkept.so")}
    moved = {
        layout: [
            (str(m.source.relative_to(site)), str(m.destination), m.link and str(m.link))
            for m in iter_moves(file, graph, site, layout, placed=placed)
        ]
        for layout in Layout
    }
    assert moved[Layout.NUITKA] == [
        ("a/m.so", "a/m.so", None),
        ("a.libs/libx.so", "libx.so", None),
        ("b/libkept.so", "b/libkept.so", None),
        ("libtop.so", "libtop.so", None),
    ]
    assert moved[Layout.PYINSTALLER] == [
        ("a/m.so", "a/m.abi3.so", None),
        ("a.libs/libx.so", "a.libs/libx.so", "libx.so"),
        ("b/libkept.so", "b/libkept.so", None),
        ("libtop.so", "libtop.so", None),
    ]


def test_two_libraries_of_one_name_collide_at_the_top() -> None:
    one, two = Path("/s/a.libs/libx.so"), Path("/s/b.libs/libx.so")
    moves = [
        Move(
            source=source,
            destination=PurePosixPath(*source.parts[2:]),
            link=PurePosixPath("libx.so"),
        )
        for source in (one, two, one)
    ]
    (finding,) = find_collisions(moves, Layout.PYINSTALLER)
    assert (finding.id, finding.subject) == ("duplicate-library", "libx.so")
    assert finding.evidence == (("first", str(one)), ("second", str(two)))


def test_a_module_that_others_need_by_its_file_name_is_lost_under_another_name(
    gcc: Compile, tmp_path: Path
) -> None:
    """ddtrace's libdd_wrapper needs `_native.cpython-311-….so`, which Nuitka calls `_native.so`."""
    site = tmp_path / "site"
    name = "_native.cpython-311-x86_64-linux-gnu.so"
    (site / "p").mkdir(parents=True)
    made = gcc("n.so", MODULE, "-shared", "-fPIC", f"-Wl,-soname,{name}")
    needed = Path(shutil.copy(made, site / "p" / name))
    flags = ("-Wl,--no-as-needed", str(needed), "-Wl,-rpath,$ORIGIN")
    wrapper = Path(shutil.copy(gcc("w.so", "", "-shared", "-fPIC", *flags), site / "p/libwrap.so"))
    graph = resolve(wrapper, loader=Loader())
    assert graph.missing == ()
    file = native("p/libwrap.so", wrapper)
    sibling = native(f"p/{name}", needed, "p._native", ".cpython-311-x86_64-linux-gnu.so")
    (finding,) = iter_warnings(file, graph, site, siblings=[(needed, sibling)])
    assert (finding.id, finding.subject) == ("missing-library", name)
    assert finding.message == f"`libwrap.so` needs `{name}`, which Nuitka calls `_native.so`"
    # as a companion it stays what it is
    companion = Companion(
        path=needed, destination=sibling.path, kind=CompanionKind.LIBRARY, reason=""
    )
    assert list(iter_warnings(file, graph, site, companions=[companion])) == []


def test_a_needed_path_stays_the_path_of_one_machine(gcc: Compile, tmp_path: Path) -> None:
    library = Path(shutil.copy(gcc("libx.so", MODULE, "-shared", "-fPIC"), tmp_path / "libx.so"))
    module = gcc("m.so", "", "-shared", "-fPIC", "-Wl,--no-as-needed", str(library))
    module = Path(shutil.copy(module, tmp_path / "m.so"))
    graph = resolve(module, loader=Loader())
    file = native("m.so", module, "m", ".so")
    findings = [f for lay in Layout for f in check_destinations(file, graph, tmp_path, lay)]
    assert [f.subject for f in findings] == [str(library), str(library)]
    assert "by its path" in findings[0].message


# --- Mach-O headers ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 2, 6, 7, 8, 9, 30])
def test_growth_is_what_the_linker_makes_of_a_longer_install_name(
    length: int, dylib: Build
) -> None:
    old, new = "@rpath/short.dylib", f"@rpath/short{'x' * length}.dylib"
    before, after = dylib("before.dylib", old), dylib("after.dylib", new)
    growth = header_growth(read_binary(before).image, HeaderEdits(install_name=new))
    assert growth == commands_size(after) - commands_size(before)
    back = header_growth(read_binary(after).image, HeaderEdits(install_name=old))
    assert back == -growth


def test_growth_is_what_the_linker_makes_of_libraries_and_run_paths(
    dylib: Build, zig: Callable[[str], Compile]
) -> None:
    short = dylib("short.dylib", "@rpath/s.dylib")
    long = dylib("long.dylib", "@executable_path/some/where/else/s.dylib")
    before = dylib("before.dylib", "@rpath/b", needs=[short], rpaths=["@loader_path/gone"])
    rpath = "@loader_path/../../.."
    after = dylib("after.dylib", "@rpath/b", needs=[long], rpaths=[rpath])
    edits = HeaderEdits(
        libraries={"@rpath/s.dylib": "@executable_path/some/where/else/s.dylib"},
        removed_rpaths=("@loader_path/gone",),
        added_rpaths=(rpath,),
    )
    image = read_binary(before).image
    assert image.signature
    assert header_growth(image, edits) == commands_size(after) - commands_size(before)
    intel = zig("x86_64-macos")("intel.dylib", MODULE, "-shared", "-Wl,-install_name,x")
    unsigned = read_binary(intel).image
    assert unsigned.signature is None
    assert header_growth(unsigned, HeaderEdits()) == 16


def test_a_header_without_room_is_found_before_install_name_tool_fails(
    dylib: Build, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    for pad, fits in ((512, True), (0, False)):
        other = dylib("site/p/q/x.dylib", "@loader_path/x.dylib")
        module = dylib("site/p/q/m.so", "@rpath/m.so", needs=[other], pad=pad)
        image = read_binary(module).image
        graph = resolve(module, loader=Loader())
        assert graph.missing == ()
        file = native("p/q/m.so", module, "p.q.m", ".so")
        moves = list(iter_moves(file, graph, site, Layout.PYINSTALLER))
        edits = header_edits(image, graph, moves, Layout.PYINSTALLER)
        assert edits == HeaderEdits(
            install_name="@rpath/m.so",
            libraries={"@loader_path/x.dylib": "@rpath/x.dylib"},
            added_rpaths=("@loader_path/../..",),
        )
        growth = header_growth(image, edits)
        assert growth == 24
        assert image.header_pad is not None
        assert (growth <= image.header_pad) == fits, image.header_pad
        findings = list(check_destinations(file, graph, site, Layout.PYINSTALLER))
        assert [f.id for f in findings] == ([] if fits else ["install-name"])
        if findings:
            assert f"{image.header_pad} bytes of room" in findings[0].message
            assert "PyInstaller needs 24" in findings[0].message
            assert ("adds", "run path @loader_path/../..") in findings[0].evidence
            assert findings[0].hint is not None
            assert "-headerpad_max_install_names" in findings[0].hint


def test_a_plan_warns_of_what_will_not_load_from_its_place(gcc: Compile, tmp_path: Path) -> None:
    site, name = tmp_path / "site", "_native.cpython-311-x86_64-linux-gnu.so"
    soname = f"-Wl,-soname,{name}"
    source = "int PyInit__native(void) { return 0; }"
    native_module = gcc("n.so", source, "-shared", "-fPIC", soname)
    write_files(site, {f"p/{name}": native_module})
    flags = ("-Wl,--no-as-needed", str(site / "p" / name), "-Wl,-rpath,$ORIGIN")
    other = gcc("w.so", MODULE, "-shared", "-fPIC", *flags)
    install(site, "p", files={f"p/{name}": native_module, "p/demo.abi3.so": other})
    planner = Planner(environment(site), Config())
    dist = planner.env.distributions["p"]
    plans = {
        f.path.name: planner.plan_file(path, f) for path, f in planner.catalogue.native_files(dist)
    }
    assert plans[name].warnings == ()
    (warning,) = plans["demo.abi3.so"].warnings
    assert warning == (
        f"`demo.abi3.so` needs `{name}`, which Nuitka calls `_native.so`; "
        "it loads if the program imports that module first"
    )
