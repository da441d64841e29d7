"""How musl's dynamic loader searches for libraries (https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rustext.data import read_data
from rustext.errors import RustextError
from rustext.files.untrusted import LOADER_LIMIT, read_start
from rustext.loaders.elf import iter_places, select
from rustext.loaders.rules import Loader, Mapped, Place, Rejection, Rules
from rustext.loaders.sysroot import Sysroot
from rustext.model.image import Binary, Image
from rustext.model.libraries import FoundBy


class MuslRules(Rules):
    """musl's loader, for one process.

    It compares files by the name that they were found under, never by soname, makes no difference
    between DT_RPATH and DT_RUNPATH, and takes the first file that can be opened.
    """

    def __init__(self, loader: Loader, root: Sysroot, program: Mapped) -> None:
        self._loader = loader
        self._root = root
        self._program = program
        self._data: dict[str, Any] = read_data("system_libraries")["musl"]
        architecture = program.image.architecture
        self._name = self._data["names"].get(architecture, architecture)
        self._interpreter = program.image.interpreter or f"/lib/ld-musl-{self._name}.so.1"
        self._system = self._read_path()

    def preloaded(self) -> Iterator[tuple[str, Path]]:
        """Yield the loader, which is the C library too, if the root has it."""
        file = self._root.host(self._interpreter)
        if file.exists():
            yield self._interpreter, file

    def key(self, mapped: Mapped, name: str) -> str:  # noqa: ARG002
        """The C library's names mean the loader itself; others are compared unchanged."""
        return self._interpreter if name.startswith(tuple(self._data["itself"])) else name

    def names(self, mapped: Mapped, needed: str | None) -> Iterator[str]:
        """A library answers to its file's name if a search found it, else to nothing."""
        if needed and "/" not in needed:
            yield posixpath.basename(mapped.name)

    def select(self, found: Binary | RustextError) -> Image | Rejection:
        """The first file that can be opened is mapped, or the loader gives up."""
        image = select(found, self._program.image)
        if isinstance(image, Rejection):
            forbidden = isinstance(found, RustextError) and not image.final
            return Rejection(reason=image.reason, final=not forbidden)
        return image

    def places(self, mapped: Mapped, name: str) -> Iterator[Place]:
        """Yield the files that `load_library` of ldso/dynlink.c tries, in its order."""
        if "/" in name:
            yield Place(how=FoundBy.PATH, path=name)
            return
        if not self._loader.secure:
            yield from iter_places(FoundBy.ENV, filter(None, self._loader.library_path), name)
        chain = [*mapped.chain()]
        for owner in chain if self._program in chain else [*chain, self._program]:
            how = FoundBy.RUNPATH if owner.image.has_runpath else FoundBy.RPATH
            yield from iter_places(how, self._folders(owner), name)
        yield from iter_places(FoundBy.DEFAULT, self._system, name)

    def _folders(self, owner: Mapped) -> Iterator[str]:
        """Yield an image's run path; one with a token other than $ORIGIN is void (fixup_rpath)."""
        entries = owner.image.runpath if owner.image.has_runpath else owner.image.rpath
        expanded = [re.sub(r"\$(?:ORIGIN|\{ORIGIN\})", owner.origin, entry) for entry in entries]
        dynamic = any("$" in entry for entry in entries)
        if not any("$" in entry for entry in expanded) and not (dynamic and self._loader.secure):
            yield from filter(None, expanded)

    def _read_path(self) -> tuple[str, ...]:
        """Return the folders of `/etc/ld-musl-ARCH.path`, below the prefix of the loader's own."""
        prefix = posixpath.dirname(posixpath.dirname(self._interpreter)).rstrip("/")
        file = self._root.host(f"{prefix}/etc/ld-musl-{self._name}.path")
        try:
            text = read_start(file, LOADER_LIMIT).decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return tuple(self._data["folders"])
        except OSError:
            return ()
        return tuple(filter(None, re.split(r"[:\n]", text)))
