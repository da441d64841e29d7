"""Read Python's marshal format, safely: plain values, and code objects as records.

In: bytes. Out: lists, tuples, dicts, strings, bytes, numbers, None and booleans; where the version
of Python is given, code objects too, as `Code`. Nothing is built that could be executed:
`marshal.loads` is documented as unsafe on untrusted bytes
(https://docs.python.org/3/library/marshal.html), and a bundle that is verified is untrusted. The
format is that of CPython's Python/marshal.c, versions 2 to 6; the fields of a code object are those
of CPython 3.8 to 3.15.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rustext.errors import TruncatedBinary

_FLAG_REF = 0x80
_MAX_DEPTH = 16
_MAX_CODE_DEPTH = 120  # functions in functions; each level is three of Python's own calls
_MAX_DIGITS = 64  # of 15 bits, in an integer: adding up more of them takes quadratic time
_SHORT_STRINGS = frozenset(b"zZ")  # ASCII, one byte of length; capital: interned
_LONG_STRINGS = frozenset(b"aAut")  # four bytes of length
_FLOATS = {ord("g"): 1, ord("y"): 2}  # a float and a complex number
_UNFINISHED = object()  # what a reference to a container finds inside that container
_CONSTANTS = {ord("N"): None, ord("T"): True, ord("F"): False}
_CODE_CONSTANTS = {ord("."): ..., ord("S"): StopIteration}
_WITH_EXCEPTION_TABLE = (3, 11)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code object says of itself (https://docs.python.org/3/reference/datamodel.html).

    `exceptions` is empty for versions of Python that have no exception table.
    """

    name: str
    flags: int
    code: bytes
    constants: tuple[Any, ...]
    names: tuple[str, ...]
    exceptions: bytes
    file: str = ""

    def iter_nested(self) -> Iterator[Code]:
        """Yield this code object and all that are in its constants, however deep."""
        work = [self]
        while work:
            code = work.pop()
            yield code
            work += [constant for constant in code.constants if isinstance(constant, Code)]


def parse_marshal(data: bytes) -> Any:
    """The plain value that `data` begins with.

    Raises `TruncatedBinary` for anything that ends early or holds another type.
    """
    return _parse(_Parser(data))


def parse_code(data: bytes, python: tuple[int, int]) -> Code:
    """The code object that `data` begins with, written by this version of Python.

    Raises `TruncatedBinary` as `parse_marshal` does.
    """
    code = _parse(_CodeParser(data, python))
    if not isinstance(code, Code):
        raise TruncatedBinary("marshalled code is another value")
    return code


def _parse(parser: _Parser) -> Any:
    try:
        return parser.value(0)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise TruncatedBinary(f"marshalled data is damaged: {error}") from error


class _Parser:
    depth_limit = _MAX_DEPTH

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.refs: list[Any] = []

    def value(self, depth: int) -> Any:
        if depth > self.depth_limit:
            raise IndexError("nested too deeply")
        code = self.data[self.at]
        self.at += 1
        kind = code & ~_FLAG_REF
        if kind == ord("r"):
            return self._reference(self._int())
        if not code & _FLAG_REF:
            return self._typed(kind, depth)
        index = len(self.refs)
        self.refs.append(_UNFINISHED)
        self.refs[index] = result = self._typed(kind, depth)
        return result

    def _reference(self, index: int) -> Any:
        if index < 0 or self.refs[index] is _UNFINISHED:
            raise IndexError(f"a reference to value {index}, which is not complete")
        return self.refs[index]

    def _typed(self, kind: int, depth: int) -> Any:
        if kind in _SHORT_STRINGS:
            return self._take(self._byte()).decode("ascii")
        if kind == ord("s"):
            return self._take(self._int())
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in b"il":
            return self._int() if kind == ord("i") else self._long()
        if kind in _LONG_STRINGS:
            return self._take(self._int()).decode("utf-8", "surrogatepass")
        return self._container(kind, depth)

    def _container(self, kind: int, depth: int) -> Any:
        if kind in b"{}":  # a frozendict, since 3.15, is written as a dict is
            return self._dict(depth)
        if kind not in b"([)":
            raise IndexError(f"type {kind:#x} has no place in a table")
        items = self._items(self._byte() if kind == ord(")") else self._int(), depth)
        return items if kind == ord("[") else tuple(items)

    def _items(self, count: int, depth: int) -> list[Any]:
        if not 0 <= count <= len(self.data):
            raise IndexError(f"{count} items in {len(self.data)} bytes")
        return [self.value(depth + 1) for _ in range(count)]

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
        self.at += 1
        return self.data[self.at - 1]

    def _int(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _long(self) -> Any:
        count = self._int()
        if abs(count) > _MAX_DIGITS:
            raise IndexError(f"an integer of {abs(count)} digits")
        digits = struct.unpack(f"<{abs(count)}H", self._take(2 * abs(count)))
        magnitude: int = sum(digit << (15 * i) for i, digit in enumerate(digits))
        return -magnitude if count < 0 else magnitude

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise IndexError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        start, self.at = self.at, end
        return self.data[start:end]


class _CodeParser(_Parser):
    """Code objects, and all that their constants may hold."""

    depth_limit = _MAX_CODE_DEPTH

    def __init__(self, data: bytes, python: tuple[int, int]) -> None:
        super().__init__(data)
        self.old = python < _WITH_EXCEPTION_TABLE

    def _long(self) -> Any:
        """An integer; a large one, such as a prime, as its bytes, as its value does not matter."""
        start = self.at
        count = abs(self._int())
        if count > _MAX_DIGITS:
            return self._take(2 * count)
        self.at = start
        return super()._long()

    def _container(self, kind: int, depth: int) -> Any:
        if kind == ord("c"):
            return self._code(depth)
        if kind in _FLOATS:
            parts = struct.unpack(f"<{_FLOATS[kind]}d", self._take(8 * _FLOATS[kind]))
            return complex(*parts) if len(parts) > 1 else parts[0]
        if kind in _CODE_CONSTANTS:
            return _CODE_CONSTANTS[kind]
        if kind in b"<>":  # sets; a tuple does as well, and nothing is hashed
            return tuple(self._items(self._int(), depth))
        if kind == ord(":"):  # a slice, since 3.14
            return tuple(self._items(3, depth))
        return super()._container(kind, depth)

    def _code(self, depth: int) -> Code:
        """A code object whose fields CPython takes (_PyCode_Validate in Objects/codeobject.c)."""
        numbers = [self._int() for _ in range(6 if self.old else 5)]  # counts, the flags
        code, constants, names = self._fields(depth, bytes, tuple, tuple)
        variables, kinds, *_ = self._fields(depth, tuple, *([tuple] * 2 if self.old else [bytes]))
        file, name = self._fields(depth, str, str)
        if not self.old:
            self._fields(depth, str)  # the qualified name
        self._take(4)
        _, *rest = self._fields(depth, *([bytes] if self.old else [bytes, bytes]))
        counts_fit = self.old or len(variables) == len(kinds)
        texts = all(isinstance(text, str) for text in (*names, *variables))
        if (
            min(numbers) < 0
            or numbers[1] > numbers[0]
            or not counts_fit
            or not texts
            or len(code) % 2
        ):
            raise IndexError("a code object has fields that do not fit together")
        return Code(name, numbers[-1], code, constants, names, rest[0] if rest else b"", file)

    def _fields(self, depth: int, *kinds: type) -> list[Any]:
        found = [self.value(depth + 1) for _ in kinds]
        if not all(isinstance(value, kind) for value, kind in zip(found, kinds, strict=True)):
            raise IndexError("a code object has fields of other types")
        return found
