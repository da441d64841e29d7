"""Find the slots of a module's definition that an older Python refuses (PEP 489).

In: a module's file. Out: the version of CPython that its newest slot came with. A Python ends the
import of a module with a slot that it does not know: "uses unknown slot ID"
(`PyModule_FromDefAndSpec2` in Objects/moduleobject.c). The table is an array of
`PyModuleDef_Slot`, a number and a pointer each, and ends with zeros; only tables of 64-bit
little-endian words are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from rustext.errors import RustextError
from rustext.formats.binary import address_to_offset, map_file
from rustext.formats.pointers import read_pointers
from rustext.formats.reader import Buffer
from rustext.model.image import Binary, Image

# Include/moduleobject.h: Py_mod_multiple_interpreters and Py_mod_gil have small values, and may
# follow Py_mod_create or Py_mod_exec, which have functions.
_NEW = (
    re.compile(rb"\x03\0\0\0\0\0\0\0[\0-\x02]\0{7}(?:\x04\0{7}[\0\x01]\0{7})?\0{16}"),
    re.compile(rb"\x04\0\0\0\0\0\0\0[\0\x01]\0{23}"),
)
_OLD = re.compile(rb"[\x01\x02]\0{7}", re.DOTALL)
_ROW, _MOST = 16, 16  # bytes of a slot, and slots of a table
NEWEST_SLOT = (3, 13)
_SINCE = (3, 12)
_LONGEST = 256  # bytes of a name
_NAME, _SLOTS = 40, 72  # offsets in a PyModuleDef: m_name and m_slots


def find_slots_version(file: Binary, module: str) -> tuple[int, int] | None:
    """The oldest CPython that knows all slots of a module; None without any that is new."""
    with suppress(RustextError), map_file(file.path) as data:  # for another finding
        for image in file.images:
            tables = dict(_iter_tables(image, data)) if image.bits == 64 else {}
            pointers = read_pointers(image, data) if tables else {}
            for slot, target in pointers.items():
                name = pointers.get(slot - _SLOTS + _NAME)
                if target in tables and name is not None and _is_name(image, data, name, module):
                    return tables[target]
    return None


def _iter_tables(image: Image, data: Buffer) -> Iterator[tuple[int, tuple[int, int]]]:
    """Addresses of what may be tables with new slots, which the loader relocates."""
    for segment in (s for s in image.segments if s.writable):
        start = image.offset + segment.offset
        for pattern, since in zip(_NEW, (_SINCE, NEWEST_SLOT), strict=True):
            for match in pattern.finditer(data, start, start + segment.size):
                at = match.start()
                newest = NEWEST_SLOT if match.end() - match.start() > 2 * _ROW else since
                for _ in range(_MOST):
                    yield segment.address + at - start, newest
                    at -= _ROW
                    if at < start or _OLD.match(data, at) is None:
                        break


def _is_name(image: Image, data: Buffer, address: int, module: str) -> bool:
    at, last = address_to_offset(image, address), module.rpartition(".")[2].encode()
    if at is None:
        return False
    text = bytes(data[at : at + _LONGEST]).partition(b"\0")[0]
    return text.rpartition(b".")[2] == last
