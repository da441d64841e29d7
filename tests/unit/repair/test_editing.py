"""Search paths and load commands are changed in place, as other readers of the format see it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from rustext.repair.elf_run_path import shorten_run_path
from rustext.repair.staging import compare, move_into_place, staged_copy


def build(folder: Path, *options: str) -> Path:
    path = folder / "libone.so"
    source = folder / "one.c"
    source.write_text("int deps(void) { return 7; }")
    command = ["gcc", "-shared", "-fPIC", "-o", path, source, *options]
    subprocess.run(command, check=True, timeout=60)
    return path


def entries_of(path: Path) -> list[tuple[str, str]]:
    """The search path, as pyelftools reads it."""
    with path.open("rb") as stream:
        dynamic = ELFFile(stream).get_section_by_name(".dynamic")
        assert dynamic is not None
        tags = [t for t in dynamic.iter_tags() if t.entry.d_tag in {"DT_RPATH", "DT_RUNPATH"}]
        return [(t.entry.d_tag, getattr(t, t.entry.d_tag[3:].lower())) for t in tags]


@pytest.mark.parametrize("tag", ["enable", "disable"])
def test_entries_are_taken_out_where_they_stand(tag: str, tmp_path: Path) -> None:
    path = build(tmp_path, f"-Wl,--{tag}-new-dtags", "-Wl,-rpath,/build/x:$ORIGIN/libs")
    size = path.stat().st_size
    ((name, _),) = entries_of(path)
    edited = shorten_run_path(path.read_bytes(), ("$ORIGIN/libs",))
    assert edited is not None
    path.write_bytes(edited)
    assert entries_of(path) == [(name, "$ORIGIN/libs")]
    assert path.stat().st_size == size
    edited = shorten_run_path(path.read_bytes(), ())
    assert edited is not None
    path.write_bytes(edited)
    assert entries_of(path) == []
    subprocess.run(["python3", "-c", f"import ctypes; ctypes.CDLL('{path}')"], check=True)


def test_a_string_that_a_symbol_shares_is_left_to_patchelf(tmp_path: Path) -> None:
    path = build(tmp_path, "-Wl,-rpath,/target/deps")  # the linker merges `deps` into it
    with path.open("rb") as stream:
        names = ELFFile(stream).get_section_by_name(".dynstr").data()
    assert b"/target/deps\0" in names
    assert b"\0deps\0" not in names  # else the two share nothing
    assert shorten_run_path(path.read_bytes(), ("/t",)) is None


def test_an_interrupted_repair_leaves_the_old_folder_whole(tmp_path: Path) -> None:
    old = tmp_path / "app"
    old.mkdir()
    (old / "a").write_text("1")

    def interrupted() -> None:
        with staged_copy(old, tmp_path, links=True, name="app") as copy:
            (copy / "b").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["app"]
    assert [p.name for p in old.iterdir()] == ["a"]


def test_folders_are_exchanged(tmp_path: Path) -> None:
    old = tmp_path / "app"
    old.mkdir()
    (old / "a").write_text("1")
    with staged_copy(old, tmp_path, links=True, name="app") as copy:
        (copy / "b").write_text("2")
        assert [f.place for f in compare(old, copy)] == ["b"]
        move_into_place(copy, old, 0o750)
        assert old.stat().st_mode & 0o777 == 0o750
    assert sorted(p.name for p in old.iterdir()) == ["a", "b"]
    assert [p.name for p in tmp_path.iterdir()] == ["app"]


def test_of_a_folder_that_was_or_becomes_empty_its_files_are_listed(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old / "filled", old / "emptied", old / "gone"):
        folder.mkdir(parents=True)
    (old / "emptied/file").touch()
    for folder in (new / "filled", new / "emptied", new / "made"):
        folder.mkdir(parents=True)
    (new / "filled/file").touch()
    found = [file.place for file in compare(old, new)]
    assert found == ["emptied/file", "filled/file", "gone", "made"]
