"""Read a file that somebody else wrote, in bounded time and memory.

In: a path and a limit in bytes. Out: the content. Only regular files are read: opening a FIFO would
wait for its writer, and a device may never end. What its mode lets nobody read is not read by root
either: programs run without root's privileges.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from rustext.errors import UnreadableFile

# Bytes; real files stay far below.
SOURCE_LIMIT = 4 << 20  # a Python source
LOADER_LIMIT = 64 << 20  # a dynamic loader, its cache and its configuration


def text_of(path: Path, limit: int = SOURCE_LIMIT) -> str:
    """The beginning of a text in UTF-8; "" where it cannot be read."""
    try:
        return read_start(path, limit).decode("utf-8", "replace")
    except OSError:
        return ""


def hash_file(path: Path) -> bytes:
    """The SHA-256 of a regular file, read in pieces. Raises `OSError` as `open_file`."""
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.digest()


def open_file(path: Path) -> BinaryIO:
    """A regular file, open for reading. Raises `OSError`, also for what is no regular file."""
    try:
        stream = open(path, "rb", opener=_open)  # noqa: SIM115 (a Path takes no opener)
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    mode = os.fstat(stream.fileno()).st_mode
    if not stat.S_ISREG(mode):
        stream.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if is_closed(mode):
        stream.close()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return stream


def is_closed(mode: int) -> bool:
    """Whether a mode lets neither owner, group nor others read a file, or enter a folder."""
    return not mode & 0o444 or (stat.S_ISDIR(mode) and not mode & 0o111)


def _open(path: str, flags: int) -> int:
    """Open without waiting; Windows has neither FIFOs in its file system nor the flag."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_start(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a regular file; raises `OSError`."""
    with open_file(path) as stream:
        return stream.read(limit)


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises `UnreadableFile`, whose message says why, without the path.
    """
    try:
        content = read_start(path, limit + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(reason[:1].lower() + reason[1:]) from error
    if len(content) > limit:
        raise UnreadableFile(f"it has more than {limit:,} bytes")
    return content


def read_text(path: Path, limit: int) -> str:
    """The same as text in UTF-8; bytes that are not UTF-8 become surrogates (PEP 383)."""
    return read_bytes(path, limit).decode("utf-8", "surrogateescape")


def find_obstacle(path: Path) -> str:
    """Why this user cannot copy a file; "" where nothing is in the way."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: no path, as for `can_name_file`
        return (getattr(error, "strerror", None) or str(error)).lower()
    if not stat.S_ISREG(mode):
        return "it is not a regular file"
    return "" if os.access(path, os.R_OK) else os.strerror(errno.EACCES).lower()


def is_strangers(path: Path, chosen: Path | None = None) -> bool:
    """Whether another user could have put a file there: its owner is neither this one nor root.

    The owner of `chosen`, a path that the user has named, is trusted as well.
    """
    if sys.platform == "win32":
        return False
    trusted = {os.geteuid(), 0, *([chosen.stat().st_uid] if chosen is not None else [])}
    return path.lstat().st_uid not in trusted


def is_withheld(path: Path) -> bool:
    """Whether a file is another user's, and this one cannot read it."""
    if sys.platform == "win32":
        return False
    return path.lstat().st_uid != os.geteuid() and not os.access(path, os.R_OK)


def can_name_file(text: str) -> bool:
    """Whether the system takes a text for a path: it has no NUL, and the locale can encode it.

    Where one is not, what opens or looks at it raises `ValueError`.
    """
    if text.isascii():  # most are
        return "\0" not in text
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def is_utf8(text: str) -> bool:
    """Whether a name from the file system can be written as UTF-8: it has no surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
