"""dyld's rules: where macOS looks for the libraries of a Mach-O image.

In: the program's image and an image that needs a library. Out: the files that are tried, in order.
Source: `Loader::forEachResolvedAtPathVar` and `JustInTimeLoader::matchesPath` of
https://github.com/apple-oss-distributions/dyld. `DYLD_*` variables are ignored, as in a hardened
program, and so is the fallback to /usr/lib and /usr/local/lib that binaries from before 2022 get.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator
from typing import Any

from rustext.data import read_data
from rustext.errors import RustextError
from rustext.loaders.rules import Mapped, Place, Rejection, Rules
from rustext.model.image import Binary, Format, Image, ImageKind
from rustext.model.libraries import FoundBy

_RPATH = "@rpath/"


class MachORules(Rules):
    """dyld, for one process of one architecture."""

    breadth_first = False  # JustInTimeLoader::loadDependents recurses after each image's own list

    def __init__(self, program: Mapped) -> None:
        self._program = program
        self._data: dict[str, Any] = read_data("system_libraries")["macos"]

    def names(self, mapped: Mapped, needed: str | None) -> Iterator[str]:  # noqa: ARG002
        """An image answers to its path and to its own install name, whatever form that has."""
        yield mapped.name
        if mapped.image.soname:
            yield mapped.image.soname

    def select(self, found: Binary | RustextError) -> Image | Rejection:
        """Take the slice of the process's architecture; dyld tries on after any other file."""
        if isinstance(found, RustextError):
            return Rejection(reason=str(found))
        wanted = self._program.image.architecture
        slices = [image.architecture for image in found.images]
        if found.image.format is not Format.MACHO:
            return Rejection(reason=f"not a Mach-O file: {found.image.format.name}")
        if wanted not in slices:
            return Rejection(reason=f"wrong architecture: {', '.join(slices)}, not {wanted}")
        image = found.images[slices.index(wanted)]
        if image.kind is not ImageKind.SHARED:
            return Rejection(reason=f"not a dylib: {image.kind.value}")
        return image

    def places(self, mapped: Mapped, name: str) -> Iterator[Place]:
        """Expand an install name: one path, or one for each folder on the stack."""
        if not name.startswith(_RPATH):
            path = self._expand(name, mapped)
            system = path.startswith(tuple(self._data["prefixes"]))
            yield Place(how=FoundBy.SYSTEM if system else FoundBy.PATH, path=path)
            return
        chain = [*mapped.chain()]
        for owner in chain if self._program in chain else [*chain, self._program]:
            for entry in owner.image.rpath:
                folder = self._expand(entry, owner)
                path = posixpath.join(folder, name.removeprefix(_RPATH))
                yield Place(how=self._how(path), path=path)

    def _how(self, path: str) -> FoundBy:
        """Tell the system's libraries from others that a run path into its folders would name."""
        known = any(fnmatch.fnmatchcase(path, pattern) for pattern in self._data["libraries"])
        return FoundBy.SYSTEM if known else FoundBy.RPATH

    def _expand(self, text: str, owner: Mapped) -> str:
        """Replace a leading @loader_path or @executable_path.

        Without a program, @executable_path is unknown and stays.
        """
        head, slash, tail = text.partition("/")
        if head == "@loader_path":
            return f"{owner.origin}{slash}{tail}"
        if head == "@executable_path" and self._program.image.kind is ImageKind.EXECUTABLE:
            return f"{self._program.origin}{slash}{tail}"
        return text
