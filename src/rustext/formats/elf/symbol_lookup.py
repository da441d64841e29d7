"""The symbols that an ELF image takes from others, and those that it offers, as ld.so sees them.

In: the bytes of a file. Out: its undefined symbols with the version of each; its definitions; and
which names its relocations look up when it is loaded and which only at the first call. The rules
are those of `do_lookup_x` and `check_match` in glibc's elf/dl-lookup.c.
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from elftools.elf.enums import ENUM_D_TAG

from rustext.errors import InvalidBinary
from rustext.formats.elf.dynamic import DynamicTables, open_dynamic
from rustext.formats.elf.python_inits import hash_name
from rustext.formats.reader import Buffer

_STB_GLOBAL, _STB_WEAK, _STB_GNU_UNIQUE = 1, 2, 10
_STT_TLS = 6
_SHN_UNDEF, _SHN_ABS = 0, 0xFFF1
_HIDDEN = 0x8000
_VISIBLE = frozenset({0, 3})  # STV_DEFAULT and STV_PROTECTED
_DF_BIND_NOW, _DF_1_NOW = 0x8, 0x1
# R_*_COPY of the psABIs: x86-64, i386, AArch64, ARM, RISC-V, PowerPC64, s390x.
_COPY = {62: 5, 3: 5, 183: 1024, 40: 20, 243: 4, 21: 19, 22: 9}
_RELOCATIONS = 8_388_608  # of one table; the largest real ones have some 1,000,000


class Wanted(NamedTuple):
    """A symbol that has to be defined elsewhere; `version` is None where any will do."""

    name: str
    version: str | None
    library: str | None  # that the version was taken from when the file was linked


class Bound(NamedTuple):
    """The names that relocations look up: when the file is loaded, and at the first call."""

    at_load: frozenset[str]
    at_call: frozenset[str]


class Offered:
    """The definitions of an image, by name, with the versions under which they are found.

    `hashes` are those of the names by DT_GNU_HASH: a name with another hash is never found.
    """

    __slots__ = ("_hashes", "_versions")

    def __init__(
        self,
        versions: Mapping[str, frozenset[str] | None],
        hashes: Mapping[str, int] | None = None,
    ) -> None:
        self._versions, self._hashes = versions, hashes or {}

    def has(self, wanted: Wanted) -> bool:
        """Whether the loader takes a definition for this symbol."""
        found = self._versions.get(wanted.name, _NOTHING)
        if found is _NOTHING:
            return False
        listed = self._hashes.get(wanted.name)
        if listed is not None and (listed ^ _hash(wanted.name)) >> 1:
            return False
        if found is None or not found:
            return found is None
        if wanted.version is None:
            return _PLAIN in found
        return wanted.version in found

    def without(self, wanted: Iterable[Wanted]) -> list[Wanted]:
        """Those of many symbols that the loader does not find here; most are not even named."""
        names = self._versions
        return [one for one in wanted if one.name not in names or not self.has(one)]

    def has_name(self, name: str) -> bool:
        """Whether there is a definition of this name, whatever its version."""
        return name in self._versions

    def has_version(self, version: str) -> bool:
        """Whether any definition has this version, or none needs one."""
        return any(found is None or version in found for found in self._versions.values())


@functools.lru_cache(1 << 16)
def _hash(name: str) -> int:
    return hash_name(name.encode())


_NOTHING: frozenset[str] = frozenset()
_PLAIN = ""  # a definition that is taken where no version is asked for


def parse_elf_wanted(data: Buffer) -> tuple[Wanted, ...]:
    """The strong undefined symbols of an image; raises `InvalidBinary`.

    Those that a hash table lists come last and are defined: the table says where they begin.
    """
    tables = open_dynamic(data)
    if tables is None:
        return ()
    needed = tables.needed_versions()
    asked = [
        (text, needed.get(version & ~_HIDDEN))
        for (text, info, _, section, _), version in tables.rows(last=tables.first_hashed)
        if text and section == _SHN_UNDEF and info >> 4 == _STB_GLOBAL
    ]
    names = tables.names(text for text, _ in asked)
    return tuple(
        Wanted(name, v.version, v.library) if v is not None else Wanted(name, None, None)
        for name, (_, v) in zip(names, asked, strict=True)
    )


def parse_elf_offered(data: Buffer) -> Offered:
    """The symbols that an image defines for others; raises `InvalidBinary`."""
    tables = open_dynamic(data)
    if tables is None:
        return Offered({})
    names = tables.defined_versions()
    found: dict[str, frozenset[str] | None] = {}
    hashes: dict[str, int] = {}
    rows = itertools.zip_longest(tables.rows(first=tables.first_hashed), tables.hashes())
    for ((text, info, other, section, value), version), listed in rows:
        bind, kind = info >> 4, info & 0xF
        if (
            not text
            or section == _SHN_UNDEF
            or other & 3 not in _VISIBLE
            or bind not in {_STB_GLOBAL, _STB_WEAK, _STB_GNU_UNIQUE}
            or (not value and section != _SHN_ABS and kind != _STT_TLS)
        ):
            continue
        name = tables.name(text)
        if listed is not None and "\\" not in name:  # bytes that are not UTF-8
            hashes[name] = listed
        if not tables.versioned:
            found[name] = None  # a library without versions satisfies every request
            continue
        own = {names[version & ~_HIDDEN]} if version & ~_HIDDEN in names else set()
        # Without a version in the request: the base one, the oldest, or the default one.
        if version & ~_HIDDEN < 3 or not version & _HIDDEN:
            own.add(_PLAIN)
        known = found.get(name, _NOTHING)
        if known is not None:
            found[name] = known | own
    return Offered(found, hashes)


def parse_elf_bound(data: Buffer) -> Bound:
    """The names that the relocations of an image look up; raises `InvalidBinary`."""
    tables = open_dynamic(data)
    if tables is None:
        return Bound(frozenset(), frozenset())
    tags = tables.tags
    word = tables.bits // 8
    at_load = _symbols_of(tables, "DT_RELA", tags.get("DT_RELASZ", 0), 3 * word)
    at_load |= _symbols_of(tables, "DT_REL", tags.get("DT_RELSZ", 0), 2 * word)
    row = 3 * word if tags.get("DT_PLTREL") == ENUM_D_TAG["DT_RELA"] else 2 * word
    at_call = _symbols_of(tables, "DT_JMPREL", tags.get("DT_PLTRELSZ", 0), row)
    names = dict(tables.numbered(at_load | at_call))
    now = (
        "DT_BIND_NOW" in tags
        or tags.get("DT_FLAGS", 0) & _DF_BIND_NOW
        or tags.get("DT_FLAGS_1", 0) & _DF_1_NOW
    )
    eager = at_load | at_call if now else at_load
    return Bound(
        frozenset(names[n] for n in eager if n in names),
        frozenset(names[n] for n in at_call - eager if n in names),
    )


def parse_elf_copied(data: Buffer) -> tuple[Wanted, ...]:
    """The variables of libraries that a program has a copy of, which it defines itself.

    The loader copies their initial values, and so looks for them everywhere else. Raises
    `InvalidBinary`.
    """
    tables = open_dynamic(data)
    if tables is None or tables.machine not in _COPY:
        return ()
    row, word = (24, "QQq") if tables.bits == 64 else (12, "IIi")
    size = tables.tags.get("DT_RELASZ", 0) // row * row
    raw = tables.table("DT_RELA", size, "the relocations")
    shift, mask = (32, 0xFFFF_FFFF) if tables.bits == 64 else (8, 0xFF)
    numbers = {
        info >> shift
        for _, info, _ in struct.iter_unpack(tables.prefix + word, raw)
        if info & mask == _COPY[tables.machine]
    }
    # A definition's version is the program's own: any will do.
    return tuple(Wanted(name, None, None) for _, name in tables.numbered(sorted(numbers)))


def _symbols_of(tables: DynamicTables, tag: str, size: int, row: int) -> set[int]:
    """The numbers of the symbols that a table of relocations names."""
    if size // row > _RELOCATIONS:
        raise InvalidBinary(f"damaged: {size // row} relocations in one table")
    raw = tables.table(tag, size // row * row, "the relocations")
    order = tables.prefix
    if tables.bits == 64:
        form = order + ("QQq" if row == 24 else "QQ")
        return {entry[1] >> 32 for entry in struct.iter_unpack(form, raw)} - {0}
    form = order + ("IIi" if row == 12 else "II")
    return {entry[1] >> 8 for entry in struct.iter_unpack(form, raw)} - {0}
