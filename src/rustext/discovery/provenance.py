"""What a native file was made from: is it Rust, by which compiler, from which crates.

In: an image with its bytes, and the software bills of materials that came with it. Out: a
`Provenance`, each mark and each crate with the source that said so. Everything is read from the
file; the package's name plays no part. The marks are those that rustc leaves behind:

- the `.comment` section that rustc's LLVM writes (`rustc version 1.80.0 (051478957 2024-07-21)`);
- paths in panic messages: `/rustc/<commit>/library/…` for the standard library (rustc's
  `--remap-path-prefix` for distributed builds), `…/registry/src/<index>/<crate>-<version>/src/…`
  for crates from a registry (cargo's source cache layout), `…/git/checkouts/<repository>-<hash>/…`
  for those from a repository, which do not say their version;
- symbol names in rustc's legacy (`_ZN…17h<16 hex digits>E`) and v0 (`_R…`, RFC 2603) mangling;
- `.dep-v0`, a zlib stream of JSON (https://github.com/rust-secure-code/cargo-auditable);
- CycloneDX files below `.dist-info/sboms` (PEP 770), where crates are `pkg:cargo/…` components.
"""

from __future__ import annotations

import json
import mmap
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rustext.data import read_data
from rustext.discovery.sboms import merge_crates
from rustext.errors import TooComplex
from rustext.formats.binary import map_file
from rustext.model.image import Format, Image, ImageKind
from rustext.model.native_file import Binding, Crate, NativeFile, Provenance

_RUSTC = re.compile(rb"rustc version (\d+\.\d+\.\d+[0-9A-Za-z.-]*)")
_STD_PATH = re.compile(rb"/rustc/(?:[0-9a-f]{40}|\d+\.\d+\.\d+)[/\\]")
_CRATE_PATH = re.compile(
    rb"registry[/\\]src[/\\][^/\\\x00]{1,80}[/\\]"
    rb"([A-Za-z0-9][A-Za-z0-9_-]{0,63})-(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]{1,40})?)[/\\]"
)
# A crate that cargo took from a repository: its name is the repository's, its version unknown.
_GIT_PATH = re.compile(
    rb"git[/\\]checkouts[/\\]([A-Za-z0-9][A-Za-z0-9_-]{0,63})-[0-9a-f]{16}[/\\][0-9a-f]{7}[/\\]"
)
_LEGACY_SYMBOL = re.compile(rb"_ZN[0-9A-Za-z_.$]{3,400}17h[0-9a-f]{16}E")
_V0_SYMBOL = re.compile(  # a path that leads to a crate's root: C, s<base 62>_, <length><name>
    rb"_R[IMNXY][0-9A-Za-z_]{0,400}?Cs[0-9A-Za-z]{5,13}_[0-9]{1,3}[A-Za-z_]"
)


_MOST_CRATES = 20_000  # in one file; large programs name some 1,000
_DEP_V0_LIMIT = 8 << 20  # bytes of JSON; the largest real ones are below 1 MiB
_CODE = (".text", "__TEXT,__text")
_WINDOW = 16 << 20  # bytes; a multiple of every page size
_OVERLAP = 1 << 10  # bytes; the longest text that the patterns above can match is shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What rustc and others have left in the bytes of a file, whoever ships it."""

    rustc: str | None
    dep_v0: tuple[Crate, ...]
    panic_paths: tuple[Crate, ...]
    standard_library: bool  # a panic path of it
    mangled: bool  # a mangled name; looked for only where nothing else is found
    plugin: str | None  # what a file exports for a library that opens it


def read_marks(image: Image, data: mmap.mmap) -> Marks:
    """Look for all marks in a file; `data` holds the whole of it. Raises `TooComplex`."""
    rustc = _find_rustc(image, data)
    dep_v0 = _find_dep_v0(image, data)
    crates, standard_library = _read_text(image, data)
    found = rustc is not None or dep_v0 or crates or standard_library
    return Marks(
        rustc=rustc,
        dep_v0=dep_v0,
        panic_paths=crates,
        standard_library=standard_library,
        mangled=not found and _has_mangled_name(image, data),
        plugin=_find_plugin_mark(image, data),
    )


def provenance(
    image: Image,
    data: mmap.mmap,
    marks: Marks,
    *,
    sbom: Sequence[Crate] = (),
    claimed: bool = True,
    opened_by: Callable[[], Binding | None] | None = None,
) -> Provenance:
    """Judge one image by its marks.

    `data` holds the whole file. `sbom` holds the crates that the distribution's bills of
    materials list; they are facts about the distribution, so they make a file Rust that bears no
    mark itself only where the caller has `claimed` it for them. `opened_by` is asked for the code
    that opens a Rust library which exports no `PyInit_` and shows no binding; where nobody can
    be asked, such a library counts as one for ctypes.
    """
    own = tuple(
        mark
        for mark, present in (
            ("rustc comment", marks.rustc is not None),
            ("panic path", bool(marks.panic_paths) or marks.standard_library),
            ("dep-v0", bool(marks.dep_v0)),
            ("mangled name", marks.mangled),
        )
        if present
    )
    if not own and not (sbom and claimed):
        return Provenance(rust=False, rustc=marks.rustc)
    crates = merge_crates(sbom, marks.dep_v0, marks.panic_paths)
    names = {crate.name: crate.version for crate in reversed(crates)}
    return Provenance(
        rust=True,
        marks=(*own, "sbom") if sbom else own,
        binding=_find_binding(image, data, set(names), opened_by),
        pyo3=names.get("pyo3") or names.get("pyo3-ffi"),
        rustc=marks.rustc,
        crates=crates,
    )


