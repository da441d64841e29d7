"""What is said of the oldest system that a bundle runs on, against these systems themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bundles import make_bundle
from debian import Debian
from examples import FOLDER, Example
from lab import FREEZERS, Frozen, Lab
from packaging.version import Version
from systems import DEBIAN, GLIBC, run_inside, unpack_system
from verifying import Verify

pytestmark = pytest.mark.network

# Functions by the version of glibc that brought them, from the release notes in its NEWS file.
FUNCTIONS = {
    "2.25": "getentropy(buffer, 8)",
    "2.30": "gettid() < 0",
    "2.32": "strerrorname_np(1) == 0",
    "2.35": "epoll_pwait2(-1, buffer, 1, 0, 0) != -1",
    "2.36": "arc4random() == 1",
    "2.38": 'strlcpy(buffer, "x", 2) != 1',
}
PROGRAM = """
void exit(int);
int %(name)s();
char buffer[256];
__attribute__((force_align_arg_pointer)) void _start(void) { exit(%(call)s); }
"""


def build_program(folder: Path, version: str) -> Path:
    """A program that needs this version of glibc and no newer one, whatever this machine has.

    It is linked against a library that has glibc's name and versions, and nothing inside.
    """
    call = FUNCTIONS[version]
    name = call.partition("(")[0]
    (folder / "stub.c").write_text(f"void exit(int x) {{}} void {name}(void) {{}}")
    (folder / "stub.map").write_text(
        f"GLIBC_2.2.5 {{ exit; }}; GLIBC_{version} {{ {name}; }} GLIBC_2.2.5;"
    )
    (folder / "app.c").write_text(PROGRAM % {"name": name, "call": call})
    gcc = ["gcc", "-w", "-fno-builtin", "-nostdlib"]
    stub = ["-shared", "-fPIC", "-Wl,-soname,libc.so.6", "-Wl,--version-script,stub.map"]
    for command in (
        [*gcc, *stub, "-o", "libc.so.6", "stub.c"],
        [*gcc, "-pie", "-fPIE", "-o", "app/app", "app.c", "./libc.so.6"],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder / "app/app"


def releases_for(report: dict[str, Any]) -> set[str]:
    """The releases of Debian, of those that are run here, which the report promises."""
    (floor,) = report["floors"]
    promised = [s for s in floor["systems"] if s.startswith("Debian ")]
    first = int(promised[0].split()[1]) if promised else sys.maxsize
    return {release for release, name in DEBIAN.items() if int(name.split()[1]) >= first}


def releases_that_run(
    debian: Debian, bundle: Path, program: Path, prints: str | None = None
) -> set[str]:
    """The releases on which the program does its work; on the others the loader says why not."""
    found = set()
    for release in DEBIAN:
        ended = run_inside(unpack_system(debian, release), bundle, program)
        if ended.returncode == 0:
            assert prints in {None, ended.stdout}, ended
            found.add(release)
        else:
            assert "version `GLIBC" in ended.stderr, ended
    return found


@pytest.mark.parametrize("version", FUNCTIONS)
def test_a_program_runs_on_the_systems_that_are_promised(
    version: str, debian: Debian, verify: Verify, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    build_program(tmp_path, version)
    report = verify(app)
    assert report["floors"][0]["version"] == version
    runs = releases_that_run(debian, app, app / "app")
    assert runs == releases_for(report)
    assert runs == {r for r, glibc in GLIBC.items() if float(glibc) >= float(version)}
    for release, glibc in GLIBC.items():
        judged = verify.errors(app, "--target", f"manylinux_{glibc.replace('.', '_')}_x86_64")
        assert judged == ([] if release in runs else [("glibc-floor", "app/app")])


@pytest.mark.freezing
@pytest.mark.parametrize("freezer", FREEZERS)
def test_a_frozen_program_runs_on_the_systems_that_are_promised(
    freezer: str, lab: Lab, debian: Debian, verify: Verify
) -> None:
    bundle = make_bundle(lab, freezer)
    report = verify(bundle.root)
    assert report["ok"]
    assert releases_that_run(debian, bundle.root, bundle.program) == releases_for(report)


def freeze(lab: Lab, freezer: str, example: Example, out: Path) -> Frozen:
    requirements = example.requirements(Path(sys.executable))
    return lab.freeze(freezer, example.script, *requirements, out=out, rustext=True)


@pytest.mark.slow
@pytest.mark.freezing
@pytest.mark.parametrize("freezer", FREEZERS)
@pytest.mark.parametrize("name", sorted(p.parent.name for p in FOLDER.glob("*/app.py")))
def test_an_example_runs_on_the_systems_that_are_promised(
    name: str, freezer: str, lab: Lab, debian: Debian, verify: Verify, tmp_path: Path
) -> None:
    example = Example(folder=FOLDER / name)
    frozen = freeze(lab, freezer, example, tmp_path)
    report = verify(frozen.bundle)
    runs = releases_that_run(debian, frozen.bundle, frozen.program, example.expected)
    assert runs == releases_for(report)


@pytest.mark.slow
@pytest.mark.freezing
@pytest.mark.parametrize("freezer", FREEZERS)
def test_the_floor_of_a_library_is_what_its_wheel_promises(
    freezer: str, lab: Lab, verify: Verify, tmp_path: Path
) -> None:
    """ONNX Runtime came with a newer glibc than its users had: https://github.com/google/magika

    What counts is the file itself; the tag of the wheel that it came in is the second source.
    """
    example = Example(folder=FOLDER / "identify_files")
    frozen = freeze(lab, freezer, example, tmp_path)
    site = next(frozen.python.parent.parent.glob("lib/*/site-packages"))
    (wheel,) = site.glob("onnxruntime-*.dist-info/WHEEL")
    (glibc,) = {m[1] for m in re.finditer(r"manylinux_2_(\d+)_x86_64", wheel.read_text())}
    promised = verify.errors(frozen.bundle, "--target", f"manylinux_2_{glibc}_x86_64")
    assert not [s for _, s in promised if "onnxruntime" in s]
    floors = [
        Version(version.removeprefix("GLIBC_"))
        for path in frozen.bundle.rglob("onnxruntime/**/*.so*")
        for version in re.findall(r"GLIBC_2\.\d+", readelf_versions(path))
    ]
    assert floors
    below = max(floors).minor - 1
    found = verify.errors(frozen.bundle, "--target", f"manylinux_2_{below}_x86_64")
    assert [s for name, s in found if "onnxruntime" in s and name == "glibc-floor"]


def readelf_versions(path: Path) -> str:
    """The table of needed versions, as binutils print it."""
    done = subprocess.run(["readelf", "-V", path], capture_output=True, text=True, check=True)
    return done.stdout.partition("Version needs section")[2]
