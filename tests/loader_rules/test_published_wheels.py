"""Published wheels: broken ones are reported as such, and Linux ones have ldd's libraries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rustext.discovery.native_files import folder_source, iter_native_files
from rustext.formats.binary import is_native, read_binary
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, Resolved
from rustext.plan.destinations import iter_warnings

pytestmark = pytest.mark.network
HOMEBREW = "/opt/homebrew/opt"
HOMEBREW_OPENSSL = [f"{HOMEBREW}/openssl@3/lib/lib{name}.3.dylib" for name in ("crypto", "ssl")]


@pytest.fixture
def wheel(tmp_path):
    """Download one wheel for CPython 3.11 and a platform, and unpack it."""

    def unpack(requirement: str, platform: str) -> Path:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", "--python-version", "3.11", "--platform", platform]
        command += ["--dest", str(tmp_path), requirement]
        subprocess.run(command, check=True, timeout=300)
        (archive,) = tmp_path.glob("*.whl")
        with zipfile.ZipFile(archive) as content:
            content.extractall(tmp_path / "site")
        return tmp_path / "site"

    return unpack


@pytest.mark.parametrize(
    ("requirement", "platform", "missing"),
    [
        ("featomic==0.6.7", "manylinux2014_x86_64", ["libmetatensor.so"]),
        ("featomic==0.6.7", "macosx_11_0_arm64", ["@rpath/libmetatensor.dylib"]),
        (
            "johnnycanencrypt==0.18.0",
            "macosx_15_0_arm64",
            [
                "/opt/homebrew/opt/gmp/lib/libgmp.10.dylib",
                "/opt/homebrew/opt/nettle/lib/libhogweed.6.dylib",
                "/opt/homebrew/opt/nettle/lib/libnettle.8.dylib",
            ],
        ),
        ("polars-avro==0.13.0", "macosx_11_0_arm64", ["/opt/homebrew/opt/xz/lib/liblzma.5.dylib"]),
        ("needletail==0.7.3", "macosx_11_0_arm64", ["/opt/homebrew/opt/xz/lib/liblzma.5.dylib"]),
        ("bittensor-wallet==4.1.1", "macosx_11_0_arm64", HOMEBREW_OPENSSL),
        ("chia-rs==0.53.0", "macosx_13_0_arm64", HOMEBREW_OPENSSL),
        ("clvm-rs==0.21.0", "macosx_15_0_arm64", HOMEBREW_OPENSSL),
        ("arrow-odbc==10.6.2", "macosx_11_0_arm64", [f"{HOMEBREW}/unixodbc/lib/libodbc.2.dylib"]),
    ],
)
def test_libraries_of_a_build_machine_are_missing(wheel, requirement, platform, missing):
    resolver = Resolver(loader=Loader())
    files = [file for file in wheel(requirement, platform).rglob("*") if file.is_file()]
    edges = [e for f in files if is_native(f) for e in resolver.resolve(f).missing]
    assert sorted({edge.soname for edge in edges}) == missing
    # featomic's macOS library has no LC_RPATH at all: dyld looks nowhere for @rpath
    assert all(edge.searched or edge.soname.startswith("@rpath/") for edge in edges)


def test_a_library_of_another_distribution_counts_once_it_is_loaded(wheel):
    """featomic opens metatensor's library before its own."""
    site = wheel("featomic==0.6.7", "manylinux2014_x86_64")
    loaded = {"libmetatensor.so": site / "metatensor/lib/libmetatensor.so"}
    graph = Resolver(loader=Loader(loaded=loaded)).resolve(site / "featomic/lib/libfeatomic.so")
    assert graph.missing == ()
    assert {e.how for e in graph.edges if e.soname == "libmetatensor.so"} == {FoundBy.LOADED}


