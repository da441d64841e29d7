"""The crate of our own under each of the names that compiled modules get in the wild.

What CPython does with a file is the second source: the program is started unfrozen as well.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from examples import FOLDER, Example, freeze_example, judge
from lab import Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]

EXAMPLE = Example(folder=FOLDER / "native_prefix")
MODULE = "native_prefix._rust._native_prefix_rs"
CODEC = "native_prefix._rust._native_prefix_codec"


def scan(lab: Lab, naming: str) -> dict[str, dict[str, object]]:
    """What `rustext scan` says of the wheel's modules, by their file's name up to the first dot."""
    wheel = EXAMPLE.requirements(lab.interpreter, naming)[-1]
    done = subprocess.run(
        [lab.environment(rustext=True).with_name("rustext"), "scan", wheel, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = json.loads(done.stdout)["extensions"]
    return {Path(f["file"]).name.partition(".")[0]: f for f in files}


def start(lab: Lab, naming: str) -> subprocess.CompletedProcess[str]:
    python = lab.environment(*EXAMPLE.requirements(lab.interpreter, naming), rustext=False)
    return subprocess.run(
        [python, EXAMPLE.script], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("naming", ["plain", "abi3"])
def test_both_modules_are_found_under_the_names_that_python_imports(lab: Lab, naming: str) -> None:
    assert start(lab, naming).stdout == EXAMPLE.expected
    files = scan(lab, naming)
    assert files["_native_prefix_rs"]["module"] == MODULE
    assert files["_native_prefix_codec"]["module"] == CODEC


def test_cargos_own_file_name_is_no_modules_name(lab: Lab) -> None:
    assert "No module named 'native_prefix._rust._native_prefix_" in start(lab, "lib-prefix").stderr
    file = scan(lab, "lib-prefix")["lib_native_prefix_rs"]
    assert file["module"] is None
    assert "needs PyInit_lib_native_prefix_rs, but the file exports" in str(file["explanation"])


def test_the_suffix_of_another_python_is_looked_for_by_that_one_alone(lab: Lab) -> None:
    complaint = "No module named 'native_prefix._rust._native_prefix_"
    assert complaint in start(lab, "wrong-suffix").stderr
    file = scan(lab, "wrong-suffix")["_native_prefix_rs"]
    assert file["importable_by"] == ["CPython 3.9 on Linux x86_64"]


def test_the_stable_abi_freezes_like_a_module_for_one_python(lab: Lab, tmp_path: Path) -> None:
    frozen = freeze_example(
        lab, EXAMPLE, "pyinstaller", out=tmp_path, rustext=True, one_file=False, variant=["abi3"]
    )
    outcome = judge(EXAMPLE, frozen, seconds=0)
    assert (outcome.message, outcome.errors) == ("", ())
