"""Find what was changed in a macOS application after it was signed.

In: a `Subject` whose bundle is an application. Out: the finding `signature`. The signature of the
main program holds hashes of `Info.plist` and of a list, `_CodeSignature/CodeResources`, which holds
those of all files that are not code ("macOS Code Signing In Depth",
https://developer.apple.com/library/archive/technotes/tn2206/_index.html). The kernel does not look;
Gatekeeper calls a downloaded application damaged.

What was added is not looked for, and code in the list has a signature of its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from rustext.errors import InvalidBinary, UnreadableFile
from rustext.files.untrusted import hash_file, read_start
from rustext.formats.binary import open_binary
from rustext.formats.macho.code_signature import (
    INFO_SLOT,
    RESOURCES_SLOT,
    CodeSignature,
    parse_signature,
)
from rustext.formats.macho.property_lists import read_plist
from rustext.model.findings import Finding
from rustext.verify.bundle.native_files import unreasonable_size
from rustext.verify.common_findings import SEAL, broken_seal, cut
from rustext.verify.subject import Subject

_INFO, _RESOURCES = "Info.plist", SEAL.removeprefix("Contents/")
_MAX_SHOWN = 10
_MAX_LIST = 64 << 20  # bytes of the two files that the program's signature covers


def check_seal(subject: Subject) -> Iterator[Finding]:
    """Find files of an application that are not as they were signed, or gone."""
    contents = subject.bundle.root / "Contents"
    signature = _read_signature(subject, contents)
    if signature is None:
        return
    changes: list[tuple[str, str]] = []
    try:
        changes += _iter_slots(contents, signature)
        changes += _iter_changes(contents)
    except OSError as error:
        changes.append(("cannot be read", str(error).lower()))
    if changes:
        evidence = cut(changes, _MAX_SHOWN)
        yield broken_seal(subject, ad_hoc=signature.ad_hoc, evidence=evidence)


def _read_signature(subject: Subject, contents: Path) -> CodeSignature | None:
    """The signature of the application's main program; None where there is none to be read."""
    program = subject.bundle.program
    if program is None or program.path.parent != contents / "MacOS":
        return None
    with contextlib.suppress(InvalidBinary, UnreadableFile), open_binary(program.path) as opened:
        binary, data = opened
        return parse_signature(data, binary.image)
    return None


def _iter_slots(contents: Path, signature: CodeSignature) -> Iterator[tuple[str, str]]:
    """What the main program's signature says of the two files that it covers."""
    directory = signature.directories[0]
    for slot, name in ((INFO_SLOT, _INFO), (RESOURCES_SLOT, _RESOURCES)):
        if (signed := directory.special.get(slot)) is not None:
            path = _find(contents, name)
            if path is None or not path.is_file():
                yield "missing", name
            elif (
                path.stat().st_size > _MAX_LIST
                or directory.digest(read_start(path, _MAX_LIST + 1)) != signed
            ):
                yield "changed", name


def _iter_changes(contents: Path) -> Iterator[tuple[str, str]]:
    """What the list of files says; each path is relative to `Contents`."""
    listed = _find(contents, _RESOURCES)
    files = read_plist(listed).get("files2") if listed is not None and listed.is_file() else None
    entries = files.items() if isinstance(files, dict) else ()
    digest = partial(_digest, {})  # a list may name one file in many ways
    for name, entry in sorted((n, e) for n, e in entries if isinstance(n, str)):
        row = entry if isinstance(entry, dict) else {}
        path = _find(contents, name)
        if path is None:
            if row.get("optional") is not True:
                yield "missing", name
        elif not _is_as_signed(path, row, digest):
            yield "changed", name


def _is_as_signed(
    path: Path, row: Mapping[str, Any], digest: Callable[[Path], bytes | None]
) -> bool:
    """Whether a file is what the list says; code and folders with a signature are, here."""
    if "symlink" in row:
        return path.is_symlink() and str(path.readlink()) == row["symlink"]
    signed = row.get("hash2")
    if not isinstance(signed, bytes):
        return True
    return not path.is_symlink() and path.is_file() and digest(path) == signed


def _digest(known: dict[tuple[int, int], bytes | None], path: Path) -> bytes | None:
    """A file's SHA-256, computed once; None for one that was never written to its end."""
    status = path.stat()
    file = status.st_dev, status.st_ino
    if file not in known:
        known[file] = None if unreasonable_size(path) is not None else hash_file(path)
    return known[file]


def _find(contents: Path, name: str) -> Path | None:
    """A path of the list on this machine; None if it is not there, or leads out."""
    relative = PurePosixPath(name)
    path = contents / relative
    if relative.is_absolute() or ".." in relative.parts or not os.path.lexists(path):
        return None
    return path if path.parent.resolve().is_relative_to(contents.parent.resolve()) else None
