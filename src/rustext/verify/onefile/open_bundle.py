"""Open a bundle of any kind: a folder, or one file that unpacks itself when it starts.

In: a path. Out: a `Bundle`, for as long as the context lasts. A one-file program is unpacked into a
temporary folder, within limits, and never started; findings name its members as if the file were
the folder that they lie in.
"""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from rustext.errors import (
    DamagedBundle,
    InvalidBinary,
    InvalidBundle,
    NotABundle,
    UnknownFormat,
    UnreadableFile,
)
from rustext.files.untrusted import open_file
from rustext.formats.binary import open_binary
from rustext.model.image import Format, Image, ImageKind
from rustext.model.native_file import Provenance
from rustext.verify.bundle.bundle import Bundle, read_bundle, read_contents
from rustext.verify.bundle.native_files import unreasonable_size
from rustext.verify.bundle.program import Freezer, Program, parse_program
from rustext.verify.bundle.pyinstaller_archive import Archive, Member
from rustext.verify.onefile.nuitka_payload import Layout, find_payload, iter_entries
from rustext.verify.onefile.unpacker import Unpacker

_CHUNK = 1 << 17  # bytes
_LINK_LIMIT = 4096  # bytes; Linux's PATH_MAX


@contextmanager
def open_bundle(path: Path, *, cached: bool = False) -> Iterator[Bundle]:
    """Read the bundle at `path`; what it is unpacked to is removed at the end of the block.

    `cached` as for `read_bundle`; what has been unpacked is read anew.

    Raises `InvalidBundle` where there is none, `UnreadableFile` where it cannot be read.
    """
    if not path.is_file():
        bundle = read_bundle(path, cached=cached)
        alone = _find_one_file(bundle)
        if alone is None:
            yield bundle
            return
        path = alone
    program, layouts = _look_at(path)
    path = path.absolute()
    with tempfile.TemporaryDirectory(prefix="rustext-onefile-") as name:
        folder = Path(name).resolve()
        yield _read_unpacked(path, program, layouts, folder)


def _find_one_file(bundle: Bundle) -> Path | None:
    """The one-file program that is all that a folder has to start; other files may lie there."""
    if len(bundle.programs) != 1 or bundle.contents != bundle.root:
        return None
    program = bundle.programs[0]
    packed = program.freezer is Freezer.UNKNOWN or (program.archive and program.archive.members)
    return program.path if packed and is_one_file(program.path) else None


def _read_unpacked(
    path: Path, program: Program, layouts: tuple[Layout, ...], folder: Path
) -> Bundle:
    """Read what is unpacked, with the one file next to it: it is the program, or starts it."""
    if program.archive is not None:
        root, inner = _unpack_archive(path, program, folder), None
    else:
        root, first = _unpack_payload(path, program.binary.image, layouts, folder)
        windows = program.binary.image.format is Format.PE
        inner = _read_first(path, root, first.replace("\\", "/") if windows else first)
    start = put_alone(path, root)
    if program.beside is not None:
        inner = replace(program, path=start)
    return _read_folder(path, root, start, inner)


def read_copy(bundle: Bundle, root: Path) -> Bundle:
    """Read a copy of a bundle's folder as what the bundle itself was read as."""
    if bundle.origin is None or bundle.twin is None:
        return read_bundle(root)
    root = root.resolve()
    twin = root / bundle.twin.relative_to(bundle.root)
    inner = bundle.programs[0] if len(bundle.programs) == 1 else None
    if inner is not None and inner.path != bundle.twin:  # a repair may have changed it
        first = inner.path.relative_to(bundle.root).as_posix()
        inner = _read_first(bundle.origin, root, first)
    elif inner is not None:
        inner = replace(inner, path=twin)
    return _read_folder(bundle.origin, root, twin, inner)


def _read_folder(path: Path, root: Path, start: Path, inner: Program | None) -> Bundle:
    try:
        bundle = read_contents(root, program=inner)
    except InvalidBundle as error:
        raise InvalidBundle(str(error).replace(str(root), str(path))) from error
    files = (
        # What the file carries is no part of its own code.
        (one, replace(file, provenance=Provenance(rust=False)) if one == start else file)
        for one, file in bundle.files
    )
    return replace(bundle, files=tuple(files), origin=path, twin=start)


def _read_first(path: Path, root: Path, first: str) -> Program | None:
    """What Nuitka's bootstrap starts: the payload's first file; on Windows it may be a library.

    None where it is no program of Nuitka's, and another file may be. Raises `InvalidBundle` where
    it is nothing that can be started.
    """
    name = root / first
    try:
        with open_binary(name) as (binary, data):
            program = parse_program(name, binary, data)
    except (InvalidBinary, UnreadableFile) as error:
        raise InvalidBundle(
            f"{path} is damaged: it starts `{first[:100]}`, which is no program"
        ) from error
    return program if program.freezer is Freezer.NUITKA else None


def is_one_file(path: Path) -> bool:
    """Whether the file is a program that unpacks itself when it starts, also a damaged one."""
    try:
        if unreasonable_size(path) is not None:
            return False
        _look_at(path)
    except DamagedBundle:
        return True
    except (InvalidBundle, OSError, UnreadableFile):
        return False
    return True


