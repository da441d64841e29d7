"""What ldconfig left for the loader: `/etc/ld.so.cache` and `/etc/ld.so.conf`.

In: bytes of a cache in either layout, or the configuration of a root. Out: entries in file order,
or folders in the order in which ldconfig takes them. Layouts: glibc's `sysdeps/generic/dl-cache.h`
and `elf/cache.c`; configuration: ldconfig(8).
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.files.untrusted import LOADER_LIMIT, read_start
from rustext.loaders.sysroot import Sysroot

_OLD_MAGIC = b"ld.so-1.7.0\0"
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_NEW_HEADER = 48
_HWCAP_EXTENSION = 1 << 62  # DL_CACHE_HWCAP_EXTENSION: the low half numbers a glibc-hwcaps folder
_EXTENSION_MAGIC = 0xEAA42174
_TAG_HWCAPS = 1
_LONGEST = 4096  # bytes of a path (PATH_MAX)
_MOST = 50_000  # entries; a large system has some 10,000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One library of the cache.

    `flags` is the library's kind and ABI (FLAG_ELF_LIBC6 with an architecture's bits). `hwcap` is
    the name of its glibc-hwcaps folder, "" for a plain library, and None for one of the hardware
    masks that glibc 2.37 abolished.
    """

    name: str
    path: str
    flags: int
    hwcap: str | None = ""


def parse_ld_cache(data: bytes) -> tuple[CacheEntry, ...]:
    """Parse a cache of the old layout, the new one, or the old one with the new one behind it.

    Raises `InvalidBinary` if it is neither, `TruncatedBinary` if it ends too early.
    """
    if not data.startswith((_OLD_MAGIC, _NEW_MAGIC)):
        raise InvalidBinary("not an ld.so.cache: it starts with neither of the magic strings")
    try:
        if data.startswith(_NEW_MAGIC):
            return tuple(_iter_new(data, 0))
        (count,) = struct.unpack_from("<I", data, 12)
        end = 16 + 12 * count
        new = data.find(_NEW_MAGIC, end, end + 8 + len(_NEW_MAGIC))  # aligned to 4 or 8
        return tuple(_iter_old(data, count) if new < 0 else _iter_new(data, new))
    except (struct.error, IndexError, ValueError) as error:
        raise TruncatedBinary("ld.so.cache ends before its entries do") from error


def _iter_old(data: bytes, count: int) -> Iterator[CacheEntry]:
    strings = 16 + 12 * count
    for flags, name, path in _records(data, "<iII", 16, count):
        yield CacheEntry(
            name=_string(data, strings + name), path=_string(data, strings + path), flags=flags
        )


def _iter_new(data: bytes, start: int) -> Iterator[CacheEntry]:
    order = ">" if data[start + 28] & 3 == 3 else "<"  # cache_file_new_flags_endian_big
    (count,) = struct.unpack_from(f"{order}I", data, start + 20)
    folders = _hwcaps(data, start, order)
    for flags, name, path, _, hwcap in _records(data, f"{order}iIIIQ", start + _NEW_HEADER, count):
        folder: str | None = "" if hwcap == 0 else None
        if hwcap & _HWCAP_EXTENSION:
            folder = folders[hwcap & 0xFFFFFFFF]
        yield CacheEntry(
            name=_string(data, start + name),
            path=_string(data, start + path),
            flags=flags,
            hwcap=folder,
        )


def _hwcaps(data: bytes, start: int, order: str) -> tuple[str, ...]:
    """Return the names of the glibc-hwcaps folders, from the cache's extension sections.

    Their offsets count from the start of the file, those of the names from the start of the cache.
    """
    (extension,) = struct.unpack_from(f"{order}I", data, start + 32)
    if not extension:
        return ()
    magic, sections = struct.unpack_from(f"{order}II", data, extension)
    if magic != _EXTENSION_MAGIC:
        return ()
    for tag, _, offset, size in _records(data, f"{order}IIII", extension + 8, sections):
        if tag == _TAG_HWCAPS:
            names = _records(data, f"{order}I", offset, size // 4)
            return tuple(_string(data, start + name) for (name,) in names)
    return ()


def _records(data: bytes, layout: str, offset: int, count: int) -> Iterator[tuple[int, ...]]:
    if count > _MOST:
        raise InvalidBinary(f"ld.so.cache has more than {_MOST:,} entries")
    size = struct.calcsize(layout)
    end = offset + size * count
    if end > len(data):
        raise TruncatedBinary("ld.so.cache ends before its entries do")
    return struct.iter_unpack(layout, memoryview(data)[offset:end])


def _string(data: bytes, offset: int) -> str:
    end = data.index(b"\0", offset, offset + _LONGEST)  # many entries may share a text
    return data[offset:end].decode(errors="surrogateescape")


def read_ld_so_conf(root: Sysroot, path: str = "/etc/ld.so.conf") -> tuple[str, ...]:
    """Return the folders that ldconfig would search below a root, included files in place.

    Unreadable files count as empty, as they do for ldconfig.
    """
    folders: list[str] = []
    todo, seen = [path], set[str]()
    while todo:
        item = todo.pop()
        if not item.startswith("\0"):  # a file to read; its parts take its place on the stack
            if item not in seen:
                seen.add(item)
                todo.extend(reversed(list(_conf_items(root, item))))
        elif (folder := item[1:]) not in folders:
            folders.append(folder)
    return tuple(folders)


def _conf_items(root: Sysroot, path: str) -> Iterator[str]:
    """Yield what a configuration file names: files to include, and folders marked with a NUL."""
    try:
        text = read_start(root.host(path), LOADER_LIMIT).decode("utf-8", "surrogateescape")
    except OSError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].strip()
        if words.startswith("include") and words[7:8].isspace():
            for pattern in words.split()[1:]:
                yield from _glob(root, posixpath.join(posixpath.dirname(path), pattern))
        elif words.startswith("/"):  # ldconfig ignores relative folders and the old `hwcap` lines
            yield "\0" + words.partition("=")[0].rstrip("/ \t")


def _glob(root: Sysroot, pattern: str) -> Iterator[str]:
    folder = posixpath.dirname(pattern)
    try:
        names = sorted(entry.name for entry in root.host(folder).iterdir())
    except (OSError, ValueError):  # ValueError: this locale cannot encode the path
        return
    for name in names:
        if PurePosixPath(name).match(posixpath.basename(pattern)):
            yield posixpath.join(folder, name)
