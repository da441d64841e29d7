"""What PyInstaller asks of Apple's codesign: take away signatures, and sign ad hoc.

    codesign --remove --all-architectures FILE
    codesign -s - --force --all-architectures --timestamp [--deep] FILE-OR-APP

Files are signed here, with page hashes and no more, as Apple's linker does; `rcodesign` seals an
application (see `tests/mutation/rcodesign.py`).
The layout: https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/kern/cs_blobs.h
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from macholib.mach_o import LC_CODE_SIGNATURE, LC_SEGMENT_64, MH_EXECUTE

HEADER = 32  # mach_header_64
PAGE = 4096
COMMAND = 16  # linkedit_data_command
DIRECTORY, SUPERBLOB, AD_HOC, LINKER_SIGNED = 0xFADE0C02, 0xFADE0CC0, 0x2, 0x20000


class Slice:
    """One Mach-O file for one machine, as bytes to edit."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        magic, _, _, self.kind, self.count, self.size = struct.unpack_from("<6I", data)
        if magic != 0xFEEDFACF:
            raise SystemExit("codesign: not a Mach-O file of 64 bits")
        self.segments: dict[bytes, int] = {}
        self.signature: int | None = None
        self.first = len(data)  # the first byte that a section holds
        at = HEADER
        for _ in range(self.count):
            command, length = struct.unpack_from("<2I", data, at)
            if command == LC_SEGMENT_64:
                self.segments[data[at + 8 : at + 24].rstrip(b"\0")] = at
                (sections,) = struct.unpack_from("<I", data, at + 64)
                for number in range(sections):
                    (offset,) = struct.unpack_from("<I", data, at + 72 + 80 * number + 48)
                    self.first = min(self.first, offset or self.first)
            elif command == LC_CODE_SIGNATURE:
                self.signature = at
            at += length

    def unsign(self) -> None:
        if self.signature is None:
            return
        at, end = self.signature, HEADER + self.size
        (offset,) = struct.unpack_from("<I", self.data, at + 8)
        self.data[at:end] = self.data[at + COMMAND : end] + bytes(COMMAND)
        self.count, self.size, self.signature = self.count - 1, self.size - COMMAND, None
        del self.data[offset:]
        self._write()

    def sign(self, name: str) -> None:
        self.unsign()
        if HEADER + self.size + COMMAND > self.first:
            raise SystemExit(f"codesign: no room for a load command in {name}")
        self.data += bytes(-len(self.data) % 16)
        limit = len(self.data)
        identifier = name.encode() + b"\0"
        pages = -(-limit // PAGE)
        length = 88 + len(identifier) + 32 * pages
        reserved = 20 + length
        struct.pack_into(
            "<4I", self.data, HEADER + self.size, LC_CODE_SIGNATURE, COMMAND, limit, reserved
        )
        self.count, self.size = self.count + 1, self.size + COMMAND
        self._write(limit + reserved)
        text = self.segments[b"__TEXT"]
        base, used = struct.unpack_from("<2Q", self.data, text + 40)
        directory = struct.pack(
            ">9I4B4I4Q", DIRECTORY, length, 0x20400, AD_HOC | LINKER_SIGNED, 88 + len(identifier),
            88, 0, pages, limit, 32, 2, 0, PAGE.bit_length() - 1, 0, 0, 0, 0, 0,
            base, used, int(self.kind == MH_EXECUTE),
        )  # fmt: skip
        hashes = (self.data[at : min(at + PAGE, limit)] for at in range(0, limit, PAGE))
        blob = directory + identifier + b"".join(hashlib.sha256(h).digest() for h in hashes)
        self.data += struct.pack(">5I", SUPERBLOB, reserved, 1, 0, 20) + blob

    def _write(self, end: int | None = None) -> None:
        """Have the header and __LINKEDIT say what is in the file now."""
        struct.pack_into("<2I", self.data, 16, self.count, self.size)
        at = self.segments[b"__LINKEDIT"]
        (offset,) = struct.unpack_from("<Q", self.data, at + 40)
        size = (end or len(self.data)) - offset
        struct.pack_into("<Q", self.data, at + 32, -(-size // 0x4000) * 0x4000)
        struct.pack_into("<Q", self.data, at + 48, size)


def edit(path: Path, *, remove: bool) -> None:
    data = path.read_bytes()
    if data[:4] == b"\xca\xfe\xba\xbe":
        with tempfile.TemporaryDirectory() as folder:
            (count,) = struct.unpack_from(">I", data, 4)
            parts = []
            for number in range(count):
                _, _, offset, size, _ = struct.unpack_from(">5I", data, 8 + 20 * number)
                part = Path(folder, str(number), path.name)
                part.parent.mkdir()
                part.write_bytes(data[offset : offset + size])
                edit(part, remove=remove)
                parts.append(str(part))
            subprocess.run(["lipo", "-create", "-output", str(path), *parts], check=True)
        return
    part = Slice(data)
    if remove:
        part.unsign()
    else:
        part.sign(path.name)
    path.write_bytes(part.data)


def main() -> None:
    path = Path(sys.argv[-1])
    if not path.is_dir():
        edit(path, remove="--remove" in sys.argv)
    else:
        subprocess.run(["rcodesign", "sign", str(path)], check=True)


if __name__ == "__main__":
    main()
