"""Read a file that somebody else wrote, in bounded time and memory.

In: a path and a limit in bytes. Out: the content. Only regular files are read: opening a FIFO would
wait for its writer, and a device may never end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rustext.errors import UnreadableFile

# Windows has neither FIFOs in its file system nor the flag.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises `UnreadableFile`, whose message says why, without the path.
    """
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnreadableFile("it is not a regular file")
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(reason[:1].lower() + reason[1:]) from error
    if len(content) > limit:
        raise UnreadableFile(f"it has more than {limit:,} bytes")
    return content


def read_text(path: Path, limit: int) -> str:
    """The same as text in UTF-8; bytes that are not UTF-8 become surrogates (PEP 383)."""
    return read_bytes(path, limit).decode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Whether a name from the file system can be written as UTF-8: it has no surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
