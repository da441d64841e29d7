"""Make small ELF files that no linker would make."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_HEADER, _PROGRAM, _ENTRY = 64, 56, 16  # bytes of a record
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_TAGS = {"needed": 1, "soname": 14, "rpath": 15, "runpath": 29}


def elf(
    *names: tuple[str, str],
    interpreter: str | None = None,
    loads: Sequence[tuple[int, int, int]] = (),
    extra: bytes = b"",
    size: int = 0,
) -> bytes:
    """A 64-bit file for x86-64. `names` are entries of the dynamic section by kind: `needed`, …

    `loads` are more writable segments: place in the file, address, and size in bytes.
    """
    strings = bytearray(b"\0")
    entries = []
    for kind, name in names:
        entries.append((_TAGS[kind], len(strings)))
        strings += name.encode() + b"\0"
    path = interpreter.encode() + b"\0" if interpreter is not None else b""
    count = 2 + (interpreter is not None) + len(loads)
    start = _HEADER + _PROGRAM * count
    dynamic = (start + len(path) + 7) // 8 * 8
    length = _ENTRY * (len(entries) + 3)
    entries += [(5, dynamic + length), (10, len(strings)), (0, 0)]
    body = bytearray(dynamic + length) + strings + extra
    body += bytes(max(0, size - len(body)))
    body[start : start + len(path)] = path
    for number, entry in enumerate(entries):
        struct.pack_into("<QQ", body, dynamic + _ENTRY * number, *entry)
    programs = [(_PT_INTERP, 4, start, start, len(path))] if path else []
    programs += [(_PT_LOAD, 5 if loads else 7, 0, 0, len(body))]
    programs += [(_PT_DYNAMIC, 6, dynamic, dynamic, length)]
    programs += [(_PT_LOAD, 6, *load) for load in loads]
    for number, (kind, flags, at, address, stored) in enumerate(programs):
        row = (kind, flags, at, address, address, stored, stored, 4096)
        struct.pack_into("<IIQQQQQQ", body, _HEADER + _PROGRAM * number, *row)
    head = (b"\x7fELF\2\1\1".ljust(16, b"\0"), 3, 62, 1, 0, _HEADER, 0, 0)
    struct.pack_into("<16sHHIQQQIHHHHHH", body, 0, *head, _HEADER, _PROGRAM, count, 64, 0, 0)
    return bytes(body)
