"""Entries of PyInstaller's archives that are whole, and not what they should be."""

from __future__ import annotations

import importlib.util
import marshal
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from archives import archive
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.checks.python.stored_code import check_entries
from rustext.verify.verify import read_subject

VERSION = sys.version_info[0] * 100 + sys.version_info[1]
HEALTHY = [
    ("pkg", 1, "pkg/__init__.py"), ("pkg.one", 0, "pkg/one.py"), ("pkg.two", 0, "pkg/two.py"),
    ("three", 0, "three.py"),
]  # fmt: skip


def pyz(rows: Sequence[tuple[str, int, str]]) -> bytes:
    body, table = b"", []
    for name, kind, file in rows:
        raw = zlib.compress(marshal.dumps(compile("value = 1", file, "exec")))
        table.append((name, (kind, 17 + len(body), len(raw))))
        body += raw
    head = b"PYZ\0" + importlib.util.MAGIC_NUMBER + struct.pack("!i", 17 + len(body)) + bytes(5)
    return head + body + marshal.dumps(table)


def judged(
    tmp_path: Path,
    gcc: Compile,
    rows: Sequence[tuple[str, int, str]] = HEALTHY,
    script: str = "",
) -> list[Finding]:
    root = tmp_path / "app"
    root.mkdir(exist_ok=True)
    entries = [(b"z", "PYZ.pyz", pyz(rows))]
    for name, source in (("pyiboot01_bootstrap", ""), ("main", script)):
        entries.append((b"s", name, marshal.dumps(compile(source, name, "exec"))))
    program = gcc("app", "int main(void) { return 0; }").read_bytes()
    (root / "app").write_bytes(program + archive(entries, VERSION))
    (root / "app").chmod(0o755)
    return [*check_entries(read_subject(read_bundle(root), stdlib=stdlib_environment()))]


def put(name: str, kind: int, file: str) -> list[tuple[str, int, str]]:
    return [(name, kind, file) if row[0] == name else row for row in HEALTHY]


@pytest.mark.parametrize(
    "rows",
    [
        HEALTHY,
        put("pkg", 1, "pkg\\__init__.py"),
        put("pkg.two", 0, "/somewhere/pkg/two.py"),  # of another builder
        put("pkg.two", 0, "pkg/alien.py"),
        [(name, kind, "three.py") for name, kind, _ in HEALTHY],
    ],
)
def test_other_paths_are_no_finding(
    rows: Sequence[tuple[str, int, str]], tmp_path: Path, gcc: Compile
) -> None:
    assert judged(tmp_path, gcc, rows, "import pkg.two") == []


@pytest.mark.parametrize(
    ("script", "severity"),
    [("import pkg.two", Severity.ERROR), ("", Severity.WARNING)],
)
def test_the_code_of_another_module_counts_where_it_is_imported(
    script: str, severity: Severity, tmp_path: Path, gcc: Compile
) -> None:
    (finding,) = judged(tmp_path, gcc, put("pkg.two", 0, "pkg/one.py"), script)
    assert (finding.id, finding.severity) == ("unreadable-file", severity)
    assert finding.evidence == (("member", "pkg.two: its code is that of `pkg.one`"),)


def test_a_package_that_the_table_calls_a_module_is_named(tmp_path: Path, gcc: Compile) -> None:
    (finding,) = judged(tmp_path, gcc, put("pkg", 0, "pkg/__init__.py"), "import pkg")
    assert finding.severity is Severity.ERROR
    assert finding.evidence[0][1].startswith("pkg: the table says that it is a module")
