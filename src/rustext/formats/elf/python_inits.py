"""The exported functions of an ELF image that make Python modules.

In: where the image keeps its dynamic symbols. Out: their names. The few names that can be meant
are taken from the string table and looked up by hash, as `dlsym` does it, so that the time does
not depend on the size of the symbol table.

Specification: https://gabi.xinuos.com/elf/08-dynamic.html (hash table), and for DT_GNU_HASH
https://sourceware.org/legacy-ml/binutils/2006-10/msg00377.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rustext.errors import InvalidBinary
from rustext.formats.reader import MAX_ENTRIES, Reader
from rustext.model.image import PYTHON_INITS

_PYTHON_INIT = re.compile(f"(?:{'|'.join(PYTHON_INITS)})[^\\0]+".encode())
MAX_SYMBOLS = 4_194_304  # of one image; libLLVM, the largest that is about, has some 50,000
_MAX_SYMBOL = 255  # longer ones belong to no module: its file name ends there
_SHN_UNDEF = 0
_WHAT = "the symbol hash table"


class DynamicSymbols(NamedTuple):
    """File offsets of the symbol tables; a missing hash table is None."""

    bits: int
    symbols: int
    strings: int
    strings_size: int
    gnu_hash: int | None
    sysv_hash: int | None
    wide_hash: bool  # DT_HASH has words of 64 bits, as on s390x and Alpha
    listed: int = 0  # number of symbols by the section header; 0 if unknown


def find_python_inits(reader: Reader, tables: DynamicSymbols) -> tuple[str, ...]:
    """The exported symbols that begin as `PYTHON_INITS`, sorted."""
    found = reader.find(_PYTHON_INIT, tables.strings, tables.strings_size)
    names = {name for _, name in found if len(name) <= _MAX_SYMBOL}
    if not names:
        return ()
    budget = _Budget()
    return tuple(
        sorted(
            name.decode("utf-8", "backslashreplace")
            for name in names
            if _is_exported(reader, tables, name, budget)
        )
    )


def count_symbols(reader: Reader, tables: DynamicSymbols) -> int:
    """How many dynamic symbols there are, which the loader need not know; 0 where nothing says so.

    DT_GNU_HASH ends with the last chain of the highest bucket. Without a symbol of the image's own
    it says nothing; DT_HASH has a chain entry for each, and `.dynsym` has a size.
    """
    count = 0
    if tables.gnu_hash is not None:
        count = _count_by_gnu_hash(reader, tables, tables.gnu_hash)
    if not count and tables.sysv_hash is not None:
        word, size = ("Q", 8) if tables.wide_hash else ("I", 4)
        count = int(reader.unpack(word, tables.sysv_hash + size, _WHAT)[0])
    if count > MAX_SYMBOLS:
        raise InvalidBinary(f"damaged: {count} dynamic symbols")
    return count or tables.listed


def _count_by_gnu_hash(reader: Reader, tables: DynamicSymbols, table: int) -> int:
    bucket_count, first, bloom_count, _ = reader.unpack("IIII", table, _WHAT)
    buckets = table + 16 + bloom_count * (tables.bits // 8)
    chains = buckets + bucket_count * 4
    last = max((row[0] for row in reader.rows("I", buckets, bucket_count, _WHAT)), default=0)
    if last < first:
        return 0
    budget = _Budget()
    while not reader.unpack("I", chains + (last - first) * 4, _WHAT)[0] & 1:
        budget.spend()
        last += 1
    return int(last) + 1


class _Budget:
    """Steps that are left for all look-ups together; chains of a damaged table need not end."""

    def __init__(self) -> None:
        self.steps = MAX_ENTRIES

    def spend(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise InvalidBinary("damaged: a chain of the symbol hash table does not end")


def _is_exported(reader: Reader, tables: DynamicSymbols, name: bytes, budget: _Budget) -> bool:
    layout, size = ("IxxH16x", 24) if tables.bits == 64 else ("I10xH", 16)
    for index in _iter_candidates(reader, tables, name):
        budget.spend()
        text, section = reader.unpack(layout, tables.symbols + index * size, "a dynamic symbol")
        if section != _SHN_UNDEF and reader.startswith(tables.strings + text, name + b"\0"):
            return True
    return False


def _iter_candidates(reader: Reader, tables: DynamicSymbols, name: bytes) -> Iterator[int]:
    """Indices of the symbols in the name's hash chain; glibc and musl prefer DT_GNU_HASH."""
    if tables.gnu_hash is not None:
        return _iter_gnu_chain(reader, tables, tables.gnu_hash, name)
    if tables.sysv_hash is not None:
        return _iter_sysv_chain(reader, tables, tables.sysv_hash, name)
    return iter(())


def _iter_gnu_chain(
    reader: Reader, tables: DynamicSymbols, table: int, name: bytes
) -> Iterator[int]:
    """A chain of DT_GNU_HASH, without its Bloom filter, which only saves time."""
    bucket_count, first, bloom_count, _ = reader.unpack("IIII", table, _WHAT)
    buckets = table + 16 + bloom_count * (tables.bits // 8)
    chains = buckets + bucket_count * 4
    if not bucket_count:
        return
    (index,) = reader.unpack("I", buckets + hash_name(name) % bucket_count * 4, _WHAT)
    if index < first:
        return
    last = False
    while not last:
        (entry,) = reader.unpack("I", chains + (index - first) * 4, _WHAT)
        last = bool(entry & 1)
        yield index
        index += 1


def hash_name(name: bytes) -> int:
    """The hash of DT_GNU_HASH."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFF_FFFF
    return value


def _iter_sysv_chain(
    reader: Reader, tables: DynamicSymbols, table: int, name: bytes
) -> Iterator[int]:
    """A chain of DT_HASH."""
    word, size = ("Q", 8) if tables.wide_hash else ("I", 4)
    bucket_count, _ = reader.unpack(word * 2, table, _WHAT)
    buckets = table + 2 * size
    chains = buckets + bucket_count * size
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFF_FFFF
    if not bucket_count:
        return
    (index,) = reader.unpack(word, buckets + value % bucket_count * size, _WHAT)
    while index:
        yield index
        (index,) = reader.unpack(word, chains + index * size, _WHAT)
