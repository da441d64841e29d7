"""Modules that native code makes as it loads: found in Python sources and in binaries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from crates import build_crate
from environments import environment, install

from rustext.config import Config
from rustext.errors import InvalidBinary
from rustext.imports import clues
from rustext.plan.planner import Planner

NATIVE = "late/_native.so"


@pytest.fixture(scope="module")
def native(cache: Path) -> Path:
    """The extension module `late._native`, which enters `late._native.made` into `sys.modules`."""
    return build_crate("runtime_module", cache / "crates")


def find(site: Path, module: str = "late._native", path: str = NATIVE) -> tuple[str, ...]:
    planner = Planner(environment(site), Config(), keep=True)
    return planner.runtime_modules(module, site / path)


def test_the_module_that_the_crate_makes_can_be_imported(native: Path, tmp_path: Path) -> None:
    """What the other tests look for is there when the program runs."""
    install(tmp_path, "late", files={"late/__init__.py": "", NATIVE: native})
    code = "from late._native.made import ANSWER; print(ANSWER)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_names_come_from_the_binary_where_no_source_imports_them(
    native: Path, tmp_path: Path
) -> None:
    install(tmp_path, "late", files={"late/__init__.py": "", NATIVE: native})
    assert find(tmp_path) == ("late._native.made",)


def test_a_binary_is_read_once(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "late", files={"late/__init__.py": "", NATIVE: native})
    assert find(tmp_path) == ("late._native.made",)
    monkeypatch.setattr(clues, "_find_below", lambda *_: ("late._native.other",))
    assert find(tmp_path) == ("late._native.made",)
    (tmp_path / NATIVE).write_bytes(native.read_bytes() + b"changed")
    assert find(tmp_path) == ("late._native.other",)


@pytest.mark.parametrize(
    "source",
    [
        "from ._native.made.deep import X",
        "from .._native.made.deep import X",
        "import late._native.made.deep",
        "def f():\n    from late._native.made.deep import X as Y",
    ],
)
def test_names_come_from_the_imports_of_the_distribution(
    source: str, native: Path, tmp_path: Path
) -> None:
    name = "late/inner/api.py" if source.startswith("from ..") else "late/api.py"
    files = {"late/__init__.py": "", name: source, NATIVE: native}
    install(tmp_path, "late", files=files)
    assert find(tmp_path) == ("late._native.made", "late._native.made.deep")


def test_what_has_a_file_is_not_made_at_run_time(native: Path, tmp_path: Path) -> None:
    """`late.other` begins as `late.o` does, and is a module of its own."""
    files = {
        "late/__init__.py": "",
        "late/other/__init__.py": "from late.other.real import X",
        "late/other/real.py": "X = 1",
        "late/o.so": native,
    }
    install(tmp_path, "late", files=files)
    assert find(tmp_path, "late.o", "late/o.so") == ()
    assert find(tmp_path, "late.other", "late/o.so") == ()


def test_sources_that_this_python_cannot_read_are_passed_over(native: Path, tmp_path: Path) -> None:
    files = {
        "late/__init__.py": "from ._native.made import X",
        "late/old.py": "print '_native.x'",
        "late/deep.py": f"_native.x = {'-' * 100_000}1",
        NATIVE: native,
    }
    install(tmp_path, "late", files=files)
    assert find(tmp_path) == ("late._native.made",)


def test_file_of_another_format_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "late", files={"late/__init__.py": "", NATIVE: "no binary"})
    with pytest.raises(InvalidBinary):
        find(tmp_path)
