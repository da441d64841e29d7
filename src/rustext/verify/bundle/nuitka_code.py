"""Find the code in a program that Nuitka made: bytecode, and the names that compiled modules hold.

In: the bytes of the program, and its table of modules. Out: where each piece is. Nuitka stores
the constants of each module in a section of its own: the module's name, the size and the number of
constants, and these, each after a letter for its type. The section `.bytecode` holds the modules
that are not compiled, as marshalled code in the order of their names. Nothing is executed.
"""

from __future__ import annotations

import itertools
import mmap
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rustext.errors import InvalidBinary
from rustext.verify.bundle.module_tables import NuitkaTable
from rustext.verify.bundle.pyinstaller_archive import StoredCode

_BYTECODE = re.compile(rb"\.bytecode\0.{6}X", re.DOTALL)
_HEAD = struct.Struct("<IH")  # bytes after the head but for the count, and the count
_COUNT = 2  # bytes, which the size includes
_LONGEST = 300  # bytes of a module's name
_SECTIONS = 100_000
_MOST_STARTS = 8  # places that look like the section of bytecode
# A text, as an attribute's name or another one: `a` or `u`, the text, and a zero byte.
_TEXT = re.compile(rb"[au]([^\W\d][\w.]*)\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NuitkaCode:
    """The modules that are bytecode, and the places of the constants of the others."""

    bytecode: tuple[StoredCode, ...] = ()
    constants: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # offset and size


def find_nuitka_code(data: mmap.mmap, table: NuitkaTable) -> NuitkaCode | None:
    """Where the code is; None where it does not fit the table, as in releases with another form.

    Raises `InvalidBinary` where the section says that it has the code of the modules of the table,
    and not all of it can be found there.
    """
    damaged = None
    for match in itertools.islice(_BYTECODE.finditer(data), _MOST_STARTS):
        sections = dict(_iter_sections(data, match.start()))
        if ".bytecode" not in sections:  # it is cut short
            continue
        offset, size, count = sections.pop(".bytecode")
        compiled = {n: place[:2] for n, place in sections.items() if n in table.modules}
        names = sorted(table.modules - table.extensions - compiled.keys())
        places = list(_iter_places(data, offset, offset + size, count))
        if len(names) == len(places) and "__main__" in {*compiled, *names}:
            parents = {name.rpartition(".")[0] for name in table.modules}
            stored = (
                StoredCode(name=n, package=n in parents, offset=at, size=length, compressed=False)
                for n, (at, length) in zip(names, places, strict=True)
            )
            return NuitkaCode(bytecode=tuple(stored), constants=compiled)
        if len(places) < count == len(names):
            damaged = f"the code of {len(places)} of {count} modules in it can be found"
    if damaged is not None:
        raise InvalidBinary(f"damaged: {damaged}")
    return None


def find_texts(constants: bytes) -> frozenset[str]:
    """The texts among a module's constants that may name a module or an attribute."""
    return frozenset(m[1].decode("utf-8", "replace") for m in _TEXT.finditer(constants))


def _iter_sections(data: mmap.mmap, at: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
    for _ in range(_SECTIONS):
        end = data.find(b"\0", at, at + _LONGEST)
        start = end + 1 + _HEAD.size
        if end < 0 or start > len(data):
            return
        size, count = _HEAD.unpack_from(data, end + 1)
        if not _COUNT <= size <= len(data) - start + _COUNT:
            return
        yield data[at:end].decode("utf-8", "replace"), (start, size - _COUNT, count)
        at = start + size - _COUNT


def _iter_places(data: mmap.mmap, at: int, end: int, count: int) -> Iterator[tuple[int, int]]:
    """The offset and size of each blob: the letter X, a size of 7 bits a byte, and the bytes."""
    for _ in range(count):
        size = shift = 0
        more = data[at : at + 1] == b"X"
        at += 1
        while more and at < end and shift < 35:  # 32 bits, 7 at a time
            size |= (data[at] & 0x7F) << shift
            more, shift, at = bool(data[at] & 0x80), shift + 7, at + 1
        if not size or at + size > end:
            return
        yield at, size
        at += size
