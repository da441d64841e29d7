"""Which files of a folder a program with a table like Nuitka's can import.

`tests/mutation/test_repairs.py` has a program that Nuitka compiled say the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files
from program_tables import RECORDS

from rustext.verify.bundle.bundle import read_bundle

HOOK = 'const char *hook = "sys_path_hook";'
FILES = ("pkg/late.py", "pkg/deep/er.py", "top/__init__.py", "top/low.py", "single.py")


@pytest.mark.parametrize(
    ("hook", "expected"),
    [(HOOK, {"top", "top.low", "single"}), ("", {"pkg.late", "pkg.deep.er"})],
    ids=["default", "isolated"],
)
def test_a_program_finds_files_outside_of_its_packages_and_an_isolated_one_within(
    hook: str, expected: set[str], tmp_path: Path, gcc: Compile
) -> None:
    program = gcc("app", RECORDS + hook, "-O1")
    write_files(tmp_path / "app.dist", {"app": program, **dict.fromkeys(FILES, "")})
    named = {"pkg.late", "pkg.deep.er", "top", "top.low", "single"}
    assert read_bundle(tmp_path / "app.dist").modules & named == expected
