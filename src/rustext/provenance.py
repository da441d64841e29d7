"""What a native file was made from: is it Rust, by which compiler, from which crates.

In: an image with its bytes, and the software bills of materials that came with it. Out: a
`Provenance`, each mark and each crate with the source that said so. Everything is read from the
file; the package's name plays no part. The marks are those that rustc leaves behind:

- the `.comment` section that rustc's LLVM writes (`rustc version 1.80.0 (051478957 2024-07-21)`);
- paths in panic messages: `/rustc/<commit>/library/…` for the standard library (rustc's
  `--remap-path-prefix` for distributed builds), `…/registry/src/<index>/<crate>-<version>/src/…`
  for crates from a registry (cargo's source cache layout);
- symbol names in rustc's legacy (`_ZN…17h<16 hex digits>E`) and v0 (`_R…`, RFC 2603) mangling;
- `.dep-v0`, a zlib stream of JSON (https://github.com/rust-secure-code/cargo-auditable);
- CycloneDX files below `.dist-info/sboms` (PEP 770), where crates are `pkg:cargo/…` components.
"""

from __future__ import annotations

import json
import mmap
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from rustext.knowledge import read_data
from rustext.model import Binding, Crate, Format, Image, ImageKind, Provenance

_RUSTC = re.compile(rb"rustc version (\d+\.\d+\.\d+[0-9A-Za-z.-]*)")
_STD_PATH = re.compile(rb"/rustc/(?:[0-9a-f]{40}|\d+\.\d+\.\d+)[/\\]")
_CRATE_PATH = re.compile(
    rb"registry[/\\]src[/\\][^/\\\x00]{1,80}[/\\]"
    rb"([A-Za-z0-9][A-Za-z0-9_-]{0,63})-(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]{1,40})?)[/\\]"
)
_LEGACY_SYMBOL = re.compile(rb"_ZN[0-9A-Za-z_.$]{3,400}17h[0-9a-f]{16}E")
_V0_SYMBOL = re.compile(  # a path that leads to a crate's root: C, s<base 62>_, <length><name>
    rb"_R[IMNXY][0-9A-Za-z_]{0,400}?Cs[0-9A-Za-z]{5,13}_[0-9]{1,3}[A-Za-z_]"
)
_CARGO_PURL = re.compile(r"pkg:cargo/([^@/?#]+)@([^?#]+)")
_DEP_V0_LIMIT = 8 << 20  # bytes of JSON; the largest real ones are below 1 MiB


def provenance(image: Image, data: mmap.mmap, *, sbom: Sequence[Crate] = ()) -> Provenance:
    """Judge one image.

    `data` holds the whole file. `sbom` holds the crates that the distribution's bills of
    materials list; they are facts about the distribution, so they name crates only in a file
    that bears a mark of Rust itself or is the only candidate (the caller decides which to pass).
    """
    rustc = _find_rustc(image, data)
    dep_v0 = _find_dep_v0(image, data)
    paths = _find_crate_paths(data)
    marks = tuple(
        mark
        for mark, present in (
            ("rustc comment", rustc is not None),
            ("panic path", bool(paths) or _STD_PATH.search(data) is not None),
            ("dep-v0", bool(dep_v0)),
            ("sbom", bool(sbom)),
        )
        if present
    ) or (("mangled name",) if _has_mangled_name(data) else ())
    crates = merge_crates(sbom, dep_v0, paths)
    return Provenance(
        rust=bool(marks),
        marks=marks,
        binding=_find_binding(image, data, {c.name for c in crates}) if marks else Binding.NONE,
        pyo3=next((c.version for c in crates if c.name == "pyo3"), None),
        rustc=rustc,
        crates=crates,
    )


def parse_sbom(text: str | bytes) -> tuple[Crate, ...]:
    """The crates of a CycloneDX JSON document; empty for a document of another kind.

    https://cyclonedx.org/docs/1.6/json/#components, nested components included.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    found: dict[tuple[str, str], Crate] = {}
    todo: list[Any] = [document]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo += item
        elif isinstance(item, dict):
            todo += [item[key] for key in ("metadata", "component", "components") if key in item]
            match = _CARGO_PURL.match(str(item.get("purl", "")))
            if match is not None:
                name, version = unquote(match[1]), unquote(match[2])  # "+" stands as %2B
                found[name, version] = Crate(name=name, version=version, source="sbom")
    return tuple(found[key] for key in sorted(found))


def merge_crates(*sources: Iterable[Crate]) -> tuple[Crate, ...]:
    """One list, sorted by name and version; where several sources agree, the first is named."""
    merged: dict[tuple[str, str], Crate] = {}
    for source in sources:
        for crate in source:
            merged.setdefault((crate.name, crate.version or ""), crate)
    return tuple(merged[key] for key in sorted(merged))


def _has_mangled_name(data: mmap.mmap) -> bool:
    return _LEGACY_SYMBOL.search(data) is not None or _V0_SYMBOL.search(data) is not None


def _find_rustc(image: Image, data: mmap.mmap) -> str | None:
    if image.format is Format.MACHO:  # Mach-O has no comment section
        return None
    for section in image.sections:
        if section.name == ".comment":
            match = _RUSTC.search(data, section.offset, section.offset + section.size)
            if match is not None:
                return match[1].decode("ascii")
    return None


def _find_crate_paths(data: mmap.mmap) -> tuple[Crate, ...]:
    found = {(m[1].decode("ascii"), m[2].decode("ascii")) for m in _CRATE_PATH.finditer(data)}
    return tuple(Crate(name=n, version=v, source="panic-path") for n, v in sorted(found))


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


def _find_binding(image: Image, data: mmap.mmap, crates: set[str]) -> Binding:
    if image.kind is ImageKind.EXECUTABLE:
        return Binding.EXECUTABLE
    for rule in read_data("bindings")["binding"]:
        if rule["init"] is bool(image.python_inits) and (
            not crates.isdisjoint(rule["crates"])
            or any(data.find(mark.encode("ascii")) >= 0 for mark in rule["marks"])
        ):
            return Binding(rule["kind"])
    return Binding.NONE if image.python_inits else Binding.CTYPES
