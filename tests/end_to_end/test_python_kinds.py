"""`--python`: kinds and paths, for this machine and for a foreign one."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import unpack_wheel
from verifying import Verify

pytestmark = pytest.mark.network

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = VERSION.replace(".", "")


def folder_of(cache: Path, folder: Path, platform_tag: str, python: str) -> Path:
    """A folder with rpds-py's module for a platform and a Python, and no interpreter."""
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", platform_tag, python)
    return Path(shutil.copytree(wheel, folder / "app"))


@pytest.mark.parametrize("kind", ["3.12", "python3.12", "cp312"])
def test_a_kind_is_taken_for_any_platform(
    kind: str, cache: Path, verify: Verify, tmp_path: Path
) -> None:
    app = folder_of(cache, tmp_path, "manylinux_2_17_armv7l", "312")
    report = verify(app, "--python", kind, "--target", "manylinux_2_17_armv7l")
    assert report["python"]["version"] == "3.12"
    assert not [f for f in report["findings"] if f["id"] in {"python-abi", "ext-suffix"}]


@pytest.mark.parametrize("kind", ["3.11", "pypy3.10"])
def test_a_module_for_another_kind_is_found(
    kind: str, cache: Path, verify: Verify, tmp_path: Path
) -> None:
    app = folder_of(cache, tmp_path, "manylinux_2_17_armv7l", "312")
    errors = verify.errors(app, "--python", kind)
    assert ("python-abi", "app/rpds/rpds.cpython-312-arm-linux-gnueabihf.so") in errors


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the module is for x86-64")
def test_the_path_of_an_interpreter_of_this_machine_is_asked(
    cache: Path, verify: Verify, tmp_path: Path
) -> None:
    app = folder_of(cache, tmp_path, "manylinux_2_17_x86_64", TAG)
    report = verify(app, "--python", sys.executable)
    assert report["python"]["version"] == VERSION
    assert "python-abi" not in {f["id"] for f in report["findings"]}


def test_a_path_for_a_foreign_target_names_the_kind_to_use(cache: Path, tmp_path: Path) -> None:
    """As cross-compiling users meet it: the only interpreter at hand is the host's."""
    app = folder_of(cache, tmp_path, "manylinux_2_17_armv7l", "312")
    done = subprocess.run(
        [sys.executable, "-m", "rustext", "verify", str(app), "--python", sys.executable],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "armv7l" in done.stderr
    kind = done.stderr.rpartition("--python ")[2].split()[0]
    report = json.loads(
        subprocess.run(
            [sys.executable, "-m", "rustext", "verify", str(app), "--json", "--python", kind],
            capture_output=True, text=True, check=False, timeout=60,
        ).stdout
    )  # fmt: skip
    assert report["python"]["implementation"] == "cpython"
