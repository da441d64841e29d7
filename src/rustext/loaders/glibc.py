"""The ELF loaders' rules: glibc's ld.so and musl's.

In: what the process is (`Loader`, its program's image) and an image that needs a library. Out: the
files that are tried for it, in order. glibc: ld.so(8) and `elf/dl-load.c`; musl: `ldso/dynlink.c`
(`load_library`). Both follow what the sources do where the manuals say less.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rustext.data import read_data
from rustext.errors import InvalidBinary, RustextError
from rustext.files.untrusted import LOADER_LIMIT, read_start
from rustext.loaders.elf import select
from rustext.loaders.ld_so_cache import CacheEntry, parse_ld_cache, read_ld_so_conf
from rustext.loaders.rules import Loader, Mapped, Place, Rejection, Rules
from rustext.loaders.sysroot import Sysroot
from rustext.model.image import Binary, Image
from rustext.model.libraries import FoundBy

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
# SYSTEM_DIRS of glibc's elf/dl-load.c: NUL-terminated, each with a slash at its end
_SYSTEM_DIRS = re.compile(rb"(?:/[\w.+/-]*/\0){2,}")


@dataclass(frozen=True, slots=True)
class SystemFolders:
    """What one system's glibc was built and configured with."""

    preloaded: tuple[tuple[str, Path], ...]  # the loader itself, under each of its names
    folders: tuple[str, ...]
    cache: Callable[[str], Iterable[CacheEntry]]
    configured: tuple[str, ...]  # /etc/ld.so.conf, for a foreign root without a cache
    lib: str  # $LIB
    platform: str  # $PLATFORM


def read_system(root: Sysroot, program: Image) -> SystemFolders:
    """Read what the loader of `program` knows about the system below `root`.

    Built-in folders come out of the loader's own file, where it is there; else they are the usual
    ones of the architecture. A damaged cache counts as none, as it does for ld.so.
    """
    known: dict[str, Any] = read_data("system_libraries")["glibc"].get(program.architecture, {})
    interpreter = program.interpreter or known.get("interpreter", "")
    lib, multiarch = known.get("lib", "lib"), known.get("multiarch", "")
    usual = [multiarch and f"lib/{multiarch}", lib, "lib"]
    folders = tuple(
        dict.fromkeys(
            f"{prefix}{folder}" for folder in usual if folder for prefix in ("/", "/usr/")
        )
    )
    file = root.host(interpreter)
    names: tuple[str, ...] = (interpreter, posixpath.basename(interpreter))
    try:
        folders = _built_in(read_start(file, LOADER_LIMIT)) or folders
    except OSError:
        names = ()
    entries = _read_cache(root)
    return SystemFolders(
        preloaded=tuple((name, file) for name in names if name),
        folders=folders,
        cache=_usable(entries or (), known.get("cache")),
        configured=read_ld_so_conf(root) if entries is None and root.foreign else (),
        lib=_dst_lib(folders),
        platform=known.get("platform", ""),
    )


def _built_in(data: bytes) -> tuple[str, ...]:
    """Return the folders that are compiled into a loader, or () where they cannot be told."""
    between = data.find(b"/\0/")  # of the first two; cheaper than to search for the expression
    found = _SYSTEM_DIRS.match(data, data.rfind(b"\0", 0, max(between, 0)) + 1)
    return (
        tuple(part.decode().rstrip("/") for part in found[0].split(b"\0") if part) if found else ()
    )


def _read_cache(root: Sysroot) -> tuple[CacheEntry, ...] | None:
    try:
        return parse_ld_cache(read_start(root.host("/etc/ld.so.cache"), LOADER_LIMIT))
    except (OSError, InvalidBinary):
        return None


def _usable(
    entries: Iterable[CacheEntry], flags: int | None
) -> Callable[[str], Iterable[CacheEntry]]:
    """Index the entries of an ABI by name; without known flags any entry may be the one."""
    index: dict[str, list[CacheEntry]] = {}
    for entry in entries:
        if flags is None or entry.flags in (flags, 1):  # 1: FLAG_ELF, a library of any kind
            index.setdefault(entry.name, []).append(entry)
    return lambda name: index.get(name, ())


def _dst_lib(folders: Iterable[str]) -> str:
    """Return the value of $LIB: glibc's library folder, relative to its prefix."""
    first = next(iter(folders), "/lib")
    for prefix in ("/usr/", "/"):
        if first.startswith(f"{prefix}lib"):
            return first.removeprefix(prefix)
    return posixpath.basename(first)


