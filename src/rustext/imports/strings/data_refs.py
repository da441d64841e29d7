"""Strings that initialised data refers to.

In: an image, its bytes and the slots that the loader fills with addresses. Out: each reference to
read-only data, with the length where the next word can be one: Rust's `&str` is an address and a
length, in this order, in two words (https://doc.rust-lang.org/reference/type-layout.html says only
that it is two words; the order is rustc's ABI, stable since 2012).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rustext.formats.reader import Buffer, segment_offset
from rustext.model.image import Image

LONGEST = 120  # the longest string that is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRef:
    """A slot that holds a string's address, and the word behind it where it can be a length."""

    slot: int
    target: int
    length: int | None


def iter_data_refs(
    image: Image, data: Buffer, pointers: Mapping[int, int], low: int, high: int
) -> Iterator[DataRef]:
    """Yield the slots among `pointers` that hold an address in [low, high)."""
    width = image.bits // 8
    order = "little" if image.byteorder == "little" else "big"
    for slot, target in pointers.items():
        if not low <= target < high:
            continue
        offset = segment_offset(image.segments, slot)
        length = None
        if offset is not None:
            word = bytes(data[offset + width : offset + 2 * width])
            number = int.from_bytes(word, order)  # type: ignore[arg-type]
            length = number if 0 < number <= LONGEST and slot + width not in pointers else None
        yield DataRef(slot=slot, target=target, length=length)
