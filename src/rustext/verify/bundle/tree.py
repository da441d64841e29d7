"""List the contents of an untrusted folder.

In: a folder. Out: a `Tree`: its regular files, the links that lead out of it, and what could not
be listed. Each folder is read once and links to folders are not followed, so a loop of links ends
and the time is linear; nothing but a regular file is ever opened, for a FIFO would wait for its
writer and a device may do anything.
"""

from __future__ import annotations

import errno
import itertools
import os
import posixpath
import re
import stat
from bisect import bisect
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rustext.files.untrusted import is_closed

_ALIASES, _LINKED = 100, 20_000  # links to folders, and names that go through them
_PYTHON_CACHE = "__pycache__"
_COUNTS_WHEN_EMPTY = re.compile(r"\.(?:pyc?|pyd|dll|dylib|so(?:\.\d+)*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link that does not lead to a file or folder of the tree, wherever that is moved.

    One that leads there from outside, by an absolute path or through the folders above the root,
    is `inside`.
    """

    path: str  # relative to the tree's root
    target: str  # as the link has it
    exists: bool  # whether there is something at its end, on this machine
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """A folder in the tree that cannot be listed, or what is neither file nor folder."""

    path: str
    reason: str
    folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder's content; all paths are relative to `root`, with slashes, and sorted.

    `files` are the regular files that hold at least one byte or whose name says that they ought to
    (an empty `__init__.py` is a module, an empty library is a damaged one), and the links that lead
    to such a file inside the tree. What lies in a folder of the tree that a link leads to is there
    under both names; those that go through such a link are `linked`.
    """

    root: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]
    links: tuple[Link, ...] = ()
    unlisted: tuple[Unlisted, ...] = ()
    linked: frozenset[str] = frozenset()

    def path(self, relative: str) -> Path:
        """Where a file or folder of the tree is on this machine; "" is its root."""
        return Path(f"{self.root}/{relative}")


def read_tree(root: Path) -> Tree:
    """List a folder. Raises nothing: what cannot be listed is in the answer."""
    base = os.path.realpath(root)
    found = _Found()
    work = [""]
    while work:
        folder = work.pop()
        try:
            entries = list(os.scandir(f"{base}/{folder}"))
        except OSError as error:
            found.unlisted.append(
                Unlisted(path=folder.rstrip("/"), reason=_reason(error), folder=True)
            )
            continue
        work += [
            f"{folder}{entry.name}/"
            for entry in entries
            if found.add(base, folder + entry.name, entry)
        ]
    files, folders = found.through_links(found.files), found.through_links(found.folders)
    return Tree(
        root=Path(base),
        files=tuple(sorted((*found.files, *files))),
        folders=tuple(sorted((*found.folders, *found.aliases, *folders))),
        linked=frozenset(files),
        links=tuple(sorted(found.links, key=lambda link: link.path)),
        unlisted=tuple(sorted(found.unlisted, key=lambda u: u.path)),
    )


class _Found:
    """What has been met so far."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folders: list[str] = []
        self.links: list[Link] = []
        self.unlisted: list[Unlisted] = []
        self.aliases: dict[str, str] = {}  # links to folders of the tree, and where they lead

    def through_links(self, paths: Sequence[str]) -> list[str]:
        """The paths of the tree under the further names that links to folders give them."""
        known = sorted(paths)
        ways = (
            link + path[len(folder) :]
            for link, folder in self.aliases.items()
            for path in known[bisect(known, f"{folder}/") : bisect(known, f"{folder}0")]
        )
        return list(itertools.islice(ways, _LINKED))

    def add(self, base: str, path: str, entry: os.DirEntry[str]) -> bool:
        """Note one entry; True for a folder that is to be listed in turn."""
        if entry.is_symlink():
            link = _follow(base, path)
            if isinstance(link, Link):
                self.links.append(link)
            elif link and os.path.isfile(f"{base}/{path}"):  # noqa: PTH113 (as above)
                self.files.append(path)
            elif link:
                self._alias(base, path)
            if not isinstance(link, Link) and leaves(path, target := _target(f"{base}/{path}")):
                self.links.append(Link(path=path, target=target, exists=True, inside=True))
        elif entry.is_dir(follow_symlinks=False):
            if entry.name != _PYTHON_CACHE:
                self.folders.append(path)
                return self._is_open(path, entry)
        elif not entry.is_file(follow_symlinks=False):
            self.unlisted.append(
                Unlisted(path=path, reason="neither a file nor a folder", folder=False)
            )
        elif _holds_something(entry):
            self.files.append(path)
        return False

    def _alias(self, base: str, path: str) -> None:
        """Note a link to a folder, but to one that holds the link itself."""
        target = os.path.realpath(f"{base}/{path}")[len(base) + 1 :]
        if target and not f"{path}/".startswith(f"{target}/") and len(self.aliases) < _ALIASES:
            self.aliases[path] = target

    def _is_open(self, path: str, entry: os.DirEntry[str]) -> bool:
        """Whether a folder is to be listed, by us at least; what lies in it may be opened."""
        with suppress(OSError):  # it has vanished since: listing it says so
            mode = entry.stat(follow_symlinks=False).st_mode
            if is_closed(mode):
                reason = os.strerror(errno.EACCES).lower()
                self.unlisted.append(Unlisted(path=path, reason=reason, folder=True))
                return bool(mode & 0o111) and os.access(entry.path, os.R_OK)
        return True


def _holds_something(entry: os.DirEntry[str]) -> bool:
    if _COUNTS_WHEN_EMPTY.search(entry.name):
        return True
    try:
        return entry.stat(follow_symlinks=False).st_size > 0
    except OSError:  # it has vanished since
        return False


def _follow(base: str, path: str) -> Link | bool:
    """Where a link leads out of the tree or nowhere, else whether to what counts."""
    here = f"{base}/{path}"
    try:
        target = os.readlink(here)  # noqa: PTH115 (strings, here and below: there may be a million)
        # The kernel follows 40 links at most (path_resolution(7)), and so `realpath` has to.
        status = os.stat(here)  # noqa: PTH116
        real = os.path.realpath(here)
    except (OSError, ValueError):
        return Link(path=path, target=_target(here), exists=False)
    if real != base and not real.startswith(f"{base}/"):
        return Link(path=path, target=target, exists=True)
    regular = stat.S_ISREG(status.st_mode)
    held = regular and (status.st_size > 0 or _COUNTS_WHEN_EMPTY.search(path) is not None)
    return held or stat.S_ISDIR(status.st_mode)


def leaves(path: str, target: str) -> bool:
    """Whether a link's target goes through a folder outside of the tree."""
    climbed = posixpath.normpath(f"{posixpath.dirname(path)}/{target}".lstrip("/"))
    return target.startswith("/") or climbed == ".." or climbed.startswith("../")


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115
    except OSError:
        return "?"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