def put_alone(program: Path, folder: Path) -> Path:
    """Put a one-file program into a folder: a second name for it, or a copy where that cannot be.

    A file that is there under its name is left alone: the program gets another one.
    """
    target = folder / program.name
    while os.path.lexists(target):
        target = target.with_name(f"{target.name}.onefile")
    try:
        target.hardlink_to(program.resolve())
    except OSError:  # another file system, or one without hard links
        shutil.copy2(program, target)
    return target


def _look_at(path: Path) -> tuple[Program, tuple[Layout, ...]]:
    """What kind of one-file program this is; all others are refused with the way to go on."""
    try:
        with open_binary(path) as (binary, data):
            if binary.image.kind is not ImageKind.EXECUTABLE:
                raise InvalidBundle(
                    f"{path} is a library, not a bundle",
                    hint=f"`rustext inspect {path}` looks at one native file",
                )
            if (reason := unreasonable_size(path)) is not None:
                raise InvalidBundle(f"{path} is not read: {reason}")
            program = parse_program(path.absolute(), binary, data)
            return program, _find_layouts(path, program, data)
    except UnknownFormat as error:
        raise (InvalidBundle if _is_marked_as_program(path) else NotABundle)(
            f"{path} is no program that a freezer made: {_said(error, path)}",
            hint="name the folder or the executable that the freezer reported",
        ) from error
    except InvalidBinary as error:
        raise DamagedBundle(f"{path} is damaged: {_said(error, path)}") from error


def _is_marked_as_program(path: Path) -> bool:
    """Whether name or mode call a file a program, and it is no script."""
    with open_file(path) as stream:
        head = stream.read(512)
    text = head and b"\0" not in head
    return path.suffix.lower() == ".exe" or bool(path.stat().st_mode & stat.S_IXUSR and not text)


def _find_layouts(path: Path, program: Program, data: mmap.mmap) -> tuple[Layout, ...]:
    if program.damage is not None:
        damaged = DamagedBundle if program.freezer is Freezer.PYINSTALLER else InvalidBundle
        hint = "build it again, or copy it again"
        raise damaged(f"{path} is damaged: {program.damage}", hint=hint)
    if program.archive is not None and program.archive.members:
        return ()
    in_folder = program.archive is not None or program.freezer is Freezer.NUITKA
    layouts = () if in_folder else find_payload(program.binary.image, data)
    if not layouts:
        if in_folder:
            raise InvalidBundle(
                f"{path} is the program of a bundle, not a bundle",
                hint=f"name the folder: {path.parent}",
            )
        raise NotABundle(
            f"{path} is a program that carries no archive of a freezer",
            hint="name the folder or the one-file program that the freezer reported",
        )
    return layouts


def _unpack_archive(path: Path, program: Program, folder: Path) -> Path:
    """Unpack PyInstaller's archive into `folder`; raises `InvalidBundle`."""
    archive: Archive | None = program.archive
    members = archive.members if archive is not None else ()
    unpacker = _unpacker(path, program.binary.image, folder)
    try:
        with open_file(program.carrier) as stream:
            for member in members:
                if member.link:
                    target = b"".join(_iter_content(stream, member, _LINK_LIMIT))
                    unpacker.link(member.name, target.rstrip(b"\0").decode("utf-8", "replace"))
                else:
                    content = _iter_content(stream, member, member.full_size)
                    unpacker.add(member.name, member.full_size, content, executable=member.binary)
    except zlib.error as error:
        raise InvalidBundle(f"{path} is damaged: {error}") from error
    return unpacker.finish()


def _iter_content(stream: BinaryIO, member: Member, limit: int) -> Iterator[bytes]:
    """A member's bytes, unpacked; it stops soon after `limit` bytes."""
    stream.seek(member.offset)
    left, written = member.size, 0
    inflate = zlib.decompressobj()
    while left > 0 and written <= limit:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            return
        left -= len(chunk)
        if not member.compressed:
            written += len(chunk)
            yield chunk
            continue
        while chunk and written <= limit:
            found = inflate.decompress(chunk, _CHUNK)
            chunk = inflate.unconsumed_tail
            written += len(found)
            yield found
    if member.compressed and written <= limit:
        yield inflate.flush(_CHUNK)


def _unpack_payload(
    path: Path, image: Image, layouts: tuple[Layout, ...], folder: Path
) -> tuple[Path, str]:
    """Unpack Nuitka's payload into `folder`, and name its first file.

    The first layout that fits is the right one.
    """
    refused: Exception | None = None
    unpacker = _unpacker(path, image, folder)
    for layout in layouts:
        first = ""
        try:
            with open_file(path) as stream:
                for entry in iter_entries(stream, layout):
                    first = first or entry.name
                    if entry.link is not None:
                        unpacker.link(entry.name, entry.link)
                    else:
                        unpacker.add(
                            entry.name, entry.size, entry.chunks, executable=entry.executable
                        )
            return unpacker.finish(), first
        except (InvalidBinary, InvalidBundle) as error:
            refused = refused or error
            unpacker.start_again()
    raise InvalidBundle(
        f"{path} is damaged: {refused}", hint=getattr(refused, "hint", None)
    ) from refused


def _unpacker(path: Path, image: Image, folder: Path) -> Unpacker:
    return Unpacker(
        folder / path.name,
        name=path.name,
        size=path.stat().st_size,
        windows=image.format is Format.PE,
    )


def _said(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"cannot read `{path}`: ")
