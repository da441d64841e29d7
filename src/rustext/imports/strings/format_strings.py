"""Beginnings of module names that Rust code completes at run time.

In: an image, its bytes and what counts as a package. Out: a `StringRef` for each literal that is
the name of a package and a dot, such as the first piece of `format!("package.formats.{style}")`.
Until rustc 1.92 the pieces of a format string are `&str` in relocated data; since 1.93 they stand
in one byte string, each after its length, with a byte from 0xC0 on for each placeholder
(https://github.com/rust-lang/rust/blob/1.93.0/library/core/src/fmt/mod.rs, `struct Arguments`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rustext.formats.pointers import read_pointers
from rustext.formats.reader import Buffer
from rustext.imports.strings.data_refs import iter_data_refs
from rustext.imports.strings.name_filter import IsModule
from rustext.imports.strings.name_refs import text_regions
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.image import Image

_BEGINNING = re.compile(rb"(?:[A-Za-z_]\w*\.)+")
_LAST_DOT = re.compile(rb"\.(?=[\xc0-\xff])")
_LONGEST = 127  # bytes of text in one piece of a template


def iter_beginnings(image: Image, data: Buffer, is_package: IsModule) -> Iterator[StringRef]:
    """Yield the literals that begin a dotted name, with their last dot; each text once.

    Raises `InvalidBinary` where a table of the image is damaged.
    """
    seen = set()
    for ref in (*_from_templates(image, data), *_from_pieces(image, data)):
        if ref.text not in seen and is_package(ref.text[:-1]):
            seen.add(ref.text)
            yield ref


def _from_templates(image: Image, data: Buffer) -> Iterator[StringRef]:
    """Literals in templates: a length, so many bytes of text, a placeholder."""
    for region in text_regions(image):
        for match in _LAST_DOT.finditer(data, region.offset, region.offset + region.size):
            end = match.end()
            for length in range(2, min(_LONGEST, end - region.offset - 1) + 1):
                start = end - length
                if data[start - 1] == length and _BEGINNING.fullmatch(data, start, end):
                    yield _beginning(data, start, length, "before a placeholder of a format string")


def _from_pieces(image: Image, data: Buffer) -> Iterator[StringRef]:
    """Literals with an address and a length in relocated data."""
    regions = text_regions(image)
    low = min((r.address for r in regions), default=0)
    high = max((r.address + r.size for r in regions), default=0)
    for ref in iter_data_refs(image, data, read_pointers(image, data), low, high):
        for region in regions:
            start = ref.target - region.address + region.offset
            if (
                ref.length is not None
                and region.address <= ref.target < region.address + region.size
                and _BEGINNING.fullmatch(data, start, start + ref.length)
            ):
                detail = f"by itself: relocated (pointer, length) at {ref.slot:#x}"
                yield _beginning(data, start, ref.length, detail)


def _beginning(data: Buffer, start: int, length: int, detail: str) -> StringRef:
    text = bytes(data[start : start + length]).decode("ascii")
    return StringRef(text=text, offset=start, kind=EvidenceKind.EXACT_STRING, detail=detail)