class GlibcRules(Rules):
    """ld.so of glibc, for one process."""

    def __init__(
        self, loader: Loader, root: Sysroot, program: Mapped, system: SystemFolders
    ) -> None:
        self._loader = loader
        self._root = root
        self._program = program
        self._system = system

    def preloaded(self) -> tuple[tuple[str, Path], ...]:
        """Return the loader itself: it is in the process before anything else."""
        return self._system.preloaded

    def key(self, mapped: Mapped, name: str) -> str:
        """Names are compared after tokens have been replaced (elf/dl-deps.c)."""
        return self._expand(name, mapped) or name if "$" in name else name

    def names(self, mapped: Mapped, needed: str | None) -> Iterator[str]:
        """An object answers to the name that it was asked for by, its soname and its path."""
        yield mapped.name
        if needed:
            yield needed
        if mapped.image.soname:
            yield mapped.image.soname

    def select(self, found: Binary | RustextError) -> Image | Rejection:
        """A file for another machine is skipped; one that is no library ends the search."""
        return select(found, self._program.image)

    def places(self, mapped: Mapped, name: str) -> Iterator[Place]:
        """Yield the files that `_dl_map_new_object` of elf/dl-load.c tries, in its order."""
        if "/" in name:
            yield Place(how=FoundBy.PATH, path=name)
            return
        if not mapped.image.has_runpath:
            yield from self._inherited_rpaths(mapped, name)
        yield from self._library_path(name)
        if mapped.image.runpath:
            yield from self._in(FoundBy.RUNPATH, self._folders(mapped, mapped.image.runpath), name)
        yield from self._cache(mapped, name)
        if not mapped.image.no_default_libraries:
            yield from self._in(FoundBy.DEFAULT, self._system.folders, name)

    def _inherited_rpaths(self, mapped: Mapped, name: str) -> Iterator[Place]:
        chain = [*mapped.chain()]
        if self._program not in chain:
            chain.append(self._program)
        for owner in chain:
            if (
                owner.image.rpath and not owner.image.has_runpath
            ):  # DT_RUNPATH makes an object's own DT_RPATH void
                yield from self._in(FoundBy.RPATH, self._folders(owner, owner.image.rpath), name)

    def _library_path(self, name: str) -> Iterator[Place]:
        if self._loader.library_path and not self._loader.secure:
            folders = self._folders(self._program, self._loader.library_path)
            yield from self._in(FoundBy.ENV, folders, name)

    def _cache(self, mapped: Mapped, name: str) -> Iterator[Place]:
        levels = (*self._loader.hwcaps, "")
        entries = [entry for entry in self._system.cache(name) if entry.hwcap in levels]
        if entries:
            path = min(entries, key=lambda entry: levels.index(entry.hwcap or "")).path
            default = path.startswith(tuple(f"{folder}/" for folder in self._system.folders))
            refused = "in a default folder, which DF_1_NODEFLIB excludes" if default else None
            refused = refused if mapped.image.no_default_libraries else None
            yield Place(how=FoundBy.CACHE, path=path, refused=refused)
        for folder in self._system.configured:
            yield Place(how=FoundBy.CACHE, path=f"{folder}/{name}")

    def _in(self, how: FoundBy, folders: Iterable[str], name: str) -> Iterator[Place]:
        """Yield a name in folders; those for better processors first, where there are any."""
        for folder in folders:
            for level in self._loader.hwcaps:
                path = posixpath.join(folder, "glibc-hwcaps", level, name)
                yield Place(how=how, path=path, silent=True)
            yield Place(how=how, path=posixpath.join(folder, name))

    def _folders(self, owner: Mapped, entries: tuple[str, ...]) -> tuple[str, ...]:
        """Return a search path's folders, tokens replaced and each once (`fillin_rpath`).

        An empty item is the current folder.
        """
        expanded = (self._expand(entry, owner) for entry in entries)
        folders = (e.rstrip("/") or e[:1] for e in expanded if e is not None)
        return tuple(dict.fromkeys(folders))

    def _expand(self, text: str, owner: Mapped) -> str | None:
        """Replace $ORIGIN, $LIB and $PLATFORM; None for a path that AT_SECURE forbids."""
        if "$" not in text:
            return text
        values = {
            "ORIGIN": owner.origin,
            "LIB": self._system.lib,
            "PLATFORM": self._loader.platform or self._system.platform,
        }
        path = _TOKEN.sub(lambda match: values[match[1] or match[2]], text)
        if self._loader.secure and path != text:
            normal = f"{posixpath.normpath(path)}/"
            if not normal.startswith(tuple(f"{folder}/" for folder in self._system.folders)):
                return None
        return path
