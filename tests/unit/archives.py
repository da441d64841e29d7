"""PyInstaller archives, written here as its manual describes them."""

from __future__ import annotations

import marshal
import struct
import zlib
from collections.abc import Sequence
from typing import Any

MAGIC = b"MEI\014\013\012\013\016"


CODE = zlib.compress(b"code")


def pyz(table: Any, magic: bytes = b"PYZ\0") -> bytes:
    """A module archive: its three members begin at 17, each of the length of `CODE`."""
    body = CODE * 3
    at = 17 + len(body)
    return (
        magic
        + b"\xa7\x0d\x0d\x0a"
        + struct.pack("!i", at)
        + b"\0" * 5
        + body
        + marshal.dumps(table)
    )


def archive(entries: Sequence[tuple[bytes, str, bytes]], python: int = 311) -> bytes:
    """A CArchive: data, a table of contents, and the cookie."""
    data, toc = b"", b""
    for kind, name, content in entries:
        raw = name.encode() + b"\0"
        raw += b"\0" * (-(18 + len(raw)) % 16)
        size = 18 + len(raw)
        toc += struct.pack("!IIIIBc", size, len(data), len(content), len(content), 0, kind) + raw
        data += content
    total = len(data) + len(toc) + 88
    cookie = struct.pack(
        "!8sIIII64s", MAGIC, total, len(data), len(toc), python, b"libpython3.11.so"
    )
    return data + toc + cookie