def _has_mangled_name(image: Image, data: mmap.mmap) -> bool:
    return any(
        pattern.search(data, start, end) is not None
        for start, end in _iter_text(image, data)
        for pattern in (_LEGACY_SYMBOL, _V0_SYMBOL)
    )


def _read_text(image: Image, data: mmap.mmap) -> tuple[tuple[Crate, ...], bool]:
    """The crates that panic paths name, and whether one is the standard library's."""
    crates: set[tuple[str, str]] = set()
    repositories: set[str] = set()
    standard_library = False
    for start, end in _iter_text(image, data):
        for match in _CRATE_PATH.finditer(data, start, end):
            crates.add((match[1].decode("ascii"), match[2].decode("ascii")))
            if len(crates) > _MOST_CRATES:
                raise TooComplex(f"it names more than {_MOST_CRATES:,} crates")
        for match in _GIT_PATH.finditer(data, start, end):
            repositories.add(match[1].decode("ascii"))
        if not standard_library:
            standard_library = _STD_PATH.search(data, start, end) is not None
    found: list[tuple[str, str | None]] = [*crates, *((name, None) for name in repositories)]
    return tuple(Crate(name=n, version=v, source="panic-path") for n, v in found), standard_library


def holds_text(image: Image, data: mmap.mmap, text: bytes) -> bool:
    """Whether a file has these bytes anywhere but in its machine code."""
    return any(data.find(text, start, end) >= 0 for start, end in _iter_text(image, data))


def _iter_text(image: Image, data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """The file piece by piece, but for its machine code: compilers put no text there."""
    at = 0
    for section in sorted(image.sections, key=lambda section: section.offset):
        if section.name in _CODE and section.size:
            yield from _iter_windows(data, at, min(section.offset, len(data)))
            at = max(at, section.offset + section.size)
    yield from _iter_windows(data, at, len(data))


def _iter_windows(data: mmap.mmap, first: int, last: int) -> Iterator[tuple[int, int]]:
    """A part of the file piece by piece; each piece's memory is given back before the next.

    Pieces overlap by more than the longest text that is looked for.
    """
    for start in range(first, last, _WINDOW):
        yield start, min(start + _WINDOW + _OVERLAP, last)
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which trims by itself
            page = start - start % mmap.PAGESIZE
            data.madvise(mmap.MADV_DONTNEED, page, min(start + _WINDOW, last) - page)


def _find_rustc(image: Image, data: mmap.mmap) -> str | None:
    if image.format is Format.MACHO:  # Mach-O has no comment section
        return None
    for section in image.sections:
        if section.name == ".comment":
            match = _RUSTC.search(data, section.offset, section.offset + section.size)
            if match is not None:
                return match[1].decode("ascii")
    return None


def _find_dep_v0(image: Image, data: mmap.mmap) -> tuple[Crate, ...]:
    for section in image.sections:
        if section.name.endswith((".dep-v0", ",.dep-v0")):
            raw = bytes(data[section.offset : section.offset + section.size])
            try:
                text = zlib.decompressobj().decompress(raw, _DEP_V0_LIMIT)
                packages = json.loads(text)["packages"]
                return tuple(
                    Crate(name=str(p["name"]), version=str(p["version"]), source="dep-v0")
                    for p in packages
                )
            except (zlib.error, ValueError, KeyError, TypeError, RecursionError):
                return ()
    return ()


def _find_plugin_mark(image: Image, data: mmap.mmap) -> str | None:
    rules = read_data("bindings")["binding"]
    marks = (mark for rule in rules if rule["kind"] == "plugin" for mark in rule["marks"])
    return next((mark for mark in marks if holds_text(image, data, mark.encode())), None)


def missing_by_binding(path: Path, file: NativeFile, present: Collection[str]) -> frozenset[str]:
    """What an extension module imports as it loads, by what it is made with, and is not `present`.

    It need not be Rust. Raises as `map_file`; reads nothing where all is there.
    """
    if not _rules_for(file, present):
        return frozenset()
    with map_file(path) as data:
        return find_bound_imports(file, data, present)


def find_bound_imports(
    file: NativeFile, data: mmap.mmap, present: Collection[str] = ()
) -> frozenset[str]:
    """As `missing_by_binding`, of a file that is open."""
    rules, image = _rules_for(file, present), file.binary.image
    fitting = (r for r in rules if any(holds_text(image, data, m.encode()) for m in r["marks"]))
    return frozenset(n for rule in fitting for n in rule["imports"] if n not in present)


def _rules_for(file: NativeFile, present: Collection[str]) -> list[dict[str, Any]]:
    return [
        rule
        for rule in read_data("bindings")["binding"]
        if rule["init"] is bool(file.binary.image.python_inits)
        and any(name not in present for name in rule.get("imports", ()))
    ]


def _find_binding(
    image: Image,
    data: mmap.mmap,
    crates: set[str],
    opened_by: Callable[[], Binding | None] | None,
) -> Binding:
    if image.kind is ImageKind.EXECUTABLE:
        return Binding.EXECUTABLE
    for rule in read_data("bindings")["binding"]:
        if rule["init"] is bool(image.python_inits) and (
            not crates.isdisjoint(rule["crates"])
            or any(holds_text(image, data, mark.encode("ascii")) for mark in rule["marks"])
        ):
            return Binding(rule["kind"])
    if image.python_inits:
        return Binding.NONE
    if opened_by is None:
        return Binding.CTYPES
    # Without an init function PyO3 is of no use, but says what the file was meant to be.
    return opened_by() or (Binding.PYO3 if "pyo3" in crates else Binding.NONE)
