"""What the wheels that a bundle's modules came from say of them.

In: a `Bundle` whose metadata was taken along. Out: for each module of the stable ABI, the oldest
version of CPython that can load it, and the files that have changed since they were installed. A
file's name says `abi3` alone; the version is in its wheel's tag (`cp39-abi3-…`), which
`*.dist-info/WHEEL` keeps, and RECORD has the hash of each file:
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import contextlib
import csv
import re
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from rustext.files.untrusted import hash_file, text_of
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.native_files import is_named_native, unreasonable_size
from rustext.verify.bundle.program import Freezer

_LIMIT = 1 << 20  # bytes of a metadata file that are read; a RECORD of 10,000 files has that many
_COLUMNS, _SHA256 = 3, "sha256="
_HASHED = 4 << 30  # bytes that are read to compare hashes
_PARTS = 3  # of a tag: interpreters, ABIs, platforms
_CPYTHON = re.compile(r"cp([0-9])([0-9]{1,3})")


def stable_abi_floors(bundle: Bundle) -> dict[Path, tuple[int, int]]:
    """The oldest CPython for each file that a wheel for the stable ABI has installed."""
    floors: dict[Path, tuple[int, int]] = {}
    for wheel in sorted(bundle.contents.glob("*.dist-info/WHEEL")):
        floor = parse_floor(text_of(wheel, _LIMIT))
        if floor is None:
            continue
        for name in iter_recorded(wheel.with_name("RECORD")):
            if name.endswith((".so", ".pyd")):
                floors[bundle.contents / name] = floor
    return floors


def parse_floor(text: str) -> tuple[int, int] | None:
    """The oldest CPython that the tags in a WHEEL file name, if they are for the stable ABI."""
    found = []
    for line in HeaderParser().parsestr(text).get_all("Tag", ()):
        # Each part is a set; their product, which the tag means, may be huge.
        parts = line.strip().lower().split("-")
        if len(parts) == _PARTS and "abi3" in parts[1].split("."):
            matches = map(_CPYTHON.fullmatch, parts[0].split("."))
            found += [(int(match[1]), int(match[2])) for match in matches if match is not None]
    return min(found, default=None)


def iter_records(bundle: Bundle) -> Iterator[tuple[str, tuple[PurePosixPath, ...]]]:
    """The RECORDs in a bundle, each with the files that it lists."""
    for record in sorted(bundle.contents.glob("*.dist-info/RECORD")):
        yield f"{record.parent.name}/RECORD", tuple(map(PurePosixPath, iter_recorded(record)))


def iter_recorded(record: Path) -> Iterator[str]:
    """The files that a RECORD lists, up to what is no CSV; none where it cannot be read."""
    return (row[0] for row in _iter_rows(record))


def find_changed(bundle: Bundle) -> tuple[str, ...]:
    """The files that no RECORD in the bundle has as they are, of those that one lists.

    Freezers strip or patch native files, all of them or those that need it: these count where the
    freezer leaves them as they are, and has left most.
    """
    said: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for record in sorted(bundle.contents.glob("*.dist-info/RECORD")):
        for row in _iter_rows(record):
            if len(row) == _COLUMNS and row[1].startswith(_SHA256) and _is_inside(row[0]):
                said[row[0]].add((row[1].removeprefix(_SHA256), row[2]))
    native = {path for path, _ in bundle.files}
    same: dict[bool, list[str]] = {True: [], False: []}
    changed: dict[bool, list[str]] = {True: [], False: []}
    left = _HASHED
    for name, sums in sorted(said.items()):
        path = bundle.contents / name
        with contextlib.suppress(OSError):
            if not path.is_file() or not bundle.holds(path) or unreasonable_size(path) is not None:
                continue
            size = path.stat().st_size
            hashes = {digest for digest, recorded in sums if recorded in {str(size), ""}}
            left -= size if hashes else 0
            if left >= 0:
                found = same if hashes and _hash(path) in hashes else changed
                found[path in native or is_named_native(name)].append(name)
    whole = bundle.freezer is Freezer.PYINSTALLER and len(same[True]) > len(changed[True])
    return (*changed[False], *(changed[True] if whole else ()))


def _is_inside(name: str) -> bool:
    """Whether a RECORD's row is about a file below its own folder, and not about metadata."""
    path = PurePosixPath(name)
    first = next(iter(path.parts), "")
    return not path.is_absolute() and ".." not in path.parts and not first.endswith(".dist-info")


def _hash(path: Path) -> str:
    """A file's hash as RECORDs have it."""
    return urlsafe_b64encode(hash_file(path)).rstrip(b"=").decode()


def _iter_rows(record: Path) -> Iterator[list[str]]:
    with contextlib.suppress(csv.Error):
        for row in csv.reader(text_of(record, _LIMIT).splitlines()):
            if row and row[0]:
                yield row
