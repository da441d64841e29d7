"""Change names in the load commands of a Mach-O file, within the room that its header has.

In: the bytes of a file. Out: the new bytes; nothing behind the load commands moves, and a signature
does not fit them any more. macholib names the commands; it writes over a first section that follows
too closely, so the room is checked here.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from macholib import mach_o

from rustext.errors import InvalidBundle
from rustext.formats.binary import parse_binary
from rustext.formats.macho.load_commands import LoadCommand, MachSlice, read_slice

_NEEDS = frozenset(
    {
        mach_o.LC_LOAD_DYLIB,
        mach_o.LC_LOAD_WEAK_DYLIB,
        mach_o.LC_REEXPORT_DYLIB,
        mach_o.LC_LAZY_LOAD_DYLIB,
        mach_o.LC_LOAD_UPWARD_DYLIB,
    }
)


def edit_load_commands(
    path: Path, data: bytes, names: Mapping[str, str], dropped: Collection[str]
) -> bytes:
    """Give needed libraries other names, and drop run paths, in each slice.

    Raises `InvalidBinary`, or `InvalidBundle` where a header has no room for longer names.
    """
    edited = bytearray(data)
    for image in parse_binary(data, path).images:
        part = read_slice(data, image.offset, image.offset + image.size)
        commands = b"".join(_edit(part, names, dropped))
        begin = part.commands[0].offset if part.commands else part.commands_end
        room = part.commands_end - begin + (image.header_pad or 0)
        if len(commands) > room:
            raise InvalidBundle(
                f"{path.name}: no room in the header: the names need {len(commands) - room} bytes "
                "more than there are",
                hint="link it again with `-Wl,-headerpad_max_install_names`",
            )
        start = image.offset + begin
        old = part.commands_end - begin
        edited[start : start + max(old, len(commands))] = commands.ljust(old, b"\0")
        count = sum(1 for _ in _edit(part, names, dropped))
        prefix = "<" if part.byteorder == "little" else ">"
        struct.pack_into(f"{prefix}II", edited, image.offset + 16, count, len(commands))
    return bytes(edited)


def _edit(part: MachSlice, names: Mapping[str, str], dropped: Collection[str]) -> Iterator[bytes]:
    """The load commands that remain, as bytes."""
    needs = {c.offset: part.name(c, r.name) for c, r in part.find(*_NEEDS)}
    paths = {c.offset: part.name(c, r.path) for c, r in part.find(mach_o.LC_RPATH)}
    for command in part.commands:
        raw = part.reader.take(command.offset, command.size, "a load command")
        if paths.get(command.offset) in dropped:
            continue
        new = names.get(needs.get(command.offset, ""))
        yield raw if new is None else _renamed(part, command, raw, new)


def _renamed(part: MachSlice, command: LoadCommand, raw: bytes, name: str) -> bytes:
    """A command with another name; its size is a multiple of the word size (loader.h)."""
    prefix, word = "<" if part.byteorder == "little" else ">", part.bits // 8
    (offset,) = struct.unpack_from(f"{prefix}I", raw, 8)
    text = name.encode("utf-8", "surrogateescape") + b"\0"
    size = max(command.size, -(-(offset + len(text)) // word) * word)
    body = (raw[:offset] + text).ljust(size, b"\0")
    return struct.pack(f"{prefix}II", command.code, size) + body[8:]
