"""Whose the files of a repaired bundle are, and that nobody's rights are lent by it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.cli.main import run

MAIN = "int own(void); int main(void) { return own(); }"
OWN = "int own(void) { return 0; }"
NOBODY = 65534

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to another user"
)


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Path:
    """Another user's bundle: two programs that lend rights, of which one is to be repaired."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    program = gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN:/opt/nowhere/lib")
    bundle = tmp_path / "app.dist"
    write_files(bundle, {"app": program, "libown.so.1": own, "more/other": program})
    (bundle / "link").symlink_to("app")
    for path in (bundle, *bundle.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    (bundle / "app").chmod(0o4755)
    (bundle / "more/other").chmod(0o6755)
    return bundle


def owners(folder: Path) -> dict[str, tuple[int, int, int]]:
    paths = (folder, *folder.rglob("*"))
    found = ((path, path.lstat()) for path in paths)
    return {str(p.relative_to(folder)): (s.st_uid, s.st_gid, s.st_mode) for p, s in found}


def test_in_place_the_owners_stay(bundle: Path) -> None:
    before = owners(bundle)
    assert run(["repair", str(bundle), "--in-place", "-qq"]) == 0
    assert owners(bundle) == before


def test_elsewhere_no_rights_are_lent(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = bundle.with_name("new")
    assert run(["repair", str(bundle), "-o", str(new), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "note: app: permissions set to 755" in out
    assert "note: more/other: permissions set to 755" in out
    assert {mode & 0o7000 for _, _, mode in owners(new).values()} == {0}
    assert run(["repair", str(bundle), "-o", f"{new}2", "--json"]) == 0
    lowered = json.loads(capsys.readouterr().out)["lowered"]
    assert lowered == [{"file": "app", "mode": "755"}, {"file": "more/other", "mode": "755"}]


def test_ones_own_rights_stay(bundle: Path) -> None:
    modes = {path: path.lstat().st_mode for path in (bundle, *bundle.rglob("*"))}
    for path, mode in modes.items():
        os.chown(path, 0, 0, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(mode)
    new = bundle.with_name("new")
    assert run(["repair", str(bundle), "-o", str(new), "-qq"]) == 0
    assert owners(new) == owners(bundle)


@pytest.mark.parametrize(("closed", "opened"), [(0o311, 0o755), (0o644, 0o755), (0, 0o755)])
def test_a_folder_that_is_closed_to_all_is_found_and_opened(
    bundle: Path, closed: int, opened: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root can work in it; whoever gets the bundle cannot."""
    (bundle / "more").chmod(closed)
    new = bundle.with_name("new")
    assert run(["repair", str(bundle), "-o", str(new), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (entry,) = (file for file in report["files"] if file["file"] == "more")
    assert (entry["before"], entry["after"]) == (f"folder {closed:o}", "folder")
    assert (new / "more").stat().st_mode & 0o7777 == opened
    assert run(["repair", str(new), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["repairs"] == []


def test_a_file_that_is_closed_to_all_is_opened_and_no_other_comes(bundle: Path) -> None:
    (bundle / "libown.so.1").chmod(0)
    new = bundle.with_name("new")
    assert run(["repair", str(bundle), "-o", str(new), "-qq"]) == 0
    assert (new / "libown.so.1").stat().st_mode & 0o7777 == 0o644
    assert (new / "libown.so.1").read_bytes() == (bundle / "libown.so.1").read_bytes()


@pytest.mark.parametrize("closed", [0o311, 0o644, 0])
def test_folders_that_are_closed_in_each_other_are_opened_at_once(
    bundle: Path, closed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = bundle / "more/inner"
    inner.mkdir()
    for folder in (inner, bundle / "more"):
        folder.chmod(closed)
    new = bundle.with_name("new")
    assert run(["repair", str(bundle), "-o", str(new), "--json"]) == 0
    done = [r["what"] for r in json.loads(capsys.readouterr().out)["repairs"]]
    assert [what for what in done if "permissions" in what] == ["permissions set to 755"] * 2
    assert {(new / f).stat().st_mode & 0o7777 for f in ("more", "more/inner")} == {0o755}


def test_a_folder_that_stays_closed_is_said_to_be(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / "more").chmod(0o311)
    new = bundle.with_name("new")
    run(["repair", str(bundle), "-o", str(new), "--select", "unsafe-rpath", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert "unreadable-file" in {f["id"] for f in report["after"]["findings"]}
    assert (new / "more").stat().st_mode & 0o7777 == 0o311


def test_a_folder_of_another_user_that_cannot_be_emptied_ends_no_repair(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new bundle is in its place then, and the old one with that folder is beside it."""
    chmod = Path.chmod

    def refuse(path: Path, mode: int) -> None:
        if path.name == "more" and mode == 0o700:  # to delete what is in it
            raise PermissionError(errno.EPERM, "Operation not permitted")
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", refuse)
    assert run(["repair", str(bundle), "--in-place", "-qq"]) == 0
