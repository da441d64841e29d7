"""Native files of any format.

In: a file or its bytes. Out: a `Binary`, whose images are neutral of format. Files are mapped
into memory, never read as a whole and never executed.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from rustext.errors import InvalidBinary, RustextError, TooComplex, UnknownFormat, UnreadableFile
from rustext.files.untrusted import open_file
from rustext.formats.elf import header
from rustext.formats.elf import image as elf
from rustext.formats.macho import image as macho
from rustext.formats.pe import image as pe
from rustext.formats.reader import Buffer, segment_offset
from rustext.model.image import Binary, Format, Image

_MOST_SEGMENTS = 512  # real files have up to 20
_SHARED = 1 << 20  # bytes; linkers map a page into two segments where they meet
HEAD = 64  # bytes of a file that `is_native` looks at

_Fact = TypeVar("_Fact")
_Default = TypeVar("_Default")


def parse_binary(data: Buffer, path: Path) -> Binary:
    """The images in `data`; `path` is for the record and for messages, and is not opened.

    Raises `UnknownFormat`, `TruncatedBinary` or `InvalidBinary`.
    """
    with located(path):
        return Binary(path=path, images=_refuse_complex(_parse_images(data), len(data)))


def read_binary(path: Path) -> Binary:
    """The images in the file at `path`.

    Raises `UnreadableFile` where there is no regular file that may be read, else as
    `parse_binary`.
    """
    with open_binary(path) as (binary, _):
        return binary


def read_linkage(path: Path) -> Binary:
    """The images in the file at `path`, with all that decides which libraries get loaded.

    Sections, symbol versions and exports of an ELF file stay empty: most of the time that it takes
    to read one goes there. Raises as `read_binary`.
    """
    with map_file(path) as data:
        if _format(data[:HEAD]) is not Format.ELF:
            return parse_binary(data, path)
        with located(path):
            images = _refuse_complex((elf.parse_elf(data, linkage=True),), len(data))
            return Binary(path=path, images=images)


@contextmanager
def open_binary(path: Path) -> Iterator[tuple[Binary, mmap.mmap]]:
    """The images in the file at `path`, and its bytes, for as long as the context lasts.

    Raises as `read_binary`.
    """
    with map_file(path) as data:
        yield parse_binary(data, path), data


def parse_file(
    path: Path, parse: Callable[[mmap.mmap], _Fact], default: _Default
) -> _Fact | _Default:
    """What `parse` finds in a file; `default` where it cannot be read, which is said elsewhere."""
    try:
        with map_file(path) as data:
            return parse(data)
    except RustextError:
        return default


def is_native(path_or_head: Path | bytes) -> bool:
    """Whether the file, or one that begins with these bytes, is ELF, Mach-O or PE by its magic.

    Of the bytes, the first `HEAD` are enough. False for what is not a regular file; raises
    `UnreadableFile` for a path that cannot be read.
    """
    if isinstance(path_or_head, bytes):
        return _format(path_or_head[:HEAD]) is not None
    try:
        if not stat.S_ISREG(path_or_head.stat().st_mode):
            return False
        with open_file(path_or_head) as stream:
            return _format(stream.read(HEAD)) is not None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path_or_head, error) from error


def address_to_offset(image: Image, address: int) -> int | None:
    """The file offset of the byte that is mapped at `address`, or None."""
    return segment_offset(image.segments, address)


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Name the file in an `InvalidBinary` that says what is wrong with it."""
    try:
        yield
    except InvalidBinary as error:
        raise type(error)(f"cannot read `{path}`: {error}") from error


def _parse_images(data: Buffer) -> tuple[Image, ...]:
    head = bytes(data[:HEAD])
    match _format(head):
        case Format.ELF:
            return (elf.parse_elf(data),)
        case Format.MACHO:
            return macho.parse_macho(data)
        case Format.PE:
            return (pe.parse_pe(data),)
        case None:
            raise UnknownFormat("neither ELF nor Mach-O nor PE" if head else "the file is empty")


def _refuse_complex(images: tuple[Image, ...], size: int) -> tuple[Image, ...]:
    """The images; raises `TooComplex` for one whose segments take more work than its file has."""
    for image in images:
        if len(image.segments) > _MOST_SEGMENTS:
            raise TooComplex(f"it has more than {_MOST_SEGMENTS} segments")
        if sum(s.size for s in image.segments) > 2 * size + _SHARED:
            raise TooComplex("its segments overlap: together they are larger than twice the file")
    return images


def _format(head: bytes) -> Format | None:
    if head.startswith(header.MAGIC):
        return Format.ELF
    if macho.is_macho(head):
        return Format.MACHO
    return Format.PE if pe.is_pe(head) else None


@contextmanager
def map_file(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of a file for as long as the context lasts, whatever they are.

    Raises `UnreadableFile` where there is no regular file that may be read, `UnknownFormat` for an
    empty one. Opening a FIFO would wait for its writer: it is looked at first.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise UnreadableFile(f"cannot read `{path}`: it is {kind}")
        if not status.st_size:
            raise UnknownFormat(f"cannot read `{path}`: the file is empty")
        with open_file(path) as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: as above, or emptied since
        raise _unreadable(path, error) from error
    try:
        yield data
    finally:
        # Where a view of the data is still about, as a rule in the traceback of an exception, the
        # mapping goes with the last view; that exception is what the caller has to see.
        with suppress(BufferError):
            data.close()


def _unreadable(path: Path, error: OSError | ValueError) -> UnreadableFile:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return UnreadableFile(f"cannot read `{path}`: {reason}")
