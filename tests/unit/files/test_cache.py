"""Listings of folders: kept while nothing changes, harmless when damaged or written twice."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rustext.files.cache import (
    Cache,
    Listing,
    Row,
    _prune,
    clear_cache,
    identify,
    is_current,
    iter_unchanged,
    open_cache,
    read_folders,
    user_cache_folder,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two native files, one of which a distribution owns."""
    for path in ("site/pkg/core.so", "site/loose.so", "site/pkg-1.dist-info/RECORD"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path / "site"


def listing(root: Path) -> Listing:
    paths = ("pkg/core.so", "loose.so", "pkg-1.dist-info/RECORD")
    identities = {path: identify(root / path) for path in paths}
    return Listing(
        folders=read_folders(root, [".", "pkg", "pkg-1.dist-info"]),
        files={path: identity for path, identity in identities.items() if identity is not None},
        rows=(
            Row(path="pkg/core.so", owner="pkg-1.dist-info/RECORD", text='{"file": "pkg/core.so"}'),
            Row(path="loose.so", owner="", text='{"file": "loose.so"}'),
        ),
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache" / "scan", "1.0")


def entry(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache" / "scan").iterdir()
    return path


def test_what_is_stored_is_read_again(cache: Cache, root: Path) -> None:
    assert cache.read(root) is None
    stored = listing(root)
    cache.write(root, stored)
    assert cache.read(root) == stored
    assert is_current(stored, root)


def test_a_folder_is_its_own_key(cache: Cache, root: Path, tmp_path: Path) -> None:
    cache.write(root, listing(root))
    assert cache.read(tmp_path) is None


def test_another_version_of_the_reader_sees_nothing(
    cache: Cache, root: Path, tmp_path: Path
) -> None:
    cache.write(root, listing(root))
    assert Cache(tmp_path / "cache" / "scan", "1.1").read(root) is None


def touch(path: Path) -> None:
    """Change the time of the last change, by the least that a file system tells apart."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def rewrite(path: Path) -> None:
    """Change the content alone: same size, same time."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    folder = path.parent.stat()
    other.replace(path)
    os.utime(path.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))


@pytest.mark.parametrize("path", ["pkg/core.so", "loose.so", "pkg-1.dist-info/RECORD"])
@pytest.mark.parametrize("change", [touch, rewrite, Path.unlink])
def test_a_listing_is_stale_once_a_file_that_was_read_changes(
    path: str, change: object, root: Path
) -> None:
    stored = listing(root)
    assert callable(change)
    change(root / path)
    assert not is_current(stored, root)


def test_a_listing_is_stale_once_a_file_appears(root: Path) -> None:
    stored = listing(root)
    (root / "pkg" / "new.so").touch()
    os.utime(root / "pkg", ns=(0, stored.folders["pkg"] + 1))  # a coarse clock may stand still
    assert not is_current(stored, root)


def test_a_listing_is_stale_once_a_folder_is_gone(root: Path) -> None:
    stored = listing(root)
    (root / "pkg").rename(root.parent / "elsewhere")
    assert not is_current(stored, root)


def test_rows_of_unchanged_files_of_unchanged_distributions_still_hold(root: Path) -> None:
    stored = listing(root)
    (root / "pkg" / "new.py").touch()
    assert [row.path for row in iter_unchanged(stored, root)] == ["pkg/core.so"]
    touch(root / "pkg-1.dist-info" / "RECORD")
    assert list(iter_unchanged(stored, root)) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\n",
        b"\xff\xfe",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"{" * 100_000,
        b'{"reader": "1.0"}\n',
        bytes(range(256)),
    ],
)
def test_a_damaged_entry_is_ignored_and_written_anew(
    damage: bytes, cache: Cache, root: Path, tmp_path: Path
) -> None:
    stored = listing(root)
    cache.write(root, stored)
    entry(tmp_path).write_bytes(damage)
    assert cache.read(root) is None
    cache.write(root, stored)
    assert cache.read(root) == stored


def test_an_entry_that_is_cut_off_or_changed_anywhere_is_ignored(
    cache: Cache, root: Path, tmp_path: Path
) -> None:
    cache.write(root, listing(root))
    whole = entry(tmp_path).read_bytes()
    for at in range(len(whole)):
        entry(tmp_path).write_bytes(whole[:at])
        assert cache.read(root) is None
        entry(tmp_path).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert cache.read(root) is None


@pytest.mark.parametrize("field", ["folders", "files", "rows"])
@pytest.mark.parametrize("value", [None, 1, "text", [1], {"a": "b"}, [["a"]], {"a": [1]}])
def test_an_entry_with_a_field_of_another_shape_is_ignored(
    field: str, value: object, cache: Cache, root: Path, tmp_path: Path
) -> None:
    """Intact, and yet not what this version writes."""
    cache.write(root, listing(root))
    head, *rows = entry(tmp_path).read_text().splitlines()[1:]
    content = "\n".join((json.dumps({**json.loads(head), field: value}), *rows)).encode()
    digest = hashlib.sha256(content).hexdigest().encode()
    entry(tmp_path).write_bytes(digest + b"\n" + content)
    assert cache.read(root) is None


def test_a_cache_that_cannot_be_written_is_no_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "scan", "1.0")
    cache.write(root, listing(root))
    assert cache.read(root) is None


def test_what_was_not_written_for_a_month_is_removed(
    cache: Cache, root: Path, tmp_path: Path
) -> None:
    cache.write(root, listing(root))
    cache.write(tmp_path, listing(root))
    (old,) = (
        p for p in (tmp_path / "cache" / "scan").iterdir() if str(root).encode() in p.read_bytes()
    )
    os.utime(old, (0, 0))
    cache.write(tmp_path, listing(root))
    assert cache.read(root) is not None  # looked for once in a process
    _prune.cache_clear()
    cache.write(tmp_path, listing(root))
    assert cache.read(root) is None
    assert cache.read(tmp_path) is not None


def _write_often(folder: Path, root: Path, stored: Listing) -> None:
    for _ in range(100):
        Cache(folder, "1.0").write(root, stored)


def test_writers_at_the_same_time_leave_one_whole_entry(root: Path, tmp_path: Path) -> None:
    """Two processes write entries of different lengths; every reader sees one or the other."""
    first = listing(root)
    long = tuple(replace(first.rows[0], text=json.dumps({"n": i})) for i in range(500))
    second = replace(first, rows=long)
    folder = tmp_path / "cache" / "scan"
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_often, args=(folder, root, stored))
        for stored in (first, second)
    ]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        found = Cache(folder, "1.0").read(root)
        seen.append(found)
        assert found in (None, first, second)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert Cache(folder, "1.0").read(root) in (first, second)
    assert None not in seen[seen.index(next(s for s in seen if s is not None)) :]
    assert [path.suffix for path in folder.iterdir()] == [".jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no `pwd`")
@pytest.mark.parametrize("hidden", [None, "platformdirs"])
def test_without_a_home_folder_nothing_is_stored_and_nothing_raises(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hidden: str | None
) -> None:
    """A container may start a program as a user of whom nothing but a number is known."""
    import pwd

    def getpwuid(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    if hidden:
        monkeypatch.setitem(sys.modules, hidden, None)
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    cache = open_cache("scan")
    cache.write(root, listing(root))
    assert cache.read(root) is None
    with pytest.raises(OSError, match="no-home-folder"):
        user_cache_folder().mkdir(parents=True)
    assert clear_cache() == (user_cache_folder(), 0, 0)
    assert not (tmp_path / "~").exists()
