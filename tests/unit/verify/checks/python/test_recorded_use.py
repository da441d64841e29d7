"""What a recorded run has used, against a bundle that holds some of it."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.tracing.trace_file import Trace
from rustext.tracing.usage import PROGRAM, SYSTEM, Usage, Use, UseKind, merge_usages
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Path:
    """A folder of PyInstaller's with the package `pack`, some of its files, and its metadata."""
    root = tmp_path / "app"
    inner = root / "_internal"
    write_files(inner, {"pack/table": "x", "pack_dist-1.0.dist-info/METADATA": "Name: pack-dist"})
    with zipfile.ZipFile(inner / "base_library.zip", "w") as library:
        library.writestr("codecs.pyc", "")
    shutil.copy(gcc("app", "int main(void) { return 0; }"), root / "app")
    modules = [(name, (0, 0, 0)) for name in ("pack", "pack.there")]
    with (root / "app").open("ab") as program:
        program.write(archive([(b"z", "PYZ.pyz", pyz(modules))]))
    return root


def found(
    bundle: Path, uses: Mapping[UseKind, Mapping[str, str]], *runs: str, of: str = "pack-dist"
) -> set[tuple[str, str, Severity]]:
    usage = Usage(
        distribution=of,
        versions=("1.0",),
        uses={
            kind: tuple(sorted(Use(name=n, askers=(a,)) for n, a in rows.items()))
            for kind, rows in uses.items()
        },
    )
    trace = Trace(usages=merge_usages([usage]), runs=runs or ("app.py",))
    findings = verify(
        read_subject(read_bundle(bundle), stdlib=stdlib_environment(), trace=trace)
    ).findings
    return {(f.id, f.subject, f.severity) for f in findings if is_recorded(f)}


def is_recorded(finding: Finding) -> bool:
    return "recorded run" in finding.message


def test_all_that_is_there_is_not_reported(bundle: Path) -> None:
    uses = {
        UseKind.IMPORT_MODULE: {"pack.there": "pack"},
        UseKind.STATEMENT: {"pack": ""},
        UseKind.FILE: {"pack/table": "pack"},
        UseKind.FOLDER: {"pack": "pack"},
        UseKind.METADATA: {"METADATA": "__main__"},
    }
    assert found(bundle, uses) == set()


def test_each_kind_of_thing_is_missed(bundle: Path) -> None:
    uses = {
        UseKind.IMPORT_MODULE: {"pack.late": "pack"},
        UseKind.STATEMENT: {"pack.early": ""},
        UseKind.FILE: {"pack/other": "pack.there"},
        UseKind.SOURCE: {"pack/there.py": "__main__"},
        UseKind.FOLDER: {"pack/rules": "pack"},
        UseKind.LIBRARY: {"pack/libpack.so": ""},
        UseKind.METADATA: {"entry_points.txt": "pack"},
    }
    error = Severity.ERROR
    assert found(bundle, uses) == {
        ("missing-import", "pack.late", error),
        ("missing-import", "pack.early", error),
        ("missing-companion", "pack/other", error),
        ("missing-companion", "pack/there.py", error),
        ("missing-companion", "pack/rules", Severity.WARNING),
        ("missing-library", "pack/libpack.so", error),
        ("missing-metadata", "pack-dist entry_points.txt", error),
    }


def test_what_nothing_in_the_bundle_asks_for_is_not_missed(bundle: Path) -> None:
    uses = {
        UseKind.IMPORT_MODULE: {"runner.plugin": "runner"},
        UseKind.FILE: {"runner/page.html": "runner.report"},
        UseKind.STATEMENT: {"runner.config": ""},
    }
    assert found(bundle, uses, of="runner") == set()


def test_statements_of_a_test_run_are_a_note(bundle: Path) -> None:
    """The tests import parts of the package that the program need not have."""
    uses = {UseKind.STATEMENT: {"pack.testing": ""}}
    (row,) = found(bundle, uses, "-m runner")
    assert row[2] is Severity.NOTE
    own = {UseKind.STATEMENT: {"pack": "", "pack.testing": ""}}
    (row,) = found(bundle, own, "-m pack", of=PROGRAM)
    assert row[2] is Severity.ERROR


def test_what_the_system_provides_is_not_looked_for(bundle: Path) -> None:
    uses = {UseKind.LIBRARY: {"libc.so.6": "pack"}, UseKind.PROGRAM: {"git": "pack"}}
    assert found(bundle, uses, of=SYSTEM) == set()
