"""Results for the files of a folder, cached until one of the files changes.

In: a folder, such as `site-packages`. Out: the `Listing` that was stored for it, or None. A listing
holds what it was made from: the time of each folder's last change (which tells of files that come
and go), and each read file's identity (which tells of files that are written to). The reader's
version is part of the key, so another version of rustext never sees it.

One file for each folder, in the platform's cache folder. Writers replace it in one step
(https://docs.python.org/3/library/os.html#os.replace), so that readers see an old or a new one
and never half of one; one that is not as it was written is as good as none, and written anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rustext import __version__
from rustext.data import package_folder
from rustext.files.codec import from_plain, to_plain
from rustext.files.output import replace_file
from rustext.files.untrusted import is_strangers, read_start

_log = logging.getLogger(__name__)

_LIMIT = 256 << 20  # bytes of an entry; one for 10,000 files has 10 MiB
_KEPT = 30 * 24 * 3600  # seconds
_NO_HOME = Path(os.devnull, "no-home-folder", "rustext")
_OURS = re.compile(r"\.?[0-9a-f]{16,64}(\.jsonl(\..+)?)?|\.(rustext|draft)-.+")  # and drafts

_Answer = TypeVar("_Answer")
Identity = tuple[int, int, int, int]  # device, inode, size, time of last change in nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One native file: where it is, whose, and what is known of it as a JSON object's text."""

    path: str  # relative to the folder
    owner: str  # RECORD of the distribution, relative to the folder; "" without
    text: str  # one line of ASCII, as `json.dumps` writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The native files of a folder, and all that has to be unchanged for the list to hold."""

    folders: Mapping[str, int]  # time of the last change in nanoseconds, by path
    files: Mapping[str, Identity]  # the native files, and the metadata that was read
    rows: Sequence[Row]


class Cache:
    """Listings in one folder, by readers of one version."""

    def __init__(self, folder: Path, reader: str) -> None:
        self._folder = folder
        self._reader = reader

    def read(self, root: Path) -> Listing | None:
        """What is stored for `root`, current or not; None without a readable entry."""
        try:
            if is_strangers(self._path(root)):
                raise ValueError("it belongs to another user")  # noqa: TRY301
            digest, _, content = read_start(self._path(root), _LIMIT).partition(b"\n")
            if digest != _digest(content):
                raise ValueError("the content is not what was written")  # noqa: TRY301
            head, *lines = content.decode("ascii").splitlines()
            raw = json.loads(head)
            if (raw["reader"], raw["root"]) != (self._reader, os.fspath(root)):
                return None
            return Listing(
                folders={str(path): int(changed) for path, changed in raw["folders"].items()},
                files={str(path): _identity(value) for path, value in raw["files"].items()},
                rows=tuple(
                    Row(path=str(path), owner=str(owner), text=line)
                    for (path, owner), line in zip(raw["rows"], lines, strict=True)
                ),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.debug("the entry for %s is ignored: %s", root, error)
            return None

    def write(self, root: Path, listing: Listing) -> None:
        """Store a listing; a cache that cannot be written is no error."""
        head = {
            "reader": self._reader,
            "root": os.fspath(root),
            "folders": dict(listing.folders),
            "files": dict(listing.files),
            "rows": [(row.path, row.owner) for row in listing.rows],
        }
        lines = (json.dumps(head), *(row.text for row in listing.rows))
        try:
            content = "\n".join(lines).encode("ascii")
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._path(root), _digest(content) + b"\n" + content)
            _prune(self._folder)
        except (OSError, ValueError) as error:
            _log.debug("nothing is stored for %s: %s", root, error)

    def _path(self, root: Path) -> Path:
        key = hashlib.sha256(f"{self._reader}\0{root}".encode("utf-8", "surrogateescape"))
        return self._folder / f"{key.hexdigest()[:32]}.jsonl"


def open_cache(purpose: str, question: str = "") -> Cache:
    """The listings of this version of rustext, in the platform's cache folder.

    `question` is a short key of all that an answer depends on besides the listed files.
    """
    return Cache(user_cache_folder() / purpose, f"{_running_version()} {question}".rstrip())


def user_cache_folder() -> Path:
    """The platform's cache folder for rustext; it need not exist.

    A user without a home folder, as in some containers, gets a path that cannot be created.
    """
    try:
        platformdirs = importlib.import_module("platformdirs")
        folder: Path = platformdirs.user_cache_path("rustext", appauthor=False)
    except ImportError:  # a checkout alone, in an environment without what rustext needs
        folder = Path(os.path.expanduser("~/.cache/rustext"))  # noqa: PTH111  (never raises)
    except RuntimeError:  # from newer ones; older ones leave a `~`
        return _NO_HOME
    return _NO_HOME if folder.parts[0] == "~" else folder


