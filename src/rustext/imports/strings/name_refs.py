"""Module names in a native file, as strings with known bounds.

In: an image, its bytes and what counts as a module name. Out: `StringRef` records, each with what
refers to the string. rustc puts literals side by side without separators, so a name's bounds are
known only from what refers to it: a (pointer, length) pair in relocated data or in machine code,
or, for C strings, the NUL bytes around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from rustext.errors import InvalidBinary
from rustext.formats.pointers import read_imports, read_pointers
from rustext.formats.reader import Buffer
from rustext.imports.strings.code_refs import Code
from rustext.imports.strings.data_refs import LONGEST, iter_data_refs
from rustext.imports.strings.import_calls import ImportCalls
from rustext.imports.strings.machine.arm64 import Arm64
from rustext.imports.strings.machine.state import Machine, Region
from rustext.imports.strings.machine.x86_64 import X86, WindowsX86
from rustext.imports.strings.name_filter import WantedNames
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.image import Format, Image

_NAME = re.compile(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_C_STRING = re.compile(rb"\0([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?=\0)")
_DOT = re.compile(rb"\.(?=[A-Za-z_])")
_WORD_END = re.compile(rb"\w+\Z")

# What real code stays below by far: 224 MB of Rust refer to strings in 520,000 places, in 40,000 of
# them to what may be a name.
_MOST_PLACES = 3_000_000
_MOST_FOLLOWED = 400_000

# Where compilers put string literals: ELF, PE and Mach-O.
_TEXT_SECTIONS = (".rodata", ".lrodata", ".rdata", "__TEXT,__const", "__TEXT,__cstring")
_CODE_SECTIONS = (".text", "__TEXT,__text")


def iter_strings(
    image: Image, data: Buffer, wanted: WantedNames | None = None
) -> Iterator[StringRef]:
    """Yield the dotted identifiers of at most `LONGEST` bytes that code or data refers to.

    `wanted` are the names of interest, as a rule those that the target environment can import.
    Without it, every identifier with known bounds is yielded, and no loose ones. Each (text, kind)
    comes once, with the first place that refers to it: a name with strong evidence is also yielded
    with the weaker kinds that it has.

    Raises `InvalidBinary` where a table of the image is damaged, or where its code refers to more
    strings than any compiler's does.
    """
    seen: set[tuple[str, EvidenceKind]] = set()
    for ref in _Names(image, data, wanted).iter_refs():
        key = (ref.text, ref.kind)
        if key not in seen:
            seen.add(key)
            yield ref


class _Names:
    """The read-only data of one image, and which names can begin where."""

    def __init__(self, image: Image, data: Buffer, wanted: WantedNames | None) -> None:
        self._image, self._data = image, data
        self._all = wanted is None
        self._wanted = wanted or WantedNames(lambda _: True)
        self._regions = text_regions(image)
        self._pointers = read_pointers(image, data)
        self._known: dict[int, tuple[int, ...]] = {}  # by address
        self._computed: dict[int, None] = {}  # addresses that code computes
        self._referred: set[int] = set()  # addresses that data holds
        self._low = min((r.address for r in self._regions), default=0)
        self._high = max((r.address + r.size for r in self._regions), default=0)

    def iter_refs(self) -> Iterator[StringRef]:
        bounded = set()
        for ref in chain(self._from_code(), self._from_data()):
            bounded.add(ref.offset)
            yield ref
        yield from self._between_references(bounded)
        yield from self._between_nuls()
        yield from self._loose()

    def _offset(self, address: int) -> int | None:
        for region in self._regions:
            if region.address <= address < region.address + region.size:
                return address - region.address + region.offset
        return None

    def _lengths(self, address: int) -> tuple[int, ...]:
        """The lengths that a name at `address` can have; 0 means that it ends with a NUL."""
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = self._find_lengths(address)
        return known

    def _find_lengths(self, address: int) -> tuple[int, ...]:
        offset = self._offset(address)
        match = offset is not None and _NAME.match(self._data, offset, offset + LONGEST + 1)
        text = match.group().decode("ascii") if match else ""
        if not match or not self._wanted.may_begin(text):
            return ()
        ends = bytes(self._data[match.end() : match.end() + 1]) == b"\0" and len(text) <= LONGEST
        whole = (0,) if ends and text in self._wanted else ()
        return (*whole, *self._wanted.iter_lengths(text, LONGEST))

    def _text(self, offset: int, length: int) -> str:
        if length:
            return bytes(self._data[offset : offset + length]).decode("ascii")
        match = _NAME.match(self._data, offset, offset + LONGEST)
        return match.group().decode("ascii") if match else ""

    def _ref(self, address: int, length: int, kind: EvidenceKind, detail: str) -> StringRef:
        offset = self._offset(address) or 0  # only addresses in a region have lengths
        return StringRef(text=self._text(offset, length), offset=offset, kind=kind, detail=detail)

    def _from_data(self) -> Iterator[StringRef]:
        low, high = self._low, self._high
        for ref in iter_data_refs(self._image, self._data, self._pointers, low, high):
            self._referred.add(ref.target)
            lengths = self._find_lengths(ref.target)
            if ref.length in lengths:
                detail = f"relocated (pointer, length) at {ref.slot:#x}"
                yield self._ref(ref.target, ref.length, EvidenceKind.EXACT_STRING, detail)
            elif 0 in lengths:
                detail = f"relocated pointer at {ref.slot:#x}"
                yield self._ref(ref.target, 0, EvidenceKind.C_STRING, detail)

    def _from_code(self) -> Iterator[StringRef]:
        machine = _machine(self._image)
        if machine is None:
            return
        code = Code(
            self._data,
            machine,
            sections=_regions(self._image, _CODE_SECTIONS, executable=True),
            segments=_regions(self._image, (), executable=True),
        )
        calls = ImportCalls(code, read_imports(self._image, self._data), self._pointers)
        settled: set[int] = set()
        places = followed = 0
        for place, target in code.iter_addresses(self._low, self._high):
            places += 1
            self._computed[target] = None
            lengths = self._lengths(target)
            followed += bool(lengths) and target not in settled
            if places > _MOST_PLACES or followed > _MOST_FOLLOWED:
                raise InvalidBinary(
                    f"its code refers to strings in more than {places - 1:,} places"
                )
            if not lengths or target in settled:
                continue
            if lengths[0] == 0:
                yield self._ref(target, 0, EvidenceKind.C_STRING, f"address taken at {place:#x}")
            for ref in code.iter_refs(place, target, lengths):
                if ref.length:
                    detail = f"address and length set up at {place:#x}"
                    yield self._ref(target, ref.length, EvidenceKind.EXACT_STRING, detail)
                if ref.call is not None and (function := calls.explain(ref.call)):
                    settled.add(target)
                    detail = f"goes to {function} from {place:#x}"
                    yield self._ref(target, ref.length, EvidenceKind.IMPORT_CALL, detail)

    def _between_references(self, bounded: set[int]) -> Iterator[StringRef]:
        """Names that end where the next string begins that code or data refers to.

        Code that chooses between two literals computes their lengths: rust-numpy's `numpy.core` and
        `numpy._core` have no length of their own.
        """
        for address in self._computed:
            offset = self._offset(address)
            if offset is None or offset in bounded:
                continue
            for length in self._lengths(address):
                end = address + length
                if length and (end in self._computed or end in self._referred):
                    detail = f"ends where the string at {end:#x} begins"
                    yield self._ref(address, length, EvidenceKind.EXACT_STRING, detail)

    def _between_nuls(self) -> Iterator[StringRef]:
        for region in self._regions:
            for match in _C_STRING.finditer(self._data, region.offset, region.offset + region.size):
                text = match.group(1).decode("ascii")
                if len(text) <= LONGEST and text in self._wanted:
                    yield StringRef(
                        text=text,
                        offset=match.start(1),
                        kind=EvidenceKind.C_STRING,
                        detail="between NUL bytes",
                    )

    def _loose(self) -> Iterator[StringRef]:
        """Dotted names inside longer runs; a name without a dot would be found in any prose."""
        if self._all:
            return
        for region in self._regions:
            end = region.offset + region.size
            for match in _DOT.finditer(self._data, region.offset, end):
                dot = match.start()
                first = max(region.offset, dot - LONGEST)
                left = _WORD_END.search(bytes(self._data[first:dot]))
                right = _NAME.match(self._data, dot + 1, min(end, dot + LONGEST))
                if left and right:
                    word, rest = left.group().decode("ascii"), right.group().decode("ascii")
                    for start, stop in _names_around_dot(word, rest, self._wanted):
                        yield StringRef(
                            text=f"{word[start:]}.{rest[:stop]}",
                            offset=dot - len(word) + start,
                            kind=EvidenceKind.LOOSE_STRING,
                            detail="inside a run of text",
                        )


def _names_around_dot(word: str, rest: str, wanted: WantedNames) -> Iterator[tuple[int, int]]:
    """Where a known top-level name ends `word`, and how much of `rest` goes on with it."""
    for start in range(len(word)):
        if word[start:] in wanted:
            for stop in range(1, len(rest) + 1):
                if rest[stop - 1] != "." and f"{word[start:]}.{rest[:stop]}" in wanted:
                    yield start, stop


def text_regions(image: Image) -> tuple[Region, ...]:
    """The sections that hold string literals: read-only data."""
    return _regions(image, _TEXT_SECTIONS, executable=False)


def reads_code(image: Image) -> bool:
    """Whether the image's code is followed to the calls that import."""
    return _machine(image) is not None


def _regions(image: Image, names: tuple[str, ...], *, executable: bool) -> tuple[Region, ...]:
    """The sections with these names, or, in a file without them, the segments of their kind."""
    found = tuple(
        Region(address=s.address, offset=s.offset, size=s.size)
        for s in image.sections
        if s.size and names and s.name.startswith(names)
    )
    return found or tuple(
        Region(address=s.address, offset=s.offset, size=s.size)
        for s in image.segments
        if s.size and s.executable == executable and not s.writable
    )


def _machine(image: Image) -> Machine | None:
    """Who reads the image's code; None for an unsupported architecture."""
    if image.architecture == "x86_64":
        return WindowsX86() if image.format is Format.PE else X86()
    if image.architecture in ("aarch64", "arm64"):
        return Arm64()
    return None
