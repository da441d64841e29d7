"""The exported functions of a Mach-O image that make Python modules.

In: where the image keeps its symbols. Out: their names without the leading underscore. `dlsym`
looks into the export trie where there is one, and into the symbol table of older files, which the
trie outlives when a file is stripped.

Specification: <mach-o/nlist.h>, <mach-o/loader.h> on `dyld_info_command`, and dyld's
`ExportsTrie` (https://github.com/apple-oss-distributions/dyld/tree/main/mach_o).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from rustext.errors import InvalidBinary
from rustext.formats.reader import MAX_ENTRIES, MAX_NAME, Reader
from rustext.model.image import PYTHON_INITS

_PREFIXES = tuple(f"_{name}".encode() for name in PYTHON_INITS)
_PYTHON_INIT = re.compile(b"(?:%b)[^\0]+" % b"|".join(_PREFIXES))
_MAX_SYMBOL = 256  # a module's file name ends at 255 bytes, and there is the underscore

_N_STAB, _N_PEXT, _N_TYPE, _N_EXT = 0xE0, 0x10, 0x0E, 0x01
_N_UNDF = 0x0


class SymbolTables(NamedTuple):
    """Places of an image's symbol tables, from the start of its slice."""

    symbols: Any = None  # macholib's symtab_command
    external: tuple[int, int] | None = None  # first and count of the defined external symbols
    trie: tuple[int, ...] = ()  # export trie's offset and size


def find_python_inits(reader: Reader, tables: SymbolTables, *, bits: int) -> tuple[str, ...]:
    """The exported symbols that begin as `PYTHON_INITS`, sorted."""
    if tables.trie and tables.trie[1]:
        names = _trie_names(reader, *tables.trie)
    elif tables.symbols is not None:
        names = _table_names(reader, tables, bits)
    else:
        return ()
    return tuple(sorted({n[1:].decode("utf-8", "backslashreplace") for n in names}))


def _table_names(reader: Reader, tables: SymbolTables, bits: int) -> Iterator[bytes]:
    """Names of defined external symbols; the table is read only if the strings hold a candidate."""
    table = tables.symbols
    reader.require(table.stroff, table.strsize, "the string table")
    found = reader.find(_PYTHON_INIT, table.stroff, table.strsize)
    wanted = {at - table.stroff: name for at, name in found if len(name) <= _MAX_SYMBOL}
    if not wanted:
        return
    first, count = tables.external or (0, table.nsyms)
    layout, size = ("IB11x", 16) if bits == 64 else ("IB7x", 12)
    rows = reader.rows(layout, table.symoff + first * size, count, "the symbol table")
    for index, kind in rows:
        external = kind & _N_EXT and not kind & (_N_STAB | _N_PEXT)
        if index in wanted and external and kind & _N_TYPE != _N_UNDF:
            yield wanted[index]


def _trie_names(reader: Reader, start: int, size: int) -> Iterator[bytes]:
    """Names in the export trie that begin as wanted; no other branch of it is entered.

    A node is: ULEB128 size of its payload, the payload (none unless a name ends here), the number
    of children, and for each child the NUL-terminated text that it adds to the name, and the
    ULEB128 offset of its node.
    """
    trie = reader.take(start, size, "the export trie")
    seen: set[int] = set()
    pending: list[tuple[int, bytes]] = [(0, b"")]
    budget = MAX_ENTRIES
    while pending:
        node, name = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        payload, position = _uleb128(trie, node)
        if payload and name.startswith(_PREFIXES):
            yield name
        position += payload
        if position >= len(trie):
            raise InvalidBinary(f"damaged: a node of the export trie at {start:#x} has no end")
        children = trie[position]
        position += 1
        for _ in range(children):
            budget -= 1
            end = trie.find(b"\0", position, position + MAX_NAME)
            if end < 0 or budget < 0:
                raise InvalidBinary(f"damaged: the export trie at {start:#x} has no end")
            begin, (child, position) = position, _uleb128(trie, end + 1)
            if len(name) + end - begin <= _MAX_SYMBOL:
                longer = name + trie[begin:end]
                if _leads_to_python_init(longer):
                    pending.append((child, longer))


def _leads_to_python_init(name: bytes) -> bool:
    return any(name.startswith(p) or p.startswith(name) for p in _PREFIXES)


def _uleb128(data: bytes, position: int) -> tuple[int, int]:
    """The unsigned number at `position`, of at most 64 bits, and the position after it."""
    value = 0
    for shift, byte in zip(range(0, 70, 7), data[position : position + 10], strict=False):
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position + shift // 7 + 1
    raise InvalidBinary("damaged: a number in the export trie has no end")
