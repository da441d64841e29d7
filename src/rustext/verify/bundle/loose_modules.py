"""Name the Python modules that are files in a bundle, or members of a zip file on its `sys.path`.

In: a `Tree` and the folders of it that are on `sys.path`. Out: the names of modules, and where they
are. Of a zip file the list of members alone is read, and nothing is decompressed.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rustext.discovery.wheels import ARCHIVE_ERRORS
from rustext.files.untrusted import open_file
from rustext.verify.bundle.native_files import Unreadable
from rustext.verify.bundle.tree import Tree

# PyInstaller's, cx_Freeze's, and the embeddable package's for Windows.
_LIBRARY = re.compile(r"(?:^|/)(?:base_library|library|python3\d+)\.zip$")
_END = struct.Struct("<4s4H2LH")  # APPNOTE.TXT 4.3.16, end of central directory record
_LOCAL = struct.Struct("<26x2H")  # 4.3.7, local file header: the sizes of what follows it
_LOCAL_MAGIC = b"PK\3\4"
_END_MAGIC = b"PK\5\6"
_LIST_LIMIT = 8 << 20  # bytes of a zip file's list of members; 10,000 modules take 1 MB


@dataclass(frozen=True, slots=True)
class LibraryModule:
    """A module in a zip file on `sys.path`."""

    name: str
    library: Path
    member: str
    package: bool


def iter_loose_modules(tree: Tree, folders: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The modules that are `.py` or `.pyc` files; `folders` are those of `search_path`.

    Of one name, the one that Python takes comes last: a package before a module, and a source
    before bytecode (importlib.machinery.FileFinder).
    """
    prefixes = [f"{folder}/" if folder else "" for folder in folders]
    found = []
    for path in tree.files:
        stem, suffix = os.path.splitext(path)  # noqa: PTH122 (there may be a million)
        if suffix in {".py", ".pyc"}:
            found.append((stem.endswith("/__init__"), suffix == ".py", stem, path))
    for _, _, stem, path in sorted(found):
        prefix = next((p for p in prefixes if path.startswith(p)), "")
        yield _dotted(stem[len(prefix) :]), tree.path(path)


def find_libraries(tree: Tree) -> tuple[Path, ...]:
    """The zip files that a freezer or an embedded Python puts on `sys.path`."""
    return tuple(tree.path(path) for path in tree.files if _LIBRARY.search(path))


def read_library(path: Path) -> tuple[LibraryModule, ...] | Unreadable:
    """The modules in a zip file on `sys.path`, or why its members cannot be listed."""
    try:
        if (size := _list_size(path)) > _LIST_LIMIT:
            return Unreadable(path=path, reason=f"its list of members claims {size:,} bytes")
        with zipfile.ZipFile(path) as archive:
            if any(info.header_offset > archive.start_dir for info in archive.infolist()):
                return Unreadable(path=path, reason="bad local header offset")  # Lib/zipimport.py
            return tuple(_iter_members(path, archive))
    except ARCHIVE_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Unreadable(path=path, reason=reason.lower())


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    """What CPython imports from a zip file: at most `limit` bytes, and no CRC is compared.

    Raises `zipfile.BadZipFile` where Lib/zipimport.py raises an error.
    """
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise zipfile.BadZipFile("it is compressed in a way that Python cannot import")
    stream = archive.fp
    assert stream is not None  # noqa: S101 (it is open)
    stream.seek(member.header_offset)
    head = stream.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(_LOCAL_MAGIC):
        raise zipfile.BadZipFile("its own header is damaged")
    stream.seek(sum(_LOCAL.unpack(head)), os.SEEK_CUR)
    packed = stream.read(min(member.compress_size, limit))
    if len(packed) < member.compress_size:
        raise zipfile.BadZipFile("it ends outside of the file")
    if member.compress_type == zipfile.ZIP_STORED:
        return packed
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflate.decompress(packed, limit)
    except zlib.error as error:
        raise zipfile.BadZipFile(f"it cannot be inflated: {error}") from error
    if not inflate.eof:
        raise zipfile.BadZipFile("it cannot be inflated: the data has no end")
    return data


def _iter_members(path: Path, archive: zipfile.ZipFile) -> Iterator[LibraryModule]:
    for member in archive.namelist():
        stem, suffix = os.path.splitext(member)  # noqa: PTH122
        if suffix in {".py", ".pyc"}:
            yield LibraryModule(_dotted(stem), path, member, stem.endswith("/__init__"))


def _list_size(path: Path) -> int:
    """How many bytes `zipfile` is going to read at once, as the file's end says."""
    with open_file(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _END.size - 0xFFFF))
        tail = stream.read()
    at = tail.rfind(_END_MAGIC)
    if at < 0:
        return 0
    with contextlib.suppress(struct.error):
        claimed: int = _END.unpack_from(tail, at)[5]
        return claimed
    return 0


def _dotted(stem: str) -> str:
    return stem.removesuffix("/__init__").replace("/", ".")