def clear_cache() -> tuple[Path, int, int]:
    """Remove what is stored; return the folder, how many files that were, and their bytes.

    What has a name that no reader gives, and what a link leads to, is left alone. Raises `OSError`.
    """
    home = user_cache_folder()
    files = size = 0
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        for path in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ():
            if _OURS.fullmatch(path.name):
                kept = [path] if not path.is_dir() or path.is_symlink() else _list_files(path)
                files, size = files + len(kept), size + sum(one.lstat().st_size for one in kept)
                path.unlink() if kept == [path] else shutil.rmtree(path)
    return home, files, size


def _list_files(folder: Path) -> list[Path]:
    return [Path(root, name) for root, _, names in os.walk(folder) for name in names]


@functools.cache
def _running_version() -> str:
    return reader_version()


def reader_version() -> str:
    """The version of the code that reads binaries: the release, and the state of its files.

    An editable installation changes without a new release.
    """
    here = package_folder()
    times = [
        os.stat(os.path.join(folder, name)).st_mtime_ns  # noqa: PTH116, PTH118 (as in `identify`)
        for folder, _, names in os.walk(here)
        if not folder.endswith("__pycache__")
        for name in names
    ]
    if not times:  # in a zip file, which is one of the parents
        times = [next(path for path in here.parents if path.is_file()).stat().st_mtime_ns]
    newest = max(times)
    return f"{__version__}-{newest}"


def identify(path: str | Path) -> Identity | None:
    """The identity of a file; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path for each of some thousand takes longer)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def is_current(listing: Listing, root: Path) -> bool:
    """Whether nothing that the listing was made from has changed."""
    base = os.fspath(root)
    for path, changed in listing.folders.items():
        try:
            if os.stat(f"{base}/{path}").st_mtime_ns != changed:  # noqa: PTH116 (as above)
                return False
        except (OSError, ValueError):  # ValueError: this locale cannot encode the path
            return False
    return all(identify(f"{base}/{path}") == known for path, known in listing.files.items())


def iter_unchanged(listing: Listing, root: Path) -> Iterator[Row]:
    """The rows that still hold, though others do not: file and distribution are the same."""
    same = {path for path, known in listing.files.items() if identify(root / path) == known}
    for row in listing.rows:
        if row.owner and {row.path, row.owner} <= same:
            yield row


def read_folders(root: Path, paths: Iterable[str]) -> dict[str, int]:
    """The time of the last change of each folder."""
    times = {}
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            times[path] = (root / path).stat().st_mtime_ns
    return times


def _identity(value: Sequence[int]) -> Identity:
    device, inode, size, changed = value
    return device, inode, size, changed


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode("ascii")


@functools.cache  # once in a process: all entries are looked at
def _prune(folder: Path) -> None:
    """Remove what has not been written for long: folders go, and versions of rustext."""
    oldest = time.time() - _KEPT
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another writer was faster
            if path.stat().st_mtime < oldest:
                path.unlink()


@contextlib.contextmanager
def kept_facts(
    purpose: str, root: Path, question: str = "", *, keep: bool = True
) -> Iterator[KeptFacts]:
    """The answers about one folder's files; `purpose` and `question` as for `open_cache`.

    Those that the block asks for are stored at its end, and the rest is forgotten. Without `keep`,
    no answer is known or stored.
    """
    kept = KeptFacts(open_cache(purpose, question) if keep else None, root)
    yield kept
    kept.save()


class KeptFacts:
    """The answers about one folder's files, as an earlier run has left them, and new ones."""

    def __init__(self, cache: Cache | None, root: Path) -> None:
        self._cache, self._root = cache, root
        listing = cache.read(root) if cache is not None else None
        self._known = {row.path: row for row in listing.rows} if listing is not None else {}
        self._files = dict(listing.files) if listing is not None else {}
        self._rows: list[Row] = []
        self._changed = False

    def get(
        self, path: Path, kind: Any, find: Callable[[], _Answer], *, given: str = ""
    ) -> _Answer:
        """The answer about a file, which `find` gives where it is not known.

        `kind` is its type, as for `from_plain`; `given` is all that it depends on besides the file.
        Raises what `find` raises.
        """
        if self._cache is None:
            return find()
        name = str(path.relative_to(self._root))
        identity = identify(path)
        row = self._known.get(name)
        if row is None or row.owner != given or self._files.get(name) != identity:
            text = json.dumps(to_plain(find()), separators=(",", ":"))
            row = Row(path=name, owner=given, text=text)
            self._changed = True
        if identity is not None:
            self._files[name] = identity
            self._rows.append(row)
        answer: _Answer = from_plain(kind, json.loads(row.text))
        return answer

    def save(self) -> None:
        """Store what has been asked for, and forget the rest."""
        if self._cache is not None and self._changed:
            names = {row.path for row in self._rows}
            files = {name: one for name, one in self._files.items() if name in names}
            self._cache.write(self._root, Listing(folders={}, files=files, rows=self._rows))
