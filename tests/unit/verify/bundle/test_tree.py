"""Listing folders that nobody vouches for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from environments import write_files

from rustext.verify.bundle.tree import Link, Unlisted, read_tree


def test_files_and_folders_are_listed_sorted_and_relative(tmp_path: Path) -> None:
    write_files(tmp_path, {"b/two": "2", "a": "1", "b/c/three": "3", "b/__pycache__/x.pyc": "x"})
    tree = read_tree(tmp_path)
    assert tree.files == ("a", "b/c/three", "b/two")
    assert tree.folders == ("b", "b/c")
    assert tree.path("b/two").read_text() == "2"


def test_an_empty_file_counts_where_its_name_means_something(tmp_path: Path) -> None:
    libraries = ("lost.so", "liblost.so.1", "liblost.so.1.2.3", "lost.dll", "lost.dylib")
    names = ("pkg/__init__.py", "x.pyc", "lost.pyd", *libraries)
    write_files(tmp_path, dict.fromkeys((*names, "marker", "py.typed", "a.so.txt"), ""))
    assert set(read_tree(tmp_path).files) == set(names)


def test_links_are_told_apart_by_where_they_lead(tmp_path: Path) -> None:
    write_files(tmp_path, {"in/real": "x", "in/sub/y": "y", "out/there": "z"})
    root = tmp_path / "in"
    for name, target in {
        "file": "real", "folder": "sub", "loop": ".", "ring1": "ring2", "ring2": "ring1",
        "gone": "nowhere", "up": "../out/there", "absolute": str(tmp_path / "out"),
        "through": "sub/../../out/there",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    tree = read_tree(root)
    assert tree.files == ("file", "folder/y", "real", "sub/y")
    assert tree.folders == ("folder", "sub")
    assert tree.linked == {"folder/y"}
    assert tree.links == (
        Link(path="absolute", target=str(tmp_path / "out"), exists=True),
        Link(path="gone", target="nowhere", exists=False),
        Link(path="ring1", target="ring2", exists=False),
        Link(path="ring2", target="ring1", exists=False),
        Link(path="through", target="sub/../../out/there", exists=True),
        Link(path="up", target="../out/there", exists=True),
    )


def test_links_to_folders_have_an_end(tmp_path: Path) -> None:
    write_files(tmp_path, {f"real/{name}": "x" for name in range(300)})
    for name in range(300):
        (tmp_path / f"l{name}").symlink_to("real")
        (tmp_path / f"real/l{name}").symlink_to(".")
    assert len(read_tree(tmp_path).files) < 40_000


@pytest.mark.parametrize("mode", [0, 0o644])
def test_a_folder_that_nobody_may_enter_is_named_to_root_as_well(mode: int, tmp_path: Path) -> None:
    write_files(tmp_path, {"open/x": "x", "closed/y": "y"})
    (tmp_path / "closed").chmod(mode)
    tree = read_tree(tmp_path)
    (tmp_path / "closed").chmod(0o755)
    assert tree.files == ("open/x",)
    assert tree.unlisted == (Unlisted(path="closed", reason="permission denied", folder=True),)


def test_links_are_followed_as_far_as_the_kernel_does(tmp_path: Path) -> None:
    write_files(tmp_path, {"l0": "x"})
    for number in range(3000):
        (tmp_path / f"l{number + 1}").symlink_to(f"l{number}")
    tree = read_tree(tmp_path)
    opened = {p.name for p in tmp_path.iterdir() if p.exists()}  # asks the kernel
    assert 10 < len(opened) < 100
    assert set(tree.files) == opened
    assert len(tree.links) == 3001 - len(opened)


def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        (tmp_path / "zero").symlink_to("fifo")
        tree = read_tree(tmp_path)
    assert tree.files == ()
    assert [u.path for u in tree.unlisted] == ["fifo", "socket"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    """Tests may run as root, whom no permission stops: a path that is too long does."""
    here = os.getcwd()  # noqa: PTH109
    os.chdir(tmp_path)
    try:
        for _ in range(25):
            os.mkdir("d" * 200)  # noqa: PTH102
            os.chdir("d" * 200)
    finally:
        os.chdir(here)
    (unlisted,) = read_tree(tmp_path).unlisted
    assert isinstance(unlisted, Unlisted)
    assert (unlisted.folder, unlisted.reason) == (True, "file name too long")


def test_names_need_not_be_text(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.so")).write_text("x")
    assert read_tree(tmp_path).files == ("\udcff\n.so",)
