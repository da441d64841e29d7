"""musl's rules; with network also checked against musl's own loader, from Debian's package."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, Missing, Resolved

LDSO = "prefix/lib/ld-musl-x86_64.so.1"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Download Debian's package of musl for this machine, and unpack it."""
    folder = tmp_path_factory.mktemp("musl")
    subprocess.run(["apt-get", "download", "musl"], cwd=folder, check=True, timeout=120)
    (archive,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, folder / "root"], check=True, timeout=60)
    return folder / "root/lib/x86_64-linux-musl/libc.so"


class Musl:
    """Builds programs without a C library, whose interpreter is called as musl's."""

    def __init__(self, lab, real: Path | None) -> None:
        self.lab = lab
        self.real = real
        self.ldso = lab.path(LDSO)
        self.ldso.write_bytes(real.read_bytes() if real else b"")
        self.ldso.chmod(0o755)

    def library(self, name, *needs, **options):
        return self.lab.library(name, "-nostdlib", needs=needs, **options)

    def program(self, name, *needs, **options):
        interpreter = f"-Wl,--dynamic-linker={self.ldso}"
        entry = "-Wl,-e,symbol_1,-pie"
        options.setdefault("soname", "")
        return self.lab.library(name, "-nostdlib", interpreter, entry, needs=needs, **options)

    def agree(self, program, **environ):
        loader = Loader().with_environ(environ)
        graph = resolve(program, loader=loader)
        if self.real:
            done = subprocess.run(
                [self.ldso, "--list", program],
                env=environ,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                cwd="/",
            )
            listed = dict(re.findall(r"\t(\S+) => (\S+) \(0x", done.stdout))
            ours = {
                Path(e.soname).name if "/" in e.soname else e.soname: str(e.path)
                for e in reversed(graph.edges)
                if isinstance(e, Resolved)
            }
            listed = {Path(name).name: path for name, path in listed.items()}
            assert listed == ours, done.stdout + done.stderr
            assert bool(graph.missing) == (done.returncode != 0), done.stderr
        return graph


@pytest.fixture(params=["rules", pytest.param("loader", marks=pytest.mark.network)])
def musl(lab, request):
    real = request.getfixturevalue("package") if request.param == "loader" else None
    return Musl(lab, real)


def found(musl, graph, name):
    edge = musl.lab.edge(graph, name)
    assert isinstance(edge, Resolved), edge
    return edge


def test_library_path_is_searched_before_any_rpath(musl):
    for folder in ("rpath", "env"):
        musl.library(f"{folder}/libx.so")
    program = musl.program("app", "rpath/libx.so", rpath="$ORIGIN/rpath")
    graph = musl.agree(program, LD_LIBRARY_PATH=str(musl.lab.folder / "env"))
    assert found(musl, graph, "libx.so").how is FoundBy.ENV


@pytest.mark.parametrize("tag", ["rpath", "runpath"])
def test_rpath_and_runpath_alike_are_inherited(musl, tag):
    musl.library("libs/libleaf.so")
    musl.library("libs/libmid.so", "libs/libleaf.so")
    program = musl.program("app", "libs/libmid.so", **{tag: "${ORIGIN}/libs"})
    graph = musl.agree(program)
    assert found(musl, graph, "libleaf.so").how.value == tag


def test_the_nearest_run_path_comes_first(musl):
    for folder in ("near", "far"):
        musl.library(f"{folder}/libleaf.so")
    musl.library("far/libmid.so", "near/libleaf.so", runpath="$ORIGIN/../near")
    program = musl.program("app", "far/libmid.so", runpath="$ORIGIN/far")
    leaf = found(musl, musl.agree(program), "libleaf.so")
    assert leaf.path.resolve() == musl.lab.folder / "near/libleaf.so"


def test_an_empty_runpath_takes_the_place_of_the_rpath(musl):
    musl.library("libs/libx.so")
    program = musl.program("app", "libs/libx.so", rpath=str(musl.lab.folder / "libs"))
    data = program.read_bytes()  # no linker writes both tags: turn DT_DEBUG into DT_RUNPATH ""
    debug = data.index((21).to_bytes(8, "little") + bytes(8))
    program.write_bytes(data[:debug] + (29).to_bytes(8, "little") + data[debug + 8 :])
    dynamic = musl.lab.run(["readelf", "-d", str(program)])
    assert "(RPATH)" in dynamic
    assert "Library runpath: []" in dynamic
    missing = musl.lab.edge(musl.agree(program), "libx.so")
    assert isinstance(missing, Missing)


