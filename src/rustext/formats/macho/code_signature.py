"""Code signatures of Mach-O images: what they say, and whether the file is still what was signed.

In: the bytes of a file and one of its images. Out: a `CodeSignature`, and the pages and parts that
differ from their hashes. Certificates are not judged: whom to trust is the machine's decision.

Specification: Apple's <kern/cs_blobs.h>
(https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/kern/cs_blobs.h) and "Inside Code
Signing: Hashes" (https://developer.apple.com/documentation/technotes/tn3126-inside-code-signing-hashes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rustext.errors import InvalidBinary
from rustext.formats.macho.property_lists import parse_plist
from rustext.formats.reader import MAX_ENTRIES, Buffer, Reader
from rustext.model.image import Image

_SUPER_BLOB, _CODE_DIRECTORY = 0xFADE_0CC0, 0xFADE_0C02  # CSMAGIC_EMBEDDED_SIGNATURE, …
_BLOB_HEADER = 8  # of every blob: magic and length
_MAX_BLOBS = 256
_PAGE_BITS = frozenset({0, *range(12, 33)})  # one page for all, or whole ones of the kernel's

# Slots (CSSLOT_*) of the super blob. Those below 0x1000 are hashed in the code directories too.
_DIRECTORY, _ENTITLEMENTS, _CMS = 0, 5, 0x1_0000
_ALTERNATES = range(0x1000, 0x1005)
_SPECIAL = {2: "requirements", _ENTITLEMENTS: "entitlements", 7: "DER entitlements"}

# Slots of what is signed but stored in separate files of an application.
INFO_SLOT, RESOURCES_SLOT = 1, 3

# CS_HASHTYPE_*: hashlib's name and the stored length in bytes, in the kernel's order, weakest first
_HASHES = {1: ("sha1", 20), 3: ("sha256", 20), 2: ("sha256", 32), 4: ("sha384", 48)}

_ADHOC, _REQUIRE_LV, _RUNTIME, _LINKER_SIGNED = 0x2, 0x2000, 0x1_0000, 0x2_0000
_WITH_TEAM, _WITH_LONG_LIMIT = 0x20200, 0x20300  # CS_SUPPORTSTEAMID, CS_SUPPORTSCODELIMIT64


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDirectory:
    """The hashes of one kind; `limit` bytes are covered, in pages of `page_size` bytes."""

    identifier: str
    team: str | None
    flags: int
    hash_type: int
    page_size: int
    limit: int
    pages: tuple[bytes, ...]
    special: Mapping[int, bytes]  # by slot; those of zeros, for what is not there, are left out

    def digest(self, content: bytes | memoryview) -> bytes:
        """The hash of a page or of a part, as this directory holds it."""
        name, size = _HASHES[self.hash_type]
        return hashlib.new(name, content, usedforsecurity=False).digest()[:size]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSignature:
    """The signature of one image. `directories` has the one first that the kernel goes by."""

    directories: tuple[CodeDirectory, ...]
    blobs: Mapping[int, bytes]  # embedded, by slot; the certificates' is not among them
    certified: bool  # there is a CMS signature
    start: int  # where the signature begins, from the start of the slice

    @property
    def ad_hoc(self) -> bool:
        """Whether it is an ad-hoc signature: hashes without an identity."""
        return bool(self.directories[0].flags & _ADHOC) or not self.certified

    @property
    def linker_signed(self) -> bool:
        """Whether the linker put it there, for whoever signs the file later to replace."""
        return bool(self.directories[0].flags & _LINKER_SIGNED)

    @property
    def team(self) -> str | None:
        """The signer's team identifier."""
        return self.directories[0].team

    @property
    def validates_libraries(self) -> bool:
        """Whether a program loads only the system's libraries and those of its own team.

        The hardened run-time asks for that, unless an entitlement says otherwise
        (https://developer.apple.com/documentation/bundleresources/entitlements/com.apple.security.cs.disable-library-validation).
        """
        wanted = bool(self.directories[0].flags & (_RUNTIME | _REQUIRE_LV))
        disabled = self.entitlements().get("com.apple.security.cs.disable-library-validation")
        return wanted and disabled is not True

    def entitlements(self) -> Mapping[str, Any]:
        """The entitlements that were signed with a program; none if they cannot be read."""
        return parse_plist(self.blobs.get(_ENTITLEMENTS, b"")[_BLOB_HEADER:])


