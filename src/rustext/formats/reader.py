"""Bounded reads out of a native file's bytes.

In: the bytes of a file, or the part of them that holds one image. Out: numbers, names and file
offsets. A damaged file can name any offset, any count and any length, so every read is checked
against the end of the file, and what can be asked for in total is limited: a parser built on
`Reader` ends in bounded time and memory, and raises nothing but `InvalidBinary`.
"""

from __future__ import annotations

import mmap
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, TypeAlias

from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.model.image import Segment

Buffer: TypeAlias = bytes | mmap.mmap | memoryview

# No loader sets these limits; real files stay two orders of magnitude below them. They keep the
# time for a table that points into itself in the milliseconds.
MAX_ENTRIES = 65_536
MAX_NAME = 65_536
MAX_TEXT = 16 * 1024 * 1024

_NUL = re.compile(rb"\0")
_address = attrgetter("address")


class Reader:
    """Reads numbers and names from `data[start:end]`; offsets count from `start`.

    `what` in each method names the thing that is read, with its article: it begins the message
    of the error.
    """

    __slots__ = ("_data", "_end", "_names", "_prefix", "_start", "_text")

    def __init__(
        self, data: Buffer, *, start: int = 0, end: int | None = None, byteorder: str = "little"
    ) -> None:
        self._data = data
        self._start = start
        self._end = len(data) if end is None else end
        self._prefix = "<" if byteorder == "little" else ">"
        self._names: dict[int, str] = {}
        self._text = 0

    @property
    def size(self) -> int:
        """Number of bytes that can be read."""
        return self._end - self._start

    @property
    def prefix(self) -> str:
        """The byte order, as `struct` writes it."""
        return self._prefix

    def require(self, offset: int, size: int, what: str) -> None:
        """Raise `TruncatedBinary` unless all of `size` bytes at `offset` are in the file."""
        if offset + size > self.size:
            raise TruncatedBinary(
                f"cut short: {what} would end at {offset + size:#x}, "
                f"and there are only {self.size:#x} bytes"
            )

    def unpack(self, layout: str, offset: int, what: str) -> tuple[Any, ...]:
        """One record of the `struct` format `layout`, without padding."""
        layout = self._prefix + layout
        self.require(offset, struct.calcsize(layout), what)
        return struct.unpack_from(layout, self._data, self._start + offset)

    def rows(self, layout: str, offset: int, count: int, what: str) -> Iterator[tuple[Any, ...]]:
        """A table of `count` such records; the whole of it has to be in the file."""
        layout = self._prefix + layout
        return struct.iter_unpack(layout, self.take(offset, count * struct.calcsize(layout), what))

    def take(self, offset: int, size: int, what: str) -> bytes:
        """A copy of `size` bytes at `offset`."""
        self.require(offset, size, what)
        begin = self._start + offset
        return bytes(self._data[begin : begin + size])

    def startswith(self, offset: int, expected: bytes) -> bool:
        """Whether the bytes at `offset` are `expected`; False past the end of the file."""
        begin = self._start + offset
        return bytes(self._data[begin : min(begin + len(expected), self._end)]) == expected

    def name(self, offset: int, what: str, *, end: int | None = None) -> str:
        """The NUL-terminated string at `offset`, which has to end before `end`.

        Bytes that are not UTF-8 come out as backslash escapes: a name can always be printed.
        """
        if (known := self._names.get(offset)) is not None:
            return known
        limit = self.size if end is None else min(end, self.size)
        begin = self._start + offset
        stop = min(self._start + limit, begin + MAX_NAME)
        found = _NUL.search(self._data, begin, stop) if begin < stop else None
        if found is None:
            raise InvalidBinary(f"damaged: {what} at {offset:#x} has no end")
        self._text += found.start() - begin
        if self._text > MAX_TEXT:
            raise InvalidBinary(f"damaged: the names up to {what} take more than {MAX_TEXT} bytes")
        text = bytes(self._data[begin : found.start()]).decode("utf-8", "backslashreplace")
        self._names[offset] = text
        return text

    def find(
        self, pattern: re.Pattern[bytes], offset: int, size: int
    ) -> Iterator[tuple[int, bytes]]:
        """Offset and text of the first `MAX_ENTRIES` matches in `size` bytes at `offset`."""
        begin = self._start + offset
        stop = min(begin + size, self._end)
        for match in islice(pattern.finditer(self._data, begin, stop), MAX_ENTRIES):
            yield match.start() - self._start, match.group()


def segment_offset(segments: Sequence[Segment], address: int) -> int | None:
    """The file offset of the byte that is mapped at `address`; None where the file holds none.

    `segments` must be sorted by address, as they are in an `Image`.
    """
    index = bisect_right(segments, address, key=_address) - 1
    if index < 0:
        return None
    segment = segments[index]
    distance = address - segment.address
    return segment.offset + distance if distance < segment.size else None
