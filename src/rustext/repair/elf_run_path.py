"""Shorten the search path of an ELF file where it is, without moving anything else in the file.

In: the bytes of a file, and the entries that remain. Out: the new bytes, or None where only a tool
that lays the file out anew, such as patchelf, can do it. The linker may let one string of .dynstr
end inside another (https://www.sco.com/developers/gabi/latest/ch4.strtab.html), so a string that
something else refers to is not overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rustext.formats.elf.dynamic import DynamicTables, open_dynamic

_TAGS = {"DT_RPATH": 15, "DT_RUNPATH": 29}
_END = 0  # DT_NULL


def shorten_run_path(data: bytes, entries: Sequence[str]) -> bytes | None:
    """The file with `entries` as its DT_RUNPATH, or its DT_RPATH where it has no other.

    Without entries, the tag goes. Raises `InvalidBinary` for a file that is damaged.
    """
    tables = open_dynamic(data)
    tag = next((t for t in ("DT_RUNPATH", "DT_RPATH") if tables and t in tables.tags), None)
    if tables is None or tag is None:
        return None
    if not entries:
        return _without(data, tables, tag)
    index = tables.tags[tag]
    old = tables.name(index).encode("utf-8", "surrogateescape")
    new = ":".join(entries).encode("utf-8", "surrogateescape")
    if len(new) > len(old) or _is_shared(tables, index, old):
        return None
    at = tables.strings.start + index
    return data[:at] + new.ljust(len(old), b"\0") + data[at + len(old) :]


def _is_shared(tables: DynamicTables, index: int, old: bytes) -> bool:
    """Whether anything else refers to a part of the string."""
    inside = range(index, index + len(old))
    if any(row[0] in inside for row, _ in tables.rows()):
        return True
    counts = [*(offset for offset, _ in tables.dynamic.needed)]
    counts += [tables.tags[t] for t in ("DT_SONAME", "DT_RPATH", "DT_RUNPATH") if t in tables.tags]
    if sum(offset in inside for offset in counts) != 1:
        return True
    needed = tables.needed_versions().values()
    names = {*(v.library for v in needed), *(v.version for v in needed)}
    names |= set(tables.defined_versions().values())
    text = old.decode("utf-8", "surrogateescape")
    return any(name and text.endswith(name) for name in names)


def _without(data: bytes, tables: DynamicTables, tag: str) -> bytes | None:
    """The file without a tag: the entries after it move up, and a second DT_NULL ends them."""
    rows = list(_rows(tables))
    start, size = _section(tables)
    kept = b"".join(raw for number, raw in rows if number != _TAGS[tag])
    length = size * len(rows)
    return data[:start] + kept.ljust(length, b"\0") + data[start + length :]


def _section(tables: DynamicTables) -> tuple[int, int]:
    """Where the dynamic section begins in the file, and the size of an entry."""
    header = next(p for p in tables.dynamic.programs if p.p_type == "PT_DYNAMIC")
    return int(header.p_offset), 16 if tables.bits == 64 else 8


def _rows(tables: DynamicTables) -> Iterator[tuple[int, bytes]]:
    """The entries with their tags, up to DT_NULL."""
    start, size = _section(tables)
    reader, word = tables.dynamic.file.reader, "q" if tables.bits == 64 else "i"
    while True:
        (number,) = reader.unpack(word, start, "the dynamic section")
        yield number, reader.take(start, size, "the dynamic section")
        if number == _END:
            return
        start += size
