"""What the files of a bundle ask of the system that it runs on.

In: a bundle and what the loader would find. Out: `Need` records: the symbol versions (ELF on
glibc), newer functions (musl, Windows) and minimum versions (macOS) that no file of the bundle
itself provides. Symbols are read only where a need has to be explained.
"""

from __future__ import annotations

import contextlib
import mmap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from packaging.version import Version

from rustext.data import read_data
from rustext.formats.binary import parse_file
from rustext.formats.elf.image import parse_elf_names, parse_elf_symbols
from rustext.formats.elf.libc import uses_musl
from rustext.formats.pe.image import parse_pe_functions
from rustext.model.image import Format, Image, NeedKind
from rustext.model.libraries import Edge
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A file that asks for a version; `library` is "" where the system as a whole is meant."""

    path: Path
    library: str
    version: str  # GLIBC_2.34, or 1.2.3 of musl, or 11.0 of macOS, or 6.3 of Windows
    weak: bool = False  # the loader goes on without it
    symbols: tuple[str, ...] = ()


def images_for(bundle: Bundle, architecture: str) -> Iterator[tuple[Path, NativeFile, Image]]:
    """The images of the bundle's own format, and of one architecture, and of its C library."""
    main = bundle.image
    for path, file in bundle.files:
        for image in file.binary.images:
            if (image.format, image.architecture, image.bits) == (
                main.format,
                architecture,
                main.bits if architecture == main.architecture else image.bits,
            ) and (main.format is not Format.ELF or uses_musl(image) == uses_musl(main)):
                yield path, file, image


def glibc_needs(bundle: Bundle, edges: Iterable[Edge]) -> tuple[Need, ...]:
    """The symbol versions that a bundle needs of libraries that it does not hold itself."""
    own = _own_libraries(bundle, edges)
    return tuple(
        Need(path=path, library=v.library, version=v.version, weak=v.weak)
        for path, _, image in images_for(bundle, bundle.image.architecture)
        for v in image.versions
        if (path, v.library) not in own
    )


def system_libraries(bundle: Bundle, edges: Iterable[Edge]) -> frozenset[str]:
    """The sonames of libraries that the policies know and that come from the system."""
    known = read_data("manylinux")["libraries"]
    own = _own_libraries(bundle, edges)
    return frozenset(
        needed.name
        for path, _, image in images_for(bundle, bundle.image.architecture)
        for needed in image.needed
        if needed.name in known and (path, needed.name) not in own
    )


def _own_libraries(bundle: Bundle, edges: Iterable[Edge]) -> frozenset[tuple[Path, str]]:
    """Which file gets which library from the bundle itself."""
    found = [e for e in edges if e.path is not None]
    held = {path for path in {e.path for e in found} if path is not None and bundle.holds(path)}
    return frozenset((e.needed_by, e.soname) for e in found if e.path in held)


def explain(needs: Iterable[Need]) -> Iterator[Need]:
    """The same needs, each with the symbols that it is for; each file is read once."""
    by_file: dict[Path, list[Need]] = defaultdict(list)
    for need in needs:
        by_file[need.path].append(need)
    for path, wanted in by_file.items():
        names: dict[tuple[str, str], list[str]] = defaultdict(list)
        for symbol in parse_file(path, parse_elf_symbols, ()):
            if symbol.needs is not None:
                mark = " (weak)" if symbol.weak else ""
                names[symbol.needs.library, symbol.needs.version].append(f"{symbol.name}{mark}")
        for need in wanted:
            yield replace(need, symbols=tuple(sorted(names[need.library, need.version])))


def musl_needs(bundle: Bundle) -> Iterator[Need]:
    """The functions of newer versions of musl that a bundle calls, with the version of each."""
    since = {
        name: row["version"]
        for row in read_data("distributions")["musl-functions"]
        if row.get("bits", bundle.image.bits) == bundle.image.bits
        for name in row["names"]
    }
    ends = tuple(f"{name}\0".encode("ascii") for name in since)  # linkers share common endings
    for path, _, _ in images_for(bundle, bundle.image.architecture):
        found: dict[str, list[str]] = defaultdict(list)
        table = parse_file(path, parse_elf_names, b"")  # much faster than the symbols
        new = any(end in table for end in ends)
        for symbol in parse_file(path, parse_elf_symbols, ()) if new else ():
            if not symbol.defined and not symbol.weak and symbol.name in since:
                found[since[symbol.name]].append(symbol.name)
        for version, names in sorted(found.items()):
            yield Need(path=path, library="", version=version, symbols=tuple(sorted(names)))


def macos_needs(bundle: Bundle, architecture: str) -> Iterator[Need]:
    """The oldest macOS that each slice for an architecture was built for."""
    for path, _, image in images_for(bundle, architecture):
        if image.minimum_os is not None:
            yield Need(path=path, library="", version=image.minimum_os)


def windows_needs(
    bundle: Bundle, edges: Iterable[Edge], python: tuple[int, int] | None
) -> Iterator[Need]:
    """The DLLs and functions of newer releases of Windows that are needed when a file is loaded.

    `python` is the version of the bundle's own, which supports no older release than one of these.
    """
    rows = read_data("distributions")["windows"]
    dlls = {dll: row["version"] for row in rows for dll in row["dlls"]}
    functions = {name: row["version"] for row in rows for name in row["functions"]}
    ends = [f"{name}\0".encode("ascii") for name in functions]
    own = _own_libraries(bundle, edges)
    for path, _, image in images_for(bundle, bundle.image.architecture):
        found: dict[str, list[str]] = defaultdict(list)
        for needed in image.needed:
            since = dlls.get(needed.name.lower())
            if since and needed.kind is NeedKind.NORMAL and (path, needed.name) not in own:
                found[since].append(needed.name)
        for name in parse_file(path, partial(_functions, ends), ()):
            if name in functions:
                found[functions[name]].append(name)
        for version, names in sorted(found.items()):
            yield Need(path=path, library="", version=version, symbols=tuple(sorted(names)))
    for row in rows:
        if python is not None and "python" in row and python >= Version(row["python"]).release:
            source = Path("Python " + ".".join(map(str, python)))
            yield Need(path=source, library="", version=row["version"])


def _functions(ends: Iterable[bytes], data: mmap.mmap) -> tuple[str, ...]:
    """The functions that a file of Windows imports; none where it has none of these words."""
    there = any(data.find(end) >= 0 for end in ends)
    return tuple(name for _, name in parse_pe_functions(data)) if there else ()


def highest(needs: Iterable[Need], prefix: str = "") -> Version | None:
    """The highest version among the needs that begin with `prefix`."""
    found = []
    for need in needs:
        text = need.version.removeprefix(prefix)
        if need.version.startswith(prefix):
            with contextlib.suppress(ValueError):  # GLIBC_PRIVATE, or more digits than `int` takes
                found.append(Version(text))
    return max(found, default=None)
