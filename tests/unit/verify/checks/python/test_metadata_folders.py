"""Metadata that tells nothing, or is there twice, and what a package offers to itself."""

from __future__ import annotations

import marshal
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from archives import archive
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.checks.python.metadata_folders import check_metadata
from rustext.verify.verify import read_subject

WHOLE = "Metadata-Version: 2.1\nName: kit\nVersion: 1.0\n\nName: other\n"
POINTS = "[kit.plugins]\none = kit.one:Main\ntwo = kit.two\n[pytest11]\nkit = kit.testing\n"


def judge(root: Path, gcc: Compile, modules: Sequence[str] = (), code: str = "") -> list[Finding]:
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    if code:
        with (root / "app").open("ab") as program:
            program.write(archive([(b"s", "app", marshal.dumps(compile(code, "app", "exec")))]))
    bundle = replace(read_bundle(root), freezer=Freezer.PYINSTALLER, modules=frozenset(modules))
    subject = read_subject(bundle, stdlib=stdlib_environment())
    return list(check_metadata(replace(subject, bundle=bundle)))


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (WHOLE.encode(), True),
        (WHOLE.replace("\n", "\r\n").encode(), True),
        (b"", False),
        (None, False),
        (WHOLE.encode("utf-16"), False),
        (WHOLE.replace("Version: 1.0\n", "").encode(), False),
        (WHOLE.replace("Name: kit\n", "").encode(), False),
    ],
)
def test_metadata_has_a_name_and_a_version(
    data: bytes | None, whole: bool, gcc: Compile, tmp_path: Path
) -> None:
    folder = tmp_path / "kit-1.0.dist-info"
    folder.mkdir()
    (folder / "INSTALLER").write_text("pip\n")
    if data is not None:
        (folder / "METADATA").write_bytes(data)
    found = judge(tmp_path, gcc)
    assert [(f.id, f.severity, f.subject) for f in found] == [
        ("missing-metadata", Severity.WARNING, "kit")
    ] * (not whole)


def test_metadata_of_two_releases_is_told(gcc: Compile, tmp_path: Path) -> None:
    for name in ("a_kit-1.0", "A.Kit-0.9"):
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "METADATA").write_text("Name: a-kit\nVersion: 1.0\n")
    (finding,) = judge(tmp_path, gcc)
    assert (finding.subject, finding.severity) == ("a-kit", Severity.WARNING)
    assert {line.rpartition("/")[2] for _, line in finding.evidence} == {
        "a_kit-1.0.dist-info",
        "A.Kit-0.9.dist-info",
    }


def test_what_a_package_offers_to_itself_is_there(gcc: Compile, tmp_path: Path) -> None:
    (tmp_path / "kit-1.0.dist-info").mkdir()
    (tmp_path / "kit-1.0.dist-info" / "METADATA").write_text(WHOLE)
    (tmp_path / "kit-1.0.dist-info" / "entry_points.txt").write_text(POINTS)
    asking = "entry_points(group='kit.plugins')"
    assert judge(tmp_path, gcc, ["kit", "kit.one", "kit.two"], asking) == []
    (finding,) = judge(tmp_path, gcc, ["kit", "kit.two"], asking)
    assert (finding.id, finding.subject) == ("missing-import", "kit.one")
    assert judge(tmp_path, gcc, ["kit", "kit.two"], "entry_points(group='kit.others')") == []
    assert judge(tmp_path, gcc, ["other"], asking) == []  # the verdict names it under `not judged`
