"""Read the native files of a bundle, each once.

In: a `Tree`, and the folders of it that are on `sys.path`. Out: the native files, named as the
bundle's Python sees them, and the files that should be native and cannot be read. A file is taken
for a native one by its first bytes; by its name alone it is one that has lost its content.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rustext.discovery.native_files import folder_source, read_native_file
from rustext.discovery.sources import NEVER_NATIVE, Source
from rustext.errors import InvalidBinary, TooComplex, UnmappedBinary, UnreadableFile
from rustext.files.cache import KeptFacts, kept_facts
from rustext.files.untrusted import read_start
from rustext.formats.binary import HEAD, is_native
from rustext.formats.elf.header import MAGIC
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.tree import Tree

_NATIVE_NAME = re.compile(r"\.(?:so|pyd|dll|dylib)$|^lib[^/]*\.so(?:\.\d+)+$")
# What macOS keeps of a file `name` on foreign systems, as `._name` (AppleDouble; RFC 1740).
_APPLE_DOUBLE = b"\0\5\x16\7"
_LINKER_SCRIPTS = (b"/* GNU ld script", b"INPUT", b"GROUP", b"OUTPUT_FORMAT")  # ld(1), "Scripts"
_SIZE_LIMIT = 4 << 30  # bytes; no loader maps a larger file, and the largest real one has 2 GiB
_SPARSE_FLOOR = 64 << 20  # bytes; below that a file with holes is read like any other
_SPARSE_RATIO = 16  # claimed to stored; file systems that compress stay below 10
_FOLDERS = 50  # on `sys.path`; each file is compared with each
# The folders of `sys.path`: the standard library's own, and those below it.
_EXTENSIONS = "lib-dynload"
# In an application for macOS, PyInstaller writes the dot out (`PyInstaller/building/osx.py`).
_PYTHON = re.compile(r"python3(?:\.|__dot__)\d+t?")
_SITE = re.compile(r"site-packages|dist-packages|" + _PYTHON.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file that cannot be read, and why; `native`: its name or first bytes say a loader would."""

    path: Path
    reason: str
    native: bool = True
    fatal: bool = False  # the loader does not refuse it, and ends the process
    complex: bool = False  # it could be read, with more work than any real file takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Natives:
    """The native files of a tree, by path on this machine, and what could not be read."""

    files: tuple[tuple[Path, NativeFile], ...]
    unreadable: tuple[Unreadable, ...]


def search_path(tree: Tree, *contents: str, frozen: bool = False) -> tuple[str, ...]:
    """The folders of the tree that its Python imports from, innermost first.

    `contents` take the place of `site-packages`; others are known by their names
    (https://docs.python.org/3/library/site.html). PyInstaller's programs, `frozen`, have the folder
    of the standard library's extensions there, and not the one that this is in
    (bootloader/src/pyi_pythonlib.c).
    """
    named = [
        folder
        for folder in tree.folders
        if (_is_site(*folder.rpartition("/")[::2]) and not (frozen and _is_library(folder)))
        or folder in {f"{c}/{_EXTENSIONS}" for c in contents}
    ]
    # An archive that was unpacked under its own name is as good as the archive.
    named += [folder for folder in tree.folders if folder.endswith("base_library.zip")]
    outermost = sorted(named, key=lambda folder: folder.count("/"))[:_FOLDERS]
    return tuple(sorted({*contents, *outermost}, key=lambda folder: (-len(folder), folder)))


def folders_on_path(contents: Path, folder: Path) -> tuple[str, ...]:
    """The packages that a folder in `contents` is, by the folders that Python looks in."""
    parts = folder.relative_to(contents).parts
    sites = (i for i, part in enumerate(parts, 1) if _is_site("/".join(parts[: i - 1]), part))
    return parts[max(sites, default=0) :]


def _is_site(parent: str, name: str) -> bool:
    """Whether Python imports from a folder; of its extensions' one, only next to its modules."""
    if name == _EXTENSIONS:
        return not parent or _PYTHON.fullmatch(parent.rpartition("/")[2]) is not None
    return _SITE.fullmatch(name) is not None


def _is_library(folder: str) -> bool:
    return _PYTHON.fullmatch(folder.rpartition("/")[2]) is not None


def read_natives(tree: Tree, folders: Sequence[str], *, cached: bool = False) -> Natives:
    """Read the native files of a tree; `folders` are those of `search_path`.

    To look for marks of Rust means to read all there is: with `cached`, those that an earlier run
    has found in a file count as long as the file is the same.
    """
    sources = [(f"{f}/" if f else "", folder_source(tree.path(f))) for f in folders]
    outside = Source(root=tree.root, packages={})
    files: list[tuple[Path, NativeFile]] = []
    unreadable: list[Unreadable] = []
    with kept_facts("marks", tree.root, keep=cached) as kept:
        for name in tree.files:
            if os.path.splitext(name)[1] in NEVER_NATIVE:  # noqa: PTH122 (hot loop)
                continue
            path = tree.path(name)
            source = next((s for prefix, s in sources if name.startswith(prefix)), outside)
            found = _read(path, source, kept)
            if isinstance(found, NativeFile):
                files.append((path, found))
            elif found is not None:
                unreadable.append(found)
    return Natives(files=tuple(files), unreadable=tuple(unreadable))


def is_named_native(path: str) -> bool:
    """Whether a path ends as those of libraries and extension modules do."""
    return _NATIVE_NAME.search(path.rpartition("/")[2]) is not None


def unreasonable_size(path: Path) -> str | None:
    """Why a native file is too large to be one, or has never been written to its end.

    Raises `OSError`.
    """
    status = path.stat()
    size = status.st_size
    if size > _SIZE_LIMIT:
        return f"{size:,} bytes are more than a loader maps"
    stored = getattr(status, "st_blocks", size) * 512  # POSIX leaves the unit open; all use 512
    if size > max(_SPARSE_FLOOR, stored * _SPARSE_RATIO):
        return f"of its {size:,} bytes {stored:,} have been written"
    return None


def _read(path: Path, source: Source, kept: KeptFacts) -> NativeFile | Unreadable | None:
    named = is_named_native(path.name)
    try:
        if not is_native(path):
            return _without_magic(path) if named else None
        if (reason := unreasonable_size(path)) is not None:
            return Unreadable(path=path, reason=reason)
        return read_native_file(path, source, kept)
    except TooComplex as error:
        return Unreadable(path=path, reason=_reason(error, path), complex=True)
    except InvalidBinary as error:
        fatal, native = isinstance(error, UnmappedBinary), named or _is_elf(path)
        return Unreadable(path=path, reason=_reason(error, path), native=native, fatal=fatal)
    except (OSError, UnreadableFile) as error:
        return Unreadable(path=path, reason=_reason(error, path), native=named)


def _without_magic(path: Path) -> Unreadable | None:
    """A file that has a library's name alone; a few have it by right."""
    head = read_start(path, HEAD)
    if not head:
        return Unreadable(path=path, reason="the file is empty")
    beside = path.name.startswith("._") and head.startswith(_APPLE_DOUBLE)
    if beside or head.startswith(_LINKER_SCRIPTS):
        return None
    return Unreadable(path=path, reason="neither ELF nor Mach-O nor PE")


def _is_elf(path: Path) -> bool:
    """ELF's magic number is no accident; those of Mach-O and PE are two or four common bytes."""
    with suppress(OSError):
        return read_start(path, len(MAGIC)) == MAGIC
    return False


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error).removeprefix(f"cannot read `{path}`: ")
