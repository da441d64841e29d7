"""A file-system root: which file of this machine a path inside it means, and back.

Symbolic links are followed inside the root, absolute ones too, as a process would see them after
`chroot`. A file outside the root is seen as if its folder were mounted at its own path, so that a
bundle can be judged against a system that lies elsewhere.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

_MAX_LINKS = 40  # Linux's limit for one path, path_resolution(7)


class Sysroot:
    """One root; paths of type `str` are those that a process below the root would use."""

    def __init__(self, root: Path, cwd: str = "/") -> None:
        self._root = root.absolute()
        self._cwd = cwd
        self._links: dict[str, str] = {}
        self._mounted: set[str] = set()
        self.foreign = self._root != Path(self._root.anchor)

    def host(self, path: str) -> Path:
        """Return the file that `path` means; it need not exist."""
        return Path(self.host_name(path))

    def host_name(self, path: str) -> str:
        """Return the same as text: most files that a loader tries are not there."""
        absolute = self._absolute(path)
        if not self.foreign or any(absolute.startswith(folder) for folder in self._mounted):
            return absolute
        return f"{self._root.as_posix()}{self._follow(absolute)}"

    def enter(self, path: Path) -> str:
        """Return how a process below the root would spell a file of this machine.

        The folder of a file outside the root can be reached under the same name from then on.
        """
        absolute = path.absolute()
        if not self.foreign:
            return absolute.as_posix()
        if absolute.is_relative_to(self._root):
            return f"/{absolute.relative_to(self._root).as_posix()}"
        self._mounted.add(f"{absolute.parent.as_posix()}/")
        return absolute.as_posix()

    def real(self, path: Path) -> Path:
        """Return a file of this machine with all symbolic links followed inside the root."""
        return self.host(self.enter(path)) if self.foreign else path.resolve()

    def folder(self, path: str) -> str:
        """Return the absolute folder of a path, links not followed: what $ORIGIN means."""
        return posixpath.dirname(self._absolute(path))

    def _absolute(self, path: str) -> str:
        """Return a path from the root on; on Windows one with a drive is that already."""
        return path if os.path.isabs(path) else posixpath.join(self._cwd, path)  # noqa: PTH117

    def _follow(self, path: str) -> str:
        done = "/"
        parts = _split(path)
        links = 0
        while parts:
            part = parts.pop()
            if part == "..":
                done = posixpath.dirname(done)
                continue
            here = posixpath.join(done, part)
            target = self._readlink(here)
            if not target or links == _MAX_LINKS:
                done = here
                continue
            links += 1
            done = "/" if target.startswith("/") else done
            parts.extend(_split(target))
        return done

    def _readlink(self, path: str) -> str:
        """Return a symbolic link's target, or "" where there is none."""
        if path not in self._links:
            try:
                self._links[path] = str(Path(f"{self._root}{path}").readlink())
            except (OSError, ValueError):  # ValueError: this locale cannot encode the path
                self._links[path] = ""
        return self._links[path]


def _split(path: str) -> list[str]:
    """Return the components of a path, last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
