"""Every known way of breaking a folder of macOS files is found, on any machine."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest
from macos_mutations import MAC_MUTATIONS, MacMutation, make_folder

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