def test_a_run_path_with_another_token_is_void(musl):
    musl.library("libs/libx.so")
    program = musl.program("app", "libs/libx.so", rpath="$ORIGIN/libs:$LIB/other")
    missing = musl.lab.edge(musl.agree(program), "libx.so")
    assert isinstance(missing, Missing)
    assert {place.how for place in missing.searched} == {FoundBy.DEFAULT}


def test_names_of_the_c_library_mean_the_loader(musl):
    musl.library("libs/libpthread.so.0")
    program = musl.program("app", "libs/libpthread.so.0", rpath="$ORIGIN/libs")
    assert found(musl, musl.agree(program), "libpthread.so.0").path == musl.ldso


def test_the_path_file_beside_the_loader_replaces_the_default_folders(musl):
    musl.library("opt/libx.so")
    program = musl.program("app", "opt/libx.so")
    file = musl.lab.path("prefix/etc/ld-musl-x86_64.path")
    file.write_text(f"/nowhere:{musl.lab.folder}/opt\n/else\n")
    assert found(musl, musl.agree(program), "libx.so").how is FoundBy.DEFAULT
    file.write_text("/nowhere\n/else\n")
    missing = musl.lab.edge(musl.agree(program), "libx.so")
    assert [place.path for place in missing.searched] == ["/nowhere/libx.so", "/else/libx.so"]


def test_without_a_path_file_there_are_three_default_folders(musl):
    musl.library("gone/libx.so")
    program = musl.program("app", "gone/libx.so")
    missing = musl.lab.edge(musl.agree(program), "libx.so")
    folders = ["/lib", "/usr/local/lib", "/usr/lib"]
    assert [place.path for place in missing.searched] == [f"{f}/libx.so" for f in folders]


def test_a_loaded_soname_does_not_count_only_a_file_name_does(musl):
    musl.library("a/libx-1.so", soname="libx.so")
    musl.library("b/libx.so")
    musl.lab.library("a/libname.so", "-nostdlib", soname="libx-1.so")
    program = musl.program("app", "a/libname.so", "b/libx.so", rpath="$ORIGIN/a")
    graph = musl.agree(program)
    assert found(musl, graph, "libx-1.so").path == musl.lab.folder / "a/libx-1.so"
    assert isinstance(musl.lab.edge(graph, "libx.so"), Missing)


def test_a_file_for_another_machine_ends_the_search(musl):
    """musl does not look at the machine; it maps the file and crashes, so only rules are tested."""
    musl.real = None
    musl.lab.zig("a/libx.so", "x86-linux-gnu")
    musl.library("b/libx.so")
    program = musl.program("app", "b/libx.so", rpath="$ORIGIN/a:$ORIGIN/b")
    missing = musl.lab.edge(musl.agree(program), "libx.so")
    assert [bool(place.rejected) for place in missing.searched] == [True]


def test_a_library_without_interpreter_shows_musl_by_the_c_librarys_name(lab):
    lab.library("libc.musl-x86_64.so.1", "-nostdlib")
    lab.library("libs/libleaf.so", "-nostdlib")
    lab.library("libs/libmid.so", "-nostdlib", needs=("libs/libleaf.so",))
    extension = lab.library(
        "mod.so",
        "-nostdlib",
        needs=("libc.musl-x86_64.so.1", "libs/libmid.so"),
        runpath="$ORIGIN/libs",
    )
    graph = resolve(extension, loader=Loader(root=lab.folder))
    assert isinstance(lab.edge(graph, "libleaf.so"), Resolved)  # glibc would not inherit
    (missing,) = graph.missing
    assert missing.soname == "libc.musl-x86_64.so.1"


def test_a_musl_extension_in_a_glibc_program_is_judged_by_glibc(lab):
    lab.library("libc.musl-x86_64.so.1", "-nostdlib")
    extension = lab.library("mod.so", "-nostdlib", needs=("libc.musl-x86_64.so.1",))
    graph = resolve(extension, loader=Loader(executable=lab.program("app")))
    (missing,) = graph.missing
    assert any(place.path.startswith("/lib/x86_64-linux-gnu") for place in missing.searched)
