"""Extension modules under names that a foreign Python never looks for, as on Yocto images.

Debian's Python for each machine runs under qemu: what it imports, and what it says where it cannot,
is the second source. The module is the one that PyPI has for that machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian import Debian
from verifying import Verify

from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.python.python_suffixes import find_looked_for

pytestmark = pytest.mark.network

PYTHON = (
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1",
    "zlib1g", "libexpat1", "libssl3", "libffi8",
)  # fmt: skip
PROGRAM = "import rpds; print(sorted(rpds.HashTrieMap({'a': 1, 'b': 2}).insert('c', 3)))"
# The libraries of the image's own Python that the image provides.
IMAGE = ("--allow-system", "libz.so.1", "--allow-system", "libexpat.so.1")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine by Debian's name, and what others call it: qemu, wheels, a careless build."""

    debian: str
    qemu: str
    triplet: str
    wheel: str | None = None
    careless: str = ""

    def __str__(self) -> str:
        return self.debian


MACHINES = (
    Machine(
        debian="armhf", qemu="arm", triplet="arm-linux-gnueabihf",
        wheel="manylinux_2_17_armv7l", careless="armv7l-linux-gnueabihf",
    ),
    Machine(
        debian="arm64", qemu="aarch64", triplet="aarch64-linux-gnu",
        wheel="manylinux_2_17_aarch64", careless="arm64-linux-gnu",
    ),
    Machine(
        debian="ppc64el", qemu="ppc64le", triplet="powerpc64le-linux-gnu",
        wheel="manylinux_2_17_ppc64le", careless="ppc64le-linux-gnu",
    ),
    Machine(debian="mips64el", qemu="mips64el", triplet="mips64el-linux-gnuabi64"),
)  # fmt: skip


class Image:
    """A folder with a foreign Python, its standard library and no more, and the emulator."""

    def __init__(self, machine: Machine, debian: Debian, folder: Path) -> None:
        self.machine = machine
        self.system = debian.unpack(*PYTHON, architecture=machine.debian)
        self.qemu = debian.tool("qemu-user-static", f"qemu-{machine.qemu}-static")
        self.app = folder / "app"
        shutil.copytree(
            self.system / "usr/lib/python3.11", self.app / "lib/python3.11",
            ignore=shutil.ignore_patterns("*.so"), symlinks=True,
        )  # fmt: skip
        shutil.copy(self.system / "usr/bin/python3.11", self.app / "python3.11")

    def run(self, source: str) -> subprocess.CompletedProcess[str]:
        command = [self.qemu, "-L", self.system, self.app / "python3.11", "-c", source]
        env = {"PYTHONPATH": str(self.app), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            command, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=120
        )

    def add_rpds(self, cache: Path) -> Path:
        """Install rpds-py's wheel for the machine into the folder; its one native file."""
        wheels = cache / "wheels" / self.machine.debian
        if not list(wheels.glob("*.whl")):
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"),
                    *("download", "--no-deps", "--only-binary=:all:", "--dest", wheels),
                    *("--platform", str(self.machine.wheel), "--implementation", "cp"),
                    *("--python-version", "3.11", "rpds-py==0.27.1"),
                ],
                check=True, timeout=120,
            )  # fmt: skip
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.app)
        (module,) = (self.app / "rpds").glob("*.so")
        return module


@pytest.fixture(params=MACHINES, ids=str)
def image(request: pytest.FixtureRequest, debian: Debian, tmp_path: Path) -> Image:
    return Image(request.param, debian, tmp_path)


@pytest.fixture(params=[m for m in MACHINES if m.wheel], ids=str)
def image_with_wheel(request: pytest.FixtureRequest, debian: Debian, tmp_path: Path) -> Image:
    return Image(request.param, debian, tmp_path)


def test_what_a_foreign_python_looks_for_is_read_from_its_file(image: Image) -> None:
    said = image.run("import _imp, json; print(json.dumps(_imp.extension_suffixes()))")
    looked_for = find_looked_for(read_bundle(image.app))
    assert looked_for is not None
    assert list(looked_for.suffixes) == json.loads(said.stdout)
    assert looked_for.suffixes[0] == f".cpython-311-{image.machine.triplet}.so"


def test_a_misnamed_module_is_found_and_cured(
    image_with_wheel: Image, cache: Path, verify: Verify
) -> None:
    image = image_with_wheel
    module = image.add_rpds(cache)
    assert module.name == f"rpds.cpython-311-{image.machine.triplet}.so"
    assert image.run(PROGRAM).stdout == "['a', 'b', 'c']\n"
    assert verify.errors(image.app, *IMAGE) == []

    wrong = module.rename(module.with_name(f"rpds.cpython-311-{image.machine.careless}.so"))
    assert "No module named 'rpds.rpds'" in image.run(PROGRAM).stderr
    assert verify.errors(image.app, *IMAGE) == [("ext-suffix", f"app/rpds/{wrong.name}")]

    report = verify(image.app, "--fix-suffix", *IMAGE)
    assert report["ok"]
    notes = [f for f in report["findings"] if f["id"] == "ext-suffix"]
    assert [(f["severity"], f["subject"]) for f in notes] == [("note", f"app/rpds/{module.name}")]
    assert image.run(PROGRAM).stdout == "['a', 'b', 'c']\n"
    assert verify.errors(image.app, *IMAGE) == []