def parse_signature(data: Buffer, image: Image) -> CodeSignature | None:
    """The signature of an image in `data`, the whole file; None for an unsigned one.

    Raises `InvalidBinary` where the kernel would find nonsense.
    """
    if image.signature is None:
        return None
    start, size = image.signature
    reader = Reader(data, start=start, end=start + size, byteorder="big")
    magic, length, count = reader.unpack("III", 0, "the code signature")
    if magic != _SUPER_BLOB or length > size or count > _MAX_BLOBS:
        raise InvalidBinary(f"damaged: the code signature begins with {magic:#x}")
    found: dict[int, tuple[int, int]] = {}  # slot -> offset and size
    for slot, offset in reader.rows("II", 12, count, "the index of the code signature"):
        _, blob_size = reader.unpack("II", offset, "a part of the code signature")
        reader.require(offset, blob_size, "a part of the code signature")
        found.setdefault(slot, (offset, blob_size))
    directories = [
        _parse_directory(reader, *found[slot])
        for slot in (_DIRECTORY, *_ALTERNATES)
        if slot in found
    ]
    if not directories:
        raise InvalidBinary("damaged: the code signature has no code directory")
    ranks = tuple(_HASHES)
    return CodeSignature(
        directories=tuple(sorted(directories, key=lambda d: -ranks.index(d.hash_type))),
        blobs={
            slot: reader.take(*place, "a part of the code signature")
            for slot, place in found.items()
            if slot in _SPECIAL
        },
        certified=found.get(_CMS, (0, 0))[1] > _BLOB_HEADER,
        start=start - image.offset,
    )


def _parse_directory(reader: Reader, offset: int, size: int) -> CodeDirectory:
    what = "the code directory"
    (
        magic, _, version, flags, hashes, identifier, specials, count, limit,
        hash_size, hash_type, _, page_bits, _,
    ) = reader.unpack("IIIIIIIIIBBBBI", offset, what)  # fmt: skip
    if magic != _CODE_DIRECTORY or _HASHES.get(hash_type, ("", -1))[1] != hash_size:
        raise InvalidBinary(f"damaged: {what} has the magic number {magic:#x}, hash {hash_type}")
    if version >= _WITH_LONG_LIMIT:
        (long_limit,) = reader.unpack("Q", offset + 56, what)
        limit = long_limit or limit
    team = reader.unpack("I", offset + 48, what)[0] if version >= _WITH_TEAM else 0
    if specials > _MAX_BLOBS or count > MAX_ENTRIES * 16 or page_bits not in _PAGE_BITS:
        raise InvalidBinary(f"damaged: {what} has {count} pages of 2^{page_bits} bytes")
    first = hashes - specials * hash_size
    if first < 0 or hashes + count * hash_size > size:
        raise InvalidBinary(f"damaged: the hashes of {what} reach out of it")
    table = reader.take(offset + first, (specials + count) * hash_size, what)
    rows = [table[i : i + hash_size] for i in range(0, len(table), hash_size)]
    end = offset + size
    return CodeDirectory(
        identifier=reader.name(offset + identifier, "the signed identifier", end=end),
        team=reader.name(offset + team, "the team identifier", end=end) if team else None,
        flags=flags,
        hash_type=hash_type,
        page_size=1 << page_bits if page_bits else max(limit, 1),
        limit=limit,
        pages=tuple(rows[specials:]),
        special={
            slot: rows[specials - slot]
            for slot in range(1, specials + 1)
            if any(rows[specials - slot])
        },
    )


def iter_damage(data: Buffer, image: Image, signature: CodeSignature) -> Iterator[str]:
    """What differs from the signature, as text: pages of the file, and parts of the signature.

    All code directories have to agree: systems differ in which of them they know.
    """
    pages: dict[int, int] = {}
    for directory in signature.directories:
        if directory.limit != signature.start:
            yield f"covers {directory.limit:#x} bytes of {signature.start:#x}"
        if len(directory.pages) * directory.page_size < directory.limit:
            yield f"holds {len(directory.pages)} hashes, too few for {directory.limit:#x} bytes"
        pages.update(dict.fromkeys(_changed_pages(data, image, directory), directory.page_size))
        for slot, name in _SPECIAL.items():
            signed, blob = directory.special.get(slot), signature.blobs.get(slot)
            if signed is not None and (blob is None or directory.digest(blob) != signed):
                yield f"the {name} are not those that were signed"
    for offset, size in sorted(pages.items()):
        yield f"changed since: {size} bytes at {offset:#x}"


def _changed_pages(data: Buffer, image: Image, directory: CodeDirectory) -> Iterator[int]:
    """The offsets, from the start of the file, of pages whose hash is another one."""
    limit = min(directory.limit, image.size)
    for number, signed in enumerate(directory.pages):
        begin = number * directory.page_size
        if begin >= limit:
            return
        end = min(begin + directory.page_size, limit)
        page = memoryview(data)[image.offset + begin : image.offset + end]
        if directory.digest(page) != signed:
            yield image.offset + begin