def test_run_path_of_a_build_machine_is_kept_and_searched_first(wheel):
    """levenshtein-rs works all the same: the default folders have what it needs."""
    site = wheel("levenshtein-rs==0.1.8", "manylinux_2_34_x86_64")
    (module,) = site.glob("levenshtein_rs/*.so")
    runpath = read_binary(module).image.runpath
    assert [folder.split("/")[1] for folder in runpath] == ["home", "nix", "nix"]
    empty = site.parent / "a machine without libraries"
    empty.mkdir()
    graph = Resolver(loader=Loader(root=empty)).resolve(module)
    looked = [s.path for s in graph.missing[0].searched]
    assert looked[:3] == [f"{folder}/libgcc_s.so.1" for folder in runpath]


def test_an_extension_that_others_need_is_found_as_a_library(wheel):
    """ddtrace's profiling modules need its Rust module through another module."""
    site = wheel("ddtrace==4.16.0", "manylinux2014_x86_64")
    profiling = site / "ddtrace/internal/datadog/profiling"
    suffix = "cpython-311-x86_64-linux-gnu.so"
    native = site / f"ddtrace/internal/native/_native.{suffix}"
    stack = profiling / f"stack/_stack.{suffix}"
    graph = Resolver(loader=Loader()).resolve(stack)
    assert graph.missing == ()
    found = {e.soname: e for e in graph.edges if isinstance(e, Resolved)}
    wrapper = found[f"libdd_wrapper.{suffix}"]
    assert wrapper.path.resolve() == profiling / f"libdd_wrapper.{suffix}"
    assert (wrapper.how, wrapper.needed_by) == (FoundBy.RPATH, stack)
    # the Rust module has the same name on disk as its soname, so a second request is met by it
    needed = found[f"_native.{suffix}"]
    assert needed.path.resolve() == native
    assert needed.needed_by.name == f"libdd_wrapper.{suffix}"
    with_native = Loader(loaded={native.name: native})
    (again,) = [
        e for e in Resolver(loader=with_native).resolve(stack).edges if e.soname == native.name
    ]
    assert (again.how, again.path) == (FoundBy.LOADED, native)


def test_an_extension_under_another_name_is_found_once_it_is_loaded(wheel):
    """What becomes of ddtrace where Nuitka shortens the suffix of its Rust module."""
    site = wheel("ddtrace==4.16.0", "manylinux2014_x86_64")
    suffix = "cpython-311-x86_64-linux-gnu.so"
    wrapper = site / f"ddtrace/internal/datadog/profiling/libdd_wrapper.{suffix}"
    files = list(iter_native_files(folder_source(site)))
    (file,) = [f for path, f in files if path == wrapper]
    graph = Resolver(loader=Loader()).resolve(wrapper)
    (finding,) = iter_warnings(file, graph, site, siblings=files)
    expected = f"`{wrapper.name}` needs `_native.{suffix}`, which Nuitka calls `_native.so`"
    assert finding.message == expected
    native = site / f"ddtrace/internal/native/_native.{suffix}"
    renamed = native.rename(native.with_name("_native.so"))

    def opened(*paths: Path) -> str:
        code = "import ctypes, sys; [ctypes.CDLL(path) for path in sys.argv[1:]]"
        command = [sys.executable, "-c", code, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stderr

    assert f"_native.{suffix}: cannot open shared object file" in opened(wrapper)
    assert opened(renamed, wrapper) == ""


@pytest.mark.parametrize(
    ("requirement", "platform"),
    [
        ("tket==0.15.12", "manylinux_2_28_x86_64"),
        ("levenshtein-rs==0.1.8", "manylinux_2_34_x86_64"),
        ("ddtrace==4.16.0", "manylinux2014_x86_64"),
    ],
)
def test_ldd_finds_the_same_libraries(wheel, requirement, platform):
    site = wheel(requirement, platform)
    resolver, compared = Resolver(loader=Loader()), 0
    for file in filter(Path.is_file, site.rglob("*")):
        if not is_native(file):
            continue
        text = subprocess.run(
            ["ldd", file],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={"PATH": os.environ["PATH"]},
        ).stdout
        expected = dict(re.findall(r"\t(\S+) => (\S+) \(0x", text))
        edges = resolver.resolve(file).edges
        found = {
            e.soname: str(e.path)
            for e in edges
            if isinstance(e, Resolved) and e.how is not FoundBy.LOADED
        }
        assert found == expected
        compared += len(expected)
    assert compared
