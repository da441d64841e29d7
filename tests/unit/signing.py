"""Signs Mach-O images as <kern/cs_blobs.h> says, so that each kind of signature can be broken."""

from __future__ import annotations

import hashlib
import plistlib
import struct
from collections.abc import Mapping, Sequence

PAGE = 4096
ADHOC, RUNTIME, LINKER_SIGNED = 0x2, 0x10000, 0x20000
HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}
DISABLE_LIBRARY_VALIDATION = {"com.apple.security.cs.disable-library-validation": True}
_SEGMENT, _SIGNATURE = 0x19, 0x1D  # LC_SEGMENT_64, LC_CODE_SIGNATURE


def sign(
    data: bytes,
    *,
    types: Sequence[int] = (2,),
    flags: int = ADHOC,
    team: str | None = None,
    entitlements: Mapping[str, object] | None = None,
    sealed: Mapping[int, bytes] | None = None,
) -> bytes:
    """A thin 64-bit image with a new signature; a team makes it one with certificates.

    `sealed` are the contents of files that it covers, by slot.
    """
    code = bytearray(_unsigned(data))
    limit = len(code)
    blobs: dict[int, bytes] = {}
    if entitlements is not None:
        blobs[5] = _blob(0xFADE7171, plistlib.dumps(dict(entitlements)))
    certificates = {0x10000: _blob(0xFADE0B01, b"not looked at" if team else b"")}

    def signature() -> bytes:
        return _super_blob(code, types, flags, team, {**blobs, **certificates}, sealed or {})

    room = len(signature()) + 15 & ~15
    _set_room(code, limit, room)
    return bytes(code) + signature().ljust(room, b"\0")


def unsigned(data: bytes) -> bytes:
    """A thin 64-bit image whose signature is gone, command and all."""
    code = bytearray(_unsigned(data))
    count, size = struct.unpack_from("<II", code, 16)
    offset, length = next((o, n) for c, o, n in _commands(code) if c == _SIGNATURE)
    code[offset : 32 + size] = code[offset + length : 32 + size] + bytes(length)
    struct.pack_into("<II", code, 16, count - 1, size - length)
    linkedit = _linkedit(code)
    struct.pack_into("<Q", code, linkedit + 48, len(code) - _file_offset(code, linkedit))
    return bytes(code)


def _super_blob(
    code: bytearray,
    types: Sequence[int],
    flags: int,
    team: str | None,
    blobs: Mapping[int, bytes],
    sealed: Mapping[int, bytes],
) -> bytes:
    slots = [0, *range(0x1000, 0x1000 + len(types) - 1)]
    directories = {
        slot: _directory(bytes(code), kind, flags, team, {**blobs, **sealed})
        for slot, kind in zip(slots, types, strict=True)
    }
    parts = {**directories, **blobs}
    index, body, start = b"", b"", 12 + 8 * len(parts)
    for slot, blob in parts.items():
        index += struct.pack(">II", slot, start + len(body))
        body += blob
    return _blob(0xFADE0CC0, struct.pack(">I", len(parts)) + index + body)


def _directory(
    code: bytes, kind: int, flags: int, team: str | None, blobs: Mapping[int, bytes]
) -> bytes:
    name, size = HASHES[kind]

    def digest(content: bytes) -> bytes:
        return hashlib.new(name, content).digest()[:size]

    pages = [digest(code[i : i + PAGE]) for i in range(0, len(code), PAGE)]
    special = [digest(blobs[slot]) if slot in blobs else bytes(size) for slot in range(7, 0, -1)]
    names = b"test.program\0" + (team.encode() + b"\0" if team else b"")
    start = 64  # of what follows the fields of version 0x20300
    hashes = start + len(names) + size * len(special)
    fields = struct.pack(
        ">IIIIIIIBBBBIIIIQ", 0x20300, flags, hashes, start, len(special), len(pages), len(code),
        size, kind, 0, 12, 0, 0, start + 13 if team else 0, 0, 0,
    )  # fmt: skip
    return _blob(0xFADE0C02, fields + names + b"".join(special) + b"".join(pages))


def _blob(magic: int, content: bytes) -> bytes:
    return struct.pack(">II", magic, 8 + len(content)) + content


def _unsigned(data: bytes) -> bytes:
    for code, offset, _ in _commands(data):
        if code == _SIGNATURE:
            return data[: struct.unpack_from("<I", data, offset + 8)[0]]
    return data + bytes(-len(data) % 16)


def _set_room(code: bytearray, limit: int, room: int) -> None:
    """Write the signature's place into the header, where there is room for one more command."""
    place = next((o for c, o, _ in _commands(code) if c == _SIGNATURE), None)
    if place is None:
        count, size = struct.unpack_from("<II", code, 16)
        place = 32 + size
        struct.pack_into("<II", code, 16, count + 1, size + 16)
    struct.pack_into("<IIII", code, place, _SIGNATURE, 16, limit, room)
    linkedit = _linkedit(code)
    size = limit + room - _file_offset(code, linkedit)
    struct.pack_into("<Q", code, linkedit + 32, -(-size // (1 << 14)) * (1 << 14))
    struct.pack_into("<Q", code, linkedit + 48, size)


def _linkedit(code: bytes | bytearray) -> int:
    return next(
        offset
        for command, offset, _ in _commands(code)
        if command == _SEGMENT and code[offset + 8 : offset + 24].rstrip(b"\0") == b"__LINKEDIT"
    )


def _file_offset(code: bytearray, segment: int) -> int:
    (offset,) = struct.unpack_from("<Q", code, segment + 40)
    return int(offset)


def _commands(data: bytes | bytearray) -> list[tuple[int, int, int]]:
    count, offset, found = struct.unpack_from("<I", data, 16)[0], 32, []
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, offset)
        found.append((command, offset, size))
        offset += size
    return found


def fat(*slices: bytes) -> bytes:
    """The thin files in a fat one (mach-o/fat.h)."""
    offset, header, body = 1 << 14, struct.pack(">II", 0xCAFEBABE, len(slices)), b""
    for data in slices:
        header += struct.pack(">II", *struct.unpack_from("<II", data, 4))
        header += struct.pack(">III", offset + len(body), len(data), 14)
        body += data + bytes(-len(data) % (1 << 14))
    return header.ljust(offset, b"\0") + body
