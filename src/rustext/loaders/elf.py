"""What glibc's and musl's loaders have in common: which of the files found is taken."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from rustext.errors import RustextError
from rustext.loaders.rules import Place, Rejection
from rustext.model.image import Binary, Format, Image, ImageKind
from rustext.model.libraries import FoundBy


def select(found: Binary | RustextError, program: Image) -> Image | Rejection:
    """Judge a file by its header, as `open_verify` of glibc's elf/dl-load.c does.

    A file for another machine is skipped, and so is one that may not be read; one that is no
    library stops the search.
    """
    if isinstance(found, RustextError):
        forbidden = isinstance(found.__cause__, PermissionError)
        return Rejection(reason=str(found), final=not forbidden)
    image = found.image
    if image.format is not Format.ELF:
        return Rejection(reason=f"invalid ELF header: {image.format.name}", final=True)
    return _misfit(image, program) or image


def _misfit(image: Image, program: Image) -> Rejection | None:
    if image.bits != program.bits:
        return Rejection(reason=f"wrong ELF class: {image.bits}-bit")
    if image.byteorder != program.byteorder:
        return Rejection(reason=f"wrong byte order: {image.byteorder}-endian", final=True)
    if image.architecture != program.architecture:
        return Rejection(reason=f"wrong architecture: {image.architecture}")
    if image.kind is not ImageKind.SHARED:
        return Rejection(reason=f"not a shared library: {image.kind.value}", final=True)
    return None


def iter_places(how: FoundBy, folders: Iterable[str], name: str) -> Iterator[Place]:
    """The places of a name in folders, in their order."""
    for folder in folders:
        yield Place(how=how, path=posixpath.join(folder, name))
