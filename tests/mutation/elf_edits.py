"""Break ELF files in ways that no linker offers: their tables are edited where they stand.

Layouts: https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
Only little-endian ELF64 files, which is what the tests break.
"""

from __future__ import annotations

import io
import struct

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

_VERNEED = struct.Struct("<HHIII")  # version, count, file, first entry, next
_VERNAUX = struct.Struct("<IHHII")  # hash, flags, other, name, next


def replace_version(data: bytes, library: str, old: str, new: str) -> bytes:
    """Ask `library` for the version `new` instead of `old`; `new` must not be longer."""
    section, strings, entries = _needed_versions(data)
    edited = bytearray(data)
    for name, at, version in entries:
        if (name, version) == (library, old):
            assert len(new) <= len(old), (old, new)
            _, flags, other, offset, step = _VERNAUX.unpack_from(edited, section + at)
            text = strings + offset
            edited[text : text + len(old)] = new.encode().ljust(len(old), b"\0")
            entry = (_elf_hash(new), flags, other, offset, step)
            _VERNAUX.pack_into(edited, section + at, *entry)
            return bytes(edited)
    raise AssertionError(f"{library} is not asked for {old}")


def needed_versions(data: bytes, library: str) -> list[str]:
    """The versions that a file needs of a library."""
    return [version for name, _, version in _needed_versions(data)[2] if name == library]


def _needed_versions(data: bytes) -> tuple[int, int, list[tuple[str, int, str]]]:
    """Where the table and its strings stand, and each entry: library, offset, version."""
    file = ELFFile(io.BytesIO(data))
    section = next(s for s in file.iter_sections() if isinstance(s, GNUVerNeedSection))
    found, at = [], 0
    for need, versions in section.iter_versions():
        entry = at + need["vn_aux"]
        for version in versions:
            found.append((need.name, entry, version.name))
            entry += version["vna_next"]
        at += need["vn_next"]
    return section["sh_offset"], section.stringtable["sh_offset"], found


def _elf_hash(name: str) -> int:
    """The hash of the System V ABI."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value
