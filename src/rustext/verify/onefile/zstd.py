"""Decompress one Zstandard frame, as far as it is asked for.

In: a stream that begins with a frame (RFC 8878). Out: a stream of its content. Python has had a
decompressor of its own since 3.14 (PEP 784); before that it is the package `zstandard`, or the
system's libzstd, which package managers and kernels' tools bring along on most machines.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any, Protocol

from rustext.errors import InvalidBundle, TruncatedBinary

MAGIC = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 17
_SMALL_CHUNK = 1 << 11
_SONAMES = ("libzstd.so.1", "libzstd.1.dylib", "libzstd.dll")


class Readable(Protocol):
    """A stream: `read` returns at most `size` bytes, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""


def open_frame(source: Readable) -> Readable:
    """The content of the frame that `source` begins with; reading on may take more of `source`.

    Reading raises `TruncatedBinary` where the frame is damaged. Raises `InvalidBundle` where this
    machine has nothing to decompress it with.
    """
    for opener in (_with_standard_library, _with_zstandard, _with_system_library):
        frame = opener(source)
        if frame is not None:
            return frame
    raise InvalidBundle(
        "the program is compressed with Zstandard, which this Python cannot read",
        hint='pip install "rustext[onefile]", or verify with Python 3.14',
    )


def _with_standard_library(source: Readable) -> Readable | None:
    try:
        zstd: Any = importlib.import_module("compression.zstd")
    except ImportError:
        return None
    return _Incremental(source, zstd.ZstdDecompressor(), zstd.ZstdError)


def _with_zstandard(source: Readable) -> Readable | None:
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError:
        return None
    return _Pushed(source, zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError)


def _with_system_library(source: Readable) -> Readable | None:
    for soname in _SONAMES:
        try:
            return _SystemLibrary(source, ctypes.CDLL(soname))
        except (OSError, AttributeError):  # AttributeError: not the library of that name
            continue
    return None


class _Pushed:
    """The decompressor of `zstandard` that stops where the frame ends.

    It gives back all that it makes of its input, and one byte can become 32 KiB.
    """

    def __init__(self, source: Readable, decompressor: Any, error: type[Exception]) -> None:
        self._source, self._decompressor, self._error = source, decompressor, error
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        while not self._rest and not self._decompressor.eof:
            chunk = self._source.read(_SMALL_CHUNK)
            if not chunk:
                raise TruncatedBinary("the compressed data ends early")
            try:
                self._rest = memoryview(self._decompressor.decompress(chunk))
            except self._error as error:
                raise TruncatedBinary(f"the compressed data is damaged: {error}") from error
        found, self._rest = self._rest[:size], self._rest[size:]
        return bytes(found)


class _Incremental:
    """The decompressor of Python's standard library."""

    def __init__(self, source: Readable, decompressor: Any, error: type[Exception]) -> None:
        self._source, self._decompressor, self._error = source, decompressor, error

    def read(self, size: int, /) -> bytes:
        decompressor = self._decompressor
        try:
            while not decompressor.eof:
                chunk = self._source.read(_CHUNK) if decompressor.needs_input else b""
                if not chunk and decompressor.needs_input:
                    raise TruncatedBinary("the compressed data ends early")
                found: bytes = decompressor.decompress(chunk, size)
                if found:
                    return found
        except self._error as error:
            raise TruncatedBinary(f"the compressed data is damaged: {error}") from error
        return b""


class _Buffer(ctypes.Structure):
    """`ZSTD_inBuffer` and `ZSTD_outBuffer`, https://facebook.github.io/zstd/zstd_manual.html."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t))


class _SystemLibrary:
    """The streaming interface of libzstd."""

    def __init__(self, source: Readable, library: ctypes.CDLL) -> None:
        self._source = source
        self._step = library.ZSTD_decompressStream
        self._step.restype = ctypes.c_size_t
        self._step.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self._is_error = library.ZSTD_isError
        self._is_error.argtypes = (ctypes.c_size_t,)
        self._free = library.ZSTD_freeDStream
        self._free.argtypes = (ctypes.c_void_p,)
        library.ZSTD_createDStream.restype = ctypes.c_void_p
        self._stream: int | None = library.ZSTD_createDStream()
        self._chunk = b""
        self._used = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        out = ctypes.create_string_buffer(min(size, _CHUNK))
        while not self._ended:
            if self._used == len(self._chunk):
                self._chunk, self._used = self._source.read(_CHUNK), 0
            target = _Buffer(ctypes.addressof(out), len(out), 0)
            data = ctypes.c_char_p(self._chunk)
            origin = _Buffer(ctypes.cast(data, ctypes.c_void_p).value, len(self._chunk), self._used)
            left = self._step(self._stream, ctypes.byref(target), ctypes.byref(origin))
            if self._is_error(left):
                raise TruncatedBinary("the compressed data is damaged")
            self._used = origin.pos
            self._ended = left == 0
            if target.pos:
                return out.raw[: target.pos]
            if not self._chunk:
                raise TruncatedBinary("the compressed data ends early")
        return b""

    def __del__(self) -> None:
        if self._stream:
            self._free(self._stream)
            self._stream = None
