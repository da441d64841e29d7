"""aarch64 and armv7 programs under qemu, against glibc's loader of Debian's package for each.

The system that they are judged against is the unpacked package: a foreign root.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian import mirror
from ld_debug import OPENER, parse_ld_debug

from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, Missing, Resolved

pytestmark = pytest.mark.network
ZIG = (sys.executable, "-m", "ziglang")


@dataclass(frozen=True)
class Machine:
    target: str
    architecture: str  # of Debian
    qemu: Path
    root: Path


def download(folder: Path, package: str, architecture: str) -> Path:
    """Download and unpack a package of Debian without touching this system's package lists."""
    state = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb {mirror()} bookworm main\n")
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "-",
    }
    apt = [
        "apt-get",
        *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
    ]
    for command in (["update"], ["download", package]):
        subprocess.run([*apt, *command], cwd=folder, check=True, timeout=300, capture_output=True)
    (archive,) = folder.glob("*.deb")
    root = folder / "root"
    subprocess.run(["dpkg-deb", "-x", archive, root], check=True, timeout=120)
    return root


@pytest.fixture(scope="module")
def qemu(tmp_path_factory):
    return download(tmp_path_factory.mktemp("qemu"), "qemu-user-static", "amd64") / "usr/bin"


@pytest.fixture(scope="module", params=["arm64", "armhf"])
def machine(request, qemu, tmp_path_factory):
    target, emulator = {
        "arm64": ("aarch64-linux-gnu.2.36", "qemu-aarch64-static"),
        "armhf": ("arm-linux-gnueabihf.2.36", "qemu-arm-static"),
    }[request.param]
    root = download(tmp_path_factory.mktemp(request.param), "libc6", request.param)
    return Machine(target, request.param, qemu / emulator, root)


def library(lab, machine, name, *needs, **tags):
    """Build a library without a C library; `rpath` or `runpath` as for other tests."""
    code = lab.path(f"{name}.c")
    code.write_text("int nothing;\n")
    unit = lab.path(f"{name}.o")
    lab.run([*ZIG, "cc", "-target", machine.target, "-fPIC", "-c", str(code), "-o", str(unit)])
    options = ["-shared", "-soname", Path(name).name, "--no-as-needed"]
    for tag, value in tags.items():
        options += [f"--{'enable' if tag == 'runpath' else 'disable'}-new-dtags", "-rpath", value]
    output = lab.path(name)
    libraries = [str(lab.folder / need) for need in needs]
    lab.run([*ZIG, "ld.lld", "-o", str(output), str(unit), *options, *libraries])
    return output


def agree(lab, machine, extension, **environ):
    """Open an extension in a program under qemu, and compare each library with our answer."""
    program = lab.zig("bin/app", machine.target, source=OPENER)
    done = subprocess.run(
        [machine.qemu, "-L", machine.root, program, extension],
        env={"LD_DEBUG": "libs", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
    )
    tried, mapped = parse_ld_debug(done.stderr)
    assert any("libc.so.6" in path for path in mapped), done.stderr
    loader = Loader(root=machine.root, executable=program).with_environ(environ)
    graph = resolve(extension, loader=loader)
    absent = [edge for edge in graph.edges if isinstance(edge, Missing)]
    assert (done.returncode != 0) == bool(absent), done.stdout
    for edge in graph.edges:
        if isinstance(edge, Resolved) and edge.how is not FoundBy.LOADED and not absent:
            assert Path(tried[edge.soname][-1]).name == edge.path.name
            assert str(edge.path).endswith(tried[edge.soname][-1])
    if absent:
        assert [place.path for place in absent[0].searched] == tried[absent[0].soname]
    return graph


def test_rpath_is_inherited(lab, machine):
    library(lab, machine, "libs/libleaf.so")
    library(lab, machine, "libs/libmid.so", "libs/libleaf.so")
    extension = library(lab, machine, "ext/mod.so", "libs/libmid.so", rpath="$ORIGIN/../libs")
    graph = agree(lab, machine, extension)
    assert lab.edge(graph, "libleaf.so").how is FoundBy.RPATH


def test_runpath_is_not_inherited_and_the_misses_are_in_order(lab, machine):
    library(lab, machine, "libs/libleaf.so")
    library(lab, machine, "libs/libmid.so", "libs/libleaf.so")
    extension = library(lab, machine, "ext/mod.so", "libs/libmid.so", runpath="$ORIGIN/../libs")
    missing = lab.edge(agree(lab, machine, extension), "libleaf.so")
    assert isinstance(missing, Missing)
    assert {place.how for place in missing.searched} == {FoundBy.DEFAULT}


def test_a_library_of_this_machine_is_passed_over(lab, machine):
    lab.library("a/libx.so")
    library(lab, machine, "b/libx.so")
    extension = library(lab, machine, "mod.so", "b/libx.so", rpath="$ORIGIN/a:$ORIGIN/b")
    graph = agree(lab, machine, extension)
    assert lab.edge(graph, "libx.so").path == lab.folder / "b/libx.so"


def test_libraries_of_the_foreign_system_are_found_in_it(lab, machine):
    source = "double j0(double);\ndouble twice(double x) { return 2 * j0(x); }\n"
    options = ["-shared", "-Wl,-soname,mod.so", "-lm"]
    extension = lab.zig("mod.so", machine.target, *options, source=source)
    graph = agree(lab, machine, extension)
    found = lab.edge(graph, "libm.so.6")
    assert found.how is FoundBy.DEFAULT
    assert found.path.is_relative_to(machine.root)
