"""Unpack an archive that a bundle is published in: zip files (wheels as well) and tar files.

In: the path of an untrusted file. Out: a folder, written within the limits of `Unpacker`. The kind
of an archive is decided by its first bytes, not by its name.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from rustext.discovery.wheels import ARCHIVE_ERRORS
from rustext.errors import InvalidBundle, NotABundle, UnreadableFile
from rustext.verify.onefile.unpacker import Unpacker

_CHUNK = 1 << 20  # bytes
_MOST_HEADER = 1 << 24  # bytes that one header of a tar file may take
_ZIP = (b"PK\3\4", b"PK\5\6")
_TAR_MAGIC = slice(257, 262)  # "ustar", POSIX.1-1988
_PACKERS: tuple[tuple[bytes, Callable[[Path], io.BufferedIOBase]], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)
_EXTRACT = "unpack it, and name the folder"
# What people publish programs in and rustext does not read, by the first bytes.
_CLOSED = (
    (b"!<arch>\ndebian", "a Debian package", "dpkg-deb -x FILE FOLDER unpacks it"),
    (b"\xed\xab\xee\xdb", "an RPM package", "rpm2cpio FILE | cpio -id unpacks it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _EXTRACT),
    (b"Rar!", "a RAR archive", _EXTRACT),
    (b"MSCF", "a cabinet file", _EXTRACT),
    (b"xar!", "an installer of macOS", "pkgutil --expand-full FILE FOLDER unpacks it"),
    (b"hsqs", "a SquashFS image", "unsquashfs FILE unpacks it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "unzstd FILE unpacks it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Windows installer", "install it, name its folder"),
)
_DISK_IMAGE = (b"koly", 512)  # the trailer of a UDIF image, and its length


def is_packed(path: Path) -> bool:
    """Whether the file is an archive that `unpack` reads.

    Raises `NotABundle` for a file of a kind that is known and not read, `UnreadableFile`.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            stream.seek(max(path.stat().st_size - _DISK_IMAGE[1], 0))
            tail = stream.read(4)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {(error.strerror or '').lower()}") from error
    if tail == _DISK_IMAGE[0]:
        raise NotABundle(
            f"{path} is a disk image of macOS, which rustext does not read",
            hint="hdiutil attach mounts it on a Mac; name the application in it",
        )
    if head[8:10] == b"AI" and head[:4] == b"\x7fELF":
        raise NotABundle(
            f"{path} is an AppImage, which rustext does not read",
            hint="run it with --appimage-extract, and name the folder squashfs-root",
        )
    for magic, what, hint in _CLOSED:
        if head.startswith(magic):
            raise NotABundle(f"{path} is {what}, which rustext does not read", hint=hint)
    packed = any(head.startswith(magic) for magic, _ in _PACKERS)
    return head.startswith(_ZIP) or packed or head[_TAR_MAGIC] == b"ustar"


def unpack(path: Path, folder: Path) -> Path:
    """Unpack an archive below `folder`; what is returned holds its members.

    Raises `InvalidBundle` for one that is damaged or leads out of the folder.
    """
    unpacker = Unpacker(folder / path.name, name=path.name, size=path.stat().st_size)
    try:
        with path.open("rb") as stream:
            if stream.read(4) in _ZIP:
                _add_zip(path, unpacker)
            else:
                _add_tar(path, unpacker)
        return unpacker.finish()
    except (*ARCHIVE_ERRORS, tarfile.TarError) as error:
        raise InvalidBundle(f"{path} cannot be unpacked: {error}") from error


def _add_zip(path: Path, unpacker: Unpacker) -> None:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            with archive.open(info) as stream:
                if stat.S_ISLNK(mode):
                    target = stream.read(_CHUNK).decode("utf-8", "surrogateescape")
                    unpacker.link(info.filename, target)
                else:
                    runs = bool(mode & stat.S_IXUSR)
                    chunks = _chunks(stream)
                    unpacker.add(info.filename, info.file_size, chunks, executable=runs)


def _add_tar(path: Path, unpacker: Unpacker) -> None:
    with path.open("rb") as stream:
        head = stream.read(6)
    start = next((start for magic, start in _PACKERS if head.startswith(magic)), None)
    with (
        start(path) if start is not None else path.open("rb") as plain,
        tarfile.open(fileobj=_Bounded(plain), mode="r:") as archive,
    ):
        files: dict[str, tarfile.TarInfo] = {}
        for member in archive:
            if member.issym():
                unpacker.link(member.name, member.linkname)
            elif member.isfile() or member.islnk():
                file = member if member.isfile() else files.get(member.linkname)
                content = archive.extractfile(file) if file is not None else None
                if file is None or content is None:
                    raise InvalidBundle(
                        f"{path.name} holds `{member.name[:100]}`, a link to a missing file"
                    )
                files[member.name] = file
                runs = bool(file.mode & stat.S_IXUSR)
                unpacker.add(member.name, file.size, _chunks(content), executable=runs)


class _Bounded(io.RawIOBase):
    """A stream that hands out no more at once than a header may take: `tarfile` trusts sizes."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_HEADER:
            raise tarfile.ReadError("a header claims more than a header can hold")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
