"""`rustext-verify.pyz`: the same verifier as one file, on each Python of this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FORMATS = ("text", "json", "html", "sarif")


def find_pythons() -> Iterator[Path]:
    """Every CPython 3 here: this one, those on PATH, and those that pyenv has built."""
    yield Path(sys.executable)
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 20)]
    yield from (Path(path) for path in found if path is not None)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(root.glob("versions/3.*/bin/python"))


def pythons() -> dict[tuple[int, int], Path]:
    versions: dict[tuple[int, int], Path] = {}
    for python in find_pythons():
        command = [str(python), "-c", "import sys; print(*sys.version_info[:2])"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:  # a shim for a version that is not there fails
            major, minor = map(int, done.stdout.split())
            versions.setdefault((major, minor), python)
    return dict(sorted(versions.items()))


PYTHONS = pythons()
SUPPORTED = [version for version in PYTHONS if version >= (3, 10)]
TOO_OLD = [version for version in PYTHONS if version < (3, 10)]


def build(target: Path) -> Path:
    script = ROOT / "tools" / "build_pyz.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("pyz") / "rustext-verify.pyz")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program that needs a library, and one without that library."""
    folder = tmp_path_factory.mktemp("bundle")
    for name in ("good", "bad"):
        (folder / name).mkdir()
    (folder / "x.c").write_text("int x(void) { return 0; }")
    (folder / "app.c").write_text("int x(void); int main(void) { return x(); }")
    library = folder / "good" / "libx.so.1"
    flags = ["-shared", "-fPIC", "-Wl,-soname,libx.so.1"]
    subprocess.run(["gcc", *flags, folder / "x.c", "-o", library], check=True)
    program = folder / "good" / "app"
    command = ["gcc", folder / "app.c", library, "-Wl,-rpath,$ORIGIN", "-o", program]
    subprocess.run(command, check=True)
    shutil.copy(program, folder / "bad" / "app")
    return folder


def start(python: Path, pyz: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Start the file without anything that the interpreter has installed, from `/`."""
    command = [str(python), "-I", "-S", str(pyz), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", timeout=120
    )


@pytest.fixture(scope="module")
def said(bundle: Path) -> dict[str, str]:
    """What the installed command says of the bad bundle, by format."""
    answers = {}
    for kind in FORMATS:
        command = [sys.executable, "-m", "rustext", "verify", str(bundle / "bad")]
        done = subprocess.run(
            [*command, "--format", kind], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 1
        answers[kind] = done.stdout
    return answers


@pytest.mark.network
@pytest.mark.parametrize("version", SUPPORTED, ids=lambda v: ".".join(map(str, v)))
def test_it_says_what_rustext_says_in_every_format(
    version: tuple[int, int], pyz: Path, bundle: Path, said: dict[str, str]
) -> None:
    for kind in FORMATS:
        done = start(PYTHONS[version], pyz, bundle / "bad", "--format", kind)
        assert (done.returncode, done.stderr) == (1, "")
        # The built-in modules of a folder without Python are those of the one that verifies.
        assert without_modules(done.stdout) == without_modules(said[kind])


def without_modules(text: str) -> list[str]:
    return [line for line in text.splitlines() if "modules" not in line]


@pytest.mark.network
@pytest.mark.parametrize("version", SUPPORTED, ids=lambda v: ".".join(map(str, v)))
def test_it_starts_the_program_out_of_a_zip_file(
    version: tuple[int, int], pyz: Path, bundle: Path
) -> None:
    done = start(PYTHONS[version], pyz, bundle / "good", "--run", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["run"]["code"] == 0


@pytest.mark.network
@pytest.mark.parametrize("version", TOO_OLD, ids=lambda v: ".".join(map(str, v)))
def test_an_older_python_is_told_so(version: tuple[int, int], pyz: Path) -> None:
    done = start(PYTHONS[version], pyz, "--help")
    assert done.returncode == 1
    assert done.stderr.startswith("error: rustext-verify needs Python 3.10 or later")


@pytest.mark.network
def test_it_holds_source_and_licences_and_no_more_than_it_needs(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
    for package in ("rustext", "macholib", "packaging", "platformdirs", "pyelftools", "tomli"):
        assert any(
            name.startswith(f"{package}-") and "LICENSE" in name.upper() for name in names
        ), package
    assert not [name for name in names if name.endswith((".so", ".pyc", ".pyd"))]
    assert not [name for name in names if "plugin" in name.lower() or "hook" in name]
    assert names == sorted(names)
    assert pyz.stat().st_size < 800_000
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")


@pytest.mark.network
def test_the_same_sources_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    assert build(tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()
