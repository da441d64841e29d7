"""The comparison with a population: what is asked of pip, and that a difference is seen."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rustext.formats.binary import read_binary

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "population" / "compare.py"
WHEEL = "demo-1.0-cp311-cp311-macosx_11_0_arm64.whl"


@pytest.fixture
def record(tmp_path: Path, macho_module: Path) -> dict[str, Any]:
    """A wheel with one native file, and what is true of it."""
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.write(macho_module, "demo/demo.so")
    image = read_binary(macho_module).image
    part = {
        "arch": "ARM64",
        "filetype": "DYLIB",
        "id": ["@rpath/pkg.demo.so"],
        "loads": [needed.name for needed in image.needed],
        "rpath": ["@loader_path/../lib"],
        "minos": image.minimum_os,
        "headerpad": image.header_pad,
        "sig": {"size": image.signature[1]} if image.signature else None,
        "pyinit": ["PyInit_demo", "PyInitU_dmo_1ya"],
    }
    file = {"path": "demo/demo.so", "fmt": "macho", "is_rust": False, "suffix": ".so"}
    return {"dist": "demo", "version": "1.0", "wheel": WHEEL, "files": [{**file, "slices": [part]}]}


def compare(folder: Path, record: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    population = folder / "population.json"
    population.write_text(json.dumps([record]))
    command = [sys.executable, BENCHMARK, population, "--wheels", folder, "--no-download"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_equal_facts_are_counted(tmp_path: Path, record: dict[str, Any]) -> None:
    done = compare(tmp_path, record)
    assert "1 of 1 wheels" in done.stdout
    assert "100.000% equal" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("fact", "key", "value"),
    [
        ("install name", "id", ["@rpath/other.so"]),
        ("loads", "loads", ["/usr/lib/other.dylib"]),
        ("minimum OS", "minos", "1.0"),
        ("slice pyinit", "pyinit", []),
    ],
)
def test_a_difference_is_listed_and_fails(
    fact: str, key: str, value: object, tmp_path: Path, record: dict[str, Any]
) -> None:
    record["files"][0]["slices"][0][key] = value
    done = compare(tmp_path, record)
    assert f"| {fact} | 1 | 0 | 1 |" in done.stdout
    assert "**open**" in done.stdout
    assert done.returncode == 1


def test_a_file_that_is_not_found_is_a_difference(tmp_path: Path, record: dict[str, Any]) -> None:
    record["files"][0]["path"] = "demo/other.so"
    done = compare(tmp_path, record)
    assert "| found | 1 | 0 | 1 |" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("wheel", "options"),
    [
        (
            "a-1-cp311-abi3-musllinux_1_2_i686.linux_i686.whl",
            (
                "--implementation cp --python-version 311 --platform linux_i686 "
                "--platform musllinux_1_2_i686 --abi abi3"
            ),
        ),
        (
            "a-1-py3-none-macosx_11_0_arm64.whl",
            "--implementation py --python-version 3.11 --platform macosx_11_0_arm64 --abi none",
        ),
        (
            "a-1-cp39-abi3-win_amd64.whl",
            "--implementation cp --python-version 39 --platform win_amd64 --abi abi3",
        ),
    ],
)
def test_pip_is_told_to_choose_by_the_tags_of_the_file(wheel: str, options: str) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from download import tag_options\nfrom packaging.utils import parse_wheel_filename\n"
        "print(*tag_options(parse_wheel_filename(sys.argv[2])[3]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, BENCHMARK.parent, wheel],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == options
