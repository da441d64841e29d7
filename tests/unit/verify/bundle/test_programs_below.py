"""A program that is not at the top of the folder that a user names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files

from rustext.errors import NotABundle
from rustext.verify.bundle.bundle import read_bundle

Make = Callable[..., Path]
PROGRAM = "int main(void) { return 0; }"
ZIP = b"PK\5\6" + bytes(18)  # without members


@pytest.fixture
def frozen(tmp_path: Path, gcc: Compile) -> Make:
    def make(*folders: str, launcher: bool = False) -> Path:
        program = gcc("app", PROGRAM)
        entries = [
            (b"z", "PYZ.pyz", pyz([("json", (0, 0, 8))])),
            (b"o", "pyi-contents-directory _internal", b""),
        ]
        data = program.read_bytes() + archive(entries)
        root = tmp_path / "app"
        for folder in folders:
            write_files(root / folder, {"app": data, "_internal/base_library.zip": ZIP})
        if launcher:
            write_files(root, {"start": program})
        return root

    return make


def test_a_program_in_the_folder_beside_its_launcher_counts(frozen: Make) -> None:
    bundle = read_bundle(frozen("lib/app", launcher=True))
    assert [p.path for p in bundle.programs] == [bundle.root / "lib/app/app"]
    assert bundle.contents == bundle.root / "lib/app/_internal"
    assert "json" in bundle.modules


def test_a_program_that_finds_its_folder_through_a_link_counts(frozen: Make) -> None:
    root = frozen(".")
    (root / "bin").mkdir()
    (root / "app").rename(root / "bin/app")
    (root / "bin/_internal").symlink_to("../_internal")
    bundle = read_bundle(root)
    assert [p.path for p in bundle.programs] == [bundle.root / "bin/app"]
    assert bundle.contents == bundle.root / "_internal"


def test_a_program_at_the_top_is_the_one_that_counts(frozen: Make) -> None:
    bundle = read_bundle(frozen(".", "old"))
    assert [p.path for p in bundle.programs] == [bundle.root / "app"]


def test_of_several_bundles_one_has_to_be_named(frozen: Make) -> None:
    with pytest.raises(NotABundle, match="holds 2 bundles") as error:
        read_bundle(frozen("1.0", "2.0", launcher=True))
    assert error.value.hint == "name one: 1.0, 2.0"


def test_a_file_of_a_virtual_environment_makes_none_of_a_bundle(frozen: Make) -> None:
    root = frozen(".")
    write_files(root, {"pyvenv.cfg": "home = /usr/bin\n"})
    assert len(read_bundle(root).programs) == 1
    (root / "bin").mkdir()
    with pytest.raises(NotABundle, match="virtual environment"):
        read_bundle(root)
