"""A foreign root is seen as a process below it would see it."""

from __future__ import annotations

import ntpath
from pathlib import Path

import pytest

from rustext.loaders.sysroot import Sysroot


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    for folder in ("usr/lib", "opt/lib", "etc"):
        (root / folder).mkdir(parents=True)
    return root


def test_absolute_links_stay_inside_the_root(root):
    (root / "lib").symlink_to("/usr/lib")
    (root / "usr/lib/libx.so").symlink_to("/opt/lib/libx.so.1")
    assert Sysroot(root).host("/lib/libx.so") == root / "opt/lib/libx.so.1"


def test_relative_links_and_parents_stay_inside_the_root(root):
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/up").symlink_to("../../../../../opt")
    assert Sysroot(root).host("/lib/up/lib/../../etc/x") == root / "etc/x"


def test_a_link_to_itself_ends(root):
    (root / "loop").symlink_to("loop")
    assert Sysroot(root).host("/loop/x") == root / "loop/x"


def test_relative_paths_start_at_the_current_directory(root):
    assert Sysroot(root, "/opt").host("lib/x") == root / "opt/lib/x"
    assert Sysroot(Path("/"), "/opt").host("lib/x") == Path("/opt/lib/x")


def test_files_in_the_root_are_entered_by_their_name_inside(root):
    assert Sysroot(root).enter(root / "usr/lib/x") == "/usr/lib/x"


def test_files_outside_keep_their_name_and_bring_their_folder_with_them(root, tmp_path):
    system = Sysroot(root)
    bundle = tmp_path / "dist/app"
    before = system.host(f"{bundle}/../libs/x")
    assert before.is_relative_to(root)
    assert system.enter(bundle / "main") == f"{bundle}/main"
    assert system.host(f"{bundle}/../libs/x") == Path(f"{bundle}/../libs/x")
    assert system.host("/usr/lib/x") == root / "usr/lib/x"


def test_this_machine_is_no_foreign_root():
    system = Sysroot(Path("/"))
    assert not system.foreign
    assert system.host("/usr/../lib/x") == Path("/usr/../lib/x")


def test_a_path_with_a_drive_is_absolute_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.isabs", ntpath.isabs)
    root = Sysroot(Path("/"))
    assert root.host_name("Z:/app/python3.dll") == "Z:/app/python3.dll"
    assert root.folder("Z:/app/python3.dll") == "Z:/app"
