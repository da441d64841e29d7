"""One-file programs made by hand: Nuitka's payload in all layouts, Zstandard frames included.

Frames are made by the system's libzstd, which Debian's package manager depends on.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Sequence

LIBZSTD = "libzstd.so.1"

Files = Sequence[tuple[str, bytes | str]]  # a `str` is the target of a link


def zstd(content: bytes) -> bytes:
    """One frame, as `ZSTD_compress` makes it."""
    library = ctypes.CDLL(LIBZSTD)
    library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compress.restype = ctypes.c_size_t
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(ctypes.c_size_t(len(content))))
    size = library.ZSTD_compress(
        room, ctypes.c_size_t(len(room)), content, ctypes.c_size_t(len(content)), 3
    )
    return room.raw[:size]


def payload(
    files: Files,
    *,
    compressed: bool = False,
    archive: bool = False,
    checksums: bool = False,
    windows: bool = False,
) -> bytes:
    """A payload as `rustext.verify.onefile.nuitka_payload` describes it."""
    encoding = "utf-16-le" if windows else "utf-8"
    body = b""
    for name, content in files:
        body += f"{name}\0".encode(encoding, "surrogateescape" if not windows else "strict")
        if isinstance(content, str):
            body += b"\2" + content.encode() + b"\0"
            continue
        body += b"" if windows else b"\1"
        body += struct.pack("<Q", len(content))
        body += struct.pack("<I", zlib.crc32(content) or 1) if checksums else b""
        packed = zstd(content) if compressed and archive else content
        body += struct.pack("<I", len(packed)) if compressed and archive else b""
        body += packed
    body += "\0".encode(encoding)
    body = zstd(body) if compressed and not archive else body
    body = b"KA" + (b"Y" if compressed else b"X") + body
    body += bytes(-len(body) % 8) if windows else b""
    return body + struct.pack("<Q", len(body))
