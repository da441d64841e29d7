"""Every known way of breaking a folder of macOS files is found, on any machine."""

from __future__ import annotations

import json
import os
import shlex
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import rcodesign
from macos_mutations import (
    MAC_MUTATIONS,
    UMATH,
    MacMutation,
    make_folder,
    name_a_library_by_an_absolute_path,
)
from repairing import run_repair

from rustext.api import verify
from rustext.model.findings import Severity

pytestmark = pytest.mark.network


def test_a_good_folder_has_no_error(cache: Path, tmp_path: Path) -> None:
    report = verify(make_folder(cache, tmp_path / "app"))
    assert [f for f in report.findings if f.severity is Severity.ERROR] == []
    assert report.platform == "macos-arm64"


@pytest.mark.parametrize("mutation", MAC_MUTATIONS, ids=lambda m: m.name)
def test_a_broken_folder_is_found_out(mutation: MacMutation, cache: Path, tmp_path: Path) -> None:
    folder = make_folder(cache, tmp_path / "app")
    mutation.apply(folder, cache)
    found = [(f.severity.value, f.id, f.subject) for f in verify(folder).findings]
    wanted = (mutation.severity, mutation.id)
    assert any(f[:2] == wanted and fnmatch(f[2], mutation.subject) for f in found), found


def test_a_file_whose_names_are_repaired_is_signed_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "tools" / "rcodesign"
    tool.parent.mkdir()
    command = shlex.join([sys.executable, rcodesign.__file__])
    tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    folder, new = make_folder(cache, tmp_path / "app"), tmp_path / "new"
    (path,) = folder.rglob(UMATH)
    assert rcodesign.problems(path) == []
    name_a_library_by_an_absolute_path(folder, cache)
    assert rcodesign.problems(path) != []
    code, out, err = run_repair(folder, "-o", new, "--json")
    assert code == 0, (out, err)
    assert [Path(file["file"]).name for file in json.loads(out)["files"]] == [UMATH]
    (path,) = new.rglob(UMATH)
    assert rcodesign.problems(path) == []
    assert rcodesign.notices_a_flipped_byte(path)
