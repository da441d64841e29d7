"""Read the plain values of Python's marshal format, safely.

In: bytes. Out: lists, tuples, dicts, strings, bytes, integers, None and booleans. Code objects and
floats are refused: `marshal.loads` is documented as unsafe on untrusted bytes
(https://docs.python.org/3/library/marshal.html), and a bundle that is verified is untrusted. The
format is that of CPython's Python/marshal.c, versions 2 to 5.
"""

from __future__ import annotations

import struct
from typing import Any

from rustext.errors import TruncatedBinary

_FLAG_REF = 0x80
_MAX_DEPTH = 16
_MAX_DIGITS = 64  # of 15 bits, in an integer: adding up more of them takes quadratic time
_SHORT_STRINGS = frozenset(b"zZ")  # ASCII, one byte of length; capital: interned
_LONG_STRINGS = frozenset(b"aAut")  # four bytes of length
_UNFINISHED = object()  # what a reference to a container finds inside that container
_CONSTANTS = {ord("N"): None, ord("T"): True, ord("F"): False}


def parse_marshal(data: bytes) -> Any:
    """The value that stands at the start of `data`.

    Raises `TruncatedBinary` for anything that ends early or holds another type.
    """
    try:
        return _Parser(data).value(0)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise TruncatedBinary(f"marshalled table is damaged: {error}") from error


class _Parser:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.refs: list[Any] = []

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise IndexError("nested too deeply")
        code = self.data[self.at]
        self.at += 1
        kind = code & ~_FLAG_REF
        if kind == ord("r"):
            return self._reference(self._int())
        index = len(self.refs)
        if code & _FLAG_REF:
            self.refs.append(_UNFINISHED)
        result = self._typed(kind, depth)
        if code & _FLAG_REF:
            self.refs[index] = result
        return result

    def _reference(self, index: int) -> Any:
        if index < 0 or self.refs[index] is _UNFINISHED:
            raise IndexError(f"a reference to value {index}, which is not complete")
        return self.refs[index]

    def _typed(self, kind: int, depth: int) -> Any:
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in b"il":
            return self._int() if kind == ord("i") else self._long()
        if kind in _SHORT_STRINGS:
            return self._take(self._byte()).decode("ascii")
        if kind in _LONG_STRINGS:
            return self._take(self._int()).decode("utf-8", "surrogatepass")
        return self._take(self._int()) if kind == ord("s") else self._container(kind, depth)

    def _container(self, kind: int, depth: int) -> Any:
        if kind == ord("{"):
            return self._dict(depth)
        if kind not in b"([)":
            raise IndexError(f"type {kind:#x} has no place in a table")
        count = self._byte() if kind == ord(")") else self._int()
        if not 0 <= count <= len(self.data):
            raise IndexError(f"{count} items in {len(self.data)} bytes")
        items = [self.value(depth + 1) for _ in range(count)]
        return items if kind == ord("[") else tuple(items)

    def _dict(self, depth: int) -> dict[Any, Any]:
        found = {}
        while self.data[self.at] != ord("0"):
            key = self.value(depth + 1)
            if not isinstance(key, str | bytes | int | None):  # hashing tuples can take for ever
                raise IndexError(f"a key is a {type(key).__name__}")
            found[key] = self.value(depth + 1)
        self.at += 1
        return found

    def _byte(self) -> int:
        return self._take(1)[0]

    def _int(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _long(self) -> int:
        count = self._int()
        if abs(count) > _MAX_DIGITS:
            raise IndexError(f"an integer of {abs(count)} digits")
        digits = struct.unpack(f"<{abs(count)}H", self._take(2 * abs(count)))
        magnitude: int = sum(digit << (15 * i) for i, digit in enumerate(digits))
        return -magnitude if count < 0 else magnitude

    def _take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise IndexError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]
