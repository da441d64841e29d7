"""The Windows loader's rules, as CPython calls it.

In: the program's image, the folders that `os.add_dll_directory` named, and an image that imports a
DLL. Out: the files that are tried, in order. Source: "Dynamic-link library search order" at
https://learn.microsoft.com/windows/win32/dlls/dynamic-link-library-search-order, with the flags
LOAD_LIBRARY_SEARCH_DEFAULT_DIRS and LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR of CPython's
`Python/dynload_win.c`: neither PATH nor the current directory counts.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

from rustext.data import read_data
from rustext.errors import RustextError
from rustext.loaders.rules import Loader, Mapped, Place, Rejection, Rules
from rustext.loaders.sysroot import Sysroot
from rustext.model.image import Binary, Format, Image
from rustext.model.libraries import FoundBy


class PeRules(Rules):
    """The Windows loader, for one process."""

    breadth_first = False  # each import is loaded, with its own imports, before the next one

    def __init__(self, loader: Loader, root: Sysroot, program: Mapped) -> None:
        self._root = root
        self._program = program
        self._added = tuple(root.enter(path) for path in loader.dll_directories)
        self._data: dict[str, Any] = read_data("system_libraries")["windows"]
        self._listings: dict[str, dict[str, str]] = {}

    def key(self, mapped: Mapped, name: str) -> str:  # noqa: ARG002
        """Module names are compared without regard to case."""
        return name.lower()

    def names(self, mapped: Mapped, needed: str | None) -> Iterator[str]:  # noqa: ARG002
        """A module answers to its file's name."""
        yield mapped.path.name.lower()

    def select(self, found: Binary | RustextError) -> Image | Rejection:
        """Whatever has the right name is loaded, or the loader gives up."""
        if isinstance(found, RustextError):
            return Rejection(reason=str(found), final=True)
        image = found.image
        wanted = self._program.image.architecture
        if image.format is not Format.PE:
            return Rejection(reason=f"not a valid image: {image.format.name}", final=True)
        if image.architecture != wanted:
            reason = f"wrong architecture: {image.architecture}, not {wanted}"
            return Rejection(reason=reason, final=True)
        return image

    def places(self, mapped: Mapped, name: str) -> Iterator[Place]:
        """Yield the API sets and known DLLs, then each folder, then the system's folder.

        The first folder is that of the DLL that Python opened, for all that it needs.
        """
        if self._listed(name, "known"):
            yield Place(how=FoundBy.SYSTEM, path=name)
        opened = [*mapped.chain()][-1]
        for folder in dict.fromkeys((opened.origin, self._program.origin, *self._added)):
            yield Place(how=FoundBy.BESIDE, path=f"{folder}/{self._spelling(folder, name)}")
        if self._listed(name, "system32"):
            yield Place(how=FoundBy.SYSTEM, path=name)

    def _listed(self, name: str, table: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._data[table])

    def _spelling(self, folder: str, name: str) -> str:
        """Return how a folder spells a file's name: other systems do regard case."""
        if folder not in self._listings:
            try:
                names = [entry.name for entry in self._root.host(folder).iterdir()]
            except (OSError, ValueError):  # ValueError: this locale cannot encode the path
                names = []
            self._listings[folder] = {entry.lower(): entry for entry in names}
        return self._listings[folder].get(name, name)
