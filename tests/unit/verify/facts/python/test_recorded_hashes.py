"""Files that are not what the RECORD of their package says, as `pip` wrote it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.environment.environment import stdlib_environment
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.wheel_tags import find_changed
from rustext.verify.facts.unjudged import iter_unjudged
from rustext.verify.verify import read_subject

FILES = {"pkg/table.json": b"{}\n", "pkg/_a.so": b"a", "pkg/_b.so": b"b", "pkg/_c.so": b"c"}


def row(name: str, data: bytes) -> str:
    digest = urlsafe_b64encode(sha256(data).digest()).decode().rstrip("=")
    return f"{name},sha256={digest},{len(data)}\n"


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    rows = [row(name, data) for name, data in FILES.items()]
    rows += ["../../bin/tool,sha256=x,1\n", ".,sha256=x,1\n", "pkg/gone.json,sha256=x,1\n", "a,,\n"]
    folder = tmp_path / "app"
    program = gcc("app", "int main(void) { return 0; }")
    write_files(folder, {"app": program, **FILES, "pkg-1.dist-info/RECORD": "".join(rows)})
    return folder


@pytest.fixture
def changed(root: Path) -> Callable[[Freezer], list[str]]:
    return lambda freezer: list(find_changed(replace(read_bundle(root), freezer=freezer)))


Changed = Callable[[Freezer], list[str]]


def test_files_that_have_changed_since_their_package_was_installed_are_named(
    root: Path, changed: Changed
) -> None:
    assert changed(Freezer.PYINSTALLER) == []
    (root / "pkg/_a.so").write_bytes(b"x")  # of the same size
    (root / "pkg/table.json").write_bytes(b"{}\r\n")
    assert changed(Freezer.PYINSTALLER) == ["pkg/table.json", "pkg/_a.so"]
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    assert any("`pkg/table.json`" in line for line in iter_unjudged(subject))


def test_native_files_do_not_count_where_the_freezer_changes_them(
    root: Path, changed: Changed
) -> None:
    (root / "pkg/_a.so").write_bytes(b"x")
    assert changed(Freezer.PYINSTALLER) == ["pkg/_a.so"]
    assert changed(Freezer.CX_FREEZE) == []  # it patches those that need it
    (root / "pkg/_b.so").write_bytes(b"x")  # as after `--strip`, which changes most
    assert changed(Freezer.PYINSTALLER) == []


def test_a_file_that_one_of_two_records_has_is_as_it_should_be(
    root: Path, changed: Changed
) -> None:
    (root / "pkg/table.json").write_bytes(b"[]")
    assert changed(Freezer.NUITKA) == ["pkg/table.json"]
    write_files(root, {"pkg-2.dist-info/RECORD": row("pkg/table.json", b"[]")})
    assert changed(Freezer.NUITKA) == []
