"""Members of one-file programs are written below one folder, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from rustext.errors import InvalidBundle
from rustext.verify.onefile import unpacker as unpack
from rustext.verify.onefile.unpacker import Unpacker


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target" / "app"


def unpacker(target: Path, *, windows: bool = False, size: int = 1000) -> Unpacker:
    return Unpacker(target, name="app", size=size, windows=windows)


def all_files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def test_files_and_links_come_out_as_they_are_named(target: Path, tmp_path: Path) -> None:
    one = unpacker(target)
    one.add("pkg/a.so", 4, [b"ab", b"cd"])
    one.link("pkg/b.so", "a.so")
    one.link("c.so", "pkg/../pkg/a.so")
    assert one.finish() == target
    assert (target / "pkg/b.so").read_bytes() == (target / "c.so").read_bytes() == b"abcd"
    assert all_files(tmp_path) == {f"target/app/{n}" for n in ("pkg/a.so", "pkg/b.so", "c.so")}


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "..", "", "a/..", "x\0y", "/", "a/b/../../../x"]
)
def test_a_name_that_leads_out_is_refused(name: str, target: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="leads out of it"):
        unpacker(target).add(name, 1, [b"x"])
    assert all_files(tmp_path) == set()


@pytest.mark.parametrize(
    "name", ["..\\x", "C:\\x", "C:x", "\\x", "\\\\host\\share\\x", "a\\..\\..\\x"]
)
def test_windows_spells_paths_in_its_own_way(name: str, target: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="leads out of it"):
        unpacker(target, windows=True).add(name, 1, [b"x"])
    one = unpacker(tmp_path / "good", windows=True)
    one.add("pkg\\a.pyd", 1, [b"x"])
    assert all_files(tmp_path / "good") == {"pkg/a.pyd"}


@pytest.mark.parametrize("link", ["..", "/etc", "../x", "sub/../../x", "a\0b"])
def test_a_link_that_leads_out_is_refused(link: str, target: Path) -> None:
    with pytest.raises(InvalidBundle, match="leads out of it"):
        unpacker(target).link("here", link)


def test_nothing_is_written_through_a_link(target: Path, tmp_path: Path) -> None:
    """Two links, each of which stays inside, lead out together."""
    (tmp_path / "outside").mkdir()
    one = unpacker(target)
    one.link("s/d", "..")
    one.link("e", "s/d/..")
    one.link("e/planted", "x")
    one.add("s/f", 1, [b"x"])
    with pytest.raises(InvalidBundle):
        one.finish()
    assert {p for p in all_files(tmp_path) if not p.startswith("target/app/")} == set()


@pytest.mark.parametrize("second", ["a", "a/b"])
def test_a_member_that_comes_twice_is_refused(second: str, target: Path) -> None:
    one = unpacker(target)
    one.add("a", 1, [b"x"])
    with pytest.raises(InvalidBundle, match="twice"):
        one.add(second, 1, [b"x"])


@pytest.mark.parametrize("content", [b"", b"abc", b"abcde"])
def test_a_member_has_the_size_that_it_claims(content: bytes, target: Path) -> None:
    with pytest.raises(InvalidBundle, match="does not have the 4 bytes"):
        unpacker(target).add("a", 4, iter([content]))


def test_a_bomb_is_refused_before_anything_is_written(target: Path, tmp_path: Path) -> None:
    def never() -> None:
        raise AssertionError("nothing of it is read")

    with pytest.raises(InvalidBundle, match="decompression bomb"):
        unpacker(target).add("a", 2 << 30, iter(never, None))
    assert all_files(tmp_path) == set()


def test_too_many_members_are_refused(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "_MEMBERS", 10)
    one = unpacker(target)
    for number in range(10):
        one.add(str(number), 0, [])
    with pytest.raises(InvalidBundle, match="more than 10 files"):
        one.link("last", "0")


def test_a_disk_without_room_is_said_before(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "_SPARE", 1 << 62)
    with pytest.raises(InvalidBundle, match="has room for") as refused:
        unpacker(target).add("a", 1, [b"x"])
    assert refused.value.hint == "TMPDIR names the folder for temporary files"


def test_a_name_that_is_too_long_is_said(target: Path) -> None:
    with pytest.raises(InvalidBundle, match="file name too long") as refused:
        unpacker(target).add("x" * 5000, 1, [b"x"])
    assert len(str(refused.value)) < 200


def test_what_is_removed_counts_on(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that may be read in many ways is not given a limit for each."""
    monkeypatch.setattr(unpack, "_FLOOR", 10)
    monkeypatch.setattr(unpack, "_RATIO", 1)
    one = unpacker(target, size=1)
    one.add("a", 6, [b"123456"])
    one.link("b", "a")
    with pytest.raises(InvalidBundle, match="decompression bomb"):
        one.add("c", 1 << 60, [])  # what is claimed and not written does not count
    one.start_again()
    assert all_files(tmp_path) == set()
    one.add("a", 4, [b"1234"])
    with pytest.raises(InvalidBundle, match="decompression bomb"):
        one.add("b", 1, [b"1"])
    one.finish()
    assert all_files(tmp_path) == {"target/app/a"}


@pytest.mark.parametrize(
    "links",
    [
        {"d": ".", "e": "d/d/d/../../../out"},
        {"e": "d/d/../../out", "d": "."},
        {"one/d": "..", "e": "one/d/one/d/../out"},
    ],
    ids=range(3),
)
def test_a_link_that_leads_out_by_way_of_another_is_refused(
    links: dict[str, str], target: Path
) -> None:
    one = unpacker(target)
    for name, link in links.items():
        one.link(name, link)
    with pytest.raises(InvalidBundle, match="leads out of it"):
        one.finish()
    assert not (target / "e").resolve().is_relative_to(target)


def test_links_in_a_circle_lead_nowhere_and_do_no_harm(target: Path) -> None:
    one = unpacker(target)
    one.link("a", "b")
    one.link("b", "a")
    assert one.finish() == target


def test_a_path_that_is_nested_too_deeply_is_refused(target: Path, tmp_path: Path) -> None:
    one = unpacker(target)
    one.add("a/" * 99 + "f", 1, [b"x"])
    with pytest.raises(InvalidBundle, match="nested too deeply"):
        one.add("b/" * 1000 + "f", 1, [b"x"])
    assert len(all_files(tmp_path)) == 1


def test_links_are_followed_as_far_as_the_kernel_does(target: Path, tmp_path: Path) -> None:
    one = unpacker(target)
    for number in range(2000):
        one.link(f"l{number}", f"l{number + 1}")
    assert one.finish() == target
    assert len(list(target.iterdir())) == 2000
    two = unpacker(tmp_path / "out")
    two.link("a/b", "..")
    two.link("l0", "a/b/..")  # out of it, at the end of a chain
    for number in range(2000):
        two.link(f"l{number + 1}", f"l{number}")
    with pytest.raises(InvalidBundle, match="leads out of it"):
        two.finish()
