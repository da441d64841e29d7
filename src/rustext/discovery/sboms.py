"""Read software bills of materials (CycloneDX) for the crates that a distribution was built from.

In: the bytes of an SBOM. Out: crates, and the libraries that its root crate builds, alone or in the
`Package` of a distribution.
Specification: https://cyclonedx.org/specification/overview/ and https://peps.python.org/pep-0770/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from rustext.discovery.sources import Package
from rustext.errors import UnreadableFile
from rustext.model.native_file import Crate

_CARGO_PURL = re.compile(r"pkg:cargo/([^@/?#]+)@([^?#]+)")
_XML_PURL = re.compile(r"<purl>\s*([^<\s]+)\s*</purl>")


def make_package(name: str, version: str, sboms: Sequence[bytes]) -> Package:
    """A distribution with the crates that its bills of materials list."""
    return Package(
        name=name,
        version=version,
        crates=merge_crates(*map(parse_sbom, sboms)),
        targets=frozenset().union(*map(parse_sbom_targets, sboms)),
    )


def check_sbom(content: bytes) -> None:
    """Raise `UnreadableFile` for what is neither JSON nor begins as XML does."""
    try:
        if not _is_xml(content):
            json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"it does not parse ({error})") from error


def _is_xml(content: bytes) -> bool:
    return content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def parse_sbom(text: str | bytes) -> tuple[Crate, ...]:
    """The crates of a CycloneDX JSON document; empty for a document of another kind.

    https://cyclonedx.org/docs/1.6/json/#components, nested components included. Of CycloneDX's
    XML, which a few tools write, the package URLs are taken.
    """
    raw = text.encode() if isinstance(text, str) else text
    if _is_xml(raw):
        return _crates_of(_XML_PURL.findall(raw.decode("utf-8", "replace")))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    purls = []
    todo: list[Any] = [document]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo += item
        elif isinstance(item, dict):
            todo += [item[key] for key in ("metadata", "component", "components") if key in item]
            purls.append(str(item.get("purl", "")))
    return _crates_of(purls)


def parse_sbom_targets(text: str | bytes) -> frozenset[str]:
    """The names of the libraries that the crate which the document is about builds.

    They are the components of `metadata.component` where that is a cargo package, as
    `cargo-cyclonedx` and maturin write it; empty for any other document.
    """
    try:
        subject = json.loads(text)["metadata"]["component"]
        if not _CARGO_PURL.match(subject["purl"]):
            return frozenset()
        return frozenset(
            str(target["name"]) for target in subject["components"] if target["type"] == "library"
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return frozenset()


def _crates_of(purls: Iterable[str]) -> tuple[Crate, ...]:
    """The crates among package URLs; a "+" in a version is written as %2B."""
    matches = (_CARGO_PURL.match(purl) for purl in purls)
    names = {(unquote(match[1]), unquote(match[2])) for match in matches if match is not None}
    return tuple(Crate(name=n, version=v, source="sbom") for n, v in sorted(names))


def merge_crates(*sources: Iterable[Crate]) -> tuple[Crate, ...]:
    """One list, sorted by name and version; where several sources agree, the first is named.

    A crate without a version stays only where no source knows one.
    """
    merged: dict[tuple[str, str], Crate] = {}
    for source in sources:
        for crate in source:
            merged.setdefault((crate.name, crate.version or ""), crate)
    known = {name for name, version in merged if version}
    return tuple(merged[key] for key in sorted(merged) if key[1] or key[0] not in known)
