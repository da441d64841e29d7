"""Mach-O header and load commands.

In: the bytes of a file, and where one of its slices begins and ends. Out: the header, the load
commands, and their fields as macholib names them. Counts and sizes are checked against the file
first, which macholib does not do.

Specification: Apple's <mach-o/loader.h>
(https://github.com/apple-oss-distributions/xnu/tree/main/EXTERNAL_HEADERS/mach-o).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from macholib import mach_o
from macholib.ptypes import sizeof

from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.formats.reader import Buffer, Reader

_THIN = {  # read as big-endian
    mach_o.MH_MAGIC: (mach_o.mach_header, "big"),
    mach_o.MH_CIGAM: (mach_o.mach_header, "little"),
    mach_o.MH_MAGIC_64: (mach_o.mach_header_64, "big"),
    mach_o.MH_CIGAM_64: (mach_o.mach_header_64, "little"),
}
# Libraries have some 50; macholib takes up to 40 µs for one.
_MAX_COMMANDS = 4_096


class LoadCommand(NamedTuple):
    """One load command; its offset counts from the start of the slice."""

    code: int
    offset: int
    size: int


class MachSlice(NamedTuple):
    """One image of a file, up to the end of its load commands."""

    reader: Reader
    byteorder: str
    header: Any
    commands: tuple[LoadCommand, ...]
    commands_end: int

    @property
    def bits(self) -> int:
        """The word size."""
        return 64 if isinstance(self.header, mach_o.mach_header_64) else 32

    def find(self, *kinds: Any) -> Iterator[tuple[LoadCommand, Any]]:
        """The load commands with one of these codes or structures, and what macholib reads."""
        for command in self.commands:
            layout = mach_o.LC_REGISTRY.get(command.code)
            if command.code not in kinds and layout not in kinds:
                continue
            if command.size < 8 + sizeof(layout):
                where = f"the load command at {command.offset:#x}"
                raise InvalidBinary(f"damaged: {where} has only {command.size} bytes")
            yield command, read_record(self.reader, layout, command.offset + 8, "a load command")

    def name(self, command: LoadCommand, offset: int) -> str:
        """The string that begins at `offset` in a command (an `lc_str`)."""
        end = command.offset + command.size
        return self.reader.name(command.offset + offset, "the name in a load command", end=end)


def read_record(reader: Reader, layout: Any, offset: int, what: str) -> Any:
    """One of macholib's structures, all of which has to be in the file."""
    return layout.from_str(reader.take(offset, sizeof(layout), what), _endian_=reader.prefix)


def is_thin(head: bytes) -> bool:
    """Whether a file that begins with these bytes (four or more) is one Mach-O image."""
    return int.from_bytes(head[:4], "big") in _THIN


def read_slice(data: Buffer, start: int, end: int) -> MachSlice:
    """Read the header and find the load commands. Raises `InvalidBinary`."""
    magic = bytes(data[start : min(start + 4, end)])
    if not is_thin(magic):
        if len(magic) < 4:
            raise TruncatedBinary(f"cut short: a Mach-O header of {len(magic)} bytes")
        raise InvalidBinary(f"the slice at {start:#x} holds no Mach-O image")
    layout, byteorder = _THIN[int.from_bytes(magic, "big")]
    reader = Reader(data, start=start, end=end, byteorder=byteorder)
    header = read_record(reader, layout, 0, "the Mach-O header")
    begin, size, count = sizeof(layout), int(header.sizeofcmds), int(header.ncmds)
    reader.require(begin, size, "the load commands")
    if count > _MAX_COMMANDS:
        raise InvalidBinary(f"damaged: {count} load commands")
    offset, end = begin, begin + size
    commands: list[LoadCommand] = []
    for _ in range(count):
        if offset + 8 > end:
            raise InvalidBinary(f"damaged: {count} load commands do not fit their room")
        code, size = reader.unpack("II", offset, "a load command")
        if size < 8 or size % 4 or offset + size > end:
            raise InvalidBinary(f"damaged: the load command at {offset:#x} has {size} bytes")
        commands.append(LoadCommand(code, offset, size))
        offset += size
    return MachSlice(reader, byteorder, header, tuple(commands), end)
